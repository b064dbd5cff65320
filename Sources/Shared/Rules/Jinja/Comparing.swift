import CarillonEvents

// Truth, equality, order and membership as Python has them.

extension Run {
    /// Whether a value counts as true.
    func isTrue(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> Bool {
        switch value {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .whole: true
        case .float(let value): value != 0
        case .text(let text): !text.bytes.isEmpty
        case .quoted(let slice): slice.count > 0
        case .json(let slice, let isObject): Self.hasMembers(slice, isObject, text)
        case .list(let list): !list.items.isEmpty
        case .dict(let dict): dict.count > 0
        case .range(let range): range.count > 0
        case .iterator, .namespace, .loop, .function: true
        }
    }

    private static func hasMembers(_ slice: Slice, _ isObject: Bool, _ text: Span<UInt8>) -> Bool {
        // Between the brackets stands white space only.
        for i in slice.start + 1..<max(slice.start + 1, slice.end - 1) where text[i] > 0x20 { return true }
        return false
    }

    mutating func compare(
        _ first: NodeID, _ links: Links, at node: NodeID, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        var left = try evaluate(first, text)
        for link in stride(from: links.start, to: links.start + links.count, by: 2) {
            let right = try evaluate(program.links[link + 1], text)
            current = node
            let comparison = Comparison(rawValue: program.links[link]) ?? .equal
            guard try holds(comparison, left, right, text) else { return .bool(false) }
            left = right
        }
        return .bool(true)
    }

    mutating func holds(
        _ comparison: Comparison, _ left: Value, _ right: Value, _ text: Span<UInt8>
    ) throws(TemplateError) -> Bool {
        switch comparison {
        case .equal: try areEqual(left, right, text)
        case .unequal: try !areEqual(left, right, text)
        case .within: try contains(left, in: right, text)
        case .without: try !contains(left, in: right, text)
        case .less: try order(left, right, "<", text) { $0 < 0 }
        case .lessEqual: try order(left, right, "<=", text) { $0 <= 0 }
        case .greater: try order(left, right, ">", text) { $0 > 0 }
        case .greaterEqual: try order(left, right, ">=", text) { $0 >= 0 }
        }
    }

    /// Whether the first sorts before the second.
    mutating func isLess(_ left: Value, _ right: Value, _ text: Span<UInt8>) throws(TemplateError) -> Bool {
        try order(left, right, "<", text) { $0 < 0 }
    }
}

// MARK: - Equality

extension Run {
    mutating func areEqual(_ left: Value, _ right: Value, _ text: Span<UInt8>) throws(TemplateError) -> Bool {
        if let order = Self.numberOrder(left, right) { return order == 0 }
        switch (left, right) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.quoted(let a), .quoted(let b)): return text.extracting(a.range).sameBytes(as: text.extracting(b.range))
        case (.quoted(let a), .text(let b)), (.text(let b), .quoted(let a)):
            return text.extracting(a.range).sameBytes(as: b.bytes.span)
        case (.text(let a), .text(let b)): return a.bytes == b.bytes
        case (.range(let a), .range(let b)): return a == b
        case (.namespace(let a), .namespace(let b)): return a == b
        case (.loop(let a), .loop(let b)): return a == b
        case (.function(let a), .function(let b)): return a == b
        case (.iterator(let a), .iterator(let b)): return a === b
        case (.json, _), (.list, _), (.dict, _): return try haveEqualParts(left, right, text)
        default: return false
        }
    }

    private mutating func haveEqualParts(
        _ left: Value, _ right: Value, _ text: Span<UInt8>
    ) throws(TemplateError) -> Bool {
        switch right {
        case .json, .list, .dict: break
        default: return false
        }
        switch (try opened(left, text), try opened(right, text)) {
        case (.list(let a), .list(let b)):
            guard a.kind == b.kind, a.items.count == b.items.count else { return false }
            try charge(a.items.count)
            for (x, y) in zip(a.items, b.items) where try !areEqual(x, y, text) { return false }
            return true
        case (.dict(let a), .dict(let b)):
            guard a.count == b.count else { return false }
            try charge(a.count)
            for (key, value) in zip(a.keys, a.values) {
                guard let place = b.place(of: try hashed(key, text)), try areEqual(value, b.values[place], text) else {
                    return false
                }
            }
            return true
        default: return false
        }
    }

    /// The order of two numbers by their exact values (2: none, as one is no number); `nil` when not both are numbers.
    static func numberOrder(_ left: Value, _ right: Value) -> Int? {
        switch (left, right) {
        case (.integer(let a), .integer(let b)): return sign(a, b)
        case (.float(let a), .float(let b)): return a.isNaN || b.isNaN ? 2 : sign(a, b)
        case (.whole(let a), .whole(let b)): return sign(a, b)
        case (.bool(let a), _): return numberOrder(.integer(a ? 1 : 0), right)
        case (_, .bool(let b)): return numberOrder(left, .integer(b ? 1 : 0))
        case (.integer(let a), .whole(let b)): return sign(WholeNumber(a), b)
        case (.whole(let a), .integer(let b)): return sign(a, WholeNumber(b))
        case (.integer(let a), .float(let b)):
            if a.magnitude <= 1 << 53 { return b.isNaN ? 2 : sign(Double(a), b) }
            return order(WholeNumber(a), b)
        case (.whole(let a), .float(let b)): return order(a, b)
        case (.float, .integer), (.float, .whole):
            guard let order = numberOrder(right, left) else { return nil }
            return order == 2 ? 2 : -order
        default: return nil
        }
    }

    private static func sign<T: Comparable>(_ a: T, _ b: T) -> Int { a < b ? -1 : a > b ? 1 : 0 }

    private static func order(_ a: WholeNumber, _ b: Double) -> Int {
        if b.isNaN { return 2 }
        if b.isInfinite { return b > 0 ? -1 : 1 }
        let whole = WholeNumber(truncating: b)
        if a != whole { return sign(a, whole) }
        let fraction = b - b.rounded(.towardZero)
        return fraction > 0 ? -1 : fraction < 0 ? 1 : 0
    }
}

