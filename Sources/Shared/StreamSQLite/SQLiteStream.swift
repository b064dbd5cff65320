public import CarillonEvents
public import CarillonPlatform
public import CarillonStream
import CarillonSQLite

// The embedded stream: one SQLite file, a table for each partition, several processes on one machine.
//
// A table per partition keeps every append at the right end of a B-tree and lets retention cut the left end. An offset is
// the table's rowid, handed out from `partition.next`, so it is never used twice, also when a partition was emptied.
// Beside the file: `-lock` (writers), `-bell` (rung after each append), `-readers/GROUP/` (who reads which partition).

/// An embedded stream in one SQLite file.
public struct SQLiteStream: Sendable {
    static let schema = Schema(
        application: 0x4361_7253,  // "CarS"
        steps: [
            """
            CREATE TABLE identity (name TEXT NOT NULL);
            INSERT INTO identity VALUES ('sqlite-' || lower(hex(randomblob(8))));
            CREATE TABLE partition (
                id INTEGER PRIMARY KEY, next INTEGER NOT NULL, appended INTEGER NOT NULL);
            CREATE TABLE reader (
                "group" TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
                PRIMARY KEY ("group", partition)) WITHOUT ROWID;
            """
        ])

    /// The file.
    public let path: String
    /// The name it got when it was made, and the ledger knows it by: another file at the same path is another stream, so
    /// that nothing of it is taken for decided.
    public let name: String
    let clock: any Clock

    /// Makes the stream if it is not there, and opens it.
    ///
    /// - Parameter partitions: how many it gets when it is made; an existing one keeps what it has.
    public static func create(
        at path: String, partitions: Partition, clock: any Clock = SystemClock()
    ) throws(StreamError) -> SQLiteStream {
        precondition(partitions >= 1 && partitions <= 1024, "a stream has 1 to 1,024 partitions")
        let doing = "create \(path)"
        let database = try opening(path, .create, migrate: true, doing)
        try attempting(doing) { () throws(SQLiteFailure) in
            try database.write { () throws(SQLiteFailure) in
                guard try database.int("SELECT count(*) FROM partition") == 0 else { return }
                for id in 0..<partitions { try make(id, in: database) }
            }
        }
        return try SQLiteStream(path: path, in: database, clock: clock)
    }

    /// Opens a stream that is there.
    ///
    /// - Throws: `StreamError.missing` when there is none: only workers and servers make one.
    public static func open(at path: String, clock: any Clock = SystemClock()) throws(StreamError) -> SQLiteStream {
        try SQLiteStream(
            path: path, in: opening(path, .readWrite, migrate: false, "open \(path)"), clock: clock)
    }

    private init(path: String, in database: Database, clock: any Clock) throws(StreamError) {
        (self.path, self.clock) = (path, clock)
        name = try Self.attempting("read the name of \(path)") { () throws(SQLiteFailure) in
            let query = try database.statement("SELECT name FROM identity")
            defer { query.reset() }
            guard try query.step() else { throw SQLiteFailure(.corrupt, doing: "open", cause: "it has no name") }
            return query.text(0)
        }
    }

    /// A door for publishers; threads may share it.
    public func appender() throws(StreamError) -> any StreamAppender { try SQLiteStreamAppender(self) }

    /// A member of a group of readers; one thread uses it.
    public func reader(group: String) throws(StreamError) -> any StreamReader {
        try SQLiteStreamReader(self, group: group)
    }

    /// Reads beside the groups, for questions and replays; one thread uses it.
    public func scanner() throws(StreamError) -> any StreamScanner { try SQLiteStreamScanner(self) }

