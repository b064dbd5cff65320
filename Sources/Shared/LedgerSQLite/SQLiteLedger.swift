import CarillonEvents
public import CarillonLedger
import CarillonPlatform
import CarillonSQLite

/// The ledger in one SQLite file, for one machine.
///
/// One thread uses one value; processes and threads open their own.
public final class SQLiteLedger {
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

    let database: Database
    let keeping: Keeping
    let liveness: any Liveness
    var names: NameBook
    let seen: SeenKeys
    /// The newest event when housekeeping last looked.
    var newestTended: Int64 = 0
    /// The lanes that the next claims are served from, and the one that was served last.
    var round = LaneRound()
    var lastServed: Int64?

    /// Makes the ledger if it is not there, brings it to the newest schema, and opens it.
    public static func create(at path: String, keeping: Keeping = Keeping()) throws(LedgerError) -> SQLiteLedger {
        try SQLiteLedger(path, .create, keeping, SessionLocks(folder: path + "-sessions"))
    }

    /// Opens a ledger that is there.
    ///
    /// - Throws: `LedgerError.missing` when there is none; `.schema` when it needs a newer Carillon, or a worker of this
    ///   one to bring it up to date.
    public static func open(at path: String, keeping: Keeping = Keeping()) throws(LedgerError) -> SQLiteLedger {
        try SQLiteLedger(path, .readWrite, keeping, SessionLocks(folder: path + "-sessions"))
    }

    /// A ledger in memory, for tests and simulations: a session lives until `end` or until `die(_:)` says it died.
    public static func inMemory(keeping: Keeping = Keeping()) throws(LedgerError) -> SQLiteLedger {
        try SQLiteLedger(":memory:", .create, keeping, SessionList())
    }

    /// Says that the worker of a session in memory has died, as the operating system says it of a process.
    public func die(_ session: SessionID) { liveness.forget(session) }

    private init(
        _ path: String, _ access: Database.Access, _ keeping: Keeping, _ liveness: any Liveness
    ) throws(LedgerError) {
        let doing = "open \(path)"
        (self.keeping, self.liveness) = (keeping, liveness)
        do { database = try Database(path: path, access: access, isPrivate: true) } catch {
            throw LedgerError(error, doing: doing)
        }
        do { try LedgerSchema.schema.prepare(database, migrate: access == .create) } catch {
            throw LedgerError(error, doing: doing)
        }
        names = NameBook()
        seen = SeenKeys(database)
    }

    /// Runs reads and writes of SQLite and says in the caller's words what failed.
    func attempting<Result>(
        _ doing: @autoclosure () -> String, _ body: () throws(SQLiteFailure) -> Result
    ) throws(LedgerError) -> Result {
        do { return try body() } catch { throw LedgerError(error, doing: doing()) }
    }

    /// One write transaction; what was learned in memory during one that failed is forgotten.
    func transaction<Result>(
        _ reach: Database.Durability, _ doing: @autoclosure () -> String, _ body: () throws(SQLiteFailure) -> Result
    ) throws(LedgerError) -> Result {
        do { return try database.write(reach, body) } catch {
            names.forget()
            seen.forget()
            throw LedgerError(error, doing: doing())
        }
    }

    /// Ends the transaction as a crash would, when a test asks for it.
    func pass(_ step: LedgerStep) throws(SQLiteFailure) {
        if let reach, !reach(step) { throw SQLiteFailure(.other, doing: "go on", cause: "abandoned at \(step)") }
    }

    /// Adds to a running count.
    func tally(_ name: String, _ change: Int) throws(SQLiteFailure) {
        guard change != 0 else { return }
        let add = try database.fixed(
            "INSERT INTO tally VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET n = n + ?2")
        add.bind(1, name)
        add.bind(2, Int64(change))
        try add.run()
    }
}

extension LedgerError {
    init(_ failure: SQLiteFailure, doing: String) {
        let kind: Kind =
            switch failure.kind {
            case .missing: .missing
            case .busy: .busy
            case .full: .full
            case .corrupt: .corrupt
            case .constraint, .other: .other
            }
        self.init(kind, doing: doing, cause: failure.cause)
    }

    init(_ trouble: Schema.Trouble, doing: String) {
        switch trouble {
        case .foreign(let words): self.init(.corrupt, doing: doing, cause: words)
        case .newer(let found, let known), .older(let found, let known):
            self.init(.schema(found: found, known: known), doing: doing)
        case .sqlite(let failure): self.init(failure, doing: doing)
        }
    }
}
