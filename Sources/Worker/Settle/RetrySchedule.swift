public import CarillonEvents
import CarillonRules
import Glibc

/// When a failed delivery is tried again, and when it is given up.
///
/// The usual one: the span doubles (by `factor`) from `first` to `max`; the delay is any point of that span (full jitter), so
/// that deliveries that failed together do not return together. A named one has the delays its name promises.
///
/// A receiver's `Retry-After` is no matter of the schedule: the endpoint rests, and no try is counted.
public struct RetrySchedule: Sendable, Equatable {
    /// Schedules that others have made known, by the names they have there.
    public enum Name: String, Sendable, CaseIterable {
        /// EventBridge: three retries, each after 10 to 20 seconds.
        case backoff = "BACKOFF_RETRY"
        /// EventBridge: 176 retries, after 1, 2, 4 and so on to 512 seconds, for a day.
        case exponentialDecay = "EXPONENTIAL_DECAY_RETRY"
        /// The example of Standard Webhooks: nine retries in three days.
        case standardWebhooks = "STANDARD_WEBHOOKS"

        /// How many retries there are.
        public var retries: Int {
            switch self {
            case .backoff: 3
            case .exponentialDecay: 176
            case .standardWebhooks: Self.standard.count
            }
        }

        /// The delays that a retry may have.
        func delays(after attempts: Int) -> ClosedRange<Duration> {
            switch self {
            case .backoff: return .seconds(10) ... .seconds(20)
            case .exponentialDecay:
                let delay = Duration.seconds(1 << min(attempts - 1, 9))
                return delay...delay
            case .standardWebhooks:
                let delay = Duration.seconds(Self.standard[attempts - 1])
                return delay...delay
            }
        }

        /// 5 s, 5 min, 30 min, then hours.
        private static let standard = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    }

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
    /// Whose delays it has; `nil` for the spans above.
    public private(set) var name: Name?

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

    /// Makes the schedule of a name.
    ///
    /// It gives up after its last retry, and, for what waited so long behind an endpoint that was down, after the time that
    /// all its retries take, at least a day.
    public init(_ name: Name) {
        self.init()
        self.name = name
        let longest = (1...name.retries).reduce(Duration.zero) { $0 + name.delays(after: $1).upperBound }
        giveUpAfter = Swift.max(giveUpAfter, longest + .seconds(3600))
    }

    /// Makes what a document says of an endpoint; what it leaves out is the deployment's.
    init?(_ retry: EndpointRetry, over deployment: RetrySchedule) {
        switch retry {
        case .named(let name):
            guard let name = Name(rawValue: name.rawValue) else { return nil }
            self.init(name)
        case .own(let own):
            self.init(
                first: own.first ?? deployment.first, factor: own.factor ?? deployment.factor,
                max: own.max ?? Swift.max(own.first ?? .zero, deployment.max),
                giveUpAfter: own.giveUpAfter ?? deployment.giveUpAfter)
        }
    }

    /// Says when to try again.
    ///
    /// - Parameters:
    ///   - attempts: tries that failed so far, at least 1. Traps otherwise: the caller counted wrong.
    ///   - roundBegan: when the delivery was first owed, or was reopened by hand.
    /// - Returns: the moment of the next try; `nil` when it would lie behind the end of the round: the delivery is
    /// dead.
    public func next(
        after attempts: Int, roundBegan: Timestamp, now: Timestamp,
        using random: inout some RandomNumberGenerator
    ) -> Timestamp? {
        precondition(attempts >= 1, "the retry schedule was asked before any try was made")
        var delays = Duration.zero...span(after: attempts)
        if let name {
            guard attempts <= name.retries else { return nil }
            delays = name.delays(after: attempts)
        }
        let range = delays.lowerBound.milliseconds...delays.upperBound.milliseconds
        let delay = Duration.milliseconds(Int64.random(in: range, using: &random))
        let at = now + delay
        return at - roundBegan <= giveUpAfter ? at : nil
    }

    /// The widest delay after so many failed tries, without a receiver's wish.
    public func span(after attempts: Int) -> Duration {
        precondition(attempts >= 1, "the retry schedule was asked before any try was made")
        if let name { return attempts <= name.retries ? name.delays(after: attempts).upperBound : .zero }
        guard first > .zero else { return .zero }
        let growth = pow(factor, Double(attempts - 1))
        let widened = Double(first.milliseconds) * growth
        return widened < Double(max.milliseconds) ? .milliseconds(Int64(widened)) : max
    }
}
