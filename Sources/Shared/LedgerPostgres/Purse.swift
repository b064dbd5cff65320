import CarillonEvents
import CarillonLedger
import CarillonPostgres

/// Charges what one claim takes; lives for its transaction.
///
/// It looks at what is due without a lock, asks what that is charged, locks the lanes in which something may be withheld,
/// then the scopes, and then the deliveries, passing over all that another holds at this moment: who waited would find gone
/// what it had looked at, and others would wait for it meanwhile. A lane that was passed over too often is waited for, with
/// its scopes in the order of their names, before it is looked at. Whoever settles locks in the same order, so none waits
/// for one that waits for it.
struct Purse {
    private struct Due {
        let candidate: Candidate
        let lane, rule: Int64
        let pair: Int64?
        let epoch: Int64
        let expires: Timestamp
        let reason: String
        var toll: Toll?

        /// Whether it may end here, which changes its pair.
        var mayEnd: Bool {
            toll.map { $0.last != .waits || $0.routes.contains { $0.target != nil } } ?? false
        }
        var scopes: Set<String> { toll?.scopes ?? [] }
    }
    /// How often in a row a lane is passed over.
    static let patience = 8
    private let ledger: PostgresLedger
    private let tariff: any Tariff
    private let session: SessionID
    private var book = QuotaBook()
    private var leased: [(due: Due, via: String?, scopes: [String])] = []
    private var deferred: [(due: Due, until: Int64)] = []
    private var withheld: [(due: Due, reason: String)] = []
    private var folding = Folding()
    private var notices: [QuotaNotice] = []
    private(set) var turned: [Turned] = []
    /// How many of each lane were looked at.
    private(set) var found: [Int64: Int] = [:]
    /// Whether something is due that another was at.
    private(set) var hasPassedOver = false

    init(_ ledger: PostgresLedger, _ tariff: any Tariff, _ session: SessionID) {
        (self.ledger, self.tariff, self.session) = (ledger, tariff, session)
    }

    /// Takes what is due in lanes, each with how many at most.
    mutating func take(
        _ limits: [(lane: Int64, limit: Int)], atMost most: Int, _ connection: Connection
    ) throws(PostgresFailure) -> [Claimed] {
        guard !limits.isEmpty, most > 0 else { return [] }
        let late = Set(limits.map(\.lane).filter { ledger.passedOver[$0, default: 0] >= Self.patience })
        if !late.isEmpty { try connection.run([Order.lock(late)]) }
        var due = try look(limits, atMost: most, connection)
        for one in due { found[one.lane, default: 0] += 1 }
        for index in due.indices where due[index].expires.milliseconds > ledger.moment {
            due[index].toll = try tariff.toll(in: due[index].candidate)
        }
        due = try lock(due, waitingFor: late, connection)
        try lookAtDigests(&due, connection)
        let ours = try hold(due, connection)
        for one in due where ours.contains(one.candidate.delivery) { try charge(one, connection) }
        return try write(connection)
    }

    private func look(
        _ limits: [(lane: Int64, limit: Int)], atMost most: Int, _ connection: Connection
    ) throws(PostgresFailure) -> [Due] {
        var values = Parameters()
        values.add(limits.map(\.lane))
        values.add(limits.map { Int64($0.limit) })
        values.add(ledger.moment)
        values.add(Int64(most))
        let rows = try connection.run(
            """
            SELECT d.id, l.workspace, r.name, l.target, d.via, d.revision, d.lane, d.pair, d.epoch, d.expires,
                d.reason, d.rule
            FROM unnest($1::int8[], $2::int8[]) WITH ORDINALITY AS t(lane, most, turn)
            CROSS JOIN LATERAL (
                SELECT * FROM delivery WHERE lane = t.lane AND due IS NOT NULL AND due <= $3
                ORDER BY lane, due, id LIMIT t.most) d
            JOIN lane l ON l.id = d.lane JOIN rule r ON r.id = d.rule
            ORDER BY t.turn, d.due, d.id LIMIT $4
            """, values)
        return rows.indices.map { row in
            Due(
                candidate: Candidate(
                    delivery: rows.int(row, 0), workspace: rows.text(row, 1), rule: rows.text(row, 2),
                    target: rows.text(row, 3), via: rows.optionalText(row, 4), revision: rows.int(row, 5)),
                lane: rows.int(row, 6), rule: rows.int(row, 11), pair: rows.optionalInt(row, 7),
                epoch: rows.int(row, 8),
                expires: Timestamp(milliseconds: rows.int(row, 9)), reason: rows.text(row, 10))
        }
    }

