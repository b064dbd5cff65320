import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonWorker
import Logging
import Synchronization
import Testing

@Suite("Outage: an endpoint that is away, and the others beside it", .timeLimit(.minutes(2)))
struct OutageTests {
    @Test("while one is away the others are served at once, and nothing of it stays in memory or counts as a try")
    func others() throws {
        let bed = try OutageBed()
        bed.courier.down.withLock { $0 = ["bad"] }
        for round in 0..<40 {
            try bed.publish(to: "bad", count: 10, from: round * 10)
            try bed.publish(to: "good", count: 1, from: round)
            try bed.turns(3)
            #expect(bed.courier.delivered(to: "good") == round + 1, "in round \(round)")
        }
        #expect(try bed.ledger.endpoints(of: nil).map(\.state) == [.down])
        let status = try bed.ledger.status(now: bed.clock.now())
        #expect(status.deliveries["leased"] ?? 0 <= 1 && status.deliveries["pending"] ?? 0 >= 399)
        #expect(bed.courier.tries(of: "bad") < 150, "\(bed.courier.tries(of: "bad")) tries in forty rounds")
    }

    @Test("when it is back the first goes within a second, the rest follows at once, in order and without a copy")
    func comesBack() throws {
        let bed = try OutageBed()
        bed.courier.down.withLock { $0 = ["bad"] }
        try bed.publish(to: "bad", count: 2000, from: 0)
        for _ in 0..<300 { try bed.turns(1, each: .milliseconds(200)) }
        bed.courier.down.withLock { $0 = [] }
        try bed.turns(10, each: .milliseconds(100))
        #expect(bed.courier.delivered(to: "bad") > 0, "nothing arrived within a second")
        var turns = 0
        while bed.courier.delivered(to: "bad") < 2000, turns < 400 {
            try bed.turns(1, each: .milliseconds(10))
            turns += 1
        }
        #expect(bed.courier.delivered(to: "bad") == 2000, "after \(turns) turns of 10 ms")
        try bed.turns(5)
        #expect(bed.courier.isInOrder && bed.courier.copies == 0)
        #expect(try bed.ledger.endpoints(of: nil).isEmpty)
        #expect(try bed.ledger.verify(now: bed.clock.now()).residue == [])
    }

    @Test("one that is gone is disabled, said so, and has its messages after it was resumed")
    func gone() throws {
        let bed = try OutageBed()
        bed.courier.gone.withLock { $0 = ["bad"] }
        try bed.publish(to: "bad", count: 1, from: 0)
        try bed.turns(6)
        #expect(try bed.ledger.endpoints(of: nil).map(\.state) == [.disabled])
        try bed.turns(4)
        #expect(bed.courier.delivered(to: "watch") == 1, "_system is told once")
        bed.courier.gone.withLock { $0 = [] }
        try bed.publish(to: "bad", count: 3, from: 1)
        try bed.turns(20)
        #expect(bed.courier.delivered(to: "bad") == 0)
        #expect(try bed.ledger.resume("bad", of: "vision", now: bed.clock.now()))
        try bed.turns(20)
        #expect(bed.courier.delivered(to: "bad") == 3, "the one it refused is dead, the others waited")
    }

    @Test("an outage is told to _system once, and its end")
    func announced() throws {
        let bed = try OutageBed()
        bed.courier.down.withLock { $0 = ["bad"] }
        try bed.publish(to: "bad", count: 10, from: 0)
        try bed.turns(200, each: .milliseconds(100))
        bed.courier.down.withLock { $0 = [] }
        try bed.turns(50, each: .milliseconds(100))
        #expect(bed.courier.delivered(to: "watch") == 2)
    }
}

/// A worker over a stream and a ledger in memory.
private final class OutageBed {
    let clock = ManualClock()
    let ledger: SQLiteLedger
    let courier = MoodyCourier()
    private let stream: MemoryStream
    private let path: Path

