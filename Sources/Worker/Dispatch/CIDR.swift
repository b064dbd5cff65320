public import CarillonRules
import Glibc

extension IPAddress {
    init(v4 bits: UInt32) { self.init(.v4, UInt128(bits)) }

    /// Reads a socket address; `nil` when it is of no internet family or too short for the one it claims.
    init?(socketAddress bytes: UnsafeRawBufferPointer, family: Int32) {
        switch family {
        case AF_INET where bytes.count >= 8:
            self.init(v4: unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        case AF_INET6 where bytes.count >= 24:
            let bits = unsafe UInt128(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt128.self))
            self.init(.v6, bits)
        default: return nil
        }
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
        var length = base.family.width
        if parts.count == 2 {
            guard let given = UInt8(parts[1]), Int(given) <= base.family.width, parts[1].utf8.first != UInt8(ascii: "+")
            else {
                throw CIDRError(text: text, problem: "the prefix length is not a number from 0 to \(base.family.width)")
            }
            length = Int(given)
        }
        guard base.bits & ~Self.mask(length, of: base.family.width) == 0 else {
            throw CIDRError(text: text, problem: "bits are set behind the prefix")
        }
        (self.base, self.length) = (base, length)
    }

    init(v4 bits: UInt32, _ length: Int) { (base, self.length) = (IPAddress(v4: bits), length) }
    init(v6 high: UInt64, low: UInt64 = 0, _ length: Int) {
        (base, self.length) = (IPAddress(.v6, UInt128(high) << 64 | UInt128(low)), length)
    }

    /// Whether the address is in the range.
    public func contains(_ address: IPAddress) -> Bool {
        address.family == base.family && address.bits & Self.mask(length, of: base.family.width) == base.bits
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
