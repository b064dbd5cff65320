import CarillonAnswers
import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonStream
import CarillonStreamSQLite
import CarillonWorker
import Logging
import Synchronization

/// A deployment of one machine in a folder of its own, with a clock that stands still: its workers run when they are asked.
final class House {
    let clock = ManualClock()
    let receiver = Receiver()
    private let folder: TemporaryDirectory
    private(set) var ledgers = 0
    let partitions: Partition

    init(partitions: Partition = 3) throws {
        self.partitions = partitions
        folder = try TemporaryDirectory("answers")
        _ = try SQLiteStream.create(at: folder.file("stream.db"), partitions: partitions, clock: clock)
        _ = try SQLiteLedger.create(at: ledgerPath)
    }

    var now: Timestamp { clock.now() }
    private var ledgerPath: String { folder.file("ledger-\(ledgers).db") }

    /// Opens the stream, as another process would.
    func stream() throws -> SQLiteStream { try SQLiteStream.open(at: folder.file("stream.db"), clock: clock) }
    func ledger() throws -> any AnsweringLedger { try SQLiteLedger.open(at: ledgerPath) }

    /// The ledger is lost; an empty one is in its place.
    func loseLedger() throws {
        ledgers += 1
        _ = try SQLiteLedger.create(at: ledgerPath)
    }

    func publish(_ events: [SampleEvent]) throws {
        try stream().appender().append(events.map(\.encoded))
    }

    /// Puts rules in force, given as the lines of a document below `rules:`.
    func apply(_ rules: String, workspace: String = "vision") throws {
        let document = """
            version: 1
            workspace: "\(workspace)"
            endpoints:
              hook: {kind: webhook, url: "http://hook.example.com/"}
              room: {kind: webhook, url: "http://room.example.com/"}
            rules:
            \(rules)
            """
        try apply(document: document, workspace: workspace)
    }

    /// Puts a whole document in force.
    func apply(document: String, workspace: String) throws {
        let ledger = try ledger()
        let change = RuleChange(
            workspace: workspace, sources: [SourceText(file: "rules.yaml", text: document)], living: [:])
        _ = try ledger.apply([change], base: try ledger.revision(), keepPending: true, now: now)
    }

    /// A worker that reads everything and sends what is due.
    func work() throws {
        let reader = try stream().reader(group: "carillon")
        let courier = InstantCourier(receiver)
        let path = try Path(
            ledger: ledger(), reader: reader, courier: courier, clock: clock, configuration: Worker.Configuration(),
            random: SplitMix(seed: 1), logger: quiet)
        var idle = 0
        while idle < 3 {
            let isBusy = try path.turn(wait: false)
            idle = try !isBusy && path.isIdle() ? idle + 1 : 0
        }
        try path.drain()
    }

    func explain(_ question: ExplainQuestion) throws -> Explanation {
        try Explainer(ledger: ledger(), stream: self.stream().scanner()).explain(question)
    }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// What the receivers of a house got, and what they say.
final class Receiver: Sendable {
    private struct State {
        var received: [String] = []
        var outcome: @Sendable (Outgoing) -> Outcome = { _ in .delivered }
    }
    private let state = Mutex(State())

    /// The keys of all requests that were answered with yes, in order, copies too.
    var received: [String] { state.withLock { $0.received } }
    func forget() { state.withLock { $0.received = [] } }
    /// From now on it answers so.
    func answer(_ outcome: @escaping @Sendable (Outgoing) -> Outcome) { state.withLock { $0.outcome = outcome } }

    func receive(_ outgoing: Outgoing) -> Outcome {
        state.withLock { state in
            let outcome = state.outcome(outgoing)
            if outcome == .delivered { state.received.append(outgoing.notice.key.description) }
            return outcome
        }
    }
}

/// A courier whose every request is answered before it returns.
final class InstantCourier: Courier {
    private let receiver: Receiver
    private let endings = Mutex<[Ending]>([])
    init(_ receiver: Receiver) { self.receiver = receiver }

    func offer(_ deliveries: [Outgoing]) {
        for outgoing in deliveries {
            let outcome = receiver.receive(outgoing)
            endings.withLock {
                $0.append(Ending(outgoing, outcome, status: outcome == .delivered ? 200 : 503))
            }
        }
    }
    func collect() -> [Ending] {
        endings.withLock { endings in
            defer { endings = [] }
            return endings
        }
    }
    func settled(_ tries: Int) {}
    func withdraw(_ lane: Int64) {}
    func drain() {}
    func close() {}
}
