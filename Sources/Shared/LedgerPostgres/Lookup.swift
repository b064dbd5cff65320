import CarillonEvents
import CarillonLedger
import CarillonPostgres

// Finding a decided event by its key, its subject or a delivery's key. Three indexes over random hashes would cost the path
// more than the rest of the row, for a question asked now and then. So housekeeping sums up events, thousands at a time, as
// a run: sorted entries of (hash, event) in 128 blocks by the hash's first bits, an array each. A question halves its way into
// one block of every run and looks through the events behind the last one. A run also says between which numbers the deliveries and the
// suppressions of its events stand, so those of an event are found without an index of them.
//
// Many decide at once and commit in any order, so an event below the newest may come to light later. A *mark* notes the
// newest number given away, and after that a transaction number of our own. Who had been given a number below the mark has a
// lower transaction number, as the key is written before it; so when no transaction below ours is under way any more, the
// events up to the mark are all there, and their deliveries too.

extension PostgresLedger {
    /// Events in a run.
    private static let runLength: Int64 = 8_192

    /// Takes a mark, or sums up events that are below one; false when there is nothing to do or it is too early.
    ///
    /// The first in its transaction, as a mark must be taken before the transaction has a number.
    func sumUp(_ connection: Connection, atLeast least: Int64 = runLength) throws(PostgresFailure) -> Bool {
        let rows = try connection.run([
            Command(
                """
                SELECT event, delivery, suppressed,
                    pg_snapshot_xmin(pg_current_snapshot())::text::int8 >= before FROM lookup_mark
                """),
            Command(Self.covered),
        ])
        let covered = Covered(rows[1])
        guard !rows[0].isEmpty else { return try mark(behind: covered, least, connection) }
        guard rows[0].int(0, 3) != 0 else { return false }
        let mark = Covered(
            event: rows[0].int(0, 0), delivery: rows[0].int(0, 1), suppressed: rows[0].int(0, 2))
        try sumUp(from: covered, to: mark, connection)
        return true
    }

    /// How far runs go: up to this event, and below these rows stands none of a later one.
    private struct Covered {
        let event, delivery, suppressed: Int64

        init(event: Int64, delivery: Int64, suppressed: Int64) {
            (self.event, self.delivery, self.suppressed) = (event, delivery, suppressed)
        }

        init(_ rows: Rows) {
            guard !rows.isEmpty else {
                self.init(event: 0, delivery: 0, suppressed: 0)
                return
            }
            self.init(event: rows.int(0, 0), delivery: rows.int(0, 1), suppressed: rows.int(0, 2))
        }
    }

    private static let covered =
        "SELECT last, next_delivery, next_suppressed FROM lookup_run ORDER BY id DESC LIMIT 1"

    private func mark(behind covered: Covered, _ least: Int64, _ connection: Connection) throws(PostgresFailure) -> Bool
    {
        func newest(_ sequence: String) -> String {
            "(SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM \(sequence))"
        }
        let found = try connection.run(
            """
            SELECT \(newest("event_number")), (SELECT max(id) FROM segment), \(newest("delivery_id_seq")),
                \(newest("suppressed_id_seq"))
            """)
        let number = found.int(0, 0)
        let low = Int64(1) << 40 - 1
        guard number - (covered.event & low) >= least else { return false }
        try connection.run(
            "INSERT INTO lookup_mark VALUES ($1, $2, $3, pg_current_xact_id()::text::int8)",
            Parameters(found.int(0, 1) << 40 | number, found.int(0, 2), found.int(0, 3)))
        return true
    }

    private func sumUp(
        from covered: Covered, to mark: Covered, _ connection: Connection
    ) throws(PostgresFailure) {
        let end = try connection.run(
            """
            SELECT max(seq), count(*) FROM (
                SELECT seq FROM event WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3) AS e
            """, Parameters(covered.event, mark.event, Self.runLength * 2))
        let isWhole = end.int(0, 1) < Self.runLength * 2
        let last = isWhole ? mark.event : end.int(0, 0)
        let next = isWhole ? mark : covered
        let range = Parameters(
            covered.event, last, covered.delivery, covered.suppressed, next.delivery, next.suppressed)
        let run = try connection.run(
            """
            INSERT INTO lookup_run (last, first_delivery, last_delivery, first_suppressed, last_suppressed, next_delivery,
                next_suppressed)
            SELECT $2, d.first, d.last, s.first, s.last, $5, $6
            FROM (SELECT min(id) AS first, max(id) AS last FROM delivery WHERE id > $3 AND event > $1 AND event <= $2) d,
                (SELECT min(id) AS first, max(id) AS last FROM suppressed WHERE id > $4 AND event > $1 AND event <= $2) s
            RETURNING id
            """, range
        ).int(0, 0)
        // Sorted once, below, for both arrays: an order of its own for each aggregate is a sort for each.
        try connection.run([
            Command(
                """
                INSERT INTO lookup
                SELECT block, $4, array_agg(h), array_agg(e) FROM (SELECT ((h >> 57) & 127)::int AS block, h, e FROM (
                    SELECT uuid_hash_extended(key, 0) AS h, seq AS e FROM event WHERE seq > $1 AND seq <= $2
                    UNION ALL SELECT hashtextextended(subject, 0), seq FROM event
                        WHERE seq > $1 AND seq <= $2 AND subject IS NOT NULL
                    UNION ALL SELECT uuid_hash_extended(d.key, 0), d.event FROM lookup_run r JOIN delivery d
                        ON d.id >= r.first_delivery AND d.id <= r.last_delivery
                        WHERE r.id = $3 AND d.event > $1 AND d.event <= $2) AS n ORDER BY 1, h, e) AS sorted
                GROUP BY block
                """, Parameters(covered.event, last, run, run)),
            Command(isWhole ? "DELETE FROM lookup_mark" : "SELECT 1::int8"),
        ])
    }

