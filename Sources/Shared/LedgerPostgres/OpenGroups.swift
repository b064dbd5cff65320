import CarillonEvents
import CarillonLedger
import CarillonPostgres

/// The groups that one batch meets: each is written once a batch, however many of its events join it.
///
/// Nothing is read. All deliveries of a selection are in lanes that the batch holds, and so are all of its group's, so that
/// nobody else opens a group of these targets, adds to it or lets it speak meanwhile; what joins is added to what is there.
struct OpenGroups {
    /// An event that joins.
    struct Member {
        /// Its row and its identity.
        let event: Int64
        let key: Key
        /// The rule that selected it.
        let rule: Int64
        /// Whom it tells, and where they are told.
        let targets: [String]
        let lanes: [Int64]
    }
    private struct Joined {
        let opener: Member
        var newest: Decisions.Group
        var size: Int64 = 0
        var failed: Int64 = 0
        /// Kept out since one joined: then the group is open, whether it was there before or not.
        var suppressed: Int64 = 0
    }
    private var joined: [Key: Joined] = [:]
    private var members: [(event: Int64, group: Key)] = []
    /// Kept out before one joined: they count where the group was there before.
    private var keptOut: [Key: Int64] = [:]

    /// How many joined.
    var count: Int { members.count }

    /// Lets an event into its group, which it opens when there is none.
    mutating func join(_ group: Decisions.Group, _ member: Member) {
        let key = group.key.telling(member.targets)
        var one = joined[key] ?? Joined(opener: member, newest: group)
        one.size += 1
        if group.isFailure { one.failed += 1 }
        one.newest = group
        joined[key] = one
        members.append((member.event, key))
    }

    /// Counts an event that a dedup window keeps out, where a group is open that it would have joined.
    mutating func keepOut(_ group: Decisions.Group, _ targets: [String]) {
        let key = group.key.telling(targets)
        if joined[key] == nil { keptOut[key, default: 0] += 1 } else { joined[key]?.suppressed += 1 }
    }

    /// Writes who joined and what it makes of the groups.
    func writing(revision: Revision, now: Int64) -> [Command] {
        var commands: [Command] = []
        if !keptOut.isEmpty { commands.append(countKeptOut) }
        if !joined.isEmpty { commands.append(join(revision, now)) }
        return commands
    }

    private var countKeptOut: Command {
        let rows = keptOut.sorted { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }
        var values = Parameters()
        values.add(rows.map(\.key.halves))
        values.add(rows.map(\.value))
        return Command(
            """
            UPDATE grp g SET suppressed = suppressed + k.n FROM unnest($1::uuid[], $2::int8[]) AS k(key, n)
            WHERE g.key = k.key AND g.due IS NOT NULL
            """, values)
    }

    private func join(_ revision: Revision, _ now: Int64) -> Command {
        let rows = joined.sorted { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }
        let groups = rows.map(\.value)
        var values = Parameters()
        values.add(rows.map(\.key.halves))
        values.add(groups.map(\.opener.key.halves))
        values.add(groups.map(\.opener.rule))
        values.add(groups.map { $0.opener.lanes.map(String.init).joined(separator: ",") as String? })
        values.add(groups.map { $0.newest.name as String? })
        values.add(groups.map { $0.newest.isOrdered ? 1 as Int64 : 0 })
        values.add(groups.map { now + $0.newest.wait.milliseconds })
        values.add(groups.map(\.newest.every.milliseconds))
        values.add(groups.map(\.newest.life.milliseconds))
        values.add(groups.map(\.size))
        values.add(groups.map(\.failed))
        values.add(groups.map(\.suppressed))
        values.add(revision)
        values.add(now)
        values.add(members.map(\.event))
        values.add(members.map(\.group.halves))
        return Command(
            """
            WITH joined AS (
                INSERT INTO grp (key, opener, rule, lanes, name, ordered, due, every, life, size, failed, suppressed,
                    total, revision, opened, since)
                SELECT g.key, g.opener, g.rule, g.lanes, g.name, g.ordered::int4, g.due, g.every, g.life, g.size, g.failed,
                    g.suppressed, g.size, $13, $14, $14
                FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::text[], $5::text[], $6::int8[], $7::int8[], $8::int8[],
                    $9::int8[], $10::int8[], $11::int8[], $12::int8[]) AS g(key, opener, rule, lanes, name, ordered, due,
                    every, life, size, failed, suppressed)
                ON CONFLICT (key) WHERE due IS NOT NULL DO UPDATE SET size = grp.size + excluded.size,
                    failed = grp.failed + excluded.failed, suppressed = grp.suppressed + excluded.suppressed,
                    total = grp.total + excluded.size, every = excluded.every, life = excluded.life,
                    revision = excluded.revision,
                    since = CASE grp.size WHEN 0 THEN excluded.since ELSE grp.since END
                RETURNING id, key)
            INSERT INTO member (event, grp, at)
            SELECT m.event, j.id, $14 FROM unnest($15::int8[], $16::uuid[]) WITH ORDINALITY AS m(event, key, place)
            JOIN joined j ON j.key = m.key ORDER BY m.place
            """, values)
    }
}
