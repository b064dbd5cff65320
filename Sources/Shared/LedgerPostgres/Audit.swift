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
                    (SELECT count(*) FROM parked WHERE at >= $1 AND at < $2) FROM batch WHERE at >= $1 AND at < $2
                """, Parameters(window.first, window.end))
            var law = Conservation(
                read: row.int(0, 0), unmatched: row.int(0, 1), matched: row.int(0, 2), duplicate: row.int(0, 3),
                parked: row.int(0, 4), lost: row.int(0, 5), selected: row.int(0, 6), notified: 0,
                suppressed: row.int(0, 7), deliveries: [:], residue: [])
            law.compareRecords(parkedKept: row.int(0, 8))
            return law
        }
    }

    public func audit(
        since: Timestamp, until: Timestamp, after cursor: DeliveryID, now: Timestamp
    ) throws(LedgerError) -> AuditPage {
        let window = AuditWindow(since, until)
        return try attempting("audit deliveries") { () throws(PostgresFailure) in
            let connection = try connection()
            let ends = try connection.run("SELECT min(id), max(id) FROM delivery")
            let newest = ends.optionalInt(0, 1) ?? 0
            let from = max(cursor, (ends.optionalInt(0, 0) ?? 0) - 1)
            var page = AuditPage(
                states: [:], notified: 0, residue: [], delivered: [],
                next: from + Self.page < newest ? from + Self.page : nil)
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
                """, Parameters(from, from + Self.page, window.first, window.end))
            for row in rows.indices {
                page.add(
                    Key(rows.halves(row, 2)), DeliveryState(code: rows.int(row, 0)) ?? .pending,
                    isFirst: rows.int(row, 1) == 0,
                    faults: AuditPage.Fault.allCases.filter { rows.int(row, 3 + $0.rawValue) != 0 })
            }
            return page
        }
    }
}
