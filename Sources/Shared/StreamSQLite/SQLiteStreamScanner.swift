import CarillonEvents
import CarillonSQLite
import CarillonStream

/// Reads the file beside its groups.
final class SQLiteStreamScanner: StreamScanner {
    private static let batchBytes = 4 << 20

    private let stream: SQLiteStream
    private let database: Database

    init(_ stream: SQLiteStream) throws(StreamError) {
        self.stream = stream
        database = try stream.connect(.readOnly)
    }

    func ends() throws(StreamError) -> [Partition: StreamEnds.Ends] { try stream.ends().partitions }

    func place(of partition: Partition) -> Place { Place(stream: stream.name, partition: partition) }

    func offset(in partition: Partition, since moment: Timestamp) throws(StreamError) -> Offset {
        try SQLiteStream.attempting("find \(moment) in \(stream.path)") { () throws(SQLiteFailure) in
            try database.read { () throws(SQLiteFailure) in
                let end = try database.int("SELECT next FROM partition WHERE id = \(partition)") ?? 0
                var low = try database.int("SELECT min(offset) FROM record_\(partition)") ?? end
                var high = end
                let probe = try database.statement(
                    "SELECT offset, appended FROM record_\(partition) WHERE offset >= ? ORDER BY offset LIMIT 1")
                while low < high {
                    let middle = (low + high) / 2
                    probe.bind(1, middle)
                    defer { probe.reset() }
                    if try probe.step(), probe.int(1) < moment.milliseconds {
                        low = probe.int(0) + 1
                    } else {
                        high = middle
                    }
                }
                return low
            }
        }
    }

    func read(_ partition: Partition, from: Offset, to: Offset, limit: Int) throws(StreamError) -> RecordBatch {
        try SQLiteStream.attempting("read \(stream.path)") { () throws(SQLiteFailure) in
            let select = try database.statement(
                """
                SELECT offset, appended, workspace, type, event FROM record_\(partition)
                WHERE offset >= ? AND offset < ? ORDER BY offset LIMIT ?
                """)
            select.bind(1, from)
            select.bind(2, to)
            select.bind(3, Int64(limit))
            defer { select.reset() }
            var records = RecordBatch(partition: partition, expected: from)
            records.isChecked = true  // only `EncodedEvent`s are appended
            while records.bytes.count < Self.batchBytes, try select.step() {
                records.add(
                    offset: select.int(0), appended: Timestamp(milliseconds: select.int(1)),
                    key: select, type: select, value: select)
            }
            if records.records.isEmpty, from < to { records.emptied = to }
            return records
        }
    }
}
