import CarillonLedger
import CarillonSQLite

// What makes an event unique is a random 16-byte key, and a B-tree of random keys dirties a page for each. So new keys are
// only appended, to the table `fresh`, and looked up in an exact set in memory, which every transaction first brings up to
// date with what other processes appended: the transaction is exclusive, so the set is as good as an index. A full table
// is copied, in order, into a segment that never changes; a Bloom filter in memory, built a piece at a time, answers for
// it, and until it is built the segment's index does: slower, never wrong. A segment is dropped whole when its newest key
// is older than the dedup horizon, so a key may be known somewhat longer than the horizon, never shorter.

/// The keys of decided events.
final class SeenKeys {
    /// Fresh keys that make a segment.
    static let capacity = 1 << 17

    private struct Sealed {
        let id: Int64
        let find: Statement
        var filter: BloomFilter
        /// The last key the filter has taken; `nil` when it has all.
        var built: (high: UInt64, low: UInt64)?
        var isBuilt = false
    }

    private let database: Database
    private var fresh = KeySet()
    /// The row of the last key in `fresh`, and the segments there were when it was read.
    private var last: (row: Int64, segment: Int64) = (0, -1)
    private var sealed: [Sealed] = []

    init(_ database: Database) { self.database = database }

    /// Forgets what is in memory, after a transaction that did not come to its end; the next `open` reads it anew.
    func forget() { last = (0, -1) }

    /// Starts a transaction: learns what others have added and sealed.
    func open() throws(SQLiteFailure) {
        let newest = try database.int(fixed: "SELECT value FROM meta WHERE name = 'segments'") ?? 0
        if newest != last.segment {
            try learnSegments()
            fresh = KeySet()
            last = (0, newest)
        }
        let query = try database.fixed("SELECT n, key FROM fresh WHERE n > ? ORDER BY n")
        query.bind(1, last.row)
        defer { query.reset() }
        while try query.step() {
            let key = query.halves(1)
            _ = fresh.insert(Key(high: key.high, low: key.low))
            last.row = query.int(0)
        }
    }

    /// Adds a key; false when it is known.
    ///
    /// After `open`, in the same transaction.
    func insert(_ key: Key) throws(SQLiteFailure) -> Bool {
        for index in sealed.indices where try isKnown(key, in: index) { return false }
        guard fresh.insert(key) else { return false }
        let insert = try database.fixed("INSERT INTO fresh VALUES (?, ?)")
        insert.bind(1, last.row + 1)
        insert.bind(2, high: key.high, low: key.low)
        try insert.run()
        last.row += 1
        return true
    }

    /// Whether there are enough fresh keys for a segment.
    var isFull: Bool { fresh.count >= Self.capacity }

    /// Makes the fresh keys a segment.
    ///
    /// Inside a write transaction. Sorting them takes about a microsecond a key.
    func seal(now: Int64) throws(SQLiteFailure) {
        try open()
        guard isFull else { return }
        let id = last.segment + 1
        try database.execute(
            """
            CREATE TABLE seen_\(id) (key BLOB PRIMARY KEY) WITHOUT ROWID;
            INSERT INTO seen_\(id) SELECT key FROM fresh ORDER BY key;
            INSERT INTO segment VALUES (\(id), \(fresh.count), \(now));
            UPDATE meta SET value = \(id) WHERE name = 'segments';
            DELETE FROM fresh;
            """)
        try open()
    }

    /// Builds a piece of a filter; false when all are built.
    func buildSome(_ pieces: Int = 8_192) throws(SQLiteFailure) -> Bool {
        guard let index = sealed.firstIndex(where: { !$0.isBuilt }) else { return false }
        guard try database.int("SELECT 1 FROM segment WHERE id = \(sealed[index].id)") != nil else {
            sealed.remove(at: index)  // another process dropped it with the horizon
            return true
        }
        let query = try database.prepare(
            "SELECT key FROM seen_\(sealed[index].id) WHERE key > ? ORDER BY key LIMIT \(pieces)")
        if let from = sealed[index].built {
            query.bind(1, high: from.high, low: from.low)
        } else {
            query.bind(1, blob: [UInt8]().span)
        }
        var count = 0
        while try query.step() {
            let key = query.halves(0)
            sealed[index].filter.insert(key.high, key.low)
            sealed[index].built = key
            count += 1
        }
        sealed[index].isBuilt = count < pieces
        return true
    }

    /// Drops segments whose newest key is older than the horizon.
    ///
    /// Inside a write transaction.
    func drop(before horizon: Int64) throws(SQLiteFailure) {
        let old = try database.prepare("SELECT id FROM segment WHERE newest < ?1 ORDER BY id LIMIT 1")
        old.bind(1, horizon)
        guard try old.step() else { return }
        let id = old.int(0)
        old.reset()
        sealed.removeAll { $0.id == id }
        try database.execute("DROP TABLE seen_\(id); DELETE FROM segment WHERE id = \(id)")
    }

    /// The next segment behind one, 0 for the fresh keys, with the number of keys it says it holds and that it holds.
    func counts(after id: Int64) throws(SQLiteFailure) -> (id: Int64, said: Int64, held: Int64)? {
        guard id >= 0 else {
            return (
                0, try database.int("SELECT max(n) FROM fresh") ?? 0,
                try database.int("SELECT count(*) FROM fresh") ?? 0
            )
        }
        let query = try database.prepare("SELECT id, keys FROM segment WHERE id > ? ORDER BY id LIMIT 1")
        query.bind(1, id)
        guard try query.step() else { return nil }
        let next = query.int(0)
        return (next, query.int(1), try database.int("SELECT count(*) FROM seen_\(next)") ?? 0)
    }

    private func learnSegments() throws(SQLiteFailure) {
        let query = try database.statement("SELECT id, keys FROM segment ORDER BY id")
        defer { query.reset() }
        var known = Dictionary(uniqueKeysWithValues: sealed.map { ($0.id, $0) })
        sealed = []
        while try query.step() {
            let (id, keys) = (query.int(0), Int(query.int(1)))
            if let same = known.removeValue(forKey: id) {
                sealed.append(same)
            } else {
                let find = try database.prepare("SELECT 1 FROM seen_\(id) WHERE key = ?")
                sealed.append(Sealed(id: id, find: find, filter: BloomFilter(keys: keys * 5 / 4)))
            }
        }
    }

    private func isKnown(_ key: Key, in index: Int) throws(SQLiteFailure) -> Bool {
        if sealed[index].isBuilt, !sealed[index].filter.mayContain(key.high, key.low) { return false }
        let find = sealed[index].find
        find.bind(1, high: key.high, low: key.low)
        defer { find.reset() }
        do { return try find.step() } catch {
            // Another process dropped it with the horizon: what it held is forgotten on purpose.
            if error.cause.contains("no such table") { return false }
            throw error
        }
    }
}
