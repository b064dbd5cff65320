import CarillonEvents
import CarillonLedger
import CarillonLedgerSQLite
import CarillonPlatform
import CarillonStream
import CarillonStreamSQLite

// The one file that names backends: how a configuration becomes a stream and a ledger.

extension Configuration {
    /// A door to the stream that is there; publishers never make one.
    func appender() throws(StreamError) -> any StreamAppender { try SQLiteStream.open(at: stream.path).appender() }

    /// The earliest kept and the next offset of each partition of the stream that is there.
    func streamEnds() throws(StreamError) -> [Partition: (low: Offset, next: Offset)] {
        try SQLiteStream.open(at: stream.path).ends()
    }

    /// Opens the stream, making it when it is not there: for workers and servers.
    func createStream() throws(StreamError) -> SQLiteStream {
        do throws(PlatformError) { try Folder.make(folder(of: stream.path)) } catch {
            throw StreamError(.other, doing: "make the folder of \(stream.path)", cause: error.cause)
        }
        return try SQLiteStream.create(at: stream.path, partitions: stream.partitions)
    }

    /// Opens the ledger that is there, for one thread.
    func desk() throws(LedgerError) -> any LedgerDesk { try SQLiteLedger.open(at: ledger.path, keeping: keeping) }

    /// Opens the ledger, making it when it is not there: for workers and servers.
    func createLedger() throws(LedgerError) -> SQLiteLedger {
        do throws(PlatformError) { try Folder.make(folder(of: ledger.path)) } catch {
            throw LedgerError(.other, doing: "make the folder of \(ledger.path)", cause: error.cause)
        }
        return try SQLiteLedger.create(at: ledger.path, keeping: keeping)
    }

    private var keeping: SQLiteLedger.Keeping {
        SQLiteLedger.Keeping(retention: ledger.retention, dedupHorizon: ledger.dedupHorizon)
    }

    private func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}
