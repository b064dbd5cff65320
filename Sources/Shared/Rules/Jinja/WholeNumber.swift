// Whole numbers beyond 64 bits, as Python has them: JSON may spell them, and templates compare and print them. Schoolbook
// arithmetic on 32-bit limbs; sizes are bounded by the evaluation (`TemplateLimit.bits`), which makes it fast enough.

/// A whole number of any size.
struct WholeNumber: Sendable, Hashable {
    private(set) var isNegative: Bool
    /// The magnitude, lowest limb first, no zero at the end.
    private(set) var limbs: [UInt32]

    init(_ value: Int) {
        let magnitude = value.magnitude
        isNegative = value < 0
        limbs = [UInt32(truncatingIfNeeded: magnitude), UInt32(truncatingIfNeeded: magnitude >> 32)]
        trim()
    }

    private init(limbs: [UInt32], isNegative: Bool) {
        (self.limbs, self.isNegative) = (limbs, isNegative)
        trim()
    }

    /// Reads digits of a base up to 36, which the caller has checked.
    init(digits: some Sequence<UInt8>, base: Int = 10, isNegative: Bool = false) {
        self.init(0)
        for digit in digits { multiply(by: UInt32(base), adding: UInt32(Self.digitValue(digit))) }
        self.isNegative = isNegative && !limbs.isEmpty
    }

    /// The whole part of a number, towards zero; 0 when it is not finite.
    init(truncating value: Double) {
        let whole = value.magnitude.rounded(.towardZero)
        guard whole >= 1, whole.isFinite else {
            self.init(0)
            return
        }
        let shift = Int(whole.exponent) - 52
        let significand = UInt64(whole.significandBitPattern) | 1 << 52
        let bits = shift < 0 ? significand >> UInt64(-shift) : significand
        self.init(
            limbs: [UInt32(truncatingIfNeeded: bits), UInt32(truncatingIfNeeded: bits >> 32)], isNegative: value < 0)
        if shift > 0 { self = shifted(left: shift) }
    }

    /// The value of a digit or letter in bases up to 36; 36 for anything else.
    static func digitValue(_ byte: UInt8) -> Int {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(byte - UInt8(ascii: "A")) + 10
        default: 36
        }
    }

    private mutating func trim() {
        while limbs.last == 0 { limbs.removeLast() }
        if limbs.isEmpty { isNegative = false }
    }

    private mutating func multiply(by factor: UInt32, adding: UInt32) {
        var carry = UInt64(adding)
        for i in limbs.indices {
            let product = UInt64(limbs[i]) * UInt64(factor) + carry
            limbs[i] = UInt32(truncatingIfNeeded: product)
            carry = product >> 32
        }
        if carry > 0 { limbs.append(UInt32(carry)) }
    }
}

// MARK: - What it is

extension WholeNumber {
    var isZero: Bool { limbs.isEmpty }
    var isOdd: Bool { limbs.first.map { $0 & 1 == 1 } ?? false }
    /// The bits of the magnitude.
    var bits: Int { limbs.last.map { limbs.count * 32 - $0.leadingZeroBitCount } ?? 0 }
    var magnitude: WholeNumber { WholeNumber(limbs: limbs, isNegative: false) }
    var negated: WholeNumber { WholeNumber(limbs: limbs, isNegative: !isNegative) }

    /// The number in 64 bits, if it fits.
    var int: Int? {
        guard limbs.count <= 2 else { return nil }
        var magnitude: UInt64 = 0
        for (i, limb) in limbs.enumerated() { magnitude |= UInt64(limb) << (32 * UInt64(i)) }
        if isNegative { return magnitude <= UInt64(1) << 63 ? Int(truncatingIfNeeded: 0 &- magnitude) : nil }
        return Int(exactly: magnitude)
    }

    /// The nearest floating-point number, ties to even; infinite when it is too large.
    var double: Double { Self.double(magnitude: self, sticky: false, exponent: 0) * (isNegative ? -1 : 1) }

    /// `magnitude` times two to `exponent`, rounded once; `sticky` says that a little more is meant.
    static func double(magnitude: WholeNumber, sticky: Bool, exponent: Int) -> Double {
        let bits = magnitude.bits
        guard bits > 64 else {
            let low = magnitude.limbs.reversed().reduce(UInt64(0)) { $0 << 32 | UInt64($1) }
            return Double(sign: .plus, exponent: exponent, significand: Double(low | (sticky ? 1 : 0)))
        }
        let drop = bits - 64
        let top = magnitude.shifted(right: drop)
        let isExact = !sticky && top.shifted(left: drop) == magnitude
        let word = top.limbs.reversed().reduce(UInt64(0)) { $0 << 32 | UInt64($1) }
        return Double(sign: .plus, exponent: exponent + drop, significand: Double(word | (isExact ? 0 : 1)))
    }

