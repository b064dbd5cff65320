public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// Quotas. A scope is one row with the log of its sends; what is charged stands there as open from the claim on, and nothing
// beside it says which deliveries are charged: a settlement names the scopes of its claim, and for a dead session's open sends
// all scopes are looked through.

/// Charges what one claim takes; lives for its transaction.
final class Purse {
    private let ledger: SQLiteLedger
    private let tariff: any Tariff
    private let session: SessionID
    /// The lanes of which something may be charged.
    let lanes: Set<Int64>
    private let now: Timestamp
    private var book = QuotaBook()
    private(set) var turned: [Turned] = []

    init(
        _ ledger: SQLiteLedger, _ tariff: any Tariff, _ session: SessionID, lanes: Set<Int64>, now: Timestamp
    ) {
        (self.ledger, self.tariff, self.session) = (ledger, tariff, session)
        (self.lanes, self.now) = (lanes, now)
    }

    /// Charges a delivery that is due; one that is not leased goes its own way and `nil` is returned.
    func charge(_ candidate: Due) throws(SQLiteFailure) -> Claimed? {
        var claimed = candidate.claimed
        guard claimed.expires > now, let toll = try toll(of: claimed) else { return claimed }
        try ledger.read(toll, into: &book)
        let send = SendLog.Open(delivery: claimed.delivery, epoch: claimed.epoch, session: session)
        let fate = try book.charge(
            toll, send, expires: claimed.expires, label: claimed.candidate.label, now: now
        ) { (target: String) throws(SQLiteFailure) in
            try ledger.isTold(target, beside: claimed.delivery, ofRule: toll.isPerRule)
        }
        switch fate {
        case .leased(let via, let scopes):
            claimed.scopes = scopes
            if let via, via != claimed.via {
                claimed.via = via
                try ledger.send(claimed.delivery, via: via)
                turned.append(Turned(workspace: claimed.workspace, target: claimed.target, .rerouted))
            }
            return claimed
        case .deferred(let until):
            try ledger.postpone(candidate, until: until.milliseconds)
            if candidate.reason != QuotaReason.quota { try tell(toll, claimed, .deferred) }
        case .withheld(let reason):
            try ledger.withhold(candidate, reason: reason, now.milliseconds)
            if reason == QuotaReason.quota {
                try tell(toll, claimed, .withheld)
            } else {
                turned.append(Turned(workspace: claimed.workspace, target: claimed.target, .withheld))
            }
        case .digested:
            try digest(candidate, toll)
        }
        return nil
    }

    /// Withholds a delivery that a digest tells.
    private func digest(_ due: Due, _ toll: Toll) throws(SQLiteFailure) {
        guard case .digested(let terms) = toll.last else { return }
        let claimed = due.claimed
        try ledger.withhold(due, reason: QuotaReason.digest, now.milliseconds)
        var open = try ledger.openDigest(of: claimed.delivery)
        if open == nil {
            let turn = book.turn(of: toll, label: claimed.candidate.label, now: now)
            open = try ledger.openDigest(with: claimed, terms, due: turn, now.milliseconds)
        }
        if let open { try ledger.fold(claimed.delivery, into: open, terms) }
        turned.append(Turned(workspace: claimed.workspace, target: claimed.target, .digested))
    }

    /// Writes the scopes back.
    func close() throws(SQLiteFailure) {
        try ledger.write(book)
        try ledger.pass(.inClaim)
    }

    private func tell(_ toll: Toll, _ claimed: Claimed, _ fate: Turned.Fate) throws(SQLiteFailure) {
        turned.append(Turned(workspace: claimed.workspace, target: claimed.target, fate))
        guard let target = toll.notice else { return }
        try ledger.noteWithheld(
            QuotaNotice(
                toll, of: claimed.workspace, spent: claimed.target, at: now.milliseconds, to: target))
    }

    private func toll(of claimed: Claimed) throws(SQLiteFailure) -> Toll? {
        guard let toll = try tariff.toll(of: claimed.candidate, for: "charge a delivery") else { return nil }
        guard case .digested = toll.last else { return toll }
        if claimed.group != nil { return toll.waiting }
        return try ledger.isDigested(claimed.delivery) ? toll.waiting : toll
    }
}

