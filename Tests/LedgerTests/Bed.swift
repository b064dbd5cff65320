import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonSQLite
import Testing

/// A ledger as a worker and as a command line sees it.
typealias WholeLedger = Ledger & LedgerDesk

/// The ledgers the contract is held against.
enum Backend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, file

    /// Those that can run here; one that needs a service that is absent would say so by name.
    static var available: [Backend] { allCases }
    var testDescription: String { rawValue }

    /// A fresh, empty ledger.
    func make(keeping: SQLiteLedger.Keeping = .init()) throws -> Bed {
        switch self {
        case .memory: try Bed(memory: .inMemory(keeping: keeping))
        case .file: try Bed(keeping)
        }
    }
}

/// A ledger under test: where workers begin, die, and where a test looks behind the contract.
final class Bed {
    let clock = ManualClock()
    private let folder: TemporaryDirectory?
    private let shared: SQLiteLedger?
    private let keeping: SQLiteLedger.Keeping
    private var next: [Int32: Int64] = [:]

    fileprivate init(memory: SQLiteLedger) { (folder, shared, keeping) = (nil, memory, .init()) }
    fileprivate init(_ keeping: SQLiteLedger.Keeping) throws {
        let folder = try TemporaryDirectory("ledger")
        _ = try SQLiteLedger.create(at: folder.file("ledger.db"), keeping: keeping)
        (self.folder, shared, self.keeping) = (folder, nil, keeping)
    }

    var now: Timestamp { clock.now() }
    var path: String { folder?.file("ledger.db") ?? ":memory:" }

    /// Opens the ledger as another process would; in memory there is only the one.
    func open() throws -> any WholeLedger { try shared ?? SQLiteLedger.open(at: path, keeping: keeping) }

    /// A worker with a session of its own.
    func worker(_ name: String = "worker", lease: Duration = .seconds(30)) throws -> Worker {
        let ledger = try open()
        let session = try ledger.begin(session: name, until: now + lease, now: now)
        return Worker(ledger: ledger, session: session) { [shared] in shared?.die(session) }
    }

    /// Changes rows behind the contract's back.
    func tamper(_ sql: String) throws { try Database(path: path, access: .readWrite).execute(sql) }

    /// What the conservation law says is wrong.
    func residue() throws -> [String] { try open().verify(now: now).residue }

    /// Decides a batch at the end of a partition.
    @discardableResult
    func decide(_ worker: Worker, _ drafts: Draft..., unmatched: Int = 0) throws -> [Birth] {
        let from = try worker.live.position("s", 0) ?? 0
        let batch = try Decisions(drafts, from: from, revision: worker.live.revision(), unmatched: unmatched, now: now)
        guard case .done(let births, _, _) = try worker.live.decide(batch, for: worker.session, now: now) else {
            Issue.record("the batch was not decided")
            return []
        }
        return births
    }

    /// The states of all deliveries, oldest first.
    func states() throws -> [DeliveryState] {
        try open().deliveries(DeliveryFilter(limit: 10_000)).reversed().map(\.state)
    }

    /// Leases everything that is due.
    func claim(_ worker: Worker, total: Int = 1000, perLane: Int = 1000) throws -> Claims {
        try worker.live.claim(for: worker.session, room: Room(total: total, perLane: perLane), now: now)
    }

    /// Ends one delivery.
    func settle(
        _ worker: Worker, _ delivery: DeliveryID, epoch: Int64 = 1, _ ending: Settlement.Ending, reason: String = "",
        notBefore: Timestamp? = nil
    ) throws {
        let settlement = Settlement(
            delivery: delivery, epoch: epoch, ending: ending, reason: reason, status: 503, words: "busy",
            notBefore: notBefore)
        try worker.live.settle([settlement], for: worker.session, now: now)
    }
}

/// A worker process, as far as the ledger sees one.
final class Worker {
    let session: SessionID
    private var ledger: (any WholeLedger)?
    private let tellOfDeath: () -> Void

    init(ledger: any WholeLedger, session: SessionID, tellOfDeath: @escaping () -> Void) {
        (self.ledger, self.session, self.tellOfDeath) = (ledger, session, tellOfDeath)
    }

    var live: any WholeLedger {
        guard let ledger else { preconditionFailure("the test uses a worker it has killed") }
        return ledger
    }

    /// Dies as a process does: without a word to the ledger.
    ///
    /// What the process held open is closed.
    func die() {
        tellOfDeath()
        ledger = nil
    }
}