    /// The decimal digits, with a sign when negative.
    var decimal: String { digits(base: 10, by: 1_000_000_000, width: 9) }

    /// The digits in base 8 or 16, with a sign when negative.
    func digits(base: Int) -> String {
        base == 16 ? digits(base: 16, by: 1 << 28, width: 7) : digits(base: 8, by: 1 << 27, width: 9)
    }

    private func digits(base: Int, by unit: UInt64, width: Int) -> String {
        guard !limbs.isEmpty else { return "0" }
        var pieces: [String] = []
        var rest = limbs
        while !rest.isEmpty {
            var remainder: UInt64 = 0
            for i in rest.indices.reversed() {
                let part = remainder << 32 | UInt64(rest[i])
                rest[i] = UInt32(part / unit)
                remainder = part % unit
            }
            while rest.last == 0 { rest.removeLast() }
            let piece = String(remainder, radix: base)
            pieces.append(rest.isEmpty ? piece : String(repeating: "0", count: width - piece.utf8.count) + piece)
        }
        return (isNegative ? "-" : "") + pieces.reversed().joined()
    }
}

// MARK: - Arithmetic

extension WholeNumber: Comparable {
    static func < (a: Self, b: Self) -> Bool {
        if a.isNegative != b.isNegative { return a.isNegative }
        let order = compare(a.limbs, b.limbs)
        return a.isNegative ? order > 0 : order < 0
    }

    private static func compare(_ a: [UInt32], _ b: [UInt32]) -> Int {
        if a.count != b.count { return a.count < b.count ? -1 : 1 }
        for i in a.indices.reversed() where a[i] != b[i] { return a[i] < b[i] ? -1 : 1 }
        return 0
    }

    static func + (a: Self, b: Self) -> Self {
        if a.isNegative == b.isNegative {
            return WholeNumber(limbs: sum(a.limbs, b.limbs), isNegative: a.isNegative)
        }
        return compare(a.limbs, b.limbs) >= 0
            ? WholeNumber(limbs: difference(a.limbs, b.limbs), isNegative: a.isNegative)
            : WholeNumber(limbs: difference(b.limbs, a.limbs), isNegative: b.isNegative)
    }

    static func - (a: Self, b: Self) -> Self { a + b.negated }

    static func * (a: Self, b: Self) -> Self {
        guard !a.isZero, !b.isZero else { return WholeNumber(0) }
        var product = Array(repeating: UInt32(0), count: a.limbs.count + b.limbs.count)
        for i in a.limbs.indices {
            var carry: UInt64 = 0
            for j in b.limbs.indices {
                let term = UInt64(a.limbs[i]) * UInt64(b.limbs[j]) + UInt64(product[i + j]) + carry
                product[i + j] = UInt32(truncatingIfNeeded: term)
                carry = term >> 32
            }
            product[i + b.limbs.count] = UInt32(carry)
        }
        return WholeNumber(limbs: product, isNegative: a.isNegative != b.isNegative)
    }

    private static func sum(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
        var result: [UInt32] = []
        var carry: UInt64 = 0
        for i in 0..<max(a.count, b.count) {
            let term = (i < a.count ? UInt64(a[i]) : 0) + (i < b.count ? UInt64(b[i]) : 0) + carry
            result.append(UInt32(truncatingIfNeeded: term))
            carry = term >> 32
        }
        return carry > 0 ? result + [UInt32(carry)] : result
    }

    /// `a` is not smaller than `b`.
    private static func difference(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
        var result: [UInt32] = []
        var borrow: Int64 = 0
        for i in a.indices {
            var term = Int64(a[i]) - (i < b.count ? Int64(b[i]) : 0) - borrow
            borrow = term < 0 ? 1 : 0
            if term < 0 { term += 1 << 32 }
            result.append(UInt32(term))
        }
        return result
    }

    func shifted(left count: Int) -> WholeNumber {
        guard !isZero, count > 0 else { return self }
        let (words, bits) = (count / 32, UInt64(count % 32))
        var result = Array(repeating: UInt32(0), count: words)
        var carry: UInt64 = 0
        for limb in limbs {
            let term = UInt64(limb) << bits | carry
            result.append(UInt32(truncatingIfNeeded: term))
            carry = term >> 32
        }
        return WholeNumber(limbs: result + [UInt32(carry)], isNegative: isNegative)
    }

