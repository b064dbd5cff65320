import CarillonEvents

// Numbers as Python reckons them: whole numbers do not overflow but have a bound, division gives fractions, floor and
// remainder go down, and what has no result is an error.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A number, once booleans are 0 and 1.
private enum Number {
    case integer(Int), whole(WholeNumber), float(Double)

    init?(_ value: Value) {
        switch value {
        case .integer(let value): self = .integer(value)
        case .bool(let value): self = .integer(value ? 1 : 0)
        case .whole(let value): self = .whole(value)
        case .float(let value): self = .float(value)
        default: return nil
        }
    }

    var whole: WholeNumber? {
        switch self {
        case .integer(let value): WholeNumber(value)
        case .whole(let value): value
        case .float: nil
        }
    }

    var isZero: Bool {
        switch self {
        case .integer(let value): value == 0
        case .whole: false
        case .float(let value): value == 0
        }
    }

    var value: Value {
        switch self {
        case .integer(let value): .integer(value)
        case .whole(let value): .whole(value)
        case .float(let value): .float(value)
        }
    }
}

extension Run {
    mutating func arithmetic(
        _ operation: Arithmetic, _ left: Value, _ right: Value, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        if let a = Number(left), let b = Number(right) { return try reckon(operation, a, b) }
        if operation == .mod, left.isString { return try formatted(left, right, text) }
        for case .undefined(let node) in [left, right] { throw undefined(node) }
        switch operation {
        case .add: if let sum = try joined(left, right, text) { return sum }
        case .mul: if let product = try repeated(left, right, text) { return product }
        default: break
        }
        throw failure(
            "\(operation.words) is not for \(left.typeName) and \(right.typeName)"
                + (left.isString || right.isString ? "; convert with '| int', '| float' or join with '~'" : ""))
    }

    mutating func sign(_ value: Value, isNegative: Bool) throws(TemplateError) -> Value {
        if case .undefined(let node) = value { throw undefined(node) }
        guard let number = Number(value) else { throw failure("a sign is not for \(value.typeName)") }
        guard isNegative else { return number.value }
        if case .float(let value) = number { return .float(-value) }
        return .number((number.whole ?? WholeNumber(0)).negated)
    }

    /// A whole number, when it is no larger than allowed.
    private func bounded(_ value: WholeNumber) throws(TemplateError) -> Value {
        guard value.bits <= TemplateLimit.bits else {
            throw failure("the number has more than 4300 digits", .limit)
        }
        return .number(value)
    }

    private func double(_ number: Number) throws(TemplateError) -> Double {
        switch number {
        case .integer(let value): return Double(value)
        case .float(let value): return value
        case .whole(let value):
            let double = value.double
            guard double.isFinite else { throw failure("the whole number is too large for one with a fraction") }
            return double
        }
    }

    private mutating func reckon(_ operation: Arithmetic, _ a: Number, _ b: Number) throws(TemplateError) -> Value {
        if case .integer(let x) = a, case .integer(let y) = b, let fast = Self.small(operation, x, y) { return fast }
        if case .pow = operation { return try power(a, b) }
        if let x = a.whole, let y = b.whole {
            try charge((x.limbs.count + 1) * (y.limbs.count + 1) / 16)
            return try reckon(operation, x, y)
        }
        return .float(try reckon(operation, try double(a), try double(b)))
    }

    /// What 64 bits hold.
    private static func small(_ operation: Arithmetic, _ x: Int, _ y: Int) -> Value? {
        func exact(_ result: (partialValue: Int, overflow: Bool)) -> Value? {
            result.overflow ? nil : .integer(result.partialValue)
        }
        switch operation {
        case .add: return exact(x.addingReportingOverflow(y))
        case .sub: return exact(x.subtractingReportingOverflow(y))
        case .mul: return exact(x.multipliedReportingOverflow(by: y))
        case .div:
            let safe = -(1 << 53)...1 << 53
            return y != 0 && safe.contains(x) && safe.contains(y) ? .float(Double(x) / Double(y)) : nil
        case .floor, .mod:
            guard y != 0, y != -1 else { return nil }
            let (quotient, rest) = x.quotientAndRemainder(dividingBy: y)
            let isDown = rest != 0 && (rest < 0) != (y < 0)
            return .integer(operation == .floor ? (isDown ? quotient - 1 : quotient) : (isDown ? rest + y : rest))
        case .pow: return nil
        }
    }

    private func reckon(_ operation: Arithmetic, _ x: WholeNumber, _ y: WholeNumber) throws(TemplateError) -> Value {
        switch operation {
        case .add: return try bounded(x + y)
        case .sub: return try bounded(x - y)
        case .mul: return try bounded(x * y)
        default: break
        }
        guard !y.isZero else { throw failure("division by zero") }
        switch operation {
        case .floor: return .number(x.dividedDown(by: y).quotient)
        case .mod: return .number(x.dividedDown(by: y).remainder)
        default: return .float(try quotient(x, y))
        }
    }

