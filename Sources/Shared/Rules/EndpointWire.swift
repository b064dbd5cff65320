// How an endpoint is spoken to below HTTP: who vouches for it, who we say we are, and the version. All PEM comes out of
// secrets or stands in the document: a tenant's document names no file.

/// What a document says of the connection to an endpoint, before its secrets are known.
public struct EndpointWire: Sendable, Hashable {
    /// The authorities that vouch for the receiver's certificate, as PEM; `nil` for the system's.
    public var authorities: SecretOrText?
    /// Carillon's own certificate and its key, as PEM, for a receiver that asks for them: both or none.
    public var certificate, key: SecretOrText?
    /// Whether HTTP/2 is offered to the receiver; it then chooses.
    public var offersHTTP2 = false

    /// Nothing of one's own.
    public init() {}

    /// Whether the document says nothing of it.
    public var isPlain: Bool { self == EndpointWire() }

    var parts: [SecretOrText] { [authorities, certificate, key].compactMap(\.self) }
}

/// What certificates and keys look like.
public enum PEMText {
    /// What is wrong with the text, to follow its name; `nil` when it is a block of PEM of this kind.
    ///
    /// For the values of secrets too, when they are read. Says nothing of the text itself.
    public static func fault(of text: String, holding kind: String) -> String? {
        if text.utf8.count > 64 * 1024 { return "is longer than 64 KiB" }
        let lines = text.split(whereSeparator: \.isNewline)
        let begins = lines.contains { $0.hasPrefix("-----BEGIN ") && $0.hasSuffix("\(kind)-----") }
        let ends = lines.contains { $0.hasPrefix("-----END ") && $0.hasSuffix("\(kind)-----") }
        return begins && ends
            ? nil : "is no PEM: it lacks the lines -----BEGIN … \(kind)----- and -----END … \(kind)-----"
    }
}

enum EndpointWireReading {
    static let keys = ["ca", "client_cert", "client_key", "http"]
    private enum Version: String, CaseIterable { case one = "1.1", two = "2" }

    static func wire(_ fields: Fields, _ findings: inout Findings) -> EndpointWire {
        var wire = EndpointWire()
        wire.authorities = fields["ca"].flatMap { pem("'ca'", "CERTIFICATE", $0, &findings) }
        wire.certificate = fields["client_cert"].flatMap { pem("'client_cert'", "CERTIFICATE", $0, &findings) }
        wire.key = fields["client_key"].flatMap { pem("'client_key'", "PRIVATE KEY", $0, &findings) }
        for (one, other) in [("client_cert", "client_key"), ("client_key", "client_cert")]
        where fields[one] != nil && fields[other] == nil {
            findings.report("'\(one)' needs '\(other)' beside it", at: fields.place(of: one))
        }
        if case .text = wire.key {
            findings.warn(
                "a private key stands in the document; keep it with 'carillon secrets set --lines' and write "
                    + "{secret: NAME}", at: fields.place(of: "client_key"))
        }
        wire.offersHTTP2 = fields["http"].map { $0.word("'http'", as: Version.self, &findings) == .two } ?? false
        return wire
    }

    private static func pem(
        _ what: String, _ kind: String, _ tree: Tree, _ findings: inout Findings
    ) -> SecretOrText? {
        guard let value = secretOrText(what, tree, &findings) else { return nil }
        if case .text(let text) = value, let fault = PEMText.fault(of: text, holding: kind) {
            findings.report("\(what) \(fault); a document names no file", at: tree.place)
            return nil
        }
        return value
    }
}

/// A text, or the name of a secret that holds it.
func secretOrText(_ what: String, _ tree: Tree, _ findings: inout Findings) -> SecretOrText? {
    guard case .mapping = tree.content else { return tree.text(what, &findings).map(SecretOrText.text) }
    let words = Vocabulary("{secret: NAME}, which can name no file and no variable", known: ["secret"])
    guard let fields = Fields(tree, words, &findings),
        let name = fields.required("secret", in: what, &findings)?.name("a secret's name", &findings)
    else { return nil }
    return .secret(name)
}
