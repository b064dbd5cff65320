import CarillonEvents

// One run of a template over one event: its variables, its budget and what it has put out. A run evaluates lazily from
// the event's text, which every function is handed, as a span may not be kept.

/// How a template treats what it meets.
struct TemplateStyle: Sendable {
    /// What nothing, and null, is written as; plain Jinja's nothing is empty, its null is `None`.
    var dash = false
    /// Whether a field of nothing is nothing, and not an error.
    var chains = false
    /// Whether texts are escaped for HTML.
    var escapes = false
    /// Whether a text that is too long is cut, and not an error.
    var cuts: Int?
    var limit = TemplateLimit.rule
}

struct Run {
    struct Local {
        let name: Int
        var value: Value
    }
    struct LoopState {
        var items: [Value]
        var index = 0
        var changed: [Value]?
    }

    let program: Program
    let style: TemplateStyle
    /// The event's outline; without one the text is any JSON object, at `root`.
    let outline: EventOutline?
    let root: Slice
    var output: [UInt8] = []
    /// Steps left.
    var fuel: Int
    /// The node whose operation is being done, for the place of an error.
    var current: NodeID = 0
    /// Where the names of the innermost scope begin among the locals.
    var scopeStart = 0
    /// What is set and looped over, the innermost last.
    var locals: [Local] = []
    var loops: [LoopState] = []
    var namespaces: [Dict] = []
    /// The texts that filters of blocks work on.
    var captured: [Text] = []

    init(_ program: Program, _ style: TemplateStyle, outline: EventOutline?, root: Slice) {
        (self.program, self.style, self.outline, self.root) = (program, style, outline, root)
        fuel = style.limit.steps
    }

    /// An error at the operation being done.
    func failure(_ reason: String, _ kind: TemplateError.Kind = .value) -> TemplateError {
        program.error(kind, reason, at: current < program.places.count ? program.places[current] : 0)
    }

    /// Takes steps from the budget.
    @inline(__always)
    mutating func charge(_ steps: Int) throws(TemplateError) {
        fuel &-= steps
        if fuel < 0 { throw outOfFuel() }
    }

    private func outOfFuel() -> TemplateError {
        failure("takes more than \(style.limit.steps) steps; visit fewer elements or make less text", .limit)
    }

    /// Takes steps for making or reading so many bytes, and refuses a string that is too long.
    mutating func charge(bytes: Int) throws(TemplateError) {
        guard bytes <= style.limit.text else {
            throw failure("makes a text longer than \(style.limit.text >> 10) KiB", .limit)
        }
        try charge(1 + bytes / 64)
    }

    /// Takes steps for a text that has grown by so many bytes, and refuses one that is too long.
    mutating func charge(grown result: [UInt8], by bytes: Int) throws(TemplateError) {
        guard result.count <= style.limit.text else { return try charge(bytes: result.count) }
        try charge(1 + bytes / 64)
    }

    /// A list as a value, when its depth is in bounds.
    func list(_ items: [Value], _ kind: List.Kind = .list) throws(TemplateError) -> Value {
        let list = List(items, kind)
        guard list.depth <= TemplateLimit.valueDepth else {
            throw failure("makes lists nested deeper than \(TemplateLimit.valueDepth)", .limit)
        }
        return .list(list)
    }

    func checked(_ dict: Dict) throws(TemplateError) -> Value {
        guard dict.depth <= TemplateLimit.valueDepth else {
            throw failure("makes mappings nested deeper than \(TemplateLimit.valueDepth)", .limit)
        }
        return .dict(dict)
    }
}

// MARK: - Variables

extension Run {
    mutating func variable(_ name: Int, at node: NodeID, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        if !locals.isEmpty {
            for local in locals.reversed() where local.name == name { return local.value }
        }
        if let found = try field(named: program.names[name], text) { return value(of: found, text) }
        if let function = program.names[name].function { return .function(function) }
        return .undefined(node)
    }

    private mutating func field(named name: ProgramName, _ text: Span<UInt8>) throws(TemplateError) -> Slice? {
        if let outline, let attribute = name.attribute { return outline[attribute] }
        return try member(name.bytes, of: root, text)
    }

    /// The member of an object; of members with one name the last, as JSON readers have it.
    mutating func member(
        _ name: [UInt8], of object: Slice, _ text: Span<UInt8>
    ) throws(TemplateError) -> Slice? {
        try charge(object.count / 256)
        return JSON.lastMember(name.span, of: object, in: text)
    }

