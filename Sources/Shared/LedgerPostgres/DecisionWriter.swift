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
        let delivery: Decisions.Delivery
        let state: DeliveryState
        let due: Int64?
        let wait: Decisions.Wait?
        /// Its place in `births`.
        let birth: Int
        let follows: Bool

        var isLeased: Bool { state == .leased }
        /// Why it is in its state.
        var reason: String { state == .expired ? Superseding.reason : wait?.reason ?? "" }
        /// As one whose place was taken.
        var ended: Row { changed(to: .expired, due: nil, wait: nil) }
        /// As one whose turn it is at a time.
        func due(at time: Int64) -> Row { changed(to: state, due: time, wait: wait) }

        private func changed(to state: DeliveryState, due: Int64?, wait: Decisions.Wait?) -> Row {
            Row(
                event: event, rule: rule, lane: lane, part: part, delivery: delivery, state: state, due: due,
                wait: wait,
                birth: birth, follows: follows)
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
    private var events: [(event: Decisions.Event, row: Int64)] = []
    /// Heads that wait no longer, with the time they are due now.
    private var sooner: [DeliveryID: Int64] = [:]
    /// Deliveries of others' batches whose place is taken, and how many of them were only sent again.
    private var superseded: [DeliveryID] = []
    private var resent = 0
    private var selected = 0
    /// Where the answer of `insertDeliveries` stands.
    private var insertIndex: Int?

    init(_ ledger: PostgresLedger, _ batch: Decisions, _ known: DecisionReading.Known, session: SessionID, now: Int64) {
        (self.ledger, self.batch, self.known, self.session, self.now) = (ledger, batch, known, session, now)
    }

    mutating func decide() {
        births.reserveCapacity(batch.deliveries.count)
        rows.reserveCapacity(batch.deliveries.count)
        for event in batch.events {
            if let row = known.events.removeValue(forKey: event.key) {
                events.append((event, row))
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
            } else if let window = selection.window, let earlier = enter(window, event, selection) {
                suppress(Suppressed(event: row, rule: rule, reason: .dedup, earlier: earlier))
                births.append(contentsOf: repeatElement(.suppressed, count: selection.deliveries.count))
            } else {
                let name = workspace == event.workspace ? selection.rule : "\(workspace)/\(selection.rule)"
                send(selection, as: name, of: workspace, event: row, rule: rule, &reached)
            }
        }
    }

    /// Adds what a selection sends.
    ///
    /// - Parameter reached: the addresses that other rules tell of the event, each with the rule.
    private mutating func send(
        _ selection: Decisions.Selection, as name: String, of workspace: String, event: Int64, rule: Int64,
        _ reached: inout [String: String]
    ) {
        var part: Int64 = 0
        for delivery in batch.deliveries[selection.deliveries] {
            if let copy = delivery.copy {
                if let other = reached[copy] {
                    suppress(
                        Suppressed(event: event, rule: rule, reason: .alreadySent, by: other, target: delivery.target))
                    births.append(.suppressed)
                    continue
                }
                reached[copy] = name
            }
            let lane = ledger.names.lane(workspace, delivery.target)
            add(delivery, event: event, rule: rule, lane: lane, part: part)
            part += 1
        }
        if part > 0 { selected += 1 }
    }

    private mutating func add(_ delivery: Decisions.Delivery, event: Int64, rule: Int64, lane: Int64, part: Int64) {
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
                event: event, rule: rule, lane: lane, part: part, delivery: delivery,
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
    mutating func commands(_ connection: Connection) -> [Command] {
        var commands: [Command] = []
        if !events.isEmpty { commands.append(insertEvents) }
        if !rows.isEmpty {
            insertIndex = commands.count
            commands.append(insertDeliveries)
        }
        if !superseded.isEmpty { commands.append(Superseding.end(superseded, now)) }
        if !sooner.isEmpty { commands.append(pullForward) }
        if !held.isEmpty { commands.append(insertSuppressed) }
        if !batch.parked.isEmpty { commands.append(insertParked) }
        commands += known.windows?.writing ?? []
        commands.append(noteBatch)
        var changes = [
            "delivery.pending": -superseded.count, "delivery.expired": superseded.count - resent,
            "delivery.delivered": resent, "suppressed": held.count, "seen": events.count,
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
        var values = Parameters()
        values.add(events.map(\.row))
        values.add(events.map(\.event.key.halves))
        values.add(events.map { $0.event.workspace as String? })
        values.add(events.map { $0.event.type as String? })
        values.add(events.map(\.event.subject))
        values.add(events.map(\.event.time.milliseconds))
        values.add(events.map(\.event.appended.milliseconds))
        values.add(events.map(\.event.offset))
        values.add(pieces: events.map(\.event.value), of: batch.bytes)
        values.add(Int64(batch.partition))
        return Command(
            """
            INSERT INTO event (seq, key, workspace, type, subject, time, appended, place, bytes, partition)
            SELECT e.*, $10 FROM unnest($1::int8[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int8[], $7::int8[],
                $8::int8[], $9::bytea[]) AS e
            """, values)
    }

    private var insertDeliveries: Command {
        var values = Parameters()
        values.add(rows.map(\.event))
        values.add(rows.map(\.rule))
        values.add(rows.map(\.lane))
        values.add(rows.map(\.part))
        values.add(rows.map(\.delivery.key.halves))
        values.add(rows.map { $0.delivery.pair?.number })
        values.add(rows.map(\.delivery.expires.milliseconds))
        values.add(rows.map(\.state.code))
        values.add(rows.map(\.due))
        values.add(rows.map { $0.wait?.until.milliseconds })
        values.add(rows.map { $0.reason as String? })
        values.add(rows.map { $0.delivery.supersedes ? 1 as Int64 : 0 })
        values.add(batch.revision)
        values.add(now)
        values.add(session)
        return Command(
            """
            INSERT INTO delivery (event, rule, lane, part, key, pair, expires, state, due, revision, decided, round, epoch,
                session, settled, not_before, reason, supersedes)
            SELECT d.event, d.rule, d.lane, d.part::int4, d.key, d.pair, d.expires, d.state::int4, d.due, $13, $14, $14,
                CASE d.state WHEN 1 THEN 1 ELSE 0 END, CASE d.state WHEN 1 THEN $15::int8 ELSE 0 END,
                CASE WHEN d.state < 2 THEN NULL ELSE $14::int8 END, d.not_before, d.reason, d.supersedes::int4
            FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::uuid[], $6::int8[], $7::int8[], $8::int8[],
                $9::int8[], $10::int8[], $11::text[], $12::int8[])
                AS d(event, rule, lane, part, key, pair, expires, state, due, not_before, reason, supersedes)
            RETURNING id
            """, values)
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

    private var insertParked: Command {
        var values = Parameters()
        values.add(batch.stream)
        values.add(Int64(batch.partition))
        values.add(batch.parked.map(\.offset))
        values.add(batch.parked.map { $0.reason as String? })
        values.add(pieces: batch.parked.map(\.value), of: batch.bytes)
        values.add(now)
        return Command(
            """
            INSERT INTO parked (stream, partition, place, reason, bytes, at)
            SELECT $1, $2, p.*, $6 FROM unnest($3::int8[], $4::text[], $5::bytea[]) AS p
            """, values)
    }

    /// Writes the batch down; a batch that goes on where the last one of the same hour and revision ended prolongs it, so
    /// that a trickle of single events does not fill the ledger with rows.
    private var noteBatch: Command {
        let counts = [
            batch.next, Int64(batch.read), batch.gap, Int64(batch.unmatched), Int64(events.count), Int64(duplicates),
            Int64(batch.parked.count), Int64(selected), batch.holes,
        ]
        var values = Parameters()
        for count in counts { values.add(count) }
        if let last = known.last {
            values.add(last)
            return Command(
                """
                UPDATE batch SET next = $1, read = read + $2, gap = gap + $3, unmatched = unmatched + $4,
                    matched = matched + $5, duplicate = duplicate + $6, parked = parked + $7, selected = selected + $8,
                    holes = holes + $9 WHERE id = $10
                """, values)
        }
        values.add(batch.stream)
        for number in [Int64(batch.partition), batch.from, batch.revision, now] { values.add(number) }
        return Command(
            """
            INSERT INTO batch (next, read, gap, unmatched, matched, duplicate, parked, selected, holes, stream, partition,
                first, revision, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
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
