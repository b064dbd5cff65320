// Addresses as text, as RFC 4291 and common use write them: four decimal numbers without leading zeros, or groups of
// hexadecimal digits of which `::` leaves some out, the last two perhaps as an IPv4 address. No ports, zones or brackets.

/// An address of IPv4 or IPv6.
struct InternetAddress: Hashable, Sendable {
    enum Family: UInt8, Sendable {
        case v4 = 32
        case v6 = 128
        /// How many bits its addresses have.
        var width: Int { Int(rawValue) }
    }
    let family: Family
    /// The address as a number.
    let value: UInt128

    init(_ family: Family, _ value: UInt128) { (self.family, self.value) = (family, value) }

    /// Reads an address; `nil` for any other text.
    init?(_ text: Span<UInt8>) {
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
    var mapped: InternetAddress? {
        family == .v6 && value >> 32 == 0xffff ? Self(.v4, value & 0xffff_ffff) : nil
    }

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

/// A block of addresses, `10.0.0.0/24`.
struct AddressBlock: Hashable, Sendable {
    let family: InternetAddress.Family
    /// How many leading bits its addresses share.
    let length: Int
    /// Those bits, the rest being zero.
    let value: UInt128

    /// Why a text is no block.
    struct Fault: Error { let reason: String }

    /// Reads a block; bits behind the mask are left out.
    init(_ text: String) throws(Fault) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw Fault(reason: "is no block of addresses, such as 10.0.0.0/24 or fd00::/8") }
        guard let address = InternetAddress(Array(parts[0].utf8).span) else {
            throw Fault(reason: "begins with no IPv4 or IPv6 address")
        }
        let width = address.family.width
        guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(parts[1]), length <= width
        else { throw Fault(reason: "ends with no number of bits from 0 to \(width)") }
        self.init(address.family, length, address.value)
    }

    init(_ family: InternetAddress.Family, _ length: Int, _ value: UInt128) {
        (self.family, self.length) = (family, length)
        self.value = length == 0 ? 0 : value & Self.mask(family, length)
    }

    /// The leading bits of a block of this length.
    static func mask(_ family: InternetAddress.Family, _ length: Int) -> UInt128 {
        let all: UInt128 = family == .v4 ? 0xffff_ffff : .max
        return length == 0 ? 0 : all & ~(length == family.width ? 0 : all >> UInt128(length))
    }

    /// Whether the address is in it; an IPv4 address inside an IPv6 one is in IPv4's blocks, too.
    func contains(_ address: InternetAddress) -> Bool {
        if address.family == family { return address.value & Self.mask(family, length) == value }
        return address.mapped.map { $0.family == family && contains($0) } ?? false
    }
}
