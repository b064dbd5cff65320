/// Why a template or a condition cannot be read, or gave no text, and where.
public struct TemplateError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The class of a fault, for whoever counts them.
    public enum Kind: Sendable, Hashable {
        /// The text is no template; it is refused before any event meets it.
        case syntax
        /// An operation cannot be done with the values of this event.
        case value
        /// The work or the result passed its bound.
        case limit
    }
    /// The class of the fault.
    public let kind: Kind
    /// What is wrong and, where it can be said, what to write instead.
    public let reason: String
    /// Where, in Unicode scalars from the text's start.
    public let offset: Int
    /// Where, as line and column, both from 1; a column counts Unicode scalars.
    public let line, column: Int

    /// Makes one.
    public init(kind: Kind = .syntax, reason: String, offset: Int, line: Int = 1, column: Int? = nil) {
        (self.kind, self.reason, self.offset) = (kind, reason, offset)
        (self.line, self.column) = (line, column ?? offset + 1)
    }
    /// The reason behind its place.
    public var description: String { "line \(line), column \(column): \(reason)" }
}

/// What one template may cost.
///
/// Everything hostile ends at one of these, as an error with its place.
struct TemplateLimit: Sendable {
    /// The longest source, in bytes.
    var source: Int
    /// Steps of work: a node evaluated, an element visited, some bytes copied.
    var steps: Int
    /// The longest text, of the result and of any string on the way, in bytes.
    var text: Int

    /// Parentheses, brackets and statements inside each other.
    static let nesting = 48
    /// The height of an expression: a chain of operators counts each.
    static let height = 200
    /// Lists inside lists that an expression may make.
    static let valueDepth = 100
    /// The most bits of a whole number; Python prints no more than 4,300 digits either.
    static let bits = 14_288
    /// The longest range, as Jinja's sandbox has it.
    static let range = 100_000

    /// For what rules say about an event: under ten milliseconds at the worst.
    static let rule = TemplateLimit(source: 16 << 10, steps: 50_000, text: 256 << 10)
    /// For templates tried out by hand.
    static let trial = TemplateLimit(source: 1 << 20, steps: 2_000_000, text: 4 << 20)
}