    /// The nearest fraction to the exact quotient.
    private func quotient(_ x: WholeNumber, _ y: WholeNumber) throws(TemplateError) -> Double {
        let shift = max(0, 66 - (x.bits - y.bits))
        let (quotient, rest) = x.magnitude.shifted(left: shift).dividedDown(by: y.magnitude)
        let magnitude = WholeNumber.double(magnitude: quotient, sticky: !rest.isZero, exponent: -shift)
        guard magnitude.isFinite else { throw failure("the quotient is too large") }
        return x.isNegative != y.isNegative ? -magnitude : magnitude
    }

    private func reckon(_ operation: Arithmetic, _ x: Double, _ y: Double) throws(TemplateError) -> Double {
        switch operation {
        case .add: return x + y
        case .sub: return x - y
        case .mul: return x * y
        default: break
        }
        guard y != 0 else { throw failure("division by zero") }
        if operation == .div { return x / y }
        var rest = fmod(x, y)
        var quotient = (x - rest) / y
        if rest != 0 {
            if (y < 0) != (rest < 0) {
                rest += y
                quotient -= 1
            }
        } else {
            rest = y.sign == .minus ? -0.0 : 0.0
        }
        if operation == .mod { return rest }
        guard quotient != 0 else { return (x / y).sign == .minus ? -0.0 : 0.0 }
        let floor = quotient.rounded(.down)
        return quotient - floor > 0.5 ? floor + 1 : floor
    }
}

// MARK: - Powers

extension Run {
    private mutating func power(_ a: Number, _ b: Number) throws(TemplateError) -> Value {
        if let x = a.whole, let y = b.whole, !y.isNegative { return try power(x, y) }
        let (x, y) = (try double(a), try double(b))
        if x == 0, y < 0 { throw failure("zero has no negative power") }
        if x < 0, x.isFinite, y.isFinite, y != y.rounded() { throw failure("a negative number has no such power") }
        let result = pow(x, y)
        if result.isInfinite, x.isFinite, y.isFinite { throw failure("the power is too large") }
        return .float(result)
    }

    private mutating func power(_ x: WholeNumber, _ y: WholeNumber) throws(TemplateError) -> Value {
        if x.isZero || x.magnitude == WholeNumber(1) {
            if y.isZero { return .integer(1) }
            return .number(x.isNegative && !y.isOdd ? x.negated : x)
        }
        guard let exponent = y.int, exponent <= TemplateLimit.bits, (x.bits - 1) * exponent <= TemplateLimit.bits
        else { throw failure("the power has more than 4300 digits", .limit) }
        try charge(1 + x.bits * exponent / 1024)
        return try bounded(x.power(exponent))
    }
}

// MARK: - Strings and lists

extension Run {
    private mutating func joined(_ left: Value, _ right: Value, _ text: Span<UInt8>) throws(TemplateError) -> Value? {
        if let a = bytes(left, text), let b = bytes(right, text) {
            let isSafe = left.isSafe || right.isSafe
            let sum =
                (isSafe && !left.isSafe ? PythonText.escaped(a) : a)
                + (isSafe && !right.isSafe ? PythonText.escaped(b) : b)
            try charge(bytes: sum.count)
            return .text(Text(sum, isSafe: isSafe))
        }
        guard case .list(let a) = try opened(left, text), case .list(let b) = try opened(right, text),
            a.kind == b.kind, a.kind == .list || a.kind == .tuple
        else { return nil }
        try charge(a.items.count + b.items.count)
        return .list(List(a.items + b.items, a.kind))
    }

    private mutating func repeated(_ left: Value, _ right: Value, _ text: Span<UInt8>) throws(TemplateError) -> Value? {
        let (value, number) = Number(right) == nil ? (right, left) : (left, right)
        if case .whole(let whole) = number, !whole.isNegative, value.isString || value.isSequence {
            throw failure("repeats too often", .limit)
        }
        let count: Int
        if case .whole = number {
            count = 0
        } else if let index = number.index {
            count = max(0, index)
        } else {
            return nil
        }
        if let bytes = bytes(value, text) {
            let (size, overflows) = bytes.count.multipliedReportingOverflow(by: count)
            try charge(bytes: overflows ? Int.max : size)
            var result: [UInt8] = []
            result.reserveCapacity(size)
            for _ in 0..<(bytes.isEmpty ? 0 : count) { result += bytes }
            return .text(Text(result, isSafe: value.isSafe))
        }
        guard case .list(let list) = try opened(value, text), list.kind == .list || list.kind == .tuple else {
            return nil
        }
        let (size, overflows) = list.items.count.multipliedReportingOverflow(by: count)
        try charge(overflows ? fuel + 1 : min(size, fuel + 1))
        var items: [Value] = []
        for _ in 0..<(list.items.isEmpty ? 0 : count) { items += list.items }
        return .list(List(items, list.kind))
    }
}

extension Value {
    fileprivate var isSequence: Bool {
        switch self {
        case .list(let list): list.kind == .list || list.kind == .tuple
        case .json(_, let isObject): !isObject
        default: false
        }
    }
}

extension Arithmetic {
    fileprivate var words: String {
        switch self {
        case .add: "'+'"
        case .sub: "'-'"
        case .mul: "'*'"
        case .div: "'/'"
        case .floor: "'//'"
        case .mod: "'%'"
        case .pow: "'**'"
        }
    }
}
