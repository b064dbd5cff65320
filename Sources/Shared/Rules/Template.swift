public import CarillonEvents

// The text of a notification, first form: plain text with fields of the event put in. The whole language is Jinja's; what
// is more than a field is refused today, so that no template changes its meaning when it is built.

/// Why a text is no template, and where.
public struct TemplateError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong; begins with "not yet" where a later version may take it.
    public let reason: String
    /// Where, in Unicode scalars from the text's start.
    public let offset: Int

    /// Makes one.
    public init(reason: String, offset: Int) { (self.reason, self.offset) = (reason, offset) }
    /// The reason with its place.
    public var description: String { "\(reason) (at character \(offset + 1))" }
}

/// A text with places such as `{{ subject }}`, `{{ data.labels.team }}` and `{{ data.items[0] }}` to fill from an event.
public struct Template: Sendable, Hashable {
    /// The most a template may hold, in bytes.
    public static let longestSource = 16 << 10
    /// The most a rendered text may hold, in bytes; what is longer is cut at a whole character and ends in "…".
    public static let longestText = 16 << 10

    private enum Part: Sendable, Hashable { case text(String), field(FieldPath) }
    private let parts: [Part]
    /// The text it was made of.
    public let source: String

    /// Reads a template.
    public init(_ text: String) throws(TemplateError) {
        guard text.utf8.count <= Self.longestSource else {
            throw TemplateError(reason: "longer than \(Self.longestSource >> 10) KiB", offset: 0)
        }
        source = text
        var parts: [Part] = []
        var scanner = TemplateScanner(text)
        while let piece = try scanner.next() {
            switch piece {
            case .text(let text): parts.append(.text(text))
            case .field(let path): parts.append(.field(path))
            }
        }
        self.parts = parts
    }

    /// The text for an event that has been checked.
    ///
    /// Strings stand as they are, numbers as they were spelled, lists and objects as compact JSON. What is missing or
    /// null is "-".
    public func render(_ text: Span<UInt8>, _ outline: EventOutline) -> String {
        var bytes: [UInt8] = []
        for part in parts where bytes.count <= Self.longestText {
            switch part {
            case .text(let literal): bytes.append(contentsOf: literal.utf8)
            case .field(let path): path.append(from: text, outline, to: &bytes)
            }
        }
        return Self.cut(bytes)
    }

    private static func cut(_ bytes: [UInt8]) -> String {
        guard bytes.count > longestText else { return String(decoding: bytes, as: UTF8.self) }
        var end = longestText - 3  // the ellipsis is three bytes
        while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return String(decoding: bytes[..<end], as: UTF8.self) + "…"
    }
}

/// The way to a field of an event.
struct FieldPath: Sendable, Hashable {
    enum Step: Sendable, Hashable { case key(String), index(Int) }
    let steps: [Step]

    /// The field's raw JSON; `nil` when the event lacks it.
    func find(in text: Span<UInt8>, _ outline: EventOutline) -> Slice? {
        guard case .key(let first)? = steps.first, var found = outline.attribute(first, in: text) else { return nil }
        for step in steps.dropFirst() {
            let inner: Slice? =
                switch step {
                case .key(let key): JSON.member(key, of: found, in: text)
                case .index(let index): Self.element(index, of: found, in: text)
                }
            guard let inner else { return nil }
            found = inner
        }
        return found
    }

    private static func element(_ index: Int, of array: Slice, in text: Span<UInt8>) -> Slice? {
        var left = index
        var found: Slice?
        JSON.elements(of: array, in: text) { element in
            found = left == 0 ? element : nil
            left -= 1
            return left >= 0
        }
        return found
    }

    /// Appends the field as a reader wants it.
    func append(from text: Span<UInt8>, _ outline: EventOutline, to bytes: inout [UInt8]) {
        guard let value = find(in: text, outline) else { return bytes.append(UInt8(ascii: "-")) }
        switch JSON.kind(of: value, in: text) {
        case .null: bytes.append(UInt8(ascii: "-"))
        case .string: bytes.append(contentsOf: (JSON.string(value, in: text) ?? "-").utf8)
        case .number, .bool: for i in value.range { bytes.append(text[i]) }
        case .object, .array: Self.appendCompact(value, of: text, to: &bytes)
        }
    }