    /// Locks what charging needs; returns those of which it has all.
    private mutating func lock(
        _ due: [Due], waitingFor late: Set<Int64>, _ connection: Connection
    ) throws(PostgresFailure) -> [Due] {
        let lanes = Set(due.lazy.filter(\.mayEnd).map(\.lane)).subtracting(late)
        var held = late
        if !lanes.isEmpty {
            let rows = try connection.run([Order.lock(lanes, orElse: "SKIP LOCKED")])[0]
            held.formUnion(rows.indices.map { rows.int($0, 0) })
        }
        let ready = due.filter { !$0.mayEnd || held.contains($0.lane) }
        func scopes(_ due: some Sequence<Due>) -> Set<String> { due.reduce(into: []) { $0.formUnion($1.scopes) } }
        let quotas = try ledger.chargeableQuotas(
            scopes(ready), waitingFor: scopes(ready.filter { late.contains($0.lane) }), connection)
        for page in quotas { book.add(page) }
        let payable = ready.filter { $0.scopes.allSatisfy(book.has) }
        note(due, payable)
        return payable
    }

    /// Remembers which lanes were passed over.
    private mutating func note(_ due: [Due], _ payable: [Due]) {
        let ours = Set(payable.map(\.candidate.delivery))
        let left = Set(due.lazy.filter { !ours.contains($0.candidate.delivery) }.map(\.lane))
        for lane in Set(due.map(\.lane)) {
            ledger.passedOver[lane] = left.contains(lane) ? ledger.passedOver[lane, default: 0] + 1 : nil
        }
        hasPassedOver = !left.isEmpty
    }

    /// What tells of many events already, or is told by a digest, waits; of the others it is read which digests are open.
    private mutating func lookAtDigests(_ due: inout [Due], _ connection: Connection) throws(PostgresFailure) {
        let places = due.indices.filter { if case .digested = due[$0].toll?.last { true } else { false } }
        guard !places.isEmpty else { return }
        let told = try folding.look(
            at: places.map { due[$0].candidate.delivery }, lanes: places.map { due[$0].lane }, connection)
        for place in places where told.contains(due[place].candidate.delivery) {
            due[place].toll = due[place].toll?.waiting
        }
    }

    /// Locks those that are as they were, but for what another holds.
    private func hold(_ due: [Due], _ connection: Connection) throws(PostgresFailure) -> Set<DeliveryID> {
        let known = Dictionary(due.map { ($0.candidate.delivery, $0) }, uniquingKeysWith: { first, _ in first })
        var values = Parameters()
        values.add(known.keys.sorted())
        values.add(ledger.moment)
        let rows = try connection.run(
            """
            SELECT id, epoch, via FROM delivery
            WHERE id = ANY($1) AND state = 0 AND due IS NOT NULL AND due <= $2
                AND lane <> ALL(ARRAY(\(PostgresLedger.suspendedLanes)))
            ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
            """, values)
        return Set(
            rows.indices.lazy.filter { row in
                known[rows.int(row, 0)].map {
                    $0.epoch == rows.int(row, 1) && $0.candidate.via == rows.optionalText(row, 2)
                } ?? false
            }.map { rows.int($0, 0) })
    }

    private mutating func charge(_ due: Due, _ connection: Connection) throws(PostgresFailure) {
        let candidate = due.candidate
        guard let toll = due.toll else { return leased.append((due, candidate.via, [])) }
        let (ledger, now) = (ledger, Timestamp(milliseconds: ledger.moment))
        let fate = try book.charge(
            toll, SendLog.Open(delivery: candidate.delivery, epoch: due.epoch + 1, session: session),
            expires: due.expires, label: candidate.label, now: now
        ) { (target: String) throws(PostgresFailure) in
            try ledger.isTold(target, beside: candidate.delivery, ofRule: toll.isPerRule, connection)
        }
        switch fate {
        case .leased(let via, let scopes):
            if let via, via != candidate.via { turn(candidate, .rerouted) }
            leased.append((due, via ?? candidate.via, scopes))
        case .deferred(let until):
            deferred.append((due, until.milliseconds))
            if due.reason != QuotaReason.quota { tell(toll, candidate, .deferred) }
        case .withheld(let reason):
            withheld.append((due, reason))
            if reason == QuotaReason.quota { tell(toll, candidate, .withheld) } else { turn(candidate, .withheld) }
        case .digested:
            digest(due, toll, now)
        }
    }

    /// Withholds a delivery that a digest tells.
    private mutating func digest(_ due: Due, _ toll: Toll, _ now: Timestamp) {
        guard case .digested(let terms) = toll.last else { return }
        let candidate = due.candidate
        withheld.append((due, QuotaReason.digest))
        turn(candidate, .digested)
        if !folding.isOpen(lane: due.lane, rule: due.rule) {
            let turn = book.turn(of: toll, label: candidate.label, now: now)
            folding.open(candidate, lane: due.lane, rule: due.rule, at: turn)
        }
        folding.add(candidate.delivery, lane: due.lane, rule: due.rule, terms)
    }

