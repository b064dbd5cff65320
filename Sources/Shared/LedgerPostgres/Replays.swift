public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// Replays. A row in `replay` says how far one is; what it reopens and where it stands change in one transaction. A delivery
// that was delivered and is sent again stands in `resend`, so that it ends as delivered whatever the new try comes to.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    /// Rows looked at in one snapshot.
    static let page: Int64 = 10_000
    /// Rows looked at whose events are brought along.
    private static let heldPage: Int64 = 1_000

    public func begin(
        replay question: String, since: Timestamp, until: Timestamp, now: Timestamp
    ) throws(LedgerError) -> ReplayRow {
        try transaction("begin a replay") { connection throws(PostgresFailure) in
            var values = Parameters(since.milliseconds, until.milliseconds, now.milliseconds)
            values.add(question)
            var asked = Parameters()
            asked.add(question)
            let columns = "id, question, since, until, cursor, began, last, reopened, decided"
            let rows = try connection.run([
                .begin, Command("SELECT pg_advisory_xact_lock($1::int4, $2::int4)", Parameters(space, Gate.replays)),
                Command(
                    "SELECT \(columns) FROM replay WHERE question = $1 AND ended IS NULL ORDER BY id DESC LIMIT 1",
                    asked),
            ])[2]
            let row =
                try rows.isEmpty
                ? connection.run(
                    """
                    INSERT INTO replay (question, since, until, began, last)
                    VALUES ($4, $1, $2, $3, coalesce((SELECT max(id) FROM delivery), 0)) RETURNING \(columns)
                    """, values) : rows
            try connection.run([.commit])
            return ReplayRow(
                id: row.int(0, 0), question: row.text(0, 1), since: Timestamp(milliseconds: row.int(0, 2)),
                until: Timestamp(milliseconds: row.int(0, 3)), cursor: row.int(0, 4), last: row.int(0, 6),
                began: Timestamp(milliseconds: row.int(0, 5)), ended: nil, reopened: row.int(0, 7),
                decided: row.int(0, 8))
        }
    }

    public func owed(
        _ question: OwedQuestion, after cursor: DeliveryID, upTo last: DeliveryID?
    ) throws(LedgerError) -> OwedPage {
        try attempting("look for what is owed") { () throws(PostgresFailure) in
            let connection = try connection()
            let ends = try connection.run("SELECT min(id), max(id) FROM delivery")
            let newest = min(last ?? .max, ends.optionalInt(0, 1) ?? 0)
            let from = max(cursor, (ends.optionalInt(0, 0) ?? 0) - 1)
            var values = Self.values(question, from, min(newest, from + Self.page))
            values.add(question.states.map(\.code).sorted())
            values.add(question.includesDigested ? 1 as Int64 : 0)
            let rows = try connection.run(
                """
                SELECT d.id, d.key, l.workspace, l.target, d.state FROM delivery d JOIN event e ON e.seq = d.event
                    JOIN rule r ON r.id = d.rule JOIN lane l ON l.id = d.lane
                WHERE d.id > $1 AND d.id <= $2 AND d.state = ANY($8::int8[]) AND \(Self.asked)
                    AND ($9::int8 <> 0 OR d.state <> \(StateCode.withheld) OR d.reason <> '\(QuotaReason.digest)') ORDER BY d.id
                """, values)
            return OwedPage(
                rows: rows.indices.map { row in
                    OwedPage.Row(
                        id: rows.int(row, 0), key: Key(rows.halves(row, 1)), workspace: rows.text(row, 2),
                        target: rows.text(row, 3), state: DeliveryState(code: rows.int(row, 4)) ?? .pending)
                }, next: from + Self.page < newest ? from + Self.page : nil)
        }
    }

    public func held(
        _ question: OwedQuestion, for reasons: Set<Suppression>, after cursor: Int64
    ) throws(LedgerError) -> HeldPage {
        try attempting("look for what was held back") { () throws(PostgresFailure) in
            let connection = try connection()
            let ends = try connection.run("SELECT min(id), max(id) FROM suppressed")
            let newest = ends.optionalInt(0, 1) ?? 0
            let from = max(cursor, (ends.optionalInt(0, 0) ?? 0) - 1)
            let words = reasons.map { "'\($0.rawValue)'" }.sorted().joined(separator: ",")
            let found = try connection.run(
                """
                SELECT s.event, r.workspace, r.name, s.reason FROM suppressed s JOIN event e ON e.seq = s.event
                    JOIN rule r ON r.id = s.rule
                WHERE s.id > $1 AND s.id <= $2 AND s.reason = ANY(ARRAY[\(words)]::text[]) AND s.target IS NULL AND e.partition >= 0
                    AND \(Self.asked) ORDER BY s.id
                """, Self.values(question, from, min(newest, from + Self.heldPage)))
            var numbers = Parameters()
            numbers.add(found.indices.map { found.int($0, 0) })
            let events = try events(numbers, connection)
            let byNumber = Dictionary(events.map { ($0.number, $0) }, uniquingKeysWith: { one, _ in one })
            return HeldPage(
                rows: found.indices.compactMap { row in
                    byNumber[found.int(row, 0)].map {
                        HeldPage.Row(
                            event: $0, workspace: found.text(row, 1), rule: found.text(row, 2),
                            reason: found.text(row, 3))
                    }
                }, next: from + Self.heldPage < newest ? from + Self.heldPage : nil)
        }
    }

    /// What a question asks of `event e` and `rule r`, its values from the third on.
    private static let asked = """
        e.appended >= $3 AND e.appended < $4 AND ($5::text IS NULL OR e.workspace = $5 OR r.workspace = $5)
            AND ($6::text IS NULL OR r.name = $6 OR r.workspace || '/' || r.name = $6)
            AND ($7::text IS NULL OR e.subject = $7)
        """

    private static func values(_ question: OwedQuestion, _ after: Int64, _ last: Int64) -> Parameters {
        var values = Parameters(after, last, question.since.milliseconds, question.until.milliseconds)
        values.add(question.workspace)
        values.add(question.rule)
        values.add(question.subject)
        return values
    }

    public func reopen(
        _ deliveries: [DeliveryID], received: [DeliveryID], by revision: Revision?,
        of replay: (id: Int64, cursor: DeliveryID), now: Timestamp
    ) throws(LedgerError) -> Int {
        moment = now.milliseconds
        return try transaction("reopen deliveries") { connection throws(PostgresFailure) in
            let all = (deliveries + received).sorted()
            var ids = Parameters()
            ids.add(all)
            let rows = try connection.run([
                .begin, Order.lockLanes(of: all),
                Command("SELECT id, pair, state FROM delivery WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", ids),
            ])[2]
            let had = Set(received)
            var change = Reopening()
            for row in rows.indices {
                guard let state = DeliveryState(code: rows.int(row, 2)) else { continue }
                change.add(
                    rows.int(row, 0), pair: rows.optionalInt(row, 1), state, isReceived: had.contains(rows.int(row, 0)))
            }
            try connection.run(
                change.commands(by: revision, moment) + Order.arrange(change.pairs, moment) + [
                    Command(
                        "UPDATE replay SET cursor = greatest(cursor, $2), reopened = reopened + $3 WHERE id = $1",
                        Parameters(replay.id, replay.cursor, Int64(change.reopened.count)))
                ] + tallies(change.counts, connection) + [.commit])
            return change.reopened.count
        }
    }

    public func note(replay id: Int64, decided: Int64, ended: Bool, now: Timestamp) throws(LedgerError) {
        try transaction("note a replay's progress") { connection throws(PostgresFailure) in
            _ = try connection.run([
                .begin,
                Command(
                    """
                    UPDATE replay SET decided = decided + $2, ended = CASE $3::int8 WHEN 1 THEN $4::int8 ELSE ended END
                    WHERE id = $1
                    """, Parameters(id, decided, ended ? 1 : 0, now.milliseconds)), .commit,
            ])
        }
    }

    /// Makes those that ended otherwise delivered again, when they were so before and were only sent again.
    ///
    /// Answers their states before, with how many there were.
    static func keepDelivered(_ deliveries: [DeliveryID]) -> [Command] {
        guard !deliveries.isEmpty else { return [] }
        var values = Parameters()
        values.add(deliveries)
        return [
            Command(
                """
                WITH resent AS (
                    SELECT d.id, d.state FROM delivery d JOIN resend r ON r.delivery = d.id
                    WHERE d.id = ANY($1) AND d.state > 2),
                kept AS (UPDATE delivery SET state = 2 FROM resent WHERE delivery.id = resent.id)
                SELECT state, count(*) FROM resent GROUP BY state
                """, values)
        ]
    }

    /// How the running counts change by what `keepDelivered` answers.
    static func kept(_ rows: Rows) -> [String: Int] {
        var changes: [String: Int] = [:]
        for row in rows.indices {
            let state = DeliveryState(code: rows.int(row, 0))?.rawValue ?? "unknown"
            changes["delivery.\(state)", default: 0] -= Int(rows.int(row, 1))
            changes["delivery.delivered", default: 0] += Int(rows.int(row, 1))
        }
        return changes
    }

    /// `keepDelivered` with its counts.
    func keepDelivered(_ deliveries: [DeliveryID], _ connection: Connection) throws(PostgresFailure) {
        for rows in try connection.run(Self.keepDelivered(deliveries)) {
            try connection.run(tallies(Self.kept(rows), connection))
        }
    }
}

