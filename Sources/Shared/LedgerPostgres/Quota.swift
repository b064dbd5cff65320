public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// Quotas. A scope is one row with the log of its sends, locked by who charges and who settles, in the order of the scopes'
// names: after lanes, before deliveries.

extension PostgresLedger {
    /// Locks scopes for this transaction and brings them as they stand; one that is not there, or is removed while we wait
    /// for it, is not brought.
    func lockQuotas(
        _ scopes: Set<String>, _ connection: Connection
    ) throws(PostgresFailure) -> [QuotaBook.Page] {
        guard !scopes.isEmpty else { return [] }
        return try Self.pages(connection.run([Self.lockQuotas(scopes)])[0])
    }

    /// Makes the scopes that were never charged, and locks those that are free and those that are worth waiting for.
    ///
    /// - Parameter late: the scopes that are waited for; of the others, those that another holds are not brought.
    func chargeableQuotas(
        _ scopes: Set<String>, waitingFor late: Set<String>, _ connection: Connection
    ) throws(PostgresFailure) -> [QuotaBook.Page] {
        guard !scopes.isEmpty else { return [] }
        var values = Parameters()
        values.add(scopes.sorted().map { $0 as String? })
        let make = Command(
            """
            INSERT INTO quota (scope, log, open, ends, label)
            SELECT s.scope, '', 0, 0, '' FROM unnest($1::text[]) AS s(scope)
            WHERE NOT EXISTS (SELECT 1 FROM quota q WHERE q.scope = s.scope) ORDER BY s.scope COLLATE "C"
            ON CONFLICT DO NOTHING
            """, values)
        let rows = try connection.run([
            make, Self.lockQuotas(late), Self.lockQuotas(scopes.subtracting(late), orElse: "SKIP LOCKED"),
        ])
        return try Self.pages(rows[1]) + Self.pages(rows[2])
    }

    private static func pages(_ rows: Rows) throws(PostgresFailure) -> [QuotaBook.Page] {
        var pages: [QuotaBook.Page] = []
        for row in rows.indices {
            let scope = rows.text(row, 0)
            pages.append(QuotaBook.Page(scope, log: try log(rows.blob(row, 1), of: scope), label: rows.text(row, 2)))
        }
        return pages
    }

    private static func log(_ bytes: [UInt8], of scope: String) throws(PostgresFailure) -> SendLog {
        guard !bytes.isEmpty else { return SendLog() }
        guard let log = SendLog(bytes: bytes.span) else {
            throw PostgresFailure(.corrupt, cause: "the log of the quota of \(scope) is none of ours")
        }
        return log
    }

    /// - Parameter held: what to do about those that another holds; nothing to wait for them.
    static func lockQuotas(_ scopes: Set<String>, orElse held: String = "") -> Command {
        var values = Parameters()
        values.add(scopes.sorted().map { $0 as String? })
        return Command(
            "SELECT scope, log, label FROM quota WHERE scope = ANY($1) ORDER BY scope FOR NO KEY UPDATE \(held)", values
        )
    }

    /// Ends the sends of claims in the scopes that they were charged to; returns what to write.
    ///
    /// - Parameter rows: what `lockQuotas` found.
    func settledQuotas(_ settlements: [Settlement], _ rows: Rows) throws(PostgresFailure) -> [Command] {
        var book = QuotaBook()
        for page in try Self.pages(rows) { book.add(page) }
        for settlement in settlements where !settlement.scopes.isEmpty {
            book.settle(
                settlement.scopes, settlement.delivery, epoch: settlement.epoch, counts: settlement.isSpent,
                now: Timestamp(milliseconds: moment))
        }
        return book.writing
    }