    /// The earliest kept and the next offset of each partition.
    public func ends() throws(StreamError) -> StreamEnds {
        let database = try connect(.readOnly)
        return try attempting("read the ends of \(path)") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                var ends: [Partition: StreamEnds.Ends] = [:]
                for (id, next) in try Self.tails(database) {
                    let low = try database.int("SELECT min(offset) FROM record_\(id)") ?? next
                    ends[id] = (low, next)
                }
                return StreamEnds(stream: name, partitions: ends)
            }
        }
    }

    /// Removes records older than `before` that every group has read, a bounded number at a time.
    ///
    /// A stream that no group has read yet keeps everything.
    /// - Returns: how many were removed; call again while it is not zero.
    public func retain(before: Timestamp, atMost limit: Int = 10_000) throws(StreamError) -> Int {
        let database = try connect(.readWrite)
        return try attempting("remove old records of \(path)") { () throws(SQLiteFailure) in
            let removed = try database.write(.process) { () throws(SQLiteFailure) in
                var removed = 0
                for (id, _) in try Self.tails(database) {
                    removed += try Self.cut(id, before: before, limit: limit - removed, in: database)
                }
                return removed
            }
            try database.checkpoint(whenBeyond: walLimit)
            return removed
        }
    }

    private static func cut(
        _ id: Partition, before: Timestamp, limit: Int, in database: Database
    ) throws(SQLiteFailure) -> Int {
        let groups = try database.statement("SELECT min(next) FROM reader WHERE partition = ?")
        groups.bind(1, Int64(id))
        defer { groups.reset() }
        guard limit > 0, try groups.step(), let read = groups.optionalInt(0) else { return 0 }
        let cut = try database.statement(
            """
            DELETE FROM record_\(id) WHERE offset IN (
                SELECT offset FROM record_\(id) WHERE offset < ?1 AND appended < ?2 ORDER BY offset LIMIT ?3)
            """)
        cut.bind(1, read)
        cut.bind(2, before.milliseconds)
        cut.bind(3, Int64(limit))
        try cut.run()
        return Int(database.changes)
    }

    func connect(_ access: Database.Access) throws(StreamError) -> Database {
        try Self.attempting("open \(path)") { () throws(SQLiteFailure) in try Database(path: path, access: access) }
    }

    static func tails(_ database: Database) throws(SQLiteFailure) -> [(Partition, Offset)] {
        let query = try database.fixed("SELECT id, next FROM partition ORDER BY id")
        var tails: [(Partition, Offset)] = []
        while try query.step() { tails.append((Partition(query.int(0)), query.int(1))) }
        return tails
    }

    private static func make(_ id: Partition, in database: Database) throws(SQLiteFailure) {
        try database.execute(
            """
            CREATE TABLE record_\(id) (
                offset INTEGER PRIMARY KEY, appended INTEGER NOT NULL, workspace TEXT NOT NULL, type TEXT NOT NULL,
                event BLOB NOT NULL);
            INSERT INTO partition (id, next, appended) VALUES (\(id), 0, 0);
            """)
    }

    private static func opening(
        _ path: String, _ access: Database.Access, migrate: Bool, _ doing: String
    ) throws(StreamError) -> Database {
        let database = try attempting(doing) { () throws(SQLiteFailure) in try Database(path: path, access: access) }
        do { try schema.prepare(database, migrate: migrate) } catch {
            switch error {
            case .foreign(let words): throw StreamError(.corrupt, doing: doing, cause: words)
            case .newer(let found, let known), .older(let found, let known):
                throw StreamError(.schema(found: found, known: known), doing: doing)
            case .sqlite(let failure): throw StreamError(failure, doing: doing)
            }
        }
        return database
    }

    static func attempting<Result>(
        _ doing: @autoclosure () -> String, _ body: () throws(SQLiteFailure) -> Result
    ) throws(StreamError) -> Result {
        do { return try body() } catch { throw StreamError(error, doing: doing()) }
    }

    func attempting<Result>(
        _ doing: @autoclosure () -> String, _ body: () throws(SQLiteFailure) -> Result
    ) throws(StreamError) -> Result {
        try Self.attempting(doing(), body)
    }
}

/// How far a WAL may grow before whoever writes moves it into the database.
let walLimit: Int64 = 16 << 20

extension StreamError {
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
}