    /// A piece of the event as a value.
    func value(of raw: Slice, _ text: Span<UInt8>) -> Value {
        switch JSON.kind(of: raw, in: text) {
        case .null: return .none
        case .bool: return .bool(text[raw.start] == UInt8(ascii: "t"))
        case .number: return Self.number(raw, text)
        case .string:
            if let plain = JSON.plain(raw, in: text) { return .quoted(plain) }
            return .text(Text(Array((JSON.string(raw, in: text) ?? "").utf8)))
        case .object: return .json(raw, isObject: true)
        case .array: return .json(raw, isObject: false)
        }
    }

    /// A number as Python reads JSON's: whole without a point or an exponent, floating otherwise.
    private static func number(_ raw: Slice, _ text: Span<UInt8>) -> Value {
        let isNegative = text[raw.start] == UInt8(ascii: "-")
        var value = 0
        var isSmall = raw.count <= 18
        for i in (raw.start + (isNegative ? 1 : 0))..<raw.end {
            let digit = text[i] &- UInt8(ascii: "0")
            guard digit < 10 else { return .float(float(raw, text)) }
            if isSmall { value = value &* 10 &+ Int(digit) }
        }
        if isSmall { return .integer(isNegative ? -value : value) }
        isSmall = raw.count <= 4300
        guard isSmall else { return .float(float(raw, text)) }
        var digits: [UInt8] = []
        for i in (raw.start + (isNegative ? 1 : 0))..<raw.end { digits.append(text[i]) }
        return .number(WholeNumber(digits: digits, isNegative: isNegative))
    }

    private static func float(_ raw: Slice, _ text: Span<UInt8>) -> Double {
        guard let valid = try? UTF8Span(validating: text.extracting(raw.range)) else { return 0 }
        return Double(String(copying: valid)) ?? 0
    }
}

// MARK: - Larger forms of small ones

extension Run {
    /// The bytes of a string.
    func bytes(_ value: Value, _ text: Span<UInt8>) -> [UInt8]? {
        switch value {
        case .text(let text): return text.bytes
        case .quoted(let slice):
            var bytes: [UInt8] = []
            bytes.reserveCapacity(slice.count)
            Self.append(slice, text, to: &bytes)
            return bytes
        default: return nil
        }
    }

    @inline(__always)
    static func append(_ slice: Slice, _ text: Span<UInt8>, to bytes: inout [UInt8]) {
        // Copied before the closure returns.
        unsafe text.extracting(slice.range).withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }

    /// An array or object of the event as a list or a mapping, its elements still slices.
    mutating func opened(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        guard case .json(let slice, let isObject) = value else { return value }
        try charge(1 + slice.count / 64)
        if isObject { return .dict(try dict(slice, text)) }
        var items: [Value] = []
        JSON.elements(of: slice, in: text) { element in
            items.append(self.value(of: element, text))
            return true
        }
        try charge(items.count)
        return .list(List(items))
    }

    private mutating func dict(_ slice: Slice, _ text: Span<UInt8>) throws(TemplateError) -> Dict {
        let dict = Dict()
        JSON.members(of: slice, in: text) { key, member in
            let name = Array((JSON.string(key, in: text) ?? "").utf8)
            dict.set(.text(name), .text(name), self.value(of: member, text))
            return true
        }
        try charge(dict.count)
        return dict
    }

    /// What visiting a value gives; `nil` when it cannot be visited.
    mutating func items(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> [Value]? {
        switch try opened(value, text) {
        case .undefined: return []
        case .list(let list):
            try charge(list.items.count)
            return list.items
        case .dict(let dict):
            try charge(dict.count)
            return dict.keys
        case .range(let range):
            try charge(range.count)
            return (0..<range.count).map { .integer(range[$0]) }
        case .iterator(let iterator):
            let rest = try iterator.rest()
            try charge(rest.count)
            return rest
        case .text, .quoted:
            let scalars = PythonText.scalars(bytes(value, text) ?? [])
            try charge(scalars.count)
            return scalars.map { .text(PythonText.bytes(CollectionOfOne($0))) }
        default: return nil
        }
    }

    /// What visiting a value gives; an error when it cannot be visited.
    mutating func elements(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> [Value] {
        guard let items = try items(value, text) else {
            throw failure("\(value.typeName) has no elements to visit")
        }
        return items
    }

    /// What an undefined value lacked, for a message.
    func missing(_ node: NodeID) -> String {
        guard node >= 0 else { return "there is no value here" }
        switch program.nodes[node] {
        case .name(let name): return "'\(program.names[name].text.shortened)' is undefined"
        case .attribute(_, let name): return "there is no field '\(program.names[name].text.shortened)'"
        case .item: return "there is no such item"
        case .choice: return "the condition is false and there is no else"
        default: return "there is no value here"
        }
    }

    /// The error for working with an undefined value.
    func undefined(_ node: NodeID) -> TemplateError {
        failure("\(missing(node)); write '| default(…)' or ask 'is defined' first")
    }
}