    private mutating func turn(_ candidate: Candidate, _ fate: Turned.Fate) {
        turned.append(Turned(workspace: candidate.workspace, target: candidate.target, fate))
    }

    private mutating func tell(_ toll: Toll, _ candidate: Candidate, _ fate: Turned.Fate) {
        turn(candidate, fate)
        guard let target = toll.notice else { return }
        if let known = notices.firstIndex(where: {
            $0.workspace == candidate.workspace && $0.target == target && $0.spent == candidate.target
        }) {
            notices[known].count += 1
        } else {
            notices.append(
                QuotaNotice(
                    toll, of: candidate.workspace, spent: candidate.target, at: ledger.moment, to: target))
        }
    }

    // Writing

    private func write(_ connection: Connection) throws(PostgresFailure) -> [Claimed] {
        var commands: [Command] = []
        if !leased.isEmpty { commands.append(lease) }
        if !deferred.isEmpty { commands.append(postpone) }
        commands += book.writing
        commands += notices.flatMap(\.counting)
        if !withheld.isEmpty {
            commands.append(withhold)
            commands += folding.writing(at: ledger.moment)
            commands += Order.freeHeads(of: withheld.compactMap(\.due.pair), ledger.moment)
            commands += ledger.tallies(
                ["delivery.pending": -withheld.count, "delivery.withheld": withheld.count], connection)
        }
        guard !commands.isEmpty else { return [] }
        let answers = try connection.run(commands)
        try ledger.pass(.inClaim)
        try ledger.keepDelivered(withheld.map(\.due.candidate.delivery), connection)
        guard !leased.isEmpty else { return [] }
        let rows = answers[0]
        var taken = rows.indices.map { PostgresLedger.claimed(rows, $0) }
        try ledger.addGroups(to: &taken, rows, connection)
        let claims = Dictionary(uniqueKeysWithValues: taken.map { ($0.delivery, $0) })
        return leased.compactMap { leased in
            var claimed = claims[leased.due.candidate.delivery]
            claimed?.scopes = leased.scopes
            return claimed
        }
    }

    private var lease: Command {
        var values = Parameters()
        values.add(leased.map(\.due.candidate.delivery))
        values.add(leased.map(\.via))
        values.add(session)
        return Command(
            """
            WITH taken AS (
                UPDATE delivery d SET state = 1, session = $3, epoch = epoch + 1, due = NULL, not_before = NULL, via = c.via
                FROM unnest($1::int8[], $2::text[]) AS c(id, via) WHERE d.id = c.id
                RETURNING d.id, d.epoch, d.attempts, d.key, d.revision, d.round, d.expires, d.pair, d.event, d.rule, d.lane,
                    d.via)
            SELECT \(PostgresLedger.claimedColumns)
            FROM taken t JOIN event e ON e.seq = t.event JOIN rule r ON r.id = t.rule JOIN lane l ON l.id = t.lane
            """, values)
    }

    private var postpone: Command {
        var values = Parameters()
        values.add(deferred.map(\.due.candidate.delivery))
        values.add(deferred.map(\.until))
        return Command(
            """
            UPDATE delivery d SET due = c.due, not_before = c.due, reason = 'quota'
            FROM unnest($1::int8[], $2::int8[]) AS c(id, due) WHERE d.id = c.id
            """, values)
    }

    private var withhold: Command {
        var values = Parameters()
        values.add(withheld.map(\.due.candidate.delivery))
        values.add(withheld.map { $0.reason as String? })
        values.add(StateCode.withheld)
        values.add(ledger.moment)
        return Command(
            """
            UPDATE delivery d SET state = $3::int4, due = NULL, not_before = NULL, settled = $4, reason = c.reason
            FROM unnest($1::int8[], $2::text[]) AS c(id, reason) WHERE d.id = c.id
            """, values)
    }
}

extension PostgresLedger {
    /// Whether the event of a delivery is told on a target already.
    ///
    /// Its deliveries were written by one statement, so their numbers are near each other.
    fileprivate func isTold(
        _ target: String, beside delivery: DeliveryID, ofRule isPerRule: Bool, _ connection: Connection
    ) throws(PostgresFailure) -> Bool {
        var values = Parameters(delivery)
        values.add(target)
        values.add(isPerRule ? 1 as Int64 : 0)
        return try !connection.run(
            """
            SELECT 1 FROM delivery m JOIN delivery d ON d.id BETWEEN m.id - 2000 AND m.id + 2000 AND d.event = m.event
                JOIN lane l ON l.id = d.lane
            WHERE m.id = $1 AND d.id <> $1 AND d.state < 3 AND coalesce(d.via, l.target) = $2
                AND l.workspace = (SELECT workspace FROM lane WHERE id = m.lane) AND ($3 = 0 OR d.rule = m.rule)
            LIMIT 1
            """, values
        ).isEmpty
    }
}
