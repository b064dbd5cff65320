import CarillonEvents
import CarillonLedger
import CarillonPostgres

/// Decides one batch in memory, then writes it: the second round trip of a decision.
struct DecisionWriter {
    /// What is open of a pair.
    struct Pair {
        /// The head's row; `nil` when it is one of this batch.
        var head: DeliveryID?
        var headIsLeased: Bool
        var headDue, headNotBefore: Int64?
        var headSession, lastSession: SessionID
    }
    private struct Row {
        let event, rule, lane, part: Int64
        /// Its place in the batch's deliveries.
        let delivery: Int
        let state: DeliveryState
        let due: Int64?
        let wait: Decisions.Wait?
        /// Its place in `births`.
        let birth: Int
        let follows: Bool

        var isLeased: Bool { state == .leased }
        var isOpen: Bool { state == .leased || state == .pending }
        /// Why it is in its state.
        var reason: String { state == .expired ? Superseding.reason : wait?.reason ?? "" }
        /// As one whose place was taken.
        var ended: Row { changed(to: .expired, due: nil, wait: nil) }
        /// As one whose turn it is at a time.
        func due(at time: Int64) -> Row { changed(to: state, due: time, wait: wait) }

        private func changed(to state: DeliveryState, due: Int64?, wait: Decisions.Wait?) -> Row {
            Row(
                event: event, rule: rule, lane: lane, part: part, delivery: delivery, state: state, due: due,
                wait: wait, birth: birth, follows: follows)
        }
    }
    private struct Suppressed {
        let event, rule: Int64
        let reason: Suppression
        var earlier: Key?
        var by: String?
        var target: String?
    }
    private let ledger: PostgresLedger
    private let batch: Decisions
    private let session: SessionID
    private let now: Int64
    private var known: DecisionReading.Known
    private(set) var births: [Birth] = []
    private(set) var duplicates = 0
    private(set) var suppressed: [Suppression: Int] = [:]
    private var rows: [Row] = []
    private var held: [Suppressed] = []
    /// The new events, by their place in the batch, with their rows' numbers.
    private var events: [(place: Int, row: Int64)] = []
    /// Heads that wait no longer, with the time they are due now.
    private var sooner: [DeliveryID: Int64] = [:]
    /// Deliveries of others' batches whose place is taken, and how many of them were only sent again.
    private var superseded: [DeliveryID] = []
    private var resent = 0
    private var selected = 0
    /// The groups that it meets; `nil` as long as it meets none.
    private var groups: OpenGroups?
    /// Where the answer of `insertDeliveries` stands.
    private var insertIndex: Int?

    init(_ ledger: PostgresLedger, _ batch: Decisions, _ known: DecisionReading.Known, session: SessionID, now: Int64) {
        (self.ledger, self.batch, self.known, self.session, self.now) = (ledger, batch, known, session, now)
    }

    mutating func decide() {
        births.reserveCapacity(batch.deliveries.count)
        rows.reserveCapacity(batch.deliveries.count)
        events.reserveCapacity(batch.events.count)
        for (place, event) in batch.events.enumerated() {
            if let row = known.events.removeValue(forKey: event.key) {
                events.append((place, row))
                decide(event, row)
            } else {
                duplicates += 1
                let deliveries = batch.selections[event.selections].reduce(0) { $0 + $1.deliveries.count }
                births.append(contentsOf: repeatElement(.duplicate, count: deliveries))
            }
        }
    }

    private mutating func decide(_ event: Decisions.Event, _ row: Int64) {
        var reached: [String: String] = [:]
        for selection in batch.selections[event.selections] {
            let workspace = selection.workspace ?? event.workspace
            let rule = ledger.names.rule(workspace, selection.rule)
            if let reason = selection.suppressed {
                suppress(Suppressed(event: row, rule: rule, reason: reason, by: selection.by, target: selection.target))
            } else if let shortfall = seen(selection.threshold, event) {
                suppress(Suppressed(event: row, rule: rule, reason: .after, by: shortfall))
                births.append(contentsOf: repeatElement(.suppressed, count: selection.deliveries.count))
            } else if let window = selection.window, let earlier = enter(window, event, selection) {
                suppress(Suppressed(event: row, rule: rule, reason: .dedup, earlier: earlier))
                births.append(contentsOf: repeatElement(.suppressed, count: selection.deliveries.count))
                if let group = selection.group {
                    let targets = batch.deliveries[selection.deliveries].map(\.target)
                    groups = groups ?? OpenGroups()
                    groups?.keepOut(batch.groups[group], targets)
                }
            } else {
                let name = workspace == event.workspace ? selection.rule : "\(workspace)/\(selection.rule)"
                send(selection, as: name, of: workspace, event, row: row, rule: rule, &reached)
            }
        }
    }

