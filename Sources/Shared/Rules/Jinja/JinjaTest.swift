import CarillonEvents

/// The tests a template may use behind `is`.
enum JinjaTest: String, Sendable, CaseIterable {
    case boolean, callable, defined, divisibleby, eq, equalto, escaped, even, `false`, filter, float, ge, greaterthan
    case gt, `in`, integer, iterable, le, lessthan, lower, lt, mapping, ne, none, number, odd, sameas, sequence, string
    case test, `true`, undefined, upper

    /// Why a test's name is refused, with the nearest known one.
    static func unknown(_ name: String) -> String {
        let hint = nearest(name, allCases.map(\.rawValue))
        return "there is no test '\(name.shortened)'" + (hint.map { "; did you mean '\($0)'?" } ?? "")
    }

    /// The comparison it is, when it is one.
    fileprivate var comparison: Comparison? {
        switch self {
        case .eq, .equalto: .equal
        case .ne: .unequal
        case .lt, .lessthan: .less
        case .le: .lessEqual
        case .gt, .greaterthan: .greater
        case .ge: .greaterEqual
        case .in: .within
        default: nil
        }
    }

    fileprivate var parameters: [String] {
        switch self {
        case .divisibleby: ["num"]
        case .in: ["seq"]
        case .sameas: ["other"]
        case _ where comparison != nil: ["other"]
        default: []
        }
    }
}

extension Run {
    mutating func test(
        _ test: JinjaTest, _ value: NodeID, _ call: Int, at node: NodeID, _ text: Span<UInt8>
    ) throws(TemplateError) -> Bool {
        let value = try evaluate(value, text)
        let arguments = try arguments(call, text)
        current = node
        return try holds(test, value, arguments, text)
    }

    mutating func holds(
        _ test: JinjaTest, _ value: Value, _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Bool {
        var other: Value?
        let parameters = test.parameters
        if !parameters.isEmpty || !arguments.positional.isEmpty || !arguments.named.isEmpty {
            other = try arguments.bound(to: parameters, of: "'\(test.rawValue)'", in: self).first ?? nil
            if other == nil { throw failure("'\(test.rawValue)' takes a value to compare with") }
        }
        if let comparison = test.comparison, let other { return try holds(comparison, value, other, text) }
        switch test {
        case .defined: return !value.isUndefined
        case .undefined: return value.isUndefined
        case .none: if case .none = value { return true } else { return false }
        case .boolean: if case .bool = value { return true } else { return false }
        case .true: if case .bool(true) = value { return true } else { return false }
        case .false: if case .bool(false) = value { return true } else { return false }
        case .float: if case .float = value { return true } else { return false }
        case .callable: if case .function = value { return true } else { return value.isUndefined }
        case .escaped: return value.isSafe
        case .string: return value.isString
        case .integer, .number, .mapping, .sequence, .iterable: return Self.isKind(test, value)
        case .odd, .even, .divisibleby: return try divides(test, value, other ?? .integer(2), text)
        case .lower: return PythonText.isLower(try string(value, text))
        case .upper: return PythonText.isUpper(try string(value, text))
        case .filter: return Filter(rawValue: String(decoding: bytes(value, text) ?? [], as: UTF8.self)) != nil
        case .test: return JinjaTest(rawValue: String(decoding: bytes(value, text) ?? [], as: UTF8.self)) != nil
        case .sameas: return try areSame(value, other ?? .none, text)
        default: return false
        }
    }

    private static func isKind(_ test: JinjaTest, _ value: Value) -> Bool {
        switch value {
        case .integer, .whole: test == .integer || test == .number
        case .float, .bool: test == .number
        case .dict: test == .mapping || test == .sequence || test == .iterable
        case .json(_, let isObject): isObject && test == .mapping || test == .sequence || test == .iterable
        case .list(let list):
            test == .iterable || test == .sequence && (list.kind == .list || list.kind == .tuple)
        case .text, .quoted, .range, .undefined: test == .sequence || test == .iterable
        case .iterator, .loop: test == .iterable
        default: false
        }
    }

    private mutating func divides(
        _ test: JinjaTest, _ value: Value, _ divisor: Value, _ text: Span<UInt8>
    ) throws(TemplateError) -> Bool {
        let rest = try arithmetic(.mod, value, divisor, text)
        return try areEqual(rest, .integer(test == .odd ? 1 : 0), text)
    }

    /// Whether two values are one: small ones when equal and of one kind.
    private mutating func areSame(_ a: Value, _ b: Value, _ text: Span<UInt8>) throws(TemplateError) -> Bool {
        switch (a, b) {
        case (.bool(let a), .bool(let b)): return a == b
        case (.integer(let a), .integer(let b)): return a == b
        case (.none, .none): return true
        case (.dict(let a), .dict(let b)): return a === b
        case (.iterator(let a), .iterator(let b)): return a === b
        case (.json(let a, _), .json(let b, _)): return a == b
        case (.namespace(let a), .namespace(let b)): return a == b
        case (.quoted, _), (.text, _): return b.isString ? try areEqual(a, b, text) : false
        default: return false
        }
    }
}
