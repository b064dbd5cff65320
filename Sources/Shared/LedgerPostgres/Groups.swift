import CarillonEvents
import CarillonLedger
import CarillonPostgres

// Groups speak, as in the SQLite ledger, where it is said what they say. Here an index has their times, and a claim asks for
// the first of them with the lanes. Who lets groups speak holds their lanes, as who decides does; so a group's members and
// what it has said of them change by one at a time, and of its members' numbers the greater is the later.

extension PostgresLedger {
    /// What a claim finds groups by, among lanes; no target has it.
    static let groupLane: Int64 = 0
    /// The partition of the events that groups make.
    static let groupPartition: Int64 = -1
    /// Groups that speak in one transaction.
    private static let atOnce: Int64 = 32

    /// Lets the groups speak whose time has come, as many as one transaction should hold.
    func letGroupsSpeak() throws(LedgerError) {
        try transaction("let groups speak") { connection throws(PostgresFailure) in
            let due = try connection.run(
                "SELECT id, lanes FROM grp WHERE due IS NOT NULL AND due <= $1 ORDER BY due, id LIMIT $2",
                Parameters(moment, Self.atOnce))
            guard !due.isEmpty else { return }
            let lanes = due.indices.flatMap { Speech.lanes(due.text($0, 1)) }
            try connection.run([
                .begin, Command(Gate.shared, Parameters(space, Gate.rules)),
                Command(Gate.shared, Parameters(space, Gate.segments)), Order.lock(lanes),
            ])
            let speech = try Speech(of: due.indices.map { due.int($0, 0) }, .members, dueAt: moment, connection)
            try speech.write(at: moment, self, connection)
            if reach != nil { try pass(.inDecision) }
            try connection.run([.commit])
        }
    }

    /// Finds the open groups that lose targets by a change of rules, and which they lose.
    func groups(losing change: RuleChange, _ connection: Connection) throws(PostgresFailure) -> [EndingGroup] {
        var values = Parameters()
        values.add(change.workspace)
        let rows = try connection.run(
            """
            SELECT g.id, r.name, g.lanes, l.id, l.target, g.digest FROM (
                SELECT id, rule, lanes, 0 AS digest FROM grp WHERE due IS NOT NULL
                UNION ALL SELECT id, rule, lane::text, 1 FROM digest WHERE due IS NOT NULL) g
            JOIN rule r ON r.id = g.rule JOIN lane l ON l.id = ANY(string_to_array(g.lanes, ',')::int8[])
            WHERE r.workspace = $1 ORDER BY g.id
            """, values)
        var found: [EndingGroup] = []
        for row in rows.indices where change.living[rows.text(row, 1)]?.contains(rows.text(row, 4)) != true {
            if found.last?.id != rows.int(row, 0) {
                found.append(
                    EndingGroup(
                        id: rows.int(row, 0), source: rows.int(row, 5) == 0 ? .members : .digests,
                        lanes: Speech.lanes(rows.text(row, 2))))
            }
            found[found.count - 1].gone.insert(rows.int(row, 3))
        }
        return found
    }

    /// Ends groups, whose lanes are locked: what is left to say is said to the targets that are.
    func end(_ groups: [EndingGroup], _ connection: Connection) throws(PostgresFailure) -> Int {
        guard !groups.isEmpty else { return 0 }
        try connection.run(Gate.shared, Parameters(space, Gate.segments))
        var lost = 0
        for source in Speech.Source.allCases {
            let groups = groups.filter { $0.source == source }
            guard !groups.isEmpty else { continue }
            var speech = try Speech(of: groups.map(\.id), source, dueAt: nil, connection)
            speech.end(losing: Dictionary(uniqueKeysWithValues: groups.map { ($0.id, $0.gone) }))
            try speech.write(at: moment, self, connection)
            lost += speech.lost
        }
        return lost
    }
}

/// A group that a change of rules ends.
struct EndingGroup {
    let id: Int64
    let source: Speech.Source
    let lanes: [Int64]
    /// The lanes of targets that are no more.
    var gone: Set<Int64> = []
}

/// What some groups say at one moment.
struct Speech {
    /// Of what groups are.
    enum Source: CaseIterable {
        /// Groups of events.
        case members
        /// Digests, of deliveries.
        case digests
    }
    struct Group {
        let id: Int64
        let key, opener: Key
        let rule: Int64
        let lanes: [Int64]
        let isOrdered: Bool
        let every, life, revision, notices, told, size, due: Int64
        /// The number of the event that it will make.
        let event: Int64
        var isOver: Bool
        var gone: Set<Int64> = []
        var number: Int64 { notices + 1 }
        var notification: Key { .notification(group: key, openedBy: opener, number: number) }
    }
    let source: Source
    private(set) var groups: [Group] = []
    private var targets: [Int64: String] = [:]

    static func lanes(_ text: String) -> [Int64] { text.split(separator: ",").compactMap { Int64($0) } }

