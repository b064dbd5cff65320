/// What is particular about the connections to an endpoint; a class, so that a handle knows it by its address.
public final class WireTerms: Sendable {
    /// The only authorities that may vouch for the receiver, as PEM; `nil` for the system's.
    public let authorities: [UInt8]?
    /// Carillon's own certificate and its key, as PEM.
    public let certificate, key: [UInt8]?
    /// Whether HTTP/2 is offered; the receiver chooses.
    public let offersHTTP2: Bool

    /// Makes terms.
    public init(
        authorities: [UInt8]? = nil, certificate: [UInt8]? = nil, key: [UInt8]? = nil, offersHTTP2: Bool = false
    ) {
        (self.authorities, self.certificate, self.key) = (authorities, certificate, key)
        self.offersHTTP2 = offersHTTP2
    }
}
