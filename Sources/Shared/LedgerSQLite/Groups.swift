import CarillonEvents
import CarillonLedger
import CarillonSQLite

// Groups speak. Their times stand in the due-time table in lane 0, which no target has, so that a claim that finds no group
// due pays nothing for them. What one says is a row of `event` with deliveries of its own, as any event has, and a row of
// `notice` that tells how many members it counts; both are made in the transaction that moves `told`, so a member is counted
// once. Such an event is in partition -1, and its deliveries have parts from 1: they are no notification of one event.

extension SQLiteLedger {
    /// The lane in which groups wait.
    static let groupLane: Int64 = 0
    /// The partition of the events that groups make.
    static let groupPartition: Int64 = -1
    /// Groups that speak in one transaction.
    private static let atOnce = 32

    /// A group as it stands.
    struct Group {
        let id: Int64
        let key, opener: Key
        let rule: Int64
        let lanes: [Int64]
        let isOrdered: Bool
        let due, every, life, revision, notices, told, total, size: Int64
    }

    /// What a notification tells of: its newest event, its first and its last member, and some of the events.
    struct Told {
        var newest: Int64
        var first, last: Int64
        var sample: [[UInt8]]
    }

    /// Lets the groups speak whose time has come, as many as one transaction should hold.
    func letGroupsSpeak(_ now: Timestamp) throws(LedgerError) {
        try transaction(.machine, "let groups speak") { () throws(SQLiteFailure) in
            let query = try database.statement(
                "SELECT delivery FROM due WHERE lane = ? AND at <= ? ORDER BY at, delivery LIMIT \(Self.atOnce)")
            query.bind(1, Self.groupLane)
            query.bind(2, now.milliseconds)
            var ids: [Int64] = []
            while try query.step() { ids.append(query.int(0)) }
            for id in ids {
                guard let group = try group(id) else { continue }
                // A time without an event since the last one: it is over.
                try speak(group, isOver: group.size == 0, gone: [], now.milliseconds)
            }
            try pass(.inDecision)
        }
    }

    /// Ends the groups of rules and targets that are no more: what is left to say is said to the targets that are.
    func endGroups(_ change: RuleChange, _ now: Int64) throws(SQLiteFailure) -> Int {
        let query = try database.prepare(
            """
            SELECT g.id, r.name FROM grp g JOIN rule r ON r.id = g.rule
            WHERE g.due IS NOT NULL AND r.workspace = ? ORDER BY g.id
            """)
        query.bind(1, change.workspace)
        var open: [(id: Int64, rule: String)] = []
        while try query.step() { open.append((query.int(0), query.text(1))) }
        var expired = 0
        for (id, rule) in open {
            guard let group = try group(id) else { continue }
            var gone: Set<Int64> = []
            for lane in group.lanes where change.living[rule]?.contains(try target(of: lane)) != true {
                gone.insert(lane)
            }
            guard !gone.isEmpty else { continue }
            if group.size > 0 { expired += gone.count }
            try speak(group, isOver: true, gone: gone, now)
        }
        return expired
    }

    func target(of lane: Int64) throws(SQLiteFailure) -> String {
        let query = try database.fixed("SELECT target FROM lane WHERE id = ?")
        query.bind(1, lane)
        defer { query.reset() }
        return try query.step() ? query.text(0) : ""
    }

    private func group(_ id: Int64) throws(SQLiteFailure) -> Group? {
        let query = try database.fixed(
            """
            SELECT key, opener, rule, lanes, ordered, due, every, life, revision, notices, told, total, size
            FROM grp WHERE id = ? AND due IS NOT NULL
            """)
        query.bind(1, id)
        defer { query.reset() }
        guard try query.step() else { return nil }
        let (key, opener) = (query.halves(0), query.halves(1))
        return Group(
            id: id, key: Key(high: key.high, low: key.low), opener: Key(high: opener.high, low: opener.low),
            rule: query.int(2), lanes: query.text(3).split(separator: ",").compactMap { Int64($0) },
            isOrdered: query.int(4) != 0, due: query.int(5), every: query.int(6), life: query.int(7),
            revision: query.int(8), notices: query.int(9), told: query.int(10), total: query.int(11),
            size: query.int(12))
    }

