import CarillonEvents
import CarillonLedger
import CarillonSQLite

/// The thresholds that one batch meets; lives for one transaction.
///
/// Each key is read once and written once a batch, however many of its events come.
struct Thresholds {
    private struct Known {
        var sightings: Sightings
        var within: Int64
    }
    private let database: Database
    private let partition: Int32
    private var known: [Key: Known] = [:]

    init(_ ledger: SQLiteLedger, partition: Int32) { (database, self.partition) = (ledger.database, partition) }

    /// Counts an event: `nil` when it reaches the threshold, else by how far it falls short.
    mutating func see(_ threshold: Decisions.Threshold, at: Timestamp) throws(SQLiteFailure) -> String? {
        let within = threshold.within.milliseconds
        var one: Known
        if let read = known.removeValue(forKey: threshold.key) {
            one = read
        } else {
            one = Known(sightings: try read(threshold.key), within: within)
        }
        defer { known[threshold.key] = one }
        let found = one.sightings.see(
            threshold.value, at: at.milliseconds, partition: partition, enough: threshold.count, within: within)
        return found < threshold.count ? threshold.shortfall(found) : nil
    }

    private func read(_ key: Key) throws(SQLiteFailure) -> Sightings {
        let query = try database.fixed("SELECT log FROM threshold WHERE key = ?")
        query.bind(1, high: key.high, low: key.low)
        defer { query.reset() }
        guard try query.step() else { return Sightings() }
        guard let sightings = Sightings(bytes: query.blob(0)) else {
            throw SQLiteFailure(.corrupt, doing: "read the threshold \(key)", cause: "its log is none of ours")
        }
        return sightings
    }

    /// Writes down what was counted.
    func close() throws(SQLiteFailure) {
        let write = try database.fixed("INSERT OR REPLACE INTO threshold VALUES (?, ?, ?)")
        for (key, one) in known.sorted(by: { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }) {
            write.bind(1, high: key.high, low: key.low)
            write.bind(2, one.sightings.end(within: one.within))
            write.bind(3, blob: one.sightings.bytes.span)
            try write.run()
        }
    }
}

extension SQLiteLedger {
    /// Removes a bounded number of thresholds whose last event is long ago.
    func retireThresholds(_ at: Int64, atMost limit: Int64) throws(SQLiteFailure) -> Int {
        try database.execute(
            """
            DELETE FROM threshold WHERE key IN (
                SELECT key FROM threshold INDEXED BY threshold_over WHERE ends <= \(at) ORDER BY ends LIMIT \(limit))
            """)
        return Int(database.changes)
    }
}
