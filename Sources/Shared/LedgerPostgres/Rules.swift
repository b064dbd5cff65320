public import CarillonEvents
public import CarillonLedger
import CarillonPostgres
import FoundationEssentials

// Documents. Each change of them, as of secrets, is a new revision; a decision made against an older one is refused by
// `decide`, so an event published after `apply` returned meets the new rules.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    public func rules() throws(LedgerError) -> RuleSources {
        try sources(
            "read the rules",
            Command(
                """
                SELECT DISTINCT ON (workspace) workspace, revision, sources FROM ruleset
                ORDER BY workspace, revision DESC
                """), keepEmpty: false)
    }

    public func rules(changedSince revision: Revision) throws(LedgerError) -> RuleSources {
        try sources(
            "read the rules changed since \(revision)",
            Command(
                """
                SELECT DISTINCT ON (workspace) workspace, revision, sources FROM ruleset WHERE revision > $1
                ORDER BY workspace, revision DESC
                """, Parameters(revision)), keepEmpty: true)
    }

    private func sources(_ doing: String, _ query: Command, keepEmpty: Bool) throws(LedgerError) -> RuleSources {
        try transaction(doing) { connection throws(PostgresFailure) in
            let rows = try connection.run([.snapshot, Command(Self.revisionQuery), query, .commit])
            var sources = RuleSources(
                revision: rows[1].isEmpty ? 0 : rows[1].int(0, 0), workspaces: [:], changed: [:])
            for row in rows[2].indices {
                let texts = Self.decode(rows[2].text(row, 2))
                guard keepEmpty || !texts.isEmpty else { continue }
                sources.workspaces[rows[2].text(row, 0)] = texts
                sources.changed[rows[2].text(row, 0)] = rows[2].int(row, 1)
            }
            return sources
        }
    }

    public func rules(of workspace: String, at revision: Revision) throws(LedgerError) -> [SourceText] {
        try attempting("read the rules of \(workspace) at \(revision)") { () throws(PostgresFailure) in
            var values = Parameters()
            values.add(workspace)
            values.add(revision)
            let rows = try connection().run(
                "SELECT sources FROM ruleset WHERE workspace = $1 AND revision <= $2 ORDER BY revision DESC LIMIT 1",
                values)
            return rows.isEmpty ? [] : Self.decode(rows.text(0, 0))
        }
    }

    public func apply(
        _ changes: [RuleChange], base: Revision, keepPending: Bool, now: Timestamp
    ) throws(LedgerError) -> (revision: Revision, expired: Int)? {
        moment = now.milliseconds
        return try transaction("apply rules") {
            connection throws(PostgresFailure) -> (revision: Revision, expired: Int)? in
            guard try lockRules(connection) == base else { return nil }
            let revision = try nextRevision(connection)
            for change in changes { try store(change, revision, connection) }
            var ended: [Open] = []
            var groups: [EndingGroup] = []
            for change in keepPending ? [] : changes {
                ended += try gone(by: change, connection)
                groups += try self.groups(losing: change, connection)
            }
            if !groups.isEmpty { try connection.run([Order.lock(ended.map(\.lane) + groups.flatMap(\.lanes))]) }
            let expired = try expire(ended, connection) + end(groups, connection)
            try connection.run([.commit])
            return (revision, expired)
        }
    }

    /// Begins a transaction that changes the rules, once no decision is under way; returns their revision.
    func lockRules(_ connection: Connection) throws(PostgresFailure) -> Revision {
        let rows = try connection.run([
            .begin, Command(Gate.exclusive, Parameters(space, Gate.rules)), Command(Self.revisionQuery),
        ])[2]
        return rows.isEmpty ? 0 : rows.int(0, 0)
    }

    func nextRevision(_ connection: Connection) throws(PostgresFailure) -> Revision {
        // Told when this is committed, to those who listen.
        var channel = Parameters()
        channel.add(PostgresNews.channel(of: space))
        return try connection.run([
            Command("UPDATE meta SET value = value + 1 WHERE name = 'revision' RETURNING value"),
            Command("SELECT pg_notify($1, '')", channel),
        ])[0].int(0, 0)
    }

    private func store(_ change: RuleChange, _ revision: Revision, _ connection: Connection) throws(PostgresFailure) {
        guard let json = try? JSONEncoder().encode(change.sources) else {
            throw PostgresFailure(.other, cause: "the rules of \(change.workspace) are not encodable")
        }
        var values = Parameters()
        values.add(change.workspace)
        values.add(revision)
        values.add(moment)
        values.add(String(decoding: json, as: UTF8.self))
        try connection.run("INSERT INTO ruleset VALUES ($1, $2, $3, $4)", values)
    }

    private static func decode(_ sources: String) -> [SourceText] {
        (try? JSONDecoder().decode([SourceText].self, from: Data(sources.utf8))) ?? []
    }

    /// The open deliveries of rules and targets that a change leaves without.
    private func gone(by change: RuleChange, _ connection: Connection) throws(PostgresFailure) -> [Open] {
        var values = Parameters()
        values.add(change.workspace)
        let rows = try connection.run(
            """
            SELECT d.id, r.name, l.target, d.lane, d.pair FROM delivery d
            JOIN rule r ON r.id = d.rule JOIN lane l ON l.id = d.lane
            WHERE d.state < 2 AND r.workspace = $1
            """, values)
        return rows.indices.filter { change.living[rows.text($0, 1)]?.contains(rows.text($0, 2)) != true }.map {
            Open(id: rows.int($0, 0), lane: rows.int($0, 3), pair: rows.optionalInt($0, 4))
        }
    }

    /// Ends what waits for rules and targets that are no more.
    ///
    /// What is on its way right now ends as it ends, and expires if it comes back.
    private func expire(_ gone: [Open], _ connection: Connection) throws(PostgresFailure) -> Int {
        guard !gone.isEmpty else { return 0 }
        var values = Parameters()
        values.add(gone.map(\.id))
        values.add(Timestamp.removed.milliseconds)
        try connection.run([
            Order.lock(gone.map(\.lane)),
            Command(
                "SELECT id FROM delivery WHERE id = ANY($1) AND $2::int8 IS NOT NULL ORDER BY id FOR NO KEY UPDATE",
                values),
            Command("UPDATE delivery SET expires = $2 WHERE id = ANY($1) AND state = 1", values),
        ])
        return try close(gone, as: .expired, reason: "rule_removed", connection)
    }
}

/// An open delivery, as far as its order goes.
struct Open {
    let id: DeliveryID, lane: Int64
    let pair: Int64?
}

extension PostgresLedger {
    /// Ends those that are pending, and frees what stood behind them; their lanes and rows are locked.
    func close(
        _ open: [Open], as state: DeliveryState, reason: String, _ connection: Connection
    ) throws(PostgresFailure) -> Int {
        var values = Parameters()
        values.add(open.map(\.id))
        values.add(state.code)
        values.add(moment)
        values.add(reason)
        let closed = try connection.run(
            """
            UPDATE delivery SET state = $2::int4, due = NULL, not_before = NULL, settled = $3, reason = $4
            WHERE id = ANY($1) AND state = 0
            """, values
        ).affected
        try keepDelivered(open.map(\.id), connection)
        try connection.run(
            Order.arrange(open.compactMap(\.pair), moment)
                + tallies(["delivery.pending": -closed, "delivery.\(state.rawValue)": closed], connection))
        return closed
    }
}

extension Command {
    /// Begins a transaction that sees one moment of the ledger.
    static let snapshot = Command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
}
