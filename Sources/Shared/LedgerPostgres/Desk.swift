public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger: LedgerDesk {
    /// A rule's name, with its workspace before it when that is not the event's.
    private static let ruleName =
        "CASE WHEN r.workspace = e.workspace THEN r.name ELSE r.workspace || '/' || r.name END"

    public func deliveries(_ filter: DeliveryFilter) throws(LedgerError) -> [DeliveryRow] {
        try attempting("list deliveries") { () throws(PostgresFailure) in
            let connection = try connection()
            let query = try select(
                """
                d.id, d.key, e.workspace, \(Self.ruleName), l.target, e.type, e.subject, d.state, d.attempts, d.reason,
                    d.decided, d.due, d.settled, d.via
                """, filter, connection)
            let rows = try connection.run([query])[0]
            return rows.indices.map { Self.row(rows, $0) }
        }
    }

    private static func row(_ rows: Rows, _ row: Int) -> DeliveryRow {
        var delivery = DeliveryRow(
            id: rows.int(row, 0), key: Key(rows.halves(row, 1)).description, workspace: rows.text(row, 2),
            rule: rows.text(row, 3), target: rows.text(row, 4), type: rows.text(row, 5),
            subject: rows.optionalText(row, 6), state: DeliveryState(code: rows.int(row, 7)) ?? .pending,
            attempts: Int(rows.int(row, 8)), reason: rows.text(row, 9), decidedAt: rows.int(row, 10),
            dueAt: rows.optionalInt(row, 11), settledAt: rows.optionalInt(row, 12))
        delivery.via = rows.optionalText(row, 13)
        return delivery
    }

    public func suppressed(_ filter: DeliveryFilter) throws(LedgerError) -> [SuppressedRow] {
        guard filter.state == nil else { return [] }
        return try attempting("list what was suppressed") { () throws(PostgresFailure) in
            var conditions = Conditions(filter, reason: "s.reason")
            conditions.since("s.at", filter.since)
            conditions.contact("s.target", filter.contact)
            conditions.key("s.earlier", filter.key)
            let connection = try connection()
            if let event = filter.event {
                let span = try span(of: "suppressed", event, connection)
                conditions.demand(
                    "s.id >= \(span.lowerBound) AND s.id <= \(span.upperBound) AND s.event = \(event)")
            }
            let rows = try connection.run(
                """
                SELECT e.workspace, \(Self.ruleName), e.type, e.subject, s.reason, s.at, e.bytes, s.earlier, s.by,
                    s.target
                FROM suppressed s JOIN event e ON e.seq = s.event JOIN rule r ON r.id = s.rule
                WHERE \(conditions.sql) ORDER BY s.id DESC LIMIT \(filter.limit)
                """, conditions.values)
            return rows.indices.map { row in
                SuppressedRow(
                    workspace: rows.text(row, 0), rule: rows.text(row, 1), type: rows.text(row, 2),
                    subject: rows.optionalText(row, 3), reason: rows.text(row, 4),
                    by: rows.isNull(row, 7) ? rows.optionalText(row, 8) : Key(rows.halves(row, 7)).description,
                    target: rows.optionalText(row, 9), decidedAt: rows.int(row, 5), event: rows.blob(row, 6))
            }
        }
    }

    public func touch(now: Timestamp) throws(LedgerError) {
        try transaction("be written") { connection throws(PostgresFailure) in
            _ = try connection.run([
                .begin, .lazily,
                Command(
                    """
                    INSERT INTO meta VALUES ('touched', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value
                    """, Parameters(now.milliseconds)), .commit,
            ])
        }
    }

    public func attempts(of delivery: DeliveryID) throws(LedgerError) -> [AttemptRow] {
        try attempting("list the attempts of \(delivery)") { () throws(PostgresFailure) in
            let rows = try connection().run(
                "SELECT number, at, reason, status, words FROM attempt WHERE delivery = $1 ORDER BY number",
                Parameters(delivery))
            return rows.indices.map { row in
                AttemptRow(
                    number: Int(rows.int(row, 0)), at: rows.int(row, 1), reason: rows.text(row, 2),
                    status: Int(rows.int(row, 3)), words: rows.text(row, 4))
            }
        }
    }

    public func inbox(
        of target: String, in workspace: String, limit: Int
    ) throws(LedgerError) -> [InboxRow] {
        let pages = try attempting("list the inbox of \(target)") { () throws(PostgresFailure) in
            var values = Parameters()
            values.add(workspace)
            values.add(target)
            values.add(Int64(limit))
            let rows = try connection().run(
                """
                SELECT d.key, i.at, i.title, i.message, i.severity, i.url FROM inbox i
                JOIN delivery d ON d.id = i.delivery
                WHERE i.lane = (SELECT id FROM lane WHERE workspace = $1 AND target = $2)
                ORDER BY i.delivery DESC LIMIT $3
                """, values)
            return rows.indices.map { row in
                InboxRow(
                    key: Key(rows.halves(row, 0)).description, at: rows.int(row, 1),
                    page: InboxPage(
                        title: rows.text(row, 2), message: rows.text(row, 3), severity: rows.text(row, 4),
                        url: rows.optionalText(row, 5)))
            }
        }
        return pages.with(try quotaNotices(of: workspace, limit: 1_000), of: target, limit: limit)
    }

    public func event(of delivery: DeliveryID) throws(LedgerError) -> [UInt8]? {
        try attempting("read the event of \(delivery)") { () throws(PostgresFailure) in
            let rows = try connection().run(
                "SELECT bytes FROM event WHERE seq = (SELECT event FROM delivery WHERE id = $1)", Parameters(delivery))
            return rows.isEmpty ? nil : rows.blob(0, 0)
        }
    }

    public func retry(_ filter: DeliveryFilter, now: Timestamp) throws(LedgerError) -> Int {
        moment = now.milliseconds
        return try transaction("retry deliveries") { connection throws(PostgresFailure) in
            let chosen = try choose(filter, connection)
            let waiting = chosen.filter { $0.state == .pending && $0.due != nil }
            let ended = chosen.filter { [.dead, .expired, .cancelled, .withheld].contains($0.state) }
            var values = Parameters()
            values.add(waiting.map(\.open.id))
            values.add(moment)
            var reopened = Parameters()
            reopened.add(ended.map(\.open.id))
            reopened.add(moment)
            var changes = ["delivery.pending": ended.count]
            for one in ended { changes["delivery.\(one.state.rawValue)", default: 0] -= 1 }
            // A new round with its own time to give up and to expire; the history of attempts goes on.
            try connection.run(
                [
                    Command("UPDATE delivery SET due = $2 WHERE id = ANY($1)", values),
                    Command(
                        """
                        UPDATE delivery SET state = 0, session = 0, round = $2, settled = NULL, reason = '', via = NULL,
                            expires = CASE expires WHEN 0 THEN $2 + 86400000
                                ELSE greatest(expires, $2 + expires - round) END,
                            due = CASE WHEN pair IS NULL THEN $2 END
                        WHERE id = ANY($1)
                        """, reopened),
                ] + Order.arrange(ended.compactMap(\.open.pair), moment) + tallies(changes, connection) + [.commit])
            return waiting.count + ended.count
        }
    }

    public func cancel(_ filter: DeliveryFilter, now: Timestamp) throws(LedgerError) -> Int {
        moment = now.milliseconds
        return try transaction("cancel deliveries") { connection throws(PostgresFailure) in
            let chosen = try choose(filter, connection).filter { $0.state == .pending }
            let count = try close(chosen.map(\.open), as: .cancelled, reason: "by hand", connection)
            try connection.run([.commit])
            return count
        }
    }

    public func parked(limit: Int) throws(LedgerError) -> [ParkedRow] {
        try attempting("list parked records") { () throws(PostgresFailure) in
            let rows = try connection().run(
                "SELECT stream, partition, place, reason, at, bytes, retried FROM parked ORDER BY id DESC LIMIT $1",
                Parameters(Int64(limit)))
            return rows.indices.map { Self.parked(rows, $0) }
        }
    }

    private struct Chosen {
        let open: Open
        let due: Int64?
        let state: DeliveryState
    }

    /// Begins a transaction, and in it locks what a filter means, as it stands now: lanes first, then rows.
    private func choose(_ filter: DeliveryFilter, _ connection: Connection) throws(PostgresFailure) -> [Chosen] {
        let found = try connection.run([.begin, try select("d.id", filter, connection)])[1]
        let ids = found.indices.map { found.int($0, 0) }.sorted()
        var values = Parameters()
        values.add(ids)
        let rows = try connection.run([
            Order.lockLanes(of: ids),
            Command(
                "SELECT id, lane, pair, due, state FROM delivery WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
                values),
        ])[1]
        return rows.indices.compactMap { row in
            guard let state = DeliveryState(code: rows.int(row, 4)), filter.state ?? state == state else { return nil }
            return Chosen(
                open: Open(id: rows.int(row, 0), lane: rows.int(row, 1), pair: rows.optionalInt(row, 2)),
                due: rows.optionalInt(row, 3), state: state)
        }
    }

    private func select(
        _ columns: String, _ filter: DeliveryFilter, _ connection: Connection
    ) throws(PostgresFailure) -> Command {
        var conditions = Conditions(filter, reason: "d.reason")
        conditions.since("d.decided", filter.since)
        if let state = filter.state { conditions.demand("d.state = \(state.code)") }
        conditions.lane("d.lane", filter.contact)
        conditions.key("d.key", filter.key)
        var event = filter.event
        if event == nil, let key = filter.key {
            event = try numbers(of: .delivery(key), limit: 1, connection).first ?? -1
        }
        if let event {
            let span = try span(of: "delivery", event, connection)
            conditions.demand("d.id >= \(span.lowerBound) AND d.id <= \(span.upperBound) AND d.event = \(event)")
        }
        return Command(
            """
            SELECT \(columns) FROM delivery d JOIN event e ON e.seq = d.event
            JOIN rule r ON r.id = d.rule JOIN lane l ON l.id = d.lane
            WHERE \(conditions.sql) ORDER BY d.id DESC LIMIT \(filter.limit)
            """, conditions.values)
    }
}

