public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// A batch takes two round trips. The first locks what the batch is about, moves the position and brings all that has to be
// known; the second writes and commits. Between them nothing is asked of the server, so the locks are held as long as the
// network needs, not as long as we think.
//
// Locks are taken in one order everywhere: rules and segments (shared), position, session, lanes, keys, rules with windows,
// thresholds, groups.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger: Ledger {
    public func position(_ stream: String, _ partition: Int32) throws(LedgerError) -> Int64? {
        try attempting("read the position of \(stream)/\(partition)") { () throws(PostgresFailure) in
            try storedPosition(stream, partition, connection())
        }
    }

    public func decide(
        _ batch: Decisions, for session: SessionID, now: Timestamp
    ) throws(LedgerError) -> Decided {
        moment = now.milliseconds
        let doing = "decide \(batch.stream)/\(batch.partition) \(batch.from)..<\(batch.next)"
        var isAlone = true
        return try transaction(doing) { connection throws(PostgresFailure) -> Decided in
            try learnNames(of: batch, connection)
            let reading = DecisionReading(self, batch, session: session, now: now.milliseconds)
            let known: DecisionReading.Known
            do throws(PostgresFailure) { known = try reading.run(connection, isAlone: isAlone) } catch {
                guard isAlone, error.state == DecisionReading.met else { throw error }
                isAlone = false
                throw PostgresFailure(.conflict, state: error.state, cause: error.cause)
            }
            guard batch.isByRulesOfThen || known.revision == batch.revision else { return .rulesMoved }
            guard known.isNext else {
                try connection.run("ROLLBACK")
                return .moved(try storedPosition(batch.stream, batch.partition, connection))
            }
            var writer = DecisionWriter(self, batch, known, session: session, now: now.milliseconds)
            writer.decide()
            let commands = writer.commands(connection) + (reach == nil ? [{ .commit }] : [])
            let written = try connection.run(commands.lazy.map { $0() })
            if reach != nil {
                try pass(.inDecision)
                try connection.run([.commit])
            }
            writer.number(written)
            for case .leased(let id, let epoch, _, _) in writer.births { held[session]?[id] = epoch }
            return .done(writer.births, duplicates: writer.duplicates, suppressed: writer.suppressed)
        }
    }

    public func revision() throws(LedgerError) -> Revision {
        try attempting("read the revision") { () throws(PostgresFailure) in try storedRevision(connection()) }
    }

    func storedRevision(_ connection: Connection) throws(PostgresFailure) -> Revision {
        let rows = try connection.run(Self.revisionQuery)
        return rows.isEmpty ? 0 : rows.int(0, 0)
    }

    static let revisionQuery = "SELECT value FROM meta WHERE name = 'revision'"

    private func storedPosition(
        _ stream: String, _ partition: Int32, _ connection: Connection
    ) throws(PostgresFailure) -> Int64? {
        var values = Parameters()
        values.add(stream)
        values.add(Int64(partition))
        let rows = try connection.run("SELECT next FROM position WHERE stream = $1 AND partition = $2", values)
        return rows.isEmpty ? nil : rows.int(0, 0)
    }

    private func learnNames(of batch: Decisions, _ connection: Connection) throws(PostgresFailure) {
        var rules: Set<NameBook.Name> = []
        var lanes: Set<NameBook.Name> = []
        for event in batch.events {
            for selection in batch.selections[event.selections] {
                let workspace = selection.workspace ?? event.workspace
                rules.insert(.init(workspace: workspace, name: selection.rule))
                for delivery in batch.deliveries[selection.deliveries] {
                    lanes.insert(.init(workspace: workspace, name: delivery.target))
                }
            }
        }
        try names.learn(rules: rules, lanes: lanes, on: connection)
    }
}

