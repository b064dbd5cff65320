public import CarillonEvents
public import CarillonLedger
import CarillonSQLite
import FoundationEssentials

// Documents. Each change of them, as of secrets, is a new revision; a decision made against an older one is refused by
// `decide`, so an event published after `apply` returned meets the new rules.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func rules() throws(LedgerError) -> RuleSources {
        try attempting("read the rules") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let query = try database.statement(
                    """
                    SELECT workspace, revision, sources FROM ruleset r
                    WHERE revision = (SELECT max(revision) FROM ruleset WHERE workspace = r.workspace)
                    """)
                var sources = RuleSources(revision: try storedRevision(), workspaces: [:], changed: [:])
                while try query.step() {
                    let texts = Self.decode(query.text(2))
                    guard !texts.isEmpty else { continue }
                    sources.workspaces[query.text(0)] = texts
                    sources.changed[query.text(0)] = query.int(1)
                }
                return sources
            }
        }
    }

    public func rules(changedSince revision: Revision) throws(LedgerError) -> RuleSources {
        try attempting("read the rules changed since \(revision)") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let query = try database.statement(
                    """
                    SELECT workspace, revision, sources FROM ruleset
                    WHERE (workspace, revision) IN
                        (SELECT workspace, max(revision) FROM ruleset WHERE revision > ? GROUP BY workspace)
                    """)
                query.bind(1, revision)
                var sources = RuleSources(revision: try storedRevision(), workspaces: [:], changed: [:])
                while try query.step() {
                    sources.workspaces[query.text(0)] = Self.decode(query.text(2))
                    sources.changed[query.text(0)] = query.int(1)
                }
                return sources
            }
        }
    }

    public func rules(of workspace: String, at revision: Revision) throws(LedgerError) -> [SourceText] {
        try attempting("read the rules of \(workspace) at \(revision)") { () throws(SQLiteFailure) in
            let query = try database.statement(
                "SELECT sources FROM ruleset WHERE workspace = ? AND revision <= ? ORDER BY revision DESC LIMIT 1")
            query.bind(1, workspace)
            query.bind(2, revision)
            defer { query.reset() }
            return try query.step() ? Self.decode(query.text(0)) : []
        }
    }

    public func apply(
        _ changes: [RuleChange], base: Revision, keepPending: Bool, now: Timestamp
    ) throws(LedgerError) -> (revision: Revision, expired: Int)? {
        try transaction(.machine, "apply rules") { () throws(SQLiteFailure) -> (revision: Revision, expired: Int)? in
            guard try storedRevision() == base else { return nil }
            let revision = try nextRevision()
            var expired = 0
            for change in changes {
                try store(change, revision, now)
                guard !keepPending else { continue }
                expired += try expire(change, now: now.milliseconds)
                expired += try endGroups(change, now.milliseconds)
                expired += try endDigests(change, now.milliseconds)
            }
            return (revision, expired)
        }
    }

    func nextRevision() throws(SQLiteFailure) -> Revision {
        try database.execute("UPDATE meta SET value = value + 1 WHERE name = 'revision'")
        return try storedRevision()
    }

    private func store(_ change: RuleChange, _ revision: Revision, _ now: Timestamp) throws(SQLiteFailure) {
        guard let json = try? JSONEncoder().encode(change.sources) else {
            throw SQLiteFailure(.other, doing: "encode the rules of \(change.workspace)", cause: "not encodable")
        }
        let insert = try database.statement("INSERT INTO ruleset VALUES (?, ?, ?, ?)")
        insert.bind(1, change.workspace)
        insert.bind(2, revision)
        insert.bind(3, now.milliseconds)
        insert.bind(4, String(decoding: json, as: UTF8.self))
        try insert.run()
    }

    private static func decode(_ sources: String) -> [SourceText] {
        (try? JSONDecoder().decode([SourceText].self, from: Data(sources.utf8))) ?? []
    }

    /// Ends what waits for rules and targets that are no more.
    ///
    /// What is on its way right now ends as it ends, and expires if it comes back.
    private func expire(_ change: RuleChange, now: Int64) throws(SQLiteFailure) -> Int {
        let query = try database.prepare(
            """
            SELECT d.id, r.name, l.target, d.lane, d.due, d.state FROM delivery d
            JOIN rule r ON r.id = d.rule JOIN lane l ON l.id = d.lane WHERE d.state < 2 AND r.workspace = ?
            """)
        query.bind(1, change.workspace)
        var gone: [(id: DeliveryID, lane: Int64, due: Int64?)] = []
        var onTheirWay: [DeliveryID] = []
        while try query.step() {
            guard change.living[query.text(1)]?.contains(query.text(2)) != true else { continue }
            if query.int(5) == StateCode.leased {
                onTheirWay.append(query.int(0))
            } else {
                gone.append((query.int(0), query.int(3), query.optionalInt(4)))
            }
        }
        for delivery in onTheirWay {
            let update = try database.fixed("UPDATE delivery SET expires = ?2 WHERE id = ?1")
            update.bind(1, delivery)
            update.bind(2, Timestamp.removed.milliseconds)
            try update.run()
        }
        for delivery in gone {
            try close(delivery.id, as: .expired, lane: delivery.lane, due: delivery.due, reason: "rule_removed", now)
        }
        for delivery in gone { try freeNext(after: delivery.id, now) }
        try moved(.pending, .expired, gone.count)
        return gone.count
    }

    /// Ends a pending delivery.
    func close(
        _ delivery: DeliveryID, as state: DeliveryState, lane: Int64, due: Int64?, reason: String, _ now: Int64
    ) throws(SQLiteFailure) {
        if let due { try dequeue(delivery, lane: lane, at: due) }
        let update = try database.statement(
            "UPDATE delivery SET state = ?2, due = NULL, not_before = NULL, settled = ?3, reason = ?4 WHERE id = ?1")
        update.bind(1, delivery)
        update.bind(2, state.code)
        update.bind(3, now)
        update.bind(4, reason)
        try update.run()
        if try keepDelivered(delivery) { try moved(state, .delivered, 1) }
    }
}
