public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// Secrets: opaque bytes by workspace and name. A change of one is a new revision, as of the rules; what they mean is
// `SecretKeyring`'s affair. What is replaced stays in the table's free space until PostgreSQL writes over it.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    public func secret(_ name: String, of workspace: String) throws(LedgerError) -> [UInt8]? {
        try attempting("read a secret of \(workspace)") { () throws(PostgresFailure) in
            var values = Parameters()
            values.add(workspace)
            values.add(name)
            let rows = try connection().run("SELECT value FROM secret WHERE workspace = $1 AND name = $2", values)
            return rows.isEmpty ? nil : rows.blob(0, 0)
        }
    }

    public func setSecret(
        _ name: String, of workspace: String, to value: [UInt8], now: Timestamp
    ) throws(LedgerError) {
        try transaction("set secret \(name) of \(workspace)") { connection throws(PostgresFailure) in
            _ = try lockRules(connection)
            var values = Parameters()
            values.add(workspace)
            values.add(name)
            values.add(blob: value)
            values.add(now.milliseconds)
            try connection.run(
                """
                INSERT INTO secret VALUES ($1, $2, $3, $4)
                ON CONFLICT (workspace, name) DO UPDATE SET value = excluded.value, at = excluded.at
                """, values)
            _ = try nextRevision(connection)
            try connection.run([.commit])
        }
    }

    public func removeSecret(_ name: String, of workspace: String, now: Timestamp) throws(LedgerError) -> Bool {
        try transaction("remove secret \(name) of \(workspace)") { connection throws(PostgresFailure) in
            _ = try lockRules(connection)
            var values = Parameters()
            values.add(workspace)
            values.add(name)
            guard try connection.run("DELETE FROM secret WHERE workspace = $1 AND name = $2", values).affected > 0
            else {
                return false
            }
            _ = try nextRevision(connection)
            try connection.run([.commit])
            return true
        }
    }

    public func secrets(of workspace: String) throws(LedgerError) -> [(name: String, set: Timestamp)] {
        try attempting("list the secrets of \(workspace)") { () throws(PostgresFailure) in
            var values = Parameters()
            values.add(workspace)
            let rows = try connection().run("SELECT name, at FROM secret WHERE workspace = $1 ORDER BY name", values)
            return rows.indices.map { (rows.text($0, 0), Timestamp(milliseconds: rows.int($0, 1))) }
        }
    }

    public func storedSecrets() throws(LedgerError) -> [StoredSecret] {
        try attempting("read all secrets") { () throws(PostgresFailure) in
            let rows = try connection().run("SELECT workspace, name, value FROM secret ORDER BY workspace, name")
            return rows.indices.map { row in
                StoredSecret(SecretName(rows.text(row, 1), of: rows.text(row, 0)), value: rows.blob(row, 2))
            }
        }
    }

    public func replaceSecret(_ old: StoredSecret, with value: [UInt8]) throws(LedgerError) -> Bool {
        try transaction("seal secret \(old.secret)") { connection throws(PostgresFailure) in
            var values = Parameters()
            values.add(old.secret.workspace)
            values.add(old.secret.name)
            values.add(blob: old.value)
            values.add(blob: value)
            return try connection.run([
                .begin,
                Command(
                    "UPDATE secret SET value = $4 WHERE workspace = $1 AND name = $2 AND value = $3", values), .commit,
            ])[1].affected > 0
        }
    }
}
