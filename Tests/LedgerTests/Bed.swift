import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerPostgres
import CarillonLedgerSQLite
import CarillonPostgres
import CarillonSQLite
import Foundation
import PostgresServer
import Testing

/// A ledger as a worker and as a command line sees it.
typealias WholeLedger = Ledger & LedgerDesk & LedgerAnswers

/// The ledgers the contract is held against.
enum Backend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, file, postgres

    /// Those that can run here; `PostgresHereTests` says by its name when one cannot.
    static let available: [Backend] = allCases.filter { $0 != .postgres || (try? PostgresServer.shared.get()) != nil }
    var testDescription: String { rawValue }

    /// A fresh, empty ledger.
    func make(keeping: SQLiteLedger.Keeping = .init()) throws -> Bed {
        switch self {
        case .memory: Bed(.memory(try .inMemory(keeping: keeping)), keeping)
        case .file:
            try Bed(file: keeping)
        case .postgres:
            try Bed(postgres: PostgresServer.shared.get(), keeping)
        }
    }
}

@Suite("Ledger in PostgreSQL: it is tested here")
struct PostgresHereTests {
    /// Whether to skip: only where nobody relies on all tests.
    private static var mayBeAbsent: Bool { ProcessInfo.processInfo.environment["CI"] != "true" }

    @Test(
        "PostgreSQL is installed: without it the contract is not held against it",
        .enabled(if: Backend.available.contains(.postgres) || !mayBeAbsent))
    func isHere() throws { _ = try PostgresServer.shared.get() }
}

/// A ledger under test: where workers begin, die, and where a test looks behind the contract.
final class Bed {
    /// Where the ledger lies.
    fileprivate enum Place {
        case memory(SQLiteLedger)
        case file(TemporaryDirectory)
        case postgres(String)
    }
    let clock = ManualClock()
    private let place: Place
    private let keeping: SQLiteLedger.Keeping
    private var next: [Int32: Int64] = [:]

    fileprivate init(_ place: Place, _ keeping: SQLiteLedger.Keeping) { (self.place, self.keeping) = (place, keeping) }
    fileprivate convenience init(file keeping: SQLiteLedger.Keeping) throws {
        let folder = try TemporaryDirectory("ledger")
        _ = try SQLiteLedger.create(at: folder.file("ledger.db"), keeping: keeping)
        self.init(.file(folder), keeping)
    }
    fileprivate convenience init(postgres server: PostgresServer, _ keeping: SQLiteLedger.Keeping) throws {
        let url = try server.freshURL()
        _ = try PostgresLedger.create(at: url)
        self.init(.postgres(url), keeping)
    }

    var now: Timestamp { clock.now() }
    /// The file, or the URL.
    var path: String {
        switch place {
        case .memory: ":memory:"
        case .file(let folder): folder.file("ledger.db")
        case .postgres(let url): url
        }
    }

    /// Opens the ledger as another process would; in memory there is only the one.
    func open() throws -> any WholeLedger {
        switch place {
        case .memory(let ledger): ledger
        case .file: try SQLiteLedger.open(at: path, keeping: keeping)
        case .postgres(let url):
            try PostgresLedger.open(
                at: url, keeping: .init(retention: keeping.retention, dedupHorizon: keeping.dedupHorizon))
        }
    }

    /// A worker with a session of its own.
    func worker(_ name: String = "worker", lease: Duration = .seconds(30)) throws -> Worker {
        let ledger = try open()
        let session = try ledger.begin(session: name, until: now + lease, now: now)
        return Worker(ledger: ledger, session: session) { [place] in
            switch place {
            case .memory(let ledger): ledger.die(session)
            case .file: break
            case .postgres(let url):
                // The server notices the end of a connection a little later: this waits for the lock it held, and has let
                // it go when the statement ends.
                let connection = try Connection(url)
                try connection.run(
                    """
                    SELECT pg_advisory_xact_lock(current_schema()::regnamespace::oid::int8::int4, $1::int4)
                    """, Parameters(session))
            }
        }
    }

    /// Changes rows behind the contract's back.
    func tamper(_ sql: String) throws {
        if case .postgres(let url) = place {
            try Connection(url).execute(sql)
        } else {
            try Database(path: path, access: .readWrite).execute(sql)
        }
    }

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

/// Runs with a ledger whose next transactions end as a crash in their middle would end them.
func abandoning(_ ledger: any WholeLedger, _ body: () throws -> Void) rethrows {
    (ledger as? SQLiteLedger)?.reach = { _ in false }
    (ledger as? PostgresLedger)?.reach = { _ in false }
    try body()
    (ledger as? SQLiteLedger)?.reach = nil
    (ledger as? PostgresLedger)?.reach = nil
}

/// A worker process, as far as the ledger sees one.
final class Worker {
    let session: SessionID
    private var ledger: (any WholeLedger)?
    private let becomeKnown: () throws -> Void

    /// - Parameter becomeKnown: makes a death known, or waits until it is.
    init(ledger: any WholeLedger, session: SessionID, becomeKnown: @escaping () throws -> Void) {
        (self.ledger, self.session, self.becomeKnown) = (ledger, session, becomeKnown)
    }

    var live: any WholeLedger {
        guard let ledger else { preconditionFailure("the test uses a worker it has killed") }
        return ledger
    }

    /// Dies as a process does: without a word to the ledger.
    ///
    /// What the process held open is closed.
    func die() {
        ledger = nil
        #expect(throws: Never.self) { try becomeKnown() }
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
        parked reasons: [String] = [], gap: Int64 = 0, holes: Int64 = 0,
        now: Timestamp = Timestamp(milliseconds: 1_767_600_000_000)
    ) {
        let read = drafts.count + unmatched + reasons.count
        self.init(
            stream: "s", partition: partition, from: from, next: from + gap + holes + Int64(read), revision: revision,
            bytes: [])
        (self.read, self.gap, self.holes, self.unmatched) = (read, gap, holes, unmatched)
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
        case .duplicate, .suppressed, .grouped: nil
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
