// Floating-point numbers as Python writes, reads and rounds them.

enum FloatText {
    /// The shortest text that reads back as the same number, laid out as Python's `repr` does.
    static func repr(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        let sign = value.sign == .minus ? "-" : ""
        let (digits, point) = shortest(value.magnitude)
        if point > 16 || point < -3 {
            let power = point - 1
            let fraction = digits.count > 1 ? "." + String(decoding: digits[1...], as: UTF8.self) : ""
            let exponent = (power < 0 ? "-" : "+") + (abs(power) < 10 ? "0" : "") + String(abs(power))
            return sign + String(decoding: digits[..<1], as: UTF8.self) + fraction + "e" + exponent
        }
        let zero = UInt8(ascii: "0")
        if point <= 0 {
            let zeros = Array(repeating: zero, count: -point)
            return sign + "0." + String(decoding: zeros + digits, as: UTF8.self)
        }
        let whole = digits.prefix(point) + Array(repeating: zero, count: max(0, point - digits.count))
        let fraction = digits.count > point ? Array(digits[point...]) : [zero]
        return sign + String(decoding: whole, as: UTF8.self) + "." + String(decoding: fraction, as: UTF8.self)
    }

    /// The shortest digits and where the decimal point stands among them: 0.05 is ([5], -1).
    private static func shortest(_ value: Double) -> (digits: [UInt8], point: Int) {
        var digits: [UInt8] = []
        var point: Int?
        var exponent = 0
        var text = Array(value.description.utf8)[...]
        if let e = text.firstIndex(of: UInt8(ascii: "e")) {
            exponent = Int(String(decoding: text[(e + 1)...], as: UTF8.self)) ?? 0
            text = text[..<e]
        }
        for byte in text {
            if byte == UInt8(ascii: ".") { point = digits.count } else { digits.append(byte) }
        }
        var place = (point ?? digits.count) + exponent
        while digits.count > 1, digits.first == UInt8(ascii: "0") {
            digits.removeFirst()
            place -= 1
        }
        while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return digits == [UInt8(ascii: "0")] ? (digits, 1) : (digits, place)
    }

    /// The power of ten of a positive number's first digit.
    static func exponent(of value: Double) -> Int { shortest(value).point - 1 }

    /// Reads what Python's `float` reads: digits with single `_` between, `inf`, `nan`, white space around.
    static func read(_ bytes: [UInt8]) -> Double? {
        let text = PythonText.number(bytes)
        var body = text
        if let sign = body.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { body = body.dropFirst() }
        let word = String(decoding: body, as: UTF8.self).lowercased()
        let isNegative = text.first == UInt8(ascii: "-")
        switch word {
        case "inf", "infinity": return isNegative ? -.infinity : .infinity
        case "nan": return .nan
        default: break
        }
        guard let plain = withoutUnderscores(body), isDecimal(plain) else { return nil }
        return Double(String(decoding: plain, as: UTF8.self)).map { isNegative ? -$0 : $0 }
    }

    /// The bytes without the underscores that stand between two digits; `nil` when one stands elsewhere.
    static func withoutUnderscores(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var plain: [UInt8] = []
        var wasDigit = false
        for (i, byte) in zip(bytes.indices, bytes) {
            let isDigit = WholeNumber.digitValue(byte) < 36
            if byte == UInt8(ascii: "_") {
                guard wasDigit, i + 1 < bytes.endIndex, WholeNumber.digitValue(bytes[i + 1]) < 36 else { return nil }
            } else {
                plain.append(byte)
            }
            wasDigit = isDigit
        }
        return plain
    }

    private static func isDecimal(_ bytes: [UInt8]) -> Bool {
        var i = 0
        func digits() -> Int {
            let start = i
            while i < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[i]) { i += 1 }
            return i - start
        }
        var count = digits()
        if i < bytes.count, bytes[i] == UInt8(ascii: ".") {
            i += 1
            count += digits()
        }
        guard count > 0 else { return false }
        guard i < bytes.count else { return true }
        guard bytes[i] | 0x20 == UInt8(ascii: "e") else { return false }
        i += 1
        if i < bytes.count, bytes[i] == UInt8(ascii: "+") || bytes[i] == UInt8(ascii: "-") { i += 1 }
        return digits() > 0 && i == bytes.count
    }

    /// The number rounded to so many decimals, ties to the even digit, on its exact value as Python does.
    static func rounded(_ value: Double, decimals: Int) -> Double {
        guard value.isFinite, value != 0, decimals <= 323 else { return value }
        guard decimals >= -308 else { return value.sign == .minus ? -0.0 : 0.0 }
        // value = significand × 2^exponent, so value × 10^decimals is a quotient of two whole numbers.
        let exponent = Int(value.exponent) - 52
        guard exponent < 0 || decimals < 0 else { return value }
        var numerator = WholeNumber(truncating: value.magnitude.significand * 0x1p52)
        var denominator = WholeNumber(1)
        if exponent >= 0 { numerator = numerator.shifted(left: exponent) }
        if exponent < 0 { denominator = denominator.shifted(left: -exponent) }
        if decimals >= 0 { numerator = numerator * WholeNumber(10).power(decimals) }
        if decimals < 0 { denominator = denominator * WholeNumber(10).power(-decimals) }
        let whole = halfEven(numerator, denominator)
        let magnitude = Double("\(whole.decimal)e\(-decimals)") ?? value.magnitude
        return value.sign == .minus ? -magnitude : magnitude
    }

    /// The quotient of two numbers that are not negative, rounded to the nearest, ties to even.
    static func halfEven(_ numerator: WholeNumber, _ denominator: WholeNumber) -> WholeNumber {
        let (quotient, remainder) = numerator.dividedDown(by: denominator)
        let twice = remainder.shifted(left: 1)
        let isUp = twice > denominator || (twice == denominator && quotient.isOdd)
        return isUp ? quotient + WholeNumber(1) : quotient
    }
}