/// A delivery that is due, as a claim finds it.
struct Due {
    let at: Int64
    var claimed: Claimed
    /// Why it waited.
    let reason: String
}

extension SQLiteLedger {
    /// Brings the scopes of a toll that a book has not.
    func read(_ toll: Toll, into book: inout QuotaBook) throws(SQLiteFailure) {
        for route in toll.routes {
            for charge in route.charges where !book.has(charge.scope) {
                if let page = try quotaPage(charge.scope) { book.add(page) }
            }
        }
    }

    /// A scope as its row has it; `nil` when it was never charged.
    func quotaPage(_ scope: String) throws(SQLiteFailure) -> QuotaBook.Page? {
        let query = try database.fixed("SELECT log, label FROM quota WHERE scope = ?")
        query.bind(1, scope)
        defer { query.reset() }
        guard try query.step() else { return nil }
        return QuotaBook.Page(scope, log: try Self.log(query.blob(0), of: scope), label: query.text(1))
    }

    private static func log(_ bytes: [UInt8], of scope: String) throws(SQLiteFailure) -> SendLog {
        guard let log = SendLog(bytes: bytes.span) else {
            throw SQLiteFailure(.corrupt, doing: "read the quota of \(scope)", cause: "its log is none of ours")
        }
        return log
    }

    /// Writes the scopes that changed.
    func write(_ book: QuotaBook) throws(SQLiteFailure) {
        for page in book.changes {
            let write =
                try page.isKnown
                ? database.fixed("UPDATE quota SET log = ?2, open = ?3, ends = ?4, label = ?5 WHERE scope = ?1")
                : database.fixed("INSERT INTO quota (scope, log, open, ends, label) VALUES (?1, ?2, ?3, ?4, ?5)")
            write.bind(1, page.scope)
            write.bind(2, blob: page.log.bytes.span)
            write.bind(3, Int64(page.log.open.count))
            write.bind(4, page.log.ends.milliseconds)
            write.bind(5, page.label)
            try write.run()
        }
    }

    /// Ends the sends of claims in the scopes that they were charged to.
    func settleQuotas(_ settlements: [Settlement], _ now: Timestamp) throws(SQLiteFailure) {
        var book = QuotaBook()
        for settlement in settlements where !settlement.scopes.isEmpty {
            for scope in settlement.scopes where !book.has(scope) {
                if let page = try quotaPage(scope) { book.add(page) }
            }
            book.settle(
                settlement.scopes, settlement.delivery, epoch: settlement.epoch, counts: settlement.isSpent, now: now)
        }
        try write(book)
    }

    /// Ends what a session left open: all of it may have arrived until now.
    func endQuotas(of session: SessionID, _ now: Timestamp) throws(SQLiteFailure) {
        var book = QuotaBook()
        for page in try openQuotas() { book.add(page) }
        book.end(session, counts: true, now: now)
        try write(book)
    }

    /// The scopes that have open sends.
    private func openQuotas() throws(SQLiteFailure) -> [QuotaBook.Page] {
        let query = try database.fixed("SELECT scope, log, label FROM quota WHERE open > 0 ORDER BY scope")
        var found: [QuotaBook.Page] = []
        while try query.step() {
            let log = try Self.log(query.blob(1), of: query.text(0))
            found.append(QuotaBook.Page(query.text(0), log: log, label: query.text(2)))
        }
        return found
    }

    /// Open sends whose session is no more: nothing would ever settle them.
    func orphanedSends() throws(SQLiteFailure) -> Int64 {
        let query = try database.prepare("SELECT id FROM session")
        var sessions: Set<SessionID> = []
        while try query.step() { sessions.insert(query.int(0)) }
        var count: Int64 = 0
        for page in try openQuotas() {
            count += Int64(page.log.open.count { !sessions.contains($0.session) })
        }
        return count
    }

