public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger: Ledger {
    public func position(_ stream: String, _ partition: Int32) throws(LedgerError) -> Int64? {
        try attempting("read the position of \(stream)/\(partition)") { () throws(SQLiteFailure) in
            try storedPosition(stream, partition)
        }
    }

    public func decide(
        _ batch: Decisions, for session: SessionID, now: Timestamp
    ) throws(LedgerError) -> Decided {
        func doing() -> String { "decide \(batch.stream)/\(batch.partition) \(batch.from)..<\(batch.next)" }
        return try transaction(.machine, doing()) { () throws(SQLiteFailure) -> Decided in
            let revision = try storedRevision()
            guard batch.isByRulesOfThen || revision == batch.revision else { return .rulesMoved }
            let stands = try storedPosition(batch.stream, batch.partition)
            if batch.isBeside {
                guard try !isDecided(batch) else { return .moved(stands) }
            } else {
                guard stands == nil || stands == batch.from else { return .moved(stands) }
            }
            var writer = try DecisionWriter(self, batch, session: session, now: now)
            try writer.write()
            try pass(.inDecision)
            return .done(writer.births, duplicates: writer.duplicates, suppressed: writer.suppressed)
        }
    }

    public func revision() throws(LedgerError) -> Revision {
        try attempting("read the revision") { () throws(SQLiteFailure) in try storedRevision() }
    }

    func storedRevision() throws(SQLiteFailure) -> Revision {
        try database.int(fixed: "SELECT value FROM meta WHERE name = 'revision'") ?? 0
    }

    /// Whether some of a batch's offsets are decided.
    private func isDecided(_ batch: Decisions) throws(SQLiteFailure) -> Bool {
        let query = try database.fixed(
            "SELECT next FROM batch WHERE stream = ? AND partition = ? AND first < ? ORDER BY first DESC LIMIT 1")
        query.bind(1, batch.stream)
        query.bind(2, Int64(batch.partition))
        query.bind(3, batch.next)
        defer { query.reset() }
        guard try query.step() else { return false }
        return query.int(0) > batch.from
    }

    private func storedPosition(_ stream: String, _ partition: Int32) throws(SQLiteFailure) -> Int64? {
        let query = try database.fixed("SELECT next FROM position WHERE stream = ? AND partition = ?")
        query.bind(1, stream)
        query.bind(2, Int64(partition))
        defer { query.reset() }
        return try query.step() ? query.int(0) : nil
    }
}

/// Writes one batch's decisions; lives for one transaction.
private struct DecisionWriter {
    private let ledger: SQLiteLedger
    private let batch: Decisions
    private let session: SessionID
    private let now: Int64
    /// Below which the session has leased nothing; `nil` when it may lease nothing.
    private let lowest: DeliveryID?
    private var firstLeased: DeliveryID?
    private let suspended: Set<Int64>
    private let event, delivery, openHead, openLast: Statement
    private(set) var births: [Birth] = []
    private(set) var duplicates = 0
    private(set) var suppressed: [Suppression: Int] = [:]
    private var windows: Windows?
    private var thresholds: Thresholds?
    private var groups: OpenGroups?
    private var selected = 0, leased = 0, pending = 0, grouped = 0

    init(_ ledger: SQLiteLedger, _ batch: Decisions, session: SessionID, now: Timestamp) throws(SQLiteFailure) {
        (self.ledger, self.batch, self.session) = (ledger, batch, session)
        self.now = now.milliseconds
        lowest = try ledger.lowestLease(of: session)
        suspended = try ledger.suspendedLanes()
        event = try ledger.database.fixed(
            """
            INSERT INTO event (key, workspace, type, subject, time, appended, partition, offset, bytes)
            VALUES (?,?,?,?,?,?,?,?,?)
            """)
        delivery = try ledger.database.fixed(
            """
            INSERT INTO delivery (event, rule, lane, part, revision, key, pair, decided, expires, round, state, epoch,
                session, due, not_before, reason, supersedes)
            VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?8,?10,?11,?12,?13,?14,?15,?16)
            """)
        openHead = try ledger.database.fixed(
            "SELECT id, state, due, lane, not_before, session FROM delivery WHERE state < 2 AND pair = ? ORDER BY id LIMIT 1"
        )
        openLast = try ledger.database.fixed(
            "SELECT session FROM delivery WHERE state < 2 AND pair = ? ORDER BY id DESC LIMIT 1")
    }

