/// Who may send events.
public enum Access: Sendable {
    /// Everybody on this machine: there are no tokens, and only loopback is listened on.
    case loopback
    /// Nobody: there are no tokens, and others than this machine could come.
    case closed
    /// Who has one of these.
    case tokens(AccessTokens)

    /// The access that fits: tokens when there are, else this machine alone.
    ///
    /// - Parameter host: what is listened on.
    public init(listening host: String, tokens: AccessTokens?) {
        if let tokens {
            self = .tokens(tokens)
        } else {
            self = Self.isLoopback(host) ? .loopback : .closed
        }
    }

    /// Lets a request in, by its head.
    func pass(_ head: RequestHead) throws(Problem) -> Pass {
        switch self {
        case .closed:
            throw Problem(
                .forbidden, .closed,
                "this server takes no events over HTTP: it listens beyond this machine and has no http.tokens_file")
        case .loopback:
            // A page in a browser of this machine may have its own name lead here; it cannot pretend to be asked as this.
            guard let host = head.authority.map(Self.host), Self.isLoopback(host) else {
                throw Problem(
                    .forbidden, .closed,
                    "without http.tokens_file events are taken from this machine alone; ask for 127.0.0.1 or localhost")
            }
            return Pass(grant: nil)
        case .tokens(let tokens):
            guard let token = head.first("authorization").flatMap(Self.bearer) else {
                throw .unauthorized("send the header authorization: Bearer TOKEN")
            }
            guard let grant = tokens.grant(of: token) else { throw .unauthorized("this token is not known here") }
            return Pass(grant: grant)
        }
    }

    /// Whether a name or address is this machine's own and no other's.
    static func isLoopback(_ host: String) -> Bool {
        if host.lowercased() == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { $0.count <= 3 && UInt8($0) != nil && $0.allSatisfy(\.isNumber) }
    }

    /// The host of `HOST[:PORT]`.
    private static func host(_ authority: String) -> String {
        if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
        return String(authority.prefix { $0 != ":" })
    }

    private static func bearer(_ authorization: String) -> String? {
        let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }
}
