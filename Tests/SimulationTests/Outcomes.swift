import CarillonEvents
import CarillonLedger

/// What a seed came to.
struct Outcomes: Sendable {
    var violations: [String] = []
    var events = 0, deliveries = 0, silenced = 0, copies = 0, deaths = 0, pauses = 0, digests = 0
    /// The last things that happened.
    var story: [String] = []
}

extension SuppressedRow {
    /// The id of its event.
    var eventID: String {
        let text = event.span
        return (try? CloudEvents.outline(text)).flatMap { JSON.string($0.id, in: text) } ?? ""
    }
}
