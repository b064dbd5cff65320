// Addresses as text, as RFC 4291 and common use write them: four decimal numbers without leading zeros, or groups of
// hexadecimal digits of which `::` leaves some out, the last two perhaps as an IPv4 address. No ports, zones or brackets.

/// An address of IPv4 or IPv6 as a number.
public struct IPAddress: Hashable, Sendable {
    /// The family; an IPv4-mapped IPv6 address is of the sixth until `unmapped` says otherwise.
    public enum Family: UInt8, Sendable {
        /// Addresses of 32 bits.
        case v4 = 32
        /// Addresses of 128 bits.
        case v6 = 128
        /// How many bits its addresses have.
        public var width: Int { Int(rawValue) }
    }
    /// Which numbers these are.
    public let family: Family
    /// The address in host order; an IPv4 address uses the low 32 bits.
    public let bits: UInt128

    /// Makes an address of a number.
    public init(_ family: Family, _ bits: UInt128) { (self.family, self.bits) = (family, bits) }

    /// Reads the plain text forms, `192.0.2.1` or `2001:db8::1`; `nil` for anything else, also for names, zones and
    /// ports.
    public init?(_ text: String) { self.init(text.utf8.span) }

    /// Reads an address; `nil` for any other text.
    public init?(_ text: Span<UInt8>) {
        guard text.count >= 2, text.count <= 45 else { return nil }
        if let value = Self.four(text, 0) {
            self.init(.v4, UInt128(value))
        } else if let value = Self.six(text) {
            self.init(.v6, value)
        } else {
            return nil
        }
    }

    /// The IPv4 address inside an IPv6 one (`::ffff:10.0.0.1`).
    var mapped: IPAddress? {
        family == .v6 && bits >> 32 == 0xffff ? Self(.v4, bits & 0xffff_ffff) : nil
    }

    /// The host an IPv4-mapped address really means: `::ffff:10.0.0.1` connects to 10.0.0.1.
    public var unmapped: IPAddress { mapped ?? self }

    /// Four decimal numbers from offset `start` to the end.
    private static func four(_ text: Span<UInt8>, _ start: Int) -> UInt32? {
        var value: UInt32 = 0
        var i = start
        for part in 0..<4 {
            if part > 0 {
                guard i < text.count, text[i] == UInt8(ascii: ".") else { return nil }
                i += 1
            }
            let first = i
            var number: UInt32 = 0
            while i < text.count, i < first + 3, text[i] &- UInt8(ascii: "0") < 10 {
                number = number * 10 + UInt32(text[i] - UInt8(ascii: "0"))
                i += 1
            }
            guard i > first, number < 256, i == first + 1 || text[first] != UInt8(ascii: "0") else { return nil }
            value = value << 8 | number
        }
        return i == text.count ? value : nil
    }

    /// Eight groups, or fewer around one `::`.
    private static func six(_ text: Span<UInt8>) -> UInt128? {
        var groups: (before: UInt128, after: UInt128) = (0, 0)
        var counts = (before: 0, after: 0)
        var isCut = false
        func add(_ value: UInt128, _ bits: UInt128) {
            if isCut {
                groups.after = groups.after << bits | value
                counts.after += Int(bits) / 16
            } else {
                groups.before = groups.before << bits | value
                counts.before += Int(bits) / 16
            }
        }
        var i = 0
        if text[0] == UInt8(ascii: ":") {
            guard text[1] == UInt8(ascii: ":") else { return nil }
            (isCut, i) = (true, 2)
        }
        while i < text.count {
            guard counts.before + counts.after < 8 else { return nil }
            if counts.before + counts.after <= 6, let four = four(text, i) {
                add(UInt128(four), 32)
                i = text.count
                break
            }
            guard let (group, behind) = group(text, i) else { return nil }
            add(group, 16)
            i = behind
            guard i < text.count else { break }
            guard text[i] == UInt8(ascii: ":"), i + 1 < text.count else { return nil }
            i += 1
            guard text[i] == UInt8(ascii: ":") else { continue }
            guard !isCut else { return nil }
            isCut = true
            i += 1
        }
        let count = counts.before + counts.after
        guard isCut ? count < 8 : count == 8 else { return nil }
        return isCut
            ? (counts.before == 0 ? 0 : groups.before << UInt128(16 * (8 - counts.before))) | groups.after
            : groups.before
    }

    /// One to four hexadecimal digits.
    private static func group(_ text: Span<UInt8>, _ start: Int) -> (value: UInt128, behind: Int)? {
        var value: UInt128 = 0
        var i = start
        while i < text.count, i < start + 4, let digit = hexDigit(text[i]) {
            value = value << 4 | UInt128(digit)
            i += 1
        }
        return i > start ? (value, i) : nil
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
