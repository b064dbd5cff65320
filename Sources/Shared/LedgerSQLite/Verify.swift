public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// What `status` and `verify` begin with. What retention removed lives on as sums under `retired.*` in `tally`, so the law holds over all time.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func status(now: Timestamp) throws(LedgerError) -> LedgerStatus {
        try attempting("read the status") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let tallies = try storedTallies()
                return LedgerStatus(
                    revision: try storedRevision(), positions: try storedPositions(),
                    deliveries: Self.part("delivery.", of: tallies),
                    oldestPending: try database.int("SELECT min(round) FROM delivery WHERE state < 2"),
                    parked: try database.int("SELECT count(*) FROM parked") ?? 0,
                    suppressed: Self.part("suppressed.", of: tallies), workers: try workers(now),
                    endpoints: try endpointRows(of: nil))
            }
        }
    }

    public func beginVerification(now: Timestamp) throws(LedgerError) -> VerificationStart {
        try attempting("begin to verify") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let tallies = try storedTallies()
                let sums = try batchSums(tallies)
                var law = Conservation(
                    read: sums.read, unmatched: sums.unmatched, matched: sums.matched, duplicate: sums.duplicate,
                    parked: sums.parked, lost: sums.gap, selected: sums.selected, notified: 0, suppressed: 0,
                    deliveries: [:], residue: [])
                try lookAtPositions(&law)
                let orphans = try orphanedSends()
                if orphans != 0 { law.residue.append("open sends of quotas that nothing will settle: \(orphans)") }
                func ends(_ table: String, _ id: String) throws(SQLiteFailure) -> (before: Int64, last: Int64) {
                    let first = try database.int("SELECT min(\(id)) FROM \(table)")
                    return ((first ?? 1) - 1, try database.int("SELECT max(\(id)) FROM \(table)") ?? 0)
                }
                return VerificationStart(
                    law: law, tallies: tallies,
                    ends: [
                        .matched: try ends("event", "seq"), .suppressed: try ends("suppressed", "id"),
                        .grouped: try ends("member", "id"),
                        .parked: try ends("parked", "id"), .notified: try ends("delivery", "id"),
                    ])
            }
        }
    }

    public func tallies() throws(LedgerError) -> [String: Int64] {
        try attempting("read the running counts") { () throws(SQLiteFailure) in try storedTallies() }
    }

    private struct BatchSums {
        var read, gap, unmatched, matched, duplicate, parked, selected: Int64
    }

    private func batchSums(_ tallies: [String: Int64]) throws(SQLiteFailure) -> BatchSums {
        let query = try database.prepare(
            """
            SELECT total(read), total(gap), total(unmatched), total(matched), total(duplicate), total(parked),
                total(selected) FROM batch
            """)
        _ = try query.step()
        func sum(_ column: Int32, _ name: String) -> Int64 {
            query.int(column) + (tallies["retired.batch.\(name)"] ?? 0)
        }
        return BatchSums(
            read: sum(0, "read"), gap: sum(1, "gap"), unmatched: sum(2, "unmatched"), matched: sum(3, "matched"),
            duplicate: sum(4, "duplicate"), parked: sum(5, "parked"), selected: sum(6, "selected"))
    }

    /// The batches of a partition follow each other without a hole up to the position.
    ///
    /// Kafka gives offsets away that no record has: to the marks of transactions, to what compaction removes. Each batch counts
    /// its own; those of before they were counted have no number, and may lack some.
    private func lookAtPositions(_ law: inout Conservation) throws(SQLiteFailure) {
        let query = try database.prepare(
            """
            SELECT b.stream, b.partition, b.first, b.next, b.read + b.gap + ifnull(b.holes, 0), p.next,
                b.holes IS NULL AND b.stream LIKE 'kafka%' FROM batch b
            LEFT JOIN position p ON p.stream = b.stream AND p.partition = b.partition
            ORDER BY b.stream, b.partition, b.first
            """)
        var last: (place: String, next: Int64, position: Int64)?
        func finish() {
            if let last, last.next != last.position {
                law.residue.append("\(last.place): batches end at \(last.next), the position is \(last.position)")
            }
        }
        while try query.step() {
            let place = "\(query.text(0))/\(query.int(1))"
            if let known = last, known.place == place {
                if known.next != query.int(2) {
                    law.residue.append("\(place): no batch for \(known.next)..<\(query.int(2))")
                }
            } else {
                finish()
            }
            let isOld = query.int(6) != 0
            let span = query.int(3) - query.int(2)
            if isOld ? span < query.int(4) : span != query.int(4) {
                law.residue.append(
                    "\(place): batch at \(query.int(2)) counts \(query.int(4)) of \(query.int(3) - query.int(2))")
            }
            last = (place, query.int(3), query.int(5))
        }
        finish()
    }

    func storedTallies() throws(SQLiteFailure) -> [String: Int64] {
        let query = try database.prepare("SELECT name, n FROM tally")
        var tallies: [String: Int64] = [:]
        while try query.step() { tallies[query.text(0)] = query.int(1) }
        return tallies
    }

    private static func part(_ prefix: String, of tallies: [String: Int64]) -> [String: Int64] {
        var part: [String: Int64] = [:]
        for (name, n) in tallies where name.hasPrefix(prefix) { part[String(name.dropFirst(prefix.count))] = n }
        return part
    }

    func storedPositions() throws(SQLiteFailure) -> [LedgerStatus.PositionRow] {
        let query = try database.prepare("SELECT stream, partition, next FROM position ORDER BY stream, partition")
        var rows: [LedgerStatus.PositionRow] = []
        while try query.step() {
            rows.append(.init(stream: query.text(0), partition: Int32(query.int(1)), next: query.int(2)))
        }
        return rows
    }

    private func workers(_ now: Timestamp) throws(SQLiteFailure) -> [LedgerStatus.WorkerRow] {
        let query = try database.prepare(
            """
            SELECT id, name, until, lock,
                (SELECT count(*) FROM delivery WHERE delivery.id >= session.lowest AND state = 1
                    AND delivery.session = session.id) FROM session
            """)
        var rows: [LedgerStatus.WorkerRow] = []
        while try query.step() {
            let alive = query.int(2) >= now.milliseconds && liveness.isAlive(query.text(3))
            rows.append(
                .init(
                    session: query.int(0), name: query.text(1), until: query.int(2), alive: alive, leased: query.int(4))
            )
        }
        return rows
    }
}