    /// Whether the event of a delivery is told on a target already; its deliveries have numbers without a gap.
    func isTold(_ target: String, beside delivery: DeliveryID, ofRule isPerRule: Bool) throws(SQLiteFailure) -> Bool {
        let query = try database.fixed(
            """
            WITH RECURSIVE me AS (SELECT id, event, rule, lane FROM delivery WHERE id = ?1),
                down(id) AS (SELECT id FROM me UNION ALL SELECT d.id FROM down JOIN delivery d ON d.id = down.id - 1
                    WHERE d.event = (SELECT event FROM me)),
                up(id) AS (SELECT id FROM me UNION ALL SELECT d.id FROM up JOIN delivery d ON d.id = up.id + 1
                    WHERE d.event = (SELECT event FROM me))
            SELECT 1 FROM (SELECT id FROM down UNION SELECT id FROM up) n JOIN delivery d ON d.id = n.id
                JOIN lane l ON l.id = d.lane
            WHERE d.id <> ?1 AND d.state < 3 AND ifnull(d.via, l.target) = ?2
                AND l.workspace = (SELECT workspace FROM lane WHERE id = (SELECT lane FROM me))
                AND (?3 = 0 OR d.rule = (SELECT rule FROM me)) LIMIT 1
            """)
        query.bind(1, delivery)
        query.bind(2, target)
        query.bind(3, Int64(isPerRule ? 1 : 0))
        defer { query.reset() }
        return try query.step()
    }

    func send(_ delivery: DeliveryID, via target: String) throws(SQLiteFailure) {
        let update = try database.fixed("UPDATE delivery SET via = ?2 WHERE id = ?1")
        update.bind(1, delivery)
        update.bind(2, target)
        try update.run()
    }

    /// A due delivery waits for quota; nothing pulls it forward but a person's hand.
    func postpone(_ due: Due, until: Int64) throws(SQLiteFailure) {
        let (delivery, lane) = (due.claimed.delivery, due.claimed.lane)
        try dequeue(delivery, lane: lane, at: due.at)
        try enqueue(delivery, lane: lane, at: until)
        let update = try database.fixed(
            "UPDATE delivery SET due = ?2, not_before = ?2, reason = 'quota' WHERE id = ?1")
        update.bind(1, delivery)
        update.bind(2, until)
        try update.run()
    }

    func withhold(_ due: Due, reason: String, _ now: Int64) throws(SQLiteFailure) {
        let (delivery, lane) = (due.claimed.delivery, due.claimed.lane)
        try close(delivery, as: .withheld, lane: lane, due: due.at, reason: reason, now)
        try freeNext(after: delivery, now)
        try moved(.pending, .withheld, 1)
    }

