public import CarillonEvents
public import CarillonPlatform
public import CarillonStream
import Glibc

// The producer, embedded in a scheduler. Promise P9: it never harms its host.
//
//     append ─▶ memory (bounded) ─▶ thread ─▶ stream ─┐
//        │            │               └────▶ spool ───┴─▶ acknowledgement
//        ▼            ▼ full
//     accepted     refused, counted
//
// `append` moves a reference under a short lock; all that may block happens on one thread of the producer's own, in
// batches, so that many events share an fsync. What the process had only in memory dies with it, and was not
// acknowledged; what was acknowledged stands in the stream or in the spool and survives the machine.

/// Puts events into the stream without ever making its caller wait.
///
/// Any thread may call everything. A process that forks makes a producer of its own in the child; the parent's
/// refuses there.
public final class Producer: Sendable {
    private let intake: Intake

    /// Starts a producer and its thread.
    ///
    /// - Parameters:
    ///   - appender: opens the stream, called on the producer's thread, again after each failure.
    ///   - spool: the folder for what the stream cannot take; processes may share it. Without one, events wait in memory.
    ///   - report: called on the producer's thread with the fate of every accepted event, in order; has to return soon.
    /// - Throws: `SpoolError` when the folder cannot be made, `PlatformError` when the system gives no thread.
    public init(
        appender: @escaping @Sendable () throws(StreamError) -> any StreamAppender, spool: String?,
        limits: Producer.Limits = Producer.Limits(), clock: any Clock = SystemClock(),
        report: (@Sendable (Acknowledgement) -> Void)? = nil
    ) throws {
        let spool = try spool.map { try Spool(folder: $0, limits: limits, clock: clock) }
        intake = try Intake(limits: limits, spool: spool?.folder, clock: clock)
        let carrier = Carrier(open: appender, spool: spool, limits: limits)
        try Loop(intake: intake, carrier: carrier, clock: clock, report: report).start()
    }

    deinit { intake.close(within: .zero) }

    /// Takes an event into memory, or refuses it; never blocks.
    ///
    /// Accepted is not durable: `report` says later what became of the ticket.
    public func append(_ event: EncodedEvent) -> Admission { intake.push(event) }

    /// Takes an event, waiting for room while memory is full: for programs that may block and have nothing else to do.
    ///
    /// - Parameter time: after this long without room it is refused after all.
    public func appendWaiting(_ event: EncodedEvent, atMost time: Duration) -> Admission {
        for _ in 0..<max(1, time.milliseconds / 2) {
            let admission = intake.push(event)
            guard admission == .refused(.full) else { return admission }
            intake.forgetRefusal()
            usleep(2_000)
        }
        return intake.push(event)
    }

    /// What was done so far.
    public var counts: Producer.Counts { intake.counts() }

    /// Waits until every event accepted so far is durable or refused, at most `time`.
    ///
    /// - Returns: the counts then; `waiting` is not zero when the time was too short.
    public func flush(within time: Duration) async -> Producer.Counts {
        await withCheckedContinuation { continuation in
            intake.whenSettled(within: time) { continuation.resume(returning: $0) }
        }
    }

    /// The same as `flush`, keeping the calling thread: for programs without tasks.
    public func flushWaiting(within time: Duration) -> Producer.Counts {
        let answer = Turnstile<Producer.Counts?>(nil)
        intake.whenSettled(within: time) { counts in answer.change { $0 = counts } }
        return answer.wait { $0 }
    }

    /// Takes no more events and brings those in memory to the stream or the spool, at most for `time`.
    ///
    /// What is not durable then is refused and reported. What is spooled goes to the stream if that is there, else it
    /// stays for whoever comes next.
    /// - Returns: the final counts.
    public func close(within time: Duration = .seconds(10)) async -> Producer.Counts {
        intake.close(within: time)
        return await withCheckedContinuation { continuation in
            intake.whenEnded { continuation.resume(returning: $0) }
        }
    }

    /// The same as `close`, keeping the calling thread: for programs without tasks.
    public func closeWaiting(within time: Duration = .seconds(10)) -> Producer.Counts {
        intake.close(within: time)
        let answer = Turnstile<Producer.Counts?>(nil)
        intake.whenEnded { counts in answer.change { $0 = counts } }
        return answer.wait { $0 }
    }
}

/// The producer's thread: carries batch after batch, and sleeps when there is nothing to carry or the stream is away.
final class Loop: @unchecked Sendable {
    // Made on the caller's thread, then used by the one thread that `start` makes; pthread_create orders the two.
    private let intake: Intake
    private let carrier: Carrier
    private let clock: any Clock
    private let report: (@Sendable (Acknowledgement) -> Void)?
    private var closes = false

    init(intake: Intake, carrier: Carrier, clock: any Clock, report: (@Sendable (Acknowledgement) -> Void)?) {
        (self.intake, self.carrier, self.clock, self.report) = (intake, carrier, clock, report)
    }

    func start() throws(PlatformError) {
        var thread = pthread_t()
        let loop = unsafe Unmanaged.passRetained(self)
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                if let argument = unsafe argument {
                    unsafe Unmanaged<Loop>.fromOpaque(argument).takeRetainedValue().run()
                }
                return nil
            }, loop.toOpaque())
        guard code == 0 else {
            unsafe loop.release()
            throw PlatformError(code, doing: "start the producer's thread")
        }
        pthread_detach(thread)
    }

    private func run() {
        while step() { intake.answerWaiters() }
        carrier.seal()
        intake.end()
    }

    /// Carries one batch, or sleeps.
    ///
    /// False when the producer is closed and done.
    private func step() -> Bool {
        let (first, events) = intake.batch()
        guard !events.isEmpty else { return rest() }
        if intake.closesAt != nil, !closes {
            closes = true
            carrier.hurry()
        }
        let settled = settle(carrier.carry(events, now: clock.uptime()), from: first)
        guard settled < events.count else { return true }
        guard let end = intake.closesAt else {
            intake.sleep(until: carrier.retryAt)
            return true
        }
        if clock.uptime() >= end { return giveUp() }
        intake.sleep(until: min(end, clock.uptime() + .milliseconds(100)))
        carrier.hurry()
        return true
    }

    private func rest() -> Bool {
        if let end = intake.closesAt {
            carrier.hurry()
            while clock.uptime() < end, carrier.drain(now: clock.uptime(), steps: 1) == .moved {}
            note()
            return false
        }
        let drain = carrier.drain(now: clock.uptime(), steps: 1)
        note()
        switch drain {
        case .moved: return true
        case .heldByAnother:
            intake.sleep(until: clock.uptime() + .seconds(1))
            carrier.look()
        case .away: intake.sleep(until: carrier.retryAt)
        case .nothing:
            intake.sleep(until: nil)
            carrier.look()
        }
        return true
    }

    private func settle(_ fates: [(count: Int, fate: Fate)], from first: Ticket) -> Int {
        var next = first
        for (count, fate) in fates {
            intake.settle(count, fate)
            report?(Acknowledgement(tickets: next..<next + Ticket(count), fate: fate))
            next += Ticket(count)
        }
        note()
        return Int(next - first)
    }

    private func giveUp() -> Bool {
        while true {
            let (first, events) = intake.batch()
            guard !events.isEmpty else { return false }
            _ = settle([(events.count, .refused(.closed))], from: first)
        }
    }

    private func note() { intake.note(drained: carrier.drained, trouble: carrier.trouble) }
}
