import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerPostgres
import CarillonLedgerSQLite
import Foundation
import PostgresServer
import Testing

// P7 over processes: workers are killed, the clock steps back, PostgreSQL crashes, and in every window the receivers saw no
// more than the limit. Counted from the receivers' own log, by a clock that nobody steps.

@Suite("Quota: a hard ceiling over many processes, from the receivers' log", .serialized, .timeLimit(.minutes(30)))
struct QuotaProcessTests {
    /// `CARILLON_QUOTA_DELIVERIES` makes it long.
    private static let deliveries =
        ProcessInfo.processInfo.environment["CARILLON_QUOTA_DELIVERIES"].flatMap { Int($0) } ?? 600
    private static let workers =
        ProcessInfo.processInfo.environment["CARILLON_QUOTA_WORKERS"].flatMap { Int($0) } ?? 5
    private static let seed = ProcessInfo.processInfo.environment["CARILLON_SEED"].flatMap { UInt64($0) } ?? 20_262
    private static let contacts = max(10, min(50, deliveries / 40))
    /// Count, milliseconds, reserve; wider in the long form, which would otherwise wait for room most of the time.
    private static let limits =
        deliveries < 10_000 ? [(4, 300, 1), (12, 2_000, 3)] : [(10, 300, 2), (30, 2_000, 6)]
    private static let blows = max(12, deliveries / 200)
    /// The server comes back in about a second, in which everybody stands still.
    private static let crashEvery = max(5, blows / 20)

    @Test("over one SQLite file")
    func sqlite() throws {
        let folder = try TemporaryDirectory("quota")
        let path = folder.file("ledger.db")
        let ledger = try SQLiteLedger.create(at: path)
        try run(ledger, ["sqlite", path], folder) {}
    }

    @Test("over PostgreSQL, which crashes", .enabled(if: (try? PostgresServer.shared.get()) != nil))
    func postgres() throws {
        let server = try PostgresServer()
        defer { server.stop() }
        let (folder, url) = (try TemporaryDirectory("quota"), try server.freshURL())
        let ledger = try PostgresLedger.create(at: url)
        try run(ledger, ["postgres", url], folder) { try server.crash() }
    }

