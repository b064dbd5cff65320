public import CarillonEvents
public import CarillonStream
import Metrics
import Synchronization

// `POST /v1/events`: CloudEvents over HTTP become records of the stream.
//
//     head ─▶ who is it? ─▶ room for the body ─▶ events, all or none ─▶ may it? ─▶ appended with others ─▶ 202
//              401, 403       413, 429             400, 413, 415          403         429, 503
//
// Nothing is taken before everything of a request is known to be good, so a request that was refused may be sent again
// once it is mended; one whose answer was lost may be sent again as it is, as equal source and id is one event.

/// Takes events over HTTP into the stream; knows nothing of sockets.
public final class EventDoor: Sendable {
    /// How much the door takes.
    public struct Limits: Sendable {
        /// Bytes of one event.
        public var event = CloudEvents.maxBytes
        /// Bytes of one request.
        public var body = 4 << 20
        /// Events in one batch.
        public var events = 10_000
        /// Bytes of requests that are being read or wait for the stream, over all connections.
        public var room = 64 << 20

        /// The defaults.
        public init() {}
    }

    let limits: Limits
    let room: Room
    private let access: Mutex<Access>
    private let queue: AppendQueue
    private let clock: any Clock
    private let accepted: Counter

    /// Makes a door.
    ///
    /// - Parameters:
    ///   - appender: opens the stream; called on a thread of the door's own, again after each failure.
    ///   - registry: where the accepted events are counted.
    public init(
        access: Access, limits: Limits = Limits(), clock: any Clock, registry: MetricsRegistry,
        appender: @escaping @Sendable () throws(StreamError) -> any StreamAppender
    ) {
        self.access = Mutex(access)
        (self.limits, self.clock) = (limits, clock)
        room = Room(bytes: limits.room)
        queue = AppendQueue(open: appender)
        accepted = Counter(label: "carillon_events_accepted_total", factory: registry)
    }

    /// From now on lets in whom `access` says.
    public func admit(_ access: Access) { self.access.withLock { $0 = access } }

    /// How many requests wait to be appended.
    var waiting: Int { queue.count }

    /// Who may enter now.
    var openTo: Access { access.withLock { $0 } }

    /// Decides by the head alone whether a request may send its body.
    func enter(_ head: RequestHead) throws(Problem) -> Pass {
        let pass = try openTo.pass(head)
        guard let length = head.length, length > limits.body else { return pass }
        throw .tooLarge("the request has \(length) bytes, the limit is \(limits.body); send smaller batches")
    }

    /// Takes a request's events, all or none.
    ///
    /// - Returns: how many, once they are durable.
    func take(_ head: RequestHead, _ body: [UInt8], _ pass: Pass) async throws(Problem) -> Int {
        let events = try Envelopes(limits: limits).events(head, body, now: clock.now())
        try pass.check(events)
        guard !events.isEmpty else { return 0 }
        if let failure = await queue.append(events) { throw Problem(failure) }
        accepted.increment(by: events.count)
        return events.count
    }
}

/// A request without its body.
struct RequestHead: Sendable {
    var headers: [(name: String, value: String)]
    /// The address it was sent to, as the client named it.
    var authority: String?

    /// The first header of a name given in lower case.
    func first(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
    /// The length the client promises.
    var length: Int? { first("content-length").flatMap { Int($0) } }
    /// Whether a body follows, as far as the head tells.
    var hasBody: Bool { (length ?? 0) > 0 || first("transfer-encoding") != nil }
}

/// The memory that requests share.
final class Room: Sendable {
    private let free: Mutex<Int>

    init(bytes: Int) { free = Mutex(bytes) }

    /// Takes bytes; false when there are too few.
    func take(_ bytes: Int) -> Bool {
        free.withLock { free in
            guard free >= bytes else { return false }
            free -= bytes
            return true
        }
    }

    func giveBack(_ bytes: Int) { free.withLock { $0 += bytes } }
}
