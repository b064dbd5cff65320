public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// Secrets: opaque bytes by workspace and name. A change of one is a new revision, as of the rules; what they mean is
// `SecretKeyring`'s affair.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func secret(_ name: String, of workspace: String) throws(LedgerError) -> [UInt8]? {
        try attempting("read a secret of \(workspace)") { () throws(SQLiteFailure) in
            let query = try database.statement("SELECT value FROM secret WHERE workspace = ? AND name = ?")
            query.bind(1, workspace)
            query.bind(2, name)
            defer { query.reset() }
            return try query.step() ? query.blob(0) : nil
        }
    }

    public func setSecret(
        _ name: String, of workspace: String, to value: [UInt8], now: Timestamp
    ) throws(LedgerError) {
        try wiping("set secret \(name) of \(workspace)") { () throws(SQLiteFailure) in
            let set = try database.statement("INSERT OR REPLACE INTO secret VALUES (?, ?, ?, ?)")
            set.bind(1, workspace)
            set.bind(2, name)
            set.bind(3, blob: value.span)
            set.bind(4, now.milliseconds)
            try set.run()
            _ = try nextRevision()
        }
    }

    public func removeSecret(_ name: String, of workspace: String, now: Timestamp) throws(LedgerError) -> Bool {
        try wiping("remove secret \(name) of \(workspace)") { () throws(SQLiteFailure) in
            let delete = try database.statement("DELETE FROM secret WHERE workspace = ? AND name = ?")
            delete.bind(1, workspace)
            delete.bind(2, name)
            try delete.run()
            guard database.changes > 0 else { return false }
            _ = try nextRevision()
            return true
        }
    }

    public func secrets(of workspace: String) throws(LedgerError) -> [(name: String, set: Timestamp)] {
        try attempting("list the secrets of \(workspace)") { () throws(SQLiteFailure) in
            let query = try database.statement("SELECT name, at FROM secret WHERE workspace = ? ORDER BY name")
            query.bind(1, workspace)
            var secrets: [(name: String, set: Timestamp)] = []
            while try query.step() { secrets.append((query.text(0), Timestamp(milliseconds: query.int(1)))) }
            return secrets
        }
    }

    public func storedSecrets() throws(LedgerError) -> [StoredSecret] {
        try attempting("read all secrets") { () throws(SQLiteFailure) in
            let query = try database.statement("SELECT workspace, name, value FROM secret ORDER BY workspace, name")
            var stored: [StoredSecret] = []
            while try query.step() {
                stored.append(
                    StoredSecret(SecretName(query.text(1), of: query.text(0)), value: query.blob(2)))
            }
            return stored
        }
    }

    public func replaceSecret(_ old: StoredSecret, with value: [UInt8]) throws(LedgerError) -> Bool {
        try wiping("seal secret \(old.secret)") { () throws(SQLiteFailure) in
            let update = try database.statement(
                "UPDATE secret SET value = ?4 WHERE workspace = ?1 AND name = ?2 AND value = ?3")
            update.bind(1, old.secret.workspace)
            update.bind(2, old.secret.name)
            update.bind(3, blob: old.value.span)
            update.bind(4, blob: value.span)
            try update.run()
            return database.changes > 0
        }
    }

    /// A transaction that leaves nothing of what it replaces in the database's free pages.
    ///
    /// The write-ahead log is written over from its start when it was checkpointed.
    private func wiping<Result>(
        _ doing: String, _ body: () throws(SQLiteFailure) -> Result
    ) throws(LedgerError) -> Result {
        try attempting(doing) { () throws(SQLiteFailure) in try database.execute("PRAGMA secure_delete=ON") }
        defer { try? database.execute("PRAGMA secure_delete=OFF") }
        return try transaction(.machine, doing, body)
    }
}
