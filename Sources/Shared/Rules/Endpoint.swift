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

/// A retry schedule that a document may name.
public enum RetryName: String, Sendable, CaseIterable {
    case backoff = "BACKOFF_RETRY"
    case exponentialDecay = "EXPONENTIAL_DECAY_RETRY"
    case standardWebhooks = "STANDARD_WEBHOOKS"
}

/// Where a rule's notifications go.
public struct EndpointSpec: Sendable {
    /// Its name in the document, unique in the workspace; the target's name in deliveries.
    public let name: String
    /// The kind of receiver: `webhook` is the only one built.
    public let kind: String
    /// The address; one that stands in the document is checked.
    public let url: SecretOrText
    /// Signing secrets, newest first; none, one, or two while one is replaced.
    public let secrets: [SecretOrText]
    /// Headers to add, in the document's order; names are unique whatever their case, and a text value has no line
    /// break.
    public let headers: [(name: String, value: SecretOrText)]
    /// `POST` unless the document says `PUT` or `PATCH`.
    public let method: String
    /// Whether the receiver's certificate has to be valid.
    public let verifySSL: Bool
    /// When a failed delivery is tried again; `nil` for the deployment's schedule.
    public let retry: RetryName?
    /// Where it stands.
    public let file: String
    /// Its line in `file`, from 1.
    public let line: Int

    /// Makes an endpoint from parts the caller has checked.
    public init(
        name: String, kind: String = "webhook", url: SecretOrText, secrets: [SecretOrText] = [],
        headers: [(name: String, value: SecretOrText)] = [], method: String = "POST", verifySSL: Bool = true,
        retry: RetryName? = nil, file: String = "", line: Int = 0
    ) {
        self.retry = retry
        (self.name, self.kind, self.url, self.secrets, self.headers) = (name, kind, url, secrets, headers)
        (self.method, self.verifySSL, self.file, self.line) = (method, verifySSL, file, line)
    }

    /// The names of the secrets it needs.
    public var secretNames: Set<String> {
        Set(
            ([url] + secrets + headers.map(\.value)).compactMap {
                if case .secret(let name) = $0 { name } else { nil }
            })
    }
}
