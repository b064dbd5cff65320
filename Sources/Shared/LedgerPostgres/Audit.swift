public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// The conservation law over a window, a page of rows in a statement of its own. Batches grow for an hour at most, so a window
// begins and ends with hours, and of a window that is over nothing is added while it is counted.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    public func batches(since: Timestamp, until: Timestamp) throws(LedgerError) -> Conservation {
        let window = AuditWindow(since, until)
        return try attempting("sum up batches") { () throws(PostgresFailure) in
            let columns = ["read", "unmatched", "matched", "duplicate", "parked", "gap", "selected"]
            let sums = columns.map { "coalesce(sum(\($0)), 0)::int8" }.joined(separator: ", ")
            let row = try connection().run(
                """
                SELECT \(sums), (SELECT count(*) FROM suppressed WHERE at >= $1 AND at < $2),
                    (SELECT count(*) FROM parked WHERE at >= $1 AND at < $2),
                    (SELECT count(*) FROM member WHERE at >= $1 AND at < $2) FROM batch WHERE at >= $1 AND at < $2
                """, Parameters(window.first, window.end))
            var law = Conservation(
                read: row.int(0, 0), unmatched: row.int(0, 1), matched: row.int(0, 2), duplicate: row.int(0, 3),
                parked: row.int(0, 4), lost: row.int(0, 5), selected: row.int(0, 6), notified: 0,
                suppressed: row.int(0, 7), deliveries: [:], residue: [])
            law.grouped = row.int(0, 9)
            law.compareRecords(parkedKept: row.int(0, 8))
            return law
        }
    }

    public func audit(
        since: Timestamp, until: Timestamp, after cursor: DeliveryID, upTo last: DeliveryID?, now: Timestamp
    ) throws(LedgerError) -> AuditPage {
        let window = AuditWindow(since, until)
        return try transaction("audit deliveries") { connection throws(PostgresFailure) in
            let ends = try connection.run([.snapshot, Command("SELECT min(id), max(id) FROM delivery")])[1]
            let newest = min(last ?? .max, ends.optionalInt(0, 1) ?? 0)
            let from = max(cursor, (ends.optionalInt(0, 0) ?? (newest + 1)) - 1)
            var page = AuditPage(
                behind: from, states: [:], notified: 0, residue: [], delivered: [],
                next: from + Self.page < newest ? from + Self.page : nil)
            if from > cursor { page.tallies = try storedTallies(connection) }
            let rows = try connection.run(
                """
                SELECT d.state, d.part, d.key, NOT EXISTS (SELECT 1 FROM event WHERE seq = d.event),
                    NOT EXISTS (SELECT 1 FROM rule WHERE id = d.rule),
                    d.state = 1 AND NOT EXISTS (SELECT 1 FROM session WHERE id = d.session),
                    d.state = 1 AND EXISTS (SELECT 1 FROM session WHERE id = d.session AND d.id < lowest),
                    d.state = 0 AND d.due IS NULL AND NOT EXISTS (
                        SELECT 1 FROM delivery h WHERE h.pair = d.pair AND h.state < 2 AND h.id <> d.id
                            AND (h.state = 1 OR h.due IS NOT NULL)),
                    d.due IS NOT NULL AND d.state <> 0
                FROM delivery d WHERE d.id > $1 AND d.id <= $2 AND d.decided >= $3 AND d.decided < $4 ORDER BY d.id
                """, Parameters(from, min(newest, from + Self.page), window.first, window.end))
            try connection.run([.commit])
            for row in rows.indices {
                page.add(
                    Key(rows.halves(row, 2)), DeliveryState(code: rows.int(row, 0)) ?? .pending,
                    isFirst: rows.int(row, 1) == 0,
                    faults: AuditPage.Fault.allCases.filter { rows.int(row, 3 + $0.rawValue) != 0 })
            }
            return page
        }
    }

    public func count(
        _ table: VerificationStart.Table, after cursor: Int64, upTo last: Int64
    ) throws(LedgerError) -> CountedPiece {
        let (name, id) = table.columns
        // What groups say are events of their own, which no batch has read.
        let isCounted = table == .matched ? "p.partition <> \(Self.groupPartition)" : "true"
        let more = table == .matched ? ", partition" : ""
        return try attempting("count \(name)") { () throws(PostgresFailure) in
            let row = try connection().run(
                """
                SELECT (SELECT min(\(id)) FROM \(name)), count(p.id) FILTER (WHERE \(isCounted)), max(p.id),
                    (SELECT coalesce(sum(n), 0)::int8 FROM tally WHERE name = 'retired.\(table.rawValue)'), count(p.id)
                FROM (SELECT \(id) AS id\(more) FROM \(name) WHERE \(id) > $1 AND \(id) <= $2 ORDER BY \(id) LIMIT $3) AS p
                """, Parameters(cursor, last, Self.page))
            return CountedPiece(
                count: row.int(0, 1), behind: max(cursor, (row.optionalInt(0, 0) ?? (last + 1)) - 1),
                retired: row.int(0, 3), next: row.int(0, 4) == Self.page ? row.optionalInt(0, 2) : nil)
        }
    }

    /// A segment's keys beside its events: each was written with the other; behind the last segment, groups,
    /// then digests.
    public func verifyRest(after cursor: [Int64]) throws(LedgerError) -> (residue: [String], next: [Int64]?) {
        try transaction("verify keys") { connection throws(PostgresFailure) -> (residue: [String], next: [Int64]?) in
            if cursor.count == 2 {
                let (residue, next) = try groupResidue(after: cursor[1], connection)
                return (residue, next.map { [0, $0] } ?? [0, 0, 0, 0])
            }
            if cursor.count == 4 {
                let (residue, next) = try digestResidue(after: cursor[3], connection)
                return (residue, next.map { [0, 0, 0, $0] })
            }
            let found = try connection.run([
                .snapshot, Command("SET LOCAL statement_timeout = 0"),
                Command(
                    """
                    SELECT id, to_regclass('seen_' || id) IS NOT NULL AND to_regclass('event_' || id) IS NOT NULL
                    FROM segment WHERE id > $1 ORDER BY id LIMIT 1
                    """, Parameters(cursor.first ?? -1)),
            ])[2]
            guard !found.isEmpty else { return ([], [0, 0]) }
            let id = found.int(0, 0)
            guard found.int(0, 1) != 0 else { return ([], [id]) }
            let counts = try connection.run(
                """
                SELECT (SELECT count(*) FROM seen WHERE segment = $1), (
                    SELECT count(*) FROM event WHERE seq >= $1 << \(Self.segmentBits) AND seq < ($1 + 1) << \(Self.segmentBits)
                        AND partition <> \(Self.groupPartition))
                """, Parameters(id))
            try connection.run([.commit])
            let (keys, events) = (counts.int(0, 0), counts.int(0, 1))
            return (keys == events ? [] : ["keys of segment \(id): \(keys) ≠ \(events)"], [id])
        }
    }
}

extension VerificationStart.Table {
    fileprivate var columns: (table: String, id: String) {
        switch self {
        case .matched: ("event", "seq")
        case .suppressed: ("suppressed", "id")
        case .grouped: ("member", "id")
        case .parked: ("parked", "id")
        case .notified: ("delivery", "id")
        }
    }
}
