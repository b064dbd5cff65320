import Synchronization

/// A courier for what may hold up its thread, beside the one for all else.
///
/// libcurl waits for a mail server's answer to a message, and for its goodbye, without serving anything else meanwhile. A
/// slow mail server then delays mail, and nothing but mail.
public final class TwoCouriers: Courier {
    private let quick, slow: any Courier
    /// Of the tries that were collected and not settled, oldest first, which were the slow one's.
    private let collected = Mutex<[Bool]>([])

    /// Makes one of two; both ring the same bell.
    public init(quick: any Courier, slow: any Courier) { (self.quick, self.slow) = (quick, slow) }

    /// Gives each delivery to the courier its channel needs.
    public func offer(_ deliveries: [Outgoing]) {
        guard deliveries.contains(where: { $0.endpoint.needsOwnThread }) else { return quick.offer(deliveries) }
        slow.offer(deliveries.filter { $0.endpoint.needsOwnThread })
        quick.offer(deliveries.filter { !$0.endpoint.needsOwnThread })
    }

    /// The endings of both.
    public func collect() -> [Ending] {
        let (quickly, slowly) = (quick.collect(), slow.collect())
        if !quickly.isEmpty || !slowly.isEmpty {
            collected.withLock { collected in
                collected += quickly.filter { $0.outcome != .unsent }.map { _ in false }
                collected += slowly.filter { $0.outcome != .unsent }.map { _ in true }
            }
        }
        return quickly + slowly
    }

    /// Frees the places of the oldest tries, each at its own courier.
    public func settled(_ tries: Int) {
        let slowly = collected.withLock { collected in
            let first = collected.prefix(tries)
            defer { collected.removeFirst(first.count) }
            return first.count { $0 }
        }
        quick.settled(tries - slowly)
        slow.settled(slowly)
    }

    /// Takes back what waits of a lane; each lane's channel is one courier's, so the other has nothing of it.
    public func withdraw(_ lane: Int64) {
        quick.withdraw(lane)
        slow.withdraw(lane)
    }

    /// Starts nothing more.
    public func drain() {
        quick.drain()
        slow.drain()
    }

    /// Stops both.
    public func close() {
        drain()
        quick.close()
        slow.close()
    }
}