// MARK: - Order

extension Run {
    private mutating func order(
        _ left: Value, _ right: Value, _ sign: String, _ text: Span<UInt8>, _ isWanted: (Int) -> Bool
    ) throws(TemplateError) -> Bool {
        if let order = Self.numberOrder(left, right) { return order != 2 && isWanted(order) }
        for case .undefined(let node) in [left, right] { throw undefined(node) }
        if let a = bytes(left, text), let b = bytes(right, text) {
            try charge(min(a.count, b.count) / 64)
            return isWanted(a.lexicographicallyPrecedes(b) ? -1 : a == b ? 0 : 1)
        }
        guard case .list(let a) = try opened(left, text), case .list(let b) = try opened(right, text),
            a.kind == b.kind, a.kind == .list || a.kind == .tuple
        else {
            throw failure("'\(sign)' is not for \(left.typeName) and \(right.typeName)")
        }
        for (x, y) in zip(a.items, b.items) where try !areEqual(x, y, text) {
            return try order(x, y, sign, text, isWanted)
        }
        return isWanted(a.items.count < b.items.count ? -1 : a.items.count > b.items.count ? 1 : 0)
    }
}

// MARK: - Membership

extension Run {
    mutating func contains(_ value: Value, in whole: Value, _ text: Span<UInt8>) throws(TemplateError) -> Bool {
        if let all = bytes(whole, text) {
            guard let part = bytes(value, text) else {
                throw failure("a string can hold a string, not \(value.typeName); convert with '| string'")
            }
            try charge(bytes: all.count)
            return PythonText.find(part, in: all) != nil
        }
        if case .json(let slice, isObject: true) = whole, let name = bytes(value, text) {
            return try member(name, of: slice, text) != nil
        }
        switch try opened(whole, text) {
        case .dict(let dict): return dict.place(of: try hashed(value, text)) != nil
        case .range(let range):
            guard let number = try? hashed(value, text), case .integer(let integer) = number, range.count > 0 else {
                return false
            }
            let offset = integer - range.start
            return offset % range.step == 0 && (0..<range.count).contains(offset / range.step)
        case .list(let list):
            try charge(list.items.count)
            for item in list.items where try areEqual(item, value, text) { return true }
            return false
        case .iterator(let iterator):
            while let item = try iterator.pop() {
                try charge(1)
                if try areEqual(item, value, text) { return true }
            }
            return false
        case .undefined: return false
        default: throw failure("'in' is not for \(whole.typeName)")
        }
    }

    /// What makes a value a key; an error for what cannot be one.
    func hashed(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> DictKey {
        switch value {
        case .undefined: return .undefined
        case .none: return .none
        case .bool(let value): return .integer(value ? 1 : 0)
        case .integer(let value): return .integer(value)
        case .whole(let value): return .whole(value)
        case .float(let value):
            guard value == value.rounded(), value.isFinite else { return .float(value) }
            let whole = WholeNumber(truncating: value)
            return whole.int.map(DictKey.integer) ?? .whole(whole)
        case .text(let text): return .text(text.bytes)
        case .quoted: return .text(bytes(value, text) ?? [])
        case .list(let list) where list.kind == .tuple:
            var parts: [DictKey] = []
            for item in list.items { parts.append(try hashed(item, text)) }
            return .tuple(parts)
        case .range(let range): return .range(range)
        case .namespace(let index): return .other(index)
        case .loop(let index): return .other(-1 - index)
        default: throw failure("\(value.typeName) cannot be a key")
        }
    }
}

extension Span<UInt8> {
    func sameBytes(as other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for i in indices where self[i] != other[i] { return false }
        return true
    }
}
