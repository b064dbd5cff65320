/// Hears what others change, sooner than asking now and then would find out.
///
/// One thread waits; any may end that. Whoever uses it goes on asking, as news may be lost.
public protocol LedgerNews: Sendable {
    /// Waits until rules, secrets, silences or endpoints may have changed.
    ///
    /// - Returns: false once `stop` was called.
    func wait() -> Bool
    /// Ends the wait, and every later one.
    func stop()
}
