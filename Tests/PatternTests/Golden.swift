import CarillonEvents
import CarillonRules
import Testing

/// A pattern and an event, and whether the one fits the other.
struct Golden: Sendable, CustomTestStringConvertible {
    let pattern, event: String
    let fits: Bool

    var testDescription: String { "\(pattern) \(fits ? "fits" : "does not fit") \(event)" }

    static func fits(_ pattern: String, _ events: String...) -> [Golden] {
        events.map { Golden(pattern: pattern, event: $0, fits: true) }
    }
    static func not(_ pattern: String, _ events: String...) -> [Golden] {
        events.map { Golden(pattern: pattern, event: $0, fits: false) }
    }
}

/// A pattern that is refused, with its path and words of the reason.
struct Refused: Sendable, CustomTestStringConvertible {
    let pattern, path, reason: String

    init(_ pattern: String, _ path: String, _ reason: String) {
        (self.pattern, self.path, self.reason) = (pattern, path, reason)
    }

    var testDescription: String { pattern }
}

/// Whether one object fits one pattern.
func fits(_ pattern: String, _ event: String) throws -> Bool {
    let bytes = Array(event.utf8)
    try JSON.check(bytes.span)
    var scratch = MatchScratch()
    return try CompiledPattern(pattern).matches(bytes.span, using: &scratch)
}

/// The goldens of all lists.
func all(_ parts: [Golden]...) -> [Golden] { parts.flatMap(\.self) }
