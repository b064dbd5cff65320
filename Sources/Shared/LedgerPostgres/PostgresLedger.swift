import CarillonEvents
public import CarillonLedger
import CarillonPostgres

/// The ledger in a PostgreSQL database, shared by workers on many hosts.
///
/// One thread uses one value, and each has a connection of its own. A connection that broke is made anew by the next call;
/// the one that met it throws `unreachable`, and whoever called goes on from what the ledger says.
public final class PostgresLedger {
    /// How long things are kept; the defaults are those of the configuration.
    public struct Keeping: Sendable {
        /// How long a settled delivery is kept.
        public var retention: Duration
        /// How long an event is known as already decided.
        public var dedupHorizon: Duration
        /// Makes one.
        public init(retention: Duration = .seconds(30 * 86_400), dedupHorizon: Duration = .seconds(7 * 86_400)) {
            (self.retention, self.dedupHorizon) = (retention, dedupHorizon)
        }
    }
    /// Called inside transactions; `false` abandons the transaction as a crash at this place would.
    ///
    /// For tests.
    public var reach: ((LedgerStep) -> Bool)?

    /// How often a transaction is run again when another stood in its way.
    private static let tries = 8

    private let url: String
    let keeping: Keeping
    var names = NameBook()
    /// The lanes that the next claims are served from, and the one that was served last.
    var round = LaneRound()
    var lastServed: Int64?
    /// The lanes that claims passed over because others held them, with how often in a row; see `Purse`.
    var passedOver: [Int64: Int] = [:]
    /// What this value leased out, by session: the newest epoch of each delivery that was not settled since.
    var held: [SessionID: [DeliveryID: Int64]] = [:]
    /// The last moment a caller told.
    var moment: Int64 = 0
    /// The number of the schema our tables stand in: the space of the advisory locks.
    private(set) var space: Int64 = 0
    private var open: Connection?
    /// Whether it was ever reached: then what refuses us now may let us in again.
    private var wasOpen = false

    /// Opens a ledger, making its tables where they are not there, and bringing them up to date.
    public static func create(at url: String, keeping: Keeping = Keeping()) throws(LedgerError) -> PostgresLedger {
        let ledger = PostgresLedger(url, keeping)
        try ledger.attempting("make the tables in \(ledger.place)") { () throws(PostgresFailure) in
            try LedgerSchema.migrate(ledger.connection(), space: ledger.space)
        }
        try ledger.check()
        return ledger
    }

    /// Opens a ledger that is there.
    ///
    /// - Throws: `LedgerError.missing` when there is none; `.schema` when it needs a newer Carillon, or a worker of this
    ///   one to bring it up to date; `.unreachable` when nobody answers.
    public static func open(at url: String, keeping: Keeping = Keeping()) throws(LedgerError) -> PostgresLedger {
        let ledger = PostgresLedger(url, keeping)
        try ledger.check()
        return ledger
    }

    private init(_ url: String, _ keeping: Keeping) { (self.url, self.keeping) = (url, keeping) }

    /// Where it is, as far as may be said aloud.
    var place: String { ConnectionURL.place(of: url) }

    private func check() throws(LedgerError) {
        let doing = "open \(place)"
        let standing = try attempting(doing) { () throws(PostgresFailure) in try LedgerSchema.standing(connection()) }
        guard case .version(let found, let usableFrom) = standing else { throw LedgerError(.missing, doing: doing) }
        guard found >= LedgerSchema.known, usableFrom <= LedgerSchema.known else {
            throw LedgerError(.schema(found: found, known: LedgerSchema.known), doing: doing)
        }
    }

    /// The connection, made anew when it broke.
    func connection() throws(PostgresFailure) -> Connection {
        if let open, open.isWhole { return open }
        open = nil
        let fresh: Connection
        do { fresh = try Connection(url) } catch {
            guard wasOpen, error.kind == .refused else { throw error }
            throw PostgresFailure(.unreachable, state: error.state, cause: error.cause)
        }
        space = try Self.furnish(fresh)
        for session in held.keys.sorted() { try resume(session, on: fresh) }
        (open, wasOpen) = (fresh, true)
        return fresh
    }

