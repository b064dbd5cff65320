import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonRules
import CarillonStream
import CarillonWorker
import Logging
import Synchronization
import Testing

@Suite("Rules for every workspace", .timeLimit(.minutes(1)))
struct EverywhereTests {
    @Test("stand beside the workspace's own, under one event", arguments: [false, true])
    func beside(isChecked: Bool) throws {
        let bed = try EverywhereBed(isChecked: isChecked)
        try bed.apply(bed.document("*", events: "job.failed"), bed.document("vision", events: "job.failed"))
        try bed.publish("vision", "a")
        try bed.publish("speech", "b")
        let arrived = try bed.run()
        #expect(
            Set(arrived.map { "\($0.endpoint.url) \($0.notice.workspace) \($0.notice.rule)" }) == [
                "http://vision.example.com/ vision failures", "http://all.example.com/ vision failures",
                "http://all.example.com/ speech failures",
            ])
        #expect(Set(arrived.map(\.notice.key)).count == 3)
        let verified = try bed.ledger.verify(now: bed.clock.now())
        #expect(verified.residue.isEmpty, "\(verified.residue)")
        let rows = try bed.ledger.deliveries(DeliveryFilter(workspace: "vision"))
        #expect(Set(rows.map(\.rule)) == ["failures", "*/failures"] && rows.allSatisfy { $0.workspace == "vision" })
        #expect(try bed.ledger.deliveries(DeliveryFilter(workspace: "*")).count == 2)
        #expect(try bed.ledger.deliveries(DeliveryFilter(rule: "*/failures")).count == 2)
    }

    @Test("use their own workspace's secrets")
    func secrets() throws {
        let bed = try EverywhereBed()
        let url = "{secret: room}"
        try bed.apply(bed.document("*", events: "job.*", url: url), bed.document("vision", events: "job.*", url: url))
        for (workspace, host) in [("*", "operator"), ("vision", "tenant")] {
            try bed.ledger.setSecret(
                "room", of: workspace, to: Array("http://\(host).example.com/".utf8), now: bed.clock.now())
        }
        try bed.publish("speech", "a")
        #expect(try bed.run().map(\.endpoint.url) == ["http://operator.example.com/"])
    }

    @Test("have one dedup window over all workspaces")
    func windows() throws {
        let bed = try EverywhereBed()
        let dedup = "dedup: {by: [data.node], within: 1h}, "
        try bed.apply(bed.document("*", events: "job.failed", more: dedup))
        try bed.publish("vision", "a", data: #""node":"gpu-1""#)
        try bed.publish("speech", "b", data: #""node":"gpu-1""#)
        try bed.publish("speech", "c", data: #""node":"gpu-2""#)
        #expect(Set(try bed.run().map(\.notice.subject)) == ["a", "c"])
        let suppressed = try bed.ledger.suppressed(DeliveryFilter())
        #expect(suppressed.map(\.rule) == ["*/failures"] && suppressed.map(\.workspace) == ["speech"])
    }

    @Test("come and go while a worker runs, and end what waits for them")
    func comeAndGo() throws {
        let bed = try EverywhereBed()
        try bed.apply(bed.document("vision", events: "job.failed"))
        try bed.publish("vision", "a")
        #expect(try bed.run().count == 1)
        try bed.apply(bed.document("*", events: "job.failed"))
        try bed.publish("vision", "b")
        #expect(try bed.run().count == 2)
        try bed.remove("*")
        try bed.publish("vision", "c")
        try bed.publish("speech", "d")
        #expect(try bed.run().map(\.notice.subject) == ["c"])
        let verified = try bed.ledger.verify(now: bed.clock.now())
        #expect(verified.residue.isEmpty, "\(verified.residue)")
    }

    @Test("subjects of two workspaces wait for each other nowhere")
    func order() throws {
        let bed = try EverywhereBed()
        try bed.apply(bed.document("*", events: "job.failed"))
        for workspace in ["vision", "speech"] { try bed.publish(workspace, "same") }
        bed.courier.refuses = true
        _ = try bed.run()
        #expect(bed.courier.tried.withLock { $0.count } == 2)
    }
}

@Suite("Switchboard: what is known of an event alone is judged of it", .timeLimit(.minutes(1)))
struct SwitchboardTests {
    @Test("an event that no target's channel may carry is suppressed with the reason, and the law holds")
    func suppressed() throws {
        let terms = ChannelOffer.Terms(events: [try EventSelector("job.*")], regions: ["cn-hangzhou"])
        let bed = try EverywhereBed(offer: ChannelOffer(["webhook": terms]))
        try bed.apply(bed.document("vision", events: "job.*"))
        try bed.publish("vision", "here", data: #""region":"cn-hangzhou""#)
        try bed.publish("vision", "elsewhere", data: #""region":"cn-beijing""#)
        try bed.publish("vision", "nowhere")
        #expect(try bed.run().map(\.notice.subject) == ["here"])
        let suppressed = try bed.ledger.suppressed(DeliveryFilter())
        #expect(suppressed.map(\.reason) == ["channel", "channel"])
        #expect(Set(suppressed.map(\.subject)) == ["elsewhere", "nowhere"])
        #expect(try bed.ledger.status(now: bed.clock.now()).suppressed["channel"] == 2)
        #expect(try bed.ledger.verify(now: bed.clock.now()).residue.isEmpty)
    }

    @Test("a secret whose key is missing holds up its own endpoint and no other")
    func missingKey() throws {
        let (keys, foreign) = (
            try SecretKeyring(parsing: SecretKeyring.newKey()), try SecretKeyring(parsing: SecretKeyring.newKey())
        )
        let bed = try EverywhereBed(secrets: SecretVault { () throws(SecretError) in keys })
        try bed.apply(
            bed.document("vision", events: "job.failed", url: "{secret: room}"),
            bed.document("speech", events: "job.failed", url: "{secret: room}"))
        for (workspace, ring) in [("vision", foreign), ("speech", keys)] {
            let sealed = try ring.seal(
                Array("http://\(workspace).example.com/".utf8), as: SecretName("room", of: workspace))
            try bed.ledger.setSecret("room", of: workspace, to: sealed, now: bed.clock.now())
        }
        try bed.publish("vision", "a")
        try bed.publish("speech", "b")
        #expect(try bed.run().map(\.endpoint.url) == ["http://speech.example.com/"])
        let row = try #require(try bed.ledger.deliveries(DeliveryFilter(workspace: "vision")).first)
        let words = try bed.ledger.attempts(of: row.id).map(\.words)
        #expect(words.first?.contains("which is not here [add that key to the key file]") == true, "\(words)")
        #expect(row.state == .pending)
    }
}

/// A worker over a stream and a ledger in memory, whose receiver always says yes.
private final class EverywhereBed {
    let clock = ManualClock()
    let ledger: SQLiteLedger
    let courier = PatientCourier()
    private let stream: MemoryStream
    private let path: Path

    init(isChecked: Bool = false, offer: ChannelOffer = .everything, secrets: SecretVault = .keyless) throws {
        ledger = try .inMemory()
        stream = MemoryStream(partitions: 1, batch: 10, clock: clock)
        var configuration = Worker.Configuration()
        (configuration.offer, configuration.secrets) = (offer, secrets)
        path = try Path(
            ledger: ledger, reader: CheckedReader(stream.reader(group: "carillon"), isChecked: isChecked),
            courier: courier, clock: clock, configuration: configuration, random: SplitMix(seed: 1),
            logger: Logger(label: "everywhere") { _ in SwiftLogNoOpLogHandler() }, crash: .none)
    }

    func document(_ workspace: String, events: String, url: String? = nil, more: String = "") -> RuleChange {
        let host = workspace == "*" ? "all" : workspace
        let text = """
            version: 1
            workspace: "\(workspace)"
            endpoints: {hook: {kind: webhook, url: \(url ?? "'http://\(host).example.com/'")}}
            rules:
              - {name: failures, events: ["\(events)"], \(more)notify: [hook]}
            """
        return RuleChange(
            workspace: workspace, sources: [SourceText(file: "rules.yaml", text: text)], living: ["failures": ["hook"]])
    }

    func apply(_ changes: RuleChange...) throws {
        _ = try ledger.apply(changes, base: try ledger.revision(), keepPending: false, now: clock.now())
    }

    func remove(_ workspace: String) throws { try apply(RuleChange(workspace: workspace, sources: [], living: [:])) }

    func publish(_ workspace: String, _ subject: String, data: String = "") throws {
        let event = SampleEvent(workspace: workspace, id: subject, subject: subject, time: clock.now(), data: data)
        try stream.appender().append([event.encoded])
    }

    /// What arrives until nothing more does.
    func run() throws -> [Outgoing] {
        for _ in 0..<20 {
            _ = try path.turn(wait: false)
            clock.advance(by: .milliseconds(110))
        }
        return courier.taken()
    }
}

/// Delivers all at once.
final class PatientCourier: Courier {
    let tried = Mutex<[Outgoing]>([])
    private let endings = Mutex<[Ending]>([])
    private let state = Mutex(false)
    /// Whether the receivers have trouble of their own.
    let isFailing = Mutex(false)
    var refuses: Bool {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }

    func offer(_ deliveries: [Outgoing]) {
        let outcome: Outcome =
            isFailing.withLock { $0 }
            ? .failed(.serverError, after: nil) : refuses ? .failed(.serverError, after: .seconds(3600)) : .delivered
        tried.withLock { $0 += deliveries }
        endings.withLock { $0 += deliveries.map { Ending($0, outcome, status: 200) } }
    }
    func collect() -> [Ending] {
        endings.withLock { endings in
            defer { endings = [] }
            return endings
        }
    }
    func taken() -> [Outgoing] {
        tried.withLock { tried in
            defer { tried = refuses ? tried : [] }
            return tried
        }
    }
    func settled(_ tries: Int) {}
    func withdraw(_ lane: Int64) {}
    func drain() {}
    func close() {}
}

/// A stream that says whether it checks what it takes.
final class CheckedReader: StreamReader {
    private let inner: MemoryReader
    private let isChecked: Bool

    init(_ inner: MemoryReader, isChecked: Bool) { (self.inner, self.isChecked) = (inner, isChecked) }

    func place(of partition: Partition) -> Place { inner.place(of: partition) }
    func partitions() -> [Partition] { inner.partitions() }
    func keep(only filter: (any RecordFilter)?) { inner.keep(only: filter) }
    var doorbell: any Doorbell { inner.doorbell }

    func poll(wait: Duration, limit: Int) throws(StreamError) -> Polled {
        let polled = try inner.poll(wait: .zero, limit: limit)
        guard case .records(var batch) = polled else { return polled }
        batch.isChecked = isChecked
        return .records(batch)
    }
    func seek(_ partition: Partition, to offset: Offset?) throws(StreamError) {
        try inner.seek(partition, to: offset)
    }
    func commit(_ partition: Partition, next: Offset) throws(StreamError) {
        try inner.commit(partition, next: next)
    }
    func lag() throws(StreamError) -> Int64 { try inner.lag() }
    func isDrained(positions: [Partition: Offset]) throws(StreamError) -> Bool {
        try inner.isDrained(positions: positions)
    }
    func close() { inner.close() }
}
