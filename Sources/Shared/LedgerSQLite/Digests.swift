import CarillonEvents
import CarillonLedger
import CarillonSQLite

// Digests. A claim that finds no room for a delivery whose ladder ends in `digest` withholds it and folds it into the open
// digest of its rule and target. A digest is a row of `digest` and one of `grp` with the same number, which as a group is
// never open: only those who know digests let one speak. Its time stands in the due-time table in lane -1. When that comes
// and a route has room, it speaks once, as groups do, and is over; without room it goes on to collect.

extension SQLiteLedger {
    /// The lane in which digests wait.
    static let digestLane: Int64 = -1
    /// Digests that speak in one transaction.
    private static let atOnce = 32

    /// An open digest.
    private struct Digest {
        let group: Group
        let candidate: Candidate
        let lane: Int64
    }

    /// Whether a digest tells a delivery, or will.
    func isDigested(_ delivery: DeliveryID) throws(SQLiteFailure) -> Bool {
        let query = try database.fixed("SELECT 1 FROM delivery WHERE id = ? AND digest IS NOT NULL")
        query.bind(1, delivery)
        defer { query.reset() }
        return try query.step()
    }

    /// The open digest of a delivery's rule and target.
    func openDigest(of delivery: DeliveryID) throws(SQLiteFailure) -> Int64? {
        let query = try database.fixed(
            """
            SELECT x.id FROM delivery d JOIN digest x ON x.lane = d.lane AND x.rule = d.rule AND x.due IS NOT NULL
            WHERE d.id = ?
            """)
        query.bind(1, delivery)
        defer { query.reset() }
        return try query.step() ? query.int(0) : nil
    }

    /// Opens the digest of a delivery's rule and target.
    func openDigest(
        with claimed: Claimed, _ terms: Toll.Digest, due: Timestamp, _ now: Int64
    ) throws(SQLiteFailure) -> Int64 {
        let key = Key.digest(workspace: claimed.workspace, rule: claimed.rule, target: claimed.target)
        let group = try database.fixed(
            """
            INSERT INTO grp (key, opener, rule, lanes, name, ordered, opened, every, life, revision, since)
            SELECT ?1, key, rule, lane, ?2, 1, ?3, 0, ?4, revision, ?3 FROM delivery WHERE id = ?5
            """)
        group.bind(1, high: key.high, low: key.low)
        group.bind(2, terms.name)
        group.bind(3, now)
        group.bind(4, terms.life.milliseconds)
        group.bind(5, claimed.delivery)
        try group.run()
        let id = database.lastInserted
        let insert = try database.fixed(
            "INSERT INTO digest SELECT ?1, lane, rule, ?2, 0, 0, id FROM delivery WHERE id = ?3")
        insert.bind(1, id)
        insert.bind(2, due.milliseconds)
        insert.bind(3, claimed.delivery)
        try insert.run()
        try enqueue(id, lane: Self.digestLane, at: due.milliseconds)
        return id
    }

    /// Folds a delivery, which is withheld, into an open digest.
    func fold(_ delivery: DeliveryID, into digest: Int64, _ terms: Toll.Digest) throws(SQLiteFailure) {
        let join = try database.fixed("UPDATE delivery SET digest = ?2 WHERE id = ?1")
        let count = try database.fixed(
            """
            UPDATE digest SET size = size + 1, first = min(first, ?1), failed = failed + (
                SELECT substr(e.type, -7) = '.failed' FROM delivery d JOIN event e ON e.seq = d.event WHERE d.id = ?1)
            WHERE id = ?2
            """)
        let renew = try database.fixed(
            """
            UPDATE grp SET life = ?3, revision = max(revision, (SELECT revision FROM delivery WHERE id = ?1))
            WHERE id = ?2
            """)
        for update in [join, count, renew] {
            update.bind(1, delivery)
            update.bind(2, digest)
        }
        renew.bind(3, terms.life.milliseconds)
        for update in [join, count, renew] { try update.run() }
    }

