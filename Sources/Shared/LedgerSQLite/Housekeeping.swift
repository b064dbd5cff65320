public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    /// How far the WAL may grow before it is moved into the database.
    private static let walLimit: Int64 = 32 << 20
    /// How much of it may be in use in idle time.
    private static let idleWALLimit: Int64 = 1 << 20
    private static let step: Int64 = 1_000
    /// The first event that a delivery or a suppression still names.
    private static let firstNamed = """
        min(ifnull((SELECT event FROM delivery ORDER BY id LIMIT 1), 9223372036854775807),
            ifnull((SELECT event FROM member ORDER BY id LIMIT 1), 9223372036854775807),
            ifnull((SELECT event FROM suppressed ORDER BY id LIMIT 1), 9223372036854775807))
        """
    private static let isOrphan = "(SELECT seq FROM event ORDER BY seq LIMIT 1) < \(firstNamed)"

    public func tend(now: Timestamp) throws(LedgerError) -> Bool {
        try attempting("checkpoint") { () throws(SQLiteFailure) in
            try database.checkpoint(whenBeyond: Self.walLimit)
        }
        if seen.isFull {
            try transaction(.process, "seal a segment of keys") { () throws(SQLiteFailure) in
                try seen.seal(now: now.milliseconds)
            }
            return true
        }
        if try attempting("build a filter", { () throws(SQLiteFailure) in try seen.buildSome() }) { return true }
        let news = try eventsSinceLastLook()
        if try sumUpInTime(news: news) { return true }
        if news == 0 {
            try attempting("begin the WAL anew") { () throws(SQLiteFailure) in
                try database.restartWAL(whenBeyond: Self.idleWALLimit)
            }
        }
        return try retire(now)
    }

    /// Removes a bounded piece of what is older than the retention, from the old end, up to the first open delivery.
    private func retire(_ now: Timestamp) throws(LedgerError) -> Bool {
        let old = (now - keeping.retention).milliseconds
        let horizon = (now - keeping.dedupHorizon).milliseconds
        let isDue = try attempting("look for old rows") { () throws(SQLiteFailure) in
            try database.int(
                """
                SELECT 1 WHERE (SELECT at FROM batch ORDER BY id LIMIT 1) < \(old)
                    OR (SELECT decided < \(old) AND state >= 2 FROM delivery ORDER BY id LIMIT 1)
                    OR (SELECT at FROM suppressed ORDER BY id LIMIT 1) < \(old)
                    OR (SELECT at FROM member ORDER BY id LIMIT 1) < \(old)
                    OR (SELECT at FROM parked ORDER BY id LIMIT 1) < \(old)
                    OR \(Self.isOrphan)
                    OR \(Self.hasWindowsOver(horizon))
                    OR (SELECT min(ends) FROM threshold) <= \(horizon)
                    OR EXISTS (SELECT 1 FROM segment WHERE newest < \(horizon))
                    OR EXISTS (SELECT 1 FROM silence WHERE until < \(old))
                    OR EXISTS (SELECT 1 FROM quota WHERE open = 0 AND ends < \(old))
                    OR EXISTS (SELECT 1 FROM quota_notice WHERE until < \(old))
                """) != nil
        }
        guard isDue else { return false }
        return try transaction(.process, "remove old rows") { () throws(SQLiteFailure) in
            try seen.drop(before: horizon)
            try database.execute("DELETE FROM silence WHERE until < \(old)")
            try database.execute("DELETE FROM quota WHERE open = 0 AND ends < \(old)")
            try database.execute("DELETE FROM quota_notice WHERE until < \(old)")
            let deliveries = try retireDeliveries(old)
            let members = try retireMembers(old, atMost: Self.step)
            let events = try retireEvents(old)
            let batches = try retireBatches(old)
            let windows = try retireWindows(horizon, atMost: Self.step)
            let thresholds = try retireThresholds(horizon, atMost: Self.step)
            return deliveries + members + events + batches + windows + thresholds > 0
        }
    }

    private func retireDeliveries(_ old: Int64) throws(SQLiteFailure) -> Int {
        let from = try database.int("SELECT min(id) FROM delivery") ?? 0
        let firstKept = try database.int(
            """
            SELECT min(id) FROM (SELECT id, state, decided, digest FROM delivery ORDER BY id LIMIT \(Self.step))
            WHERE state < 2 OR decided >= \(old)
                OR digest IS NOT NULL AND EXISTS (SELECT 1 FROM digest x WHERE x.id = digest AND x.due IS NOT NULL)
            """)
        let end = firstKept ?? from + Self.step
        let states = try database.prepare(
            "SELECT state, count(*), sum(part = 0) FROM delivery WHERE id < ? GROUP BY state")
        states.bind(1, end)
        var notified = 0
        while try states.step() {
            notified += Int(states.int(2))
            try tally(
                "retired.delivery.\(DeliveryState(code: states.int(0))?.rawValue ?? "unknown")", Int(states.int(1)))
        }
        try tally("retired.notified", notified)
        try database.execute("DELETE FROM attempt WHERE delivery < \(end)")
        try database.execute("DELETE FROM resend WHERE delivery < \(end)")
        try database.execute("DELETE FROM inbox WHERE delivery < \(end)")
        try database.execute("DELETE FROM delivery WHERE id < \(end)")
        return Int(database.changes)
    }

    private func retireEvents(_ old: Int64) throws(SQLiteFailure) -> Int {
        try database.execute(
            """
            DELETE FROM suppressed WHERE at < \(old)
                AND id IN (SELECT id FROM suppressed ORDER BY id LIMIT \(Self.step))
            """)
        try tally("retired.suppressed", Int(database.changes))
        let chosen = "seq IN (SELECT seq FROM event ORDER BY seq LIMIT \(Self.step)) AND seq < \(Self.firstNamed)"
        let matched = try database.int(
            "SELECT count(*) FROM event WHERE \(chosen) AND partition <> \(Self.groupPartition)")
        try database.execute("DELETE FROM event WHERE \(chosen)")
        let events = Int(database.changes)
        try tally("retired.matched", Int(matched ?? 0))
        if events > 0 { try dropRuns() }
        try database.execute(
            "DELETE FROM parked WHERE at < \(old) AND id IN (SELECT id FROM parked ORDER BY id LIMIT \(Self.step))")
        try tally("retired.parked", Int(database.changes))
        return events
    }

    private func retireBatches(_ old: Int64) throws(SQLiteFailure) -> Int {
        let chosen = "id IN (SELECT id FROM batch WHERE at < \(old) ORDER BY id LIMIT \(Self.step))"
        for column in ["read", "gap", "unmatched", "matched", "duplicate", "parked", "selected"] {
            let sum = try database.int("SELECT sum(\(column)) FROM batch WHERE \(chosen)") ?? 0
            try tally("retired.batch.\(column)", Int(sum))
        }
        try database.execute("DELETE FROM batch WHERE \(chosen)")
        return Int(database.changes)
    }
}