    /// Appends JSON without the white space between its tokens.
    private static func appendCompact(_ value: Slice, of text: Span<UInt8>, to bytes: inout [UInt8]) {
        var isInString = false
        var i = value.start
        while i < value.end, bytes.count <= Template.longestText {
            let byte = text[i]
            if isInString, byte == UInt8(ascii: "\\"), i + 1 < value.end {
                bytes.append(byte)
                i += 1
            } else if byte == UInt8(ascii: "\"") {
                isInString.toggle()
            }
            if isInString || byte > 0x20 { bytes.append(text[i]) }
            i += 1
        }
    }
}

extension EventOutline {
    /// The raw value of an attribute of the event.
    func attribute(_ name: String, in text: Span<UInt8>) -> Slice? {
        switch name {
        case "id": id
        case "source": source
        case "type": type
        case "workspace": workspace
        case "subject": subject
        case "time": time
        case "data": data
        default: JSON.value(in: text, at: 0).flatMap { JSON.member(name, of: $0, in: text) }
        }
    }
}

/// Cuts a template into its pieces.
private struct TemplateScanner {
    enum Piece { case text(String), field(FieldPath) }
    private let scalars: [Unicode.Scalar]
    private var i = 0

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func next() throws(TemplateError) -> Piece? {
        guard i < scalars.count else { return nil }
        if begins("{{", at: i) { return .field(try field()) }
        let start = i
        while i < scalars.count, !begins("{{", at: i) {
            if begins("{%", at: i) { throw notYet("statements ({% %})", at: i) }
            if begins("{#", at: i) { throw notYet("comments ({# #})", at: i) }
            i += 1
        }
        return .text(string(start..<i))
    }

    private mutating func field() throws(TemplateError) -> FieldPath {
        let open = i
        i += 2
        if begins("-", at: i) || begins("+", at: i) { throw notYet("white space control ({{- and {{+)", at: i) }
        skipSpace()
        if begins("}}", at: i) { throw TemplateError(reason: "'{{ }}' names no field", offset: open) }
        var steps: [FieldPath.Step] = [.key(try name(in: open))]
        while i < scalars.count, scalars[i] == "." || scalars[i] == "[" {
            let isIndex = scalars[i] == "["
            i += 1
            steps.append(isIndex ? .index(try index()) : .key(try name(in: open)))
        }
        skipSpace()
        guard begins("}}", at: i) else { throw unexpected(in: open) }
        i += 2
        return FieldPath(steps: steps)
    }

    private mutating func name(in open: Int) throws(TemplateError) -> String {
        let start = i
        while i < scalars.count, isNameSign(scalars[i]), i > start || !("0"..."9").contains(scalars[i]) { i += 1 }
        guard i > start else { throw unexpected(in: open) }
        let name = string(start..<i)
        if ["not", "true", "false", "none", "True", "False", "None"].contains(name) {
            throw notYet("'\(name)'", at: start)
        }
        return name
    }

    private mutating func index() throws(TemplateError) -> Int {
        let start = i
        while i < scalars.count, ("0"..."9").contains(scalars[i]) { i += 1 }
        guard i < scalars.count, scalars[i] == "]", let index = Int(string(start..<i)) else {
            throw notYet("anything but a number from 0 in brackets", at: start)
        }
        i += 1
        return index
    }

    private func unexpected(in open: Int) -> TemplateError {
        guard (open..<scalars.count - 1).contains(where: { begins("}}", at: $0) }) else {
            return TemplateError(reason: "'{{' is never closed by '}}'", offset: open)
        }
        if begins("}}", at: i) || scalars[i].properties.isWhitespace { return TemplateError(reason: "a field's name is missing here", offset: i) }
        var end = i + 1
        while end < scalars.count, isNameSign(scalars[i]), isNameSign(scalars[end]) { end += 1 }
        return notYet("'\(string(i..<end).shortened)' between '{{' and '}}'", at: i)
    }

    private func notYet(_ what: String, at offset: Int) -> TemplateError {
        TemplateError(
            reason: "not yet: \(what); this build fills in plain fields, such as {{ data.labels.team }}", offset: offset)
    }

    private mutating func skipSpace() {
        while i < scalars.count, scalars[i].properties.isWhitespace { i += 1 }
    }

    private func begins(_ word: String, at place: Int) -> Bool {
        place >= 0 && scalars[min(place, scalars.count)...].starts(with: word.unicodeScalars)
    }

    private func isNameSign(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
    }

    private func string(_ range: Range<Int>) -> String { String(String.UnicodeScalarView(scalars[range])) }
}