/// The first round trip of a decision: takes the locks and brings what has to be known.
struct DecisionReading {
    /// What the ledger knew of a batch.
    struct Known {
        var revision: Revision = 0
        /// Whether the batch begins where the position stood; then it stands at the batch's end now.
        ///
        /// Beside the position: whether nothing of it is decided.
        var isNext = false
        /// Below which the session has leased nothing; `nil` when it may lease nothing.
        var lowest: DeliveryID?
        /// The new events with their rows' numbers.
        var events: [Key: Int64] = [:]
        /// The lanes that nothing is leased from.
        var suspended: Set<Int64> = []
        /// The open deliveries of pairs.
        var pairs: [Int64: DecisionWriter.Pair] = [:]
        /// All open deliveries, and locked, of the pairs in which something is superseded.
        var queues: [Int64: [Superseding.Open]] = [:]
        var windows: Windows?
        var thresholds: Thresholds?
        /// The batch row that this one prolongs.
        var last: Int64?
    }
    private let ledger: PostgresLedger
    private let batch: Decisions
    private let session: SessionID
    private let now: Int64

    init(_ ledger: PostgresLedger, _ batch: Decisions, session: SessionID, now: Int64) {
        (self.ledger, self.batch, self.session, self.now) = (ledger, batch, session, now)
    }

    /// What PostgreSQL calls it when two write one key.
    static let met = "23505"

    /// - Parameter isAlone: whether it fails with `met` when another decides one of the events at this moment; this is
    ///   cheaper than to be ready for it.
    func run(_ connection: Connection, isAlone: Bool) throws(PostgresFailure) -> Known {
        let horizon = now - ledger.keeping.dedupHorizon.milliseconds
        var commands: [Command] = [
            // What is decided beside the position is decided alone, so that no range is twice.
            .begin, Command(batch.isBeside ? Gate.exclusive : Gate.shared, Parameters(ledger.space, Gate.rules)),
            Command(Gate.shared, Parameters(ledger.space, Gate.segments)), Command(PostgresLedger.revisionQuery),
            batch.isBeside ? untouched : advance, ledger.hold(session), Order.lock(lanes), last,
            Command(PostgresLedger.suspendedLanes),
        ]
        let superseding = Superseding.pairs(of: batch)
        if !batch.events.isEmpty {
            commands += [keys(isAlone), Superseding.reading(superseding), pairs(but: superseding)]
        }
        let windows = windows
        if !windows.keys.isEmpty {
            commands += Windows.reading(batch, windows.keys, rules: windows.rules, horizon: horizon)
        }
        let thresholds = Set(batch.thresholds.lazy.map(\.key))
        if !thresholds.isEmpty { commands.append(Thresholds.reading(thresholds)) }
        let rows = try connection.run(commands)
        var known = Known()
        known.revision = rows[3].isEmpty ? 0 : rows[3].int(0, 0)
        known.isNext = !rows[4].isEmpty
        known.lowest = rows[5].isEmpty ? nil : rows[5].int(0, 0)
        known.last = rows[7].isEmpty ? nil : rows[7].int(0, 0)
        known.suspended = Set(rows[8].indices.map { rows[8].int($0, 0) })
        guard !batch.events.isEmpty else { return known }
        for row in rows[9].indices { known.events[Key(rows[9].halves(row, 0))] = rows[9].int(row, 1) }
        known.queues = Superseding.queues(of: superseding, rows[10])
        for row in rows[11].indices { known.pairs[rows[11].int(row, 0)] = DecisionWriter.Pair(rows[11], row) }
        for (pair, queue) in known.queues { known.pairs[pair] = DecisionWriter.Pair(queue) }
        if !thresholds.isEmpty {
            known.thresholds = try Thresholds(rows[rows.count - 1], partition: batch.partition)
        }
        if !windows.keys.isEmpty { known.windows = Windows(clock: rows[13], living: rows[14], horizon: horizon) }
        return known
    }

