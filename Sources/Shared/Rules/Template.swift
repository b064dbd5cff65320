public import CarillonEvents

/// A text with places to fill from an event, in Jinja's language.
///
/// What it may do is bounded: it loops over what it is given, calls nothing but the filters, tests and functions listed
/// in `Docs/rules.md`, and ends with an error when it takes too many steps or makes too long a text.
public struct Template: Sendable, Hashable {
    /// The most a template may hold, in bytes.
    public static let longestSource = 16 << 10
    /// The most a notice's text may hold, in bytes; what is longer is cut at a whole character and ends in "…".
    public static let longestText = 16 << 10

    /// What a text is for.
    public enum Purpose: Sendable, Hashable {
        /// A title or a message: what is missing or null is "-", a field of what is missing too, a long text is cut.
        case notice
        /// The same for HTML: what the event brings is escaped.
        case markup
        /// The body of a request: plain Jinja, where a missing field is empty and a field of it an error.
        case body
        /// Plain Jinja with more room, for trying out; texts from the event are escaped when `escaping`.
        case trial(escaping: Bool)
    }

    /// The text it was made of.
    public let source: String
    /// What it is for.
    public let purpose: Purpose
    private let program: Program

    /// Reads a template.
    ///
    /// - Throws: the first fault, with its place.
    public init(_ text: String, for purpose: Purpose = .notice) throws(TemplateError) {
        (source, self.purpose) = (text, purpose)
        program = try TemplateParser.program(text, limit: purpose.style.limit)
    }

    /// The text for an event that has been checked.
    ///
    /// The event's attributes are the variables.
    ///
    /// - Throws: when an operation cannot be done with the event's values or passes a bound.
    public func render(_ text: Span<UInt8>, _ outline: EventOutline) throws(TemplateError) -> String {
        String(decoding: try bytes(text, outline, Slice(0, text.count)), as: UTF8.self)
    }

    /// The text for any JSON object that has been checked; its members are the variables.
    ///
    /// - Throws: when an operation cannot be done with the object's values or passes a bound.
    public func render(object text: Span<UInt8>) throws(TemplateError) -> String {
        String(decoding: try bytes(text, nil, JSON.value(in: text, at: 0) ?? Slice(0, 0)), as: UTF8.self)
    }

    private func bytes(_ text: Span<UInt8>, _ outline: EventOutline?, _ root: Slice) throws(TemplateError) -> [UInt8] {
        var run = Run(program, purpose.style, outline: outline, root: root)
        run.output.reserveCapacity(program.literals.count + 64)
        try run.render(program.body, text)
        guard let most = purpose.style.cuts, run.output.count > most else { return run.output }
        var end = most - 3  // the ellipsis is three bytes
        while end > 0, run.output[end] & 0xC0 == 0x80 { end -= 1 }
        return run.output[..<end] + Array("…".utf8)
    }

    /// Two are equal when they say the same for the same.
    public static func == (a: Self, b: Self) -> Bool { a.source == b.source && a.purpose == b.purpose }
    /// Hashes what equality compares.
    public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}

extension Template.Purpose {
    fileprivate var style: TemplateStyle {
        switch self {
        case .notice: TemplateStyle(dash: true, chains: true, cuts: Template.longestText)
        case .markup: TemplateStyle(dash: true, chains: true, escapes: true, cuts: Template.longestText)
        case .body: TemplateStyle()
        case .trial(let escaping): TemplateStyle(escapes: escaping, limit: .trial)
        }
    }
}

/// A Jinja expression over an event that is true or false.
public struct Condition: Sendable, Hashable {
    /// The text it was made of.
    public let source: String
    private let program: Program
    private let node: NodeID

    /// Reads an expression, as it stands or between `{{` and `}}`.
    ///
    /// - Throws: the first fault, with its place.
    public init(_ text: String) throws(TemplateError) {
        source = text
        let isTagged = text.unicodeScalars.first { !PythonText.isSpace($0) } == "{" && Self.opensTag(text)
        program =
            try isTagged
            ? TemplateParser.program(text, limit: .rule) : TemplateParser.expression(text, limit: .rule)
        guard let node = Self.expression(of: program) else {
            throw TemplateError(
                reason:
                    "a condition is one expression, such as data.exitCode == 137; statements and text around it are not",
                offset: 0)
        }
        self.node = node
    }

    private static func opensTag(_ text: String) -> Bool {
        let scalars = text.unicodeScalars.drop(while: PythonText.isSpace)
        return ["{{", "{%", "{#"].contains { scalars.starts(with: $0.unicodeScalars) }
    }

    /// The one expression a template puts out, when that is all it does.
    private static func expression(of program: Program) -> NodeID? {
        var found: NodeID?
        for statement in program.body {
            switch statement {
            case .text(let start, let end):
                let isSpace = program.literals[start..<end].allSatisfy { $0 <= 0x20 }
                guard isSpace else { return nil }
            case .output(let node):
                guard found == nil else { return nil }
                found = node
            default: return nil
            }
        }
        return found
    }

    /// Whether it is true of an event that has been checked.
    ///
    /// - Throws: when an operation cannot be done with the event's values, such as comparing a missing field, or passes
    ///   a bound.
    public func holds(_ text: Span<UInt8>, _ outline: EventOutline) throws(TemplateError) -> Bool {
        var run = Run(program, TemplateStyle(), outline: outline, root: Slice(0, text.count))
        let value = try run.evaluate(node, text)
        return try run.isTrue(value, text)
    }

    /// Its value for an event that has been checked, as text.
    ///
    /// - Throws: as `holds` does.
    public func value(_ text: Span<UInt8>, _ outline: EventOutline) throws(TemplateError) -> String {
        var run = Run(program, TemplateStyle(), outline: outline, root: Slice(0, text.count))
        let value = try run.evaluate(node, text)
        return String(decoding: try run.string(value, text), as: UTF8.self)
    }

    /// Two are equal when they are written alike.
    public static func == (a: Self, b: Self) -> Bool { a.source == b.source }
    /// Hashes what equality compares.
    public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}