    /// Counts an event: by how far it falls short of a threshold; `nil` when it does not.
    private mutating func seen(_ threshold: Int?, _ event: Decisions.Event) -> String? {
        threshold.flatMap { known.thresholds?.see(batch.thresholds[$0], at: event.appended) }
    }

    /// Adds what a selection sends.
    ///
    /// - Parameter reached: the addresses that other rules tell of the event, each with the rule.
    private mutating func send(
        _ selection: Decisions.Selection, as name: String, of workspace: String, _ event: Decisions.Event, row: Int64,
        rule: Int64, _ reached: inout [String: String]
    ) {
        var part: Int64 = 0
        var company: (targets: [String], lanes: [Int64]) = ([], [])
        for place in selection.deliveries {
            let delivery = batch.deliveries[place]
            if let copy = delivery.copy {
                if let other = reached[copy] {
                    suppress(
                        Suppressed(event: row, rule: rule, reason: .alreadySent, by: other, target: delivery.target))
                    births.append(.suppressed)
                    continue
                }
                reached[copy] = name
            }
            let lane = ledger.names.lane(workspace, delivery.target)
            if selection.group != nil {
                births.append(.grouped)
                company.targets.append(delivery.target)
                company.lanes.append(lane)
                continue
            }
            add(delivery, at: place, event: row, rule: rule, lane: lane, part: part)
            part += 1
        }
        if part > 0 { selected += 1 }
        guard let group = selection.group, !company.targets.isEmpty else { return }
        groups = groups ?? OpenGroups()
        groups?.join(
            batch.groups[group],
            OpenGroups.Member(
                event: row, key: event.key, rule: rule, targets: company.targets, lanes: company.lanes))
        selected += 1
    }

    private mutating func add(
        _ delivery: Decisions.Delivery, at place: Int, event: Int64, rule: Int64, lane: Int64, part: Int64
    ) {
        if delivery.supersedes, !delivery.isReceived, let pair = delivery.pair?.number {
            supersede(in: pair, rule: rule)
        }
        let standing: Standing =
            delivery.isReceived ? .waits : delivery.pair.map { self.standing(in: $0.number) } ?? .first
        let wait = delivery.wait.flatMap { $0.until.milliseconds > now ? $0 : nil }
        let isLeased =
            delivery.wanted && wait == nil && known.lowest != nil && standing != .waits
            && !known.suspended.contains(lane)
        let due: Int64? = standing == .first && !isLeased ? wait?.until.milliseconds ?? now : nil
        rows.append(
            Row(
                event: event, rule: rule, lane: lane, part: part, delivery: place,
                state: delivery.isReceived ? .delivered : isLeased ? .leased : .pending, due: due, wait: wait,
                birth: births.count, follows: standing == .follows))
        births.append(.duplicate)  // until it has a number
        guard let pair = delivery.pair?.number, !delivery.isReceived else { return }
        let holder = isLeased ? session : 0
        known.queues[pair]?.append(
            Superseding.Open(
                place: .batch(rows.count - 1), rule: rule, isLeased: isLeased, due: due,
                notBefore: wait?.until.milliseconds, session: holder))
        if standing == .first {
            known.pairs[pair] = Pair(
                head: nil, headIsLeased: isLeased, headDue: due, headNotBefore: nil, headSession: holder,
                lastSession: holder)
        } else {
            known.pairs[pair]?.lastSession = holder
        }
    }

