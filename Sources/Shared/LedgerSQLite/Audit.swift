public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// The conservation law over a window, a page of rows in a snapshot of its own. Batches grow for an hour at most, so a window
// begins and ends with hours, and of a window that is over nothing is added while it is counted.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func batches(since: Timestamp, until: Timestamp) throws(LedgerError) -> Conservation {
        let window = AuditWindow(since, until)
        let (first, end) = (window.first, window.end)
        return try attempting("sum up batches") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let query = try database.prepare(
                    """
                    SELECT total(read), total(unmatched), total(matched), total(duplicate), total(parked), total(gap),
                        total(selected) FROM batch WHERE at >= ? AND at < ?
                    """)
                query.bind(1, first)
                query.bind(2, end)
                _ = try query.step()
                var law = Conservation(
                    read: query.int(0), unmatched: query.int(1), matched: query.int(2), duplicate: query.int(3),
                    parked: query.int(4), lost: query.int(5), selected: query.int(6), notified: 0,
                    suppressed: try count("suppressed", first, end), deliveries: [:], residue: [])
                law.grouped = try count("member", first, end)
                law.compareRecords(parkedKept: try count("parked", first, end))
                return law
            }
        }
    }

    private func count(_ table: StaticString, _ first: Int64, _ end: Int64) throws(SQLiteFailure) -> Int64 {
        let query = try database.prepare("SELECT count(*) FROM \(table) WHERE at >= ? AND at < ?")
        query.bind(1, first)
        query.bind(2, end)
        return try query.step() ? query.int(0) : 0
    }

    public func audit(
        since: Timestamp, until: Timestamp, after cursor: DeliveryID, upTo last: DeliveryID?, now: Timestamp
    ) throws(LedgerError) -> AuditPage {
        let window = AuditWindow(since, until)
        let (first, end) = (window.first, window.end)
        return try attempting("audit deliveries") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let newest = min(last ?? .max, try database.int("SELECT max(id) FROM delivery") ?? 0)
                let from = max(cursor, (try database.int("SELECT min(id) FROM delivery") ?? (newest + 1)) - 1)
                var page = AuditPage(
                    behind: from, states: [:], notified: 0, residue: [], delivered: [],
                    next: from + Self.page < newest ? from + Self.page : nil)
                if from > cursor { page.tallies = try storedTallies() }
                let query = try rows(behind: from, upTo: min(newest, from + Self.page), first, end)
                while try query.step() {
                    let key = query.halves(2)
                    page.add(
                        Key(high: key.high, low: key.low), DeliveryState(code: query.int(0)) ?? .pending,
                        isFirst: query.int(1) == 0,
                        faults: AuditPage.Fault.allCases.filter { query.int(3 + Int32($0.rawValue)) != 0 })
                }
                return page
            }
        }
    }

    /// Each delivery with what is wrong with it, as numbers that are zero when all is well.
    private func rows(
        behind cursor: DeliveryID, upTo last: DeliveryID, _ first: Int64, _ end: Int64
    ) throws(SQLiteFailure) -> Statement {
        let query = try database.prepare(
            """
            SELECT d.state, d.part, d.key,
                NOT EXISTS (SELECT 1 FROM event WHERE seq = d.event),
                NOT EXISTS (SELECT 1 FROM rule WHERE id = d.rule),
                d.state = 1 AND NOT EXISTS (SELECT 1 FROM session WHERE id = d.session),
                d.state = 1 AND EXISTS (SELECT 1 FROM session WHERE id = d.session AND d.id < lowest),
                d.state = 0 AND NOT EXISTS (
                        SELECT 1 FROM due WHERE lane = d.lane AND at = d.due AND delivery = d.id)
                    AND NOT EXISTS (
                        SELECT 1 FROM delivery h WHERE h.state < 2 AND h.pair = d.pair AND h.id <> d.id
                            AND (h.state = 1 OR h.due IS NOT NULL)),
                d.state <> 0 AND d.due IS NOT NULL
            FROM delivery d WHERE d.id > ? AND d.id <= ? AND d.decided >= ? AND d.decided < ? ORDER BY d.id
            """)
        query.bind(1, cursor)
        query.bind(2, last)
        query.bind(3, first)
        query.bind(4, end)
        return query
    }

    public func count(
        _ table: VerificationStart.Table, after cursor: Int64, upTo last: Int64
    ) throws(LedgerError) -> CountedPiece {
        let (name, id) = table.columns
        // What groups say are events of their own, which no batch has read.
        let isCounted = table == .matched ? "partition <> \(Self.groupPartition)" : "1"
        return try attempting("count \(name)") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let oldest = try database.int("SELECT min(\(id)) FROM \(name)") ?? (last + 1)
                let from = max(cursor, oldest - 1)
                let end = min(last, from + Self.page)
                let query = try database.prepare(
                    "SELECT count(*) FROM \(name) WHERE \(id) > ? AND \(id) <= ? AND \(isCounted)")
                query.bind(1, from)
                query.bind(2, end)
                _ = try query.step()
                return CountedPiece(
                    count: query.int(0), behind: from,
                    retired: try database.int("SELECT n FROM tally WHERE name = 'retired.\(table.rawValue)'") ?? 0,
                    next: end < last ? end : nil)
            }
        }
    }

    /// First the segments of keys, one at a time, then the due-time table, then groups, then digests.
    public func verifyRest(after cursor: [Int64]) throws(LedgerError) -> (residue: [String], next: [Int64]?) {
        try attempting("verify keys and times") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                if cursor.count == 3 { return try strayTimes(after: cursor) }
                if cursor.count == 2 {
                    let (residue, next) = try groupResidue(after: cursor[1])
                    return (residue, next.map { [0, $0] } ?? [0, 0, 0, 0])
                }
                if cursor.count == 4 {
                    let (residue, next) = try digestResidue(after: cursor[3])
                    return (residue, next.map { [0, 0, 0, $0] })
                }
                guard let (id, said, held) = try seen.counts(after: cursor.first ?? -1) else {
                    return ([], [.min, .min, .min])
                }
                return (said == held ? [] : ["keys of segment \(id): \(said) ≠ \(held)"], [id])
            }
        }
    }

    private func strayTimes(
        after cursor: [Int64]
    ) throws(SQLiteFailure) -> (residue: [String], next: [Int64]?) {
        let query = try database.prepare(
            """
            SELECT lane, at, delivery, CASE lane
                WHEN \(Self.groupLane) THEN EXISTS (SELECT 1 FROM grp g WHERE g.id = due.delivery AND g.due = due.at)
                WHEN \(Self.digestLane) THEN EXISTS (
                    SELECT 1 FROM digest x WHERE x.id = due.delivery AND x.due = due.at)
                ELSE EXISTS (SELECT 1 FROM delivery d WHERE d.id = due.delivery AND d.state = 0 AND d.due = due.at) END
            FROM due WHERE (lane, at, delivery) > (?1, ?2, ?3) ORDER BY lane, at, delivery LIMIT \(Self.page)
            """)
        for (index, number) in cursor.enumerated() { query.bind(Int32(index + 1), number) }
        var lines: [String] = []
        var next: [Int64]?
        while try query.step() {
            next = [query.int(0), query.int(1), query.int(2)]
            if query.int(3) == 0 {
                lines.append("a due time of number \(query.int(2)) at \(query.int(1)) has no pending delivery")
            }
        }
        return (lines, next ?? [0, 0])
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
