import CCurl
import Synchronization

/// Where the courier's thread and its callers meet: deliveries in, endings out, each side taking a whole batch at a time.
///
/// `multi` is used by the courier's thread alone, but for `curl_multi_wakeup`, of which the manual says: "This function can
/// be called from any thread". It is called under the lock, and so never after `leave`.
@safe final class CourierDesk: Sendable {
    /// What the thread finds when it looks.
    struct Orders {
        var deliveries: [Outgoing] = []
        var drain = false
        var close = false
    }

    private struct State {
        var orders = Orders()
        var endings: [Ending] = []
        var sleeps = false
        var left = false
    }

    nonisolated(unsafe) let multi: UnsafeMutableRawPointer
    private let state = Mutex(State())

    init() {
        CurlLibrary.start()
        guard let multi = unsafe curl_multi_init() else { fatalError("libcurl has no memory for a multi handle") }
        unsafe self.multi = multi
    }

    // The callers' side

    /// Leaves orders; false when the thread has gone.
    func order(_ change: (inout Orders) -> Void) -> Bool {
        state.withLock { state in
            guard !state.left else { return false }
            change(&state.orders)
            if state.sleeps {
                state.sleeps = false
                unsafe _ = curl_multi_wakeup(multi)
            }
            return true
        }
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
            defer { state.orders.deliveries = [] }
            return state.orders
        }
    }

    /// Whether the thread may sleep: nothing was ordered since it looked.
    func mayRest(since seen: Orders) -> Bool {
        state.withLock { state in
            let orders = state.orders
            state.sleeps = orders.deliveries.isEmpty && orders.drain == seen.drain && orders.close == seen.close
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

/// libcurl as a whole.
enum CurlLibrary {
    private static let started: Void = { _ = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) }()

    /// Starts the library, once in the process's life.
    static func start() { started }
}
