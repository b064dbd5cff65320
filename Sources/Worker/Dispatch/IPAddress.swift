import Glibc

/// An IPv4 or IPv6 address as a number.
public struct IPAddress: Sendable, Hashable {
    /// The family; an IPv4-mapped IPv6 address is of the sixth until `unmapped` says otherwise.
    public enum Family: Sendable { case v4, v6 }
    /// Which numbers these are.
    public let family: Family
    /// The address in host order; an IPv4 address uses the low 32 bits.
    public let bits: UInt128

    init(family: Family, bits: UInt128) { (self.family, self.bits) = (family, bits) }

    init(v4 bits: UInt32) { self.init(family: .v4, bits: UInt128(bits)) }

    /// Reads the plain text forms, `192.0.2.1` or `2001:db8::1`; `nil` for anything else, also for names, zones and
    /// ports.
    public init?(_ text: String) {
        var four = in_addr()
        if unsafe inet_pton(AF_INET, text, &four) == 1 {
            self.init(v4: UInt32(bigEndian: four.s_addr))
            return
        }
        var six = in6_addr()
        guard unsafe inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        let bits = unsafe withUnsafeBytes(of: &six) { unsafe UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)) }
        self.init(family: .v6, bits: bits)
    }

    /// Reads a socket address; `nil` when it is of no internet family or too short for the one it claims.
    init?(socketAddress bytes: UnsafeRawBufferPointer, family: Int32) {
        switch family {
        case AF_INET where bytes.count >= 8:
            self.init(v4: unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        case AF_INET6 where bytes.count >= 24:
            let bits = unsafe UInt128(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt128.self))
            self.init(family: .v6, bits: bits)
        default: return nil
        }
    }

    /// The width of the family in bits.
    var width: Int { family == .v4 ? 32 : 128 }

    /// The host an IPv4-mapped address really means: `::ffff:10.0.0.1` connects to 10.0.0.1.
    var unmapped: IPAddress {
        family == .v6 && bits >> 32 == 0xffff ? IPAddress(v4: UInt32(truncatingIfNeeded: bits)) : self
    }
}

/// A range of addresses: `10.0.0.0/8`, `::1/128`, or one address alone.
public struct CIDR: Sendable, Hashable {
    /// The first address of the range.
    public let base: IPAddress
    /// How many leading bits an address must share with `base`.
    public let length: Int

    /// Reads a range; the error says what is wrong with it.
    public init(_ text: String) throws(CIDRError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let base = IPAddress(String(parts[0])) else { throw CIDRError(text: text, problem: "not an address") }
        var length = base.width
        if parts.count == 2 {
            guard let given = UInt8(parts[1]), Int(given) <= base.width, parts[1].utf8.first != UInt8(ascii: "+") else {
                throw CIDRError(text: text, problem: "the prefix length is not a number from 0 to \(base.width)")
            }
            length = Int(given)
        }
        guard base.bits & ~Self.mask(length, of: base.width) == 0 else {
            throw CIDRError(text: text, problem: "bits are set behind the prefix")
        }
        (self.base, self.length) = (base, length)
    }

    init(v4 bits: UInt32, _ length: Int) { (base, self.length) = (IPAddress(v4: bits), length) }
    init(v6 high: UInt64, low: UInt64 = 0, _ length: Int) {
        (base, self.length) = (IPAddress(family: .v6, bits: UInt128(high) << 64 | UInt128(low)), length)
    }

    /// Whether the address is in the range.
    public func contains(_ address: IPAddress) -> Bool {
        address.family == base.family && address.bits & Self.mask(length, of: base.width) == base.bits
    }

    private static func mask(_ length: Int, of width: Int) -> UInt128 {
        let all: UInt128 = width == 32 ? 0xffff_ffff : .max
        return length == 0 ? 0 : (all << UInt128(width - length)) & all
    }
}

/// What is wrong with a text that should be an address range.
public struct CIDRError: Error, Sendable, CustomStringConvertible {
    let text: String
    /// What is wrong with it, in words.
    public let problem: String
    /// The text, what is wrong with it, and how a range looks.
    public var description: String {
        "worker could not read the address range \"\(text)\": \(problem) [e.g. 127.0.0.0/8, ::1/128 or 10.1.2.3]"
    }
}
