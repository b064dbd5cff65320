public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// A claim waits for nobody: it takes what is due and skips what others are taking at this moment.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    /// A lane that has something waiting, with its earliest time and its earliest later than now.
    private struct Waiting {
        let lane: LaneRound.Lane
        let at: Int64
        let later: Int64?
        var number: Int64 { lane.number }
    }
    /// Whom a claim is for, and what it may take.
    private struct Asking {
        let session: SessionID
        let room: Room
        let tariff: (any Tariff)?
    }
    /// What a claim took, and what waits in the lanes it asked.
    private struct Taking {
        var claims = Claims(deliveries: [], nextDue: nil)
        var more: Set<Int64> = []
        var left: [Waiting] = []
        var hasPassedOver = false
    }

    public func claim(
        for session: SessionID, room: Room, by tariff: (any Tariff)?, now: Timestamp
    ) throws(LedgerError) -> Claims {
        moment = now.milliseconds
        let asking = Asking(session: session, room: room, tariff: tariff)
        if room.total > 0, round.serves(room.total) {
            try letThemSpeak(look(Command(Self.speaking)), asking)
            var claims = try take(round.next(room.total) { room.free(in: $0) > 0 }, asking).claims
            claims.leftBehind = true
            // What it had left others may have taken meanwhile.
            if !claims.isEmpty { return claims }
        }
        return try claimAfterLook(asking)
    }

    /// Begins a new round, and claims from it.
    private func claimAfterLook(_ asking: Asking) throws(LedgerError) -> Claims {
        let room = asking.room
        var all = try look(waitingLanes)
        if try letThemSpeak(all, asking) { all = try look(waitingLanes) }
        all.removeAll { room.limits[$0.number] == 0 }
        let ready = all.filter { $0.number > Self.groupLane && $0.at <= moment && room.free(in: $0.number) > 0 }
        round = LaneRound(ready.map(\.lane), behind: lastServed, for: asking.session, room: room.total)
        let turn = round.next(room.total) { _ in true }
        let asksAll = turn.isEmpty || round.isEmpty
        let taking = try take(turn, asking, looksBack: asksAll)
        var claims = taking.claims
        claims.leftBehind = !asksAll || room.total > 0 && claims.deliveries.count == room.total
        if asksAll {
            let asked = Set(turn.joined().map(\.number))
            let left = all.filter { !asked.contains($0.number) } + taking.left
            claims.leftBehind = claims.leftBehind || left.contains { $0.at <= moment }
            let nextDue = left.compactMap { $0.at > moment ? $0.at : $0.later }.min()
            claims.nextDue = nextDue.map { Timestamp(milliseconds: $0) }
        }
        // Others were faster, and there is more; or what another was at is free again in a moment.
        if !asksAll && claims.isEmpty || taking.hasPassedOver { claims.nextDue = Timestamp(milliseconds: moment) }
        return claims
    }

    /// Lets groups and digests say what is due; false when none was.
    @discardableResult
    private func letThemSpeak(_ waiting: [Waiting], _ asking: Asking) throws(LedgerError) -> Bool {
        let due = waiting.filter { $0.number <= Self.groupLane && $0.at <= moment }.map(\.number)
        if due.contains(Self.groupLane) { try letGroupsSpeak() }
        if due.contains(Self.digestLane), asking.room.total > 0 { try letDigestsSpeak(asking.tariff) }
        return !due.isEmpty
    }

    /// Leases what is due in some lanes, and charges it.
    private func take(
        _ turn: LaneRound.Turn, _ asking: Asking, looksBack: Bool = false
    ) throws(LedgerError) -> Taking {
        guard !turn.isEmpty else { return Taking() }
        let (session, room) = (asking.session, asking.room)
        let charged = try asking.tariff?.charged(of: turn) ?? []
        let lanes = turn.map { $0.map(\.number) }
        let taking = try transaction("claim due deliveries") { connection throws(PostgresFailure) in
            // What is charged is on the disk before it is sent: a charge that a crash undid would let a send through twice.
            let found = try connection.run([.begin, hold(session)] + (charged.isEmpty ? [.lazily] : []))[1]
            guard !found.isEmpty else { return Taking() }
            var taking = Taking()
            var purse = charged.isEmpty ? nil : asking.tariff.map { Purse(self, $0, session) }
            try pay(for: lanes, charged, from: &purse, room, &taking, connection)
            try take(
                from: lanes.map { $0.filter { !charged.contains($0) } }.filter { !$0.isEmpty }, for: session,
                room: room, &taking, connection)
            let taken = taking.claims.deliveries
            var commands = tallies(["delivery.pending": -taken.count, "delivery.leased": taken.count], connection)
            if let first = taken.map(\.delivery).min(), first < found.int(0, 0) {
                commands.insert(lower(first, of: session), at: 0)
            }
            if looksBack { commands.append(waiting(in: lanes.flatMap(\.self))) }
            let rows = try connection.run(commands + [.commit])
            if looksBack { taking.left = Self.waiting(rows[commands.count - 1]) }
            for one in taken { held[session]?[one.delivery] = one.epoch }
            taking.claims.turned = purse?.turned ?? []
            taking.hasPassedOver = purse?.hasPassedOver == true
            return taking
        }
        lastServed = lanes.last?.last
        round.served(
            taking.claims.deliveries.count, more: turn.joined().filter { taking.more.contains($0.number) })
        return taking
    }

    /// Takes what is charged, once and before all else: scopes are locked in one order, and before deliveries.
    ///
    /// Of a full house these lanes have the part that they are of all.
    private func pay(
        for workspaces: [[Int64]], _ charged: Set<Int64>, from purse: inout Purse?, _ room: Room,
        _ taking: inout Taking, _ connection: Connection
    ) throws(PostgresFailure) {
        guard purse != nil else { return }
        let all = workspaces.reduce(0) { $0 + $1.count }
        let most = charged.count == all ? room.total : max(1, room.total * charged.count / all)
        let share = max(1, most / charged.count)
        let lanes = workspaces.joined().filter { charged.contains($0) }
        let limits = lanes.map { (lane: $0, limit: charged.count == 1 ? most : share) }.map { lane, limit in
            (lane: lane, limit: min(limit, room.free(in: lane)))
        }
        taking.claims.deliveries += try purse?.take(limits, atMost: most, connection) ?? []
        let found = purse?.found ?? [:]
        taking.more.formUnion(limits.filter { found[$0.lane] == $0.limit }.map(\.lane))
    }

    private func look(_ command: Command) throws(LedgerError) -> [Waiting] {
        try attempting("look for due deliveries") { () throws(PostgresFailure) in
            Self.waiting(try connection().run([command])[0])
        }
    }

    private static func waiting(_ rows: Rows) -> [Waiting] {
        rows.indices.map { row in
            let name = LaneName(workspace: rows.text(row, 3), target: rows.text(row, 4))
            return Waiting(
                lane: LaneRound.Lane(rows.int(row, 0), name), at: rows.int(row, 1), later: rows.optionalInt(row, 2))
        }
    }

    /// The first times of a group and of a digest, as if these had lanes.
    private static let speaking = """
        (SELECT \(groupLane)::int8, due, NULL::int8, '', '' FROM grp WHERE due IS NOT NULL ORDER BY due LIMIT 1)
        UNION ALL (
            SELECT \(digestLane)::int8, due, NULL, '', '' FROM digest WHERE due IS NOT NULL ORDER BY due LIMIT 1)
        """

    /// Each lane that has something waiting and is not suspended: two index probes a lane; before them those that speak.
    private var waitingLanes: Command {
        Command(
            """
            WITH RECURSIVE l AS (
                (SELECT lane, due FROM delivery WHERE due IS NOT NULL ORDER BY lane, due LIMIT 1)
                UNION ALL
                SELECT n.lane, n.due FROM l CROSS JOIN LATERAL (
                    SELECT lane, due FROM delivery WHERE due IS NOT NULL AND lane > l.lane ORDER BY lane, due LIMIT 1) n)
            \(Self.waitingColumns)
            UNION ALL \(Self.speaking) ORDER BY 1
            """, Parameters(moment))
    }

    /// The same of some lanes.
    private func waiting(in lanes: [Int64]) -> Command {
        var values = Parameters(moment)
        values.add(lanes)
        return Command(
            """
            WITH l AS (
                SELECT d.lane, d.due FROM unnest($2::int8[]) AS t(lane) CROSS JOIN LATERAL (
                    SELECT lane, due FROM delivery WHERE due IS NOT NULL AND lane = t.lane ORDER BY lane, due LIMIT 1) d)
            \(Self.waitingColumns)
            """, values)
    }

    private static let waitingColumns = """
        SELECT l.lane, l.due, (
            SELECT d.due FROM delivery d WHERE d.lane = l.lane AND d.due > $1 ORDER BY d.due LIMIT 1), n.workspace, n.target
        FROM l JOIN lane n ON n.id = l.lane
        WHERE l.lane <> ALL(ARRAY(\(suspendedLanes)))
        """

    /// Shares the room: among workspaces first, however many lanes one has, then among the lanes of each; what room is then
    /// left goes to those that have more.
    private func take(
        from workspaces: [[Int64]], for session: SessionID, room: Room, _ taking: inout Taking, _ connection: Connection
    ) throws(PostgresFailure) {
        let most = room.total - taking.claims.deliveries.count
        guard !workspaces.isEmpty, most > 0 else { return taking.more.formUnion(workspaces.joined()) }
        let share = max(1, most / workspaces.count)
        let limits = workspaces.flatMap { lanes in
            lanes.map { (lane: $0, limit: min(max(1, share / lanes.count), room.free(in: $0))) }
        }
        let first = try take(limits, atMost: most, for: session, connection)
        var counts: [Int64: Int] = [:]
        for one in first { counts[one.lane, default: 0] += 1 }
        // A lane that did not use its share has no more, unless the room had an end before it.
        let full = limits.filter { counts[$0.lane] == $0.limit || first.count == most }.map(\.lane)
        let rest = full.map { (lane: $0, limit: room.free(in: $0) - (counts[$0] ?? 0)) }.filter { $0.limit > 0 }
        let second = try take(rest, atMost: most - first.count, for: session, connection)
        taking.claims.deliveries += first + second
        taking.more.formUnion(full)
    }

    private func take(
        _ limits: [(lane: Int64, limit: Int)], atMost most: Int, for session: SessionID, _ connection: Connection
    ) throws(PostgresFailure) -> [Claimed] {
        guard !limits.isEmpty, most > 0 else { return [] }
        var values = Parameters()
        values.add(limits.map(\.lane))
        values.add(limits.map { Int64($0.limit) })
        values.add(moment)
        values.add(session)
        values.add(Int64(most))
        let rows = try connection.run(
            """
            WITH picked AS MATERIALIZED (
                SELECT d.id, t.turn, d.due FROM unnest($1::int8[], $2::int8[]) WITH ORDINALITY AS t(lane, most, turn)
                CROSS JOIN LATERAL (
                    SELECT id, due FROM delivery WHERE lane = t.lane AND due IS NOT NULL AND due <= $3
                    ORDER BY lane, due, id LIMIT t.most FOR NO KEY UPDATE SKIP LOCKED) d
                WHERE t.lane <> ALL(ARRAY(\(Self.suspendedLanes)))
                LIMIT $5),
            taken AS (
                UPDATE delivery d SET state = 1, session = $4, epoch = epoch + 1, due = NULL, not_before = NULL
                FROM picked p WHERE d.id = p.id
                RETURNING d.id, d.epoch, d.attempts, d.key, d.revision, d.round, d.expires, d.pair, d.event, d.rule, d.lane,
                    d.via, p.turn, p.due)
            SELECT \(Self.claimedColumns)
            FROM taken t JOIN event e ON e.seq = t.event JOIN rule r ON r.id = t.rule JOIN lane l ON l.id = t.lane
            ORDER BY t.turn, t.due, t.id
            """, values)
        var claims = rows.indices.map { Self.claimed(rows, $0) }
        try addGroups(to: &claims, rows, connection)
        return claims
    }

    /// What `claimed` and `addGroups` read, of `taken t`, `event e`, `rule r` and `lane l`.
    static let claimedColumns = """
        t.id, t.epoch, t.attempts, t.key, l.workspace, r.name, l.target, t.revision, t.round, t.expires, e.appended, e.bytes,
            t.pair, t.lane, t.via, CASE e.partition WHEN \(groupPartition) THEN t.event END
        """

    static func claimed(_ rows: Rows, _ row: Int) -> Claimed {
        var claimed = Claimed(
            delivery: rows.int(row, 0), epoch: rows.int(row, 1), attempts: Int(rows.int(row, 2)),
            key: Key(rows.halves(row, 3)), pair: rows.optionalInt(row, 12), workspace: rows.text(row, 4),
            rule: rows.text(row, 5), target: rows.text(row, 6), revision: rows.int(row, 7), lane: rows.int(row, 13),
            roundBegan: Timestamp(milliseconds: rows.int(row, 8)), expires: Timestamp(milliseconds: rows.int(row, 9)),
            appended: Timestamp(milliseconds: rows.int(row, 10)), event: rows.blob(row, 11))
        claimed.via = rows.optionalText(row, 14)
        return claimed
    }
}
