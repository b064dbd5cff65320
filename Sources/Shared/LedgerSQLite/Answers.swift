public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger: LedgerAnswers {
    public func events(_ name: EventName, limit: Int) throws(LedgerError) -> [DecidedEvent] {
        try attempting("look for an event") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                var events: [DecidedEvent] = []
                for number in try numbers(of: name, limit: limit) {
                    if let event = try event(number) { events.append(event) }
                }
                return events
            }
        }
    }

    func event(_ number: Int64) throws(SQLiteFailure) -> DecidedEvent? {
        let query = try database.statement(
            "SELECT key, partition, offset, appended, bytes FROM event WHERE seq = ?")
        query.bind(1, number)
        defer { query.reset() }
        guard try query.step() else { return nil }
        let key = query.halves(0)
        let (partition, offset) = (Int32(query.int(1)), query.int(2))
        return DecidedEvent(
            number: number, key: Key(high: key.high, low: key.low), partition: partition, offset: offset,
            appended: Timestamp(milliseconds: query.int(3)), batch: try batch(of: partition, offset),
            bytes: query.blob(4))
    }

    public func memberships(of event: Int64) throws(LedgerError) -> [Membership] {
        try attempting("look for the groups of an event") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in try storedMemberships(of: event) }
        }
    }

    /// The batch that decided a record; an event's row does not say the stream, but which have positions is known.
    private func batch(of partition: Int32, _ offset: Int64) throws(SQLiteFailure) -> DecidedRange? {
        let streams = try database.prepare("SELECT DISTINCT stream FROM position WHERE partition = ?")
        streams.bind(1, Int64(partition))
        let query = try database.statement(
            """
            SELECT first, next, revision, at FROM batch WHERE stream = ? AND partition = ? AND first <= ?
            ORDER BY first DESC LIMIT 1
            """)
        while try streams.step() {
            query.bind(1, streams.text(0))
            query.bind(2, Int64(partition))
            query.bind(3, offset)
            defer { query.reset() }
            if try query.step(), query.int(1) > offset { return Self.range(query) }
        }
        return nil
    }

    private static func range(_ row: Statement) -> DecidedRange {
        DecidedRange(
            offsets: row.int(0)..<row.int(1), revision: row.int(2), at: Timestamp(milliseconds: row.int(3)))
    }

    public func positions() throws(LedgerError) -> [LedgerStatus.PositionRow] {
        try attempting("read positions") { () throws(SQLiteFailure) in try storedPositions() }
    }

    public func workspaces() throws(LedgerError) -> [String] {
        try attempting("list workspaces") { () throws(SQLiteFailure) in
            let query = try database.prepare("SELECT DISTINCT workspace FROM rule ORDER BY workspace")
            var names: [String] = []
            while try query.step() { names.append(query.text(0)) }
            return names
        }
    }

    public func decided(_ stream: String, _ partition: Int32) throws(LedgerError) -> [DecidedRange] {
        try attempting("list what is decided of \(stream)/\(partition)") { () throws(SQLiteFailure) in
            let query = try database.statement(
                "SELECT first, next, revision, at FROM batch WHERE stream = ? AND partition = ? ORDER BY first")
            query.bind(1, stream)
            query.bind(2, Int64(partition))
            defer { query.reset() }
            var ranges: [DecidedRange] = []
            while try query.step() { ranges.append(Self.range(query)) }
            return DecidedRange.joined(ranges)
        }
    }

    public func revision(at moment: Timestamp) throws(LedgerError) -> Revision {
        try attempting("find the rules of \(moment)") { () throws(SQLiteFailure) in
            let query = try database.statement("SELECT max(revision) FROM ruleset WHERE at <= ?")
            query.bind(1, moment.milliseconds)
            defer { query.reset() }
            return try query.step() ? query.optionalInt(0) ?? 0 : 0
        }
    }

    public func parked(
        _ stream: String?, _ partition: Int32, _ offset: Int64
    ) throws(LedgerError) -> ParkedRow? {
        try attempting("read the parked record \(partition):\(offset)") { () throws(SQLiteFailure) in
            let query = try database.statement(
                """
                SELECT stream, partition, offset, reason, at, bytes, retried FROM parked
                WHERE partition = ?1 AND offset = ?2 AND (?3 IS NULL OR stream = ?3) ORDER BY id DESC LIMIT 1
                """)
            query.bind(1, Int64(partition))
            query.bind(2, offset)
            query.bind(3, stream)
            defer { query.reset() }
            return try query.step() ? Self.parked(query) : nil
        }
    }

    static func parked(_ row: Statement) -> ParkedRow {
        ParkedRow(
            stream: row.text(0), partition: Int32(row.int(1)), offset: row.int(2), reason: row.text(3), at: row.int(4),
            retriedAt: row.optionalInt(6), bytes: row.blob(5))
    }

    public func noteRetried(
        _ stream: String, _ partition: Int32, _ offset: Int64, now: Timestamp
    ) throws(LedgerError) {
        try transaction(.machine, "note that \(partition):\(offset) was retried") { () throws(SQLiteFailure) in
            let note = try database.statement(
                "UPDATE parked SET retried = ?3 WHERE partition = ?1 AND offset = ?2 AND stream = ?4")
            note.bind(1, Int64(partition))
            note.bind(2, offset)
            note.bind(3, now.milliseconds)
            note.bind(4, stream)
            try note.run()
        }
    }
}
