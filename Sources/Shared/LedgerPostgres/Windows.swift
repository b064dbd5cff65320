import CarillonEvents
import CarillonLedger
import CarillonPostgres

// Dedup windows, as in the SQLite ledger, where it is said when one is over. A batch with such rules holds the rows of these
// rules locked, so that of two workers that meet one window one waits for the other; it reads all its windows at once.

/// The dedup windows that one batch meets; lives for one transaction.
struct Windows {
    /// How far append times may be out of order, within a partition and across them.
    static let grace: Int64 = 5 * 60_000

    private struct Window {
        let opened, ends, clock: Int64
        /// The delivery that it stands for.
        let by: Key
    }
    private let horizon: Int64
    private let clock: Int64
    /// The newest append time that met a window, in this partition.
    private var reached: Int64
    /// By key, those that live oldest first.
    private var known: [Key: [Window]] = [:]
    private var opened: [(key: Key, window: Window)] = []

    /// What to ask for, in this order, with the rules' rows locked.
    static func reading(_ batch: Decisions, _ keys: Set<Key>, rules: Set<Int64>, horizon: Int64) -> [Command] {
        var locked = Parameters()
        locked.add(rules.sorted())
        var place = Parameters()
        place.add(batch.stream)
        place.add(Int64(batch.partition))
        place.add(Int64.min / 2)
        var wanted = Parameters()
        wanted.add(keys.map(\.halves))
        wanted.add(grace)
        wanted.add(horizon)
        return [
            Command("SELECT id FROM rule WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", locked),
            Command(
                """
                INSERT INTO dedup_clock (stream, partition, reached) VALUES ($1, $2, $3)
                ON CONFLICT (stream, partition) DO UPDATE SET reached = dedup_clock.reached RETURNING id, reached
                """, place),
            Command(
                """
                SELECT d.key, d.opened, d.ends, d.clock, d.earlier
                FROM unnest($1::uuid[]) AS k(key) JOIN dedup d ON d.key = k.key JOIN dedup_clock c ON c.id = d.clock
                WHERE d.ends > greatest(c.reached - $2, $3) ORDER BY d.key, d.opened
                """, wanted),
        ]
    }

    /// Takes the answers to the last two of them.
    init(clock row: Rows, living: Rows, horizon: Int64) {
        self.horizon = horizon
        (clock, reached) = (row.int(0, 0), row.int(0, 1))
        for row in living.indices {
            known[Key(living.halves(row, 0)), default: []].append(
                Window(
                    opened: living.int(row, 1), ends: living.int(row, 2), clock: living.int(row, 3),
                    by: Key(living.halves(row, 4))))
        }
    }

    /// Lets an event into a window: `nil` when it opens one, else the delivery that opened it.
    mutating func enter(_ window: Decisions.Window, appended: Timestamp, opening delivery: Key) -> Key? {
        let at = appended.milliseconds
        let end = at + max(window.length.milliseconds, 1)
        reached = max(reached, at)
        let over = max(reached - Self.grace, horizon)
        var windows = known.removeValue(forKey: window.key) ?? []
        defer { known[window.key] = windows }
        // The last that begins before this one would end: if it ends behind `at` the two overlap, and else none does.
        let before = windows.lastIndex { $0.opened < end && ($0.clock != clock || $0.ends > over) }
        if let before, windows[before].ends > at { return windows[before].by }
        let made = Window(opened: at, ends: end, clock: clock, by: delivery)
        windows.insert(made, at: before.map { $0 + 1 } ?? 0)
        opened.append((window.key, made))
        return nil
    }

    /// Writes down what was opened and how far the partition is.
    var writing: [Command] {
        var commands = [Command("UPDATE dedup_clock SET reached = $2 WHERE id = $1", Parameters(clock, reached))]
        guard !opened.isEmpty else { return commands }
        // A window that is over and not yet removed may begin at the same moment.
        var last: [Key: [Int64: Window]] = [:]
        for (key, window) in opened { last[key, default: [:]][window.opened] = window }
        let rows = last.flatMap { key, windows in windows.values.map { (key: key, window: $0) } }
            .sorted { ($0.key.high, $0.key.low, $0.window.opened) < ($1.key.high, $1.key.low, $1.window.opened) }
        var values = Parameters()
        values.add(rows.map(\.key.halves))
        values.add(rows.map(\.window.opened))
        values.add(rows.map(\.window.ends))
        values.add(rows.map(\.window.by.halves))
        values.add(clock)
        commands.append(
            Command(
                """
                INSERT INTO dedup (key, opened, ends, earlier, clock)
                SELECT w.*, $5 FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::uuid[]) AS w
                ON CONFLICT (key, opened) DO UPDATE
                SET ends = excluded.ends, clock = excluded.clock, earlier = excluded.earlier
                """, values))
        return commands
    }
}
