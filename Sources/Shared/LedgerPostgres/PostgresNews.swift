import CPlatform
public import CarillonLedger
import CarillonPostgres

// LISTEN over a connection of its own: the worker's runs transactions and would see a notice only between them. A listener
// that cannot connect, or behind whose back the connection broke, tells of news once it listens again, as it may have missed
// some. What is told is only that the revision moved; the revision itself is read where it counts.

/// Hears of new revisions from the moment they are committed.
@safe public final class PostgresNews: LedgerNews, @unchecked Sendable {
    // Only the thread that waits touches `open` and `pause`; the descriptor does not change.
    private let url: String
    private let bell: Int32
    private var open: Connection?
    private var pause: Int32 = 250
    private static let longestPause: Int32 = 30_000

    /// Connects with the first wait.
    public init(at url: String) throws(LedgerError) {
        self.url = url
        bell = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard bell >= 0 else {
            throw LedgerError(.other, doing: "listen for new rules", cause: "too many open files")
        }
    }

    deinit { _ = close(bell) }

    /// Ends the wait, and every later one.
    public func stop() { _ = eventfd_write(bell, 1) }

    /// Waits for a new revision, or for a connection that may have missed one.
    public func wait() -> Bool {
        while true {
            if let open, open.isWhole {
                if !open.notices().isEmpty { return true }
                // What broke is seen by the next look.
                if open.isWhole, isStopped(beside: open.socket, within: -1) { return false }
                continue
            }
            open = nil
            if isStopped(beside: -1, within: 0) { return false }
            if let fresh = try? listen() {
                (open, pause) = (fresh, 250)
                return true
            }
            if isStopped(beside: -1, within: pause) { return false }
            pause = min(pause * 2, Self.longestPause)
        }
    }

    private func listen() throws(PostgresFailure) -> Connection {
        let fresh = try Connection(url)
        try fresh.execute("LISTEN \(Self.channel(of: try PostgresLedger.space(of: fresh)))")
        return fresh
    }

    /// The name under which a ledger's news go: its schema's, as one database may have several.
    static func channel(of space: Int64) -> String { "carillon_\(space)" }

    /// Waits for a socket and the bell.
    ///
    /// - Returns: whether the bell rang, which it then does for ever.
    private func isStopped(beside socket: Int32, within milliseconds: Int32) -> Bool {
        var both = [
            pollfd(fd: bell, events: Int16(POLLIN), revents: 0), pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe poll(&both, 2, milliseconds)
        return both[0].revents != 0
    }
}
