import Crypto

/// What is particular about the connections to an endpoint; a class, so that a handle knows it by its address.
public final class WireTerms: Sendable {
    /// The only authorities that may vouch for the receiver, as PEM; `nil` for the system's.
    public let authorities: [UInt8]?
    /// Carillon's own certificate and its key, as PEM; behind the certificate stands a line that names the key.
    public let certificate, key: [UInt8]?
    /// Whether HTTP/2 is offered; the receiver chooses.
    public let offersHTTP2: Bool

    /// Makes terms.
    public init(
        authorities: [UInt8]? = nil, certificate: [UInt8]? = nil, key: [UInt8]? = nil, offersHTTP2: Bool = false
    ) {
        (self.authorities, self.key) = (authorities, key)
        self.certificate = certificate.map { $0 + Self.mark(of: key ?? []) }
        self.offersHTTP2 = offersHTTP2
    }

    /// A line outside of all PEM blocks, another for each key.
    private static func mark(of key: [UInt8]) -> [UInt8] {
        let digest = SHA256.hash(data: key).map { String($0, radix: 16) }.joined(separator: ".")
        return Array("\nkey \(digest)\n".utf8)
    }
}
