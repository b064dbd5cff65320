public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// A batch of endings takes two round trips: the first locks the lanes and brings the rows, the second writes what became of
// them. Between the two the endings are taken one after the other, as if each were alone.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    public func settle(
        _ settlements: [Settlement], for session: SessionID, now: Timestamp
    ) throws(LedgerError) {
        guard !settlements.isEmpty else { return }
        moment = now.milliseconds
        try transaction("settle \(settlements.count) deliveries") { connection throws(PostgresFailure) in
            let ids = Array(Set(settlements.map(\.delivery))).sorted()
            var values = Parameters()
            values.add(ids)
            let scopes = Set(settlements.lazy.flatMap(\.scopes))
            let locks = scopes.isEmpty ? [] : [Self.lockQuotas(scopes)]
            let rows = try connection.run(
                [.begin, .lazily, Order.lockLanes(of: ids)] + locks + [
                    Command(
                        """
                        SELECT id, state, epoch, session, pair, attempts, CASE WHEN supersedes = 1 THEN (
                            SELECT max(y.id) FROM delivery y
                            WHERE y.pair = d.pair AND y.state < 2 AND y.id > d.id AND y.rule = d.rule) END
                        FROM delivery d WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE
                        """, values)
                ])
            var endings = Endings(rows[rows.count - 1], for: session, now: now.milliseconds)
            for settlement in settlements { endings.take(settlement) }
            let quotas = scopes.isEmpty ? [] : try settledQuotas(settlements, rows[3])
            try write(endings, quotas, connection)
        }
        for settlement in settlements {
            guard let epoch = held[session]?[settlement.delivery], epoch <= settlement.epoch else { continue }
            held[session]?[settlement.delivery] = nil
        }
    }

    private func write(
        _ endings: Endings, _ quotas: [Command], _ connection: Connection
    ) throws(PostgresFailure) {
        guard !endings.changed.isEmpty else {
            if !quotas.isEmpty { try connection.run(quotas + [.commit]) }
            return
        }
        let failed = endings.failed
        let answers = try connection.run(endings.commands + quotas + Self.keepDelivered(failed))
        // What its session holds to send after one that goes back to pending does so too.
        let followers = endings.goneBack.isEmpty ? 0 : answers[1].affected
        var changes = endings.counts
        changes["delivery.leased", default: 0] -= followers
        changes["delivery.pending", default: 0] += followers
        if followers > 0 {
            let gone = try connection.run([
                Superseding.endReturned(answers[1].indices.map { answers[1].int($0, 0) }, moment)
            ])[0].affected
            changes["delivery.pending", default: 0] -= gone
            changes["delivery.expired", default: 0] += gone
        }
        if !failed.isEmpty { changes.merge(Self.kept(answers[answers.count - 1])) { $0 + $1 } }
        let isPlain = endings.goneBack.isEmpty && !endings.isLate
        let order = isPlain ? Order.freeHeads(of: endings.pairs, moment) : Order.arrange(endings.pairs, moment)
        let rest = order + tallies(changes, connection)
        try connection.run(rest + (reach == nil ? [.commit] : []))
        guard reach != nil else { return }
        try pass(.inSettle)
        try connection.run([.commit])
    }
}

/// What becomes of the rows that a batch of settlements names.
private struct Endings {
    private struct Row {
        /// As it stands in the ledger.
        let state: Int64
        let pair: Int64?
        let attempts: Int64
        /// The youngest that has taken its place.
        let younger: DeliveryID?
        /// As the settlements so far have left it.
        var now: Int64
        var epoch, session: Int64
        var tries: Int64
    }
    private struct Attempt {
        let delivery: DeliveryID
        let number: Int64
        let settlement: Settlement
    }
    private var rows: [DeliveryID: Row] = [:]
    private let session: SessionID
    private let moment: Int64
    /// The settlement that counts, by row.
    private(set) var changed: [DeliveryID: Settlement] = [:]
    private var attempts: [Attempt] = []
    /// By pair, the first that went back to pending.
    private(set) var goneBack: [Int64: DeliveryID] = [:]
    /// Whether a yes came for what was leased no longer.
    private(set) var isLate = false

    init(_ found: Rows, for session: SessionID, now: Int64) {
        (self.session, moment) = (session, now)
        for row in found.indices {
            rows[found.int(row, 0)] = Row(
                state: found.int(row, 1), pair: found.optionalInt(row, 4), attempts: found.int(row, 5),
                younger: found.optionalInt(row, 6), now: found.int(row, 1), epoch: found.int(row, 2),
                session: found.int(row, 3), tries: found.int(row, 5))
        }
    }

    /// Takes one ending; one that came too late to count changes nothing.
    mutating func take(_ settlement: Settlement) {
        let id = settlement.delivery
        guard var row = rows[id], row.now != StateCode.delivered else { return }
        if let pair = row.pair, let first = goneBack[pair], first < id, row.now == StateCode.leased {
            row.now = StateCode.pending
        }
        let isYes = settlement.ending == .delivered
        let isOurs = row.now == StateCode.leased && row.epoch == settlement.epoch && row.session == session
        guard isYes || isOurs else { return }
        var settlement = settlement
        if settlement.ending.due(moment) != nil, isSuperseded(row) {
            (settlement.ending, settlement.reason) = (.expired, Superseding.reason)
        }
        isLate = isLate || row.state != StateCode.leased
        row.now = settlement.ending.state.code
        if settlement.ending.isAttempt {
            row.tries += 1
            attempts.append(Attempt(delivery: id, number: row.tries, settlement: settlement))
        }
        if row.now == StateCode.pending, let pair = row.pair { goneBack[pair] = min(goneBack[pair] ?? id, id) }
        rows[id] = row
        changed[id] = settlement
    }

