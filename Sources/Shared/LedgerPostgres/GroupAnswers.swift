import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// What is asked about groups.

extension PostgresLedger {
    /// Adds to what was claimed what it says of its group; a notification of one event is left alone.
    func addGroups(to claims: inout [Claimed], _ rows: Rows, _ connection: Connection) throws(PostgresFailure) {
        var events: [DeliveryID: Int64] = [:]
        for row in rows.indices {
            if let event = rows.optionalInt(row, 15) { events[rows.int(row, 0)] = event }
        }
        guard !events.isEmpty else { return }
        var values = Parameters()
        values.add(Array(Set(events.values)))
        let found = try connection.run(
            """
            SELECT n.event, g.name, n.number, n.size, n.failed, n.suppressed, n.total, n.since, n.events
            FROM notice n JOIN grp g ON g.id = n.grp WHERE n.event = ANY($1)
            """, values)
        var groups: [Int64: ClaimedGroup] = [:]
        for row in found.indices {
            groups[found.int(row, 0)] = ClaimedGroup(
                name: found.text(row, 1), number: found.int(row, 2), size: found.int(row, 3),
                failed: found.int(row, 4), suppressed: found.int(row, 5), total: found.int(row, 6),
                since: Timestamp(milliseconds: found.int(row, 7)), events: found.blob(row, 8))
        }
        for place in claims.indices {
            claims[place].group = events[claims[place].delivery].flatMap { groups[$0] }
        }
    }

    // What this does is said once, by the contract.
    // swift-format-ignore: AllPublicDeclarationsHaveDocumentation
    public func memberships(of event: Int64) throws(LedgerError) -> [Membership] {
        try attempting("look for the groups of an event") { () throws(PostgresFailure) in
            let connection = try connection()
            let span = try span(of: "delivery", event, connection)
            let rows = try connection.run(
                """
                SELECT \(Self.ruleName), g.name, g.opened, coalesce(x.size, g.total), coalesce(x.due, g.due), n.number, n.size,
                    n.event, l.target
                FROM (
                    SELECT grp, event, id AS first, NULL::int8 AS own FROM member WHERE event = $1
                    UNION ALL SELECT digest, event, 0, NULL FROM delivery
                        WHERE id >= $2 AND id <= $3 AND event = $1 AND digest IS NOT NULL
                    UNION ALL SELECT grp, event, first, event FROM notice WHERE event = $1) m
                JOIN event e ON e.seq = m.event JOIN grp g ON g.id = m.grp JOIN rule r ON r.id = g.rule
                LEFT JOIN digest x ON x.id = g.id LEFT JOIN lane l ON l.id = x.lane
                LEFT JOIN notice n ON n.event = coalesce(m.own, (
                    SELECT event FROM notice WHERE grp = g.id AND last >= m.first ORDER BY number LIMIT 1))
                ORDER BY g.id
                """, Parameters(event, span.lowerBound, span.upperBound))
            return rows.indices.map { row in
                let told = rows.optionalInt(row, 5).map {
                    Membership.Told(number: $0, size: rows.int(row, 6), event: rows.int(row, 7))
                }
                var membership = Membership(
                    rule: rows.text(row, 0), name: rows.text(row, 1), opened: Timestamp(milliseconds: rows.int(row, 2)),
                    total: rows.int(row, 3), due: rows.optionalInt(row, 4).map { Timestamp(milliseconds: $0) },
                    told: told)
                membership.digestOf = rows.optionalText(row, 8)
                return membership
            }
        }
    }

    /// What does not add up about groups behind one, a page of them: members and notifications against the counts.
    func groupResidue(
        after cursor: Int64, _ connection: Connection
    ) throws(PostgresFailure) -> (residue: [String], next: Int64?) {
        let rows = try connection.run(
            """
            SELECT g.id, g.name, g.size, (SELECT count(*) FROM member WHERE grp = g.id AND id > g.told),
                (SELECT string_agg(number::text, ',' ORDER BY number) FROM notice n WHERE n.grp = g.id
                    AND first >= (SELECT min(id) FROM member) AND size <> (
                        SELECT count(*) FROM member WHERE grp = g.id AND id BETWEEN n.first AND n.last))
            FROM grp g WHERE g.id > $1 ORDER BY g.id LIMIT 1000
            """, Parameters(cursor))
        var lines: [String] = []
        for row in rows.indices {
            let group = "group \(rows.int(row, 0)) (\(rows.text(row, 1)))"
            if rows.int(row, 2) != rows.int(row, 3) {
                lines.append("\(group): \(rows.int(row, 2)) wait ≠ \(rows.int(row, 3)) members")
            }
            if let wrong = rows.optionalText(row, 4) {
                lines.append("\(group): miscounted by its notifications \(wrong)")
            }
        }
        return (lines, rows.indices.last.map { rows.int($0, 0) })
    }

    /// Removes a bounded number of members that are old and counted by a notification, and groups that nobody names.
    ///
    /// Returns how many members went.
    func retireMembers(_ old: Int64, atMost limit: Int64, _ connection: Connection) throws(PostgresFailure) -> Int {
        try connection.run([
            Command(
                """
                WITH eldest AS (SELECT id, grp, at FROM member ORDER BY id LIMIT $2)
                DELETE FROM member WHERE id < coalesce(
                    (SELECT min(m.id) FROM eldest m JOIN grp g ON g.id = m.grp WHERE m.at >= $1 OR m.id > g.told),
                    (SELECT max(id) + 1 FROM eldest), 0)
                """, Parameters(old, limit)),
            Command("DELETE FROM notice WHERE event < (SELECT seq FROM event ORDER BY seq LIMIT 1)"),
            Command(
                """
                DELETE FROM grp WHERE id = ANY(ARRAY(SELECT id FROM grp WHERE closed < $1 ORDER BY closed LIMIT $2))
                    AND NOT EXISTS (SELECT 1 FROM member m WHERE m.grp = grp.id)
                    AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.grp = grp.id)
                """, Parameters(old, limit)),
            Command(
                """
                DELETE FROM digest WHERE id = ANY(ARRAY(SELECT id FROM digest ORDER BY id LIMIT $1)) AND due IS NULL
                    AND NOT EXISTS (SELECT 1 FROM grp WHERE grp.id = digest.id)
                """, Parameters(limit)),
        ])[0].affected
    }
}
