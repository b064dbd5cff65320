/// Why the ledger could not do what it was asked.
public struct LedgerError: Error, Sendable, CustomStringConvertible {
    /// The class of the failure.
    public enum Kind: Sendable, Equatable {
        /// There is no ledger at that place.
        case missing
        /// Someone else holds it for now.
        case busy
        /// Nobody answers where it should be, or the connection broke.
        case unreachable
        /// The disk is full.
        case full
        /// What stands there is damaged or foreign.
        case corrupt
        /// It was written by a newer Carillon or, when less is found than known, by an older one.
        case schema(found: Int, known: Int)
        /// Anything else.
        case other
    }
    /// The class of the failure.
    public let kind: Kind
    /// What was attempted, in the caller's words.
    public let doing: String
    /// The library's own words.
    public let cause: String?
    /// Makes one.
    public init(_ kind: Kind, doing: String, cause: String? = nil) {
        (self.kind, self.doing, self.cause) = (kind, doing, cause)
    }
    /// Whether the same call may succeed later.
    public var isTransient: Bool { kind == .busy || kind == .unreachable || kind == .full }
    /// One line: what was attempted, the class of the failure, the cause.
    public var description: String { "ledger could not \(doing): \(kind)" + (cause.map { " [\($0)]" } ?? "") }
}