    /// Lets the digests speak whose time has come and that have room; the others wait for it and collect.
    func letDigestsSpeak(_ tariff: (any Tariff)?, _ now: Timestamp) throws(LedgerError) {
        try transaction(.machine, "let digests speak") { () throws(SQLiteFailure) in
            var book = QuotaBook()
            for id in try digests(dueAt: now.milliseconds) {
                guard let digest = try digest(id) else { continue }
                guard let toll = try tariff?.toll(of: digest.candidate, for: "let a digest speak"),
                    try !hasRoom(toll, in: &book, now)
                else {
                    try speak(digest, isGone: false, now.milliseconds)
                    continue
                }
                let turn = book.turn(of: toll, label: digest.candidate.label, now: now)
                try move(digest.group, to: turn.milliseconds)
            }
            try write(book)
            try pass(.inDecision)
        }
    }

    private func digests(dueAt now: Int64) throws(SQLiteFailure) -> [Int64] {
        let query = try database.statement(
            "SELECT delivery FROM due WHERE lane = ? AND at <= ? ORDER BY at, delivery LIMIT \(Self.atOnce)")
        query.bind(1, Self.digestLane)
        query.bind(2, now)
        var ids: [Int64] = []
        while try query.step() { ids.append(query.int(0)) }
        return ids
    }

    private func hasRoom(_ toll: Toll, in book: inout QuotaBook, _ now: Timestamp) throws(SQLiteFailure) -> Bool {
        try read(toll, into: &book)
        return book.hasRoom(toll, now: now)
    }

    /// Ends the digests of rules and targets that are no more; what they had to say expires.
    func endDigests(_ change: RuleChange, _ now: Int64) throws(SQLiteFailure) -> Int {
        let query = try database.prepare(
            """
            SELECT x.id, r.name, l.target FROM digest x JOIN rule r ON r.id = x.rule JOIN lane l ON l.id = x.lane
            WHERE x.due IS NOT NULL AND r.workspace = ? ORDER BY x.id
            """)
        query.bind(1, change.workspace)
        var gone: [Int64] = []
        while try query.step() {
            if change.living[query.text(1)]?.contains(query.text(2)) != true { gone.append(query.int(0)) }
        }
        for id in gone { if let digest = try digest(id) { try speak(digest, isGone: true, now) } }
        return gone.count
    }

    /// Makes digests of some lanes due that wait for room.
    func wakeDigests(_ lanes: Set<LaneName>?, _ now: Int64) throws(SQLiteFailure) -> Int {
        let query = try database.prepare("SELECT delivery FROM due WHERE lane = ? AND at > ? ORDER BY delivery")
        query.bind(1, Self.digestLane)
        query.bind(2, now)
        var waiting: [Int64] = []
        while try query.step() { waiting.append(query.int(0)) }
        var woken = 0
        for id in waiting {
            guard let digest = try digest(id) else { continue }
            let lane = LaneName(workspace: digest.candidate.workspace, target: digest.candidate.target)
            guard lanes?.contains(lane) ?? true else { continue }
            try move(digest.group, to: now)
            woken += 1
        }
        return woken
    }

    private func digest(_ id: Int64) throws(SQLiteFailure) -> Digest? {
        let query = try database.fixed(
            """
            SELECT g.key, g.opener, g.rule, x.due, g.life, g.revision, x.size, x.lane, l.workspace, l.target, r.name
            FROM digest x JOIN grp g ON g.id = x.id JOIN lane l ON l.id = x.lane JOIN rule r ON r.id = x.rule
            WHERE x.id = ? AND x.due IS NOT NULL
            """)
        query.bind(1, id)
        defer { query.reset() }
        guard try query.step() else { return nil }
        let (key, opener, size) = (query.halves(0), query.halves(1), query.int(6))
        let group = Group(
            id: id, key: Key(high: key.high, low: key.low), opener: Key(high: opener.high, low: opener.low),
            rule: query.int(2), lanes: [query.int(7)], isOrdered: true, due: query.int(3), every: 0,
            life: query.int(4), revision: query.int(5), notices: 0, told: 0, total: size, size: size)
        let candidate = Candidate(
            delivery: 0, workspace: query.text(8), rule: query.text(10), target: query.text(9), via: nil,
            revision: query.int(5))
        return Digest(group: group, candidate: candidate, lane: query.int(7))
    }

