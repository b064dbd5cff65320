public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// Replays. A row in `replay` says how far one is; what it reopens and where it stands change in one transaction. A delivery
// that was delivered and is sent again stands in `resend`, so that it ends as delivered whatever the new try comes to.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    /// Rows looked at in one snapshot.
    static let page: Int64 = 10_000
    /// Rows looked at whose events are brought along.
    private static let heldPage: Int64 = 1_000

    public func begin(
        replay question: String, since: Timestamp, until: Timestamp, now: Timestamp
    ) throws(LedgerError) -> ReplayRow {
        try transaction(.machine, "begin a replay") { () throws(SQLiteFailure) in
            let query = try database.statement(
                """
                SELECT id, question, since, until, cursor, began, last, reopened, decided FROM replay
                WHERE question = ? AND ended IS NULL ORDER BY id DESC LIMIT 1
                """)
            query.bind(1, question)
            defer { query.reset() }
            if try query.step() {
                return ReplayRow(
                    id: query.int(0), question: query.text(1), since: Timestamp(milliseconds: query.int(2)),
                    until: Timestamp(milliseconds: query.int(3)), cursor: query.int(4), last: query.int(6),
                    began: Timestamp(milliseconds: query.int(5)), ended: nil, reopened: query.int(7),
                    decided: query.int(8))
            }
            let insert = try database.statement(
                "INSERT INTO replay (question, since, until, began, last) VALUES (?, ?, ?, ?, ?)")
            let last = try database.int("SELECT max(id) FROM delivery") ?? 0
            insert.bind(1, question)
            insert.bind(2, since.milliseconds)
            insert.bind(3, until.milliseconds)
            insert.bind(4, now.milliseconds)
            insert.bind(5, last)
            try insert.run()
            return ReplayRow(
                id: database.lastInserted, question: question, since: since, until: until, cursor: 0, last: last,
                began: now,
                ended: nil, reopened: 0, decided: 0)
        }
    }

    public func owed(
        _ question: OwedQuestion, after cursor: DeliveryID, upTo last: DeliveryID?
    ) throws(LedgerError) -> OwedPage {
        try attempting("look for what is owed") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let newest = min(last ?? .max, try database.int("SELECT max(id) FROM delivery") ?? 0)
                let first = try database.int("SELECT min(id) FROM delivery") ?? 0
                let from = max(cursor, first - 1)
                let query = try select(question, after: from, upTo: min(newest, from + Self.page))
                var rows: [OwedPage.Row] = []
                while try query.step() {
                    let key = query.halves(1)
                    rows.append(
                        OwedPage.Row(
                            id: query.int(0), key: Key(high: key.high, low: key.low), workspace: query.text(2),
                            target: query.text(3), state: DeliveryState(code: query.int(4)) ?? .pending))
                }
                return OwedPage(rows: rows, next: from + Self.page < newest ? from + Self.page : nil)
            }
        }
    }

    private func select(
        _ question: OwedQuestion, after cursor: DeliveryID, upTo last: DeliveryID
    ) throws(SQLiteFailure) -> Statement {
        let states = question.states.map { String($0.code) }.sorted().joined(separator: ",")
        let query = try database.prepare(
            """
            SELECT d.id, d.key, l.workspace, l.target, d.state FROM delivery d JOIN event e ON e.seq = d.event
                JOIN rule r ON r.id = d.rule JOIN lane l ON l.id = d.lane
            WHERE d.id > ?1 AND d.id <= ?2 AND d.state IN (\(states)) AND \(Self.asked)
                AND (?8 OR d.state <> \(StateCode.withheld) OR d.reason <> '\(QuotaReason.digest)') ORDER BY d.id
            """)
        query.bind(1, cursor)
        query.bind(2, last)
        bind(question, to: query)
        query.bind(8, Int64(question.includesDigested ? 1 : 0))
        return query
    }

    public func held(
        _ question: OwedQuestion, for reasons: Set<Suppression>, after cursor: Int64
    ) throws(LedgerError) -> HeldPage {
        try attempting("look for what was held back") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let newest = try database.int("SELECT max(id) FROM suppressed") ?? 0
                let from = max(cursor, (try database.int("SELECT min(id) FROM suppressed") ?? 0) - 1)
                let words = reasons.map { "'\($0.rawValue)'" }.sorted().joined(separator: ",")
                let query = try database.prepare(
                    """
                    SELECT s.event, r.workspace, r.name, s.reason FROM suppressed s JOIN event e ON e.seq = s.event
                        JOIN rule r ON r.id = s.rule
                    WHERE s.id > ?1 AND s.id <= ?2 AND s.reason IN (\(words)) AND s.target IS NULL
                        AND e.partition >= 0 AND \(Self.asked) ORDER BY s.id
                    """)
                query.bind(1, from)
                query.bind(2, min(newest, from + Self.heldPage))
                bind(question, to: query)
                var rows: [HeldPage.Row] = []
                while try query.step() {
                    guard let event = try event(query.int(0)) else { continue }
                    rows.append(
                        HeldPage.Row(
                            event: event, workspace: query.text(1), rule: query.text(2), reason: query.text(3)))
                }
                return HeldPage(rows: rows, next: from + Self.heldPage < newest ? from + Self.heldPage : nil)
            }
        }
    }

    /// What a question asks of `event e` and `rule r`, its values from the third on.
    private static let asked = """
        e.appended >= ?3 AND e.appended < ?4 AND (?5 IS NULL OR e.workspace = ?5 OR r.workspace = ?5)
            AND (?6 IS NULL OR r.name = ?6 OR r.workspace || '/' || r.name = ?6) AND (?7 IS NULL OR e.subject = ?7)
        """

    private func bind(_ question: OwedQuestion, to query: Statement) {
        query.bind(3, question.since.milliseconds)
        query.bind(4, question.until.milliseconds)
        query.bind(5, question.workspace)
        query.bind(6, question.rule)
        query.bind(7, question.subject)
    }

    public func reopen(
        _ deliveries: [DeliveryID], received: [DeliveryID], by revision: Revision?,
        of replay: (id: Int64, cursor: DeliveryID), now: Timestamp
    ) throws(LedgerError) -> Int {
        try transaction(.machine, "reopen deliveries") { () throws(SQLiteFailure) in
            var count = 0
            for id in deliveries where try reopen(id, by: revision, now) { count += 1 }
            for id in received {
                guard let from = try deliverLate(id, status: 0, now.milliseconds) else { continue }
                try moved(from, .delivered, 1)
                try freeNext(after: id, now.milliseconds)
            }
            let note = try database.statement(
                "UPDATE replay SET cursor = max(cursor, ?2), reopened = reopened + ?3 WHERE id = ?1")
            note.bind(1, replay.id)
            note.bind(2, replay.cursor)
            note.bind(3, Int64(count))
            try note.run()
            return count
        }
    }

    private func reopen(_ id: DeliveryID, by revision: Revision?, _ now: Timestamp) throws(SQLiteFailure) -> Bool {
        let query = try database.statement("SELECT lane, state FROM delivery WHERE id = ?")
        query.bind(1, id)
        defer { query.reset() }
        guard try query.step(), let state = DeliveryState(code: query.int(1)), state != .pending, state != .leased
        else { return false }
        if state == .delivered {
            let keep = try database.statement("INSERT OR IGNORE INTO resend VALUES (?)")
            keep.bind(1, id)
            try keep.run()
        }
        if let revision {
            let set = try database.statement("UPDATE delivery SET revision = ?2 WHERE id = ?1")
            set.bind(1, id)
            set.bind(2, revision)
            try set.run()
        }
        try reopen(Reopened(id: id, lane: query.int(0), due: nil, state: state), now.milliseconds)
        return true
    }

    public func note(replay id: Int64, decided: Int64, ended: Bool, now: Timestamp) throws(LedgerError) {
        try transaction(.machine, "note a replay's progress") { () throws(SQLiteFailure) in
            let note = try database.statement(
                "UPDATE replay SET decided = decided + ?2, ended = iif(?3, ?4, ended) WHERE id = ?1")
            note.bind(1, id)
            note.bind(2, decided)
            note.bind(3, Int64(ended ? 1 : 0))
            note.bind(4, now.milliseconds)
            try note.run()
        }
    }

    /// Makes one that ended otherwise delivered again, when it was so before and was only sent again.
    func keepDelivered(_ delivery: DeliveryID) throws(SQLiteFailure) -> Bool {
        let update = try database.fixed(
            "UPDATE delivery SET state = 2 WHERE id = ?1 AND EXISTS (SELECT 1 FROM resend WHERE delivery = ?1)")
        update.bind(1, delivery)
        try update.run()
        return database.changes == 1
    }
}
