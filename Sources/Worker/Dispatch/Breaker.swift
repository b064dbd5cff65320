import CarillonEvents

// A circuit breaker: after enough failures an endpoint is tried by one delivery at a time, until one gets an answer. It decides
// and does nothing: the moment and the random numbers are arguments.
//
//     closed ── failures ──▶ open ── probe is due ──▶ probing ── answered ──▶ closed
//                              ▲                          │
//                              └────────── failed ────────┘

/// Whether an endpoint is worth trying.
package struct Breaker: Sendable {
    /// When it opens, and how often it probes.
    package struct Policy: Sendable, Equatable {
        /// So many failures in a row open it.
        package var failuresInARow = 5
        /// So many failures among the last 32 tries open it.
        package var failuresOf32 = 24
        /// The longest time between the end of a probe and the next; the first comes sooner.
        package var probeEvery: Duration = .seconds(1)
        /// The usual policy.
        package init() {}
    }
    /// Where it stands.
    package enum State: Sendable, Equatable {
        /// Everything may be sent.
        case closed
        /// Nothing may be sent before this moment of the worker's uptime, and then one probe.
        case open(probeAt: Duration)
        /// One probe is on its way.
        case probing
    }

    /// Where it stands.
    package private(set) var state = State.closed
    private let policy: Policy
    /// The last 32 tries, the newest lowest; a one failed.
    private var recent: UInt32 = 0
    private var inARow = 0
    /// Probes that failed since it opened.
    private var probes = 0

    package init(_ policy: Policy) { self.policy = policy }

    /// Whether nothing of the last 32 tries failed and it is closed.
    package var isWell: Bool { state == .closed && recent == 0 }

    /// A try was answered, by a yes or by a no: the endpoint lives.
    ///
    /// - Returns: whether that closed it.
    package mutating func answered() -> Bool {
        recent <<= 1
        inARow = 0
        guard state != .closed else { return false }
        (state, recent, probes) = (.closed, 0, 0)
        return true
    }

    /// A try failed that was no probe; when it is open already that is no news.
    ///
    /// - Returns: whether that opened it.
    package mutating func failed(at now: Duration, using random: inout some RandomNumberGenerator) -> Bool {
        guard state == .closed else { return false }
        recent = recent << 1 | 1
        inARow += 1
        guard inARow >= policy.failuresInARow || recent.nonzeroBitCount >= policy.failuresOf32 else { return false }
        rest(at: now, using: &random)
        return true
    }

    /// The probe is on its way.
    package mutating func probe() { state = .probing }

    /// The probe failed, or could not be sent.
    package mutating func probeFailed(at now: Duration, using random: inout some RandomNumberGenerator) {
        probes += 1
        rest(at: now, using: &random)
    }

    /// Waits before the next probe: a quarter of the span at first, then the span, and of that any of the upper half, so
    /// that workers that lost an endpoint together do not probe it together.
    private mutating func rest(at now: Duration, using random: inout some RandomNumberGenerator) {
        let span = probes < 2 ? policy.probeEvery / 4 : policy.probeEvery
        let milliseconds = span.milliseconds
        let wait = Int64.random(in: milliseconds / 2...max(milliseconds / 2, milliseconds * 9 / 10), using: &random)
        state = .open(probeAt: now + .milliseconds(wait))
    }
}
