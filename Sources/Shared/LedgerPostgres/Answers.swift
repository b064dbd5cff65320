public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger: LedgerAnswers {
    public func events(_ name: EventName, limit: Int) throws(LedgerError) -> [DecidedEvent] {
        try attempting("look for an event") { () throws(PostgresFailure) in
            let connection = try connection()
            var values = Parameters()
            values.add(try numbers(of: name, limit: limit, connection))
            return try events(values, connection)
        }
    }

    /// The events of these numbers, the newest first.
    func events(_ numbers: Parameters, _ connection: Connection) throws(PostgresFailure) -> [DecidedEvent] {
        let rows = try connection.run(
            """
            SELECT e.seq, e.key, e.partition, e.place, e.appended, e.bytes, b.first, b.next, b.revision, b.at
            FROM event e LEFT JOIN LATERAL (
                SELECT b.* FROM (SELECT DISTINCT stream FROM position WHERE partition = e.partition) p
                CROSS JOIN LATERAL (
                    SELECT first, next, revision, at FROM batch WHERE stream = p.stream AND partition = e.partition
                        AND first <= e.place ORDER BY stream DESC, partition DESC, first DESC LIMIT 1) b
                WHERE b.next > e.place LIMIT 1) b ON true
            WHERE e.seq = ANY($1) ORDER BY e.seq DESC
            """, numbers)
        return rows.indices.map { row in
            DecidedEvent(
                number: rows.int(row, 0), key: Key(rows.halves(row, 1)), partition: Int32(rows.int(row, 2)),
                offset: rows.int(row, 3), appended: Timestamp(milliseconds: rows.int(row, 4)),
                batch: rows.isNull(row, 6) ? nil : Self.range(rows, row, from: 6), bytes: rows.blob(row, 5))
        }
    }

    /// None: rules with groups are refused for this ledger.
    public func memberships(of event: Int64) throws(LedgerError) -> [Membership] { [] }

    private static func range(_ rows: Rows, _ row: Int, from column: Int) -> DecidedRange {
        DecidedRange(
            offsets: rows.int(row, column)..<rows.int(row, column + 1), revision: rows.int(row, column + 2),
            at: Timestamp(milliseconds: rows.int(row, column + 3)))
    }

    public func positions() throws(LedgerError) -> [LedgerStatus.PositionRow] {
        try attempting("read positions") { () throws(PostgresFailure) in
            Self.positions(try connection().run(Self.positions))
        }
    }

    static let positions = "SELECT stream, partition, next FROM position ORDER BY stream, partition"

    static func positions(_ rows: Rows) -> [LedgerStatus.PositionRow] {
        rows.indices.map { row in
            .init(stream: rows.text(row, 0), partition: Int32(rows.int(row, 1)), next: rows.int(row, 2))
        }
    }

    public func workspaces() throws(LedgerError) -> [String] {
        try attempting("list workspaces") { () throws(PostgresFailure) in
            let rows = try connection().run("SELECT DISTINCT workspace FROM rule ORDER BY workspace")
            return rows.indices.map { rows.text($0, 0) }
        }
    }

    public func decided(_ stream: String, _ partition: Int32) throws(LedgerError) -> [DecidedRange] {
        try attempting("list what is decided of \(stream)/\(partition)") { () throws(PostgresFailure) in
            var values = Parameters()
            values.add(stream)
            values.add(Int64(partition))
            let rows = try connection().run(
                """
                SELECT first, next, revision, at FROM batch WHERE stream = $1 AND partition = $2
                ORDER BY stream, partition, first
                """, values)
            return DecidedRange.joined(rows.indices.map { Self.range(rows, $0, from: 0) })
        }
    }

    public func revision(at moment: Timestamp) throws(LedgerError) -> Revision {
        try attempting("find the rules of \(moment)") { () throws(PostgresFailure) in
            try connection().run(
                "SELECT coalesce(max(revision), 0) FROM ruleset WHERE at <= $1", Parameters(moment.milliseconds)
            ).int(0, 0)
        }
    }

    public func parked(
        _ stream: String?, _ partition: Int32, _ offset: Int64
    ) throws(LedgerError) -> ParkedRow? {
        try attempting("read the parked record \(partition):\(offset)") { () throws(PostgresFailure) in
            var values = Parameters(Int64(partition), offset)
            values.add(stream)
            let rows = try connection().run(
                """
                SELECT stream, partition, place, reason, at, bytes, retried FROM parked
                WHERE partition = $1 AND place = $2 AND ($3::text IS NULL OR stream = $3) ORDER BY id DESC LIMIT 1
                """, values)
            return rows.isEmpty ? nil : Self.parked(rows, 0)
        }
    }

    static func parked(_ rows: Rows, _ row: Int) -> ParkedRow {
        ParkedRow(
            stream: rows.text(row, 0), partition: Int32(rows.int(row, 1)), offset: rows.int(row, 2),
            reason: rows.text(row, 3), at: rows.int(row, 4), retriedAt: rows.optionalInt(row, 6),
            bytes: rows.blob(row, 5))
    }

    public func noteRetried(
        _ stream: String, _ partition: Int32, _ offset: Int64, now: Timestamp
    ) throws(LedgerError) {
        try transaction("note that \(partition):\(offset) was retried") { connection throws(PostgresFailure) in
            var values = Parameters(Int64(partition), offset, now.milliseconds)
            values.add(stream)
            _ = try connection.run([
                .begin,
                Command(
                    "UPDATE parked SET retried = $3 WHERE partition = $1 AND place = $2 AND stream = $4", values),
                .commit,
            ])
        }
    }
}
