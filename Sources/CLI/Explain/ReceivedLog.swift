import CarillonEvents
import CarillonLedger
import CarillonSQLite
import CarillonWorker

/// What a receiver says it got: JSON lines as `carillon sink` writes them, each with the `id` of a delivery.
///
/// A line with a `status` other than 2xx was refused and does not count. However long the log is, it takes some 64 MiB of
/// memory: the rest stands in a temporary file that goes with this value.
final class ReceivedLog: ReceivedKeys {
    private static let piece = 1 << 16
    private let database: Database
    private var pending: [Key: Int] = [:]
    private var round: Int64 = 0

    /// Reads files; lines that are none are reported, and make it fail.
    init(_ files: [String]) throws {
        database = try Database(path: ":memory:", access: .create)
        // A database without a name is a file of this connection alone, written only when the cache is full.
        try database.execute(
            """
            PRAGMA temp_store=FILE; ATTACH '' AS log; PRAGMA log.journal_mode=OFF; PRAGMA log.cache_size=-65536;
            CREATE TABLE log.received (key BLOB PRIMARY KEY, n INTEGER NOT NULL, taken INTEGER NOT NULL) WITHOUT ROWID;
            """)
        var lines = EventLines()
        for file in files {
            try lines.read(file, longest: 1 << 20) { (text, _) throws(ReceivedLineError) in
                guard let key = try Self.key(text) else { return }
                pending[key, default: 0] += 1
                do throws(SQLiteFailure) { if pending.count >= Self.piece { try keep() } } catch {
                    throw ReceivedLineError("\(error)")
                }
            }
        }
        try keep()
        if lines.bad > 0 { throw Failure("\(lines.bad) lines of the receiver's log are none; nothing was compared") }
    }

    /// Writes a piece, in the order of its keys.
    private func keep() throws(SQLiteFailure) {
        let insert = try database.statement(
            "INSERT INTO log.received VALUES (?1, ?2, 0) ON CONFLICT (key) DO UPDATE SET n = n + excluded.n")
        try database.execute("BEGIN")
        for (key, count) in pending.sorted(by: { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }) {
            insert.bind(1, high: key.high, low: key.low)
            insert.bind(2, Int64(count))
            try insert.run()
        }
        try database.execute("COMMIT")
        pending.removeAll(keepingCapacity: true)
    }

    private static func key(_ text: Span<UInt8>) throws(ReceivedLineError) -> Key? {
        do throws(JSONError) { try JSON.check(text) } catch { throw ReceivedLineError("\(error)") }
        guard let root = JSON.value(in: text, at: 0),
            let id = JSON.member("id", of: root, in: text).flatMap({ JSON.string($0, in: text) })
        else { throw ReceivedLineError("it has no \"id\"") }
        if let status = JSON.member("status", of: root, in: text) {
            guard status.count == 3, text[status.start] == UInt8(ascii: "2") else { return nil }
        }
        guard let key = Key(id) else { return nil }
        return key
    }

    private func attempting<Result>(_ body: () throws(SQLiteFailure) -> Result) throws(LedgerError) -> Result {
        do throws(SQLiteFailure) { return try body() } catch {
            throw LedgerError(.other, doing: "look into the receiver's log", cause: "\(error)")
        }
    }

    func count(of key: Key) throws(LedgerError) -> Int {
        try attempting { () throws(SQLiteFailure) in
            let query = try database.statement("SELECT n FROM log.received WHERE key = ?")
            query.bind(1, high: key.high, low: key.low)
            defer { query.reset() }
            return try query.step() ? Int(query.int(0)) : 0
        }
    }

    func begin() { round += 1 }

    func take(_ key: Key) throws(LedgerError) -> Int {
        let count = try count(of: key)
        guard count > 0 else { return 0 }
        try attempting { () throws(SQLiteFailure) in
            let note = try database.statement("UPDATE log.received SET taken = ?2 WHERE key = ?1")
            note.bind(1, high: key.high, low: key.low)
            note.bind(2, round)
            try note.run()
        }
        return count
    }

    func left(after key: Key?, limit: Int) throws(LedgerError) -> [(key: Key, count: Int)] {
        try attempting { () throws(SQLiteFailure) in
            let query = try database.statement(
                "SELECT key, n FROM log.received WHERE key > ?1 AND taken < ?2 ORDER BY key LIMIT ?3")
            if let key { query.bind(1, high: key.high, low: key.low) } else { query.bind(1, blob: [UInt8]().span) }
            query.bind(2, round)
            query.bind(3, Int64(limit))
            defer { query.reset() }
            var left: [(key: Key, count: Int)] = []
            while try query.step() {
                let halves = query.halves(0)
                left.append((Key(high: halves.high, low: halves.low), Int(query.int(1))))
            }
            return left
        }
    }
}

private struct ReceivedLineError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
