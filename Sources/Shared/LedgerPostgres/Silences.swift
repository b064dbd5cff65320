public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    public func silences(at moment: Timestamp) throws(LedgerError) -> [Silence] {
        try attempting("read the silences") { () throws(PostgresFailure) in
            try silences(endingAfter: moment.milliseconds)
        }
    }

    public func silences() throws(LedgerError) -> [Silence] {
        try attempting("list the silences") { () throws(PostgresFailure) in try silences(endingAfter: .min) }
    }

    public func add(_ silence: NewSilence, now: Timestamp) throws(LedgerError) -> SilenceID {
        try transaction("add a silence of \(silence.workspace)") { connection throws(PostgresFailure) in
            _ = try lockRules(connection)
            var values = Parameters()
            values.add(silence.workspace)
            values.add(silence.pattern)
            values.add(silence.comment)
            values.add(now.milliseconds)
            values.add(silence.until.milliseconds)
            let id = try connection.run(
                """
                INSERT INTO silence (workspace, pattern, comment, since, until) VALUES ($1, $2, $3, $4, $5) RETURNING id
                """, values
            ).int(0, 0)
            _ = try nextRevision(connection)
            try connection.run([.commit])
            return id
        }
    }

    public func endSilence(_ id: SilenceID, now: Timestamp) throws(LedgerError) -> Bool {
        try transaction("end silence \(id)") { connection throws(PostgresFailure) in
            _ = try lockRules(connection)
            let ended = try connection.run(
                "UPDATE silence SET until = $2 WHERE id = $1 AND until > $2", Parameters(id, now.milliseconds))
            guard ended.affected > 0 else { return false }
            _ = try nextRevision(connection)
            try connection.run([.commit])
            return true
        }
    }

    private func silences(endingAfter moment: Int64) throws(PostgresFailure) -> [Silence] {
        let rows = try connection().run(
            "SELECT id, workspace, pattern, comment, since, until FROM silence WHERE until > $1 ORDER BY id",
            Parameters(moment))
        return rows.indices.map { row in
            Silence(
                id: rows.int(row, 0), workspace: rows.text(row, 1), pattern: rows.text(row, 2),
                comment: rows.text(row, 3), since: rows.int(row, 4), until: rows.int(row, 5))
        }
    }
}
