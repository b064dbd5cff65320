public import CarillonEvents
import Glibc

/// When a failed delivery is tried again, and when it is given up.
///
/// The span doubles (by `factor`) from `first` to `max`; the delay is any point of that span (full jitter), so that
/// deliveries that failed together do not return together. A receiver's `Retry-After` is a lower bound: the jitter
/// comes on top of it, or all who were told "30 s" would come back in the same instant.
public struct RetrySchedule: Sendable, Equatable {
    /// The longest `Retry-After` that is obeyed; a longer wish is cut to it.
    public static let longestWish = Duration.seconds(3600)

    /// The span after the first failure.
    public var first: Duration
    /// How much wider each next span is; at least 1.
    public var factor: Double
    /// The widest span.
    public var max: Duration
    /// How long after its round began a delivery is dead.
    public var giveUpAfter: Duration

    /// Makes a schedule.
    ///
    /// Traps on a negative duration or a factor below 1: the config reader has refused those.
    public init(
        first: Duration = .seconds(5), factor: Double = 2, max: Duration = .seconds(600),
        giveUpAfter: Duration = .seconds(86_400)
    ) {
        precondition(first >= .zero && max >= .zero && giveUpAfter >= .zero, "a retry schedule of negative durations")
        precondition(factor >= 1 && factor.isFinite, "a retry schedule whose spans shrink")
        (self.first, self.factor, self.max, self.giveUpAfter) = (first, factor, max, giveUpAfter)
    }

    /// Says when to try again.
    ///
    /// - Parameters:
    ///   - attempts: tries that failed so far, at least 1. Traps otherwise: the caller counted wrong.
    ///   - roundBegan: when the delivery was first owed, or was reopened by hand.
    ///   - notBefore: the receiver's wish, from now; at most `longestWish` of it is obeyed.
    /// - Returns: the moment of the next try; `nil` when it would lie behind the end of the round: the delivery is
    /// dead.
    public func next(
        after attempts: Int, roundBegan: Timestamp, now: Timestamp, notBefore: Duration?,
        using random: inout some RandomNumberGenerator
    ) -> Timestamp? {
        let wish = Swift.min(Swift.max(notBefore ?? .zero, .zero), Self.longestWish)
        let jitter = Int64.random(in: 0...span(after: attempts).milliseconds, using: &random)
        let at = now + wish + .milliseconds(jitter)
        return at - roundBegan <= giveUpAfter ? at : nil
    }

    /// The widest delay after so many failed tries, without a receiver's wish.
    public func span(after attempts: Int) -> Duration {
        precondition(attempts >= 1, "the retry schedule was asked before any try was made")
        guard first > .zero else { return .zero }
        let growth = pow(factor, Double(attempts - 1))
        let widened = Double(first.milliseconds) * growth
        return widened < Double(max.milliseconds) ? .milliseconds(Int64(widened)) : max
    }
}
