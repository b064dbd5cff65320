// A template as it is kept: flat tables of small nodes that name each other by number, so that running one follows no
// references and copies none. The parser checks everything that can be checked without an event: names of filters and
// tests, depth and size.

/// The number of an expression in its program.
typealias NodeID = Int

/// A piece of an expression.
enum Operation: Sendable {
    case constant(Int)
    /// A variable, by its number among the names.
    case name(Int)
    case attribute(NodeID, name: Int)
    case item(NodeID, NodeID)
    /// An item by `start:stop:step`, three links of which any may be absent (-1).
    case slice(NodeID, links: Int)
    case list(Links), tuple(Links)
    /// Keys and values in turn.
    case dict(Links)
    case negative(NodeID), positive(NodeID), not(NodeID)
    case arithmetic(Arithmetic, NodeID, NodeID)
    case concat(Links)
    /// A value, then pairs of a comparison's number and the value it compares with.
    case compare(NodeID, Links)
    case and(NodeID, NodeID), or(NodeID, NodeID)
    /// Without an else the last is -1.
    case choice(if: NodeID, then: NodeID, else: NodeID)
    /// A filter on a value, or on the text of a filtered block (-1).
    case filter(Filter, NodeID, call: Int)
    case test(JinjaTest, NodeID, call: Int)
    case method(NodeID, name: Int, call: Int)
    case call(NodeID, call: Int)
}

/// A run of entries in a program's links.
struct Links: Sendable {
    let start, count: Int
    var range: Range<Int> { start..<start + count }
}

enum Arithmetic: Int, Sendable { case add, sub, mul, div, floor, mod, pow }
enum Comparison: Int, Sendable { case equal, unequal, less, lessEqual, greater, greaterEqual, within, without }

/// What a call gives.
struct CallSite: Sendable {
    var positional: [NodeID] = []
    var named: [(name: String, value: NodeID)] = []
    static let none = CallSite()
    var isEmpty: Bool { positional.isEmpty && named.isEmpty }
}

/// A value that stands in the template.
enum Constant: Sendable {
    case none, bool(Bool), integer(Int), whole(WholeNumber), float(Double), text([UInt8])
}

/// The targets of an assignment.
indirect enum Target: Sendable {
    case name(Int), tuple([Target])
    /// An attribute of a namespace.
    case member(of: Int, name: String, at: Int)
}

/// A piece of a template.
enum Statement: Sendable {
    /// Text as it stands, a slice of the literals.
    case text(start: Int, end: Int)
    case output(NodeID)
    case assign(Assignment)
    case branch(Branch)
    case loop(Loop)
    case capture(Capture)
    case scope(Scoped)
}

/// `{% set a, b = … %}`.
final class Assignment: Sendable {
    let target: Target
    let value: NodeID
    init(target: Target, value: NodeID) { (self.target, self.value) = (target, value) }
}

/// `{% if %}` with its `elif`s and `else`.
final class Branch: Sendable {
    let arms: [(test: NodeID, body: [Statement])]
    let otherwise: [Statement]
    init(arms: [(test: NodeID, body: [Statement])], otherwise: [Statement]) {
        (self.arms, self.otherwise) = (arms, otherwise)
    }
}

/// `{% for %}`.
final class Loop: Sendable {
    let target: Target
    let sequence: NodeID
    let filter: NodeID?
    let body, otherwise: [Statement]
    /// The number of the name `loop` when the body speaks of it.
    let loopName: Int?
    init(
        target: Target, sequence: NodeID, filter: NodeID?, body: [Statement], otherwise: [Statement], loopName: Int?
    ) {
        (self.target, self.sequence, self.filter) = (target, sequence, filter)
        (self.body, self.otherwise, self.loopName) = (body, otherwise, loopName)
    }
}

/// `{% set a %}…{% endset %}` and `{% filter f %}…{% endfilter %}`.
final class Capture: Sendable {
    /// `nil` for a filtered block, whose text is put out.
    let target: Target?
    /// The filters on the text, applied to -1 innermost; `nil` for none.
    let filter: NodeID?
    let body: [Statement]
    init(target: Target?, filter: NodeID?, body: [Statement]) {
        (self.target, self.filter, self.body) = (target, filter, body)
    }
}

/// `{% with a = 1 %}…{% endwith %}`.
final class Scoped: Sendable {
    let assignments: [Assignment]
    let body: [Statement]
    init(assignments: [Assignment], body: [Statement]) { (self.assignments, self.body) = (assignments, body) }
}

/// The names a template speaks of.
struct ProgramName: Sendable {
    let text: String
    let bytes: [UInt8]
    let attribute: EventAttribute?
    let function: GlobalFunction?
}

/// A template or an expression, ready to run.
final class Program: Sendable {
    let nodes: [Operation]
    /// Where each node stands, in scalars.
    let places: [Int]
    let links: [Int]
    let constants: [Constant]
    let names: [ProgramName]
    let calls: [CallSite]
    let literals: [UInt8]
    let body: [Statement]
    let source: String

    init(_ draft: ProgramDraft, body: [Statement], source: String) {
        (nodes, places, links, constants) = (draft.nodes, draft.places, draft.links, draft.constants)
        (names, calls, literals) = (draft.names, draft.calls, draft.literals)
        (self.body, self.source) = (body, source)
    }

    /// An error at a place of the source.
    func error(_ kind: TemplateError.Kind, _ reason: String, at offset: Int) -> TemplateError {
        let before = source.unicodeScalars.prefix(offset)
        let line = 1 + before.count { $0 == "\n" }
        let column = 1 + before.reversed().prefix { $0 != "\n" }.count
        return TemplateError(kind: kind, reason: reason, offset: offset, line: line, column: column)
    }
}

/// A program while it is parsed.
struct ProgramDraft {
    private(set) var nodes: [Operation] = []
    private(set) var places: [Int] = []
    private(set) var heights: [Int] = []
    private(set) var links: [Int] = []
    private(set) var constants: [Constant] = []
    private(set) var names: [ProgramName] = []
    private(set) var calls: [CallSite] = [.none]
    private(set) var literals: [UInt8] = []
    private var numbers: [String: Int] = [:]

    mutating func add(_ node: Operation, at place: Int, over parts: [NodeID] = []) -> NodeID {
        nodes.append(node)
        places.append(place)
        var height = 0
        for part in parts where part >= 0 { height = max(height, heights[part]) }
        heights.append(height + 1)
        return nodes.count - 1
    }

    mutating func link(_ entries: [Int]) -> Links {
        links += entries
        return Links(start: links.count - entries.count, count: entries.count)
    }

    mutating func constant(_ value: Constant, at place: Int) -> NodeID {
        constants.append(value)
        return add(.constant(constants.count - 1), at: place)
    }

    mutating func name(_ text: String) -> Int {
        if let known = numbers[text] { return known }
        numbers[text] = names.count
        names.append(
            ProgramName(
                text: text, bytes: Array(text.utf8), attribute: EventAttribute(rawValue: text),
                function: GlobalFunction(rawValue: text)))
        return names.count - 1
    }

    mutating func call(_ site: CallSite) -> Int {
        if site.isEmpty { return 0 }
        calls.append(site)
        return calls.count - 1
    }

    mutating func literal(_ bytes: [UInt8]) -> Statement {
        literals += bytes
        return .text(start: literals.count - bytes.count, end: literals.count)
    }
}
