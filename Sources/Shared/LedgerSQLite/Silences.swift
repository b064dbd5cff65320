public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func silences(at moment: Timestamp) throws(LedgerError) -> [Silence] {
        try attempting("read the silences") { () throws(SQLiteFailure) in try silences(endingAfter: moment.milliseconds)
        }
    }

    public func silences() throws(LedgerError) -> [Silence] {
        try attempting("list the silences") { () throws(SQLiteFailure) in try silences(endingAfter: .min) }
    }

    public func add(_ silence: NewSilence, now: Timestamp) throws(LedgerError) -> SilenceID {
        try transaction(.machine, "add a silence of \(silence.workspace)") { () throws(SQLiteFailure) in
            let insert = try database.statement(
                "INSERT INTO silence (workspace, pattern, comment, since, until) VALUES (?, ?, ?, ?, ?)")
            insert.bind(1, silence.workspace)
            insert.bind(2, silence.pattern)
            insert.bind(3, silence.comment)
            insert.bind(4, now.milliseconds)
            insert.bind(5, silence.until.milliseconds)
            try insert.run()
            let id = database.lastInserted
            _ = try nextRevision()
            return id
        }
    }

    public func endSilence(_ id: SilenceID, now: Timestamp) throws(LedgerError) -> Bool {
        try transaction(.machine, "end silence \(id)") { () throws(SQLiteFailure) in
            let update = try database.statement("UPDATE silence SET until = ?2 WHERE id = ?1 AND until > ?2")
            update.bind(1, id)
            update.bind(2, now.milliseconds)
            try update.run()
            guard database.changes > 0 else { return false }
            _ = try nextRevision()
            return true
        }
    }

    private func silences(endingAfter moment: Int64) throws(SQLiteFailure) -> [Silence] {
        let query = try database.statement(
            "SELECT id, workspace, pattern, comment, since, until FROM silence WHERE until > ? ORDER BY id")
        query.bind(1, moment)
        var silences: [Silence] = []
        while try query.step() {
            silences.append(
                Silence(
                    id: query.int(0), workspace: query.text(1), pattern: query.text(2), comment: query.text(3),
                    since: query.int(4), until: query.int(5)))
        }
        return silences
    }
}
