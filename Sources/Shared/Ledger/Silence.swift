public import CarillonEvents

// Silences: for a time, what a pattern fits sends nothing. It is decided all the same, as `suppressed(silence, id)`, so that
// it is listed and can be sent later. A silence of `*` holds for the rules of every workspace.

/// The number of a silence in its ledger.
public typealias SilenceID = Int64

/// A silence that is to begin now.
public struct NewSilence: Sendable, Hashable {
    /// Whose rules it silences; `*` for everybody's.
    public var workspace: String
    /// Which events: a pattern in JSON, checked by the caller.
    public var pattern: String
    /// Why, for those who ask where the message is.
    public var comment: String
    /// When it ends.
    public var until: Timestamp
    /// Makes one.
    public init(workspace: String, pattern: String, comment: String, until: Timestamp) {
        (self.workspace, self.pattern, self.comment, self.until) = (workspace, pattern, comment, until)
    }
}

/// A silence as the ledger keeps it.
public struct Silence: Sendable, Hashable, Codable {
    /// Its number.
    public var id: SilenceID
    /// Whose rules it silences; `*` for everybody's.
    public var workspace: String
    /// Which events: a pattern in JSON.
    public var pattern: String
    /// Why.
    public var comment: String
    /// When it began and when it ends, in milliseconds since the epoch; the end itself is not silent.
    public var since, until: Int64
    /// Makes one.
    public init(id: SilenceID, workspace: String, pattern: String, comment: String, since: Int64, until: Int64) {
        (self.id, self.workspace, self.pattern) = (id, workspace, pattern)
        (self.comment, self.since, self.until) = (comment, since, until)
    }
}
