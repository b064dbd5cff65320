import CarillonLedger
import CarillonSQLite

// What makes an event unique is a random 16-byte key, and a B-tree of random keys dirties a page for each. So the keys
// stand in segments: inserts go to a small current one whose pages stay hot; a full one is sealed and never changes, so a
// Bloom filter in memory, built a piece at a time, answers for it. Until a filter is built its segment is asked by its
// index: slower, never wrong. A segment is dropped whole when its newest key is older than the dedup horizon, so a key
// may be known somewhat longer than the horizon, never shorter.

/// The keys of decided events.
final class SeenKeys {
    /// Keys a segment takes before it is sealed.
    static let capacity: Int64 = 1 << 17

    private struct Sealed {
        let id: Int64
        let find: Statement
        var filter: BloomFilter
        /// The last key the filter has taken; `nil` when it has all.
        var built: (high: UInt64, low: UInt64)?
        var isBuilt = false
    }

    private let database: Database
    private var current: (id: Int64, keys: Int64, insert: Statement)?
    private var sealed: [Sealed] = []
    private var added: Int64 = 0

    init(_ database: Database) { self.database = database }

    /// Forgets what is in memory; the next `open` reads it anew.
    func forget() {
        current = nil
        added = 0
    }

    /// Starts a transaction: learns which segment is current, begins a new one when it is full.
    func open() throws(SQLiteFailure) {
        let query = try database.statement("SELECT id, keys FROM segment ORDER BY id DESC LIMIT 1")
        defer { query.reset() }
        let newest: (id: Int64, keys: Int64)? = try query.step() ? (query.int(0), query.int(1)) : nil
        query.reset()
        added = 0
        if let newest, newest.keys < Self.capacity {
            if current?.id != newest.id { try use(newest.id, newest.keys) }
            current?.keys = newest.keys
            return
        }
        let id = (newest?.id ?? 0) + 1
        try database.execute(
            """
            CREATE TABLE seen_\(id) (key BLOB PRIMARY KEY) WITHOUT ROWID;
            INSERT INTO segment VALUES (\(id), 0, 0);
            """)
        try use(id, 0)
    }

    /// Adds a key; false when it is known.
    ///
    /// Between `open` and `close`.
    func insert(_ key: Key) throws(SQLiteFailure) -> Bool {
        for index in sealed.indices where try isKnown(key, in: index) { return false }
        guard let current else { return false }
        current.insert.bind(1, high: key.high, low: key.low)
        try current.insert.run()
        guard database.changes == 1 else { return false }
        added += 1
        return true
    }

    /// Ends a transaction: writes the count down.
    func close(now: Int64) throws(SQLiteFailure) {
        guard added > 0, let current else { return }
        defer { added = 0 }
        let count = try database.statement(
            "UPDATE segment SET keys = keys + ?2, newest = max(newest, ?3) WHERE id = ?1")
        count.bind(1, current.id)
        count.bind(2, added)
        count.bind(3, now)
        try count.run()
    }

    /// Builds a piece of a filter; false when all are built.
    func buildSome(_ pieces: Int = 8_192) throws(SQLiteFailure) -> Bool {
        guard let index = sealed.firstIndex(where: { !$0.isBuilt }) else { return false }
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
        let old = try database.prepare("SELECT id FROM segment WHERE newest < ?1 AND keys >= ?2 ORDER BY id LIMIT 1")
        old.bind(1, horizon)
        old.bind(2, Self.capacity)
        guard try old.step() else { return }
        let id = old.int(0)
        old.reset()
        sealed.removeAll { $0.id == id }
        try database.execute("DROP TABLE seen_\(id); DELETE FROM segment WHERE id = \(id)")
    }

    /// The number of keys the segments say they hold, and that they hold.
    func counts() throws(SQLiteFailure) -> (said: Int64, held: Int64) {
        let query = try database.prepare("SELECT id, keys FROM segment")
        var (said, held) = (Int64(0), Int64(0))
        while try query.step() {
            said += query.int(1)
            held += try database.int("SELECT count(*) FROM seen_\(query.int(0))") ?? 0
        }
        return (said, held)
    }

    private func use(_ id: Int64, _ keys: Int64) throws(SQLiteFailure) {
        current = (id, keys, try database.prepare("INSERT OR IGNORE INTO seen_\(id) VALUES (?)"))
        let query = try database.prepare("SELECT id FROM segment WHERE id < ? ORDER BY id")
        query.bind(1, id)
        var known = Dictionary(uniqueKeysWithValues: sealed.map { ($0.id, $0) })
        sealed = []
        while try query.step() {
            let id = query.int(0)
            if let same = known.removeValue(forKey: id) {
                sealed.append(same)
            } else {
                let find = try database.prepare("SELECT 1 FROM seen_\(id) WHERE key = ?")
                sealed.append(Sealed(id: id, find: find, filter: BloomFilter(keys: Int(Self.capacity) * 5 / 4)))
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
