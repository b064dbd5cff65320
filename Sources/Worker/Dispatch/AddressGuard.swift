// P12: a webhook cannot be made to call the inside of the network.
//
// The guard looks at the address a socket is about to connect to, after the name was resolved, so no spelling of a host
// (decimal, octal, a name that points inside, one that points elsewhere the second time) reaches it differently.
// What it cannot know: public addresses that belong to the operator's own network. Those need a firewall.

public import CarillonRules

/// Decides which addresses a delivery may be sent to.
public struct AddressGuard: Sendable {
    private let exemptions: [CIDR]

    /// Makes a guard; `exemptions` are let through whatever they are.
    public init(exemptions: [CIDR] = []) { self.exemptions = exemptions }

    /// Whether a socket may be connected to this address.
    public func allows(_ address: IPAddress) -> Bool {
        let host = address.unmapped
        if exemptions.contains(where: { $0.contains(host) || $0.contains(address) }) { return true }
        switch host.family {
        case .v4: return !Self.inside4.contains { $0.contains(host) }
        case .v6: return !Self.inside6.contains { $0.contains(host) } && !Self.embedsInside(host)
        }
    }

    /// Whether a proxy may be asked for this host: an address that is allowed, or a name of the world outside.
    ///
    /// What a name points to only the proxy knows, so it has to keep the inside to itself.
    package func allows(name: String) -> Bool {
        // What other scripts spell may be numbers once they are converted.
        guard name.utf8.allSatisfy({ (0x21..<0x7f).contains($0) }) else { return false }
        var text = name.lowercased()
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        if let zone = text.firstIndex(of: "%") { text = String(text[..<zone]) }
        if let address = IPAddress(text) { return allows(address) }
        while text.hasSuffix(".") { text.removeLast() }
        if let address = IPAddress(text) { return allows(address) }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        // A name without a dot is the network's own. Numbers that are no address to us may be one to the proxy: 0x7f.1.
        guard labels.count > 1, let last = labels.last, let first = last.utf8.first else { return false }
        return !(0x30...0x39).contains(first) && !["localhost", "localdomain", "local", "internal"].contains(last)
    }

    /// Some IPv6 addresses carry an IPv4 one that a gateway on the way calls: it must be allowed by itself.
    private static func embedsInside(_ address: IPAddress) -> Bool {
        for (range, shift) in carriers where range.contains(address) {
            let carried = IPAddress(v4: UInt32(truncatingIfNeeded: address.bits >> UInt128(shift)))
            return inside4.contains { $0.contains(carried) }
        }
        return false
    }

    private static let inside4: [CIDR] = [
        CIDR(v4: 0x0000_0000, 8),  // 0.0.0.0/8: unspecified, "this network"
        CIDR(v4: 0x0a00_0000, 8),  // 10.0.0.0/8: private
        CIDR(v4: 0x6440_0000, 10),  // 100.64.0.0/10: carrier-grade NAT, and Alibaba's metadata
        CIDR(v4: 0x7f00_0000, 8),  // 127.0.0.0/8: loopback
        CIDR(v4: 0xa83f_8110, 32),  // 168.63.129.16: Azure's metadata, a public number answered by the host
        CIDR(v4: 0xa9fe_0000, 16),  // 169.254.0.0/16: link-local, and most clouds' metadata
        CIDR(v4: 0xac10_0000, 12),  // 172.16.0.0/12: private
        CIDR(v4: 0xc000_0000, 24),  // 192.0.0.0/24: protocol assignments, Oracle's metadata
        CIDR(v4: 0xc000_0200, 24),  // 192.0.2.0/24: documentation
        CIDR(v4: 0xc058_6300, 24),  // 192.88.99.0/24: 6to4 relays
        CIDR(v4: 0xc0a8_0000, 16),  // 192.168.0.0/16: private
        CIDR(v4: 0xc612_0000, 15),  // 198.18.0.0/15: benchmarks
        CIDR(v4: 0xc633_6400, 24),  // 198.51.100.0/24: documentation
        CIDR(v4: 0xcb00_7100, 24),  // 203.0.113.0/24: documentation
        CIDR(v4: 0xe000_0000, 4),  // 224.0.0.0/4: multicast
        CIDR(v4: 0xf000_0000, 4),  // 240.0.0.0/4: reserved, broadcast
    ]

    private static let inside6: [CIDR] = [
        CIDR(v6: 0, 96),  // ::/96: unspecified, loopback, IPv4-compatible
        CIDR(v6: 0x0064_ff9b_0001_0000, 48),  // 64:ff9b:1::/48: NAT64 of the local network
        CIDR(v6: 0x0100_0000_0000_0000, 64),  // 100::/64: discard
        CIDR(v6: 0x2001_0000_0000_0000, 23),  // 2001::/23: protocol assignments, Teredo, ORCHID, benchmarks
        CIDR(v6: 0x2001_0db8_0000_0000, 32),  // 2001:db8::/32: documentation
        CIDR(v6: 0x3fff_0000_0000_0000, 20),  // 3fff::/20: documentation
        CIDR(v6: 0x5f00_0000_0000_0000, 16),  // 5f00::/16: segment routing
        CIDR(v6: 0xfc00_0000_0000_0000, 7),  // fc00::/7: unique local, and fd00:ec2::254, Amazon's metadata
        CIDR(v6: 0xfe80_0000_0000_0000, 10),  // fe80::/10: link-local
        CIDR(v6: 0xfec0_0000_0000_0000, 10),  // fec0::/10: site-local
        CIDR(v6: 0xff00_0000_0000_0000, 8),  // ff00::/8: multicast
    ]

    /// Ranges with an IPv4 address inside, and how many bits stand behind it.
    private static let carriers: [(CIDR, behind: Int)] = [
        (CIDR(v6: 0, low: 0xffff_0000_0000_0000, 96), 0),  // ::ffff:0:0:0/96: translated (SIIT)
        (CIDR(v6: 0x0064_ff9b_0000_0000, 96), 0),  // 64:ff9b::/96: NAT64
        (CIDR(v6: 0x2002_0000_0000_0000, 16), 80),  // 2002::/16: 6to4
    ]
}