/// A filter as SQL over the tables `event e` and `rule r`, and over what the caller adds.
private struct Conditions {
    private var terms = ["true"]
    private(set) var values = Parameters()
    private var count = 0

    init(_ filter: DeliveryFilter, reason: String) {
        match(anyOf: ["e.workspace", "r.workspace"], filter.workspace)
        match(anyOf: ["r.name", "r.workspace || '/' || r.name"], filter.rule)
        match(anyOf: ["e.subject"], filter.subject)
        match(anyOf: [reason], filter.reason)
    }

    var sql: String { terms.joined(separator: " AND ") }

    mutating func demand(_ term: String) { terms.append(term) }

    mutating func match(anyOf columns: [String], _ value: String?) {
        guard let name = text(value) else { return }
        terms.append("(\(columns.map { "\($0) = \(name)" }.joined(separator: " OR ")))")
    }

    mutating func since(_ column: String, _ moment: Timestamp?) {
        if let moment { terms.append("\(column) >= \(moment.milliseconds)") }
    }

    /// As `contact`, of the lanes' names: they are few, and no row of another lane is looked at further.
    mutating func lane(_ column: String, _ contact: String?) {
        guard contact != nil else { return }
        self.contact("n.target", contact)
        terms.append("\(column) = ANY(ARRAY(SELECT n.id FROM lane n WHERE \(terms.removeLast())))")
    }

    /// The whole target, or what stands behind `channel/` in it.
    mutating func contact(_ column: String, _ contact: String?) {
        guard let name = text(contact) else { return }
        terms.append(
            "(\(column) = \(name) OR strpos(\(column), '/') > 0 AND substr(\(column), strpos(\(column), '/') + 1) = \(name))"
        )
    }

    mutating func key(_ column: String, _ key: Key?) {
        guard let key else { return }
        count += 1
        values.add(high: key.high, low: key.low)
        terms.append("\(column) = $\(count)")
    }

    private mutating func text(_ value: String?) -> String? {
        guard let value else { return nil }
        count += 1
        values.add(value)
        return "$\(count)"
    }
}
