public import CarillonEvents
public import CarillonStream
import Synchronization

/// A stream in memory: the whole contract but durability, and never a wait, so that tests drive it step by step.
///
/// Deterministic: the same calls in the same order give the same answers. Its state outlives its readers and appenders,
/// as a real stream outlives the processes that use it.
public final class MemoryStream: Sendable {
    /// The stream's name in the ledger's positions.
    public let name: String
    fileprivate let log: Mutex<MemoryLog>
    fileprivate let clock: any Clock
    fileprivate let batch: Int
    /// The largest event it takes, in bytes.
    fileprivate let largest: Int

    /// An empty stream; `batch` is the most records one poll returns.
    public init(
        name: String = "memory", partitions: Partition = 4, batch: Int = 1000, largestEvent: Int = 1 << 20,
        clock: any Clock = ManualClock()
    ) {
        precondition(batch > 0, "a poll that may return no record never gets anywhere")
        self.name = name
        self.clock = clock
        self.batch = batch
        largest = largestEvent
        log = Mutex(MemoryLog(partitions: partitions))
    }

    /// Something to append with; any number may be in use.
    public func appender() -> MemoryAppender { MemoryAppender(stream: self) }

    /// A new member of a group.
    public func reader(group: String) -> MemoryReader { MemoryReader(stream: self, group: group) }

    /// Where each partition goes on: the offset its next record will have.
    public func ends() -> [Partition: Offset] {
        log.withLock { log in
            Dictionary(uniqueKeysWithValues: log.shelves.enumerated().map { (Partition($0.offset), $0.element.end) })
        }
    }

    /// Removes records from the front of a partition, read or not: the gap a reader has to report.
    public func lose(_ partition: Partition, before offset: Offset) {
        log.withLock { $0.lose(partition, before: offset) }
    }

    /// Removes what was appended before `moment` and has been read by every group; all of it while no group has joined.
    public func retain(before moment: Timestamp) { log.withLock { $0.retain(before: moment) } }
}

/// Appends to a `MemoryStream`.
public struct MemoryAppender: StreamAppender {
    fileprivate let stream: MemoryStream

    /// Appends all events or none; kept as long as the stream's value is.
    public func append(_ events: [EncodedEvent]) throws(StreamError) {
        if let event = events.first(where: { $0.bytes.count > stream.largest }) {
            throw StreamError(.tooLarge, doing: "append an event of \(event.bytes.count) bytes")
        }
        let now = stream.clock.now()
        stream.log.withLock { $0.append(events, at: now) }
    }
}

/// Reads a `MemoryStream` as a member of a group.
public final class MemoryReader: StreamReader {
    private let stream: MemoryStream
    private let member: Int
    private let bell = CountingDoorbell()

    fileprivate init(stream: MemoryStream, group: String) {
        self.stream = stream
        member = stream.log.withLock { $0.join(group) }
    }

    /// All partitions.
    public func partitions() -> [Partition] { stream.log.withLock { Array(0..<Partition($0.shelves.count)) } }
    /// What the ledger calls a partition.
    public func place(of partition: Partition) -> Place { Place(stream: stream.name, partition: partition) }
    /// Counts its rings; see `rings`.
    public var doorbell: any Doorbell { bell }
    /// How often the doorbell was rung; no poll waits here, so a ring has nothing to end.
    public var rings: Int { bell.rings }

    /// Says what happened next; returns at once whatever `wait` is.
    public func poll(wait: Duration, limit: Int) throws(StreamError) -> Polled {
        stream.log.withLock { $0.poll(member, atMost: min(stream.batch, limit)) }
    }

    /// Sets where an assigned partition is read next.
    ///
    /// - Throws: `StreamError` when the partition is not this reader's, or ends before `offset`.
    public func seek(_ partition: Partition, to offset: Offset?) throws(StreamError) {
        if let error = stream.log.withLock({ $0.seek(member, partition, to: offset) }) { throw error }
    }

    /// Says how far the group has decided, for `retain`.
    public func commit(_ partition: Partition, next: Offset) throws(StreamError) {
        stream.log.withLock { $0.commit(member, partition, next: next) }
    }

    /// Records not yet read in the partitions that were sought.
    public func lag() throws(StreamError) -> Int64 { stream.log.withLock { $0.lag(member) } }

    /// Whether every partition is decided to its end.
    public func isDrained(positions: [Partition: Offset]) throws(StreamError) -> Bool {
        stream.log.withLock { $0.isDrained(positions) }
    }

    /// Leaves the group; what was held is free for the others.
    public func close() { stream.log.withLock { $0.leave(member) } }

    /// Gives this reader's partitions to the others while it still reads: a paused process that is taken for dead.
    public func presumeDead() { stream.log.withLock { $0.presumeDead(member) } }
}

/// Counts its rings.
final class CountingDoorbell: Doorbell {
    private let count = Atomic<Int>(0)
    var rings: Int { count.load(ordering: .relaxed) }
    func ring() { count.add(1, ordering: .relaxed) }
}
