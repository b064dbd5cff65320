import CarillonEvents
import CarillonLedger
import CarillonPostgres

// Digests, as in the SQLite ledger, where it is said what they are. Who folds a delivery into one, or lets one speak, holds
// its lane. An index has their times, and a claim asks for the first of them with the lanes.

extension PostgresLedger {
    /// What a claim finds digests by, among lanes; no target has it.
    static let digestLane: Int64 = -1
    /// Digests that speak in one transaction.
    private static let atOnce: Int64 = 32

    private struct Waiting {
        let id, lane: Int64
        let label: String
        let toll: Toll?
    }

    /// Lets the digests speak whose time has come and that have room; the others wait for it and collect.
    func letDigestsSpeak(_ tariff: (any Tariff)?) throws(LedgerError) {
        try transaction("let digests speak") { connection throws(PostgresFailure) in
            let due = try waiting(tariff, connection)
            guard !due.isEmpty else { return }
            try connection.run([
                .begin, Command(Gate.shared, Parameters(space, Gate.rules)),
                Command(Gate.shared, Parameters(space, Gate.segments)), Order.lock(due.map(\.lane)),
            ])
            var book = QuotaBook()
            let scopes = due.reduce(into: Set<String>()) { $0.formUnion($1.toll?.scopes ?? []) }
            let pages = try chargeableQuotas(scopes, waitingFor: scopes, connection)
            // One that was removed while we waited for it: nobody holds it, so nobody may charge it. Once more.
            guard pages.count == scopes.count else {
                throw PostgresFailure(.conflict, cause: "a scope of quotas was removed")
            }
            for page in pages { book.add(page) }
            let now = Timestamp(milliseconds: moment)
            var speaking: [Int64] = []
            var moved: [(id: Int64, until: Int64)] = []
            for one in due {
                if let toll = one.toll, !book.hasRoom(toll, now: now) {
                    moved.append((one.id, book.turn(of: toll, label: one.label, now: now).milliseconds))
                } else {
                    speaking.append(one.id)
                }
            }
            let commands = (moved.isEmpty ? [] : [move(moved)]) + book.writing
            if !commands.isEmpty { try connection.run(commands) }
            if !speaking.isEmpty {
                try Speech(of: speaking, .digests, dueAt: moment, connection).write(at: moment, self, connection)
            }
            if reach != nil { try pass(.inDecision) }
            try connection.run([.commit])
        }
    }

    /// Digests whose time has come, each with what its message would be charged.
    private func waiting(_ tariff: (any Tariff)?, _ connection: Connection) throws(PostgresFailure) -> [Waiting] {
        let rows = try connection.run(
            """
            SELECT x.id, x.lane, l.workspace, r.name, l.target, g.revision FROM digest x JOIN grp g ON g.id = x.id
            JOIN lane l ON l.id = x.lane JOIN rule r ON r.id = x.rule
            WHERE x.due <= $1 ORDER BY x.due, x.id LIMIT $2
            """, Parameters(moment, Self.atOnce))
        var found: [Waiting] = []
        for row in rows.indices {
            let candidate = Candidate(
                delivery: 0, workspace: rows.text(row, 2), rule: rows.text(row, 3), target: rows.text(row, 4), via: nil,
                revision: rows.int(row, 5))
            found.append(
                Waiting(
                    id: rows.int(row, 0), lane: rows.int(row, 1), label: candidate.label,
                    toll: try tariff?.toll(in: candidate)))
        }
        return found
    }

    private func move(_ moved: [(id: Int64, until: Int64)]) -> Command {
        var values = Parameters()
        values.add(moved.map(\.id))
        values.add(moved.map(\.until))
        values.add(moment)
        return Command(
            """
            UPDATE digest x SET due = m.until FROM unnest($1::int8[], $2::int8[]) AS m(id, until)
            WHERE x.id = m.id AND x.due <= $3
            """, values)
    }

    /// Makes digests of some lanes due that wait for room.
    ///
    /// - Parameter values: the lanes, and now.
    func wakeDigests(_ values: Parameters, _ connection: Connection) throws(PostgresFailure) -> Int {
        try connection.run("UPDATE digest SET due = $2 WHERE lane = ANY($1) AND due > $2", values).affected
    }

    /// What does not add up about digests behind one, a page of them: deliveries and messages against the counts.
    func digestResidue(
        after cursor: Int64, _ connection: Connection
    ) throws(PostgresFailure) -> (residue: [String], next: Int64?) {
        let rows = try connection.run(
            """
            SELECT x.id, x.size, (SELECT count(*) FROM delivery WHERE digest = x.id),
                CASE WHEN x.first >= (SELECT min(id) FROM delivery) THEN 1 ELSE 0 END,
                (SELECT string_agg(size::text, ',') FROM notice WHERE grp = x.id), CASE WHEN x.due IS NULL THEN 1 ELSE 0 END
            FROM digest x WHERE x.id > $1 ORDER BY x.id LIMIT 1000
            """, Parameters(cursor))
        var check = DigestCheck()
        for row in rows.indices {
            check.add(
                rows.int(row, 0), size: rows.int(row, 1), deliveries: rows.int(row, 2), isWhole: rows.int(row, 3) != 0,
                said: rows.optionalText(row, 4), isOver: rows.int(row, 5) != 0)
        }
        return (check.residue, rows.indices.last.map { rows.int($0, 0) })
    }
}

