// Blocks of addresses as patterns have them: bits behind the mask are left out, as event-ruler does.

/// A block of addresses, `10.0.0.0/24`.
struct AddressBlock: Hashable, Sendable {
    let family: IPAddress.Family
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
        guard let address = IPAddress(Array(parts[0].utf8).span) else {
            throw Fault(reason: "begins with no IPv4 or IPv6 address")
        }
        let width = address.family.width
        guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(parts[1]), length <= width
        else { throw Fault(reason: "ends with no number of bits from 0 to \(width)") }
        self.init(address.family, length, address.bits)
    }

    init(_ family: IPAddress.Family, _ length: Int, _ value: UInt128) {
        (self.family, self.length) = (family, length)
        self.value = length == 0 ? 0 : value & Self.mask(family, length)
    }

    /// The leading bits of a block of this length.
    static func mask(_ family: IPAddress.Family, _ length: Int) -> UInt128 {
        let all: UInt128 = family == .v4 ? 0xffff_ffff : .max
        return length == 0 ? 0 : all & ~(length == family.width ? 0 : all >> UInt128(length))
    }

    /// Whether the address is in it; an IPv4 address inside an IPv6 one is in IPv4's blocks, too.
    func contains(_ address: IPAddress) -> Bool {
        if address.family == family { return address.bits & Self.mask(family, length) == value }
        return address.mapped.map { $0.family == family && contains($0) } ?? false
    }
}
