import CarillonEvents

// The producer's words: what a caller hears at once (`Admission`), what it hears later (`Acknowledgement`), and what it
// may ask at any time (`Producer.Counts`).

/// The number of an accepted event; grows by one with each event a producer accepts.
public typealias Ticket = UInt64

/// What `Producer.append` answers, at once and without waiting for a disk.
public enum Admission: Sendable, Hashable {
    /// The event is in memory and its fate will be reported under this number. It is not durable yet.
    case accepted(Ticket)
    /// The event was not taken; it is counted, and the caller decides what to do with it.
    case refused(Refusal)
}

/// Why an event was not taken.
public enum Refusal: String, Sendable, Hashable, CaseIterable {
    /// The stream is away, or slower than the caller, and the memory set aside for waiting events is full.
    case full
    /// The stream takes no event of this size.
    case tooLarge
    /// The producer was closed, or its time to close ran out before the event was durable.
    case closed
    /// This process is a fork of the one that made the producer; make a producer of its own.
    case forked
}

/// What became of an accepted event.
public enum Fate: Sendable, Hashable {
    /// It is durable in the stream.
    case appended
    /// It is durable in the spool on this machine's disk and goes to the stream when that is back.
    case spooled
    /// It is gone.
    case refused(Refusal)
}

/// The fate of events that were accepted one after the other.
public struct Acknowledgement: Sendable, Hashable {
    /// Their tickets.
    public let tickets: Range<Ticket>
    /// What became of all of them.
    public let fate: Fate

    /// Makes one.
    public init(tickets: Range<Ticket>, fate: Fate) { (self.tickets, self.fate) = (tickets, fate) }
}

extension Producer {
    /// What a producer has done since it was made.
    public struct Counts: Sendable, Hashable {
        /// Events taken by `append`.
        public var accepted: UInt64 = 0
        /// Of these: durable in the stream, without a detour.
        public var appended: UInt64 = 0
        /// Of these: durable in the spool.
        public var spooled: UInt64 = 0
        /// Not taken, or given up at `close`.
        public var refused: UInt64 = 0
        /// Events moved from the spool to the stream, also those other processes left there.
        public var drained: UInt64 = 0
        /// Accepted events that are neither durable nor refused yet.
        public var waiting = 0
        /// The last trouble with the stream or the spool, in its own words; `nil` once an append succeeds again.
        public var trouble: String?

        /// All zero.
        public init() {}
    }

    /// How much a producer may use.
    public struct Limits: Sendable, Hashable {
        /// Events waiting in memory.
        public var events = 65_536
        /// Bytes of events waiting in memory.
        public var bytes = 64 << 20
        /// Events in one append to the stream.
        public var batchEvents = 1_000
        /// Bytes in one append to the stream; one event may be larger.
        public var batchBytes = 1 << 20
        /// Bytes of the whole spool on disk, over all processes that share its folder.
        public var spoolBytes: Int64 = 1 << 30
        /// Bytes after which a spool file is closed and the next one begun.
        public var segmentBytes: Int64 = 4 << 20
        /// How long the stream is left alone after its first failure in a row; doubles with each.
        public var firstPause: Duration = .milliseconds(100)
        /// The longest time the stream is left alone.
        public var longestPause: Duration = .seconds(15)

        /// The defaults.
        public init() {}
    }
}

extension EncodedEvent {
    /// The memory an event is charged with: its bytes and a share for what holds them.
    var weight: Int { bytes.count + workspace.utf8.count + type.utf8.count + 128 }
}
