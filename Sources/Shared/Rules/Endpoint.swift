// What a document says about an endpoint, before its secrets are known.

/// A value of a document that may be a secret: named, to be looked up when it is used, or standing there.
public enum SecretOrText: Sendable, Hashable, CustomStringConvertible {
    /// The name of a secret that `carillon secrets set` keeps.
    case secret(String)
    /// The value itself.
    case text(String)

    /// The secret's name, or a mask: a value standing in a document is never shown.
    public var description: String {
        switch self {
        case .secret(let name): "{secret: \(name)}"
        case .text: "•••"
        }
    }
}

extension SecretOrText: CustomDebugStringConvertible, CustomReflectable {
    /// The same as `description`.
    public var debugDescription: String { description }
    /// Nothing to look into, so that `dump` shows no secret either.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where a rule's notifications go.
public struct EndpointSpec: Sendable {
    /// Its name in the document, unique in the workspace; the target's name in deliveries.
    public let name: String
    /// The kind of receiver, by which its channel is found.
    public let kind: String
    /// The address, checked when it stands in the document; an empty text for a kind that has none.
    public let url: SecretOrText
    /// Signing secrets, newest first; none, one, or two while one is replaced.
    public let secrets: [SecretOrText]
    /// Headers to add, in the document's order; names are unique whatever their case, and a text value has no line
    /// break.
    public let headers: [(name: String, value: SecretOrText)]
    /// The verb: `POST` unless the document says another.
    public let method: String
    /// Whether the receiver's certificate has to be valid.
    public let verifySSL: Bool
    /// When a failed delivery is tried again; `nil` for the deployment's schedule.
    public let retry: EndpointRetry?
    /// Authorities, a certificate of our own, and the version of HTTP.
    public let wire: EndpointWire
    /// The receiver's own key: a chat robot's signing secret, a pager's routing key.
    public let credential: SecretOrText?
    /// How its messages are written.
    public let format: EndpointFormat
    /// The template of its bodies, with `format: body`.
    public let body: Template?
    /// Who is called by name.
    public let mentions: Mentions
    /// How many messages it wants at most; the deployment's ceilings hold beside it.
    public let quota: [QuotaLimit]
    /// Where it stands.
    public let file: String
    /// Its line in `file`, from 1.
    public let line: Int

    /// Makes an endpoint from parts the caller has checked.
    public init(
        name: String, kind: String = "webhook", url: SecretOrText, secrets: [SecretOrText] = [],
        headers: [(name: String, value: SecretOrText)] = [], method: String = "POST", verifySSL: Bool = true,
        wire: EndpointWire = EndpointWire(), credential: SecretOrText? = nil, format: EndpointFormat = .standard,
        body: Template? = nil, mentions: Mentions = Mentions(), retry: EndpointRetry? = nil,
        quota: [QuotaLimit] = [], file: String = "", line: Int = 0
    ) {
        (self.retry, self.quota) = (retry, quota)
        (self.credential, self.format, self.body, self.mentions) = (credential, format, body, mentions)
        (self.name, self.kind, self.url, self.secrets, self.headers) = (name, kind, url, secrets, headers)
        (self.method, self.verifySSL, self.wire, self.file, self.line) = (method, verifySSL, wire, file, line)
    }

    /// Whether it opens and closes incidents.
    public var hasIncidents: Bool { kind == EndpointKind.pagerduty.rawValue }

    /// The names of the secrets it needs.
    public var secretNames: Set<String> {
        Set(
            ([url] + secrets + headers.map(\.value) + wire.parts + [credential].compactMap(\.self)).compactMap {
                if case .secret(let name) = $0 { name } else { nil }
            })
    }
}