    /// Ends what waits in a pair of the same rule, as a new delivery takes its place.
    private mutating func supersede(in pair: Int64, rule: Int64) {
        guard var queue = known.queues[pair] else { return }
        let gone = queue.filter { !$0.isLeased && $0.rule == rule }
        guard !gone.isEmpty else { return }
        for one in gone {
            switch one.place {
            case .ledger(let id):
                superseded.append(id)
                if one.isResent { resent += 1 }
                sooner[id] = nil
            case .batch(let row): rows[row] = rows[row].ended
            }
        }
        queue.removeAll { !$0.isLeased && $0.rule == rule }
        if !queue.contains(where: \.isLeased), let head = queue.first, head.due == nil {
            let time = max(now, head.notBefore ?? now)
            queue[0].due = time
            switch head.place {
            case .ledger(let id): sooner[id] = time
            case .batch(let row): rows[row] = rows[row].due(at: time)
            }
        }
        known.queues[pair] = queue
        known.pairs[pair] = Pair(queue)
    }

    /// Where a new delivery of a pair stands: alone, behind others this session has leased, or behind ones it waits for.
    private enum Standing { case first, follows, waits }

    /// Looks at the pair's open deliveries; a head that waits for its next try waits no longer (P13).
    private mutating func standing(in pair: Int64) -> Standing {
        guard let open = known.pairs[pair] else { return .first }
        guard !open.headIsLeased else {
            return open.headSession == session && open.lastSession == session ? .follows : .waits
        }
        if let head = open.head, let due = open.headDue {
            let time = max(now, open.headNotBefore ?? now)
            if time < due {
                sooner[head] = time
                known.pairs[pair]?.headDue = time
                if known.queues[pair]?.isEmpty == false { known.queues[pair]?[0].due = time }
            }
        }
        return .waits
    }

    /// The delivery of the window the event falls into; `nil` when it opens one.
    private mutating func enter(
        _ window: Decisions.Window, _ event: Decisions.Event, _ selection: Decisions.Selection
    ) -> Key? {
        let delivery = batch.deliveries[selection.deliveries].first?.key ?? event.key
        return known.windows?.enter(window, appended: event.appended, opening: delivery)
    }

    private mutating func suppress(_ selection: Suppressed) {
        held.append(selection)
        suppressed[selection.reason, default: 0] += 1
        selected += 1
    }

    /// All that is written, but for the commit.
    ///
    /// The large ones are made when they are asked for, while the server is at the one before.
    mutating func commands(_ connection: Connection) -> [() -> Command] {
        let large = events.isEmpty ? [] : [{ [self] in insertEvents }]
        insertIndex = rows.isEmpty ? nil : large.count
        return large + (rows.isEmpty ? [] : [{ [self] in insertDeliveries }])
            + smallCommands(connection).map { command in { command } }
    }

    private func smallCommands(_ connection: Connection) -> [Command] {
        var commands: [Command] = []
        if !superseded.isEmpty { commands.append(Superseding.end(superseded, now)) }
        if !sooner.isEmpty { commands.append(pullForward) }
        if !held.isEmpty { commands.append(insertSuppressed) }
        if !batch.parked.isEmpty { commands.append(batch.insertParked(now)) }
        commands += known.windows?.writing ?? []
        commands += known.thresholds?.writing ?? []
        commands += groups?.writing(revision: batch.revision, now: now) ?? []
        let counts = BatchCounts(matched: events.count, duplicates: duplicates, selected: selected)
        commands.append(batch.note(counts, prolonging: known.last, now))
        var changes = [
            "delivery.pending": -superseded.count, "delivery.expired": superseded.count - resent,
            "delivery.delivered": resent, "suppressed": held.count, "seen": events.count,
            "grouped": groups?.count ?? 0,
        ]
        for row in rows { changes["delivery.\(row.state.rawValue)", default: 0] += 1 }
        for (reason, count) in suppressed { changes["suppressed.\(reason.rawValue)"] = count }
        return commands + ledger.tallies(changes, connection)
    }

    /// Gives the births their numbers, out of the answers to `commands`.
    mutating func number(_ answers: [Rows]) {
        guard let insertIndex else { return }
        let numbers = answers[insertIndex]
        precondition(numbers.count == rows.count, "PostgreSQL returned another number of rows than it inserted")
        for (index, row) in rows.enumerated() {
            let id = numbers.int(index, 0)
            births[row.birth] =
                row.isLeased ? .leased(id, epoch: 1, lane: row.lane, follows: row.follows) : .pending(id)
        }
    }

