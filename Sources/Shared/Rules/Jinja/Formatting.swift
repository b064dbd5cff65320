import CarillonEvents

// Python's `%` on strings: what `"%.2f" | format(x)` and `"%d of %d" % (a, b)` use.

/// One conversion, such as `%-8.2f`.
private struct Conversion {
    var name: [UInt8]?
    var flags: Set<UInt8> = []
    var width = 0
    var precision: Int?
    var letter = UInt8(ascii: "s")

    func has(_ flag: Unicode.Scalar) -> Bool { flags.contains(UInt8(flag.value)) }

    /// The text with its sign, filled to the width.
    func padded(sign: String, _ body: [UInt8], isNumber: Bool) -> [UInt8] {
        let missing = max(0, width - sign.utf8.count - PythonText.count(body))
        if has("-") { return Array(sign.utf8) + body + Array(repeating: UInt8(ascii: " "), count: missing) }
        if isNumber, has("0") {
            return Array(sign.utf8) + Array(repeating: UInt8(ascii: "0"), count: missing) + body
        }
        return Array(repeating: UInt8(ascii: " "), count: missing) + Array(sign.utf8) + body
    }

    func sign(isNegative: Bool) -> String { isNegative ? "-" : has("+") ? "+" : has(" ") ? " " : "" }

    /// What `#` puts before a whole number's digits: `0x`, `0X` or `0o`.
    var prefix: String {
        guard has("#"), Array("xXo".utf8).contains(letter) else { return "" }
        return String(decoding: [UInt8(ascii: "0"), letter], as: UTF8.self)
    }
}

enum Formatting {
    /// A number with so many decimals, ties on its exact value to the even digit.
    static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return FloatText.repr(value) }
        let digits = scaled(value.magnitude, decimals).decimal
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.utf8.count)) + digits
        let whole = padded.dropLast(decimals)
        let sign = value.sign == .minus ? "-" : ""
        return sign + whole + (decimals > 0 ? "." + padded.suffix(decimals) : "")
    }

    /// `value` times ten to the power, rounded half to even on its exact value.
    private static func scaled(_ value: Double, _ power: Int) -> WholeNumber {
        guard value != 0 else { return WholeNumber(0) }
        let exponent = Int(value.exponent) - 52
        var numerator = WholeNumber(truncating: value.significand * 0x1p52)
        var denominator = WholeNumber(1)
        if exponent >= 0 { numerator = numerator.shifted(left: exponent) }
        if exponent < 0 { denominator = denominator.shifted(left: -exponent) }
        if power >= 0 { numerator = numerator * WholeNumber(10).power(power) }
        if power < 0 { denominator = denominator * WholeNumber(10).power(-power) }
        return FloatText.halfEven(numerator, denominator)
    }

    /// Digits of a positive number, so many, and its decimal exponent.
    static func digits(_ value: Double, count: Int) -> (digits: String, exponent: Int) {
        guard value != 0 else { return (String(repeating: "0", count: count), 0) }
        var exponent = FloatText.exponent(of: value)
        var digits = scaled(value, count - 1 - exponent).decimal
        if digits.utf8.count > count {
            exponent += 1
            digits = scaled(value, count - 1 - exponent).decimal
        }
        return (digits, exponent)
    }

    static func exponential(_ value: Double, decimals: Int) -> String {
        let (digits, exponent) = digits(value, count: decimals + 1)
        let fraction = decimals > 0 ? "." + digits.dropFirst() : ""
        let power = (abs(exponent) < 10 ? "0" : "") + String(abs(exponent))
        return "\(digits.prefix(1))\(fraction)e\(exponent < 0 ? "-" : "+")\(power)"
    }

    /// The shorter of the two; zeros at the end of its fraction are dropped, unless they are to be kept.
    static func general(_ value: Double, precision: Int, keepsZeros: Bool = false) -> String {
        let count = max(1, precision)
        let exponent = digits(value, count: count).exponent
        let isLong = exponent < -4 || exponent >= count
        let text =
            isLong ? exponential(value, decimals: count - 1) : fixed(value, decimals: max(0, count - 1 - exponent))
        let parts = text.split(separator: "e", maxSplits: 1)
        guard parts[0].contains("."), !keepsZeros else { return text }
        var head = parts[0]
        while head.last == "0" { head.removeLast() }
        if head.last == "." { head.removeLast() }
        return parts.count > 1 ? "\(head)e\(parts[1])" : String(head)
    }

    /// A number's text with a decimal point, also where no digit follows it.
    static func withPoint(_ text: String) -> String {
        guard !text.contains(".") else { return text }
        let digits = text.prefix { $0 != "e" }
        return digits + "." + text.dropFirst(digits.count)
    }
}