    /// Tells what came since the group last spoke, if anything did, and says when it speaks next.
    private func speak(_ group: Group, isOver: Bool, gone: Set<Int64>, _ now: Int64) throws(SQLiteFailure) {
        if group.size > 0 { try tell(group, told(group), gone: gone, now) }
        try dequeue(group.id, lane: Self.groupLane, at: group.due)
        let next = now + group.every
        if !isOver { try enqueue(group.id, lane: Self.groupLane, at: next) }
        let update = try database.fixed(
            """
            UPDATE grp SET due = ?2, closed = ?3, size = 0, failed = 0, suppressed = 0, notices = notices + ?4,
                told = ifnull((SELECT max(id) FROM member WHERE grp = ?1), told) WHERE id = ?1
            """)
        update.bind(1, group.id)
        update.bind(2, isOver ? nil : next)
        update.bind(3, isOver ? now : nil)
        update.bind(4, group.size > 0 ? 1 : 0)
        try update.run()
    }

    private func told(_ group: Group) throws(SQLiteFailure) -> Told {
        let query = try database.fixed("SELECT event, id FROM member WHERE grp = ? ORDER BY id DESC LIMIT 1")
        query.bind(1, group.id)
        defer { query.reset() }
        guard try query.step() else {
            throw SQLiteFailure(.corrupt, doing: "let group \(group.id) speak", cause: "it has no members")
        }
        return Told(
            newest: query.int(0), first: group.told + 1, last: query.int(1), sample: try sample(of: group))
    }

    /// Writes a notification of a group as the group's row has it, and its deliveries.
    func tell(_ group: Group, _ told: Told, gone: Set<Int64>, _ now: Int64) throws(SQLiteFailure) {
        let key = Key.notification(group: group.key, openedBy: group.opener, number: group.notices + 1)
        let insert = try database.fixed(
            """
            INSERT INTO event (key, workspace, type, subject, time, appended, partition, offset, bytes)
            SELECT ?1, workspace, type, NULL, time, appended, ?2, ?3, bytes FROM event WHERE seq = ?4
            """)
        insert.bind(1, high: key.high, low: key.low)
        insert.bind(2, Self.groupPartition)
        insert.bind(3, group.notices + 1)
        insert.bind(4, told.newest)
        try insert.run()
        let event = database.lastInserted
        let notice = try database.fixed(
            """
            INSERT INTO notice SELECT ?1, id, notices + 1, ?4, ?5, size, failed, suppressed, total, since, ?3
            FROM grp WHERE id = ?2
            """)
        notice.bind(1, event)
        notice.bind(2, group.id)
        notice.bind(3, blob: ClaimedGroup.list(told.sample).span)
        notice.bind(4, told.first)
        notice.bind(5, told.last)
        try notice.run()
        var waiting = 0
        for (place, lane) in group.lanes.enumerated() {
            let isGone = gone.contains(lane)
            try deliver(group, event, key, part: Int64(place + 1), to: lane, isGone: isGone, now)
            if !isGone { waiting += 1 }
        }
        try moved(nil, .pending, waiting)
        try moved(nil, .expired, group.lanes.count - waiting)
    }

    /// The first and the newest of the events that came since the group last spoke, oldest first.
    private func sample(of group: Group) throws(SQLiteFailure) -> [[UInt8]] {
        let (first, last) = ClaimedGroup.listed
        let query = try database.statement(
            """
            SELECT bytes FROM (
                SELECT * FROM (SELECT id, event FROM member WHERE grp = ?1 AND id > ?2 ORDER BY id LIMIT \(first))
                UNION
                SELECT * FROM (SELECT id, event FROM member WHERE grp = ?1 AND id > ?2 ORDER BY id DESC LIMIT \(last))
            ) JOIN event e ON e.seq = event ORDER BY id
            """)
        query.bind(1, group.id)
        query.bind(2, group.told)
        var events: [[UInt8]] = []
        while try query.step() { events.append(query.blob(0)) }
        return events
    }