    private func run(
        _ ledger: any WholeLedger, _ place: [String], _ folder: TemporaryDirectory, crash: () throws -> Void
    ) throws {
        var random = SplitMix(seed: Self.seed)
        let (log, clock) = (folder.file("receivers.log"), folder.file("clock"))
        for path in [log, clock] { try Data().write(to: URL(filePath: path)) }
        try owe(ledger)
        let limits = Self.limits.map { "\($0.0)/\($0.1)/\($0.2)" }
        func probe() throws -> QuotaProbe { try QuotaProbe(place + [log, clock] + limits) }
        var probes = try (0..<Self.workers).map { _ in try probe() }
        var (offset, steps, crashes) = (0, 0, 0)
        for blow in 0..<Self.blows {
            let victim = Int.random(in: 0..<probes.count, using: &random)
            for _ in 0..<Int.random(in: 3...25, using: &random) where probes[victim].line() == nil { break }
            probes[victim].kill()
            if blow % 3 == 0 {
                offset -= Int.random(in: 0...400, using: &random)
                try Data("\(offset)".utf8).write(to: URL(filePath: clock), options: .atomic)
                steps += 1
            }
            if blow % Self.crashEvery == 3 {
                try crash()
                crashes += 1
            }
            probes[victim] = try probe()
        }
        for probe in probes { #expect(probe.join() == 0, "seed \(Self.seed)") }
        // What looked on while the server crashed has lost its connection.
        let whole: any WholeLedger =
            place[0] == "postgres" ? try PostgresLedger.open(at: place[1]) : try SQLiteLedger.open(at: place[1])
        print(
            "quota test over \(place[0]): \(Self.workers) workers, seed \(Self.seed): \(Self.blows) kills, \(steps) steps"
        )
        print("    of the clock back" + (place[0] == "postgres" ? ", \(crashes) crashes of the server" : ""))
        try check(whole, Receivers(log))
    }

    private func owe(_ ledger: any WholeLedger) throws {
        let clock = SystemClockOfTest()
        let session = try ledger.begin(session: "decider", until: clock.now + .seconds(5), now: clock.now)
        for start in stride(from: 0, to: Self.deliveries, by: 500) {
            let drafts = (start..<min(start + 500, Self.deliveries)).map { number in
                Draft(
                    "e\(number)", subject: "job-\(number)", rule: number % 7 == 0 ? "critical" : "failures",
                    to: ["sms/c\(number % Self.contacts)"], wanted: false)
            }
            let batch = Decisions(drafts, from: Int64(start), now: clock.now)
            _ = try ledger.decide(batch, for: session, now: clock.now)
        }
        try ledger.end(session, now: clock.now)
    }

    private func check(_ ledger: any WholeLedger, _ receivers: Receivers) throws {
        for (count, window, _) in Self.limits {
            let worst = receivers.most(in: Int64(window) * 1_000_000)
            #expect(worst <= count, "\(worst) in \(window) ms, \(count) were allowed; seed \(Self.seed)")
        }
        let now = SystemClockOfTest().now
        let law = try ledger.verify(now: now)
        #expect(law.residue == [])
        #expect(law.deliveries.values.reduce(0, +) == Int64(Self.deliveries) && law.selected == Int64(Self.deliveries))
        #expect(law.deliveries["pending", default: 0] + law.deliveries["leased", default: 0] == 0)
        #expect(law.deliveries["withheld", default: 0] > 0 && law.deliveries["delivered", default: 0] > 0)
        // What is critical is never withheld, and so all of it has to get through beside the others.
        let critical = try ledger.deliveries(DeliveryFilter(rule: "critical", limit: Self.deliveries))
        #expect(critical.count == (Self.deliveries + 6) / 7 && critical.allSatisfy { $0.state == .delivered })
        #expect(try ledger.quotas().allSatisfy { $0.log.open.isEmpty })
        print(
            "    \(receivers.count) arrivals, \(critical.count) critical ones all delivered, "
                + law.deliveries.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
    }
}

private struct SystemClockOfTest {
    var now: Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}

/// What the receivers saw.
private struct Receivers {
    private var arrivals: [Substring: [Int64]] = [:]

    init(_ path: String) throws {
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
            let parts = line.split(separator: " ")
            arrivals[parts[0], default: []].append(try #require(Int64(parts[1])))
        }
    }

    var count: Int { arrivals.values.reduce(0) { $0 + $1.count } }

    /// The most that one receiver saw in any span shorter than this.
    func most(in nanoseconds: Int64) -> Int {
        var most = 0
        for moments in arrivals.values.map({ $0.sorted() }) {
            var first = 0
            for (index, moment) in moments.enumerated() {
                // A millisecond less, as the ledger counts whole ones.
                while moment - moments[first] >= nanoseconds - 1_000_000 { first += 1 }
                most = max(most, index - first + 1)
            }
        }
        return most
    }
}

/// A worker process; see `Tests/Tools/QuotaProbe`.
private final class QuotaProbe {
    private let process = Process()
    private let output = Pipe()
    private var rest = Data()

    init(_ arguments: [String]) throws {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process.executableURL = URL(filePath: tests).deletingLastPathComponent().appending(path: "quota-probe")
        process.arguments = arguments
        process.standardOutput = output
        try process.run()
    }

    deinit { kill() }

    /// The next line it prints, `nil` when it has ended.
    func line() -> String? {
        while true {
            if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                defer { rest = Data(rest[(end + 1)...]) }
                return String(decoding: rest[..<end], as: UTF8.self)
            }
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { return nil }
            rest.append(more)
        }
    }

    /// Ends it as the kernel would, and waits until it is gone.
    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Waits for its own end; 0 when it went well.
    func join() -> Int32 {
        while line() != nil {}
        process.waitUntilExit()
        return process.terminationStatus
    }
}
