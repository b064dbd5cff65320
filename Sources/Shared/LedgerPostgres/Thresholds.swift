import CarillonEvents
import CarillonLedger
import CarillonPostgres

/// The thresholds that one batch meets; lives for one transaction, which holds their rows.
struct Thresholds {
    private let partition: Int32
    private var known: [Key: Sightings] = [:]
    private var within: [Key: Int64] = [:]

    /// Locks and brings what is known of keys, in their order.
    static func reading(_ keys: Set<Key>) -> Command {
        var values = Parameters()
        values.add(keys.sorted { ($0.high, $0.low) < ($1.high, $1.low) }.map(\.halves))
        return Command(
            """
            INSERT INTO threshold (key, ends, log) SELECT k.key, 0, '' FROM unnest($1::uuid[]) AS k(key) ORDER BY k.key
            ON CONFLICT (key) DO UPDATE SET ends = threshold.ends RETURNING key, log
            """, values)
    }

    /// Reads the answer to `reading`.
    init(_ rows: Rows, partition: Int32) throws(PostgresFailure) {
        self.partition = partition
        for row in rows.indices {
            let key = Key(rows.halves(row, 0))
            guard let sightings = Sightings(bytes: rows.blob(row, 1)) else {
                throw PostgresFailure(.corrupt, cause: "threshold \(key) is not readable")
            }
            known[key] = sightings
        }
    }

    /// Counts an event: `nil` when it reaches the threshold, else by how far it falls short.
    mutating func see(_ threshold: Decisions.Threshold, at: Timestamp) -> String? {
        let span = threshold.within.milliseconds
        within[threshold.key] = span
        let found = known[threshold.key, default: Sightings()].see(
            threshold.value, at: at.milliseconds, partition: partition, enough: threshold.count, within: span)
        return found < threshold.count ? threshold.shortfall(found) : nil
    }

    /// Writes down what was counted.
    var writing: [Command] {
        let changed = within.sorted { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }
        guard !changed.isEmpty else { return [] }
        var bytes: [UInt8] = []
        var pieces: [Range<Int>] = []
        for (key, _) in changed {
            let start = bytes.count
            bytes += known[key]?.bytes ?? []
            pieces.append(start..<bytes.count)
        }
        var values = Parameters()
        values.add(changed.map(\.key.halves))
        values.add(changed.map { known[$0.key]?.end(within: $0.value) ?? 0 })
        values.add(pieces: pieces, of: bytes)
        return [
            Command(
                """
                UPDATE threshold t SET ends = n.ends, log = n.log
                FROM unnest($1::uuid[], $2::int8[], $3::bytea[]) AS n(key, ends, log) WHERE t.key = n.key
                """, values)
        ]
    }
}
