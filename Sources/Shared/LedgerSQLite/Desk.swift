public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger: LedgerDesk {
    /// A rule's name, with its workspace before it when that is not the event's.
    static let ruleName = "iif(r.workspace = e.workspace, r.name, r.workspace || '/' || r.name)"

    public func deliveries(_ filter: DeliveryFilter) throws(LedgerError) -> [DeliveryRow] {
        try attempting("list deliveries") { () throws(SQLiteFailure) in
            guard try filter.contact.map(hasLane) ?? true else { return [] }
            let query = try select(
                """
                d.id, d.key, e.workspace, \(Self.ruleName), l.target, e.type, e.subject, d.state, d.attempts, d.reason, d.decided,
                    d.due, d.settled, d.via
                """, filter, limit: filter.limit)
            var rows: [DeliveryRow] = []
            while try query.step() { rows.append(row(query)) }
            return rows
        }
    }

    /// Whether anything was ever to go to a contact or an endpoint: else no row needs to be looked at.
    private func hasLane(_ contact: String) throws(SQLiteFailure) -> Bool {
        let query = try database.prepare(
            "SELECT 1 FROM lane WHERE target = ?1 OR instr(target, '/') > 0 AND substr(target, instr(target, '/') + 1) = ?1"
        )
        query.bind(1, contact)
        return try query.step()
    }

    private func row(_ query: Statement) -> DeliveryRow {
        let key = query.halves(1)
        var row = DeliveryRow(
            id: query.int(0), key: Key(high: key.high, low: key.low).description, workspace: query.text(2),
            rule: query.text(3), target: query.text(4), type: query.text(5), subject: query.optionalText(6),
            state: DeliveryState(code: query.int(7)) ?? .pending, attempts: Int(query.int(8)), reason: query.text(9),
            decidedAt: query.int(10), dueAt: query.optionalInt(11), settledAt: query.optionalInt(12))
        row.via = query.optionalText(13)
        return row
    }

    public func suppressed(_ filter: DeliveryFilter) throws(LedgerError) -> [SuppressedRow] {
        guard filter.state == nil else { return [] }
        return try attempting("list what was suppressed") { () throws(SQLiteFailure) in
            var conditions = Conditions(filter, reason: "s.reason")
            conditions.since("s.at", filter.since)
            conditions.contact("s.target", filter.contact)
            conditions.key("s.earlier", filter.key)
            if let event = filter.event {
                let first = try first(of: "suppressed", naming: event)
                let next = try self.first(of: "suppressed", naming: event + 1)
                conditions.demand("s.id >= \(first) AND s.id < \(next)")
            }
            let query = try database.prepare(
                """
                SELECT e.workspace, \(Self.ruleName), e.type, e.subject, s.reason, s.at, e.bytes, s.earlier,
                    s.by, s.target FROM suppressed s
                JOIN event e ON e.seq = s.event JOIN rule r ON r.id = s.rule
                WHERE \(conditions.sql) ORDER BY s.id DESC LIMIT \(filter.limit)
                """)
            conditions.bind(to: query)
            var rows: [SuppressedRow] = []
            while try query.step() {
                let earlier = query.halves(7)
                rows.append(
                    SuppressedRow(
                        workspace: query.text(0), rule: query.text(1), type: query.text(2),
                        subject: query.optionalText(3), reason: query.text(4),
                        by: query.isNull(7)
                            ? query.optionalText(8) : Key(high: earlier.high, low: earlier.low).description,
                        target: query.optionalText(9), decidedAt: query.int(5), event: query.blob(6)))
            }
            return rows
        }
    }

    public func touch(now: Timestamp) throws(LedgerError) {
        // `process`: on a full disk it is the write that fails; no fsync is spent on a mark nobody needs.
        try transaction(.process, "be written") { () throws(SQLiteFailure) in
            let mark = try database.statement("INSERT OR REPLACE INTO meta VALUES ('touched', ?)")
            mark.bind(1, now.milliseconds)
            try mark.run()
        }
    }

    public func attempts(of delivery: DeliveryID) throws(LedgerError) -> [AttemptRow] {
        try attempting("list the attempts of \(delivery)") { () throws(SQLiteFailure) in
            let query = try database.statement(
                "SELECT number, at, reason, status, words FROM attempt WHERE delivery = ? ORDER BY number")
            query.bind(1, delivery)
            var rows: [AttemptRow] = []
            while try query.step() {
                rows.append(
                    AttemptRow(
                        number: Int(query.int(0)), at: query.int(1), reason: query.text(2), status: Int(query.int(3)),
                        words: query.text(4)))
            }
            return rows
        }
    }

    public func inbox(
        of target: String, in workspace: String, limit: Int
    ) throws(LedgerError) -> [InboxRow] {
        let pages = try attempting("list the inbox of \(target)") { () throws(SQLiteFailure) in
            let query = try database.statement(
                """
                SELECT d.key, i.at, i.title, i.message, i.severity, i.url FROM inbox i
                JOIN delivery d ON d.id = i.delivery
                WHERE i.lane = (SELECT id FROM lane WHERE workspace = ?1 AND target = ?2)
                ORDER BY i.delivery DESC LIMIT ?3
                """)
            query.bind(1, workspace)
            query.bind(2, target)
            query.bind(3, Int64(limit))
            var rows: [InboxRow] = []
            while try query.step() {
                let key = query.halves(0)
                rows.append(
                    InboxRow(
                        key: Key(high: key.high, low: key.low).description, at: query.int(1),
                        page: InboxPage(
                            title: query.text(2), message: query.text(3), severity: query.text(4),
                            url: query.optionalText(5))))
            }
            return rows
        }
        return pages.with(try quotaNotices(of: workspace, limit: 1_000), of: target, limit: limit)
    }

    public func event(of delivery: DeliveryID) throws(LedgerError) -> [UInt8]? {
        try attempting("read the event of \(delivery)") { () throws(SQLiteFailure) in
            let query = try database.statement(
                "SELECT bytes FROM event WHERE seq = (SELECT event FROM delivery WHERE id = ?)")
            query.bind(1, delivery)
            defer { query.reset() }
            return try query.step() ? query.blob(0) : nil
        }
    }

    public func retry(_ filter: DeliveryFilter, now: Timestamp) throws(LedgerError) -> Int {
        try transaction(.machine, "retry deliveries") { () throws(SQLiteFailure) in
            var count = 0
            for delivery in try chosen(filter, states: [.pending, .dead, .expired, .cancelled, .withheld]) {
                if delivery.state == .pending {
                    guard let due = delivery.due else { continue }
                    try reschedule(delivery.id, lane: delivery.lane, from: due, to: now.milliseconds)
                } else {
                    try reopen(delivery, now.milliseconds)
                }
                count += 1
            }
            return count
        }
    }

    public func cancel(_ filter: DeliveryFilter, now: Timestamp) throws(LedgerError) -> Int {
        try transaction(.machine, "cancel deliveries") { () throws(SQLiteFailure) in
            let chosen = try chosen(filter, states: [.pending])
            for one in chosen {
                try close(one.id, as: .cancelled, lane: one.lane, due: one.due, reason: "by hand", now.milliseconds)
            }
            for one in chosen { try freeNext(after: one.id, now.milliseconds) }
            try moved(.pending, .cancelled, chosen.count)
            return chosen.count
        }
    }

    public func parked(limit: Int) throws(LedgerError) -> [ParkedRow] {
        try attempting("list parked records") { () throws(SQLiteFailure) in
            let query = try database.statement(
                "SELECT stream, partition, offset, reason, at, bytes, retried FROM parked ORDER BY id DESC LIMIT ?")
            query.bind(1, Int64(limit))
            var rows: [ParkedRow] = []
            while try query.step() { rows.append(Self.parked(query)) }
            return rows
        }
    }

    /// A delivery that is reopened or made due.
    struct Reopened {
        let id: DeliveryID, lane: Int64
        let due: Int64?
        let state: DeliveryState
    }

    private func chosen(_ filter: DeliveryFilter, states: Set<DeliveryState>) throws(SQLiteFailure) -> [Reopened] {
        let query = try select("d.id, d.lane, d.due, d.state", filter, limit: filter.limit)
        var chosen: [Reopened] = []
        while try query.step() {
            guard let state = DeliveryState(code: query.int(3)), states.contains(state) else { continue }
            chosen.append(Reopened(id: query.int(0), lane: query.int(1), due: query.optionalInt(2), state: state))
        }
        return chosen
    }

    /// A new round with its own time to give up and to expire; the history of attempts goes on.
    ///
    /// An open delivery of its pair that is older goes first.
    func reopen(_ delivery: Reopened, _ now: Int64) throws(SQLiteFailure) {
        let update = try database.statement(
            """
            UPDATE delivery SET state = 0, session = 0, round = ?2,
                expires = CASE expires WHEN 0 THEN ?2 + 86400000 ELSE max(expires, ?2 + expires - round) END,
                settled = NULL, reason = '', due = NULL, via = NULL WHERE id = ?1
            """)
        update.bind(1, delivery.id)
        update.bind(2, now)
        try update.run()
        try moved(delivery.state, .pending, 1)
        try giveWay(to: delivery, now)
    }

    /// Puts a reopened delivery into the due-time table, and takes the younger one of its pair out that waited there.
    ///
    /// One that is on its way, or older, goes first: the reopened one enters when that is settled.
    private func giveWay(to delivery: Reopened, _ now: Int64) throws(SQLiteFailure) {
        let others = try database.statement(
            """
            SELECT id, lane, state, due FROM delivery
            WHERE state < 2 AND pair = (SELECT pair FROM delivery WHERE id = ?1) AND id <> ?1 ORDER BY id
            """)
        others.bind(1, delivery.id)
        defer { others.reset() }
        var waiting: (id: DeliveryID, lane: Int64, due: Int64)?
        while try others.step() {
            if others.int(0) < delivery.id || others.int(2) == StateCode.leased { return }
            if let due = others.optionalInt(3) { waiting = (others.int(0), others.int(1), due) }
        }
        if let waiting {
            try dequeue(waiting.id, lane: waiting.lane, at: waiting.due)
            let hold = try database.statement("UPDATE delivery SET due = NULL WHERE id = ?")
            hold.bind(1, waiting.id)
            try hold.run()
        }
        try reschedule(delivery.id, lane: delivery.lane, from: nil, to: now)
    }

    private func select(_ columns: String, _ filter: DeliveryFilter, limit: Int) throws(SQLiteFailure) -> Statement {
        var conditions = Conditions(filter, reason: "d.reason")
        conditions.since("d.decided", filter.since)
        if let state = filter.state { conditions.demand("d.state = \(state.code)") }
        conditions.lane("d.lane", filter.contact)
        conditions.key("d.key", filter.key)
        var event = filter.event
        if event == nil, let key = filter.key { event = try numbers(of: .delivery(key), limit: 1).first ?? -1 }
        if let event {
            let (first, next) = (
                try first(of: "delivery", naming: event), try self.first(of: "delivery", naming: event + 1)
            )
            conditions.demand("d.id >= \(first) AND d.id < \(next)")
        }
        let query = try database.prepare(
            """
            SELECT \(columns) FROM delivery d JOIN event e ON e.seq = d.event
            JOIN rule r ON r.id = d.rule JOIN lane l ON l.id = d.lane
            WHERE \(conditions.sql) ORDER BY d.id DESC LIMIT \(limit)
            """)
        conditions.bind(to: query)
        return query
    }
}

