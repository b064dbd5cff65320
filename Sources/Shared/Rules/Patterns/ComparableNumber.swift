// Numbers as event-ruler compares them: IEEE 754 binary64, and only those that a double says exactly. A decimal is
// comparable when it is the shortest one that reads back as its double (27.807807921694092 is, 0.10000000000000001 and
// 9007199254740993 are not); one that is not is equal to nothing but its own spelling. So no two different decimals are
// ever called equal, and the order is that of the doubles.
//
// Events are full of numbers and few are compared, so this is called for those only, and allocates nothing for up to
// 17 digits with up to 19 of them behind the point.

/// A comparable number as 64 bits whose order is that of the numbers.
struct ComparableNumber: Hashable, Sendable, Comparable {
    let bits: UInt64

    init(bits: UInt64) { self.bits = bits }

    /// A finite double; both zeros are one.
    private init?(_ value: Double, negative: Bool) {
        guard value.isFinite else { return nil }
        let pattern = value.bitPattern
        bits = value == 0 ? 1 << 63 : negative ? ~(pattern | 1 << 63) : pattern | 1 << 63
    }

    /// Reads a number as JSON or YAML spells it; `nil` when no double says it exactly.
    init?(_ text: Span<UInt8>) {
        guard let decimal = Decimal(text) else { return nil }
        guard let value = decimal.digits == 0 ? 0 : decimal.exactDouble else { return nil }
        self.init(value, negative: decimal.isNegative)
    }

    init?(_ text: String) { self.init(text.utf8.span) }

    static func < (a: Self, b: Self) -> Bool { a.bits < b.bits }

    /// The number itself.
    var value: Double {
        Double(bitPattern: bits >> 63 == 1 ? bits & ~(1 << 63) : ~bits)
    }
}

/// A decimal number: its digits without zeros at either end, and the exponent of the last.
private struct Decimal {
    var isNegative = false
    var mantissa: UInt64 = 0
    /// How many digits the mantissa has; 0 for zero.
    var digits = 0
    var exponent = 0

    /// More digits than any shortest decimal of a double has.
    private static let mostDigits = 17
    private static let reach = 100_000

    /// Reads a spelling; `nil` for what is no number or has too many digits to be comparable.
    init?(_ text: Span<UInt8>) {
        var i = 0
        if i < text.count, text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") {
            isNegative = text[i] == UInt8(ascii: "-")
            i += 1
        }
        guard readDigits(text, &i) else { return nil }
        guard i < text.count else { return }
        guard text[i] | 0x20 == UInt8(ascii: "e"), let written = Self.readExponent(text, i + 1) else { return nil }
        exponent += written
    }

    /// Reads digits and the point; false when there is no digit or there are too many.
    private mutating func readDigits(_ text: Span<UInt8>, _ i: inout Int) -> Bool {
        var zeros = 0
        var isFraction = false
        var any = false
        while i < text.count {
            let digit = text[i] &- UInt8(ascii: "0")
            if digit < 10 {
                any = true
                if isFraction { exponent -= 1 }
                if digit == 0 {
                    if digits > 0 { zeros += 1 }
                } else {
                    digits += digits == 0 ? 1 : zeros + 1
                    guard digits <= Self.mostDigits else { return false }
                    mantissa = mantissa &* Powers.ten(zeros + 1) &+ UInt64(digit)
                    zeros = 0
                }
            } else if text[i] == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else {
                break
            }
            i += 1
        }
        exponent += zeros
        return any
    }

    /// The exponent whose sign or first digit is at `i`, clamped far outside what doubles have.
    private static func readExponent(_ text: Span<UInt8>, _ start: Int) -> Int? {
        var i = start
        var isNegative = false
        if i < text.count, text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") {
            isNegative = text[i] == UInt8(ascii: "-")
            i += 1
        }
        guard i < text.count else { return nil }
        var value = 0
        while i < text.count {
            let digit = text[i] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = min(value * 10 + Int(digit), reach)
            i += 1
        }
        return isNegative ? -value : value
    }

    /// The double whose shortest decimal this is, without its sign.
    var exactDouble: Double? {
        if digits <= 15, abs(exponent) <= 22 {
            let whole = Double(mantissa)
            return exponent < 0 ? whole / Powers.exact(-exponent) : whole * Powers.exact(exponent)
        }
        if abs(exponent) <= 19 { return Rounding(mantissa, exponent).shortest }
        return spelledDouble
    }

    /// The same for what is too large or too small for integers of 128 bits; allocates.
    private var spelledDouble: Double? {
        guard abs(exponent) < 400, let value = Double("\(mantissa)e\(exponent)"), value.isFinite, value > 0,
            let shortest = Decimal("\(value)".utf8.span)
        else { return nil }
        return shortest.mantissa == mantissa && shortest.exponent == exponent ? value : nil
    }
}