    /// Ends what a session left open: all of it may have arrived until now.
    ///
    /// - Parameter kept: the claims that go on, by delivery.
    func endQuotas(
        of session: SessionID, but kept: [DeliveryID: Int64] = [:], _ connection: Connection
    ) throws(PostgresFailure) {
        let open = try connection.run("SELECT scope, log, label FROM quota WHERE open > 0")
        let scopes = try Self.pages(open).filter { $0.log.open.contains { $0.session == session } }.map(\.scope)
        guard !scopes.isEmpty else { return }
        var book = QuotaBook()
        for page in try lockQuotas(Set(scopes), connection) { book.add(page) }
        book.end(
            session, where: { kept[$0.delivery] != $0.epoch }, counts: true, now: Timestamp(milliseconds: moment))
        if !book.writing.isEmpty { try connection.run(book.writing) }
    }

    /// Open sends whose session is no more: nothing would ever settle them.
    func orphanedSends(_ connection: Connection) throws(PostgresFailure) -> Int {
        let rows = try connection.run("SELECT scope, log, label FROM quota WHERE open > 0 ORDER BY scope")
        let sessions = try connection.run("SELECT id FROM session")
        let living = Set(sessions.indices.map { sessions.int($0, 0) })
        return try Self.pages(rows).reduce(0) { count, page in
            count + page.log.open.count { !living.contains($0.session) }
        }
    }
}

extension QuotaBook {
    /// Writes the scopes that changed.
    var writing: [Command] {
        let changes = changes
        guard !changes.isEmpty else { return [] }
        let logs = changes.map(\.log.bytes)
        var pieces: [Range<Int>] = []
        for log in logs {
            let start = pieces.last?.upperBound ?? 0
            pieces.append(start..<start + log.count)
        }
        var values = Parameters()
        values.add(changes.map { $0.scope as String? })
        values.add(pieces: pieces, of: Array(logs.joined()))
        values.add(changes.map { Int64($0.log.open.count) })
        values.add(changes.map(\.log.ends.milliseconds))
        values.add(changes.map { $0.label as String? })
        return [
            Command(
                """
                UPDATE quota q SET log = c.log, open = c.open::int4, ends = c.ends, label = c.label
                FROM unnest($1::text[], $2::bytea[], $3::int8[], $4::int8[], $5::text[]) AS c(scope, log, open, ends, label)
                WHERE q.scope = c.scope
                """, values)
        ]
    }
}