    /// Drops the runs of events that are gone.
    func dropRuns(before event: Int64, _ connection: Connection) throws(PostgresFailure) {
        try connection.run(
            """
            WITH gone AS (DELETE FROM lookup_run WHERE last < $1 RETURNING id)
            DELETE FROM lookup WHERE block = ANY(ARRAY(SELECT generate_series(0, 127))) AND run IN (SELECT id FROM gone)
            """, Parameters(event))
    }

    /// The numbers of events of a name, the newest first.
    func numbers(of name: EventName, limit: Int, _ connection: Connection) throws(PostgresFailure) -> [Int64] {
        let covered = Covered(try connection.run(Self.covered))
        var values = Parameters()
        let hashes: String
        switch name {
        case .keys(let keys):
            values.add(keys.map(\.halves))
            hashes = "SELECT uuid_hash_extended(k, 0) AS h FROM unnest($1::uuid[]) AS k"
        case .delivery(let key):
            values.add(high: key.high, low: key.low)
            hashes = "SELECT uuid_hash_extended($1, 0) AS h"
        case .subject(let subject):
            values.add(subject)
            hashes = #"SELECT hashtextextended($1 COLLATE "C", 0) AS h"#
        }
        var behind = values
        behind.add(covered.event)
        behind.add(Int64(limit))
        var deliveries = behind
        deliveries.add(covered.delivery)
        let summed = """
            SELECT DISTINCT x.e FROM (\(hashes)) n
            JOIN lookup l ON l.block = ((n.h >> 57) & 127)::int AND l.hashes[width_bucket(n.h, l.hashes)] = n.h
            CROSS JOIN LATERAL unnest(l.hashes, l.events) AS x(h, e)
            WHERE x.h = n.h ORDER BY x.e DESC
            """
        let rest =
            switch name {
            case .keys:
                Command(
                    "SELECT seq FROM event WHERE seq > $2 AND key = ANY($1::uuid[]) ORDER BY seq DESC LIMIT $3", behind)
            case .subject:
                Command("SELECT seq FROM event WHERE seq > $2 AND subject = $1 ORDER BY seq DESC LIMIT $3", behind)
            case .delivery:
                Command(
                    """
                    SELECT event FROM delivery WHERE id > $4 AND event > $2 AND key = $1 ORDER BY id DESC LIMIT $3
                    """, deliveries)
            }
        let rows = try connection.run([rest, Command(summed, values)])
        var numbers = rows[0].indices.map { rows[0].int($0, 0) }
        for row in rows[1].indices where numbers.count < limit {
            let number = rows[1].int(row, 0)
            if try isNamed(name, number, connection) { numbers.append(number) }
        }
        return numbers
    }

    /// Whether an event that has the hash of a name has the name.
    private func isNamed(
        _ name: EventName, _ event: Int64, _ connection: Connection
    ) throws(PostgresFailure) -> Bool {
        var values = Parameters()
        let query: String
        switch name {
        case .keys(let keys):
            values.add(keys.map(\.halves))
            query = "SELECT 1::int8 FROM event WHERE seq = $2 AND key = ANY($1::uuid[])"
        case .subject(let subject):
            values.add(subject)
            query = "SELECT 1::int8 FROM event WHERE seq = $2 AND subject = $1"
        case .delivery(let key):
            values.add(high: key.high, low: key.low)
            let span = try span(of: "delivery", event, connection)
            query = """
                SELECT 1::int8 FROM delivery
                WHERE id >= \(span.lowerBound) AND id <= \(span.upperBound) AND event = $2 AND key = $1
                """
        }
        values.add(event)
        return try !connection.run(query, values).isEmpty
    }

    /// Between which numbers the rows of an event stand in `delivery` or `suppressed`.
    func span(
        of table: String, _ event: Int64, _ connection: Connection
    ) throws(PostgresFailure) -> ClosedRange<Int64> {
        let rows = try connection.run([
            Command(
                """
                SELECT first_\(table), last_\(table) FROM lookup_run WHERE last >= $1 ORDER BY last LIMIT 1
                """, Parameters(event)),
            Command(Self.covered),
        ])
        guard rows[0].isEmpty else {
            guard let first = rows[0].optionalInt(0, 0), let last = rows[0].optionalInt(0, 1) else { return 0...0 }
            return first...last
        }
        let covered = Covered(rows[1])
        return (table == "delivery" ? covered.delivery : covered.suppressed) + 1 ... .max
    }
}
