import CarillonEvents
import CarillonPlatform
import Glibc
import Synchronization

/// Where callers and the producer's thread meet: the waiting events, the counts, and who waits for a flush.
///
/// The lock is held for moving references only, never across a disk, a callback or a wait, so `append` takes
/// about a microsecond whatever the stream does.
final class Intake: Sendable {
    private struct State: ~Copyable {
        var outbox: Outbox
        var counts = Producer.Counts()
        var waiters: [Waiter] = []
        var closesAt: Duration?
        var hasEnded = false
        var threadSleeps = false
    }

    private struct Waiter {
        let ticket: Ticket
        let deadline: Duration
        let answer: @Sendable (Producer.Counts) -> Void
    }

    private let state: Mutex<State>
    private let bell: BellWatch
    private let clock: any Clock
    private let process = getpid()

    /// - Parameter spool: a folder; the thread wakes when a process closes a file in it, and when it dies.
    init(limits: Producer.Limits, spool: String?, clock: any Clock) throws(PlatformError) {
        state = Mutex(State(outbox: Outbox(limits: limits)))
        bell = try BellWatch(files: [], folders: spool.map { [$0] } ?? [])
        self.clock = clock
    }

    // What callers do

    func push(_ event: EncodedEvent) -> Admission {
        guard getpid() == process else { return .refused(.forked) }
        let (admission, wakes) = state.withLock { state in
            let admission = state.closesAt == nil ? state.outbox.push(event) : .refused(.closed)
            if case .refused = admission { state.counts.refused += 1 } else { state.counts.accepted += 1 }
            defer { state.threadSleeps = false }
            return (admission, state.threadSleeps)
        }
        if wakes { bell.ring() }
        return admission
    }

    /// Takes back the count of a refusal that the caller waits out.
    func forgetRefusal() { state.withLock { $0.counts.refused -= 1 } }

    func counts() -> Producer.Counts {
        state.withLock { state in
            var counts = state.counts
            counts.waiting = state.outbox.count
            return counts
        }
    }

    /// Calls `answer` once, when every event accepted so far is settled, or after `time`.
    func whenSettled(within time: Duration, _ answer: @escaping @Sendable (Producer.Counts) -> Void) {
        let deadline = clock.uptime() + time
        state.withLock { state in
            state.waiters.append(Waiter(ticket: state.outbox.next, deadline: deadline, answer: answer))
        }
        answerWaiters()
        bell.ring()
    }

    /// Calls `answer` once, when the thread is done with everything after `close`.
    func whenEnded(_ answer: @escaping @Sendable (Producer.Counts) -> Void) {
        state.withLock { state in
            state.waiters.append(Waiter(ticket: .max, deadline: .seconds(Int64.max), answer: answer))
            return
        }
        answerWaiters()
    }

    /// Takes no more events; the thread ends when the rest is settled, or after `time`.
    func close(within time: Duration) {
        let deadline = clock.uptime() + time
        state.withLock { state in state.closesAt = min(deadline, state.closesAt ?? deadline) }
        bell.ring()
    }

    // What the thread does

    /// The next events to carry; when there are none, the next `push` rings.
    func batch() -> (first: Ticket, events: [EncodedEvent]) {
        state.withLock { state in
            let events = state.outbox.batch()
            state.threadSleeps = events.isEmpty
            return (state.outbox.first, events)
        }
    }

    func settle(_ count: Int, _ fate: Fate) {
        state.withLock { state in
            state.outbox.remove(count)
            switch fate {
            case .appended: state.counts.appended += UInt64(count)
            case .spooled: state.counts.spooled += UInt64(count)
            case .refused: state.counts.refused += UInt64(count)
            }
        }
    }

    func note(drained: Int, trouble: String?) {
        state.withLock { state in
            state.counts.drained = UInt64(drained)
            state.counts.trouble = trouble
        }
    }

    /// When the producer has to be closed at the latest; `nil` while it is open.
    var closesAt: Duration? { state.withLock { $0.closesAt } }

    /// The thread is gone: nobody settles anything any more.
    func end() {
        state.withLock { $0.hasEnded = true }
        answerWaiters()
    }

    /// Sleeps until something happens, at most until `time` or the first waiter's deadline.
    func sleep(until time: Duration?) {
        let now = clock.uptime()
        let first = state.withLock { state in state.waiters.map(\.deadline).min() }
        let end = [time, first, now + .seconds(30)].compactMap { $0 }.min() ?? now
        _ = bell.wait(milliseconds: max(1, (end - now).milliseconds))
    }

    /// Answers everyone whose events are settled or whose time is over.
    func answerWaiters() {
        let now = clock.uptime()
        let (ready, counts) = state.withLock { state in
            let (settled, hasEnded) = (state.outbox.first, state.hasEnded)
            let isReady = { (waiter: Waiter) in
                hasEnded || waiter.ticket <= settled || waiter.deadline <= now
            }
            let ready = state.waiters.filter(isReady)
            state.waiters.removeAll(where: isReady)
            var counts = state.counts
            counts.waiting = state.outbox.count
            return (ready, counts)
        }
        for waiter in ready { waiter.answer(counts) }
    }
}