    /// Locks groups that are open, those that are due at a moment if one is said; their lanes are locked.
    init(
        of ids: [Int64], _ source: Source, dueAt moment: Int64?, _ connection: Connection
    ) throws(PostgresFailure) {
        self.source = source
        var values = Parameters()
        values.add(ids)
        values.add(moment)
        let rows = try connection.run([
            Command(
                """
                SELECT g.id, g.key, g.opener, g.rule, g.lanes, g.ordered, g.every, g.life, g.revision, g.notices, g.told, x.size,
                    (SELECT max(id) FROM segment) << \(PostgresLedger.segmentBits) | nextval('event_number'), x.due
                FROM \(source == .members ? "grp x" : "digest x") JOIN grp g ON g.id = x.id
                WHERE x.id = ANY($1) AND x.due IS NOT NULL AND ($2::int8 IS NULL OR x.due <= $2)
                ORDER BY x.id FOR NO KEY UPDATE OF x
                """, values)
        ])[0]
        groups = rows.indices.map { row in
            Group(
                id: rows.int(row, 0), key: Key(rows.halves(row, 1)), opener: Key(rows.halves(row, 2)),
                rule: rows.int(row, 3), lanes: Self.lanes(rows.text(row, 4)), isOrdered: rows.int(row, 5) != 0,
                every: rows.int(row, 6), life: rows.int(row, 7), revision: rows.int(row, 8), notices: rows.int(row, 9),
                told: rows.int(row, 10), size: rows.int(row, 11), due: rows.int(row, 13), event: rows.int(row, 12),
                // A time without an event since the last one: it is over. A digest is so when it has spoken.
                isOver: source == .digests || rows.int(row, 11) == 0)
        }
        var lanes = Parameters()
        lanes.add(Array(Set(groups.flatMap(\.lanes))).sorted())
        let names = try connection.run("SELECT id, target FROM lane WHERE id = ANY($1)", lanes)
        for row in names.indices { targets[names.int(row, 0)] = names.text(row, 1) }
    }

    /// Ends all of them, each for some lanes without telling them.
    mutating func end(losing gone: [Int64: Set<Int64>]) {
        for place in groups.indices {
            groups[place].isOver = true
            groups[place].gone = gone[groups[place].id] ?? []
        }
    }

    /// Messages that those who are gone are not told.
    var lost: Int { groups.reduce(0) { $0 + ($1.size > 0 ? $1.gone.count : 0) } }

    /// Writes what those say of which events came since they last spoke, and when all speak next.
    func write(at now: Int64, _ ledger: PostgresLedger, _ connection: Connection) throws(PostgresFailure) {
        let telling = groups.filter { $0.size > 0 }
        var commands: [Command] = []
        var counts: [String: Int] = [:]
        if !telling.isEmpty {
            let samples = try samples(of: telling, connection)
            if source == .digests { try connection.run([hand(telling)]) }
            commands = [
                insertEvents(telling), insertNotices(telling, samples), pullForward(telling, now),
                insertDeliveries(telling, now),
            ]
            counts["delivery.expired"] = lost
            counts["delivery.pending"] = telling.reduce(0) { $0 + $1.lanes.count } - lost
        }
        commands.append(source == .members ? turn(now) : close(now))
        try connection.run(commands + ledger.tallies(counts, connection))
    }

    /// The first and the newest of the events that came since each last spoke, oldest first, as one list of JSON.
    private func samples(of groups: [Group], _ connection: Connection) throws(PostgresFailure) -> [Int64: [UInt8]] {
        let (first, last) = ClaimedGroup.listed
        var values = Parameters()
        values.add(groups.map(\.id))
        values.add(groups.map(\.told))
        values.add(Int64(ClaimedGroup.bound))
        let newer =
            switch source {
            case .members: "SELECT id, event FROM member WHERE grp = g.id AND id > g.told ORDER BY"
            case .digests: "SELECT id, event FROM delivery WHERE digest = g.id ORDER BY"
            }
        let rows = try connection.run(
            """
            SELECT g.id, CASE WHEN length(e.bytes) < $3 THEN e.bytes END
            FROM unnest($1::int8[], $2::int8[]) AS g(id, told) CROSS JOIN LATERAL (
                (\(newer) id LIMIT \(first)) UNION (\(newer) id DESC LIMIT \(last))) AS m
            JOIN event e ON e.seq = m.event ORDER BY g.id, m.id
            """, values)
        var events: [Int64: [[UInt8]]] = [:]
        for row in rows.indices where !rows.isNull(row, 1) {
            events[rows.int(row, 0), default: []].append(rows.blob(row, 1))
        }
        return events.mapValues { ClaimedGroup.list($0) }
    }

    private func insertEvents(_ groups: [Group]) -> Command {
        var values = Parameters()
        values.add(groups.map(\.event))
        values.add(groups.map(\.notification.halves))
        values.add(groups.map(\.id))
        values.add(groups.map(\.number))
        values.add(PostgresLedger.groupPartition)
        let (table, group) = source == .members ? ("member", "grp") : ("delivery", "digest")
        return Command(
            """
            INSERT INTO event (seq, key, workspace, type, subject, time, appended, place, bytes, partition)
            SELECT n.seq, n.key, e.workspace, e.type, NULL, e.time, e.appended, n.number, e.bytes, $5
            FROM unnest($1::int8[], $2::uuid[], $3::int8[], $4::int8[]) AS n(seq, key, grp, number)
            CROSS JOIN LATERAL (SELECT event FROM \(table) WHERE \(group) = n.grp ORDER BY id DESC LIMIT 1) m
            JOIN event e ON e.seq = m.event
            """, values)
    }

