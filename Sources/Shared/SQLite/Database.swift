import CarillonPlatform
import CSQLite
import Glibc

// The one place that owns sqlite3 handles.
//
// Every database is in WAL mode. SQLite before 3.51.3 can corrupt a WAL when one connection writes while another
// checkpoints, so writers and checkpoints of all processes take one lock file per database; readers take none. Automatic
// checkpoints are off, on commit and on close: `checkpoint` is called by whoever writes, under the same lock.

/// A connection to one database file.
///
/// Belongs to one thread at a time.
@safe public final class Database {
    /// How far a commit reaches when it returns.
    public enum Durability: Sendable {
        /// It survives the machine's crash: one fsync.
        case machine
        /// It survives this process's death; a later `machine` commit, or a checkpoint, makes it durable.
        case process
    }
    /// What a caller may do with it.
    public enum Access: Sendable { case create, readWrite, readOnly }

    /// The file; `:memory:` for none.
    public let path: String
    private let raw: OpaquePointer
    private let writers: FileLock?
    private var statements: [String: Statement] = [:]
    private var literals: [UInt: Statement] = [:]
    private var durability: Durability = .machine
    /// Pages in the WAL after the last commit here; what other connections added since is told by the next one.
    private let walPages = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    private var begin: Statement?, snapshot: Statement?, commit: Statement?

    /// Opens a database.
    ///
    /// - Parameter isPrivate: makes and keeps the file readable by its owner alone; what SQLite puts beside it follows.
    /// - Throws: `SQLiteFailure`; `.missing` when there is no file and `access` does not make one.
    public init(path: String, access: Access, isPrivate: Bool = false) throws(SQLiteFailure) {
        if isPrivate, access == .create, path != ":memory:" {
            do { try Folder.makePrivateFile(path) } catch {
                throw SQLiteFailure(.missing, doing: error.doing, cause: error.cause)
            }
        }
        let flags =
            switch access {
            case .create: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .readWrite: SQLITE_OPEN_READWRITE
            case .readOnly: SQLITE_OPEN_READONLY
            }
        var opened: OpaquePointer?
        let code = unsafe sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let opened = unsafe opened else {
            unsafe sqlite3_close_v2(opened)
            throw unsafe SQLiteFailure(
                code: code, message: String(cString: sqlite3_errstr(code)), doing: "open \(path)")
        }
        self.path = path
        unsafe raw = opened
        unsafe walPages.initialize(to: 0)
        do {
            writers = path == ":memory:" || access == .readOnly ? nil : try FileLock(path: path + "-lock")
        } catch {
            unsafe sqlite3_close_v2(opened)
            throw SQLiteFailure(.missing, doing: error.doing, cause: error.cause)
        }
        try configure(access)
    }

    private func configure(_ access: Access) throws(SQLiteFailure) {
        unsafe sqlite3_extended_result_codes(raw, 1)
        unsafe sqlite3_busy_timeout(raw, 10_000)
        unsafe _ = carillon_no_checkpoint_on_close(raw)
        if access == .create, path != ":memory:" {
            try locked { () throws(SQLiteFailure) in
                try self.execute("PRAGMA journal_mode=WAL")
            }
        }
        try execute("PRAGMA wal_autocheckpoint=0")
        // Until the first commit tells, the file says how many there are at most.
        unsafe walPages.pointee = Int32(clamping: (fileSize(path + "-wal") ?? 0) / 4096)
        unsafe _ = sqlite3_wal_hook(
            raw,
            { place, _, _, pages in
                unsafe place?.assumingMemoryBound(to: Int32.self).pointee = pages
                return SQLITE_OK
            }, walPages)
        try execute("PRAGMA synchronous=FULL")
        try execute("PRAGMA cache_size=-8192")
        try execute("PRAGMA temp_store=MEMORY")
        try execute("PRAGMA secure_delete=OFF")
    }

    deinit {
        statements.removeAll()
        literals.removeAll()
        begin = nil
        snapshot = nil
        commit = nil
        unsafe _ = sqlite3_close_v2(raw)
        unsafe walPages.deallocate()
    }

    /// Runs statements without parameters.
    public func execute(_ sql: String) throws(SQLiteFailure) {
        let code = unsafe sqlite3_exec(raw, sql, nil, nil, nil)
        guard code == SQLITE_OK else {
            throw unsafe SQLiteFailure(
                code: sqlite3_extended_errcode(raw), message: String(cString: sqlite3_errmsg(raw)), doing: "run \(sql)")
        }
    }

    /// The prepared form of a statement, made once.
    public func statement(_ sql: String) throws(SQLiteFailure) -> Statement {
        if let known = statements[sql] { return known }
        let made = unsafe try Statement(sql, in: raw)
        statements[sql] = made
        return made
    }

    /// The prepared form of a literal, found by the literal's address: for the hot path, where hashing its text would show.
    public func fixed(_ sql: StaticString) throws(SQLiteFailure) -> Statement {
        let address = unsafe UInt(bitPattern: sql.utf8Start)
        if let known = literals[address] { return known }
        let made = unsafe try Statement(sql.description, in: raw)
        literals[address] = made
        return made
    }

