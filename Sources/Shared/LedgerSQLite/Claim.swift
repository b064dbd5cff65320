public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func claim(
        for session: SessionID, room: Room, by tariff: (any Tariff)?, now: Timestamp
    ) throws(LedgerError) -> Claims {
        var lanes = try attempting("look for due deliveries") { () throws(SQLiteFailure) in
            try waitingLanes(room)
        }
        let speaking = lanes.filter { $0.lane <= Self.groupLane && $0.at <= now.milliseconds }.map(\.lane)
        if speaking.contains(Self.groupLane) { try letGroupsSpeak(now) }
        if speaking.contains(Self.digestLane), room.total > 0 { try letDigestsSpeak(tariff, now) }
        if !speaking.isEmpty {
            lanes = try attempting("look for due deliveries") { () throws(SQLiteFailure) in try waitingLanes(room) }
        }
        let ready = lanes.filter {
            $0.lane > Self.groupLane && $0.at <= now.milliseconds && room.free(in: $0.lane) > 0
        }
        guard room.total > 0, !ready.isEmpty else {
            return try attempting("look for due deliveries") { () throws(SQLiteFailure) in
                try left(lanes, now, isFull: false)
            }
        }
        let charged = try tariff.map { tariff throws(LedgerError) in try chargedLanes(ready.map(\.lane), tariff) } ?? []
        // What is charged is on the disk before it is sent: a charge that a crash undid would let a send through twice.
        let reach: Database.Durability = charged.isEmpty ? .process : .machine
        return try transaction(reach, "claim due deliveries") { () throws(SQLiteFailure) in
            guard let lowest = try lowestLease(of: session) else { return try left(lanes, now, isFull: false) }
            let purse = charged.isEmpty ? nil : tariff.map { Purse(self, $0, session, lanes: charged, now: now) }
            let taken = try take(
                from: inTurn(ready.map(\.lane)), for: session, room: room, charging: purse, now: now.milliseconds)
            try purse?.close()
            if let first = taken.map(\.delivery).min(), first < lowest { try lower(first, of: session) }
            var claims = try left(waitingLanes(room), now, isFull: taken.count == room.total)
            claims.deliveries = taken
            claims.turned = purse?.turned ?? []
            return claims
        }
    }

    /// What stays behind: whether some of it is due, and when the rest will be.
    private func left(_ lanes: [(lane: Int64, at: Int64)], _ now: Timestamp, isFull: Bool) throws(SQLiteFailure)
        -> Claims
    {
        var nextDue: Int64?
        for (lane, at) in lanes {
            guard let later = at > now.milliseconds ? at : try laterTime(in: lane, than: now) else { continue }
            nextDue = min(nextDue ?? later, later)
        }
        let isDue = lanes.contains { $0.at <= now.milliseconds }
        return Claims(
            deliveries: [], nextDue: nextDue.map { Timestamp(milliseconds: $0) }, leftBehind: isFull || isDue)
    }

    private func laterTime(in lane: Int64, than now: Timestamp) throws(SQLiteFailure) -> Int64? {
        let query = try database.fixed("SELECT at FROM due WHERE lane = ? AND at > ? ORDER BY at LIMIT 1")
        query.bind(1, lane)
        query.bind(2, now.milliseconds)
        defer { query.reset() }
        return try query.step() ? query.int(0) : nil
    }

    /// Each open lane that has something waiting, with its earliest time: one index probe a lane.
    private func waitingLanes(_ room: Room) throws(SQLiteFailure) -> [(lane: Int64, at: Int64)] {
        let next = try database.fixed("SELECT lane, at FROM due WHERE lane > ? ORDER BY lane, at LIMIT 1")
        let suspended = try suspendedLanes()
        var lanes: [(lane: Int64, at: Int64)] = []
        var last = Self.digestLane - 1
        while true {
            next.bind(1, last)
            defer { next.reset() }
            guard try next.step() else { return lanes }
            last = next.int(0)
            if room.limits[last] != 0, !suspended.contains(last) { lanes.append((last, next.int(1))) }
        }
    }

    /// The lanes of each workspace, beginning behind the lane served last, so that a full house is shared in turns.
    private func inTurn(_ lanes: [Int64]) throws(SQLiteFailure) -> [[Int64]] {
        let start = lanes.firstIndex { $0 > claimCursor } ?? 0
        var places: [Int64: Int] = [:]
        var workspaces: [[Int64]] = []
        for lane in lanes[start...] + lanes[..<start] {
            let workspace = try names.workspace(of: lane, in: database)
            if let place = places[workspace] {
                workspaces[place].append(lane)
            } else {
                places[workspace] = workspaces.count
                workspaces.append([lane])
            }
        }
        return workspaces
    }

    /// Shares the room: among workspaces first, however many lanes one has, then among the lanes of each.
    private func take(
        from workspaces: [[Int64]], for session: SessionID, room: Room, charging purse: Purse?, now: Int64
    ) throws(SQLiteFailure) -> [Claimed] {
        var taken: [Claimed] = []
        var mine: [Int64: Int] = [:]
        func take(_ share: Int, of lane: Int64) throws(SQLiteFailure) -> Int {
            let limit = min(share, room.free(in: lane) - (mine[lane] ?? 0), room.total - taken.count)
            guard limit > 0 else { return 0 }
            let some = try self.take(limit, from: lane, for: session, charging: purse, now: now)
            taken += some
            mine[lane, default: 0] += some.count
            if !some.isEmpty { claimCursor = lane }
            return some.count
        }
        // First round: a fair share each; second round: what room is left.
        let share = max(1, room.total / workspaces.count)
        for lanes in workspaces {
            var left = share
            for lane in lanes where left > 0 { left -= try take(min(left, max(1, share / lanes.count)), of: lane) }
        }
        for lanes in workspaces {
            for lane in lanes where taken.count < room.total { _ = try take(room.total, of: lane) }
        }
        try moved(.pending, .leased, taken.count)
        return taken
    }

    private func take(
        _ limit: Int, from lane: Int64, for session: SessionID, charging purse: Purse?, now: Int64
    ) throws(SQLiteFailure) -> [Claimed] {
        let query = try database.fixed(
            """
            SELECT due.at, d.id, d.epoch + 1, d.attempts, d.key, l.workspace, r.name, l.target, d.revision, d.round,
                d.expires, e.appended, e.bytes, d.pair, d.via, d.reason, e.partition, d.event
            FROM due JOIN delivery d ON d.id = due.delivery JOIN event e ON e.seq = d.event
                JOIN rule r ON r.id = d.rule JOIN lane l ON l.id = due.lane
            WHERE due.lane = ? AND due.at <= ? ORDER BY due.at, due.delivery LIMIT ?
            """)
        query.bind(1, lane)
        query.bind(2, now)
        query.bind(3, Int64(limit))
        var taken: [Due] = []
        var groups: [(place: Int, event: Int64)] = []
        while try query.step() {
            if query.int(16) == Self.groupPartition { groups.append((taken.count, query.int(17))) }
            taken.append(Due(at: query.int(0), claimed: claimed(query, lane), reason: query.text(15)))
        }
        for (place, event) in groups { taken[place].claimed.group = try claimedGroup(of: event) }
        if let purse { try pay(for: &taken, from: purse) }
        let lease = try database.fixed(
            "UPDATE delivery SET state = 1, session = ?2, epoch = ?3, due = NULL, not_before = NULL WHERE id = ?1")
        for due in taken {
            try dequeue(due.claimed.delivery, lane: lane, at: due.at)
            lease.bind(1, due.claimed.delivery)
            lease.bind(2, session)
            lease.bind(3, due.claimed.epoch)
            try lease.run()
        }
        return taken.map(\.claimed)
    }

    /// Leaves those that are charged and find no room.
    private func pay(for taken: inout [Due], from purse: Purse) throws(SQLiteFailure) {
        guard let first = taken.first, purse.lanes.contains(first.claimed.lane) else { return }
        var paid: [Due] = []
        for var due in taken {
            guard let claimed = try purse.charge(due) else { continue }
            due.claimed = claimed
            paid.append(due)
        }
        taken = paid
    }

    private func claimed(_ row: Statement, _ lane: Int64) -> Claimed {
        let key = row.halves(4)
        var claimed = Claimed(
            delivery: row.int(1), epoch: row.int(2), attempts: Int(row.int(3)), key: Key(high: key.high, low: key.low),
            pair: row.optionalInt(13), workspace: row.text(5), rule: row.text(6), target: row.text(7),
            revision: row.int(8), lane: lane,
            roundBegan: Timestamp(milliseconds: row.int(9)), expires: Timestamp(milliseconds: row.int(10)),
            appended: Timestamp(milliseconds: row.int(11)), event: row.blob(12))
        claimed.via = row.optionalText(14)
        return claimed
    }
}

extension Room {
    /// How much more a lane may hold.
    fileprivate func free(in lane: Int64) -> Int {
        min(perLane - (used[lane] ?? 0), limits[lane] ?? .max)
    }
}
