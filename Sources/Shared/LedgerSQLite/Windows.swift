import CarillonEvents
import CarillonLedger
import CarillonSQLite

// Dedup windows. `dedup` has a row for each window, `dedup_clock` says how far the append times of each partition that
// meets such rules have come. Living windows of one key never overlap: an event opens one only where its own span meets none.
//
// When is a window over? Not when the wall clock says so: a worker that catches up decides yesterday's events today. It is
// over when the clock of the partition that opened it stands `grace` behind its end, for records of one partition come in
// (nearly) the order of their append times, and those of others (rules over all workspaces) not much later; or, where the
// partition fell silent, a dedup horizon after its end. What is over counts for nothing, whether its row is gone or not, so
// when housekeeping comes by cannot be seen.
//
// Keys are random, and random keys dirty a page each. So a batch reads each of its keys once, keeps what it opens in
// memory, and writes it sorted; and windows that are over go soon, which keeps the tree small. Batches without such rules
// come nowhere near these tables.

/// The dedup windows that one batch meets; lives for one transaction.
struct Windows {
    /// How far append times may be out of order, within a partition and across them.
    static let grace: Int64 = 5 * 60_000

    private struct Window {
        let opened, ends, clock: Int64
        /// The delivery that it stands for.
        let by: Key
    }
    private let database: Database
    private let horizon: Int64
    private let clock: Int64
    /// The newest append time that met a window, in this partition.
    private var reached: Int64
    /// By key, those that live oldest first.
    private var known: [Key: [Window]] = [:]
    private var opened: [(key: Key, window: Window)] = []

    init(_ ledger: SQLiteLedger, _ batch: Decisions, now: Int64) throws(SQLiteFailure) {
        database = ledger.database
        horizon = now - ledger.keeping.dedupHorizon.milliseconds
        let read = try database.fixed(
            """
            INSERT INTO dedup_clock (stream, partition, reached) VALUES (?1, ?2, ?3)
            ON CONFLICT DO UPDATE SET reached = reached RETURNING id, reached
            """)
        read.bind(1, batch.stream)
        read.bind(2, Int64(batch.partition))
        read.bind(3, Int64.min / 2)
        var found: (id: Int64, reached: Int64) = (0, 0)
        while try read.step() { found = (read.int(0), read.int(1)) }
        (clock, reached) = found
    }

    /// Lets an event into a window: `nil` when it opens one, else the delivery that opened it.
    mutating func enter(
        _ window: Decisions.Window, appended: Timestamp, opening delivery: Key
    ) throws(SQLiteFailure) -> Key? {
        let at = appended.milliseconds
        let end = at + max(window.length.milliseconds, 1)
        reached = max(reached, at)
        let over = max(reached - Self.grace, horizon)
        var windows: [Window]
        if let read = known.removeValue(forKey: window.key) { windows = read } else { windows = try living(window.key) }
        defer { known[window.key] = windows }
        // The last that begins before this one would end: if it ends behind `at` the two overlap, and else none does.
        let before = windows.lastIndex { $0.opened < end && ($0.clock != clock || $0.ends > over) }
        if let before, windows[before].ends > at { return windows[before].by }
        let made = Window(opened: at, ends: end, clock: clock, by: delivery)
        windows.insert(made, at: before.map { $0 + 1 } ?? 0)
        opened.append((window.key, made))
        return nil
    }

    private func living(_ key: Key) throws(SQLiteFailure) -> [Window] {
        let find = try database.fixed(
            """
            SELECT opened, ends, clock, earlier FROM dedup JOIN dedup_clock ON id = clock
            WHERE key = ?1 AND ends > max(reached - ?2, ?3) ORDER BY opened
            """)
        find.bind(1, high: key.high, low: key.low)
        find.bind(2, Self.grace)
        find.bind(3, horizon)
        var windows: [Window] = []
        while try find.step() {
            let by = find.halves(3)
            windows.append(
                Window(
                    opened: find.int(0), ends: find.int(1), clock: find.int(2), by: Key(high: by.high, low: by.low)))
        }
        return windows
    }

    /// Writes down what was opened and how far the partition is.
    func close() throws(SQLiteFailure) {
        let advance = try database.fixed("UPDATE dedup_clock SET reached = ?2 WHERE id = ?1")
        advance.bind(1, clock)
        advance.bind(2, reached)
        try advance.run()
        let insert = try database.fixed("INSERT OR REPLACE INTO dedup VALUES (?, ?, ?, ?, ?)")
        for (key, window) in opened.sorted(by: { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }) {
            insert.bind(1, high: key.high, low: key.low)
            insert.bind(2, window.opened)
            insert.bind(3, window.ends)
            insert.bind(4, clock)
            insert.bind(5, high: window.by.high, low: window.by.low)
            try insert.run()
        }
    }
}

extension SQLiteLedger {
    /// Which windows are over, each clock's own found by its index; `at` is the moment a dedup horizon ago.
    private static func areOver(_ at: Int64) -> String {
        """
        FROM dedup_clock CROSS JOIN dedup INDEXED BY dedup_over
        ON clock = id AND ends <= max(reached - \(Windows.grace), \(at))
        """
    }

    /// Whether there are windows that are over.
    ///
    /// As an expression of SQL.
    static func hasWindowsOver(_ at: Int64) -> String { "EXISTS (SELECT 1 \(areOver(at)))" }

    /// Removes a bounded number of windows that are over.
    func retireWindows(_ at: Int64, atMost limit: Int64) throws(SQLiteFailure) -> Int {
        try database.execute(
            "DELETE FROM dedup WHERE (key, opened) IN (SELECT key, opened \(Self.areOver(at)) LIMIT \(limit))")
        return Int(database.changes)
    }
}