    mutating func write() throws(SQLiteFailure) {
        births.reserveCapacity(batch.deliveries.count)
        if !batch.events.isEmpty { try ledger.seen.open() }
        for event in batch.events { try write(event) }
        for parked in batch.parked { try park(parked) }
        try note()
        if !batch.isBeside { try advance() }
        if let firstLeased, let lowest, firstLeased < lowest { try ledger.lower(firstLeased, of: session) }
        try ledger.moved(nil, .leased, leased)
        try ledger.moved(nil, .pending, pending)
        try windows?.close()
        try thresholds?.close()
        try groups?.close()
        try ledger.tally("grouped", grouped)
        try ledger.tally("suppressed", suppressed.values.reduce(0, +))
        for (reason, count) in suppressed { try ledger.tally("suppressed.\(reason.rawValue)", count) }
    }

    private mutating func write(_ event: Decisions.Event) throws(SQLiteFailure) {
        let deliveries = batch.selections[event.selections].reduce(0) { $0 + $1.deliveries.count }
        guard try ledger.seen.insert(event.key) else {
            duplicates += 1
            births.append(contentsOf: repeatElement(.duplicate, count: deliveries))
            return
        }
        let row = try insert(event)
        var reached: [String: String] = [:]
        for selection in batch.selections[event.selections] { try write(selection, of: event, row, &reached) }
    }

    /// Writes what a rule makes of an event.
    ///
    /// - Parameter reached: the addresses that other rules tell of it, each with the rule.
    private mutating func write(
        _ selection: Decisions.Selection, of event: Decisions.Event, _ row: Int64, _ reached: inout [String: String]
    ) throws(SQLiteFailure) {
        let workspace = selection.workspace ?? event.workspace
        let rule = try ledger.names.rule(workspace, selection.rule, in: ledger.database)
        if let reason = selection.suppressed {
            return try suppress(row, rule, reason, by: selection.by, target: selection.target)
        }
        if let threshold = selection.threshold {
            thresholds = thresholds ?? Thresholds(ledger, partition: batch.partition)
            if let shortfall = try thresholds?.see(batch.thresholds[threshold], at: event.appended) {
                births.append(contentsOf: repeatElement(.suppressed, count: selection.deliveries.count))
                return try suppress(row, rule, .after, by: shortfall)
            }
        }
        if let window = selection.window, let earlier = try enter(window, event, selection) {
            births.append(contentsOf: repeatElement(.suppressed, count: selection.deliveries.count))
            if let group = selection.group {
                try openGroups().keepOut(batch.groups[group], batch.deliveries[selection.deliveries].map(\.target))
            }
            return try suppress(row, rule, .dedup, earlier: earlier)
        }
        var part = 0
        var company: [String] = []
        for delivery in batch.deliveries[selection.deliveries] {
            if let copy = delivery.copy, let other = reached[copy] {
                try suppress(row, rule, .alreadySent, by: other, target: delivery.target)
                births.append(.suppressed)
                continue
            }
            if let copy = delivery.copy {
                reached[copy] = workspace == event.workspace ? selection.rule : "\(workspace)/\(selection.rule)"
            }
            if selection.group != nil {
                births.append(.grouped)
                company.append(delivery.target)
                continue
            }
            births.append(try insert(delivery, part, of: workspace, row, rule))
            part += 1
        }
        if part > 0 { selected += 1 }
        if let group = selection.group, !company.isEmpty {
            let member = OpenGroups.Member(
                event: row, key: event.key, rule: rule, workspace: workspace, targets: company)
            try openGroups().join(batch.groups[group], member)
            (selected, grouped) = (selected + 1, grouped + 1)
        }
    }

    /// The groups that the batch meets.
    private mutating func openGroups() -> OpenGroups {
        if let groups { return groups }
        let opened = OpenGroups(ledger, revision: batch.revision, now: now)
        groups = opened
        return opened
    }

    private func insert(_ event: Decisions.Event) throws(SQLiteFailure) -> Int64 {
        self.event.bind(1, high: event.key.high, low: event.key.low)
        self.event.bind(2, event.workspace)
        self.event.bind(3, event.type)
        self.event.bind(4, event.subject)
        self.event.bind(5, event.time.milliseconds)
        self.event.bind(6, event.appended.milliseconds)
        self.event.bind(7, Int64(batch.partition))
        self.event.bind(8, event.offset)
        self.event.bind(9, blob: batch.bytes.span.extracting(event.value))
        try self.event.run()
        return ledger.database.lastInserted
    }

