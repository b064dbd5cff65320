import CarillonEvents
import CarillonLedger
import CarillonSQLite

// A rule with `order: supersede` wants only the newest of a pair: a new delivery ends the rule's older ones of the pair that
// wait, and one that comes back from its worker ends when a newer one is there.

extension SQLiteLedger {
    /// Why an older delivery ended.
    static let superseded = "superseded"

    /// Ends what waits in a pair of the same rule, as a new delivery takes its place.
    func supersede(_ pair: Int64, rule: Int64, _ now: Int64) throws(SQLiteFailure) {
        let query = try database.fixed(
            "SELECT id, lane, due FROM delivery WHERE state < 2 AND state = 0 AND pair = ? AND rule = ? ORDER BY id")
        query.bind(1, pair)
        query.bind(2, rule)
        var gone: [(id: DeliveryID, lane: Int64, due: Int64?)] = []
        while try query.step() { gone.append((query.int(0), query.int(1), query.optionalInt(2))) }
        guard !gone.isEmpty else { return }
        for one in gone {
            try close(one.id, as: .expired, lane: one.lane, due: one.due, reason: Self.superseded, now)
        }
        try freeNext(after: gone[0].id, now)
        try moved(.pending, .expired, gone.count)
    }

    /// Ends what came back to wait together with another, or with its worker, when a younger one of its rule is there.
    func endIfSuperseded(_ delivery: DeliveryID, _ now: Int64) throws(SQLiteFailure) {
        guard try isSuperseded(delivery) else { return }
        let query = try database.fixed("SELECT lane, due FROM delivery WHERE id = ?")
        query.bind(1, delivery)
        guard try query.step() else { return }
        let (lane, due) = (query.int(0), query.optionalInt(1))
        query.reset()
        try close(delivery, as: .expired, lane: lane, due: due, reason: Self.superseded, now)
        try freeNext(after: delivery, now)
        try moved(.pending, .expired, 1)
    }

    /// Whether a younger one of the same pair and rule has taken this one's place.
    func isSuperseded(_ delivery: DeliveryID) throws(SQLiteFailure) -> Bool {
        let query = try database.fixed(
            """
            SELECT 1 FROM delivery d JOIN delivery y ON y.state < 2 AND y.pair = d.pair AND y.id > d.id
            WHERE d.id = ? AND d.supersedes = 1 AND y.rule = d.rule LIMIT 1
            """)
        query.bind(1, delivery)
        defer { query.reset() }
        return try query.step()
    }
}
