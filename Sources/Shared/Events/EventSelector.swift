/// One entry of a rule's `events`: which types of events it wants.
///
/// An exact type (`job.failed`), a pattern of whole segments (`job.*`: a `*` stands for exactly one segment, so that
/// `job.*` wants `job.failed` and neither `job` nor `job.array.failed`), or an alias (`job.finished`).
public struct EventSelector: Sendable, Hashable, CustomStringConvertible {
    /// Why an entry is refused, in words that say what to write.
    public struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
        /// The entry as it was written.
        public let text: String
        /// What is wrong with it.
        public let reason: String
        /// The entry and what is wrong with it, on one line.
        public var description: String { "events: '\(EventError.Kind.shown(text))' \(reason)" }
    }

    /// The names that stand for several types.
    public static let aliases: [String: [String]] = [
        "job.finished": [Lifecycle.Job.succeeded, Lifecycle.Job.failed],
        "job.ended": [Lifecycle.Job.succeeded, Lifecycle.Job.failed, Lifecycle.Job.stopped],
        "pipeline.finished": [Lifecycle.Pipeline.succeeded, Lifecycle.Pipeline.failed],
        "model.changed": [Lifecycle.Model.approved, Lifecycle.Model.rejected],
    ]

    /// The entry as it was written.
    public let text: String
    /// The exact types it wants, aliases resolved, so that a matcher may index them; `nil` when it is a pattern.
    public var types: [String]? { segments == nil ? exact : nil }

    private let exact: [String]
    private let exactBytes: [[UInt8]]
    /// The segments of a pattern; an empty one is the `*`, as no segment is empty.
    private let segments: [[UInt8]]?

    /// Reads one entry of a rule's `events`.
    public init(_ text: String) throws(Fault) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        if let reason = Self.fault(text, parts) { throw Fault(text: text, reason: reason) }
        self.text = text
        exact = parts.contains("*") ? [] : Self.aliases[text] ?? [text]
        exactBytes = exact.map { Array($0.utf8) }
        segments = parts.contains("*") ? parts.map { $0 == "*" ? [] : Array($0.utf8) } : nil
    }

    /// Whether it wants events of this type.
    public func selects(_ type: String) -> Bool { selects(type.utf8.span) }

    /// Whether it wants events of this type, given as UTF-8 without quotes.
    ///
    /// Allocates nothing.
    public func selects(_ type: Span<UInt8>) -> Bool {
        guard let segments else { return exactBytes.contains { type.equals($0.span) } }
        var start = 0
        for (place, segment) in segments.enumerated() {
            guard start <= type.count else { return false }
            var end = start
            while end < type.count, type[end] != UInt8(ascii: ".") { end += 1 }
            guard segment.isEmpty ? end > start : type.extracting(start..<end).equals(segment.span) else {
                return false
            }
            guard (place == segments.count - 1) == (end == type.count) else { return false }
            start = end + 1
        }
        return true
    }

    /// Whether some type is wanted by both.
    public func overlaps(_ other: EventSelector) -> Bool {
        guard let segments else { return exact.contains(where: other.selects) }
        guard let others = other.segments else { return other.exact.contains(where: selects) }
        return segments.count == others.count
            && zip(segments, others).allSatisfy { $0.isEmpty || $1.isEmpty || $0 == $1 }
    }

    /// Whether every type the other wants is wanted by this one.
    public func covers(_ other: EventSelector) -> Bool {
        guard let others = other.segments else { return other.exact.allSatisfy(selects) }
        guard let segments else { return false }
        return segments.count == others.count && zip(segments, others).allSatisfy { $0.isEmpty || $0 == $1 }
    }

    /// The entry as it was written.
    public var description: String { text }

    private static func fault(_ text: String, _ parts: [Substring]) -> String? {
        if text.isEmpty { return "is empty; name an event type, such as job.failed" }
        if text.unicodeScalars.contains(where: { $0.properties.isWhitespace || $0.value < 0x20 }) {
            return "contains white space or a control character; one entry names one type"
        }
        guard text.contains("*") else { return nil }
        if parts.contains(where: { $0 != "*" && $0.contains("*") }) {
            return "has '*' within a segment; '*' stands for one whole segment, as in job.*"
        }
        return parts.contains("") ? "has an empty segment; write segments as in job.*" : nil
    }
}

extension Span<UInt8> {
    /// Whether both have the same bytes.
    func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for i in 0..<count where self[i] != other[i] { return false }
        return true
    }
}
