import ArgumentParser
import Foundation

struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes realistic job events, one CloudEvent a line.",
        discussion: """
            The same seed, start and options give the same bytes. Job ids depend on the seed only, so a file generated \
            again with another start repeats the same events.

            carillon-bench generate --events 10000 --seed 7 --workspaces 4 --out events.jsonl
            carillon-bench generate --events 1000000 --ws-prefix ws- --workspaces 10000 | carillon publish -
            carillon-bench generate --events 10000 --rate 500 | carillon publish -
            """)

    @Option(help: "How many lines to write.")
    var events = 10_000
    @Option(help: "The seed.")
    var seed: UInt64 = 1
    @Option(help: "How many workspaces take part, beside _system.")
    var workspaces = 6
    @Option(help: "Names workspaces PREFIX0, PREFIX1, … instead of with words.")
    var wsPrefix: String?
    @Option(help: "Share of lines that repeat an earlier event.")
    var duplicates = 0.01
    @Option(help: "Node failures, and as many repairs, in 10,000 steps.")
    var nodeFailures = 4.0
    @Option(help: "Time of the last event, RFC 3339; now when absent.")
    var start: String?
    @Option(help: "Seconds between the first event and the last.")
    var over = 600
    @Option(help: "Lines a second, each stamped with the moment it is written, in place of --start and --over.")
    var rate: Int?
    @Option(help: "Where to write; standard output when absent.")
    var out: String?

    func validate() throws {
        guard events >= 0, workspaces >= 1, over >= 0 else {
            throw ValidationError("--events and --over must not be negative and --workspaces at least 1")
        }
        guard rate ?? 1 >= 1 else { throw ValidationError("--rate is at least 1") }
        guard (0...0.9).contains(duplicates), (0...10_000).contains(nodeFailures) else {
            throw ValidationError("--duplicates is a share up to 0.9, --node-failures at most 10000")
        }
    }

    func run() async throws {
        let last = try start.map(Self.milliseconds) ?? WallClock.milliseconds()
        var feed = Feed(
            Feed.Plan(
                events: events, seed: seed, workspaces: Vocabulary.workspaces(workspaces, prefix: wsPrefix),
                duplicates: duplicates, nodeFailuresPer10000: nodeFailures, start: last - Int64(over) * 1000,
                span: Int64(over) * 1000, isLive: rate != nil))
        let output = try Output(path: out)
        let clock = ContinuousClock()
        let began = clock.now
        var total = 0
        while case let chunk = feed.next(size: rate == nil ? 1 << 20 : 1), !chunk.isEmpty {
            try output.write(chunk)
            total += chunk.count
            if let rate { try await clock.sleep(until: began + .seconds(feed.written) / rate, tolerance: .zero) }
        }
        let average = feed.written == 0 ? 0 : total / feed.written
        StandardError.say(
            "\(feed.written) events, \(feed.repeated) of them repeated, \(total) bytes, \(average) on average, in "
                + "\((clock.now - began).formatted(.units(allowed: [.seconds], fractionalPart: .show(length: 2))))")
    }

    private static func milliseconds(_ text: String) throws -> Int64 {
        guard let date = try? Date(text, strategy: .iso8601) else {
            throw ValidationError("--start is not a time like 2026-01-05T08:00:00Z: \(text)")
        }
        return Int64(date.timeIntervalSince1970) * 1000
    }
}
