public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// One worker at a time keeps house, whoever comes first; the others go on. What goes by the day goes as a table; what is
// left is removed from its old end in bounded pieces.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    private static let step: Int64 = 1_000
    /// Numbers of events in a segment: a segment's number stands in the high bits of those of its events.
    static let segmentBits = 40
    private static let day: Int64 = 86_400_000

    public func tend(now: Timestamp) throws(LedgerError) -> Bool {
        moment = now.milliseconds
        return try transaction("keep house") { connection throws(PostgresFailure) in
            let rows = try connection.run([
                .begin, .lazily,
                Command(
                    "SELECT pg_try_advisory_xact_lock($1::int4, $2::int4)", Parameters(space, Gate.housekeeping)),
            ])
            guard rows[2].int(0, 0) != 0 else { return false }
            let hasSummedUp = try sumUp(connection)
            let hasTurned = try turnSegment(connection)
            let hasDropped = try dropSegment(connection)
            let removed = try retire(connection)
            try connection.run([.commit])
            return hasSummedUp || hasTurned || hasDropped || removed > 0
        }
    }

    private var horizon: Int64 { moment - keeping.dedupHorizon.milliseconds }
    private var old: Int64 { moment - keeping.retention.milliseconds }

    // Segments

    /// Begins a new segment when the newest is a day old, or a quarter of the dedup horizon if that is less.
    private func turnSegment(_ connection: Connection) throws(PostgresFailure) -> Bool {
        let newest = try connection.run("SELECT id, born FROM segment ORDER BY id DESC LIMIT 1")
        let id = newest.int(0, 0)
        guard let born = newest.optionalInt(0, 1) else {
            let isUsed = try connection.run("SELECT 1 FROM seen WHERE segment = $1 LIMIT 1", Parameters(id))
            if !isUsed.isEmpty {
                try connection.run("UPDATE segment SET born = $2 WHERE id = $1", Parameters(id, moment))
            }
            return false
        }
        let span = min(Self.day, keeping.dedupHorizon.milliseconds / 4)
        guard moment - born >= span else { return false }
        let (next, low) = (id + 1, (id + 1) << Self.segmentBits)
        try connection.run([
            Command(Gate.exclusive, Parameters(space, Gate.segments)),
            Command("CREATE TABLE seen_\(next) PARTITION OF seen FOR VALUES IN (\(next))"),
            Command(
                "CREATE TABLE event_\(next) PARTITION OF event FOR VALUES FROM (\(low)) TO (\(low + 1 << Self.segmentBits))"
            ),
            Command("UPDATE segment SET sealed = $2 WHERE id = $1", Parameters(id, moment)),
            Command("INSERT INTO segment VALUES ($1, NULL, NULL)", Parameters(next)),
        ])
        return true
    }

    /// Drops the keys of one sealed segment behind the dedup horizon, and the events of one that nothing names any more.
    ///
    /// Segments begin and end between decisions, so the eldest rows name events of the eldest segment.
    private func dropSegment(_ connection: Connection) throws(PostgresFailure) -> Bool {
        let keys = try connection.run(
            """
            SELECT id FROM segment WHERE sealed < $1 AND to_regclass('seen_' || id) IS NOT NULL ORDER BY id LIMIT 1
            """, Parameters(horizon))
        let events = try connection.run(
            """
            SELECT id FROM segment WHERE sealed < $1 AND to_regclass('event_' || id) IS NOT NULL
                AND coalesce((SELECT event FROM delivery ORDER BY id LIMIT 1) >> \(Self.segmentBits) > id, true)
                AND coalesce((SELECT event FROM suppressed ORDER BY id LIMIT 1) >> \(Self.segmentBits) > id, true)
                AND coalesce((SELECT event FROM member ORDER BY id LIMIT 1) >> \(Self.segmentBits) > id, true)
            ORDER BY id LIMIT 1
            """, Parameters(old))
        for row in keys.indices { try drop("seen", keys.int(row, 0), as: "retired.seen", connection) }
        for row in events.indices { try drop("event", events.int(row, 0), as: "retired.matched", connection) }
        guard keys.count + events.count > 0 else { return false }
        for row in events.indices {
            try dropRuns(before: (events.int(row, 0) + 1) << Self.segmentBits, connection)
        }
        try connection.run(
            """
            DELETE FROM segment WHERE sealed IS NOT NULL AND to_regclass('seen_' || id) IS NULL
                AND to_regclass('event_' || id) IS NULL
            """)
        return true
    }

    private func drop(
        _ table: String, _ segment: Int64, as tally: String, _ connection: Connection
    ) throws(PostgresFailure) {
        try connection.run(Gate.exclusive, Parameters(space, Gate.segments))
        // What groups say are events of their own, which no batch has read.
        let isCounted = table == "event" ? "partition <> \(Self.groupPartition)" : "true"
        let count = try connection.run("SELECT count(*) FROM \(table)_\(segment) WHERE \(isCounted)").int(0, 0)
        try connection.run([Command("DROP TABLE \(table)_\(segment)")] + tallies([tally: Int(count)], connection))
    }

    // Rows

    /// Removes a bounded piece of what is older than the retention, from the old end, up to the first open delivery.
    private func retire(_ connection: Connection) throws(PostgresFailure) -> Int {
        var changes: [String: Int] = [:]
        let deliveries = try retireDeliveries(&changes, connection)
        let members = try retireMembers(old, atMost: Self.step, connection)
        changes["retired.grouped"] = members
        let rows = try connection.run([
            Command(
                """
                DELETE FROM suppressed WHERE at < $1 AND id = ANY(ARRAY(SELECT id FROM suppressed ORDER BY id LIMIT $2))
                """, Parameters(old, Self.step)),
            Command(
                "DELETE FROM parked WHERE at < $1 AND id = ANY(ARRAY(SELECT id FROM parked ORDER BY id LIMIT $2))",
                Parameters(old, Self.step)),
            Command(
                """
                DELETE FROM dedup WHERE (key, opened) IN (
                    SELECT d.key, d.opened FROM dedup_clock c JOIN dedup d
                    ON d.clock = c.id AND d.ends <= greatest(c.reached - $3, $1) LIMIT $2)
                """, Parameters(horizon, Self.step, Windows.grace)),
            Command("DELETE FROM silence WHERE until < $1", Parameters(old)),
            Command(
                "DELETE FROM threshold WHERE key IN (SELECT key FROM threshold WHERE ends <= $1 ORDER BY ends LIMIT $2)",
                Parameters(horizon, Self.step)),
            Command("DELETE FROM quota WHERE open = 0 AND ends < $1 AND log <> ''", Parameters(old)),
            Command("DELETE FROM quota_notice WHERE until < $1", Parameters(old)),
        ])
        let batches = try retireBatches(&changes, connection)
        changes["retired.suppressed"] = rows[0].affected
        changes["retired.parked"] = rows[1].affected
        try connection.run(tallies(changes, connection))
        return deliveries + members + batches + rows.reduce(0) { $0 + $1.affected }
    }

    private func retireDeliveries(
        _ changes: inout [String: Int], _ connection: Connection
    ) throws(PostgresFailure) -> Int {
        // What is open or young ends the piece; a piece that is all old ends behind its last.
        let end = try connection.run(
            """
            WITH eldest AS (SELECT id, state, decided, digest FROM delivery ORDER BY id LIMIT $1)
            SELECT coalesce((
                SELECT min(id) FROM eldest WHERE state < 2 OR decided >= $2 OR digest IS NOT NULL AND EXISTS (
                    SELECT 1 FROM digest x WHERE x.id = eldest.digest AND x.due IS NOT NULL)),
                (SELECT max(id) + 1 FROM eldest), 0)
            """, Parameters(Self.step, old)
        ).int(0, 0)
        let gone = try connection.run(
            """
            WITH gone AS (DELETE FROM delivery WHERE id < $1 AND state >= 2 RETURNING state, part)
            SELECT state, count(*), count(*) FILTER (WHERE part = 0) FROM gone GROUP BY state
            """, Parameters(end))
        guard !gone.isEmpty else { return 0 }
        var (count, notified) = (0, 0)
        for row in gone.indices {
            count += Int(gone.int(row, 1))
            notified += Int(gone.int(row, 2))
            let state = DeliveryState(code: gone.int(row, 0))?.rawValue ?? "unknown"
            changes["retired.delivery.\(state)"] = Int(gone.int(row, 1))
        }
        changes["retired.notified"] = notified
        try connection.run([
            Command("DELETE FROM attempt WHERE delivery < $1", Parameters(end)),
            Command("DELETE FROM inbox WHERE delivery < $1", Parameters(end)),
            Command("DELETE FROM resend WHERE delivery < $1", Parameters(end)),
        ])
        return count
    }

    private func retireBatches(
        _ changes: inout [String: Int], _ connection: Connection
    ) throws(PostgresFailure) -> Int {
        let columns = ["read", "gap", "unmatched", "matched", "duplicate", "parked", "selected"]
        let sums = columns.map { "coalesce(sum(\($0)), 0)::int8" }.joined(separator: ", ")
        let rows = try connection.run(
            """
            WITH gone AS (DELETE FROM batch WHERE at < $1
                AND id = ANY(ARRAY(SELECT id FROM batch ORDER BY id LIMIT $2)) RETURNING *)
            SELECT count(*), \(sums) FROM gone
            """, Parameters(old, Self.step))
        for (index, column) in columns.enumerated() {
            changes["retired.batch.\(column)"] = Int(rows.int(0, index + 1))
        }
        return Int(rows.int(0, 0))
    }
}
