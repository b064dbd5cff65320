public import CarillonLedger

/// One try, ready for the wire.
public struct Request: Sendable {
    /// How it travels.
    public enum Transport: Sendable, Equatable {
        /// HTTP, or HTTPS when the address says so.
        case http
        /// Mail: the body is the message, the address that of the server it is handed to.
        case smtp(SMTPEnvelope)
        /// No network: the body is a line for standard output.
        case line
        /// No network: a page that the settlement keeps for a person to read.
        case page(InboxPage)
    }

    /// How it travels.
    public var transport: Transport
    /// The verb.
    public var method: String
    /// The address.
    public var url: String
    /// The header lines; no text can break out of its line.
    public var headers: HeaderLines
    /// The body.
    public var body: [UInt8]
    /// Whether the receiver's certificate must be good.
    public var verifiesTLS: Bool
    /// Whether it needs a connection of its own.
    ///
    /// A request is repeated at once when a kept connection turns out to be dead; what costs money never is.
    public var needsFreshConnection = false
    /// Whether the address is the deployment's own word, so that it may lie inside the network.
    ///
    /// Never true for an address out of a rule document.
    public var isTrusted = false
    /// The file of the authorities that vouch for the receiver; `nil` for the system's.
    public var authorities: String?

    /// Makes one; what is not named here can be set behind.
    public init(
        method: String, url: String, headers: HeaderLines, body: [UInt8], verifiesTLS: Bool = true,
        transport: Transport = .http
    ) {
        (self.method, self.url, self.headers, self.body) = (method, url, headers, body)
        (self.verifiesTLS, self.transport) = (verifiesTLS, transport)
    }
}

/// What a mail server is told beside the message.
public struct SMTPEnvelope: Sendable, Equatable {
    /// When the connection is encrypted.
    public enum TLS: String, Sendable, CaseIterable {
        /// STARTTLS, or nothing is sent.
        case required
        /// STARTTLS when the server offers it.
        case opportunistic
        /// From the first byte.
        case implicit
        /// Never.
        case none
    }
    /// The user and password to log in with.
    public struct Login: Sendable, Equatable {
        /// Both in the clear; never printed.
        public var user, password: String
        /// Makes one.
        public init(user: String, password: String) { (self.user, self.password) = (user, password) }
    }
    /// The address that bounces go to.
    public var sender: String
    /// Who gets it.
    public var recipients: [String]
    /// When it is encrypted.
    public var tls: TLS
    /// How to log in; `nil` for not.
    public var login: Login?
    /// Makes one.
    public init(sender: String, recipients: [String], tls: TLS, login: Login? = nil) {
        (self.sender, self.recipients, self.tls, self.login) = (sender, recipients, tls, login)
    }
}

/// What came back.
public struct Response: Sendable {
    /// The HTTP status, or the last reply code of a mail server.
    public var status: Int
    /// What the `Retry-After` header asks for, from now; `nil` when it was absent or unreadable.
    public var retryAfter: Duration?
    /// The first bytes of the body, bounded.
    public var body: [UInt8]
    /// Makes one.
    public init(status: Int, retryAfter: Duration? = nil, body: [UInt8] = []) {
        (self.status, self.retryAfter, self.body) = (status, retryAfter, body)
    }
}
