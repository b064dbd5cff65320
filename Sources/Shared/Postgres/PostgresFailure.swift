/// Why PostgreSQL could not do what it was asked.
///
/// `cause` holds the server's primary message alone: its details may quote rows, and libpq's words about a URL the URL.
public struct PostgresFailure: Error, Sendable, Equatable {
    /// The class of the failure.
    public enum Kind: Sendable, Equatable {
        /// Nobody answers, or the connection broke.
        case unreachable
        /// The server is there and lets us not in: wrong password, no such database, no such role.
        case refused
        /// Two transactions stood in each other's way; the same one may succeed when it is run again.
        case conflict
        /// Someone else holds it for too long.
        case busy
        /// The disk is full.
        case full
        /// What stands there is damaged.
        case corrupt
        /// The database, the schema or the table is not there.
        case missing
        /// Anything else.
        case other
    }
    /// The class of the failure.
    public let kind: Kind
    /// The server's class, five characters; empty when it was not the server that failed.
    public let state: String
    /// The server's or the library's words.
    public let cause: String
    /// Makes one.
    public init(_ kind: Kind, state: String = "", cause: String) {
        (self.kind, self.state, self.cause) = (kind, state, cause)
    }

    /// What the server said, by its SQLSTATE.
    init(state: String, cause: String) {
        self.init(Self.kind(of: state), state: state, cause: cause)
    }

    /// The whole policy is this table.
    private static func kind(of state: String) -> Kind {
        switch state {
        case "40001", "40P01": .conflict
        case "55P03", "57014": .busy
        case "53100": .full
        case "XX001", "XX002": .corrupt
        case "3D000", "3F000", "42P01": .missing
        // Shut down, starting, too many clients, thrown out while idle, read-only because it is a standby now.
        case "57P01", "57P02", "57P03", "57P05", "53300", "25P03", "25006": .unreachable
        default:
            switch state.prefix(2) {
            case "08": .unreachable
            case "28": .refused
            default: .other
            }
        }
    }
}
