public import CarillonEvents

// The stream: what was published, kept in order, until every group has read it.
//
// Contract, held by `StreamContract` in the tests over every backend:
// - `append` returns when the batch is durable: it survives `kill -9` of any process and of the machine. One that throws
//   a retriable error may have been written, whole or in part; appending it again is right, as equal events count once.
// - Events of one workspace stand in one partition, in the order of their appends.
// - Offsets grow and are never used twice. A group has one reader a partition; a reader that dies is replaced at once.
// - What a group has not read is never removed.
//
// All calls may block and none is async: the worker runs them on a thread of its own, which keeps the path one
// straight function and lets the simulation drive it step by step.

/// The number by which a reader and its caller speak of a partition.
///
/// It holds as long as the reader: what outlives a process is a partition's `Place`.
public typealias Partition = Int32

/// A record's place in its partition.
public typealias Offset = Int64

/// A partition by the name that outlives processes, which the ledger keeps its position under.
///
/// A stream of several topics has a name for each of them, so a topic that comes or goes moves no other's positions.
public struct Place: Sendable, Hashable {
    /// The name of the stream or, where it has several, of the topic.
    public let stream: String
    /// The number of the partition there.
    public let partition: Partition
    /// Makes one.
    public init(stream: String, partition: Partition) { (self.stream, self.partition) = (stream, partition) }
}

/// Says which records are worth their bytes.
public protocol RecordFilter {
    /// Whether somebody may want an event of this type in this workspace, both as UTF-8; allocates nothing.
    func wants(workspace: Span<UInt8>, type: Span<UInt8>) -> Bool
}

/// Appends events.
///
/// Several threads and processes may append at the same time.
public protocol StreamAppender: Sendable {
    /// Appends events; durable when it returns.
    ///
    /// - Throws: `StreamError`; when `isRetriable`, the same batch may be tried again later. Where the stream has
    ///   transactions nothing was written then; on Kafka any of them may have been.
    func append(_ events: [EncodedEvent]) throws(StreamError)
}

/// Reads a stream as one member of a group.
///
/// One thread calls everything but `wake`.
public protocol StreamReader: AnyObject {
    /// All partitions the stream has now, whoever reads them.
    func partitions() throws(StreamError) -> [Partition]
    /// What the ledger calls a partition that `partitions` or `poll` named.
    func place(of partition: Partition) -> Place
    /// Sets what is dropped from now on without being copied, and only counted; `nil` drops nothing.
    ///
    /// A stream that does not know an event's type before parsing it need not drop anything.
    func keep(only filter: (any RecordFilter)?)
    /// Waits up to `wait` for the next thing that happened to this reader.
    ///
    /// - Parameter limit: the most records to read; zero reads none, but still waits and tells assignments.
    func poll(wait: Duration, limit: Int) throws(StreamError) -> Polled
    /// Sets where an assigned partition is read next. `nil` means the earliest record kept.
    func seek(_ partition: Partition, to offset: Offset?) throws(StreamError)
    /// Says how far the group has decided, for retention and for lag tools. The ledger stays the truth.
    func commit(_ partition: Partition, next: Offset) throws(StreamError)
    /// Records not yet read in the assigned partitions.
    func lag() throws(StreamError) -> Int64
    /// Whether every partition of the stream is read to its end as of now, whoever reads it.
    func isDrained(positions: [Partition: Offset]) throws(StreamError) -> Bool
    /// Ends a `poll` that is waiting, from any thread; remembered when none is.
    var doorbell: any Doorbell { get }
    /// Gives the partitions back.
    func close()
}

extension StreamReader {
    /// Drops nothing.
    public func keep(only filter: (any RecordFilter)?) {}

    /// Waits up to `wait` for the next thing that happened to this reader, with batches of up to 5,000 records.
    public func poll(wait: Duration) throws(StreamError) -> Polled { try poll(wait: wait, limit: 5_000) }
}

/// Wakes a waiting reader.
public protocol Doorbell: Sendable {
    /// Ends the wait under way, or the next one.
    func ring()
}

/// What `poll` met.
public enum Polled: Sendable {
    /// These partitions are ours now; nothing is read from one before its `seek`.
    case assigned([Partition])
    /// These partitions are another's now.
    case revoked([Partition])
    /// Records of one partition, in order.
    case records(RecordBatch)
    /// The wait ended with nothing, or the doorbell rang.
    case nothing
}

