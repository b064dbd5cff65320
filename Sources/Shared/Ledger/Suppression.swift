/// Why a selected event sends nothing.
public enum Suppression: String, Sendable, CaseIterable {
    /// The event was older than `delivery.max_event_age` when it was decided.
    case stale
    /// The rule's `expire_after` had passed when it was decided.
    case expired
    /// Too few events had come within the span that the rule asks for; `by` says how many of them had.
    case after
    /// An earlier event of the rule's dedup window was sent.
    case dedup
    /// The deployment lets no channel of the target carry this event: its type or its region is not among the channel's.
    case channel
    /// A silence held when it was decided; `by` is its number.
    case silence
    /// Another rule, `by`, told the same person of the event on the same channel.
    case alreadySent = "already_sent"
    /// The event's owner, `by`, is no contact, or the event names none.
    case noContact = "no_contact"
    /// The contact `by` has no address on the channel.
    case noAddress = "no_address"
}