    /// The batch's stream, partition, beginning and end.
    private var range: Parameters {
        var values = Parameters()
        values.add(batch.stream)
        values.add(Int64(batch.partition))
        values.add(batch.from)
        values.add(batch.next)
        return values
    }

    /// Moves the position, if it stands where the batch begins.
    private var advance: Command {
        Command(
            """
            INSERT INTO position VALUES ($1, $2, $4)
            ON CONFLICT (stream, partition) DO UPDATE SET next = $4 WHERE position.next = $3 RETURNING 1::int8
            """, range)
    }

    /// Whether nothing of the batch is decided.
    private var untouched: Command {
        Command(
            """
            SELECT 1::int8 WHERE NOT EXISTS (
                SELECT 1 FROM batch WHERE stream = $1 AND partition = $2 AND first < $4 AND next > $3)
            """, range)
    }

    /// Writes the keys that are new to every segment, and numbers their events within the newest.
    ///
    /// To be ready for a conflict takes a second look at the index and a second record in the log for each key. The look at what
    /// is known is one scan of each index with all keys, whatever the planner thinks of joins.
    private func keys(_ isAlone: Bool) -> Command {
        var values = Parameters()
        values.add(Set(batch.events.map(\.key)).sorted { ($0.high, $0.low) < ($1.high, $1.low) }.map(\.halves))
        return Command(
            """
            INSERT INTO seen (segment, key)
            SELECT (SELECT max(id) FROM segment), k.key FROM (SELECT unnest($1::uuid[]) AS key) k
            WHERE k.key NOT IN (SELECT key FROM seen WHERE key = ANY($1))
            \(isAlone ? "" : "ON CONFLICT DO NOTHING") RETURNING key, segment << 40 | nextval('event_number')
            """, values)
    }

    /// The head and the last of each pair's open deliveries.
    private func pairs(but others: Set<Int64>) -> Command {
        var values = Parameters()
        values.add(Array(Set(batch.deliveries.compactMap { $0.pair?.number }).subtracting(others)).sorted())
        return Command(
            """
            SELECT p.pair, h.id, h.state, h.due, h.not_before, h.session, l.session FROM unnest($1::int8[]) AS p(pair)
            CROSS JOIN LATERAL (SELECT id, state, due, not_before, session FROM delivery
                WHERE pair = p.pair AND state < 2 ORDER BY pair, id LIMIT 1) h
            CROSS JOIN LATERAL (SELECT session FROM delivery
                WHERE pair = p.pair AND state < 2 ORDER BY pair DESC, id DESC LIMIT 1) l
            """, values)
    }

    /// The batch that this one goes on from, if it is of the same hour and revision.
    private var last: Command {
        var values = Parameters()
        values.add(batch.stream)
        values.add(Int64(batch.partition))
        values.add(batch.from)
        values.add(batch.revision)
        values.add(now / 3_600_000)
        return Command(
            """
            SELECT id FROM batch WHERE stream = $1 AND partition = $2 AND first < $3 AND next = $3 AND revision = $4
                AND at / 3600000 = $5 ORDER BY first DESC LIMIT 1
            """, values)
    }

    private var lanes: Set<Int64> {
        var lanes: Set<Int64> = []
        for event in batch.events {
            for selection in batch.selections[event.selections] {
                for delivery in batch.deliveries[selection.deliveries] {
                    lanes.insert(ledger.names.lane(selection.workspace ?? event.workspace, delivery.target))
                }
            }
        }
        return lanes
    }

    private var windows: (keys: Set<Key>, rules: Set<Int64>) {
        var found: (keys: Set<Key>, rules: Set<Int64>) = ([], [])
        for event in batch.events {
            for selection in batch.selections[event.selections] where selection.suppressed == nil {
                guard let window = selection.window else { continue }
                found.keys.insert(window.key)
                found.rules.insert(ledger.names.rule(selection.workspace ?? event.workspace, selection.rule))
            }
        }
        return found
    }
}
