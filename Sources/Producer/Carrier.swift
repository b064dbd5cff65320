import CarillonEvents
import CarillonStream

// What happens to one batch. The carrier decides between the stream and the spool; the thread around it (`Loop`) only waits.
//
// Order is kept by one rule: while the spool holds anything of this process, new events go behind it. So the stream
// sees a workspace's events in the order of their `append`, whatever was away in between.

/// Carries batches to the stream, or to the spool while the stream is away.
///
/// One thread uses it.
final class Carrier {
    private let open: @Sendable () throws(StreamError) -> any StreamAppender
    private let spool: Spool?
    private let limits: Producer.Limits
    private var stream: (any StreamAppender)?
    private var pause: Pause
    private(set) var drained = 0
    private(set) var trouble: String?

    init(open: @escaping @Sendable () throws(StreamError) -> any StreamAppender, spool: Spool?, limits: Producer.Limits)
    {
        (self.open, self.spool, self.limits) = (open, spool, limits)
        pause = Pause(first: limits.firstPause, longest: limits.longestPause)
    }

    /// When the stream may be tried again, on the clock's uptime; `nil` when it is not away.
    var retryAt: Duration? { pause.until }
    /// Whether the spool waits for this process.
    var hasSpooled: Bool { spool?.mayHoldEvents ?? false }

    /// Carries a batch as far as it comes.
    ///
    /// - Returns: what became of its events in order; what is missing at the end is kept by the caller and tried again.
    func carry(_ events: [EncodedEvent], now: Duration) -> [(count: Int, fate: Fate)] {
        drain(now: now, steps: 4)
        if !hasSpooled, pause.isOver(at: now), let fates = append(events, now: now) { return fates }
        return keep(events)
    }

    /// What came of draining the spool.
    enum Drain { case moved, nothing, heldByAnother, away }

    /// Moves spooled events to the stream, at most `steps` segments.
    @discardableResult
    func drain(now: Duration, steps: Int) -> Drain {
        guard let spool, spool.mayHoldEvents else { return .nothing }
        guard pause.isOver(at: now) else { return .away }
        do throws(StreamError) {
            let stream = try connected()
            for _ in 0..<steps {
                guard let moved = try spool.drainSome(into: stream) else {
                    return spool.mayHoldEvents || spool.metLivingWriters ? .heldByAnother : .nothing
                }
                drained += moved
                succeeded()
            }
            return .moved
        } catch {
            failed(error, now: now)
            return .away
        }
    }

    /// Looks whether others left events in the spool.
    func look() { spool?.look() }

    /// Tries the stream at the next call, whatever the pause.
    func hurry() { pause.end() }

    /// Lets any process drain what was spooled.
    func seal() { spool?.seal() }

    /// `nil` when the stream is away: nothing was appended.
    private func append(_ events: [EncodedEvent], now: Duration) -> [(count: Int, fate: Fate)]? {
        do throws(StreamError) {
            try connected().append(events)
            succeeded()
            return [(events.count, .appended)]
        } catch {
            guard error.kind == .tooLarge else {
                failed(error, now: now)
                return nil
            }
            trouble = error.description
            return appendApart(events, now: now)
        }
    }

    /// One event of the batch is larger than the stream takes: halves until it stands alone.
    private func appendApart(_ events: [EncodedEvent], now: Duration) -> [(count: Int, fate: Fate)]? {
        guard events.count > 1 else { return [(1, .refused(.tooLarge))] }
        guard let front = append(Array(events[..<(events.count / 2)]), now: now) else { return nil }
        let rest = Array(events[(events.count / 2)...])
        return front + (append(rest, now: now) ?? keep(rest))
    }

    /// To the spool; nowhere when there is none or it is full.
    private func keep(_ events: [EncodedEvent]) -> [(count: Int, fate: Fate)] {
        guard let spool else { return [] }
        do throws(SpoolError) {
            try spool.write(events)
            return [(events.count, .spooled)]
        } catch {
            trouble = error.description
            return []
        }
    }

    private func connected() throws(StreamError) -> any StreamAppender {
        if let stream { return stream }
        let fresh = try open()
        stream = fresh
        return fresh
    }

    private func succeeded() {
        pause.end()
        trouble = nil
    }

    private func failed(_ error: StreamError, now: Duration) {
        trouble = error.description
        if error.kind != .busy { stream = nil }
        pause.begin(at: now)
    }
}

/// How long the stream is left alone: doubles with each failure in a row, ends with a success.
struct Pause {
    let first, longest: Duration
    private(set) var until: Duration?
    private var last: Duration?

    init(first: Duration, longest: Duration) { (self.first, self.longest) = (first, longest) }

    func isOver(at now: Duration) -> Bool { until.map { now >= $0 } ?? true }

    mutating func begin(at now: Duration) {
        let length = min(longest, last.map { $0 * 2 } ?? first)
        (last, until) = (length, now + length)
    }

    mutating func end() { (last, until) = (nil, nil) }
}
