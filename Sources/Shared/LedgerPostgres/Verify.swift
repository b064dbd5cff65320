public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// P3, counted in one snapshot. What retention removed lives on as sums under `retired.*` in `tally`, so the law holds over
// all time.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    public func status(now: Timestamp) throws(LedgerError) -> LedgerStatus {
        try transaction("read the status") { connection throws(PostgresFailure) in
            try connection.run([.snapshot])
            let tallies = try storedTallies(connection)
            let rows = try connection.run([
                Command("SELECT stream, partition, next FROM position ORDER BY stream, partition"),
                Command("SELECT min(round) FROM delivery WHERE state < 2"), Command("SELECT count(*) FROM parked"),
            ])
            let status = LedgerStatus(
                revision: try storedRevision(connection),
                positions: rows[0].indices.map { row in
                    .init(
                        stream: rows[0].text(row, 0), partition: Int32(rows[0].int(row, 1)), next: rows[0].int(row, 2))
                },
                deliveries: Self.part("delivery.", of: tallies), oldestPending: rows[1].optionalInt(0, 0),
                parked: rows[2].int(0, 0), suppressed: Self.part("suppressed.", of: tallies),
                workers: try workers(now, connection), endpoints: try endpointRows(of: nil, connection))
            try connection.run([.commit])
            return status
        }
    }

    public func verify(now: Timestamp) throws(LedgerError) -> Conservation {
        try transaction("verify") { connection throws(PostgresFailure) in
            // All rows are read, which may take its time.
            try connection.run([
                .snapshot, Command("SET LOCAL statement_timeout = 0"), Command("SET LOCAL enable_seqscan = on"),
            ])
            let law = try count(connection)
            try connection.run([.commit])
            return law
        }
    }

    private func count(_ connection: Connection) throws(PostgresFailure) -> Conservation {
        let tallies = try storedTallies(connection)
        let sums = try batchSums(tallies, connection)
        var states: [String: Int64] = [:]
        let rows = try connection.run("SELECT state, count(*) FROM delivery GROUP BY state")
        for row in rows.indices {
            states[DeliveryState(code: rows.int(row, 0))?.rawValue ?? "unknown", default: 0] += rows.int(row, 1)
        }
        let kept = try connection.run([
            Command("SELECT count(*) FROM delivery WHERE part = 0"), Command("SELECT count(*) FROM suppressed"),
        ])
        var law = Conservation(
            read: sums["read"] ?? 0, unmatched: sums["unmatched"] ?? 0, matched: sums["matched"] ?? 0,
            duplicate: sums["duplicate"] ?? 0, parked: sums["parked"] ?? 0, lost: sums["gap"] ?? 0,
            selected: sums["selected"] ?? 0, notified: (tallies["retired.notified"] ?? 0) + kept[0].int(0, 0),
            suppressed: (tallies["retired.suppressed"] ?? 0) + kept[1].int(0, 0), deliveries: states, residue: [])
        try balance(&law, tallies, connection)
        try lookAtPositions(&law, connection)
        try lookAtRows(&law, connection)
        return law
    }

    private func batchSums(
        _ tallies: [String: Int64], _ connection: Connection
    ) throws(PostgresFailure) -> [String: Int64] {
        let columns = ["read", "gap", "unmatched", "matched", "duplicate", "parked", "selected"]
        let sums = columns.map { "coalesce(sum(\($0)), 0)::int8" }.joined(separator: ", ")
        let rows = try connection.run("SELECT \(sums) FROM batch")
        var found: [String: Int64] = [:]
        for (index, column) in columns.enumerated() {
            found[column] = rows.int(0, index) + (tallies["retired.batch.\(column)"] ?? 0)
        }
        return found
    }

    private func balance(
        _ law: inout Conservation, _ tallies: [String: Int64], _ connection: Connection
    ) throws(PostgresFailure) {
        func demand(_ left: Int64, _ right: Int64, _ words: String) {
            if left != right { law.residue.append("\(words): \(left) ≠ \(right)") }
        }
        let counts = try connection.run([
            Command("SELECT count(*) FROM event"), Command("SELECT count(*) FROM parked"),
            Command("SELECT count(*) FROM seen"),
        ])
        func kept(_ index: Int, _ name: String) -> Int64 { (tallies["retired.\(name)"] ?? 0) + counts[index].int(0, 0) }
        demand(
            law.read, law.unmatched + law.matched + law.duplicate + law.parked,
            "records read = unmatched + matched + duplicate + parked")
        demand(law.matched, kept(0, "matched"), "matched = events kept")
        demand(law.parked, kept(1, "parked"), "parked = records kept")
        demand(law.selected, law.notified + law.suppressed, "selected = notified + suppressed")
        demand(tallies["suppressed"] ?? 0, law.suppressed, "tally of suppressed = rows")
        demand(
            tallies["suppressed"] ?? 0, Self.part("suppressed.", of: tallies).values.reduce(0, +),
            "suppressed = the sum of its reasons")
        demand(tallies["seen"] ?? 0, kept(2, "seen"), "keys of segments")
        for state in DeliveryState.allCases {
            demand(
                tallies["delivery.\(state.rawValue)"] ?? 0,
                (tallies["retired.delivery.\(state.rawValue)"] ?? 0) + (law.deliveries[state.rawValue] ?? 0),
                "tally of \(state.rawValue) deliveries = rows")
        }
    }

    /// The batches of a partition follow each other without a hole up to the position.
    ///
    /// Kafka gives offsets away that no record has: to the marks of transactions, to what compaction removes.
    private func lookAtPositions(_ law: inout Conservation, _ connection: Connection) throws(PostgresFailure) {
        let rows = try connection.run(
            """
            SELECT stream || '/' || partition, first, next, read + gap, before, position, isLast FROM (
                SELECT b.stream, b.partition, b.first, b.next, b.read, b.gap, p.next AS position,
                    lag(b.next) OVER w AS before, lead(b.id) OVER w IS NULL AS isLast
                FROM batch b LEFT JOIN position p ON p.stream = b.stream AND p.partition = b.partition
                WINDOW w AS (PARTITION BY b.stream, b.partition ORDER BY b.first)) AS b
            WHERE before <> first OR next - first < read + gap OR next - first <> read + gap AND stream NOT LIKE 'kafka%'
                OR isLast AND position IS DISTINCT FROM next
            ORDER BY stream, partition, first
            """)
        for row in rows.indices {
            let (place, first, next) = (rows.text(row, 0), rows.int(row, 1), rows.int(row, 2))
            if let before = rows.optionalInt(row, 4), before != first {
                law.residue.append("\(place): no batch for \(before)..<\(first)")
            }
            let hasHoles = place.hasPrefix("kafka")
            if hasHoles ? next - first < rows.int(row, 3) : next - first != rows.int(row, 3) {
                law.residue.append("\(place): batch at \(first) counts \(rows.int(row, 3)) of \(next - first)")
            }
            if rows.int(row, 6) != 0, rows.optionalInt(row, 5) != next {
                law.residue.append("\(place): batches end at \(next), the position is \(rows.int(row, 5))")
            }
        }
    }

    /// Every delivery is on its way, waits for a time, waits for one of its pair that does, or has ended.
    private func lookAtRows(_ law: inout Conservation, _ connection: Connection) throws(PostgresFailure) {
        let checks = [
            (
                "deliveries without event or rule",
                """
                NOT EXISTS (SELECT 1 FROM event WHERE seq = d.event) OR NOT EXISTS (SELECT 1 FROM rule WHERE id = d.rule)
                """
            ),
            (
                "leased deliveries without a session",
                "state = 1 AND NOT EXISTS (SELECT 1 FROM session WHERE id = d.session)"
            ),
            (
                "leased deliveries that a death would not free",
                "state = 1 AND EXISTS (SELECT 1 FROM session s WHERE s.id = d.session AND d.id < s.lowest)"
            ),
            (
                "pending deliveries that nothing will wake",
                """
                state < 2 AND state = 0 AND due IS NULL AND NOT EXISTS (
                    SELECT 1 FROM delivery h WHERE h.pair = d.pair AND h.state < 2 AND h.id <> d.id
                        AND (h.state = 1 OR h.due IS NOT NULL))
                """
            ),
            ("due times without a pending delivery", "due IS NOT NULL AND state <> 0"),
        ]
        for (words, condition) in checks {
            let count = try connection.run("SELECT count(*) FROM delivery d WHERE \(condition)").int(0, 0)
            if count != 0 { law.residue.append("\(words): \(count)") }
        }
        let orphans = try orphanedSends(connection)
        if orphans != 0 { law.residue.append("open sends of quotas that nothing will settle: \(orphans)") }
    }

    private func storedTallies(_ connection: Connection) throws(PostgresFailure) -> [String: Int64] {
        let rows = try connection.run("SELECT name, sum(n)::int8 FROM tally GROUP BY name")
        return Dictionary(uniqueKeysWithValues: rows.indices.map { (rows.text($0, 0), rows.int($0, 1)) })
    }

    private static func part(_ prefix: String, of tallies: [String: Int64]) -> [String: Int64] {
        var part: [String: Int64] = [:]
        for (name, n) in tallies where name.hasPrefix(prefix) { part[String(name.dropFirst(prefix.count))] = n }
        return part
    }
}