/// Records of one partition in one buffer, so that reading allocates once a batch.
public struct RecordBatch: Sendable {
    /// One record: its place, its time and where its parts stand in `bytes`.
    public struct Record: Sendable {
        /// The place in the partition.
        public var offset: Offset
        /// When the stream took it.
        public var appended: Timestamp
        /// The record's key: the workspace.
        ///
        /// Empty when unknown.
        public var key: Slice
        /// The event's type where the stream knows it without parsing.
        ///
        /// Empty when unknown.
        public var type: Slice
        /// The structured CloudEvent.
        public var value: Slice
        /// Makes a record.
        public init(offset: Offset, appended: Timestamp, key: Slice, type: Slice, value: Slice) {
            (self.offset, self.appended, self.key, self.type, self.value) = (offset, appended, key, type, value)
        }
    }
    /// Where they come from.
    public let partition: Partition
    /// Where the reader wanted to go on; less than the first record's offset when records were lost to retention.
    public let expected: Offset
    /// Whether every record passed `CloudEvents.prepare` on its way in, and its key and type are the event's own.
    ///
    /// Then an event no rule selects need not be checked again.
    public var isChecked = false
    /// The buffer all slices refer to.
    public var bytes: [UInt8] = []
    /// The records in order.
    public var records: [Record] = []
    /// How many records the reader's filter dropped.
    public var dropped = 0
    /// Records that are no events, as places in `records` in rising order, each with its reason.
    ///
    /// Their values are what the stream had of them.
    public var refused: [(record: Int, reason: String)] = []
    /// Events the stream had under another workspace than their own, which wins.
    public var mismatched = 0

    /// An empty batch, to fill.
    public init(partition: Partition, expected: Offset) {
        self.partition = partition
        self.expected = expected
    }
    /// The offset behind the last record, kept or dropped.
    public var next: Offset { passed ?? records.last.map { $0.offset + 1 } ?? emptied ?? expected }
    /// How many records were read: those here and those dropped.
    public var read: Int { records.count + dropped }
    /// How many records retention took before they were read.
    public var gap: Int64 { lost ?? (records.first?.offset ?? emptied ?? expected) - expected }
    /// Where reading goes on, of a stream whose offsets have holes or whose records were dropped.
    public var passed: Offset?
    /// What `gap` is, of such a stream.
    public var lost: Int64?
    /// How many of the offsets never had a record, or have none any more for another reason than their age: Kafka gives some
    /// to the marks of transactions, and compaction takes some.
    public var holes: Int64 = 0
    /// Where reading goes on when retention left nothing to read; `nil` as long as there are records.
    public var emptied: Offset?

    /// Adds one record, copying its parts.
    public mutating func add(
        offset: Offset, appended: Timestamp, key: Span<UInt8>, type: Span<UInt8>, value: Span<UInt8>
    ) {
        records.append(
            Record(
                offset: offset, appended: appended, key: copy(key), type: copy(type), value: copy(value)))
    }

    private mutating func copy(_ part: Span<UInt8>) -> Slice {
        let start = bytes.count
        unsafe part.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        return Slice(start, bytes.count)
    }
}

/// Why a stream could not do what it was asked, and whether to ask again.
public struct StreamError: Error, Sendable, CustomStringConvertible {
    /// The class of the failure.
    public enum Kind: Sendable, Equatable {
        /// There is no stream at that place.
        case missing
        /// The disk, or the broker's quota, is full.
        case full
        /// Someone else holds it for now.
        case busy
        /// It cannot be reached for now.
        case unreachable
        /// One event is larger than the stream takes.
        case tooLarge
        /// It was written by a newer Carillon or, when less is found than known, by an older one.
        case schema(found: Int, known: Int)
        /// What stands there is damaged or foreign.
        case corrupt
        /// Anything else.
        case other
    }
    /// The class of the failure.
    public let kind: Kind
    /// What was attempted, in the caller's words.
    public let doing: String
    /// The library's own words.
    public let cause: String?
    /// Makes one.
    public init(_ kind: Kind, doing: String, cause: String? = nil) {
        (self.kind, self.doing, self.cause) = (kind, doing, cause)
    }
    /// Whether the same call may succeed later.
    public var isRetriable: Bool { [.full, .busy, .unreachable].contains(kind) }
    /// One line: what was attempted, and why it did not happen.
    public var description: String { "stream could not \(doing): \(kind)" + (cause.map { " [\($0)]" } ?? "") }
}