extension Tariff {
    /// As `toll`, for who is in the middle of a transaction.
    func toll(in candidate: Candidate) throws(PostgresFailure) -> Toll? {
        do throws(LedgerError) { return try toll(of: candidate) } catch {
            throw PostgresFailure(error.isTransient ? .unreachable : .other, cause: error.description)
        }
    }
}

/// What one claim folds into digests; their lanes are locked.
struct Folding {
    private struct Place: Hashable {
        let lane, rule: Int64
    }
    private struct Opening {
        let place: Place
        let candidate: Candidate
        let due: Timestamp
    }
    private var open: Set<Place> = []
    private var openings: [Opening] = []
    private var folded: [(delivery: DeliveryID, place: Place, terms: Toll.Digest)] = []

    /// Reads which digests of lanes are open, and which of some deliveries tell of many events or are told by a digest.
    mutating func look(
        at deliveries: [DeliveryID], lanes: [Int64], _ connection: Connection
    ) throws(PostgresFailure) -> Set<DeliveryID> {
        var values = Parameters()
        values.add(Array(Set(lanes)))
        let rows = try connection.run("SELECT lane, rule FROM digest WHERE due IS NOT NULL AND lane = ANY($1)", values)
        for row in rows.indices { open.insert(Place(lane: rows.int(row, 0), rule: rows.int(row, 1))) }
        var ids = Parameters()
        ids.add(deliveries)
        let told = try connection.run(
            """
            SELECT d.id FROM delivery d WHERE d.id = ANY($1)
                AND (d.digest IS NOT NULL OR EXISTS (SELECT 1 FROM notice n WHERE n.event = d.event))
            """, ids)
        return Set(told.indices.map { told.int($0, 0) })
    }

    func isOpen(lane: Int64, rule: Int64) -> Bool { open.contains(Place(lane: lane, rule: rule)) }

    mutating func open(_ candidate: Candidate, lane: Int64, rule: Int64, at due: Timestamp) {
        open.insert(Place(lane: lane, rule: rule))
        openings.append(Opening(place: Place(lane: lane, rule: rule), candidate: candidate, due: due))
    }

    mutating func add(_ delivery: DeliveryID, lane: Int64, rule: Int64, _ terms: Toll.Digest) {
        folded.append((delivery, Place(lane: lane, rule: rule), terms))
    }

    /// Writes the digests that are opened and what is folded into them all.
    func writing(at now: Int64) -> [Command] {
        folded.isEmpty ? [] : openings.map { begin($0, now) } + [join]
    }

    private func begin(_ opening: Opening, _ now: Int64) -> Command {
        let candidate = opening.candidate
        let terms = folded.first { $0.delivery == candidate.delivery }?.terms
        let key = Key.digest(workspace: candidate.workspace, rule: candidate.rule, target: candidate.target)
        var values = Parameters()
        values.add(high: key.high, low: key.low)
        values.add(terms?.name ?? candidate.rule)
        values.add(now)
        values.add(terms?.life.milliseconds ?? 0)
        values.add(candidate.delivery)
        values.add(opening.due.milliseconds)
        return Command(
            """
            WITH opened AS (
                INSERT INTO grp (key, opener, rule, lanes, name, ordered, opened, every, life, revision, since)
                SELECT $1::uuid, d.key, d.rule, d.lane::text, $2, 1, $3, 0, $4, d.revision, $3
                FROM delivery d WHERE d.id = $5
                RETURNING id)
            INSERT INTO digest (id, lane, rule, due, size, failed, first)
            SELECT o.id, d.lane, d.rule, $6, 0, 0, d.id FROM opened o, delivery d WHERE d.id = $5
            """, values)
    }

    private var join: Command {
        var values = Parameters()
        values.add(folded.map(\.delivery))
        values.add(folded.map(\.terms.life.milliseconds))
        return Command(
            """
            WITH joined AS (
                UPDATE delivery d SET digest = x.id
                FROM unnest($1::int8[], $2::int8[]) AS f(id, life), digest x
                WHERE d.id = f.id AND x.lane = d.lane AND x.rule = d.rule AND x.due IS NOT NULL
                RETURNING d.id, d.digest, d.event, d.revision, f.life),
            counted AS (
                SELECT j.digest, count(*) AS n, count(*) FILTER (WHERE right(e.type, 7) = '.failed') AS failed,
                    min(j.id) AS first, max(j.revision) AS revision, max(j.life) AS life
                FROM joined j JOIN event e ON e.seq = j.event GROUP BY j.digest),
            renewed AS (
                UPDATE grp g SET revision = greatest(g.revision, c.revision), life = c.life FROM counted c
                WHERE g.id = c.digest)
            UPDATE digest x SET size = x.size + c.n, failed = x.failed + c.failed, first = least(x.first, c.first)
            FROM counted c WHERE x.id = c.digest
            """, values)
    }
}

extension Speech {
    /// Hands a digest's counts to its group, of which a notification is made.
    func hand(_ groups: [Group]) -> Command {
        var values = Parameters()
        values.add(groups.map(\.id))
        return Command(
            """
            UPDATE grp g SET size = x.size, failed = x.failed, total = x.size FROM digest x
            WHERE x.id = g.id AND g.id = ANY($1)
            """, values)
    }

    /// Ends digests that have spoken.
    func close(_ now: Int64) -> Command {
        var values = Parameters()
        values.add(groups.map(\.id))
        values.add(now)
        return Command(
            """
            WITH over AS (UPDATE digest SET due = NULL WHERE id = ANY($1) RETURNING id)
            UPDATE grp g SET size = 0, failed = 0, notices = 1, closed = $2 FROM over o WHERE g.id = o.id
            """, values)
    }
}
