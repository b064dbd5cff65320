import CarillonEvents
import CarillonStream

// What the in-memory stream knows, as a value: no lock, no clock, no waiting. `MemoryStream` is the shell around it.
//
// A group's partitions are dealt out to its members by number. A partition changes hands in two steps: its owner is
// told (`revoked`), and only then does the next owner get it (`assigned`), so a group never has two readers of one
// partition by accident. `presumeDead` skips the first step on purpose: it makes the zombie that the ledger has to fence.

/// The state of an in-memory stream.
struct MemoryLog: Sendable {
    struct Stored: Sendable {
        let offset: Offset
        let appended: Timestamp
        let event: EncodedEvent
    }

    /// A partition: what is kept of it and where it goes on.
    struct Shelf: Sendable {
        var records: [Stored] = []
        var end: Offset = 0
        /// The newest append; the next one is never before it, so that time and offset are one order.
        var appended = Timestamp(milliseconds: .min)
        var earliest: Offset { records.first?.offset ?? end }

        /// The index of the first record at or behind `offset`; records are sorted by offset.
        func index(of offset: Offset) -> Int {
            var (low, high) = (0, records.count)
            while low < high {
                let middle = (low + high) / 2
                if records[middle].offset < offset { low = middle + 1 } else { high = middle }
            }
            return low
        }

        mutating func add(_ event: EncodedEvent, at now: Timestamp) {
            appended = max(appended, now)
            records.append(Stored(offset: end, appended: appended, event: event))
            end += 1
        }
    }

    struct Member: Sendable {
        let group: String
        /// Partitions it was told are its own; with the place it reads next, once it has sought one.
        var held: [Partition: Offset?] = [:]
        var turn: Partition = 0
    }

    struct Group: Sendable {
        var members: [Int] = []
        var owners: [Partition: Int] = [:]
        var committed: [Partition: Offset] = [:]
    }

    private(set) var shelves: [Shelf]
    private var groups: [String: Group] = [:]
    private var members: [Int: Member] = [:]
    private var joined = 0

    init(partitions: Partition) {
        precondition(partitions >= 1, "a stream has at least one partition")
        shelves = Array(repeating: Shelf(), count: Int(partitions))
    }

    // Appending and removing

    mutating func append(_ events: [EncodedEvent], at now: Timestamp) {
        for event in events {
            let partition = Int(Partitioner.partition(of: event.workspace.utf8, among: Partition(shelves.count)))
            shelves[partition].add(event, at: now)
        }
    }

    /// Removes records from the front of a partition, read or not.
    mutating func lose(_ partition: Partition, before offset: Offset) {
        let count = shelves[Int(partition)].index(of: offset)
        shelves[Int(partition)].records.removeFirst(count)
    }

    /// Removes what is older than `moment` and read by every group; all is kept as long as there is no group.
    mutating func retain(before moment: Timestamp) {
        for partition in shelves.indices {
            let read = groups.values.map { $0.committed[Partition(partition)] ?? 0 }.min() ?? 0
            let keep = shelves[partition].records.firstIndex { $0.appended >= moment || $0.offset >= read }
            shelves[partition].records.removeFirst(keep ?? shelves[partition].records.count)
        }
    }

    // Membership

    mutating func join(_ group: String) -> Int {
        joined += 1
        members[joined] = Member(group: group)
        groups[group, default: Group()].members.append(joined)
        return joined
    }

    /// Takes a member out of its group; what it held is free for the others.
    mutating func leave(_ member: Int) {
        presumeDead(member)
        members[member] = nil
    }

    /// Gives a member's partitions to the others without telling it: it reads on as a zombie.
    mutating func presumeDead(_ member: Int) {
        guard let name = members[member]?.group, var group = groups[name] else { return }
        group.members.removeAll { $0 == member }
        group.owners = group.owners.filter { $0.value != member }
        groups[name] = group
    }

    // Reading

    mutating func poll(_ member: Int, atMost limit: Int) -> Polled {
        guard let group = members[member]?.group else { return .nothing }
        if let change = rebalance(member, in: group) { return change }
        return limit > 0 ? read(member, atMost: limit) : .nothing
    }

    /// The next change of ownership this member has to hear of.
    private mutating func rebalance(_ member: Int, in name: String) -> Polled? {
        guard var group = groups[name], let place = group.members.firstIndex(of: member) else { return nil }
        func isMine(_ partition: Partition) -> Bool { Int(partition) % group.members.count == place }
        let lost = group.owners.filter { $0.value == member && !isMine($0.key) }.map(\.key).sorted()
        if !lost.isEmpty {
            for partition in lost {
                group.owners[partition] = nil
                members[member]?.held[partition] = nil
            }
            groups[name] = group
            return .revoked(lost)
        }
        let free = (0..<Partition(shelves.count)).filter { isMine($0) && group.owners[$0] == nil }
        guard !free.isEmpty else { return nil }
        for partition in free {
            group.owners[partition] = member
            members[member]?.held[partition] = .some(nil)
        }
        groups[name] = group
        return .assigned(free)
    }

    private mutating func read(_ member: Int, atMost limit: Int) -> Polled {
        guard let reader = members[member] else { return .nothing }
        let count = Partition(shelves.count)
        for step in 0..<count {
            let partition = (reader.turn + step) % count
            guard let position = reader.held[partition] ?? nil else { continue }
            let shelf = shelves[Int(partition)]
            guard position < shelf.end else { continue }
            let found = shelf.records[shelf.index(of: position)...].prefix(limit)
            var batch = batch(of: found, in: partition, expected: position)
            if found.isEmpty { batch.emptied = shelf.end }
            members[member]?.held[partition] = batch.next
            members[member]?.turn = (partition + 1) % count
            return .records(batch)
        }
        return .nothing
    }

    private func batch(of found: ArraySlice<Stored>, in partition: Partition, expected: Offset) -> RecordBatch {
        var batch = RecordBatch(partition: partition, expected: expected)
        for record in found {
            let (key, type) = (Array(record.event.workspace.utf8), Array(record.event.type.utf8))
            batch.add(
                offset: record.offset, appended: record.appended, key: key.span, type: type.span,
                value: record.event.bytes.span)
        }
        return batch
    }

    /// Why a member may not read on there; `nil` when it does from now on.
    mutating func seek(_ member: Int, _ partition: Partition, to offset: Offset?) -> StreamError? {
        let doing = "seek in partition \(partition)"
        guard members[member]?.held.keys.contains(partition) == true else {
            return StreamError(.other, doing: doing, cause: "it is not this reader's")
        }
        let shelf = shelves[Int(partition)]
        if let offset, offset > shelf.end {
            return StreamError(.corrupt, doing: "\(doing) to \(offset)", cause: "it ends at \(shelf.end)")
        }
        members[member]?.held[partition] = offset ?? shelf.earliest
        return nil
    }

    mutating func commit(_ member: Int, _ partition: Partition, next: Offset) {
        guard let group = members[member]?.group else { return }
        let before = groups[group]?.committed[partition] ?? 0
        groups[group]?.committed[partition] = max(next, before)
    }

    func lag(_ member: Int) -> Int64 {
        guard let reader = members[member] else { return 0 }
        return reader.held.reduce(0) { sum, held in
            let shelf = shelves[Int(held.key)]
            return sum + (held.value.map { max(0, shelf.end - $0) } ?? 0)
        }
    }

    func isDrained(_ positions: [Partition: Offset]) -> Bool {
        shelves.indices.allSatisfy { partition in
            (positions[Partition(partition)] ?? 0) >= shelves[partition].end
        }
    }
}