    /// Writes one delivery of a notification; one whose rule or target is gone ends at once.
    private func deliver(
        _ group: Group, _ event: Int64, _ notification: Key, part: Int64, to lane: Int64, isGone: Bool, _ now: Int64
    ) throws(SQLiteFailure) {
        let target = try target(of: lane)
        let key = Key.delivery(notification: notification, target: target)
        let pair = group.isOrdered ? Key.pair(group: group.key, target: target).number : nil
        // It goes before what comes only now.
        var due: Int64? = isGone ? nil : min(group.due, now)
        if let pair, due != nil, try waits(behind: pair, now) { due = nil }
        let insert = try database.fixed(
            """
            INSERT INTO delivery (event, rule, lane, part, revision, key, pair, decided, expires, round, state, epoch,
                session, due, settled, reason)
            VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?8,?10,0,0,?11,?12,?13)
            """)
        insert.bind(1, event)
        insert.bind(2, group.rule)
        insert.bind(3, lane)
        insert.bind(4, part)
        insert.bind(5, group.revision)
        insert.bind(6, high: key.high, low: key.low)
        insert.bind(7, pair)
        insert.bind(8, now)
        insert.bind(9, now + group.life)
        insert.bind(10, isGone ? StateCode.expired : StateCode.pending)
        insert.bind(11, due)
        insert.bind(12, isGone ? now : nil)
        insert.bind(13, isGone ? "rule_removed" : "")
        try insert.run()
        let id = database.lastInserted
        if let due { try enqueue(id, lane: lane, at: due) }
    }

    /// Whether an earlier message of the pair is open; one that waits for its next try waits no longer (P13).
    private func waits(behind pair: Int64, _ now: Int64) throws(SQLiteFailure) -> Bool {
        let query = try database.fixed(
            "SELECT id, lane, due, not_before FROM delivery WHERE state < 2 AND pair = ? ORDER BY id LIMIT 1")
        query.bind(1, pair)
        defer { query.reset() }
        guard try query.step() else { return false }
        let (id, lane, soonest) = (query.int(0), query.int(1), max(now, query.optionalInt(3) ?? now))
        if let due = query.optionalInt(2), soonest < due {
            query.reset()
            try reschedule(id, lane: lane, from: due, to: soonest)
        }
        return true
    }
}

// MARK: - Asking

extension SQLiteLedger {
    /// What the notification says of its group; `nil` for one of a single event.
    func claimedGroup(of event: Int64) throws(SQLiteFailure) -> ClaimedGroup? {
        let query = try database.fixed(
            """
            SELECT g.name, n.number, n.size, n.failed, n.suppressed, n.total, n.since, n.events
            FROM notice n JOIN grp g ON g.id = n.grp WHERE n.event = ?
            """)
        query.bind(1, event)
        defer { query.reset() }
        guard try query.step() else { return nil }
        return ClaimedGroup(
            name: query.text(0), number: query.int(1), size: query.int(2), failed: query.int(3),
            suppressed: query.int(4), total: query.int(5), since: Timestamp(milliseconds: query.int(6)),
            events: query.blob(7))
    }