/// A decimal of 16 or 17 digits between the doubles around it, in integers scaled so that nothing is rounded.
private struct Rounding {
    private let mantissa: UInt64
    /// The double nearest: an odd or even number of 53 bits, times two to the power.
    private let significand: UInt64
    private let power: Int
    /// What one unit of the decimal's last digit, and half a unit of the double's last bit, are in the scale.
    private let unit, half: UInt128
    /// The double in the scale.
    private let double: UInt128

    /// Takes a decimal whose exponent is in -19...19.
    init(_ mantissa: UInt64, _ exponent: Int) {
        self.mantissa = mantissa
        let ten = UInt128(Powers.ten(abs(exponent)))
        (significand, power) = Self.round(mantissa, exponent, UInt64(ten))
        // Twice the decimal over twice the double: with both divided by two to the power, and multiplied by ten to the
        // exponent's depth, all are whole.
        let (above, below) = exponent < 0 ? (UInt128(1), ten) : (ten, UInt128(1))
        let shift = max(0, -power)
        let lift = max(0, power)
        unit = (2 * above) << UInt128(shift)
        half = below << UInt128(lift)
        double = UInt128(significand) * 2 * half
    }

    /// The nearest double of mantissa × 10^exponent, ties to even.
    private static func round(_ mantissa: UInt64, _ exponent: Int, _ ten: UInt64) -> (UInt64, Int) {
        var whole: UInt128
        var power: Int
        var rest: Bool
        if exponent >= 0 {
            (whole, power, rest) = (UInt128(mantissa) * UInt128(ten), 0, false)
        } else {
            // 127 bits over at most 64: more than 62 bits of quotient.
            let lift = UInt128(mantissa).leadingZeroBitCount - 1
            let (quotient, left) = (UInt128(mantissa) << UInt128(lift)).quotientAndRemainder(dividingBy: UInt128(ten))
            (whole, power, rest) = (quotient, -lift, left > 0)
        }
        let extra = 128 - whole.leadingZeroBitCount - 53
        guard extra > 0 else { return (UInt64(whole), power) }
        let tail = whole & (UInt128(1) << UInt128(extra) - 1)
        let middle = UInt128(1) << UInt128(extra - 1)
        whole >>= UInt128(extra)
        power += extra
        if tail > middle || (tail == middle && (rest || whole & 1 == 1)) { whole += 1 }
        return (UInt64(whole), power)
    }

    /// The double, when no shorter decimal reads back as it and no other as long is nearer.
    var shortest: Double? {
        let scaled = UInt128(mantissa) * unit
        let away = scaled > double ? scaled - double : double - scaled
        guard 2 * away < unit || (2 * away == unit && mantissa & 1 == 0) else { return nil }
        let last = mantissa % 10
        guard !reads(mantissa - last), !reads(mantissa - last + 10) else { return nil }
        return Double(significand) * Powers.two(power)
    }

    /// Whether this mantissa at the same exponent reads back as the double.
    private func reads(_ mantissa: UInt64) -> Bool {
        let scaled = UInt128(mantissa) * unit
        if scaled >= double {
            return scaled - double < half || (scaled - double == half && significand & 1 == 0)
        }
        // Below a power of two the doubles stand twice as close.
        let away = significand == 1 << 52 ? 2 * (double - scaled) : double - scaled
        return away < half || (away == half && significand & 1 == 0)
    }
}

private enum Powers {
    private static let tens: [UInt64] = (0..<20).map { power in (0..<power).reduce(1) { ten, _ in ten * 10 } }
    private static let exactTens: [Double] = (0...22).map { power in (0..<power).reduce(1.0) { ten, _ in ten * 10 } }

    /// A power of ten that 64 bits hold.
    static func ten(_ power: Int) -> UInt64 { tens[power] }
    /// A power of ten that a double says exactly.
    static func exact(_ power: Int) -> Double { exactTens[power] }
    /// A power of two inside the normal doubles.
    static func two(_ power: Int) -> Double { Double(sign: .plus, exponent: power, significand: 1) }
}