    /// What our statements rely on, and the number of our schema.
    private static func furnish(_ connection: Connection) throws(PostgresFailure) -> Int64 {
        try connection.execute(
            """
            SET client_encoding = 'UTF8'; SET client_min_messages = warning; SET jit = off;
            SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s';
            SET default_transaction_isolation = 'read committed'; SET enable_seqscan = off; SET plan_cache_mode = auto;
            SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
            """)
        return try space(of: connection)
    }

    /// The number of the schema that a connection looks into.
    static func space(of connection: Connection) throws(PostgresFailure) -> Int64 {
        let row = try connection.run("SELECT (current_schema()::regnamespace::oid::int8) & 2147483647")
        guard !row.isNull(0, 0) else {
            throw PostgresFailure(.missing, cause: "the search_path names no schema that is there")
        }
        return row.int(0, 0)
    }

    /// Runs reads of PostgreSQL and says in the caller's words what failed.
    func attempting<Result>(
        _ doing: @autoclosure () -> String, _ body: () throws(PostgresFailure) -> Result
    ) throws(LedgerError) -> Result {
        do { return try body() } catch {
            abandon()
            throw LedgerError(error, doing: doing())
        }
    }

    /// One transaction, which the body begins and commits; one that stood in another's way is run again.
    ///
    /// A body that returns without a commit has decided to change nothing.
    func transaction<Result>(
        _ doing: @autoclosure () -> String, _ body: (Connection) throws(PostgresFailure) -> Result
    ) throws(LedgerError) -> Result {
        var tries = 0
        while true {
            do {
                let connection = try connection()
                let result = try body(connection)
                if connection.isInTransaction { try connection.run("ROLLBACK") }
                return result
            } catch {
                abandon()
                tries += 1
                guard error.kind == .conflict, tries < Self.tries else { throw LedgerError(error, doing: doing()) }
            }
        }
    }

    /// Ends what a failure left open; a connection that cannot even do that is given up.
    private func abandon() {
        guard let open, !open.isWhole || open.isInTransaction else { return }
        do { try open.execute("ROLLBACK") } catch { self.open = nil }
        if !open.isWhole { self.open = nil }
    }

    /// Ends the transaction as a crash would, when a test asks for it.
    func pass(_ step: LedgerStep) throws(PostgresFailure) {
        if let reach, !reach(step) { throw PostgresFailure(.other, cause: "abandoned at \(step)") }
    }

    /// Adds to running counts, those of this connection's slot; the last thing a transaction does, as others may wait for it.
    func tallies(_ changes: [String: Int], _ connection: Connection) -> [Command] {
        let changed = changes.filter { $0.value != 0 }.sorted { $0.key < $1.key }
        guard !changed.isEmpty else { return [] }
        var values = Parameters(connection.server & 63)
        values.add(changed.map { $0.key as String? })
        values.add(changed.map { Int64($0.value) })
        return [
            Command(
                """
                INSERT INTO tally SELECT name, $1, n FROM unnest($2::text[], $3::int8[]) AS t(name, n)
                ON CONFLICT (name, slot) DO UPDATE SET n = tally.n + excluded.n
                """, values)
        ]
    }
}

extension LedgerError {
    init(_ failure: PostgresFailure, doing: String) {
        let kind: Kind =
            switch failure.kind {
            case .unreachable: .unreachable
            case .conflict, .busy: .busy
            case .full: .full
            case .corrupt: .corrupt
            case .missing: .missing
            case .refused, .other: .other
            }
        let state = failure.state.isEmpty ? "" : " (\(failure.state))"
        self.init(kind, doing: doing, cause: failure.cause + state)
    }
}

extension Command {
    static let begin = Command("BEGIN")
    static let commit = Command("COMMIT")
    /// For what may be lost with its last moments when the server crashes: what it wrote is then found undone.
    static let lazily = Command("SET LOCAL synchronous_commit = off")
}

extension Key {
    init(_ halves: (high: UInt64, low: UInt64)) { self.init(high: halves.high, low: halves.low) }
    var halves: (high: UInt64, low: UInt64) { (high, low) }
}