extension QuotaNotice {
    /// Counts more that a contact did not get; the first of a window begins a notice.
    ///
    /// Who writes it holds a scope of the target, so that two are not begun.
    var counting: [Command] {
        var values = Parameters()
        values.add(workspace)
        values.add(target)
        values.add(spent)
        for number in [since, until, count] { values.add(number) }
        values.add(messageAt)
        return [
            Command(
                """
                WITH counted AS (
                    UPDATE quota_notice SET count = count + $6
                    WHERE workspace = $1 AND target = $2 AND spent = $3 AND until > $4 AND since <= $4 RETURNING 1)
                INSERT INTO quota_notice (workspace, target, spent, since, until, count, message_at)
                SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT 1 FROM counted)
                ON CONFLICT (workspace, target, spent, since) DO UPDATE SET count = quota_notice.count + excluded.count
                """, values)
        ]
    }
}

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    public func quotas() throws(LedgerError) -> [QuotaRow] {
        try attempting("list quotas") { () throws(PostgresFailure) in
            let rows = try connection().run("SELECT scope, label, log, reset_at, reset_by FROM quota ORDER BY scope")
            var quotas: [QuotaRow] = []
            for row in rows.indices {
                quotas.append(
                    QuotaRow(
                        scope: rows.text(row, 0), label: rows.text(row, 1),
                        log: try Self.log(rows.blob(row, 2), of: rows.text(row, 0)), resetAt: rows.optionalInt(row, 3),
                        resetBy: rows.optionalText(row, 4)))
            }
            return quotas
        }
    }

    public func quotaNotices(of workspace: String?, limit: Int) throws(LedgerError) -> [QuotaNotice] {
        try attempting("list notices of quotas") { () throws(PostgresFailure) in
            var values = Parameters()
            values.add(workspace)
            values.add(Int64(limit))
            let rows = try connection().run(
                """
                SELECT workspace, target, spent, since, until, count, message_at FROM quota_notice
                WHERE $1::text IS NULL OR workspace = $1 ORDER BY since DESC, target, spent LIMIT $2
                """, values)
            return Self.notices(rows)
        }
    }

    private static func notices(_ rows: Rows) -> [QuotaNotice] {
        rows.indices.map { row in
            QuotaNotice(
                workspace: rows.text(row, 0), target: rows.text(row, 1), spent: rows.text(row, 2),
                since: rows.int(row, 3), until: rows.int(row, 4), count: rows.int(row, 5),
                messageAt: rows.optionalInt(row, 6))
        }
    }

    public func untoldNotices(limit: Int, now: Timestamp) throws(LedgerError) -> [QuotaNotice] {
        try attempting("look for notices of quotas") { () throws(PostgresFailure) in
            var values = Parameters(now.milliseconds)
            values.add(Int64(limit))
            let rows = try connection().run(
                """
                SELECT workspace, target, spent, since, until, count, message_at FROM quota_notice
                WHERE message_at <= $1 ORDER BY message_at LIMIT $2
                """, values)
            return Self.notices(rows)
        }
    }

    public func told(_ notices: [QuotaNotice]) throws(LedgerError) {
        try attempting("note what contacts were told") { () throws(PostgresFailure) in
            var values = Parameters()
            values.add(notices.map { $0.workspace as String? })
            values.add(notices.map { $0.target as String? })
            values.add(notices.map { $0.spent as String? })
            values.add(notices.map(\.since))
            try connection().run(
                """
                UPDATE quota_notice q SET message_at = NULL
                FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[]) AS n(workspace, target, spent, since)
                WHERE (q.workspace, q.target, q.spent, q.since) = (n.workspace, n.target, n.spent, n.since)
                """, values)
        }
    }

    public func resetQuotas(
        _ scopes: Set<String>?, waking: Set<LaneName>?, by author: String, now: Timestamp
    ) throws(LedgerError) -> (scopes: Int, woken: Int) {
        moment = now.milliseconds
        return try transaction("reset quotas") { connection throws(PostgresFailure) in
            let found = try connection.run([.begin, Command("SELECT scope FROM quota")])[1]
            let all = Set(found.indices.map { found.text($0, 0) })
            let pages = try lockQuotas(scopes?.intersection(all) ?? all, connection)
            for page in pages {
                var values = Parameters()
                values.add(page.scope)
                values.add(blob: page.log.cleared.bytes)
                values.add(moment)
                values.add(author)
                try connection.run(
                    "UPDATE quota SET log = $2, reset_at = $3, reset_by = $4 WHERE scope = $1", values)
            }
            let woken = try wake(waking, connection)
            try connection.run([.commit])
            return (pages.count, woken)
        }
    }

    private func wake(_ lanes: Set<LaneName>?, _ connection: Connection) throws(PostgresFailure) -> Int {
        let found = try connection.run("SELECT id, workspace, target FROM lane ORDER BY id")
        let chosen = found.indices.filter { row in
            lanes?.contains(LaneName(workspace: found.text(row, 1), target: found.text(row, 2))) ?? true
        }
        var values = Parameters()
        values.add(chosen.map { found.int($0, 0) })
        values.add(moment)
        return try connection.run(
            """
            UPDATE delivery SET due = $2 WHERE id = ANY(ARRAY(
                SELECT id FROM delivery WHERE lane = ANY($1) AND due IS NOT NULL AND due > $2 AND reason = 'quota'
                ORDER BY id FOR NO KEY UPDATE SKIP LOCKED))
            """, values
        ).affected + wakeDigests(values, connection)
    }
}