/// A filter as SQL over the tables `event e` and `rule r`, and over what the caller adds.
private struct Conditions {
    private var terms = ["1"]
    private var texts: [String] = []
    private var key: (number: Int32, key: Key)?

    init(_ filter: DeliveryFilter, reason: String) {
        match(anyOf: ["e.workspace", "r.workspace"], filter.workspace)
        match(anyOf: ["r.name", "r.workspace || '/' || r.name"], filter.rule)
        match("e.subject", filter.subject)
        match(reason, filter.reason)
    }

    var sql: String { terms.joined(separator: " AND ") }

    mutating func demand(_ term: String) { terms.append(term) }

    mutating func match(_ column: String, _ value: String?) {
        guard let value else { return }
        texts.append(value)
        terms.append("\(column) = ?\(texts.count)")
    }

    mutating func match(anyOf columns: [String], _ value: String?) {
        guard let value else { return }
        texts.append(value)
        terms.append("(\(columns.map { "\($0) = ?\(texts.count)" }.joined(separator: " OR ")))")
    }

    mutating func since(_ column: String, _ moment: Timestamp?) {
        if let moment { terms.append("\(column) >= \(moment.milliseconds)") }
    }

    /// As `contact`, of the lanes' names: they are few, and no row of another lane is looked at further.
    mutating func lane(_ column: String, _ contact: String?) {
        guard contact != nil else { return }
        self.contact("n.target", contact)
        terms.append("\(column) IN (SELECT n.id FROM lane n WHERE \(terms.removeLast()))")
    }

    /// The whole target, or what stands behind `channel/` in it.
    mutating func contact(_ column: String, _ contact: String?) {
        guard let contact else { return }
        texts.append(contact)
        let name = "?\(texts.count)"
        terms.append(
            "(\(column) = \(name) OR instr(\(column), '/') > 0 AND substr(\(column), instr(\(column), '/') + 1) = \(name))"
        )
    }

    /// Comes after all texts, as its place is the one behind them.
    mutating func key(_ column: String, _ key: Key?) {
        guard let key else { return }
        self.key = (Int32(texts.count + 1), key)
        terms.append("\(column) = ?\(texts.count + 1)")
    }

    func bind(to query: Statement) {
        for (index, text) in texts.enumerated() { query.bind(Int32(index + 1), text) }
        if let key { query.bind(key.number, high: key.key.high, low: key.key.low) }
    }
}
