public import CarillonEvents

// `dedup: {by, within}`: which events are news of the same thing. What opens a window and what falls into one is the
// ledger's to decide, as only it sees all workers; here is what two events of one window have in common.

/// A rule's wish to hear of the same thing once in a while.
public struct Dedup: Sendable, Hashable {
    /// How long a window may last.
    static let span = Duration.seconds(1)...Duration.seconds(30 * 86_400)
    /// How many fields may tell things apart.
    static let mostPaths = 16

    /// The fields that tell things apart, at least one, each once.
    public let by: [EventPath]
    /// How long a window lasts, from 1 s to 30 d.
    public let within: Duration

    /// Makes one from parts the caller has checked.
    public init(by: [EventPath], within: Duration) { (self.by, self.within) = (by, within) }

    /// What an event that has been checked says in these fields: equal lists mean the same thing.
    public func values(in text: Span<UInt8>, _ outline: EventOutline) -> [(path: String, value: [UInt8])] {
        by.map { ($0.text, $0.canonical(in: text, outline)) }
    }
}

/// The way to a field of an event, names with dots between: `subject`, `data.labels.team`, `data.items.0.name`.
public struct EventPath: Sendable, Hashable {
    /// The path as documents write it.
    public let text: String
    let names: [String]

    /// The field's value as canonical JSON: equal values are equal bytes, however they are spelled.
    ///
    /// Empty when the event lacks the field, which is a value of its own and not `null`. Numbers are equal by value,
    /// strings by their characters, lists by their elements in order, objects by their members in any order.
    public func canonical(in text: Span<UInt8>, _ outline: EventOutline) -> [UInt8] {
        var bytes: [UInt8] = []
        if let found = find(in: text, outline) { JSON.append(canonical: found, of: text, to: &bytes) }
        return bytes
    }

    private func find(in text: Span<UInt8>, _ outline: EventOutline) -> Slice? {
        guard let first = names.first, var found = outline.attribute(first, in: text) else { return nil }
        for name in names.dropFirst() {
            guard let inner = Self.step(name, into: found, of: text) else { return nil }
            found = inner
        }
        return found
    }

    private static func step(_ name: String, into value: Slice, of text: Span<UInt8>) -> Slice? {
        guard JSON.kind(of: value, in: text) == .array else { return JSON.member(name, of: value, in: text) }
        guard name.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let index = UInt(name) else { return nil }
        var left = index
        var found: Slice?
        JSON.elements(of: value, in: text) { element in
            found = left == 0 ? element : nil
            if left == 0 { return false }
            left -= 1
            return true
        }
        return found
    }
}

extension JSON {
    /// Appends a checked value in the one spelling that all equal values share.
    fileprivate static func append(canonical value: Slice, of text: Span<UInt8>, to bytes: inout [UInt8]) {
        switch kind(of: value, in: text) {
        case .null: bytes += Array("null".utf8)
        case .bool, .number:
            let spelled = text.extracting(value.range)
            if kind(of: value, in: text) == .number, CanonicalNumber.append(spelled, to: &bytes) { return }
            for i in 0..<spelled.count { bytes.append(spelled[i]) }
        case .string: append(quoted: string(value, in: text) ?? "", to: &bytes)
        case .array:
            var separator = UInt8(ascii: "[")
            elements(of: value, in: text) { element in
                bytes.append(separator)
                append(canonical: element, of: text, to: &bytes)
                separator = UInt8(ascii: ",")
                return true
            }
            if separator == UInt8(ascii: "[") { bytes.append(separator) }
            bytes.append(UInt8(ascii: "]"))
        case .object: append(sorted: value, of: text, to: &bytes)
        }
    }

    private static func append(sorted object: Slice, of text: Span<UInt8>, to bytes: inout [UInt8]) {
        var found: [(name: [UInt8], value: Slice)] = []
        members(of: object, in: text) { name, value in
            found.append((Array((string(name, in: text) ?? "").utf8), value))
            return true
        }
        found.sort { $0.name.lexicographicallyPrecedes($1.name) }
        bytes.append(UInt8(ascii: "{"))
        for (place, member) in found.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            append(quoted: member.name.span, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            append(canonical: member.value, of: text, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }
}

// MARK: - Reading

extension Dedup {
    private static let vocabulary = Vocabulary("a dedup window", known: ["by", "within"])

    /// Reads the value of a rule's `dedup`; `nil` when something in it was reported.
    init?(_ tree: Tree, _ findings: inout Findings) {
        guard let fields = Fields(tree, Self.vocabulary, &findings) else { return nil }
        let by = fields.required("by", in: "a dedup window", &findings).flatMap {
            Self.paths($0, for: "one window in all", &findings)
        }
        let within = fields.required("within", in: "a dedup window", &findings)?
            .duration("'within'", in: Self.span, &findings)
        guard let by, let within else { return nil }
        self.init(by: by, within: within)
    }

    /// Reads the fields that tell things apart, and says of none what there would be by `workspace`.
    static func paths(_ tree: Tree, for one: String, _ findings: inout Findings) -> [EventPath]? {
        guard let items = tree.list("'by'", &findings) else { return nil }
        guard !items.isEmpty else {
            findings.report(
                "'by' is empty; name what tells events apart, such as subject, or workspace for \(one)",
                at: tree.place)
            return nil
        }
        guard items.count <= mostPaths else {
            findings.report("'by' names at most \(mostPaths) fields, not \(items.count)", at: tree.place)
            return nil
        }
        let paths = items.compactMap { EventPath($0, &findings) }
        guard paths.count == items.count else { return nil }
        var kept: [EventPath] = []
        for (path, item) in zip(paths, items) {
            if kept.contains(path) {
                findings.warn("the field '\(path.text.shortened)' stands twice and counts once", at: item.place)
            } else {
                kept.append(path)
            }
        }
        return kept
    }
}

extension EventPath {
    private static let longest = 256
    /// What an event says in its data; written without `data.`, they would be attributes that no event has.
    private static let inData: Set<String> = [
        "kind", "name", "owner", "attempt", "maxAttempts", "final", "queue", "pool", "priority", "node", "reason",
        "message", "exitCode", "url", "labels", "results", "array", "pipeline", "model", "version", "from", "to",
        "spot",
        "limit",
    ]

    /// What the event is about.
    static let subject = EventPath(text: "subject", names: ["subject"])

    /// Reads a path; `nil` when something about it was reported.
    init?(_ tree: Tree, _ findings: inout Findings) {
        guard let text = tree.text("a field", &findings) else { return nil }
        if let fault = Self.fault(of: text) {
            findings.report("the field '\(text.shortened)' \(fault)", at: tree.place)
            return nil
        }
        self.text = text
        names = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if Self.inData.contains(names[0]) {
            findings.warn(
                "'\(text.shortened)' is no attribute of an event; did you mean 'data.\(text.shortened)'?",
                at: tree.place)
        }
    }

    private static func fault(of text: String) -> String? {
        if text.utf8.count > longest { return "is longer than \(longest) bytes" }
        if text.unicodeScalars.contains(where: \.isControl) { return "has a control character" }
        let names = text.split(separator: ".", omittingEmptySubsequences: false)
        return names.contains("") ? "has an empty name; write names with dots between, such as data.version" : nil
    }
}
