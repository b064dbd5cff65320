public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// P3, counted. What retention removed lives on as sums under `retired.*` in `tally`, so the law holds over all time.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func status(now: Timestamp) throws(LedgerError) -> LedgerStatus {
        try attempting("read the status") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let tallies = try tallies()
                return LedgerStatus(
                    revision: try storedRevision(), positions: try positions(),
                    deliveries: Self.part("delivery.", of: tallies),
                    oldestPending: try database.int("SELECT min(round) FROM delivery WHERE state < 2"),
                    parked: try database.int("SELECT count(*) FROM parked") ?? 0,
                    suppressed: Self.part("suppressed.", of: tallies), workers: try workers(now),
                    endpoints: try endpointRows(of: nil))
            }
        }
    }

    public func verify(now: Timestamp) throws(LedgerError) -> Conservation {
        try attempting("verify") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in try count(now) }
        }
    }

    private func count(_ now: Timestamp) throws(SQLiteFailure) -> Conservation {
        let tallies = try tallies()
        let sums = try batchSums(tallies)
        var states: [String: Int64] = [:]
        let query = try database.prepare("SELECT state, count(*) FROM delivery GROUP BY state")
        while try query.step() {
            states[DeliveryState(code: query.int(0))?.rawValue ?? "unknown", default: 0] += query.int(1)
        }
        var law = Conservation(
            read: sums.read, unmatched: sums.unmatched, matched: sums.matched, duplicate: sums.duplicate,
            parked: sums.parked, lost: sums.gap, selected: sums.selected,
            notified: try retired("notified", tallies) + int("SELECT count(*) FROM delivery WHERE part = 0"),
            suppressed: try retired("suppressed", tallies) + int("SELECT count(*) FROM suppressed"),
            deliveries: states, residue: [])
        try balance(&law, tallies)
        try lookAtPositions(&law)
        try lookAtRows(&law)
        return law
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

    private func balance(_ law: inout Conservation, _ tallies: [String: Int64]) throws(SQLiteFailure) {
        func demand(_ left: Int64, _ right: Int64, _ words: String) {
            if left != right { law.residue.append("\(words): \(left) ≠ \(right)") }
        }
        demand(
            law.read, law.unmatched + law.matched + law.duplicate + law.parked,
            "records read = unmatched + matched + duplicate + parked")
        demand(
            law.matched, try retired("matched", tallies) + int("SELECT count(*) FROM event"), "matched = events kept")
        demand(law.parked, try retired("parked", tallies) + int("SELECT count(*) FROM parked"), "parked = records kept")
        demand(law.selected, law.notified + law.suppressed, "selected = notified + suppressed")
        demand(tallies["suppressed"] ?? 0, law.suppressed, "tally of suppressed = rows")
        demand(
            tallies["suppressed"] ?? 0, Self.part("suppressed.", of: tallies).values.reduce(0, +),
            "suppressed = the sum of its reasons")
        let counted = try seen.counts()
        demand(counted.said, counted.held, "keys of segments")
        for state in DeliveryState.allCases {
            demand(
                tallies["delivery.\(state.rawValue)"] ?? 0,
                (tallies["retired.delivery.\(state.rawValue)"] ?? 0) + (law.deliveries[state.rawValue] ?? 0),
                "tally of \(state.rawValue) deliveries = rows")
        }
    }

    /// The batches of a partition follow each other without a hole up to the position.
    private func lookAtPositions(_ law: inout Conservation) throws(SQLiteFailure) {
        let query = try database.prepare(
            """
            SELECT b.stream, b.partition, b.first, b.next, b.read + b.gap, p.next FROM batch b
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
            // Kafka gives offsets away that no record has: to the marks of transactions, to what compaction removes.
            let hasHoles = query.text(0).hasPrefix("kafka")
            let span = query.int(3) - query.int(2)
            if hasHoles ? span < query.int(4) : span != query.int(4) {
                law.residue.append(
                    "\(place): batch at \(query.int(2)) counts \(query.int(4)) of \(query.int(3) - query.int(2))")
            }
            last = (place, query.int(3), query.int(5))
        }
        finish()
    }

    /// Every delivery is on its way, waits for a time, waits for one of its pair that does, or has ended.
    private func lookAtRows(_ law: inout Conservation) throws(SQLiteFailure) {
        let checks = [
            (
                "deliveries without event or rule",
                """
                SELECT count(*) FROM delivery d WHERE NOT EXISTS (SELECT 1 FROM event WHERE seq = d.event)
                    OR NOT EXISTS (SELECT 1 FROM rule WHERE id = d.rule)
                """
            ),
            (
                "leased deliveries without a session",
                "SELECT count(*) FROM delivery WHERE state = 1 AND session NOT IN (SELECT id FROM session)"
            ),
            (
                "leased deliveries that a death would not free",
                "SELECT count(*) FROM delivery d JOIN session s ON s.id = d.session WHERE d.state = 1 AND d.id < s.lowest"
            ),
            (
                "pending deliveries that nothing will wake",
                """
                SELECT count(*) FROM delivery d WHERE state < 2 AND state = 0 AND NOT EXISTS (
                        SELECT 1 FROM due WHERE lane = d.lane AND at = d.due AND delivery = d.id)
                    AND NOT EXISTS (
                        SELECT 1 FROM delivery h WHERE h.state < 2 AND h.pair = d.pair AND h.id <> d.id
                            AND (h.state = 1 OR h.due IS NOT NULL))
                """
            ),
            (
                "due times without a pending delivery",
                """
                SELECT count(*) FROM due WHERE NOT EXISTS (
                    SELECT 1 FROM delivery d WHERE d.id = due.delivery AND d.state = 0 AND d.due = due.at)
                """
            ),
        ]
        for (words, sql) in checks {
            let count = try int(sql)
            if count != 0 { law.residue.append("\(words): \(count)") }
        }
        let orphans = try orphanedSends()
        if orphans != 0 { law.residue.append("open sends of quotas that nothing will settle: \(orphans)") }
    }

    private func int(_ sql: String) throws(SQLiteFailure) -> Int64 { try database.int(sql) ?? 0 }

    private func retired(_ name: String, _ tallies: [String: Int64]) throws(SQLiteFailure) -> Int64 {
        tallies["retired.\(name)"] ?? 0
    }

    private func tallies() throws(SQLiteFailure) -> [String: Int64] {
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

    private func positions() throws(SQLiteFailure) -> [LedgerStatus.PositionRow] {
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