    /// Counts one more that a contact did not get; the first of a window begins a notice.
    func noteWithheld(_ notice: QuotaNotice) throws(SQLiteFailure) {
        let count = try database.fixed(
            """
            UPDATE quota_notice SET count = count + ?5
            WHERE workspace = ?1 AND target = ?2 AND spent = ?3 AND until > ?4 AND since <= ?4
            """)
        let insert = try database.fixed(
            """
            INSERT INTO quota_notice (workspace, target, spent, since, count, until, message_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            """)
        for write in [count, insert] {
            write.bind(1, notice.workspace)
            write.bind(2, notice.target)
            write.bind(3, notice.spent)
            write.bind(4, notice.since)
            write.bind(5, notice.count)
        }
        insert.bind(6, notice.until)
        insert.bind(7, notice.messageAt)
        try count.run()
        if database.changes == 0 { try insert.run() }
    }
}

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func quotas() throws(LedgerError) -> [QuotaRow] {
        try attempting("list quotas") { () throws(SQLiteFailure) in
            let query = try database.statement(
                "SELECT scope, label, log, reset_at, reset_by FROM quota ORDER BY scope")
            var rows: [QuotaRow] = []
            while try query.step() {
                rows.append(
                    QuotaRow(
                        scope: query.text(0), label: query.text(1),
                        log: try Self.log(query.blob(2), of: query.text(0)), resetAt: query.optionalInt(3),
                        resetBy: query.optionalText(4)))
            }
            return rows
        }
    }

    public func quotaNotices(of workspace: String?, limit: Int) throws(LedgerError) -> [QuotaNotice] {
        try attempting("list notices of quotas") { () throws(SQLiteFailure) in
            let query = try database.statement(
                """
                SELECT workspace, target, spent, since, until, count, message_at FROM quota_notice
                WHERE ?1 IS NULL OR workspace = ?1 ORDER BY since DESC, target, spent LIMIT ?2
                """)
            query.bind(1, workspace)
            query.bind(2, Int64(limit))
            return try notices(query)
        }
    }

    private func notices(_ query: Statement) throws(SQLiteFailure) -> [QuotaNotice] {
        var notices: [QuotaNotice] = []
        while try query.step() {
            notices.append(
                QuotaNotice(
                    workspace: query.text(0), target: query.text(1), spent: query.text(2), since: query.int(3),
                    until: query.int(4), count: query.int(5), messageAt: query.optionalInt(6)))
        }
        return notices
    }

    public func untoldNotices(limit: Int, now: Timestamp) throws(LedgerError) -> [QuotaNotice] {
        try attempting("look for notices of quotas") { () throws(SQLiteFailure) in
            let query = try database.statement(
                """
                SELECT workspace, target, spent, since, until, count, message_at FROM quota_notice
                WHERE message_at <= ? ORDER BY message_at LIMIT ?
                """)
            query.bind(1, now.milliseconds)
            query.bind(2, Int64(limit))
            return try notices(query)
        }
    }

    public func told(_ notices: [QuotaNotice]) throws(LedgerError) {
        try transaction(.process, "note what contacts were told") { () throws(SQLiteFailure) in
            let update = try database.statement(
                """
                UPDATE quota_notice SET message_at = NULL
                WHERE workspace = ? AND target = ? AND spent = ? AND since = ?
                """)
            for notice in notices {
                update.bind(1, notice.workspace)
                update.bind(2, notice.target)
                update.bind(3, notice.spent)
                update.bind(4, notice.since)
                try update.run()
            }
        }
    }

    public func resetQuotas(
        _ scopes: Set<String>?, waking: Set<LaneName>?, by author: String, now: Timestamp
    ) throws(LedgerError) -> (scopes: Int, woken: Int) {
        try transaction(.machine, "reset quotas") { () throws(SQLiteFailure) in
            let all = try database.prepare("SELECT scope, log, label FROM quota ORDER BY scope")
            var chosen: [(scope: String, log: SendLog)] = []
            while try all.step() {
                guard scopes?.contains(all.text(0)) ?? true else { continue }
                chosen.append((all.text(0), try Self.log(all.blob(1), of: all.text(0)).cleared))
            }
            for (scope, log) in chosen {
                let update = try database.statement(
                    "UPDATE quota SET log = ?2, reset_at = ?3, reset_by = ?4 WHERE scope = ?1")
                update.bind(1, scope)
                update.bind(2, blob: log.bytes.span)
                update.bind(3, now.milliseconds)
                update.bind(4, author)
                try update.run()
            }
            return (chosen.count, try wake(waking, now.milliseconds))
        }
    }

    private func wake(_ lanes: Set<LaneName>?, _ now: Int64) throws(SQLiteFailure) -> Int {
        let waiting = try database.prepare(
            """
            SELECT d.id, d.lane, d.due, l.workspace, l.target FROM due JOIN delivery d ON d.id = due.delivery
            JOIN lane l ON l.id = due.lane WHERE d.reason = 'quota' AND due.at > ?
            """)
        waiting.bind(1, now)
        var woken: [(id: DeliveryID, lane: Int64, due: Int64)] = []
        while try waiting.step() {
            let lane = LaneName(workspace: waiting.text(3), target: waiting.text(4))
            if lanes?.contains(lane) ?? true { woken.append((waiting.int(0), waiting.int(1), waiting.int(2))) }
        }
        for one in woken { try reschedule(one.id, lane: one.lane, from: one.due, to: now) }
        return try woken.count + wakeDigests(lanes, now)
    }
}
