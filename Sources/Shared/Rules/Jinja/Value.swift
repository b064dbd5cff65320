import CarillonEvents

// What an expression gives. Numbers, booleans and strings of the event are read where they stand; its objects and arrays
// stay slices of its text until something asks for more than one member of them.

/// A value while a template runs.
enum Value {
    /// Nothing; the node says what was missing (-1: the result of an operation on nothing).
    case undefined(NodeID)
    case none
    case bool(Bool)
    case integer(Int)
    /// A whole number beyond 64 bits.
    case whole(WholeNumber)
    case float(Double)
    case text(Text)
    /// A string of the event that has no escapes: its content, without quotes.
    case quoted(Slice)
    /// An array or an object of the event.
    case json(Slice, isObject: Bool)
    case list(List)
    case dict(Dict)
    case range(ValueRange)
    case iterator(ValueIterator)
    /// A namespace, by its number in the run.
    case namespace(Int)
    /// The state of a loop, by its number in the run.
    case loop(Int)
    case function(GlobalFunction)
}

/// A string; one that is safe needs no escaping in HTML.
struct Text {
    var bytes: [UInt8]
    var isSafe = false
    init(_ bytes: [UInt8], isSafe: Bool = false) { (self.bytes, self.isSafe) = (bytes, isSafe) }
}

/// A list or what resembles one.
struct List {
    enum Kind { case list, tuple, keys, values, pairs }
    let items: [Value]
    let kind: Kind
    /// How many lists inside lists it holds.
    let depth: Int

    init(_ items: [Value], _ kind: Kind = .list) {
        (self.items, self.kind) = (items, kind)
        depth = 1 + (items.lazy.map(\.depth).max() ?? 0)
    }
}

/// A mapping that keeps the order of its keys.
final class Dict {
    private(set) var keys: [Value] = []
    private(set) var values: [Value] = []
    private var places: [DictKey: Int] = [:]
    private(set) var depth = 1

    /// Sets a key's value; a known key keeps its place.
    func set(_ key: Value, _ hashed: DictKey, _ value: Value) {
        depth = max(depth, 1 + max(value.depth, key.depth))
        if let place = places[hashed] {
            values[place] = value
        } else {
            places[hashed] = keys.count
            keys.append(key)
            values.append(value)
        }
    }

    func place(of key: DictKey) -> Int? { places[key] }
    var count: Int { keys.count }
}

/// What makes two keys the same: numbers by value, strings by bytes.
indirect enum DictKey: Hashable {
    case none, undefined
    case integer(Int), whole(WholeNumber), float(Double)
    case text([UInt8])
    case tuple([DictKey])
    case range(ValueRange)
    case other(Int)
}

/// Whole numbers from `start` by `step`, as many as `count`.
struct ValueRange: Hashable {
    let start, stop, step, count: Int
    subscript(_ index: Int) -> Int { start + index * step }

    /// Equal ranges give the same numbers.
    static func == (a: Self, b: Self) -> Bool {
        a.count == b.count && (a.count == 0 || a.start == b.start && (a.count == 1 || a.step == b.step))
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        if count > 0 { hasher.combine(start) }
    }
}

/// Values that can be visited once.
///
/// They are made at once; what failed on the way fails only when it is reached, as if they were made one by one.
final class ValueIterator {
    private let items: [Value]
    private var next = 0
    private var failure: TemplateError?
    let depth: Int

    init(_ items: [Value], failure: TemplateError? = nil) {
        (self.items, self.failure) = (items, failure)
        depth = 1 + (items.lazy.map(\.depth).max() ?? 0)
    }

    func pop() throws(TemplateError) -> Value? {
        guard next < items.count else {
            if let failure { throw failure }
            return nil
        }
        next += 1
        return items[next - 1]
    }

    func rest() throws(TemplateError) -> [Value] {
        if let failure { throw failure }
        defer { next = items.count }
        return Array(items[next...])
    }
}

extension Value {
    static func text(_ bytes: [UInt8], isSafe: Bool = false) -> Value { .text(Text(bytes, isSafe: isSafe)) }
    static func text(_ string: String) -> Value { .text(Text(Array(string.utf8))) }

    /// A whole number in its smallest form.
    static func number(_ whole: WholeNumber) -> Value { whole.int.map(Value.integer) ?? .whole(whole) }

    /// How many lists inside lists an expression made; the event's own depth is bounded elsewhere.
    var depth: Int {
        switch self {
        case .list(let list): list.depth
        case .dict(let dict): dict.depth
        case .iterator(let iterator): iterator.depth
        default: 0
        }
    }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }

    var isString: Bool {
        switch self {
        case .text, .quoted: true
        default: false
        }
    }

    var isSafe: Bool { if case .text(let text) = self { text.isSafe } else { false } }

    /// The whole number, booleans counting as 0 and 1; `nil` when it is none of 64 bits.
    var index: Int? {
        switch self {
        case .integer(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    /// What Python calls its type.
    var typeName: String {
        switch self {
        case .undefined: "nothing"
        case .none: "none"
        case .bool: "a boolean"
        case .integer, .whole: "a whole number"
        case .float: "a number"
        case .text, .quoted: "a string"
        case .json(_, let isObject): isObject ? "an object" : "a list"
        case .list(let list): list.kind == .tuple ? "a tuple" : "a list"
        case .dict: "a mapping"
        case .range: "a range"
        case .iterator: "a list to be read once"
        case .namespace: "a namespace"
        case .loop: "the loop"
        case .function: "a function"
        }
    }
}

/// The functions a template may call.
enum GlobalFunction: String, Sendable { case range, dict, namespace }