    init() throws {
        ledger = try .inMemory()
        stream = MemoryStream(partitions: 1, batch: 500, clock: clock)
        path = try Path(
            ledger: ledger, reader: stream.reader(group: "carillon"), courier: courier, clock: clock,
            configuration: Worker.Configuration(), random: SplitMix(seed: 1),
            logger: Logger(label: "outage") { _ in SwiftLogNoOpLogHandler() }, appender: stream.appender())
        try apply("vision", ["bad", "good"])
        try apply("_system", ["watch"])
    }

    private func apply(_ workspace: String, _ names: [String]) throws {
        let endpoints = names.map { "\($0): {kind: webhook, url: 'http://\($0).example.com/'}" }
        let rules = names.map { name in
            "  - {name: \(name), events: [\(name == "watch" ? "'endpoint.*'" : "job.\(name)")], notify: [\(name)]}"
        }
        let text = """
            version: 1
            workspace: \(workspace)
            endpoints: {\(endpoints.joined(separator: ", "))}
            rules:
            \(rules.joined(separator: "\n"))
            """
        let change = RuleChange(
            workspace: workspace, sources: [SourceText(file: "rules.yaml", text: text)],
            living: Dictionary(uniqueKeysWithValues: names.map { ($0, [$0]) }))
        _ = try ledger.apply([change], base: try ledger.revision(), keepPending: false, now: clock.now())
    }

    /// Events of ten subjects in turn.
    func publish(to endpoint: String, count: Int, from first: Int) throws {
        let events = (first..<first + count).map { number in
            SampleEvent(
                workspace: "vision", id: "\(endpoint)-\(number)", type: "job.\(endpoint)", subject: "s\(number % 10)",
                time: clock.now()
            ).encoded
        }
        try stream.appender().append(events)
    }

    func turns(_ count: Int, each: Duration = .milliseconds(50)) throws {
        for _ in 0..<count {
            _ = try path.turn(wait: false)
            clock.advance(by: each)
        }
    }
}

/// Answers all at once, as each endpoint's mood is.
private final class MoodyCourier: Courier {
    let down = Mutex<Set<String>>([])
    let gone = Mutex<Set<String>>([])
    private let arrived = Mutex<[(endpoint: String, delivery: DeliveryID, subject: String)]>([])
    private let tried = Mutex<[String: Int]>([:])
    private let endings = Mutex<[Ending]>([])

    func delivered(to endpoint: String) -> Int { arrived.withLock { $0.count { $0.endpoint == endpoint } } }
    func tries(of endpoint: String) -> Int { tried.withLock { $0[endpoint] ?? 0 } }
    var copies: Int { arrived.withLock { $0.count - Set($0.map(\.delivery)).count } }
    var isInOrder: Bool {
        arrived.withLock { arrived in
            Dictionary(grouping: arrived) { $0.endpoint + $0.subject }.values.allSatisfy { letters in
                letters.map(\.delivery) == letters.map(\.delivery).sorted()
            }
        }
    }

    func offer(_ deliveries: [Outgoing]) {
        for outgoing in deliveries {
            let name = outgoing.endpoint.name
            tried.withLock { $0[name, default: 0] += 1 }
            let outcome: Outcome =
                if down.withLock({ $0.contains(name) }) {
                    .failed(.other, after: nil)
                } else if gone.withLock({ $0.contains(name) }) { .gone(.clientError) } else { .delivered }
            if outcome == .delivered {
                arrived.withLock { $0.append((name, outgoing.delivery, outgoing.notice.subject ?? "")) }
            }
            endings.withLock { $0.append(Ending(outgoing, outcome, status: 0)) }
        }
    }
    func collect() -> [Ending] {
        endings.withLock { endings in
            defer { endings = [] }
            return endings
        }
    }
    func withdraw(_ lane: Int64) {}
    func settled(_ tries: Int) {}
    func drain() {}
    func close() {}
}
