import ArgumentParser
import CarillonEvents
import CarillonRules
import Foundation

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compares what a receiver got with what it should have got, and prints one table.",
        discussion: """
            What it should have got is worked out here from the events and the rules alone, delivery by delivery. Exits \
            with 1 when one is missing, unasked for, unsigned or not counted by the ledger.

            carillon-bench report --events events.jsonl --rules rules/ --sink sink.jsonl --verify verify.json
            """)

    @Option(help: "Published events, one a line; may be given again.")
    var events: [String]
    @Option(help: "The folder of rule documents in force.")
    var rules: String
    @Option(help: "What `carillon sink` wrote.")
    var sink: String
    @Option(help: "What `carillon verify -o json` wrote.")
    var verify: String
    @Option(help: "Events older than this many hours were not to be sent.")
    var maxAge = 24.0

    func run() throws {
        let oldest = Timestamp(milliseconds: WallClock.milliseconds() - Int64(maxAge * 3_600_000))
        var wanted = Expectation(book: try RuleFiles(folder: rules).book, oldest: oldest)
        for file in events { try wanted.add(fileAt: file) }
        let got = try Receipts(fileAt: sink)
        let counted = try JSONDecoder().decode(Counted.self, from: try Data(contentsOf: URL(fileURLWithPath: verify)))
        try show(wanted, got, counted)
        let faults = faults(wanted, got, counted)
        for fault in faults { StandardError.say("carillon-bench: \(fault)") }
        if !faults.isEmpty { throw ExitCode.failure }
    }

    private func show(_ wanted: Expectation, _ got: Receipts, _ counted: Counted) throws {
        let all = got.latencies(since: wanted.deliveries)
        let first = got.latencies(since: wanted.deliveries, firstTriesOnly: true)
        let rows: [(String, Int, String)] = [
            ("events", wanted.lines, "published, \(wanted.lines - wanted.events) of them a second time"),
            ("matched", wanted.matched, "by \(wanted.deliveries.count + wanted.suppressed) selections of rules"),
            (
                "delivered", got.accepted.count,
                "signed; \(got.retried) after a failed try, \(got.copies) more than once"
            ),
            ("suppressed", counted.suppressed, "older than \(Int(maxAge)) hours, listed and not sent"),
            ("dead", counted.deliveries["dead", default: 0], "given up"),
        ]
        for (name, count, words) in rows {
            let number = String(count)
            try StandardOutput.say(
                name.padded(to: 12) + String(repeating: " ", count: max(0, 8 - number.count)) + number + "   " + words)
        }
        try StandardOutput.say(
            "published to received   p50 \(all.p50) ms   p99 \(all.p99) ms   (first tries: \(first.p50) and \(first.p99) ms)"
        )
    }

    private func faults(_ wanted: Expectation, _ got: Receipts, _ counted: Counted) -> [String] {
        let missing = wanted.deliveries.keys.filter { got.accepted[$0] == nil }
        let unasked = got.accepted.keys.filter { wanted.deliveries[$0] == nil }
        let checks: [(Bool, String)] = [
            (missing.isEmpty, "\(missing.count) deliveries are missing, \(missing.first ?? "") is one"),
            (unasked.isEmpty, "\(unasked.count) deliveries were not asked for, \(unasked.first ?? "") is one"),
            (got.unsigned == 0, "\(got.unsigned) requests had no good signature"),
            (got.altered == 0, "\(got.altered) copies differ from their first body"),
            (
                counted.deliveries["delivered", default: 0] == wanted.deliveries.count,
                "the ledger counts \(counted.deliveries["delivered", default: 0]) delivered, not \(wanted.deliveries.count)"
            ),
            (
                counted.suppressed == wanted.suppressed,
                "the ledger counts \(counted.suppressed) suppressed, not \(wanted.suppressed)"
            ),
            (counted.read == wanted.lines, "the ledger counts \(counted.read) records read, not \(wanted.lines)"),
            (counted.residue.isEmpty, "the conservation law does not hold: \(counted.residue.joined(separator: "; "))"),
        ]
        return checks.filter { !$0.0 }.map(\.1)
    }

    /// What `carillon verify` counts, as far as it is compared.
    private struct Counted: Decodable {
        let read, suppressed: Int
        let deliveries: [String: Int]
        let residue: [String]
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
