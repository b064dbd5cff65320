import Synchronization

/// A courier for what may hold up its thread, beside the one for all else.
///
/// libcurl waits for a mail server's answer to a message, and for its goodbye, without serving anything else meanwhile. A
/// slow mail server then delays mail, and nothing but mail.
///
/// The slow one is made with the first delivery for it: a deployment that sends no mail has no thread for it and does not
/// keep count of whose ending is whose.
public final class TwoCouriers: Courier {
    private struct State {
        var slow: (any Courier)?
        /// Tries that were collected and not settled while there was but one courier; they are older than all of `collected`.
        var quickAlone = 0
        /// Of the later ones, oldest first, which were the slow one's.
        var collected: [Bool] = []
        var isDrained = false
    }

    private let quick: any Courier
    private let makeSlow: @Sendable () -> any Courier
    private let state = Mutex(State())

    /// Makes one of two; both ring the same bell.
    public init(quick: any Courier, slow: @escaping @Sendable () -> any Courier) {
        (self.quick, makeSlow) = (quick, slow)
    }

    /// Gives each delivery to the courier its channel needs.
    public func offer(_ deliveries: [Outgoing]) {
        guard deliveries.contains(where: { $0.endpoint.needsOwnThread }) else { return quick.offer(deliveries) }
        slowMade().offer(deliveries.filter { $0.endpoint.needsOwnThread })
        quick.offer(deliveries.filter { !$0.endpoint.needsOwnThread })
    }

    /// The slow one, made when it is not there.
    private func slowMade() -> any Courier {
        state.withLock { state in
            if let slow = state.slow { return slow }
            let slow = makeSlow()
            if state.isDrained { slow.drain() }
            state.slow = slow
            return slow
        }
    }

    private var slow: (any Courier)? { state.withLock(\.slow) }

    /// The endings of both.
    public func collect() -> [Ending] {
        let quickly = quick.collect()
        guard let slow else {
            if !quickly.isEmpty {
                let tries = quickly.count { $0.outcome != .unsent }
                state.withLock { $0.quickAlone += tries }
            }
            return quickly
        }
        let slowly = slow.collect()
        if !quickly.isEmpty || !slowly.isEmpty {
            state.withLock { state in
                state.collected += quickly.filter { $0.outcome != .unsent }.map { _ in false }
                state.collected += slowly.filter { $0.outcome != .unsent }.map { _ in true }
            }
        }
        return quickly + slowly
    }

    /// Frees the places of the oldest tries, each at its own courier.
    public func settled(_ tries: Int) {
        let (slow, slowly) = state.withLock { state in
            let alone = min(tries, state.quickAlone)
            state.quickAlone -= alone
            let first = state.collected.prefix(tries - alone)
            defer { state.collected.removeFirst(first.count) }
            return (state.slow, first.count { $0 })
        }
        quick.settled(tries - slowly)
        slow?.settled(slowly)
    }

    /// Takes back what waits of a lane; each lane's channel is one courier's, so the other has nothing of it.
    public func withdraw(_ lane: Int64) {
        quick.withdraw(lane)
        slow?.withdraw(lane)
    }

    /// Starts nothing more.
    public func drain() {
        quick.drain()
        let slow = state.withLock { state in
            state.isDrained = true
            return state.slow
        }
        slow?.drain()
    }

    /// Stops both.
    public func close() {
        drain()
        quick.close()
        slow?.close()
    }
}
