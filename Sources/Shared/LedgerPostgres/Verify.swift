public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// What `status` and `verify` begin with. What retention removed lives on as sums under `retired.*` in `tally`, so the law holds over
// all time.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    public func status(now: Timestamp) throws(LedgerError) -> LedgerStatus {
        try transaction("read the status") { connection throws(PostgresFailure) in
            try connection.run([.snapshot])
            let tallies = try storedTallies(connection)
            let rows = try connection.run([
                Command(Self.positions),
                Command("SELECT min(round) FROM delivery WHERE state < 2"), Command("SELECT count(*) FROM parked"),
            ])
            let status = LedgerStatus(
                revision: try storedRevision(connection),
                positions: Self.positions(rows[0]),
                deliveries: Self.part("delivery.", of: tallies), oldestPending: rows[1].optionalInt(0, 0),
                parked: rows[2].int(0, 0), suppressed: Self.part("suppressed.", of: tallies),
                workers: try workers(now, connection), endpoints: try endpointRows(of: nil, connection))
            try connection.run([.commit])
            return status
        }
    }

    public func beginVerification(now: Timestamp) throws(LedgerError) -> VerificationStart {
        try transaction("begin to verify") { connection throws(PostgresFailure) in
            // Whoever decides shares this lock to the end: once it is ours, none is half done, and a snapshot is taken.
            let gate = Parameters(space, Gate.rules)
            let release = Command("SELECT pg_advisory_unlock($1::int4, $2::int4)", gate)
            try connection.run([Command("SELECT pg_advisory_lock($1::int4, $2::int4)", gate)])
            do throws(PostgresFailure) {
                try connection.run([.snapshot, Command(Self.revisionQuery), release])
            } catch {
                if connection.isWhole { try connection.run([Command("ROLLBACK"), release]) }
                throw error
            }
            let start = try verificationStart(connection)
            try connection.run([.commit])
            return start
        }
    }

    private func verificationStart(_ connection: Connection) throws(PostgresFailure) -> VerificationStart {
        let tallies = try storedTallies(connection)
        let sums = try batchSums(tallies, connection)
        var law = Conservation(
            read: sums["read"] ?? 0, unmatched: sums["unmatched"] ?? 0, matched: sums["matched"] ?? 0,
            duplicate: sums["duplicate"] ?? 0, parked: sums["parked"] ?? 0, lost: sums["gap"] ?? 0,
            selected: sums["selected"] ?? 0, notified: 0, suppressed: 0, deliveries: [:], residue: [])
        try lookAtPositions(&law, connection)
        let orphans = try orphanedSends(connection)
        if orphans != 0 { law.residue.append("open sends of quotas that nothing will settle: \(orphans)") }
        let rows = try connection.run([
            Command("SELECT coalesce(min(seq), 1) - 1, coalesce(max(seq), 0) FROM event"),
            Command("SELECT coalesce(min(id), 1) - 1, coalesce(max(id), 0) FROM suppressed"),
            Command("SELECT coalesce(min(id), 1) - 1, coalesce(max(id), 0) FROM parked"),
            Command("SELECT coalesce(min(id), 1) - 1, coalesce(max(id), 0) FROM delivery"),
            Command("SELECT coalesce(min(id), 1) - 1, coalesce(max(id), 0) FROM member"),
        ])
        func ends(_ index: Int) -> (before: Int64, last: Int64) { (rows[index].int(0, 0), rows[index].int(0, 1)) }
        return VerificationStart(
            law: law, tallies: tallies,
            ends: [.matched: ends(0), .suppressed: ends(1), .parked: ends(2), .notified: ends(3), .grouped: ends(4)])
    }

    public func tallies() throws(LedgerError) -> [String: Int64] {
        try attempting("read the running counts") { () throws(PostgresFailure) in try storedTallies(connection()) }
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

    /// The batches of a partition follow each other without a hole up to the position.
    ///
    /// Kafka gives offsets away that no record has: to the marks of transactions, to what compaction removes. Each batch counts
    /// its own; those of before they were counted have no number, and may lack some.
    private func lookAtPositions(_ law: inout Conservation, _ connection: Connection) throws(PostgresFailure) {
        let rows = try connection.run(
            """
            SELECT stream || '/' || partition, first, next, counted, before, position, isLast, isOld FROM (
                SELECT b.stream, b.partition, b.first, b.next, b.read + b.gap + coalesce(b.holes, 0) AS counted,
                    b.holes IS NULL AND b.stream LIKE 'kafka%' AS isOld, p.next AS position,
                    lag(b.next) OVER w AS before, lead(b.id) OVER w IS NULL AS isLast
                FROM batch b LEFT JOIN position p ON p.stream = b.stream AND p.partition = b.partition
                WINDOW w AS (PARTITION BY b.stream, b.partition ORDER BY b.first)) AS b
            WHERE before <> first OR next - first < counted OR next - first <> counted AND NOT isOld
                OR isLast AND position IS DISTINCT FROM next
            ORDER BY stream, partition, first
            """)
        for row in rows.indices {
            let (place, first, next) = (rows.text(row, 0), rows.int(row, 1), rows.int(row, 2))
            if let before = rows.optionalInt(row, 4), before != first {
                law.residue.append("\(place): no batch for \(before)..<\(first)")
            }
            let isOld = rows.int(row, 7) != 0
            if isOld ? next - first < rows.int(row, 3) : next - first != rows.int(row, 3) {
                law.residue.append("\(place): batch at \(first) counts \(rows.int(row, 3)) of \(next - first)")
            }
            if rows.int(row, 6) != 0, rows.optionalInt(row, 5) != next {
                law.residue.append("\(place): batches end at \(next), the position is \(rows.int(row, 5))")
            }
        }
    }

    func storedTallies(_ connection: Connection) throws(PostgresFailure) -> [String: Int64] {
        let rows = try connection.run("SELECT name, sum(n)::int8 FROM tally GROUP BY name")
        return Dictionary(uniqueKeysWithValues: rows.indices.map { (rows.text($0, 0), rows.int($0, 1)) })
    }

    private static func part(_ prefix: String, of tallies: [String: Int64]) -> [String: Int64] {
        var part: [String: Int64] = [:]
        for (name, n) in tallies where name.hasPrefix(prefix) { part[String(name.dropFirst(prefix.count))] = n }
        return part
    }
}
