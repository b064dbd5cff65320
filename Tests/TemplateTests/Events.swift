import CarillonEvents
import CarillonRules
import Testing

/// An event; `more` are raw members before `data`.
func event(more: String = "", data: String = "{}") -> [UInt8] {
    let head =
        #"{"specversion":"1.0","id":"1","source":"/s","type":"job.failed","workspace":"vision","subject":"dlc-7","#
    return Array((head + more + "\"data\":\(data)}").utf8)
}

/// What a title or a message says of an event.
func notice(_ template: String, _ event: [UInt8]) throws -> String {
    try Template(template).render(event.span, try CloudEvents.outline(event.span))
}

/// Whether a condition is true of an event.
func holds(_ condition: String, _ event: [UInt8]) throws -> Bool {
    try Condition(condition).holds(event.span, try CloudEvents.outline(event.span))
}