    /// The magnitude's bits from `count` up.
    func shifted(right count: Int) -> WholeNumber {
        let (words, bits) = (count / 32, UInt64(count % 32))
        guard words < limbs.count else { return WholeNumber(0) }
        var result: [UInt32] = []
        for i in words..<limbs.count {
            let high = i + 1 < limbs.count ? UInt64(limbs[i + 1]) : 0
            result.append(UInt32(truncatingIfNeeded: (high << 32 | UInt64(limbs[i])) >> bits))
        }
        return WholeNumber(limbs: result, isNegative: isNegative)
    }

    /// Quotient and remainder as Python has them: rounded down, the remainder with the divisor's sign.
    ///
    /// The divisor is not zero.
    func dividedDown(by divisor: WholeNumber) -> (quotient: WholeNumber, remainder: WholeNumber) {
        let (magnitude, rest) = Self.divide(limbs, by: divisor.limbs)
        let quotient = WholeNumber(limbs: magnitude, isNegative: isNegative != divisor.isNegative)
        let remainder = WholeNumber(limbs: rest, isNegative: isNegative)
        guard !remainder.isZero, isNegative != divisor.isNegative else { return (quotient, remainder) }
        return (quotient - WholeNumber(1), remainder + divisor)
    }

    /// Magnitudes only.
    private static func divide(_ a: [UInt32], by b: [UInt32]) -> (quotient: [UInt32], remainder: [UInt32]) {
        if compare(a, b) < 0 { return ([], a) }
        if b.count == 1 {
            var quotient = a
            var rest: UInt64 = 0
            for i in a.indices.reversed() {
                let part = rest << 32 | UInt64(a[i])
                quotient[i] = UInt32(part / UInt64(b[0]))
                rest = part % UInt64(b[0])
            }
            return (quotient, rest == 0 ? [] : [UInt32(rest)])
        }
        return divideLong(a, by: b)
    }

    /// Knuth's algorithm D.
    private static func divideLong(_ a: [UInt32], by b: [UInt32]) -> (quotient: [UInt32], remainder: [UInt32]) {
        let shift = b[b.count - 1].leadingZeroBitCount
        let divisor = WholeNumber(limbs: b, isNegative: false).shifted(left: shift).limbs
        var rest = WholeNumber(limbs: a, isNegative: false).shifted(left: shift).limbs
        rest += Array(repeating: 0, count: a.count + 1 - rest.count)
        let n = divisor.count
        var quotient = Array(repeating: UInt32(0), count: a.count - n + 1)
        for j in stride(from: a.count - n, through: 0, by: -1) {
            let top = UInt64(rest[j + n]) << 32 | UInt64(rest[j + n - 1])
            var guess = top / UInt64(divisor[n - 1])
            var over = top % UInt64(divisor[n - 1])
            while guess >> 32 != 0 || guess * UInt64(divisor[n - 2]) > over << 32 | UInt64(rest[j + n - 2]) {
                guess -= 1
                over += UInt64(divisor[n - 1])
                if over >> 32 != 0 { break }
            }
            if subtract(divisor, times: guess, from: &rest, at: j) {
                guess -= 1
                add(divisor, to: &rest, at: j)
            }
            quotient[j] = UInt32(guess)
        }
        let remainder = WholeNumber(limbs: Array(rest[..<n]), isNegative: false).shifted(right: shift)
        return (quotient, remainder.limbs)
    }

    /// Whether the result went below zero.
    private static func subtract(
        _ divisor: [UInt32], times factor: UInt64, from rest: inout [UInt32], at place: Int
    ) -> Bool {
        var carry: UInt64 = 0
        var borrow: Int64 = 0
        for i in divisor.indices {
            let product = factor * UInt64(divisor[i]) + carry
            carry = product >> 32
            let term = Int64(rest[place + i]) - Int64(product & 0xFFFF_FFFF) - borrow
            rest[place + i] = UInt32(truncatingIfNeeded: term)
            borrow = term < 0 ? 1 : 0
        }
        let term = Int64(rest[place + divisor.count]) - Int64(carry) - borrow
        rest[place + divisor.count] = UInt32(truncatingIfNeeded: term)
        return term < 0
    }

    private static func add(_ divisor: [UInt32], to rest: inout [UInt32], at place: Int) {
        var carry: UInt64 = 0
        for i in divisor.indices {
            let term = UInt64(rest[place + i]) + UInt64(divisor[i]) + carry
            rest[place + i] = UInt32(truncatingIfNeeded: term)
            carry = term >> 32
        }
        rest[place + divisor.count] = UInt32(truncatingIfNeeded: UInt64(rest[place + divisor.count]) + carry)
    }

    /// The power, by repeated squaring; the caller has bounded the size of the result.
    func power(_ exponent: Int) -> WholeNumber {
        var (result, base, left) = (WholeNumber(1), self, exponent)
        while left > 0 {
            if left & 1 == 1 { result = result * base }
            left >>= 1
            if left > 0 { base = base * base }
        }
        return result
    }
}