    /// A statement of one's own, for the hot path and for nested iterations.
    public func prepare(_ sql: String) throws(SQLiteFailure) -> Statement { unsafe try Statement(sql, in: raw) }

    /// Rows changed by the last statement.
    public var changes: Int64 { unsafe sqlite3_changes64(raw) }
    /// The rowid of the last insert.
    public var lastInserted: Int64 { unsafe sqlite3_last_insert_rowid(raw) }

    /// The first column of the first row as a number.
    public func int(_ sql: String) throws(SQLiteFailure) -> Int64? {
        let query = try statement(sql)
        defer { query.reset() }
        return try query.step() ? query.optionalInt(0) : nil
    }

    /// The same of a literal.
    public func int(fixed sql: StaticString) throws(SQLiteFailure) -> Int64? {
        let query = try fixed(sql)
        defer { query.reset() }
        return try query.step() ? query.optionalInt(0) : nil
    }

    /// Runs `body` in one write transaction: all of it, or nothing when it throws or the process dies.
    public func write<Result>(
        _ reach: Durability = .machine, _ body: () throws(SQLiteFailure) -> Result
    ) throws(SQLiteFailure) -> Result {
        try locked { () throws(SQLiteFailure) -> Result in
            try self.set(reach)
            try self.prepared(&self.begin, "BEGIN IMMEDIATE").run()
            do throws(SQLiteFailure) {
                let result = try body()
                try self.prepared(&self.commit, "COMMIT").run()
                // A commit that reaches the disk is waited for; what others need of it is undone when nobody waits.
                if reach == .process { try? self.set(.machine) }
                return result
            } catch {
                if unsafe sqlite3_get_autocommit(raw) == 0 { try? self.execute("ROLLBACK") }
                throw error
            }
        }
    }

    /// Runs `body` on one snapshot.
    public func read<Result>(_ body: () throws(SQLiteFailure) -> Result) throws(SQLiteFailure) -> Result {
        try prepared(&snapshot, "BEGIN").run()
        defer { try? prepared(&commit, "COMMIT").run() }
        return try body()
    }

    /// Moves the WAL's pages into the database when the WAL has grown beyond `bytes`; whoever writes calls it now and then.
    ///
    /// The file keeps its size and is written again from its start, which costs the file system less than a new one.
    /// A reader's snapshot may keep part of it for the next time, so the WAL stays bounded as long as snapshots are short.
    public func checkpoint(whenBeyond bytes: Int64) throws(SQLiteFailure) {
        guard unsafe Int64(walPages.pointee) * 4096 > bytes else { return }
        try checkpoint(SQLITE_CHECKPOINT_RESTART)
    }

    /// Moves the WAL's pages into the database and begins it anew, when more than `bytes` of it are in use.
    ///
    /// For idle time: who opens the database first, after all had left it, reads the WAL up to its last commit. The file
    /// keeps its size, as a commit that need not make it longer is on the disk a fifth sooner.
    public func restartWAL(whenBeyond bytes: Int64) throws(SQLiteFailure) {
        guard unsafe Int64(walPages.pointee) * 4096 > bytes, try checkpoint(SQLITE_CHECKPOINT_RESTART) else { return }
        // Only a write begins it anew, so a page is written as it is.
        let version = try int("PRAGMA user_version") ?? 0
        try write(.process) { () throws(SQLiteFailure) in try self.execute("PRAGMA user_version=\(version)") }
    }

    /// Whether all pages were moved, and no reader looks at the WAL any more.
    @discardableResult
    private func checkpoint(_ mode: Int32) throws(SQLiteFailure) -> Bool {
        try locked { () throws(SQLiteFailure) in
            // It waits for readers no longer than the busy timeout, so it is asked for without one.
            unsafe sqlite3_busy_timeout(self.raw, 0)
            defer { unsafe _ = sqlite3_busy_timeout(self.raw, 10_000) }
            var (pages, moved): (Int32, Int32) = (0, 0)
            let code = unsafe sqlite3_wal_checkpoint_v2(self.raw, nil, mode, &pages, &moved)
            guard code == SQLITE_OK || code == SQLITE_BUSY else {
                throw unsafe SQLiteFailure(
                    code: code, message: String(cString: sqlite3_errmsg(raw)), doing: "checkpoint \(path)")
            }
            unsafe walPages.pointee = code == SQLITE_OK ? 0 : pages - moved
            return code == SQLITE_OK
        }
    }

    private func set(_ reach: Durability) throws(SQLiteFailure) {
        guard reach != durability else { return }
        try execute(reach == .machine ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL")
        durability = reach
    }

    private func prepared(_ place: inout Statement?, _ sql: String) throws(SQLiteFailure) -> Statement {
        if let known = place { return known }
        let made = unsafe try Statement(sql, in: raw)
        place = made
        return made
    }

    private func locked<Result>(_ body: () throws(SQLiteFailure) -> Result) throws(SQLiteFailure) -> Result {
        do { try writers?.lock() } catch { throw SQLiteFailure(.busy, doing: error.doing, cause: error.cause) }
        defer { writers?.unlock() }
        return try body()
    }
}