    private func insertNotices(_ groups: [Group], _ samples: [Int64: [UInt8]]) -> Command {
        var bytes: [UInt8] = []
        var pieces: [Range<Int>] = []
        for group in groups {
            let start = bytes.count
            bytes += samples[group.id] ?? ClaimedGroup.list([])
            pieces.append(start..<bytes.count)
        }
        var values = Parameters()
        values.add(groups.map(\.event))
        values.add(groups.map(\.id))
        values.add(pieces: pieces, of: bytes)
        // Of a digest no members are counted.
        let members = source == .members ? "g.told + 1, (SELECT max(id) FROM member WHERE grp = g.id)" : "0, 0"
        return Command(
            """
            INSERT INTO notice (event, grp, number, first, last, size, failed, suppressed, total, since, events)
            SELECT n.event, g.id, g.notices + 1, \(members), g.size, g.failed, g.suppressed, g.total, g.since, n.events
            FROM unnest($1::int8[], $2::int8[], $3::bytea[]) AS n(event, grp, events) JOIN grp g ON g.id = n.grp
            """, values)
    }

    /// Of a pair in which something is open, its head waits no longer for its next try (P13).
    private func pullForward(_ groups: [Group], _ now: Int64) -> Command {
        var values = Parameters()
        values.add(groups.flatMap { group in group.lanes.compactMap { pair(group, $0) } })
        values.add(now)
        return Command(
            """
            UPDATE delivery d SET due = greatest($2, d.not_before) FROM unnest($1::int8[]) AS p(pair) CROSS JOIN LATERAL (
                SELECT id FROM delivery WHERE pair = p.pair AND state < 2 ORDER BY pair, id LIMIT 1) h
            WHERE d.id = h.id AND d.state = 0 AND d.due > greatest($2, d.not_before)
            """, values)
    }

    /// What keeps a group's messages to a target in order.
    private func pair(_ group: Group, _ lane: Int64) -> Int64? {
        group.isOrdered ? Key.pair(group: group.key, target: targets[lane] ?? "").number : nil
    }

    /// Writes one delivery for each target; one whose rule or target is gone ends at once.
    private func insertDeliveries(_ groups: [Group], _ now: Int64) -> Command {
        let rows = groups.flatMap { group in
            group.lanes.enumerated().map { (group: group, part: Int64($0.offset + 1), lane: $0.element) }
        }
        var values = Parameters()
        values.add(rows.map(\.group.event))
        values.add(rows.map(\.group.rule))
        values.add(rows.map(\.lane))
        values.add(rows.map(\.part))
        values.add(rows.map(\.group.revision))
        values.add(
            rows.map { Key.delivery(notification: $0.group.notification, target: targets[$0.lane] ?? "").halves })
        values.add(rows.map { pair($0.group, $0.lane) })
        values.add(rows.map(\.group.life))
        values.add(rows.map { $0.group.gone.contains($0.lane) ? StateCode.expired : StateCode.pending })
        values.add(now)
        // It goes before what comes only now.
        values.add(rows.map { min($0.group.due, now) })
        return Command(
            """
            INSERT INTO delivery (event, rule, lane, part, revision, key, pair, decided, expires, round, state, epoch,
                session, due, settled, reason)
            SELECT d.event, d.rule, d.lane, d.part::int4, d.revision, d.key, d.pair, $10, $10 + d.life, $10, d.state::int4,
                0, 0, CASE WHEN d.state = 0 AND NOT EXISTS (
                    SELECT 1 FROM delivery o WHERE o.pair = d.pair AND o.state < 2) THEN d.due END,
                CASE d.state WHEN 0 THEN NULL ELSE $10::int8 END, CASE d.state WHEN 0 THEN '' ELSE 'rule_removed' END
            FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::uuid[], $7::int8[], $8::int8[],
                $9::int8[], $11::int8[]) WITH ORDINALITY AS d(event, rule, lane, part, revision, key, pair, life, state, due,
                place)
            ORDER BY d.place
            """, values)
    }

    /// Says when each speaks next, and up to which member it has spoken.
    private func turn(_ now: Int64) -> Command {
        var values = Parameters()
        values.add(groups.map(\.id))
        values.add(groups.map { $0.isOver ? nil : now + $0.every })
        values.add(groups.map { $0.size > 0 ? 1 as Int64 : 0 })
        values.add(now)
        return Command(
            """
            UPDATE grp g SET due = n.due, closed = CASE WHEN n.due IS NULL THEN $4::int8 END, size = 0, failed = 0,
                suppressed = 0, notices = notices + n.said,
                told = coalesce((SELECT max(id) FROM member WHERE grp = g.id), told)
            FROM unnest($1::int8[], $2::int8[], $3::int8[]) AS n(id, due, said) WHERE g.id = n.id
            """, values)
    }
}
