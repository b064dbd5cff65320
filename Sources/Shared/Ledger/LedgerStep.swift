/// Moments inside a ledger's transactions, before they commit, for crash tests.
public enum LedgerStep: Sendable {
    /// What became of a batch is written.
    case inDecision
    /// Quotas are charged, and what finds no room goes its way.
    case inClaim
    /// Outcomes are written.
    case inSettle
}
