public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// A claim waits for nobody: it takes what is due and skips what others are taking at this moment.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    /// A lane that has something waiting, with its earliest time and its earliest later than now.
    private struct Lane {
        let lane, at: Int64
        let later: Int64?
        let workspace, target: String
    }

    public func claim(
        for session: SessionID, room: Room, by tariff: (any Tariff)?, now: Timestamp
    ) throws(LedgerError) -> Claims {
        moment = now.milliseconds
        func look() throws(LedgerError) -> [Lane] {
            try attempting("look for due deliveries") { () throws(PostgresFailure) in
                Self.lanes(try connection().run([waitingLanes])[0], room)
            }
        }
        var lanes = try look()
        let speaking = lanes.filter { $0.lane <= Self.groupLane && $0.at <= moment }.map(\.lane)
        if speaking.contains(Self.groupLane) { try letGroupsSpeak() }
        if speaking.contains(Self.digestLane), room.total > 0 { try letDigestsSpeak(tariff) }
        if !speaking.isEmpty { lanes = try look() }
        let ready = lanes.filter { $0.lane > Self.groupLane && $0.at <= moment && room.free(in: $0.lane) > 0 }
        guard room.total > 0, !ready.isEmpty else { return left(lanes, isFull: false) }
        var charged: Set<Int64> = []
        for lane in ready where try tariff?.isCharged(lane.target, of: lane.workspace) ?? false {
            charged.insert(lane.lane)
        }
        return try transaction("claim due deliveries") { connection throws(PostgresFailure) in
            // What is charged is on the disk before it is sent: a charge that a crash undid would let a send through twice.
            let found = try connection.run([.begin, hold(session)] + (charged.isEmpty ? [.lazily] : []))[1]
            guard !found.isEmpty else { return left(lanes, isFull: false) }
            let turns = inTurn(ready)
            var purse = charged.isEmpty ? nil : tariff.map { Purse(self, $0, session) }
            let paid = try pay(for: turns, charged, from: &purse, room, connection)
            let free = try take(
                from: turns.map { $0.filter { !charged.contains($0) } }.filter { !$0.isEmpty }, for: session,
                room: room, atMost: room.total - paid.count, connection)
            let taken = paid + free
            var commands = tallies(["delivery.pending": -taken.count, "delivery.leased": taken.count], connection)
            if let first = taken.map(\.delivery).min(), first < found.int(0, 0) {
                commands.insert(lower(first, of: session), at: 0)
            }
            let rows = try connection.run([waitingLanes] + commands + [.commit])
            for one in taken { held[session]?[one.delivery] = one.epoch }
            var claims = left(Self.lanes(rows[0], room), isFull: taken.count == room.total)
            claims.deliveries = taken
            claims.turned = purse?.turned ?? []
            // What another was at is free again in a moment.
            if purse?.hasPassedOver == true { claims.nextDue = now }
            return claims
        }
    }

    /// Takes what is charged, once and before all else: scopes are locked in one order, and before deliveries.
    ///
    /// Of a full house these lanes have the part that they are of all.
    private func pay(
        for workspaces: [[Int64]], _ charged: Set<Int64>, from purse: inout Purse?, _ room: Room,
        _ connection: Connection
    ) throws(PostgresFailure) -> [Claimed] {
        guard purse != nil else { return [] }
        let all = workspaces.reduce(0) { $0 + $1.count }
        let most = charged.count == all ? room.total : max(1, room.total * charged.count / all)
        let share = max(1, most / charged.count)
        let lanes = workspaces.joined().filter { charged.contains($0) }
        let limits = lanes.map { (lane: $0, limit: charged.count == 1 ? most : share) }.map { lane, limit in
            (lane: lane, limit: min(limit, room.free(in: lane)))
        }.filter { $0.limit > 0 }
        let taken = try purse?.take(limits, atMost: most, connection) ?? []
        if let last = taken.last { claimCursor = last.lane }
        return taken
    }

    /// What stays behind: whether some of it is due, and when the rest will be.
    private func left(_ lanes: [Lane], isFull: Bool) -> Claims {
        let nextDue = lanes.compactMap { $0.at > moment ? $0.at : $0.later }.min()
        return Claims(
            deliveries: [], nextDue: nextDue.map { Timestamp(milliseconds: $0) },
            leftBehind: isFull || lanes.contains { $0.at <= moment })
    }

    /// Each lane that has something waiting and is not suspended: two index probes a lane; before them the first
    /// times of a group and of a digest, as if these had lanes.
    private var waitingLanes: Command {
        Command(
            """
            WITH RECURSIVE l AS (
                (SELECT lane, due FROM delivery WHERE due IS NOT NULL ORDER BY lane, due LIMIT 1)
                UNION ALL
                SELECT n.lane, n.due FROM l CROSS JOIN LATERAL (
                    SELECT lane, due FROM delivery WHERE due IS NOT NULL AND lane > l.lane ORDER BY lane, due LIMIT 1) n)
            SELECT l.lane, l.due, (
                SELECT d.due FROM delivery d WHERE d.lane = l.lane AND d.due > $1 ORDER BY d.due LIMIT 1), n.workspace,
                n.target
            FROM l JOIN lane n ON n.id = l.lane
            WHERE l.lane <> ALL(ARRAY(\(Self.suspendedLanes)))
            UNION ALL (SELECT \(Self.groupLane)::int8, due, NULL, '', '' FROM grp WHERE due IS NOT NULL ORDER BY due LIMIT 1)
            UNION ALL (
                SELECT \(Self.digestLane)::int8, due, NULL, '', '' FROM digest WHERE due IS NOT NULL ORDER BY due LIMIT 1)
            ORDER BY 1
            """, Parameters(moment))
    }

    /// Those of the lanes that may have something at all.
    private static func lanes(_ rows: Rows, _ room: Room) -> [Lane] {
        rows.indices.map { row in
            Lane(
                lane: rows.int(row, 0), at: rows.int(row, 1), later: rows.optionalInt(row, 2),
                workspace: rows.text(row, 3), target: rows.text(row, 4))
        }.filter { room.limits[$0.lane] != 0 }
    }

    /// The lanes of each workspace, beginning behind the lane served last, so that a full house is shared in turns.
    private func inTurn(_ lanes: [Lane]) -> [[Int64]] {
        let start = lanes.firstIndex { $0.lane > claimCursor } ?? 0
        var places: [String: Int] = [:]
        var workspaces: [[Int64]] = []
        for lane in lanes[start...] + lanes[..<start] {
            if let place = places[lane.workspace] {
                workspaces[place].append(lane.lane)
            } else {
                places[lane.workspace] = workspaces.count
                workspaces.append([lane.lane])
            }
        }
        return workspaces
    }

    /// Shares the room: among workspaces first, however many lanes one has, then among the lanes of each; what room is then
    /// left goes to those that have more.
    private func take(
        from workspaces: [[Int64]], for session: SessionID, room: Room, atMost most: Int, _ connection: Connection
    ) throws(PostgresFailure) -> [Claimed] {
        guard !workspaces.isEmpty, most > 0 else { return [] }
        let share = max(1, most / workspaces.count)
        var limits: [(lane: Int64, limit: Int)] = []
        for lanes in workspaces {
            var left = share
            for lane in lanes where left > 0 {
                let limit = min(left, max(1, share / lanes.count), room.free(in: lane))
                limits.append((lane, limit))
                left -= limit
            }
        }
        let first = try take(limits, atMost: most, for: session, connection)
        var counts: [Int64: Int] = [:]
        for one in first { counts[one.lane, default: 0] += 1 }
        // A lane that did not use its share has no more.
        let spent = Set(limits.filter { counts[$0.lane] ?? 0 < $0.limit }.map(\.lane))
        let more = workspaces.joined().filter { !spent.contains($0) }.map { lane in
            (lane: lane, limit: room.free(in: lane) - (counts[lane] ?? 0))
        }.filter { $0.limit > 0 }
        return try first + take(more, atMost: most - first.count, for: session, connection)
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
        claimCursor = rows.isEmpty ? claimCursor : rows.int(rows.count - 1, 13)
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

extension Room {
    /// How much more a lane may hold.
    fileprivate func free(in lane: Int64) -> Int {
        min(perLane - (used[lane] ?? 0), limits[lane] ?? .max)
    }
}