    /// Whether a younger one of the same pair and rule is open and has taken its place.
    private func isSuperseded(_ row: Row) -> Bool {
        guard let younger = row.younger else { return false }
        return rows[younger].map { $0.now <= StateCode.leased } ?? true
    }

    /// The pairs that have to be looked at anew.
    var pairs: Set<Int64> { Set(changed.keys.compactMap { rows[$0]?.pair }) }

    /// Those that end otherwise than delivered.
    var failed: [DeliveryID] {
        changed.filter { $0.value.ending.state == .dead || $0.value.ending.state == .expired }.map(\.key).sorted()
    }

    /// How the running counts change, by name.
    var counts: [String: Int] {
        var counts: [String: Int] = [:]
        for (id, settlement) in changed {
            guard let row = rows[id], let before = DeliveryState(code: row.state) else { continue }
            counts["delivery.\(before.rawValue)", default: 0] -= 1
            counts["delivery.\(settlement.ending.state.rawValue)", default: 0] += 1
        }
        return counts
    }

    /// Writes the rows, then releases what follows those that went back, then notes the attempts.
    var commands: [Command] {
        var commands = [update]
        if !goneBack.isEmpty { commands.append(releaseFollowers) }
        if !attempts.isEmpty { commands.append(insertAttempts) }
        let pages = changed.filter { $0.value.ending == .delivered }.compactMapValues(\.page)
        if !pages.isEmpty { commands.append(insertPages(pages)) }
        return commands
    }

    /// What waits gets its time; behind an elder of its pair it will lose it again.
    private var update: Command {
        let ids = changed.keys.sorted()
        let endings = ids.compactMap { changed[$0] }
        var values = Parameters()
        values.add(ids)
        values.add(endings.map(\.ending.state.code))
        values.add(endings.map { $0.ending.due(moment) })
        values.add(endings.map { $0.ending.due(moment) == nil ? nil : $0.notBefore?.milliseconds })
        values.add(ids.map { rows[$0]?.tries ?? 0 })
        values.add(endings.map { ($0.ending == .delivered ? "" : $0.reason) as String? })
        values.add(endings.map { Int64($0.status) })
        values.add(moment)
        return Command(
            """
            UPDATE delivery d SET state = s.state::int4, session = 0,
                due = s.due, not_before = s.not_before,
                settled = CASE WHEN s.state < 2 THEN NULL ELSE $8::int8 END,
                attempts = s.attempts::int4, reason = s.reason, status = s.status::int4
            FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::text[], $7::int8[])
                AS s(id, state, due, not_before, attempts, reason, status)
            WHERE d.id = s.id
            """, values)
    }

    /// A second yes finds the delivery delivered and changes nothing, so a page is written once.
    private func insertPages(_ pages: [DeliveryID: InboxPage]) -> Command {
        let pages = pages.sorted { $0.key < $1.key }
        var values = Parameters()
        values.add(pages.map(\.key))
        values.add(pages.map { $0.value.title as String? })
        values.add(pages.map { $0.value.message as String? })
        values.add(pages.map { $0.value.severity as String? })
        values.add(pages.map(\.value.url))
        values.add(moment)
        return Command(
            """
            INSERT INTO inbox SELECT d.id, d.lane, $6, p.title, p.message, p.severity, p.url
            FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::text[]) AS p(id, title, message, severity, url)
            JOIN delivery d ON d.id = p.id
            ON CONFLICT (delivery) DO UPDATE SET at = excluded.at, title = excluded.title, message = excluded.message,
                severity = excluded.severity, url = excluded.url
            """, values)
    }

    private var releaseFollowers: Command {
        let pairs = goneBack.sorted { $0.key < $1.key }
        var values = Parameters()
        values.add(pairs.map(\.key))
        values.add(pairs.map(\.value))
        return Command(
            """
            UPDATE delivery d SET state = 0, session = 0 FROM unnest($1::int8[], $2::int8[]) AS g(pair, id)
            WHERE d.pair = g.pair AND d.state < 2 AND d.state = 1 AND d.id > g.id RETURNING d.id
            """, values)
    }

    private var insertAttempts: Command {
        var last: [DeliveryID: [Int64: Attempt]] = [:]
        for attempt in attempts { last[attempt.delivery, default: [:]][attempt.number] = attempt }
        let rows = last.values.flatMap(\.values).sorted { ($0.delivery, $0.number) < ($1.delivery, $1.number) }
        var values = Parameters()
        values.add(rows.map(\.delivery))
        values.add(rows.map(\.number))
        values.add(rows.map { $0.settlement.reason as String? })
        values.add(rows.map { Int64($0.settlement.status) })
        values.add(rows.map { $0.settlement.words as String? })
        values.add(moment)
        return Command(
            """
            INSERT INTO attempt (delivery, number, reason, status, words, at)
            SELECT a.*, $6 FROM unnest($1::int8[], $2::int8[], $3::text[], $4::int8[], $5::text[]) AS a
            ON CONFLICT (delivery, number) DO UPDATE
            SET at = excluded.at, reason = excluded.reason, status = excluded.status, words = excluded.words
            """, values)
    }
}

extension Settlement.Ending {
    fileprivate var state: DeliveryState {
        switch self {
        case .delivered: .delivered
        case .retry, .released, .postponed: .pending
        case .dead: .dead
        case .expired: .expired
        }
    }
    fileprivate func due(_ now: Int64) -> Int64? {
        switch self {
        case .retry(let at), .postponed(let at): at.milliseconds
        case .released: now
        case .delivered, .dead, .expired: nil
        }
    }
    /// Whether it was tried and failed.
    fileprivate var isAttempt: Bool {
        switch self {
        case .retry, .dead: true
        case .delivered, .expired, .released, .postponed: false
        }
    }
}
