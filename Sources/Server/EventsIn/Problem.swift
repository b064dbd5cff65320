import CarillonEvents
import CarillonStream

/// An answer that says why not and what to do, as RFC 9457 has it.
struct Problem: Error, Sendable {
    /// The HTTP status.
    enum Status: Int, Sendable {
        case badRequest = 400
        case unauthorized = 401
        case forbidden = 403
        case tooLarge = 413
        case unsupported = 415
        case tooMany = 429
        case unavailable = 503
    }

    /// One event at fault.
    struct Fault: Sendable {
        /// Its place in the request, from 0.
        let index: Int
        let detail: String
        /// The byte of the request's body where the fault is, when it has a place.
        var offset: Int?
        var isTooLarge = false

        init(_ index: Int, _ detail: String) { (self.index, self.detail) = (index, detail) }

        init(_ index: Int, _ error: EventError, from start: Int = 0) {
            (self.index, detail) = (index, error.description)
            offset = error.offset.map { start + $0 }
            if case .tooLarge = error.kind { isTooLarge = true }
        }
    }

    /// What kind of problem, stable over versions; its name is the last part of `type`.
    enum Kind: String, Sendable {
        case closed, token, outsideToken, format, notJSON, invalidEvent, tooLarge, incomplete, full, streamAway

        var title: String {
            switch self {
            case .closed: "Events are not taken here"
            case .token: "No token, or none that is known"
            case .outsideToken: "Events outside what the token may send"
            case .format: "No CloudEvents format that is read here"
            case .notJSON: "The batch is not a JSON array"
            case .invalidEvent: "Not a valid event"
            case .tooLarge: "Larger than is taken"
            case .incomplete: "The request ended before its body did"
            case .full: "Too much at once"
            case .streamAway: "The stream is away"
            }
        }

        /// As in `urn:carillon:problem:stream-away`.
        var name: String {
            rawValue == "notJSON"
                ? "not-json" : rawValue.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
        }
    }

    let status: Status
    let kind: Kind
    let detail: String
    var faults: [Fault] = []
    /// Seconds after which to try again.
    var retryAfter: Int?

    init(_ status: Status, _ kind: Kind, _ detail: String, faults: [Fault] = [], retryAfter: Int? = nil) {
        (self.status, self.kind, self.detail) = (status, kind, detail)
        (self.faults, self.retryAfter) = (faults, retryAfter)
    }

    init(invalid faults: [Fault], of count: Int) {
        self.init(
            faults.allSatisfy(\.isTooLarge) ? .tooLarge : .badRequest, .invalidEvent,
            count == 1
                ? faults.first?.detail ?? "" : "\(faults.count) of \(count) events are not valid; none was taken",
            faults: faults)
    }

    /// What the stream's refusal means to the sender.
    init(_ error: StreamError) {
        if error.kind == .tooLarge {
            self = .tooLarge("the stream takes no event of this size")
        } else {
            self.init(
                .unavailable, .streamAway, "\(error); nothing was taken, send the same again later", retryAfter: 5)
        }
    }

    static func unauthorized(_ detail: String) -> Problem { Problem(.unauthorized, .token, detail) }
    static func tooLarge(_ detail: String) -> Problem { Problem(.tooLarge, .tooLarge, detail) }
    static func unsupported(_ detail: String) -> Problem { Problem(.unsupported, .format, detail) }
    static let full = Problem(
        .tooMany, .full, "more is on its way than this server keeps in memory; send the same again", retryAfter: 1)

    /// At most so many events at fault are listed.
    private static let listed = 20

    /// The answer's body.
    var json: [UInt8] {
        var bytes = Array("{\"type\":\"urn:carillon:problem:\(kind.name)\",\"title\":\"\(kind.title)\"".utf8)
        bytes += ",\"status\":\(status.rawValue),\"detail\":".utf8
        JSON.append(quoted: Self.line(detail), to: &bytes)
        if !faults.isEmpty { list(&bytes) }
        return bytes + "}\n".utf8
    }

    private func list(_ bytes: inout [UInt8]) {
        bytes += ",\"errors\":[".utf8
        for (number, fault) in faults.prefix(Self.listed).enumerated() {
            bytes += "\(number == 0 ? "" : ",")\n {\"index\":\(fault.index),\"detail\":".utf8
            JSON.append(quoted: Self.line(fault.detail), to: &bytes)
            if let offset = fault.offset { bytes += ",\"offset\":\(offset)".utf8 }
            bytes += "}".utf8
        }
        bytes += "]".utf8
        if faults.count > Self.listed { bytes += ",\"more\":\(faults.count - Self.listed)".utf8 }
    }

    /// What others wrote, short and without control characters.
    private static func line(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars.prefix(500) {
            line.unicodeScalars.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
        }
        return line
    }
}
