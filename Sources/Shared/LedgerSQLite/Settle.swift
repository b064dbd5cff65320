public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func settle(
        _ settlements: [Settlement], for session: SessionID, now: Timestamp
    ) throws(LedgerError) {
        guard !settlements.isEmpty else { return }
        try transaction(.process, "settle \(settlements.count) deliveries") { () throws(SQLiteFailure) in
            var counts: [DeliveryState: Int] = [:]
            var delivered = 0
            var someoneWaits = try isAnyBehind()
            for settlement in settlements {
                if settlement.ending == .delivered, try deliver(settlement, now.milliseconds) {
                    if someoneWaits { try freeNext(after: settlement.delivery, now.milliseconds) }
                    delivered += 1
                    continue
                }
                someoneWaits = true  // as those become that stood behind what goes back
                guard let change = try settle(settlement, session, now.milliseconds) else { continue }
                let isFailure = change.to == .dead || change.to == .expired
                let isKept = isFailure ? try keepDelivered(settlement.delivery) : false
                counts[change.from, default: 0] -= 1
                counts[isKept ? .delivered : change.to, default: 0] += 1
            }
            counts[.leased, default: 0] -= delivered
            counts[.delivered, default: 0] += delivered
            for (state, change) in counts { try tally("delivery.\(state.rawValue)", change) }
            if settlements.contains(where: { !$0.scopes.isEmpty }) { try settleQuotas(settlements, now) }
            try pass(.inSettle)
        }
    }

    /// Writes one ending.
    ///
    /// Returns the state it ended and the one it began, `nil` when the ending came too late to count.
    private func settle(
        _ settlement: Settlement, _ session: SessionID, _ now: Int64
    ) throws(SQLiteFailure) -> (from: DeliveryState, to: DeliveryState)? {
        if settlement.ending == .delivered {
            return try deliverLate(settlement, now).map { ($0, .delivered) }
        }
        var settlement = settlement
        if settlement.ending.due(now) != nil, try isSuperseded(settlement.delivery) {
            (settlement.ending, settlement.reason) = (.expired, Self.superseded)
        }

        let update = try database.fixed(
            """
            UPDATE delivery SET state = ?3, session = 0, due = ?4, not_before = ?5, settled = ?6, attempts = attempts + ?7,
                reason = ?8, status = ?9 WHERE id = ?1 AND epoch = ?2 AND state = 1 AND session = ?10
            """)
        // An elder reopened by hand goes first: this one waits behind it.
        let wish = settlement.ending.due(now)
        let waitsBehind = wish == nil ? false : try hasElder(settlement.delivery)
        let due = waitsBehind ? nil : wish
        let isAttempt = settlement.ending.isAttempt
        update.bind(1, settlement.delivery)
        update.bind(2, settlement.epoch)
        update.bind(3, settlement.ending.code)
        update.bind(4, due)
        update.bind(5, settlement.notBefore?.milliseconds)
        update.bind(6, wish == nil ? now : nil)
        update.bind(7, isAttempt ? 1 : 0)
        update.bind(8, settlement.reason)
        update.bind(9, Int64(settlement.status))
        update.bind(10, session)
        try update.run()
        guard database.changes == 1 else { return nil }
        if isAttempt { try note(settlement, now) }
        if wish != nil { try releaseFollowers(of: settlement.delivery, now) }
        if let due { try enqueue(settlement.delivery, lane: lane(of: settlement.delivery), at: due) }
        if due == nil { try freeNext(after: settlement.delivery, now) }
        return (.leased, settlement.ending.state)
    }

    /// Writes the yes to a claim that stands; false when it stands no more.
    private func deliver(_ settlement: Settlement, _ now: Int64) throws(SQLiteFailure) -> Bool {
        let update = try database.fixed(
            """
            UPDATE delivery SET state = 2, session = 0, settled = ?3, reason = '', status = ?4
            WHERE id = ?1 AND epoch = ?2 AND state = 1
            """)
        update.bind(1, settlement.delivery)
        update.bind(2, settlement.epoch)
        update.bind(3, now)
        update.bind(4, Int64(settlement.status))
        try update.run()
        guard database.changes == 1 else { return false }
        if let page = settlement.page { try keep(page, of: settlement.delivery, now) }
        return true
    }

    /// A yes is final from whichever claim it comes.
    private func deliverLate(_ settlement: Settlement, _ now: Int64) throws(SQLiteFailure) -> DeliveryState? {
        let from = try deliverLate(settlement.delivery, status: settlement.status, now)
        if from != nil {
            try freeNext(after: settlement.delivery, now)
            if let page = settlement.page { try keep(page, of: settlement.delivery, now) }
        }
        return from
    }

    /// A second yes finds the delivery delivered and comes not here, so a page is written once.
    private func keep(_ page: InboxPage, of delivery: DeliveryID, _ now: Int64) throws(SQLiteFailure) {
        let insert = try database.fixed(
            "INSERT OR REPLACE INTO inbox SELECT id, lane, ?2, ?3, ?4, ?5, ?6 FROM delivery WHERE id = ?1")
        insert.bind(1, delivery)
        insert.bind(2, now)
        insert.bind(3, page.title)
        insert.bind(4, page.message)
        insert.bind(5, page.severity)
        insert.bind(6, page.url)
        try insert.run()
    }

    /// The yes of an older claim: the row may be pending again, leased anew, or ended otherwise.
    func deliverLate(_ delivery: DeliveryID, status: Int, _ now: Int64) throws(SQLiteFailure) -> DeliveryState? {
        let query = try database.fixed("SELECT state, lane, due FROM delivery WHERE id = ?")
        query.bind(1, delivery)
        defer { query.reset() }
        guard try query.step(), let from = DeliveryState(code: query.int(0)), from != .delivered else { return nil }
        if let due = query.optionalInt(2) { try dequeue(delivery, lane: query.int(1), at: due) }
        let update = try database.fixed(
            """
            UPDATE delivery SET state = 2, session = 0, due = NULL, not_before = NULL, settled = ?2, reason = '', status = ?3
            WHERE id = ?1
            """)
        update.bind(1, delivery)
        update.bind(2, now)
        update.bind(3, Int64(status))
        try update.run()
        return from
    }

    func note(_ settlement: Settlement, _ now: Int64) throws(SQLiteFailure) {
        let insert = try database.fixed(
            """
            INSERT OR REPLACE INTO attempt
            SELECT id, attempts, ?2, ?3, ?4, ?5 FROM delivery WHERE id = ?1
            """)
        insert.bind(1, settlement.delivery)
        insert.bind(2, now)
        insert.bind(3, settlement.reason)
        insert.bind(4, Int64(settlement.status))
        insert.bind(5, settlement.words)
        try insert.run()
    }

    /// A delivery goes back to pending: so does what its session holds to send after it.
    private func releaseFollowers(of delivery: DeliveryID, _ now: Int64) throws(SQLiteFailure) {
        let superseding = try database.fixed(
            """
            SELECT id FROM delivery WHERE state < 2 AND state = 1 AND pair = (SELECT pair FROM delivery WHERE id = ?1)
                AND id > ?1 AND supersedes = 1 ORDER BY id
            """)
        superseding.bind(1, delivery)
        var mayEnd: [DeliveryID] = []
        while try superseding.step() { mayEnd.append(superseding.int(0)) }
        let release = try database.fixed(
            """
            UPDATE delivery SET state = 0, session = 0
            WHERE state < 2 AND state = 1 AND pair = (SELECT pair FROM delivery WHERE id = ?1) AND id > ?1
            """)
        release.bind(1, delivery)
        try release.run()
        try moved(.leased, .pending, Int(database.changes))
        for follower in mayEnd { try endIfSuperseded(follower, now) }
    }

    /// Whether any delivery waits behind another of its pair, without a time of its own.
    private func isAnyBehind() throws(SQLiteFailure) -> Bool {
        let query = try database.fixed(
            "SELECT 1 FROM delivery INDEXED BY delivery_behind WHERE state = 0 AND due IS NULL LIMIT 1")
        defer { query.reset() }
        return try query.step()
    }

    /// A delivery is settled: the next of its pair, if it waited only for that, is due.
    func freeNext(after delivery: DeliveryID, _ now: Int64) throws(SQLiteFailure) {
        let next = try database.fixed(
            """
            SELECT id, lane, state, due, not_before FROM delivery
            WHERE state < 2 AND pair = (SELECT pair FROM delivery WHERE id = ?) ORDER BY id LIMIT 1
            """)
        next.bind(1, delivery)
        defer { next.reset() }
        guard try next.step(), next.int(2) == StateCode.pending, next.isNull(3), try !isOneLeased(with: next.int(0))
        else { return }
        try reschedule(next.int(0), lane: next.int(1), from: nil, to: max(now, next.optionalInt(4) ?? now))
    }

    /// Whether a younger one of its pair is on its way, as when this one was reopened by hand.
    private func isOneLeased(with delivery: DeliveryID) throws(SQLiteFailure) -> Bool {
        let query = try database.fixed(
            """
            SELECT 1 FROM delivery
            WHERE state < 2 AND state = 1 AND pair = (SELECT pair FROM delivery WHERE id = ?1) LIMIT 1
            """)
        query.bind(1, delivery)
        defer { query.reset() }
        return try query.step()
    }

    /// Whether an older one of its pair is open.
    func hasElder(_ delivery: DeliveryID) throws(SQLiteFailure) -> Bool {
        let query = try database.fixed(
            """
            SELECT 1 FROM delivery
            WHERE state < 2 AND pair = (SELECT pair FROM delivery WHERE id = ?1) AND id < ?1 LIMIT 1
            """)
        query.bind(1, delivery)
        defer { query.reset() }
        return try query.step()
    }

    private func lane(of delivery: DeliveryID) throws(SQLiteFailure) -> Int64 {
        let query = try database.fixed("SELECT lane FROM delivery WHERE id = ?")
        query.bind(1, delivery)
        defer { query.reset() }
        return try query.step() ? query.int(0) : 0
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
    fileprivate var code: Int64 { state.code }
    fileprivate var isAttempt: Bool {
        switch self {
        case .delivered, .retry, .dead: true
        case .expired, .released, .postponed: false
        }
    }
    fileprivate func due(_ now: Int64) -> Int64? {
        switch self {
        case .retry(let at), .postponed(let at): at.milliseconds
        case .released: now
        case .delivered, .dead, .expired: nil
        }
    }
}
