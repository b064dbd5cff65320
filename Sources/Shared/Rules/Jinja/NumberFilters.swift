import CarillonEvents

// Filters that make numbers.

extension Run {
    /// `nil` for a filter of another kind.
    mutating func applyToNumber(
        _ filter: Filter, _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value? {
        switch filter {
        case .int: return try integer(value, bound, text)
        case .float: return try float(value, text) ?? bound[0] ?? .float(0)
        case .round: return try rounded(value, bound, text)
        default: return nil
        }
    }

    mutating func absolute(_ value: Value) throws(TemplateError) -> Value {
        switch value {
        case .float(let value): return .float(value.magnitude)
        case .integer(let value): return .number(WholeNumber(value).magnitude)
        case .whole(let value): return .whole(value.magnitude)
        case .bool(let value): return .integer(value ? 1 : 0)
        default: throw failure("'abs' is not for \(value.typeName)")
        }
    }

    private mutating func integer(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let standard = bound[0] ?? .integer(0)
        if let bytes = bytes(value, text) {
            try charge(bytes: bytes.count)
            if let argument = bound[1], argument.index == nil { return standard }
            let base = try number(bound[1], or: 10, "the base")
            if let whole = Self.whole(bytes, base: base) { return .number(whole) }
            guard let float = FloatText.read(bytes), float.isFinite else { return standard }
            return .number(WholeNumber(truncating: float))
        }
        switch value {
        case .integer, .whole: return value
        case .bool(let value): return .integer(value ? 1 : 0)
        case .undefined(let node): throw undefined(node)
        case .float(let value):
            if value.isInfinite { throw failure("an infinite number is no whole number") }
            return value.isNaN ? standard : .number(WholeNumber(truncating: value))
        default: return standard
        }
    }

    /// What Python's `int` reads in a base of 2 to 36, or in that of its prefix (0).
    private static func whole(_ bytes: [UInt8], base: Int) -> WholeNumber? {
        guard base == 0 || (2...36).contains(base) else { return nil }
        var body = PythonText.number(bytes)
        let isNegative = body.first == UInt8(ascii: "-")
        if isNegative || body.first == UInt8(ascii: "+") { body = body.dropFirst() }
        var radix = base
        let prefixes: [UInt8: Int] = [UInt8(ascii: "x"): 16, UInt8(ascii: "o"): 8, UInt8(ascii: "b"): 2]
        if body.count > 2, body.first == UInt8(ascii: "0"), let named = prefixes[body[body.startIndex + 1] | 0x20],
            base == 0 || base == named
        {
            radix = named
            body = body.dropFirst(2)
            if body.first == UInt8(ascii: "_") { body = body.dropFirst() }
        } else if base == 0 {
            radix = 10
            if body.count > 1, body.first == UInt8(ascii: "0"), body.contains(where: { $0 != 0x30 && $0 != 0x5F }) {
                return nil
            }
        }
        guard let digits = FloatText.withoutUnderscores(body), !digits.isEmpty, digits.count <= 4300,
            digits.allSatisfy({ WholeNumber.digitValue($0) < radix })
        else { return nil }
        return WholeNumber(digits: digits, base: radix, isNegative: isNegative)
    }

    /// `nil` when the value is no number and spells none.
    private mutating func float(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> Value? {
        if let bytes = bytes(value, text) {
            try charge(bytes: bytes.count)
            return FloatText.read(bytes).map { .float($0) }
        }
        switch value {
        case .float: return value
        case .integer(let value): return .float(Double(value))
        case .bool(let value): return .float(value ? 1 : 0)
        case .whole(let value):
            guard value.double.isFinite else { throw failure("the whole number is too large for one with a fraction") }
            return .float(value.double)
        case .undefined(let node): throw undefined(node)
        default: return nil
        }
    }

    private mutating func rounded(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        var method = "common"
        if let given = bound[1] { method = String(decoding: bytes(given, text) ?? [], as: UTF8.self) }
        guard ["common", "ceil", "floor"].contains(method) else {
            throw failure("the method to round by is common, ceil or floor")
        }
        if case .undefined(let node) = value { throw undefined(node) }
        if case .none? = bound[0], method == "common" { return try whole(value, .toNearestOrEven) }
        let precision: Int
        if case .whole(let whole)? = bound[0] {
            precision = whole.isNegative ? -5000 : 5000
        } else {
            precision = try number(bound[0], or: 0, "the precision")
        }
        guard method == "common" else { return try rounded(value, precision, up: method == "ceil", text) }
        switch value {
        case .float(let value):
            let result = FloatText.rounded(value, decimals: precision)
            if result.isInfinite, value.isFinite { throw failure("the rounded number is too large") }
            return .float(result)
        case .integer, .whole, .bool:
            let whole = try self.whole(value, .down)
            guard precision < 0, case .some(let number) = Self.large(whole) else { return whole }
            guard precision > -4400 else { return .integer(0) }
            let unit = WholeNumber(10).power(-precision)
            let magnitude = FloatText.halfEven(number.magnitude, unit) * unit
            return .number(number.isNegative ? magnitude.negated : magnitude)
        default: throw failure("'round' is not for \(value.typeName); convert with '| float'")
        }
    }

    private static func large(_ value: Value) -> WholeNumber? {
        switch value {
        case .integer(let value): WholeNumber(value)
        case .whole(let value): value
        default: nil
        }
    }

    /// A number without its fraction.
    private func whole(_ value: Value, _ rule: FloatingPointRoundingRule) throws(TemplateError) -> Value {
        switch value {
        case .integer, .whole: return value
        case .bool(let value): return .integer(value ? 1 : 0)
        case .float(let value):
            guard value.isFinite else { throw failure("the number has no whole part") }
            return .number(WholeNumber(truncating: value.rounded(rule)))
        default: throw failure("'round' is not for \(value.typeName); convert with '| float'")
        }
    }

    /// Up or down at a decimal, as Jinja does: multiplied, cut and divided again.
    private mutating func rounded(
        _ value: Value, _ precision: Int, up: Bool, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let unit = try arithmetic(.pow, .integer(10), .integer(precision), text)
        let scaled = try arithmetic(.mul, value, unit, text)
        let whole = try self.whole(scaled, up ? .up : .down)
        return try arithmetic(.div, whole, unit, text)
    }

    mutating func fileSize(_ value: Value, _ bound: [Value?], _ text: Span<UInt8>) throws(TemplateError) -> String {
        guard case .float(let bytes)? = try float(value, text), bytes.isFinite else {
            throw failure("'filesizeformat' is for numbers of bytes, not \(value.typeName)")
        }
        let isBinary = try flag(bound[0], text)
        let base = isBinary ? 1024.0 : 1000.0
        if bytes == 1 { return "1 Byte" }
        if bytes < base { return "\(WholeNumber(truncating: bytes).decimal) Bytes" }
        var unit = base
        let prefixes = Array("kMGTPEZY")
        for (i, prefix) in prefixes.enumerated() {
            unit *= base
            guard bytes < unit || i == prefixes.count - 1 else { continue }
            let name = isBinary ? "\(String(prefix).uppercased())iB" : "\(prefix)B"
            return "\(Formatting.fixed(base * bytes / unit, decimals: 1)) \(name)"
        }
        return ""
    }
}