    private func move(_ group: Group, to moment: Int64) throws(SQLiteFailure) {
        try dequeue(group.id, lane: Self.digestLane, at: group.due)
        try enqueue(group.id, lane: Self.digestLane, at: moment)
        let update = try database.fixed("UPDATE digest SET due = ?2 WHERE id = ?1")
        update.bind(1, group.id)
        update.bind(2, moment)
        try update.run()
    }

    private func speak(_ digest: Digest, isGone: Bool, _ now: Int64) throws(SQLiteFailure) {
        let id = digest.group.id
        let begin = try database.fixed(
            """
            UPDATE grp SET (size, failed, total) = (SELECT size, failed, size FROM digest WHERE id = ?1) WHERE id = ?1
            """)
        let end = try database.fixed("UPDATE grp SET size = 0, failed = 0, notices = 1, closed = ?2 WHERE id = ?1")
        let close = try database.fixed("UPDATE digest SET due = NULL WHERE id = ?1")
        for update in [begin, end, close] { update.bind(1, id) }
        end.bind(2, now)
        try begin.run()
        try tell(digest.group, told(by: id), gone: isGone ? [digest.lane] : [], now)
        try end.run()
        try close.run()
        try dequeue(id, lane: Self.digestLane, at: digest.group.due)
    }

    /// Retention keeps what an open digest is to tell, so it is there.
    private func told(by digest: Int64) throws(SQLiteFailure) -> Told {
        let (first, last) = ClaimedGroup.listed
        let query = try database.statement(
            """
            SELECT e.seq, e.bytes FROM (
                SELECT * FROM (SELECT id, event FROM delivery WHERE digest = ?1 ORDER BY id LIMIT \(first))
                UNION
                SELECT * FROM (SELECT id, event FROM delivery WHERE digest = ?1 ORDER BY id DESC LIMIT \(last))
            ) m JOIN event e ON e.seq = m.event ORDER BY m.id
            """)
        query.bind(1, digest)
        var told = Told(newest: 0, first: 0, last: 0, sample: [])
        while try query.step() {
            told.newest = query.int(0)
            told.sample.append(query.blob(1))
        }
        return told
    }

    /// What does not add up about digests behind one, a page of them: deliveries and messages against the counts.
    func digestResidue(after cursor: Int64) throws(SQLiteFailure) -> (residue: [String], next: Int64?) {
        let query = try database.prepare(
            """
            SELECT x.id, x.size, (SELECT count(*) FROM delivery WHERE digest = x.id),
                x.first >= ifnull((SELECT min(id) FROM delivery), 9223372036854775807),
                x.due IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM due WHERE lane = \(Self.digestLane) AND at = x.due AND delivery = x.id),
                (SELECT group_concat(size) FROM notice WHERE grp = x.id), x.due IS NULL
            FROM digest x WHERE x.id > ? ORDER BY x.id LIMIT 1000
            """)
        query.bind(1, cursor)
        var check = DigestCheck()
        var next: Int64?
        while try query.step() {
            next = query.int(0)
            check.add(
                query.int(0), size: query.int(1), deliveries: query.int(2), isWhole: query.int(3) != 0,
                said: query.optionalText(5), isOver: query.int(6) != 0)
            if query.int(4) != 0 {
                check.residue.append("digest \(query.int(0)): it is open, and nothing will wake it")
            }
        }
        return (check.residue, next)
    }

    /// Removes digests that are over and whose groups are gone.
    func retireDigests(atMost limit: Int64) throws(SQLiteFailure) {
        try database.execute(
            """
            DELETE FROM digest WHERE id IN (SELECT id FROM digest ORDER BY id LIMIT \(limit)) AND due IS NULL
                AND NOT EXISTS (SELECT 1 FROM grp WHERE grp.id = digest.id);
            """)
    }
}

extension Tariff {
    /// As `toll`, for who is in the middle of a transaction.
    func toll(of candidate: Candidate, for doing: String) throws(SQLiteFailure) -> Toll? {
        do throws(LedgerError) { return try toll(of: candidate) } catch {
            throw SQLiteFailure(error.isTransient ? .busy : .other, doing: doing, cause: error.description)
        }
    }
}