    private var insertEvents: Command {
        let all = batch.events
        var columns = Columns()
        columns.add("seq", events.map(\.row))
        columns.add("key", events.map { all[$0.place].key.halves })
        columns.add("workspace", events.map { all[$0.place].workspace as String? })
        columns.add("type", events.map { all[$0.place].type as String? })
        columns.add("subject", events.map { all[$0.place].subject })
        columns.add("time", events.map { all[$0.place].time.milliseconds })
        columns.add("appended", events.map { all[$0.place].appended.milliseconds })
        columns.add("place", events.map { all[$0.place].offset })
        columns.add("bytes", pieces: events.map { all[$0.place].value }, of: batch.bytes)
        columns.add("partition", all: Int64(batch.partition))
        return columns.insert(into: "event")
    }

    private var insertDeliveries: Command {
        let all = batch.deliveries
        var columns = Columns()
        columns.add("event", rows.map(\.event))
        columns.add("rule", rows.map(\.rule))
        columns.add("lane", rows.map(\.lane))
        columns.add("part", mostlyOne: rows.map { $0.part })
        columns.add("key", rows.map { all[$0.delivery].key.halves })
        columns.add("pair", mostlyOne: rows.map { all[$0.delivery].pair?.number })
        columns.add("expires", rows.map { all[$0.delivery].expires.milliseconds })
        columns.add("state", mostlyOne: rows.map { $0.state.code })
        columns.add("due", mostlyOne: rows.map(\.due))
        columns.add("revision", all: batch.revision)
        for name in ["decided", "round"] { columns.add(name, all: now) }
        columns.add("epoch", mostlyOne: rows.map { $0.isLeased ? 1 : 0 })
        columns.add("session", mostlyOne: rows.map { $0.isLeased ? session : 0 })
        columns.add("settled", mostlyOne: rows.map { $0.isOpen ? nil : now })
        columns.add("not_before", mostlyOne: rows.map { $0.wait?.until.milliseconds })
        columns.add("reason", mostlyOne: rows.map(\.reason))
        columns.add("supersedes", mostlyOne: rows.map { all[$0.delivery].supersedes ? 1 : 0 })
        return columns.insert(into: "delivery", returning: "id")
    }

    /// A head that was claimed meanwhile is left alone.
    private var pullForward: Command {
        let heads = sooner.sorted { $0.key < $1.key }
        var values = Parameters()
        values.add(heads.map(\.key))
        values.add(heads.map(\.value))
        return Command(
            """
            UPDATE delivery d SET due = s.due FROM unnest($1::int8[], $2::int8[]) AS s(id, due)
            WHERE d.id = s.id AND d.state = 0 AND coalesce(d.due > s.due, true)
            """, values)
    }

    private var insertSuppressed: Command {
        var values = Parameters()
        values.add(held.map(\.event))
        values.add(held.map(\.rule))
        values.add(held.map { $0.reason.rawValue as String? })
        values.add(held.map { ($0.earlier ?? Key(high: 0, low: 0)).halves })
        values.add(held.map { $0.earlier == nil ? 0 as Int64 : 1 })
        values.add(now)
        values.add(held.map(\.by))
        values.add(held.map(\.target))
        return Command(
            """
            INSERT INTO suppressed (event, rule, reason, at, earlier, by, target)
            SELECT s.event, s.rule, s.reason, $6, CASE s.has WHEN 1 THEN s.earlier END, s.by, s.target
            FROM unnest($1::int8[], $2::int8[], $3::text[], $4::uuid[], $5::int8[], $7::text[], $8::text[])
                AS s(event, rule, reason, earlier, has, by, target)
            """, values)
    }
}

extension DecisionWriter.Pair {
    /// Reads `pair, id, state, due, not_before, session, last session`.
    init(_ rows: Rows, _ row: Int) {
        self.init(
            head: rows.int(row, 1), headIsLeased: rows.int(row, 2) == StateCode.leased,
            headDue: rows.optionalInt(row, 3),
            headNotBefore: rows.optionalInt(row, 4), headSession: rows.int(row, 5), lastSession: rows.int(row, 6))
    }
}
