import CarillonLedger
import CarillonSQLite

// The due-time table. What stands in lane 0 are groups, by their numbers, and in lane -1 those that are digests; see
// `Groups` and `Digests`.

extension SQLiteLedger {
    /// Puts a delivery into the due-time table.
    func enqueue(_ delivery: DeliveryID, lane: Int64, at: Int64) throws(SQLiteFailure) {
        let insert = try database.fixed("INSERT INTO due VALUES (?, ?, ?)")
        insert.bind(1, lane)
        insert.bind(2, at)
        insert.bind(3, delivery)
        try insert.run()
    }

    /// Takes a delivery out of the due-time table.
    func dequeue(_ delivery: DeliveryID, lane: Int64, at: Int64) throws(SQLiteFailure) {
        let delete = try database.fixed("DELETE FROM due WHERE lane = ? AND at = ? AND delivery = ?")
        delete.bind(1, lane)
        delete.bind(2, at)
        delete.bind(3, delivery)
        try delete.run()
    }

    /// Moves a waiting delivery to another time; `from` is `nil` when it stood behind another of its pair.
    func reschedule(_ delivery: DeliveryID, lane: Int64, from: Int64?, to: Int64) throws(SQLiteFailure) {
        if let from { try dequeue(delivery, lane: lane, at: from) }
        try enqueue(delivery, lane: lane, at: to)
        let update = try database.fixed("UPDATE delivery SET due = ?2 WHERE id = ?1")
        update.bind(1, delivery)
        update.bind(2, to)
        try update.run()
    }
}
