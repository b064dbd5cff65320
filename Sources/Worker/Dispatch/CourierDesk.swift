import CPlatform
import Synchronization

/// Where the courier's thread and its callers meet: deliveries in, endings out, each side taking a whole batch at a
/// time.
final class CourierDesk: Sendable {
    /// What the thread finds when it looks.
    struct Orders {
        var deliveries: [Outgoing] = []
        var settled = 0
        var withdrawn: [Int64] = []
        var drain = false
        var close = false
    }

    private struct State {
        var orders = Orders()
        var endings: [Ending] = []
        var sleeps = false
        var left = false
    }

    /// Readable when the thread should look at the desk; it lives as long as the desk.
    let bell: Int32
    private let state = Mutex(State())

    init() {
        bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(bell >= 0, "the system has no file number left for the courier's bell")
    }

    deinit { _ = close(bell) }

    // The callers' side

    /// Leaves orders; false when the thread has gone.
    func order(_ change: (inout Orders) -> Void) -> Bool {
        let (isTaken, wakes) = state.withLock { state in
            guard !state.left else { return (false, false) }
            change(&state.orders)
            defer { state.sleeps = false }
            return (true, state.sleeps)
        }
        // Not under the lock: the thread would wake up to wait for it.
        if wakes { _ = eventfd_write(bell, 1) }
        return isTaken
    }

    /// Takes the endings.
    func collect() -> [Ending] {
        state.withLock { state in
            defer { state.endings = [] }
            return state.endings
        }
    }

    // The thread's side

    /// Takes the orders; `drain` and `close` stay given.
    func take() -> Orders {
        state.withLock { state in
            state.sleeps = false
            defer { (state.orders.deliveries, state.orders.settled, state.orders.withdrawn) = ([], 0, []) }
            return state.orders
        }
    }

    /// Whether the thread may sleep: nothing was ordered since it looked.
    func mayRest(since seen: Orders) -> Bool {
        state.withLock { state in
            let orders = state.orders
            state.sleeps =
                orders.deliveries.isEmpty && orders.settled == 0 && orders.withdrawn.isEmpty
                && orders.drain == seen.drain
                && orders.close == seen.close
            return state.sleeps
        }
    }

    /// Hands out endings.
    func publish(_ endings: [Ending]) { state.withLock { $0.endings.append(contentsOf: endings) } }

    /// The thread's last call: what nobody took, and no more wakeups.
    func leave() -> [Outgoing] {
        state.withLock { state in
            state.left = true
            return state.orders.deliveries
        }
    }
}