/// An event of a batch with what was decided about it.
struct Draft: Sendable {
    var id: String
    var workspace = "vision"
    var subject: String? = "job-1"
    var rules: [(rule: String, targets: [String])] = [("failures", ["hook"])]
    var suppressed: Suppression?
    var window: Decisions.Window?
    /// When the stream took it, when that is not the moment of the batch.
    var appended: Timestamp?
    var isWanted = true
    var isOrdered = true
    /// What the deliveries wait for.
    var wait: Decisions.Wait?
    /// What reaches the same address as others, by target.
    var copies: [String: String] = [:]
    /// The rules that the window is of; `nil` for all.
    var windowed: Set<String>?
    var supersedes = false

    init(
        _ id: String, workspace: String = "vision", subject: String? = "job-1", rule: String = "failures",
        to targets: [String] = ["hook"], suppressed: Suppression? = nil, window: Decisions.Window? = nil,
        appended: Timestamp? = nil, wanted: Bool = true,
        ordered: Bool = true, wait: Decisions.Wait? = nil, copy: String? = nil, supersedes: Bool = false
    ) {
        (self.wait, self.supersedes) = (wait, supersedes)
        if let copy { for target in targets { copies[target] = copy } }
        (self.window, self.appended) = (window, appended)
        (self.id, self.workspace, self.subject) = (id, workspace, subject)
        (rules, self.suppressed, isWanted, isOrdered) = ([(rule, targets)], suppressed, wanted, ordered)
    }

    var key: Key {
        Key.event(workspace: Array(workspace.utf8).span, source: Array("/s".utf8).span, id: Array(id.utf8).span)
    }
    var bytes: [UInt8] { Array(#"{"id":"\#(id)"}"#.utf8) }
}

extension Decisions {
    /// A batch of drafts, then records no rule wants, then records that cannot be read; before them what was lost.
    init(
        _ drafts: [Draft], from: Int64 = 0, partition: Int32 = 0, revision: Revision = 0, unmatched: Int = 0,
        parked reasons: [String] = [], gap: Int64 = 0, now: Timestamp = Timestamp(milliseconds: 1_767_600_000_000)
    ) {
        let read = drafts.count + unmatched + reasons.count
        self.init(
            stream: "s", partition: partition, from: from, next: from + gap + Int64(read), revision: revision, bytes: []
        )
        (self.read, self.gap, self.unmatched) = (read, gap, unmatched)
        for draft in drafts { add(draft, offset: from + gap + Int64(events.count), now: now) }
        for reason in reasons {
            let start = bytes.count
            bytes += Array("broken".utf8)
            parked.append(
                Parked(
                    offset: next - Int64(reasons.count - parked.count), reason: reason, value: start..<bytes.count))
        }
    }

    private mutating func add(_ draft: Draft, offset: Int64, now: Timestamp) {
        let (start, first) = (bytes.count, selections.count)
        bytes += draft.bytes
        for (rule, targets) in draft.rules {
            let deliveriesStart = deliveries.count
            for target in draft.suppressed == nil ? targets : [] {
                let pair = Key.pair(workspace: draft.workspace, target: target, subject: draft.subject ?? "")
                deliveries.append(
                    Delivery(
                        key: Key.delivery(event: draft.key, rule: rule, target: target), target: target,
                        pair: draft.isOrdered ? pair : nil, expires: now + .seconds(86_400), wanted: draft.isWanted,
                        wait: draft.wait, copy: draft.copies[target], supersedes: draft.supersedes))
            }
            selections.append(
                Selection(
                    rule: rule, suppressed: draft.suppressed, deliveries: deliveriesStart..<deliveries.count,
                    window: draft.windowed?.contains(rule) ?? true ? draft.window : nil))
        }
        events.append(
            Event(
                key: draft.key, workspace: draft.workspace, type: "job.failed", subject: draft.subject, time: now,
                appended: draft.appended ?? now, offset: offset, value: start..<bytes.count,
                selections: first..<selections.count))
    }
}

extension Birth {
    /// The delivery's number; `nil` for a duplicate.
    var id: DeliveryID? {
        switch self {
        case .leased(let id, _, _, _), .pending(let id): id
        case .duplicate, .suppressed: nil
        }
    }
    var isLeased: Bool { if case .leased = self { true } else { false } }
    /// Whether it goes after another that is leased to the same worker.
    var follows: Bool { if case .leased(_, _, _, true) = self { true } else { false } }
}

extension Decided {
    var births: [Birth]? { if case .done(let births, _, _) = self { births } else { nil } }
    var duplicates: Int? { if case .done(_, let duplicates, _) = self { duplicates } else { nil } }
    var suppressed: [Suppression: Int]? {
        if case .done(_, _, let suppressed) = self { suppressed } else { nil }
    }
    var moved: Int64?? { if case .moved(let position) = self { position } else { nil } }
    var isRulesMoved: Bool { if case .rulesMoved = self { true } else { false } }
}