extension Run {
    /// A string with its conversions filled from a tuple, a mapping or one value.
    mutating func formatted(_ left: Value, _ right: Value, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        let pattern = try soft(left, text)
        var values = [right]
        var mapping: Dict?
        if case .list(let list) = right, list.kind == .tuple { values = list.items }
        if case .dict(let dict) = try opened(right, text) { mapping = dict }
        var result: [UInt8] = []
        var (i, used) = (0, 0)
        while i < pattern.bytes.count {
            let byte = pattern.bytes[i]
            i += 1
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                continue
            }
            let start = result.count
            let conversion = try conversion(pattern.bytes, &i)
            if conversion.letter == UInt8(ascii: "%") {
                result.append(byte)
                continue
            }
            var value: Value
            if let name = conversion.name {
                guard let mapping, let place = mapping.place(of: .text(name)) else {
                    throw failure("there is no value '\(String(decoding: name, as: UTF8.self).shortened)' to format")
                }
                value = mapping.values[place]
                used = values.count
            } else {
                guard used < values.count else { throw failure("there are too few values to format") }
                value = values[used]
                used += 1
            }
            if pattern.isSafe, value.isString, !value.isSafe {
                value = .text(Text(PythonText.escaped(try string(value, text)), isSafe: true))
            }
            result += try converted(value, conversion, text)
            try charge(grown: result, by: result.count - start)
        }
        guard used >= values.count || mapping != nil else { throw failure("there are too many values to format") }
        return .text(Text(result, isSafe: pattern.isSafe))
    }

    private func conversion(_ bytes: [UInt8], _ i: inout Int) throws(TemplateError) -> Conversion {
        var conversion = Conversion()
        func number() throws(TemplateError) -> Int? {
            var value: Int?
            while i < bytes.count, (0x30...0x39).contains(bytes[i]) {
                value = (value ?? 0) * 10 + Int(bytes[i] - 0x30)
                guard value ?? 0 <= 10_000 else { throw failure("the width of a format is at most 10000", .limit) }
                i += 1
            }
            return value
        }
        if i < bytes.count, bytes[i] == UInt8(ascii: "(") {
            guard let close = bytes[i...].firstIndex(of: UInt8(ascii: ")")) else {
                throw failure("a name in a format is closed by ')'")
            }
            conversion.name = Array(bytes[i + 1..<close])
            i = close + 1
        }
        while i < bytes.count, Array("-+ #0".utf8).contains(bytes[i]) {
            conversion.flags.insert(bytes[i])
            i += 1
        }
        conversion.width = try number() ?? 0
        if i < bytes.count, bytes[i] == UInt8(ascii: ".") {
            i += 1
            conversion.precision = try number() ?? 0
        }
        guard i < bytes.count else { throw failure("the format ends behind '%'; write '%%' for the sign itself") }
        conversion.letter = bytes[i]
        i += 1
        return conversion
    }

    private mutating func converted(
        _ value: Value, _ conversion: Conversion, _ text: Span<UInt8>
    ) throws(TemplateError) -> [UInt8] {
        try charge(1 + conversion.width / 64 + (conversion.precision ?? 0) / 16)
        switch conversion.letter {
        case UInt8(ascii: "s"), UInt8(ascii: "r"):
            var bytes: [UInt8] = []
            if conversion.letter == UInt8(ascii: "s") {
                bytes = try string(value, text)
            } else {
                try appendRepr(value, text, to: &bytes, depth: 0)
            }
            if let precision = conversion.precision {
                bytes = PythonText.bytes(PythonText.scalars(bytes).prefix(precision))
            }
            return conversion.padded(sign: "", bytes, isNumber: false)
        case UInt8(ascii: "d"), UInt8(ascii: "i"), UInt8(ascii: "u"), UInt8(ascii: "x"), UInt8(ascii: "X"),
            UInt8(ascii: "o"):
            return try converted(whole: value, conversion)
        case UInt8(ascii: "f"), UInt8(ascii: "F"), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "g"),
            UInt8(ascii: "G"):
            return try converted(fraction: value, conversion, text)
        default:
            let letter = String(decoding: [conversion.letter], as: UTF8.self).shortened
            throw failure("'%\(letter)' is no conversion; there are %s %d %f %e %g %x and %%")
        }
    }

    private func converted(whole value: Value, _ conversion: Conversion) throws(TemplateError) -> [UInt8] {
        let whole: WholeNumber
        switch value {
        case .integer(let value): whole = WholeNumber(value)
        case .bool(let value): whole = WholeNumber(value ? 1 : 0)
        case .whole(let value): whole = value
        case .float(let value) where value.isFinite && Array("diu".utf8).contains(conversion.letter):
            whole = WholeNumber(truncating: value)
        default: throw failure("'%d' is for whole numbers, not \(value.typeName)")
        }
        var digits: String
        if Array("diu".utf8).contains(conversion.letter) {
            digits = whole.magnitude.decimal
        } else {
            digits = whole.magnitude.digits(base: conversion.letter == UInt8(ascii: "o") ? 8 : 16)
            if conversion.letter == UInt8(ascii: "X") { digits = digits.uppercased() }
        }
        if let precision = conversion.precision {
            digits = String(repeating: "0", count: max(0, precision - digits.utf8.count)) + digits
        }
        let sign = conversion.sign(isNegative: whole.isNegative) + conversion.prefix
        return conversion.padded(sign: sign, Array(digits.utf8), isNumber: true)
    }

    private mutating func converted(
        fraction value: Value, _ conversion: Conversion, _ text: Span<UInt8>
    ) throws(TemplateError) -> [UInt8] {
        let number: Double
        switch value {
        case .float(let value): number = value
        case .integer(let value): number = Double(value)
        case .bool(let value): number = value ? 1 : 0
        case .whole(let value): number = value.double
        default: throw failure("'%f' is for numbers, not \(value.typeName)")
        }
        let precision = conversion.precision ?? 6
        guard precision <= 1000 else { throw failure("a format has at most 1000 decimals", .limit) }
        var body: String
        if !number.isFinite {
            body = number.isNaN ? "nan" : "inf"
        } else {
            switch conversion.letter | 0x20 {
            case UInt8(ascii: "f"): body = Formatting.fixed(number.magnitude, decimals: precision)
            case UInt8(ascii: "e"): body = Formatting.exponential(number.magnitude, decimals: precision)
            default: body = Formatting.general(number.magnitude, precision: precision, keepsZeros: conversion.has("#"))
            }
            if conversion.has("#") { body = Formatting.withPoint(body) }
        }
        if conversion.letter & 0x20 == 0 { body = body.uppercased() }
        let sign = conversion.sign(isNegative: number.sign == .minus && !number.isNaN)
        return conversion.padded(sign: sign, Array(body.utf8), isNumber: true)
    }
}
