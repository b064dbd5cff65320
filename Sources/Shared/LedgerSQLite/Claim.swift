public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func claim(
        for session: SessionID, room: Room, by tariff: (any Tariff)?, now: Timestamp
    ) throws(LedgerError) -> Claims {
        try letThemSpeak(room, tariff, now)
        let suspended = try suspended()
        if room.total > 0, round.serves(room.total) {
            let turn = round.next(room.total) { room.free(in: $0) > 0 && !suspended.contains($0) }
            var claims = try take(turn, for: session, room: room, by: tariff, now: now)
            claims.leftBehind = true
            // What it had left others may have taken meanwhile.
            if !claims.isEmpty { return claims }
        }
        let lanes = try looking(waitingLanes).filter { room.limits[$0.lane] != 0 && !suspended.contains($0.lane) }
        let ready = lanes.filter {
            $0.lane > Self.groupLane && $0.at <= now.milliseconds && room.free(in: $0.lane) > 0
        }
        round = LaneRound(try named(ready.map(\.lane)), behind: lastServed, for: session, room: room.total)
        let turn = round.next(room.total) { _ in true }
        let asksAll = turn.isEmpty || round.isEmpty
        var claims = try take(turn, for: session, room: room, by: tariff, now: now)
        claims.leftBehind = !asksAll || room.total > 0 && claims.deliveries.count == room.total
        guard asksAll else {
            if claims.isEmpty { claims.nextDue = now }  // Others were faster; there is more.
            return claims
        }
        try looking { () throws(SQLiteFailure) in
            try addLeft(of: lanes, asked: Set(turn.joined().map(\.number)), to: &claims, now)
        }
        return claims
    }

    /// Lets groups and digests say what is due; they stand among the lanes as if each kind were one.
    private func letThemSpeak(_ room: Room, _ tariff: (any Tariff)?, _ now: Timestamp) throws(LedgerError) {
        func isDue(_ lane: Int64) throws(LedgerError) -> Bool {
            try looking { () throws(SQLiteFailure) in
                try time(in: lane, after: .min).map { $0 <= now.milliseconds } ?? false
            }
        }
        if try isDue(Self.groupLane) { try letGroupsSpeak(now) }
        if room.total > 0, try isDue(Self.digestLane) { try letDigestsSpeak(tariff, now) }
    }

    /// Reads on one snapshot: else each probe takes a lock of the file and gives it back.
    private func looking<Result>(_ body: () throws(SQLiteFailure) -> Result) throws(LedgerError) -> Result {
        try attempting("look for due deliveries") { () throws(SQLiteFailure) in try database.read(body) }
    }

    /// What stays behind: whether some of it is due, and when the rest will be.
    private func addLeft(
        of lanes: [(lane: Int64, at: Int64)], asked: Set<Int64>, to claims: inout Claims, _ now: Timestamp
    ) throws(SQLiteFailure) {
        var nextDue: Int64?
        for (lane, at) in lanes {
            guard let first = asked.contains(lane) ? try time(in: lane, after: .min) : at else { continue }
            claims.leftBehind = claims.leftBehind || first <= now.milliseconds
            let later = first > now.milliseconds ? first : try time(in: lane, after: now.milliseconds)
            nextDue = [nextDue, later].compactMap(\.self).min()
        }
        claims.nextDue = nextDue.map { Timestamp(milliseconds: $0) }
    }

    /// The first time after another at which something is due in a lane.
    private func time(in lane: Int64, after: Int64) throws(SQLiteFailure) -> Int64? {
        let query = try database.fixed("SELECT at FROM due WHERE lane = ? AND at > ? ORDER BY at LIMIT 1")
        query.bind(1, lane)
        query.bind(2, after)
        defer { query.reset() }
        return try query.step() ? query.int(0) : nil
    }

    /// Each lane that has something waiting, with its earliest time: one index probe a lane.
    private func waitingLanes() throws(SQLiteFailure) -> [(lane: Int64, at: Int64)] {
        let next = try database.fixed("SELECT lane, at FROM due WHERE lane > ? ORDER BY lane, at LIMIT 1")
        var lanes: [(lane: Int64, at: Int64)] = []
        var last = Self.digestLane - 1
        while true {
            next.bind(1, last)
            defer { next.reset() }
            guard try next.step() else { return lanes }
            last = next.int(0)
            lanes.append((last, next.int(1)))
        }
    }

    private func named(_ lanes: [Int64]) throws(LedgerError) -> [LaneRound.Lane] {
        try looking { () throws(SQLiteFailure) in
            var named: [LaneRound.Lane] = []
            named.reserveCapacity(lanes.count)
            for lane in lanes { named.append(LaneRound.Lane(lane, try names.name(of: lane, in: database))) }
            return named
        }
    }

    /// Leases what is due in some lanes, and charges it.
    private func take(
        _ turn: LaneRound.Turn, for session: SessionID, room: Room, by tariff: (any Tariff)?, now: Timestamp
    ) throws(LedgerError) -> Claims {
        var claims = Claims(deliveries: [], nextDue: nil)
        guard !turn.isEmpty else { return claims }
        let charged = try tariff?.charged(of: turn) ?? []
        // What is charged is on the disk before it is sent: a charge that a crash undid would let a send through twice.
        let reach: Database.Durability = charged.isEmpty ? .process : .machine
        try transaction(reach, "claim due deliveries") { () throws(SQLiteFailure) in
            guard let lowest = try lowestLease(of: session) else { return }
            let purse = charged.isEmpty ? nil : tariff.map { Purse(self, $0, session, lanes: charged, now: now) }
            claims.deliveries = try take(turn, for: session, room: room, charging: purse, now: now.milliseconds)
            try purse?.close()
            if let first = claims.deliveries.map(\.delivery).min(), first < lowest { try lower(first, of: session) }
            claims.turned = purse?.turned ?? []
        }
        return claims
    }

    /// Shares the room: among workspaces first, however many lanes one has, then among the lanes of each; what room is then
    /// left goes to those that have more.
    private func take(
        _ turn: LaneRound.Turn, for session: SessionID, room: Room, charging purse: Purse?, now: Int64
    ) throws(SQLiteFailure) -> [Claimed] {
        var taken: [Claimed] = []
        var mine: [Int64: Int] = [:]
        /// Takes some of a lane; true when it has more.
        func take(_ share: Int, of lane: Int64) throws(SQLiteFailure) -> Bool {
            let limit = min(share, room.free(in: lane) - (mine[lane] ?? 0), room.total - taken.count)
            guard limit > 0 else { return true }
            let due = try due(in: lane, limit, now)
            let some = try lease(due, of: lane, for: session, charging: purse)
            taken += some
            mine[lane, default: 0] += some.count
            return due.count == limit
        }
        let share = max(1, room.total / turn.count)
        var full: [LaneRound.Lane] = []
        var more: [LaneRound.Lane] = []
        for lanes in turn {
            for lane in lanes where try take(max(1, share / lanes.count), of: lane.number) { full.append(lane) }
        }
        for lane in full where try take(room.total, of: lane.number) { more.append(lane) }
        lastServed = turn.last?.last?.number
        round.served(taken.count, more: more)
        try moved(.pending, .leased, taken.count)
        return taken
    }

    /// What is due in a lane, at most so many, the oldest first.
    private func due(in lane: Int64, _ limit: Int, _ now: Int64) throws(SQLiteFailure) -> [Due] {
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
        return taken
    }

    private func lease(
        _ due: [Due], of lane: Int64, for session: SessionID, charging purse: Purse?
    ) throws(SQLiteFailure) -> [Claimed] {
        var taken = due
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