    private mutating func insert(
        _ delivery: Decisions.Delivery, _ part: Int, of workspace: String, _ row: Int64, _ rule: Int64
    ) throws(SQLiteFailure) -> Birth {
        if delivery.isReceived { return try insertReceived(delivery, part, of: workspace, row, rule) }
        let lane = try ledger.names.lane(workspace, delivery.target, in: ledger.database)
        let pair = delivery.pair.map(\.number)
        if delivery.supersedes, let pair { try ledger.supersede(pair, rule: rule, now) }
        let standing = try pair.map { (pair) throws(SQLiteFailure) in try self.standing(in: pair) } ?? .first
        let wait = delivery.wait.flatMap { $0.until.milliseconds > now ? $0 : nil }
        let later = wait?.until.milliseconds
        let isLeased =
            delivery.wanted && later == nil && lowest != nil && standing != .waits && !suspended.contains(lane)
        let due: Int64? = standing == .first && !isLeased ? later ?? now : nil
        let insert = self.delivery
        insert.bind(1, row)
        insert.bind(2, rule)
        insert.bind(3, lane)
        insert.bind(4, Int64(part))
        insert.bind(5, batch.revision)
        insert.bind(6, high: delivery.key.high, low: delivery.key.low)
        insert.bind(7, pair)
        insert.bind(8, now)
        insert.bind(9, delivery.expires.milliseconds)
        insert.bind(10, isLeased ? StateCode.leased : StateCode.pending)
        insert.bind(11, isLeased ? 1 : 0)
        insert.bind(12, isLeased ? session : 0)
        insert.bind(13, due)
        insert.bind(14, later)
        insert.bind(15, wait?.reason ?? "")
        insert.bind(16, delivery.supersedes ? 1 : 0)
        try insert.run()
        let id = ledger.database.lastInserted
        if let due { try ledger.enqueue(id, lane: lane, at: due) }
        if isLeased { leased += 1 } else { pending += 1 }
        if isLeased, firstLeased == nil { firstLeased = id }
        return isLeased ? .leased(id, epoch: 1, lane: lane, follows: standing == .follows) : .pending(id)
    }

    /// The receiver has a copy already: it is delivered from the start.
    private func insertReceived(
        _ delivery: Decisions.Delivery, _ part: Int, of workspace: String, _ row: Int64, _ rule: Int64
    ) throws(SQLiteFailure) -> Birth {
        let lane = try ledger.names.lane(workspace, delivery.target, in: ledger.database)
        let insert = try ledger.database.fixed(
            """
            INSERT INTO delivery (event, rule, lane, part, revision, key, pair, decided, expires, round, state, epoch,
                session, settled) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?8,?10,0,0,?8)
            """)
        insert.bind(1, row)
        insert.bind(2, rule)
        insert.bind(3, lane)
        insert.bind(4, Int64(part))
        insert.bind(5, batch.revision)
        insert.bind(6, high: delivery.key.high, low: delivery.key.low)
        insert.bind(7, delivery.pair.map(\.number))
        insert.bind(8, now)
        insert.bind(9, delivery.expires.milliseconds)
        insert.bind(10, StateCode.delivered)
        try insert.run()
        let id = ledger.database.lastInserted
        try ledger.moved(nil, .delivered, 1)
        return .pending(id)
    }

    /// Where a new delivery of a pair stands: alone, behind others this session has leased, or behind ones it waits for.
    private enum Standing { case first, follows, waits }

    /// Looks at the pair's open deliveries; a head that waits for its next try waits no longer (P13).
    private func standing(in pair: Int64) throws(SQLiteFailure) -> Standing {
        openHead.bind(1, pair)
        defer { openHead.reset() }
        guard try openHead.step() else { return .first }
        guard openHead.int(1) == StateCode.pending else {
            guard openHead.int(5) == session else { return .waits }
            return try isLastOurs(of: pair) ? .follows : .waits
        }
        if let due = openHead.optionalInt(2) {
            let sooner = max(now, openHead.optionalInt(4) ?? now)
            if sooner < due { try ledger.reschedule(openHead.int(0), lane: openHead.int(3), from: due, to: sooner) }
        }
        return .waits
    }

