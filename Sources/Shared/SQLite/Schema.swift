import Glibc

/// The size of a file in bytes, `nil` when there is none.
func fileSize(_ path: String) -> Int64? {
    var info = stat()
    return unsafe stat(path, &info) == 0 ? Int64(info.st_size) : nil
}

/// Versions of a database's tables: a list of steps, each run once, in order, in its own transaction with its number.
public struct Schema: Sendable {
    /// Marks the file as ours, so that a foreign database is refused before anything is written to it.
    public let application: Int32
    /// The SQL that leads from each version to the next.
    public let steps: [String]

    /// Makes a schema.
    public init(application: Int32, steps: [String]) { (self.application, self.steps) = (application, steps) }

    /// What `prepare` found wrong with a file.
    public enum Trouble: Error, Sendable {
        case foreign(String)
        case newer(found: Int, known: Int)
        case older(found: Int, known: Int)
        case sqlite(SQLiteFailure)
    }

    /// Checks that the file is ours and brings it to the newest version.
    ///
    /// - Parameter migrate: false refuses an older version, for those who only look.
    public func prepare(_ database: Database, migrate: Bool) throws(Trouble) {
        do throws(SQLiteFailure) {
            let found = Int(try database.int("PRAGMA user_version") ?? 0)
            let owner = try database.int("PRAGMA application_id") ?? 0
            let tables = try database.int("SELECT count(*) FROM sqlite_master") ?? 0
            guard owner == Int64(application) || (owner == 0 && tables == 0) else { throw foreign(database) }
            if found > steps.count || (!migrate && found < steps.count) {
                throw SQLiteFailure(.constraint, doing: "version", cause: "\(found)")
            }
            for version in found..<steps.count { try take(version, in: database) }
        } catch {
            throw classify(error)
        }
    }

    private func foreign(_ database: Database) -> SQLiteFailure {
        SQLiteFailure(.corrupt, doing: "open \(database.path)", cause: "it is another program's database")
    }

    private func classify(_ failure: SQLiteFailure) -> Trouble {
        if failure.kind == .corrupt { return .foreign(failure.cause) }
        guard failure.kind == .constraint, failure.doing == "version", let found = Int(failure.cause) else {
            return .sqlite(failure)
        }
        return found > steps.count
            ? .newer(found: found, known: steps.count) : .older(found: found, known: steps.count)
    }

    private func take(_ version: Int, in database: Database) throws(SQLiteFailure) {
        try database.write { () throws(SQLiteFailure) in
            // Another process may have taken the step while this one waited for the lock.
            guard try database.int("PRAGMA user_version") == Int64(version) else { return }
            try database.execute(steps[version])
            try database.execute("PRAGMA application_id=\(application); PRAGMA user_version=\(version + 1)")
        }
    }
}
