public import CarillonEvents

/// How a leased delivery goes on.
public struct Settlement: Sendable {
    /// The next state.
    public enum Ending: Sendable, Equatable {
        /// The receiver has it.
        case delivered
        /// It failed and is tried again at a time.
        case retry(at: Timestamp)
        /// It failed for good.
        case dead
        /// It is not worth sending any more.
        case expired
        /// It was not tried: pending again, due at once.
        case released
        /// Its endpoint is not ready for it: pending again, due at a time, and that was no attempt.
        case postponed(until: Timestamp)
    }
    /// The reason of a delivery that may have arrived, ended so and is not sent again.
    public static let ambiguous = "ambiguous"

    /// Its row.
    public var delivery: DeliveryID
    /// The claim it was sent under.
    public var epoch: Int64
    /// The next state.
    public var ending: Ending
    /// The class of the failure or the reason of the expiry; empty when delivered.
    public var reason: String
    /// The HTTP status, 0 when there was none, and the receiver's own words.
    public var status: Int
    /// The receiver's own words, bounded.
    public var words: String
    /// With `retry` or `postponed`: what the receiver asked for at the least, so that nothing pulls the next try before it.
    public var notBefore: Timestamp?
    /// With `delivered`: what a person will read in the inbox.
    public var page: InboxPage?
    /// The scopes that the claim was charged to.
    public var scopes: [String] = []
    /// Whether the receiver may have got it, so that it counts in those scopes.
    public var isSpent = false
    /// Makes one.
    public init(
        delivery: DeliveryID, epoch: Int64, ending: Ending, reason: String = "", status: Int = 0, words: String = "",
        notBefore: Timestamp? = nil, page: InboxPage? = nil
    ) {
        (self.notBefore, self.page) = (notBefore, page)
        (self.delivery, self.epoch, self.ending) = (delivery, epoch, ending)
        (self.reason, self.status, self.words) = (reason, status, words)
    }
}
