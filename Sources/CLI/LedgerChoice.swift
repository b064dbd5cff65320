import CarillonAnswers
import CarillonLedger
import CarillonLedgerPostgres
import CarillonLedgerSQLite
import CarillonPlatform
import CarillonWorker

// How a configuration becomes a ledger: SQLite in a file of this host, or PostgreSQL for workers on many.

extension Configuration {
    /// Opens the ledger that is there, for one thread.
    func desk() throws(LedgerError) -> any AnsweringLedger {
        ledger.isPostgres ? try PostgresLedger.open(at: ledgerURL(), keeping: postgresKeeping) : try openFile()
    }

    /// Opens the ledger, making it when it is not there: for workers and servers.
    ///
    /// - Parameter crash: where crash tests want the process dead.
    func createLedger(crash: CrashPoints? = nil) throws(LedgerError) -> any CarillonLedger.Ledger {
        if ledger.isPostgres {
            let made = try PostgresLedger.create(at: ledgerURL(), keeping: postgresKeeping)
            made.reach = crash?.reachesInLedger
            return made
        }
        let folder = ledger.path.lastIndex(of: "/").map { String(ledger.path[..<$0]) } ?? "."
        do throws(PlatformError) { try Folder.make(folder) } catch {
            throw LedgerError(.other, doing: "make the folder of \(ledger.path)", cause: error.cause)
        }
        let made = try SQLiteLedger.create(at: ledger.path, keeping: fileKeeping)
        made.reach = crash?.reachesInLedger
        return made
    }

    /// What hears of changes in the ledger at once, where a ledger tells of them.
    func ledgerNews() throws(LedgerError) -> (any LedgerNews)? {
        ledger.isPostgres ? try PostgresNews(at: ledgerURL()) : nil
    }

    private func openFile() throws(LedgerError) -> SQLiteLedger {
        try SQLiteLedger.open(at: ledger.path, keeping: fileKeeping)
    }

    private var fileKeeping: SQLiteLedger.Keeping {
        SQLiteLedger.Keeping(retention: ledger.retention, dedupHorizon: ledger.dedupHorizon)
    }

    private var postgresKeeping: PostgresLedger.Keeping {
        PostgresLedger.Keeping(retention: ledger.retention, dedupHorizon: ledger.dedupHorizon)
    }

    /// The URL, out of its file where it has one; read anew each time, so that a password may change there.
    private func ledgerURL() throws(LedgerError) -> String {
        do throws(Failure) {
            if let url = try values.secret("ledger.url") { return url.clear }
        } catch { throw LedgerError(.other, doing: "open the ledger", cause: error.lines.joined(separator: "; ")) }
        throw LedgerError(.other, doing: "open the ledger", cause: "neither ledger.url nor ledger.url_file is set")
    }
}

extension CrashPoints {
    /// Dies inside a ledger's transaction, where it is told to.
    fileprivate var reachesInLedger: (LedgerStep) -> Bool {
        { step in
            switch step {
            case .inDecision: reach(.inDecision)
            case .inClaim: reach(.inClaim)
            case .inSettle: reach(.inSettle)
            }
            return true
        }
    }
}