    /// The groups that an event joined, or the one that a notification tells of.
    func storedMemberships(of event: Int64) throws(SQLiteFailure) -> [Membership] {
        let query = try database.statement(
            """
            SELECT \(Self.ruleName), g.name, g.opened, ifnull(x.size, g.total), ifnull(x.due, g.due), n.number, n.size,
                n.event, l.target
            FROM (
                SELECT grp, event, id AS first, NULL AS own FROM member WHERE id >= ?2 AND id < ?3
                UNION ALL SELECT digest, event, 0, NULL FROM delivery
                    WHERE id >= ?4 AND id < ?5 AND digest IS NOT NULL
                UNION ALL SELECT grp, event, first, event FROM notice WHERE event = ?1) m
            JOIN event e ON e.seq = m.event JOIN grp g ON g.id = m.grp JOIN rule r ON r.id = g.rule
            LEFT JOIN digest x ON x.id = g.id LEFT JOIN lane l ON l.id = x.lane
            LEFT JOIN notice n ON n.event = ifnull(m.own, (
                SELECT event FROM notice WHERE grp = g.id AND last >= m.first ORDER BY number LIMIT 1))
            ORDER BY g.id
            """)
        query.bind(1, event)
        query.bind(2, try first(of: "member", naming: event))
        query.bind(3, try first(of: "member", naming: event + 1))
        query.bind(4, try first(of: "delivery", naming: event))
        query.bind(5, try first(of: "delivery", naming: event + 1))
        defer { query.reset() }
        var found: [Membership] = []
        while try query.step() {
            let told = query.optionalInt(5).map {
                Membership.Told(number: $0, size: query.int(6), event: query.int(7))
            }
            var membership = Membership(
                rule: query.text(0), name: query.text(1), opened: Timestamp(milliseconds: query.int(2)),
                total: query.int(3), due: query.optionalInt(4).map { Timestamp(milliseconds: $0) }, told: told)
            membership.digestOf = query.optionalText(8)
            found.append(membership)
        }
        return found
    }

    /// What does not add up about groups behind one, a page of them: members and notifications against the counts.
    func groupResidue(after cursor: Int64) throws(SQLiteFailure) -> (residue: [String], next: Int64?) {
        let query = try database.prepare(
            """
            SELECT g.id, g.name, g.size, (SELECT count(*) FROM member WHERE grp = g.id AND id > g.told),
                g.due IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM due WHERE lane = \(Self.groupLane) AND at = g.due AND delivery = g.id),
                (SELECT group_concat(number) FROM notice n WHERE n.grp = g.id
                    AND first >= (SELECT min(id) FROM member) AND size <> (
                        SELECT count(*) FROM member WHERE grp = g.id AND id BETWEEN n.first AND n.last))
            FROM grp g WHERE g.id > ? ORDER BY g.id LIMIT 1000
            """)
        query.bind(1, cursor)
        var lines: [String] = []
        var next: Int64?
        while try query.step() {
            next = query.int(0)
            let group = "group \(query.int(0)) (\(query.text(1)))"
            if query.int(2) != query.int(3) { lines.append("\(group): \(query.int(2)) wait ≠ \(query.int(3)) members") }
            if query.int(4) != 0 { lines.append("\(group): it is open, and nothing will wake it") }
            if let wrong = query.optionalText(5) { lines.append("\(group): miscounted by its notifications \(wrong)") }
        }
        return (lines, next)
    }

    /// Removes a bounded number of members that are old and counted by a notification, and groups that nobody names.
    ///
    /// Returns how many members went.
    func retireMembers(_ old: Int64, atMost limit: Int64) throws(SQLiteFailure) -> Int {
        let from = try database.int("SELECT min(id) FROM member") ?? 0
        let firstKept = try database.int(
            """
            SELECT min(m.id) FROM (SELECT id, grp, at FROM member ORDER BY id LIMIT \(limit)) m
            JOIN grp g ON g.id = m.grp WHERE m.at >= \(old) OR m.id > g.told
            """)
        try database.execute("DELETE FROM member WHERE id < \(firstKept ?? from + limit)")
        let gone = Int(database.changes)
        try tally("retired.grouped", gone)
        try database.execute(
            """
            DELETE FROM notice WHERE event < ifnull((SELECT min(seq) FROM event), 9223372036854775807);
            DELETE FROM grp WHERE id IN (SELECT id FROM grp WHERE closed < \(old) ORDER BY id LIMIT \(limit))
                AND NOT EXISTS (SELECT 1 FROM member WHERE member.grp = grp.id)
                AND NOT EXISTS (SELECT 1 FROM notice WHERE notice.grp = grp.id);
            """)
        try retireDigests(atMost: limit)
        return gone
    }
}
