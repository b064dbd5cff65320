/// Why an event is refused: the attribute or byte at fault, what is expected and what to do.
public struct EventError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The class of the fault.
    public enum Kind: Sendable, Hashable {
        /// The text is not JSON.
        case json(JSONError)
        /// The text is JSON, but not one object.
        case notAnObject(found: String)
        /// A required attribute is absent (or null, which CloudEvents counts as absent).
        case missing(attribute: String)
        /// An attribute's value has the wrong JSON type.
        case wrongType(attribute: String, expected: String)
        /// An attribute that has to say something is "".
        case empty(attribute: String)
        /// An attribute's text contains U+0000, which neither headers nor databases carry.
        case nul(attribute: String)
        /// A name CloudEvents does not allow for an attribute.
        case badAttributeName(String)
        /// An event of another CloudEvents version.
        case specversion(found: String)
        /// `time` is not a moment as RFC 3339 writes it.
        case badTime(found: String)
        /// An attribute stands twice at the top level.
        case duplicateKey(name: String)
        /// The event has both `data` and `data_base64`.
        case dataTwice
        /// `data_base64` is not base64.
        case badBase64
        /// The structured event has more bytes than a stream takes.
        case tooLarge(bytes: Int, limit: Int)
        /// A header of the binary form cannot become an attribute.
        case badHeader(name: String, reason: String)
        /// A batch of events where one event is expected.
        case batch
        /// A number JSON cannot write: infinite, or not a number.
        case notFinite(member: String)
    }
    /// The class of the fault.
    public let kind: Kind
    /// Offset of the fault in the text that was given, where there is one.
    public let offset: Int?

    /// Makes one.
    public init(_ kind: Kind, at offset: Int? = nil) { (self.kind, self.offset) = (kind, offset) }

    /// What is wrong, where and what to do, on one line without control characters.
    public var description: String {
        let place = if case .json = kind { "" } else { offset.map { " (at byte \($0))" } ?? "" }
        return "event could not be accepted: \(kind.words)\(place)"
    }
}

extension EventError.Kind {
    var words: String {
        switch self {
        case .json(let fault): "not JSON: \(fault)"
        case .notAnObject(let found): "an event is a JSON object, this is \(found)"
        case .missing(let name): Self.missingWords(name)
        case .wrongType(let name, let expected): "'\(Self.shown(name))' has to be \(expected)"
        case .empty(let name): "'\(name)' is empty; give it a value or leave it out"
        case .nul(let name): "'\(name)' contains U+0000; remove it"
        case .badAttributeName(let name):
            "'\(Self.shown(name))' cannot name an attribute (only a-z and 0-9); put it into data"
        case .specversion(let found): "specversion is \(Self.shown(found)); only \"1.0\" is known"
        case .badTime(let found): "time is \(Self.shown(found)); write it as RFC 3339: \"2026-01-05T08:00:00.250Z\""
        case .duplicateKey(let name): "'\(Self.shown(name))' stands twice; keep one"
        case .dataTwice: "'data' and 'data_base64' exclude each other; keep one"
        case .badBase64: "'data_base64' is not base64 (RFC 4648, padded)"
        case .tooLarge(let bytes, let limit):
            "it has \(bytes) bytes, the limit is \(limit); put what is large behind a URL"
        case .badHeader(let name, let reason): "header '\(Self.shown(name))' \(reason)"
        case .batch: "a batch stands where one event is expected; send each event by itself"
        case .notFinite(let member): "data '\(Self.shown(member))' is not a finite number"
        }
    }

    private static func missingWords(_ name: String) -> String {
        switch name {
        case "workspace": "'workspace' is missing; set it (or partitionkey) to the workspace the job belongs to"
        case "specversion": "'specversion' is missing; write \"specversion\":\"1.0\""
        default: "'\(name)' is missing; it is a required, non-empty string"
        }
    }

    /// What came from outside, short enough for a line and without control characters.
    static func shown(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars.prefix(65) {
            if shown.unicodeScalars.count == 64 { return shown + "…" }
            let isControl = scalar.properties.generalCategory == .control
            shown.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
        }
        return shown
    }
}