/// What a replay makes of deliveries as they stand.
private struct Reopening {
    private(set) var reopened: [DeliveryID] = []
    private var resent: [DeliveryID] = []
    private var received: [DeliveryID] = []
    private(set) var pairs: [Int64] = []
    private(set) var counts: [String: Int] = [:]

    /// Takes one: what is open is left alone, unless the receiver has it.
    mutating func add(_ id: DeliveryID, pair: Int64?, _ state: DeliveryState, isReceived: Bool) {
        guard isReceived ? state != .delivered : state != .pending && state != .leased else { return }
        if isReceived { received.append(id) } else { reopened.append(id) }
        if state == .delivered { resent.append(id) }
        counts["delivery.\(state.rawValue)", default: 0] -= 1
        counts["delivery.\(isReceived ? "delivered" : "pending")", default: 0] += 1
        if let pair { pairs.append(pair) }
    }

    func commands(by revision: Revision?, _ now: Int64) -> [Command] {
        var open = Parameters()
        open.add(reopened)
        open.add(now)
        open.add(revision)
        var yes = Parameters()
        yes.add(received)
        yes.add(now)
        var again = Parameters()
        again.add(resent)
        return [
            Command("INSERT INTO resend SELECT unnest($1::int8[]) ON CONFLICT DO NOTHING", again),
            // A new round with its own time to give up and to expire; the history of attempts goes on.
            Command(
                """
                UPDATE delivery SET state = 0, session = 0, round = $2, settled = NULL, reason = '', via = NULL,
                    revision = coalesce($3::int8, revision), not_before = NULL,
                    expires = CASE expires WHEN 0 THEN $2 + 86400000 ELSE greatest(expires, $2 + expires - round) END,
                    due = CASE WHEN pair IS NULL THEN $2 END
                WHERE id = ANY($1)
                """, open),
            Command(
                """
                UPDATE delivery SET state = 2, session = 0, due = NULL, not_before = NULL, settled = $2, reason = '',
                    status = 0 WHERE id = ANY($1)
                """, yes),
        ]
    }
}
