import CarillonEvents
import CarillonPlatform
import CarillonSQLite
import CarillonStream
import Synchronization

/// Reads the file as one member of a group.
final class SQLiteStreamReader: StreamReader {
    /// A batch ends here, so that large events do not fill the memory.
    private static let batchBytes = 4 << 20
    private static let memberNumber = Atomic<Int>(0)

    private let name: String
    private let partitionCount: Partition
    private let database: Database
    private let path: String
    private let group: String
    private let clock: any Clock
    private let watch: BellWatch
    private var membership: Membership
    private var lastLook: Duration?
    /// Where each partition of ours goes on; only those that were sought.
    private var next: [Partition: Offset] = [:]
    private var selects: [Partition: Statement] = [:]
    private var turn: Partition = 0
    private var hints: [Partition: Offset] = [:]
    private var lastHint: Duration = .zero

    init(_ stream: SQLiteStream, group: String) throws(StreamError) {
        (path, name, self.group, clock) = (stream.path, stream.name, group, stream.clock)
        let database = try stream.connect(.readWrite)
        self.database = database
        let count = try stream.attempting("open \(path)") { () throws(SQLiteFailure) in
            try SQLiteStream.tails(database).count
        }
        partitionCount = Partition(count)
        do {
            let number = Self.memberNumber.wrappingAdd(1, ordering: .relaxed).newValue
            membership = try Membership(
                folder: "\(path)-readers/\(Membership.folderName(of: group))", partitions: Partition(count),
                unique: number)
            _ = try FileBell(path: path + "-bell")
            watch = try BellWatch(files: [path + "-bell"], folders: [membership.folder])
        } catch {
            throw StreamError(.other, doing: error.doing, cause: error.cause)
        }
        try register(count)
    }