    /// Whether the last open delivery of a pair is leased to this session, and so, behind a leased head, all are.
    private func isLastOurs(of pair: Int64) throws(SQLiteFailure) -> Bool {
        openLast.bind(1, pair)
        defer { openLast.reset() }
        guard try openLast.step() else { return false }
        return openLast.int(0) == session
    }

    /// The delivery of the window the event falls into; `nil` when it opens one.
    private mutating func enter(
        _ window: Decisions.Window, _ event: Decisions.Event, _ selection: Decisions.Selection
    ) throws(SQLiteFailure) -> Key? {
        if windows == nil { windows = try Windows(ledger, batch, now: now) }
        let delivery = batch.deliveries[selection.deliveries].first?.key ?? event.key
        return try windows?.enter(window, appended: event.appended, opening: delivery)
    }

    private mutating func suppress(
        _ event: Int64, _ rule: Int64, _ reason: Suppression, earlier: Key? = nil, by words: String? = nil,
        target: String? = nil
    ) throws(SQLiteFailure) {
        let insert = try ledger.database.fixed(
            "INSERT INTO suppressed (event, rule, reason, at, earlier, by, target) VALUES (?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, event)
        insert.bind(2, rule)
        insert.bind(3, reason.rawValue)
        insert.bind(4, now)
        if let earlier {
            insert.bind(5, high: earlier.high, low: earlier.low)
        } else {
            insert.bind(5, nil as Int64?)
        }
        insert.bind(6, words)
        insert.bind(7, target)
        try insert.run()
        suppressed[reason, default: 0] += 1
        selected += 1
    }

    private func park(_ parked: Decisions.Parked) throws(SQLiteFailure) {
        let insert = try ledger.database.fixed(
            "INSERT INTO parked (stream, partition, offset, reason, at, bytes) VALUES (?, ?, ?, ?, ?, ?)")
        insert.bind(1, batch.stream)
        insert.bind(2, Int64(batch.partition))
        insert.bind(3, parked.offset)
        insert.bind(4, parked.reason)
        insert.bind(5, now)
        insert.bind(6, blob: batch.bytes.span.extracting(parked.value))
        try insert.run()
    }

    /// Writes the batch down; a batch that goes on where the last one of the same hour and revision ended prolongs it, so
    /// that a trickle of single events does not fill the ledger with rows.
    private func note() throws(SQLiteFailure) {
        let hour = now / 3_600_000
        let last = try ledger.database.fixed(
            """
            SELECT id FROM batch WHERE stream = ?1 AND partition = ?2 AND first < ?3 AND next = ?3 AND revision = ?4
                AND at / 3600000 = ?5 ORDER BY first DESC LIMIT 1
            """)
        last.bind(1, batch.stream)
        last.bind(2, Int64(batch.partition))
        last.bind(3, batch.from)
        last.bind(4, batch.revision)
        last.bind(5, hour)
        let known: Int64? = try last.step() ? last.int(0) : nil
        last.reset()
        let write = try ledger.database.fixed(
            known == nil
                ? "INSERT INTO batch VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)"
                : """
                UPDATE batch SET next = ?5, read = read + ?8, gap = gap + ?9, unmatched = unmatched + ?10,
                    matched = matched + ?11, duplicate = duplicate + ?12, parked = parked + ?13,
                    selected = selected + ?14, holes = holes + ?15 WHERE id = ?1
                """)
        write.bind(1, known)
        if known == nil {
            write.bind(2, batch.stream)
            write.bind(3, Int64(batch.partition))
            write.bind(4, batch.from)
            write.bind(6, batch.revision)
            write.bind(7, now)
        }
        write.bind(5, batch.next)
        write.bind(8, Int64(batch.read))
        write.bind(9, batch.gap)
        write.bind(10, Int64(batch.unmatched))
        write.bind(11, Int64(batch.events.count - duplicates))
        write.bind(12, Int64(duplicates))
        write.bind(13, Int64(batch.parked.count))
        write.bind(14, Int64(selected))
        write.bind(15, batch.holes)
        try write.run()
    }

    private func advance() throws(SQLiteFailure) {
        let move = try ledger.database.fixed(
            "INSERT INTO position VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET next = ?3")
        move.bind(1, batch.stream)
        move.bind(2, Int64(batch.partition))
        move.bind(3, batch.next)
        try move.run()
    }
}
