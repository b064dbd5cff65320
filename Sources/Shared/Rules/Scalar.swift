/// A single value of a YAML file: its text, and how it was written.
struct Scalar {
    enum Style { case plain, quoted, literal, folded }
    let text: String
    let style: Style
    /// The type an explicit tag gives it: `str`, `int`, `float`, `bool`, `null`.
    let type: String?

    /// What it means by YAML 1.2's core schema.
    enum Meaning: Equatable {
        case text(String)
        case number(CanonicalNumber)
        case bool(Bool)
        case null
        /// Looks like a number, but none that JSON has or that can be compared.
        case notComparable
    }

    /// Whether it says nothing: empty, `~` or `null`, not in quotes.
    var isNull: Bool { meaning == .null }

    /// The number in it as JSON would spell it, more or less; `nil` when it is none.
    var spelling: String? { Self.jsonSpelling(of: text) }

    /// The meaning of a value that may be of any type.
    var meaning: Meaning {
        guard type == nil ? style == .plain : type != "str" else { return .text(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        case ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF":
            return .notComparable
        default: break
        }
        guard let spelled = Self.jsonSpelling(of: text) else { return .text(text) }
        return CanonicalNumber(spelled).map(Meaning.number) ?? .notComparable
    }

    /// The number of the core schema in `text` as JSON would spell it, more or less: `CanonicalNumber` reads it.
    private static func jsonSpelling(of text: String) -> String? {
        for (prefix, radix) in [("0x", 16), ("0o", 8)] where text.hasPrefix(prefix) {
            let digits = text.dropFirst(2)
            guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.hexDigitValue.map { $0 < radix } ?? false })
            else { return nil }
            return UInt64(digits, radix: radix).map(String.init) ?? "1e\(Int.max)"  // too large to compare
        }
        var rest = text.utf8[...]
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest.removeFirst() }
        func digits() -> Int {
            let found = rest.prefix { (0x30...0x39).contains($0) }.count
            rest.removeFirst(found)
            return found
        }
        var mantissa = digits()
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            mantissa += digits()
        }
        guard mantissa > 0 else { return nil }
        if let e = rest.first, e | 0x20 == UInt8(ascii: "e") {
            rest.removeFirst()
            if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest.removeFirst() }
            guard digits() > 0 else { return nil }
        }
        return rest.isEmpty ? text : nil
    }
}

/// A decimal number in the one form all its spellings share, so that equal numbers are equal bytes: `1`, `1.0` and
/// `10e-1`.
///
/// The sign, the digits without zeros at either end, `e` and the exponent of the last digit; `0` for every zero.
struct CanonicalNumber: Sendable, Hashable {
    let bytes: [UInt8]

    /// Reads a number of JSON or of YAML's core schema; `nil` for what is none, or whose exponent is beyond comparing.
    init?(_ text: String) {
        var bytes: [UInt8] = []
        guard Self.append(text.utf8.span, to: &bytes) else { return nil }
        self.bytes = bytes
    }

    /// Exponents beyond this are not compared; no double comes near.
    private static let reach = 1_000_000_000

    /// Appends the canonical form of a number; false, and nothing appended, when it has none.
    static func append(_ text: Span<UInt8>, to bytes: inout [UInt8]) -> Bool {
        let start = bytes.count
        var i = 0
        if i < text.count, text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") {
            if text[i] == UInt8(ascii: "-") { bytes.append(text[i]) }
            i += 1
        }
        let firstDigit = bytes.count
        let decimals = appendDigits(text, &i, since: firstDigit, to: &bytes)
        guard bytes.count > firstDigit else { return zero(bytes: &bytes, start: start, isNumber: i > 0) }
        var exponent = decimals
        while bytes[bytes.count - 1] == UInt8(ascii: "0") {
            bytes.removeLast()
            exponent += 1
        }
        guard let written = readExponent(text, i), abs(exponent + written) <= reach else {
            bytes.removeLast(bytes.count - start)
            return false
        }
        bytes.append(UInt8(ascii: "e"))
        appendInteger(exponent + written, to: &bytes)
        return true
    }

    private static func zero(bytes: inout [UInt8], start: Int, isNumber: Bool) -> Bool {
        bytes.removeLast(bytes.count - start)
        if isNumber { bytes.append(UInt8(ascii: "0")) }
        return isNumber
    }

    /// Appends the digits but for leading zeros; returns the exponent of the last of them.
    private static func appendDigits(
        _ text: Span<UInt8>, _ i: inout Int, since first: Int, to bytes: inout [UInt8]
    ) -> Int {
        var exponent = 0
        var isFraction = false
        while i < text.count {
            switch text[i] {
            case 0x30...0x39:
                if isFraction { exponent -= 1 }
                if text[i] != 0x30 || bytes.count > first { bytes.append(text[i]) }
            case UInt8(ascii: ".") where !isFraction: isFraction = true
            default: return exponent
            }
            i += 1
        }
        return exponent
    }

    /// The exponent behind the `e` at `i`, 0 where the text ends there; clamped far outside `reach`.
    private static func readExponent(_ text: Span<UInt8>, _ i: Int) -> Int? {
        guard i < text.count else { return 0 }
        guard text[i] | 0x20 == UInt8(ascii: "e"), i + 1 < text.count else { return nil }
        let isNegative = text[i + 1] == UInt8(ascii: "-")
        var value = 0
        for place in (isNegative || text[i + 1] == UInt8(ascii: "+") ? i + 2 : i + 1)..<text.count {
            guard (0x30...0x39).contains(text[place]) else { return nil }
            value = min(value * 10 + Int(text[place] - 0x30), 4 * reach)
        }
        return isNegative ? -value : value
    }

    private static func appendInteger(_ value: Int, to bytes: inout [UInt8]) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        let first = bytes.count
        var rest = value.magnitude
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[first...].reverse()
    }
}