    /// Makes the group known to retention before its first read.
    private func register(_ partitions: Int) throws(StreamError) {
        try SQLiteStream.attempting("join group \(group) of \(path)") { () throws(SQLiteFailure) in
            let known = try database.statement(#"SELECT count(*) FROM reader WHERE "group" = ?"#)
            known.bind(1, group)
            defer { known.reset() }
            guard try known.step(), known.int(0) < Int64(partitions) else { return }
            known.reset()
            try database.write { () throws(SQLiteFailure) in
                for id in 0..<partitions {
                    let join = try database.statement(#"INSERT OR IGNORE INTO reader VALUES (?, ?, 0)"#)
                    join.bind(1, group)
                    join.bind(2, Int64(id))
                    try join.run()
                }
            }
        }
    }

    var doorbell: any Doorbell { OwnBell(watch: watch) }

    func poll(wait: Duration, limit: Int) throws(StreamError) -> Polled {
        let deadline = clock.uptime() + wait
        var rung = BellWatch.Rung()
        while true {
            if let change = try look(force: rung.folder) { return change }
            if limit > 0, let records = try read(limit) { return .records(records) }
            if rung.isAny { return .nothing }
            let left = min(deadline - clock.uptime(), .seconds(1))
            guard left > .zero else { return .nothing }
            rung = watch.wait(milliseconds: max(1, left.milliseconds))
        }
    }

    func seek(_ partition: Partition, to offset: Offset?) throws(StreamError) {
        guard membership.mine.contains(partition) else { return }
        let (low, end) = try SQLiteStream.attempting("seek in \(path)") { () throws(SQLiteFailure) in
            let end = try database.int("SELECT next FROM partition WHERE id = \(partition)") ?? 0
            return (try database.int("SELECT min(offset) FROM record_\(partition)") ?? end, end)
        }
        if let offset, offset > end {
            // New events would get offsets that count as decided: losing them in silence is the one thing not to do.
            throw StreamError(
                .corrupt, doing: "seek to \(offset) in partition \(partition) of \(path)",
                cause: "it ends at \(end): an older copy was restored; bring the newer one back, or move this one away")
        }
        next[partition] = offset ?? low
    }

    func commit(_ partition: Partition, next: Offset) throws(StreamError) {
        hints[partition] = next
        if clock.uptime() - lastHint > .seconds(1) { try writeHints() }
    }

    private func writeHints() throws(StreamError) {
        guard !hints.isEmpty else { return }
        lastHint = clock.uptime()
        try SQLiteStream.attempting("note progress in \(path)") { () throws(SQLiteFailure) in
            try database.write(.process) { () throws(SQLiteFailure) in
                let note = try database.statement(
                    #"UPDATE reader SET next = max(next, ?3) WHERE "group" = ?1 AND partition = ?2"#)
                for (partition, next) in hints {
                    note.bind(1, group)
                    note.bind(2, Int64(partition))
                    note.bind(3, next)
                    try note.run()
                }
            }
        }
        hints = [:]
    }

    func partitions() -> [Partition] { Array(0..<partitionCount) }

    func place(of partition: Partition) -> Place { Place(stream: name, partition: partition) }

    func lag() throws(StreamError) -> Int64 {
        try tails().reduce(0) { sum, tail in sum + (next[tail.0].map { max(0, tail.1 - $0) } ?? 0) }
    }

    func isDrained(positions: [Partition: Offset]) throws(StreamError) -> Bool {
        try tails().allSatisfy { partition, next in (positions[partition] ?? 0) >= next }
    }

    func close() {
        try? writeHints()
        membership.leave()
        next = [:]
    }

    private func tails() throws(StreamError) -> [(Partition, Offset)] {
        try SQLiteStream.attempting("read \(path)") { () throws(SQLiteFailure) in try SQLiteStream.tails(database) }
    }

    /// Looks who else is there: once a second, and when something rang, which a member's death does.
    private func look(force: Bool) throws(StreamError) -> Polled? {
        let now = clock.uptime()
        if !force, let lastLook, now - lastLook < .seconds(1) { return nil }
        lastLook = now
        if clock.uptime() - lastHint > .seconds(1) { try writeHints() }
        let change: (gained: [Partition], lost: [Partition])
        do { change = try membership.balance() } catch {
            throw StreamError(.other, doing: error.doing, cause: error.cause)
        }
        if !change.lost.isEmpty {
            for partition in change.lost { next[partition] = nil }
            self.lastLook = nil  // what was gained at the same time is told at the next poll
            gainedBefore += change.gained
            return .revoked(change.lost)
        }
        let gained = gainedBefore + change.gained
        gainedBefore = []
        return gained.isEmpty ? nil : .assigned(gained)
    }
    private var gainedBefore: [Partition] = []

    /// The next batch, taking turns among the partitions that have one.
    private func read(_ limit: Int) throws(StreamError) -> RecordBatch? {
        guard !next.isEmpty else { return nil }
        return try SQLiteStream.attempting("read \(path)") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in try readInTurn(limit) }
        }
    }

    private func readInTurn(_ limit: Int) throws(SQLiteFailure) -> RecordBatch? {
        let tails = try SQLiteStream.tails(database)
        for step in 1...tails.count {
            let (partition, end) = tails[(Int(turn) + step) % tails.count]
            guard let from = next[partition], from < end else { continue }
            turn = partition
            var batch = try read(partition, from: from, limit)
            if batch.records.isEmpty { batch.emptied = end }
            next[partition] = batch.next
            return batch
        }
        return nil
    }

    private func read(_ partition: Partition, from: Offset, _ limit: Int) throws(SQLiteFailure) -> RecordBatch {
        let select = try self.select(partition)
        select.bind(1, from)
        select.bind(2, Int64(limit))
        defer { select.reset() }
        var records = RecordBatch(partition: partition, expected: from)
        records.isChecked = true  // only `EncodedEvent`s are appended
        while records.bytes.count < Self.batchBytes, try select.step() {
            records.add(
                offset: select.int(0), appended: Timestamp(milliseconds: select.int(1)),
                key: select, type: select, value: select)
        }
        return records
    }

    private func select(_ partition: Partition) throws(SQLiteFailure) -> Statement {
        if let known = selects[partition] { return known }
        let made = try database.prepare(
            """
            SELECT offset, appended, workspace, type, event FROM record_\(partition)
            WHERE offset >= ? ORDER BY offset LIMIT ?
            """)
        selects[partition] = made
        return made
    }
}

/// The reader's own end of its watch.
private struct OwnBell: Doorbell {
    let watch: BellWatch
    func ring() { watch.ring() }
}

extension RecordBatch {
    /// Copies the row's columns 2, 3 and 4 straight from SQLite's page.
    mutating func add(
        offset: Offset, appended: Timestamp, key: Statement, type: Statement, value: Statement
    ) {
        let key = append(key, 2)
        let type = append(type, 3)
        let value = append(value, 4)
        records.append(Record(offset: offset, appended: appended, key: key, type: type, value: value))
    }

    private mutating func append(_ row: Statement, _ column: Int32) -> Slice {
        let start = bytes.count
        unsafe row.withBytes(column) { unsafe bytes.append(contentsOf: $0) }
        return Slice(start, bytes.count)
    }
}
