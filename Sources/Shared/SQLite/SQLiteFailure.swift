import CSQLite

/// Why SQLite did not do what it was asked.
public struct SQLiteFailure: Error, Sendable, CustomStringConvertible {
    /// The classes a caller acts on.
    public enum Kind: Sendable, Equatable { case missing, busy, full, corrupt, constraint, other }
    /// The class of the failure.
    public let kind: Kind
    /// What was attempted.
    public let doing: String
    /// SQLite's own words.
    public let cause: String

    /// Makes one for a failure that is not SQLite's own.
    public init(_ kind: Kind, doing: String, cause: String) {
        (self.kind, self.doing, self.cause) = (kind, doing, cause)
    }

    init(code: Int32, message: String, doing: String) {
        kind =
            switch code & 0xff {
            case SQLITE_BUSY, SQLITE_LOCKED: .busy
            case SQLITE_FULL, SQLITE_IOERR: .full
            case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt
            case SQLITE_CANTOPEN: .missing
            case SQLITE_CONSTRAINT: .constraint
            default: .other
            }
        self.doing = doing
        cause = "\(message) (\(code))"
    }

    /// One line: what was attempted, and why it did not happen.
    public var description: String { "sqlite could not \(doing): \(kind) [\(cause)]" }
}
