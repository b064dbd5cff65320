import CarillonEvents

// What a receiver that says "too many" gets: first a rest, then a rate that grows while it says yes and halves when it says so
// again. Nobody tells us its limit, so this finds it. A value: the moment is an argument.

/// How fast an endpoint may be sent to, once it has complained.
package struct Limiter: Sendable {
    /// Where the rate begins after the first complaint, in sends a second; what it never falls below; and what is as
    /// good as no limit.
    private static let (first, least, most) = (10.0, 0.2, 2_000.0)
    /// The longest rest of our own; a receiver's wish may be longer.
    private static let longestRest = Duration.seconds(60)

    /// Sends a second.
    package private(set) var rate = Limiter.first
    /// Nothing is sent before.
    package private(set) var restsUntil: Duration = .zero
    /// Sends that are free now, and when that was reckoned.
    private var tokens = 1.0
    private var reckoned: Duration = .zero
    /// When the rate grows next.
    private var growsAt: Duration = .zero
    /// Complaints since the last answer that was none.
    private var complaints = 0

    package init() {}

    /// Whether it limits no more.
    package var isOver: Bool { rate >= Self.most }

    /// The receiver said "too many".
    ///
    /// - Parameter wish: how long it wants to be left alone.
    package mutating func complained(at now: Duration, wish: Duration?) {
        // What was on the wire together complains together: that is one complaint.
        if now >= restsUntil {
            complaints += 1
            if complaints > 1 || growsAt > .zero { rate = max(Self.least, rate / 2) }
        }
        let rest = min(Duration.seconds(1) * (1 << min(complaints - 1, 6)), Self.longestRest)
        restsUntil = max(restsUntil, now + (wish ?? rest))
        (tokens, reckoned, growsAt) = (1, restsUntil, restsUntil + .seconds(1))
    }

    /// The receiver took one.
    package mutating func answered(at now: Duration) {
        complaints = 0
        guard now >= growsAt else { return }
        rate *= 1.5
        growsAt = now + .seconds(1)
    }

    /// How many may be sent now.
    package mutating func free(at now: Duration) -> Int {
        guard now >= restsUntil else { return 0 }
        if now > reckoned {
            tokens = min(max(1, rate / 4), tokens + rate * Double((now - reckoned).milliseconds) / 1000)
            reckoned = now
        }
        return Int(tokens)
    }

    /// One is sent.
    package mutating func take() { tokens -= 1 }

    /// When the next may be sent; now, or later.
    package mutating func next(at now: Duration) -> Duration {
        guard free(at: now) < 1 else { return now }
        return max(restsUntil, now + .milliseconds(Int64(((1 - tokens) / rate * 1000).rounded(.up))))
    }
}
