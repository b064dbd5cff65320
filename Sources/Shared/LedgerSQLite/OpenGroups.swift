import CarillonEvents
import CarillonLedger
import CarillonSQLite

/// The groups that one batch meets; lives for one transaction.
///
/// Each group is read once and written once a batch, however many of its events join it.
final class OpenGroups {
    /// An event that joins.
    struct Member {
        /// Its row and its identity.
        let event: Int64
        let key: Key
        /// The rule that selected it, and the workspace of its targets.
        let rule: Int64
        let workspace: String
        /// Whom it tells.
        let targets: [String]
    }
    private struct Open {
        let id: Int64
        var size, failed, suppressed, since: Int64
        var newest: Decisions.Group
        /// What joined in this batch.
        var joined: Int64 = 0
    }
    private let ledger: SQLiteLedger
    private let revision: Revision
    private let now: Int64
    /// By key and targets; `nil` when no such group is open.
    private var known: [Key: Open?] = [:]

    init(_ ledger: SQLiteLedger, revision: Revision, now: Int64) {
        (self.ledger, self.revision, self.now) = (ledger, revision, now)
    }

    /// Lets an event into its group, which it opens when there is none.
    func join(_ group: Decisions.Group, _ member: Member) throws(SQLiteFailure) {
        let key = group.key.telling(member.targets)
        var open: Open
        if let found = try find(key, group) { open = found } else { open = try self.open(key, group, member) }
        let insert = try ledger.database.fixed("INSERT INTO member (event, grp, at) VALUES (?, ?, ?)")
        insert.bind(1, member.event)
        insert.bind(2, open.id)
        insert.bind(3, now)
        try insert.run()
        if open.size == 0 { open.since = now }
        open.size += 1
        open.joined += 1
        if group.isFailure { open.failed += 1 }
        open.newest = group
        known[key] = .some(open)
    }

    /// Counts an event that a dedup window keeps out, where a group is open that it would have joined.
    func keepOut(_ group: Decisions.Group, _ targets: [String]) throws(SQLiteFailure) {
        let key = group.key.telling(targets)
        guard var open = try find(key, group) else { return }
        open.suppressed += 1
        known[key] = .some(open)
    }

    private func find(_ key: Key, _ group: Decisions.Group) throws(SQLiteFailure) -> Open? {
        if let found = known[key] { return found }
        let query = try ledger.database.fixed(
            "SELECT id, size, failed, suppressed, since FROM grp WHERE key = ? AND due IS NOT NULL")
        query.bind(1, high: key.high, low: key.low)
        defer { query.reset() }
        var open: Open?
        if try query.step() {
            open = Open(
                id: query.int(0), size: query.int(1), failed: query.int(2), suppressed: query.int(3),
                since: query.int(4), newest: group)
        }
        known[key] = .some(open)
        return open
    }

    private func open(_ key: Key, _ group: Decisions.Group, _ member: Member) throws(SQLiteFailure) -> Open {
        var lanes: [String] = []
        for target in member.targets {
            lanes.append(String(try ledger.names.lane(member.workspace, target, in: ledger.database)))
        }
        let due = now + group.wait.milliseconds
        let insert = try ledger.database.fixed(
            """
            INSERT INTO grp (key, opener, rule, lanes, name, ordered, opened, due, every, life, revision, since)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?7)
            """)
        insert.bind(1, high: key.high, low: key.low)
        insert.bind(2, high: member.key.high, low: member.key.low)
        insert.bind(3, member.rule)
        insert.bind(4, lanes.joined(separator: ","))
        insert.bind(5, group.name)
        insert.bind(6, group.isOrdered ? 1 : 0)
        insert.bind(7, now)
        insert.bind(8, due)
        insert.bind(9, group.every.milliseconds)
        insert.bind(10, group.life.milliseconds)
        insert.bind(11, revision)
        try insert.run()
        let id = ledger.database.lastInserted
        try ledger.enqueue(id, lane: SQLiteLedger.groupLane, at: due)
        return Open(id: id, size: 0, failed: 0, suppressed: 0, since: now, newest: group)
    }

    /// Writes the counts down.
    func close() throws(SQLiteFailure) {
        let update = try ledger.database.fixed(
            """
            UPDATE grp SET size = ?2, failed = ?3, suppressed = ?4, since = ?5, total = total + ?6, every = ?7, life = ?8,
                revision = ?9 WHERE id = ?1
            """)
        for open in known.values.compactMap(\.self) {
            update.bind(1, open.id)
            update.bind(2, open.size)
            update.bind(3, open.failed)
            update.bind(4, open.suppressed)
            update.bind(5, open.since)
            update.bind(6, open.joined)
            update.bind(7, open.newest.every.milliseconds)
            update.bind(8, open.newest.life.milliseconds)
            update.bind(9, revision)
            try update.run()
        }
    }
}
