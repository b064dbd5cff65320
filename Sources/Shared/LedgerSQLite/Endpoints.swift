public import CarillonEvents
public import CarillonLedger
import CarillonSQLite

// Endpoints that get nothing for a while, deliveries that are pulled forward when one is back, and those that may be sent only
// once. `session` 0 in `endpoint_state` means until a person ends it.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func start(
        _ deliveries: [DeliveryID], for session: SessionID, now: Timestamp
    ) throws(LedgerError) -> Set<DeliveryID> {
        guard !deliveries.isEmpty else { return [] }
        return try transaction(.machine, "start \(deliveries.count) deliveries") { () throws(SQLiteFailure) in
            let mark = try database.fixed(
                "UPDATE delivery SET started = epoch WHERE id = ?1 AND state = 1 AND session = ?2")
            var started: Set<DeliveryID> = []
            for delivery in deliveries {
                mark.bind(1, delivery)
                mark.bind(2, session)
                try mark.run()
                if database.changes == 1 { started.insert(delivery) }
            }
            return started
        }
    }

    public func hasten(_ lane: Int64, atMost count: Int, now: Timestamp) throws(LedgerError) -> Int {
        guard count > 0 else { return 0 }
        return try transaction(.process, "hasten deliveries") { () throws(SQLiteFailure) in
            let later = try database.fixed(
                """
                SELECT due.delivery, due.at FROM due JOIN delivery d ON d.id = due.delivery
                WHERE due.lane = ?1 AND due.at > ?2 AND ifnull(d.not_before, 0) <= ?2
                ORDER BY due.at, due.delivery LIMIT ?3
                """)
            later.bind(1, lane)
            later.bind(2, now.milliseconds)
            later.bind(3, Int64(count))
            var chosen: [(id: DeliveryID, at: Int64)] = []
            while try later.step() { chosen.append((later.int(0), later.int(1))) }
            for one in chosen { try reschedule(one.id, lane: lane, from: one.at, to: now.milliseconds) }
            return chosen.count
        }
    }

    public func suspended() throws(LedgerError) -> Set<Int64> {
        try attempting("read which endpoints are suspended") { () throws(SQLiteFailure) in try suspendedLanes() }
    }

    func suspendedLanes() throws(SQLiteFailure) -> Set<Int64> {
        let query = try database.fixed("SELECT lane FROM endpoint_state WHERE session = 0")
        var lanes: Set<Int64> = []
        while try query.step() { lanes.insert(query.int(0)) }
        return lanes
    }

    public func note(
        _ state: EndpointState?, of lane: Int64, reason: String, for session: SessionID, now: Timestamp
    ) throws(LedgerError) {
        try transaction(.process, "note how an endpoint is") { () throws(SQLiteFailure) in
            guard let state else { return try clear(lane, session) }
            if state.isSuspended {
                _ = try suspend(lane, state, reason, now)
            } else if try lowestLease(of: session) != nil {
                try write(state, lane, session, reason, now)
            }
        }
    }

    public func pause(
        _ endpoint: String, of workspace: String, reason: String, now: Timestamp
    ) throws(LedgerError) -> Bool {
        try transaction(.machine, "pause \(endpoint) of \(workspace)") { () throws(SQLiteFailure) in
            try suspend(names.lane(workspace, endpoint, in: database), .paused, reason, now)
        }
    }

    public func resume(_ endpoint: String, of workspace: String, now: Timestamp) throws(LedgerError) -> Bool {
        try transaction(.machine, "resume \(endpoint) of \(workspace)") { () throws(SQLiteFailure) in
            try clear(names.lane(workspace, endpoint, in: database), 0)
            guard database.changes > 0 else { return false }
            _ = try nextRevision()
            return true
        }
    }

    public func endpoints(of workspace: String?) throws(LedgerError) -> [EndpointRow] {
        try attempting("list endpoints") { () throws(SQLiteFailure) in try endpointRows(of: workspace) }
    }

    func endpointRows(of workspace: String?) throws(SQLiteFailure) -> [EndpointRow] {
        let query = try database.statement(
            """
            SELECT l.workspace, l.target, s.state, s.reason, s.at,
                (SELECT count(*) FROM delivery d INDEXED BY delivery_open WHERE d.state < 2 AND d.lane = l.id)
            FROM lane l LEFT JOIN endpoint_state s ON s.lane = l.id AND s.session =
                (SELECT min(session) FROM endpoint_state WHERE lane = l.id)
            WHERE \(workspace == nil ? "l.id IN (SELECT lane FROM endpoint_state)" : "l.workspace = ?1")
            ORDER BY l.workspace, l.target
            """)
        if let workspace { query.bind(1, workspace) }
        var rows: [EndpointRow] = []
        while try query.step() {
            rows.append(
                EndpointRow(
                    workspace: query.text(0), name: query.text(1),
                    state: query.optionalText(2).flatMap { EndpointState(rawValue: $0) },
                    reason: query.optionalText(3) ?? "", since: query.optionalInt(4), waiting: query.int(5)))
        }
        return rows
    }

    /// What a session that is over thought of endpoints.
    func forgetStates(of session: SessionID) throws(SQLiteFailure) {
        let delete = try database.statement("DELETE FROM endpoint_state WHERE session = ?")
        delete.bind(1, session)
        try delete.run()
    }

    private func suspend(
        _ lane: Int64, _ state: EndpointState, _ reason: String, _ now: Timestamp
    ) throws(SQLiteFailure) -> Bool {
        guard try !suspendedLanes().contains(lane) else { return false }
        try write(state, lane, 0, reason, now)
        _ = try nextRevision()
        return true
    }

    private func write(
        _ state: EndpointState, _ lane: Int64, _ session: SessionID, _ reason: String, _ now: Timestamp
    ) throws(SQLiteFailure) {
        let write = try database.statement("INSERT OR REPLACE INTO endpoint_state VALUES (?, ?, ?, ?, ?)")
        write.bind(1, lane)
        write.bind(2, session)
        write.bind(3, state.rawValue)
        write.bind(4, reason)
        write.bind(5, now.milliseconds)
        try write.run()
    }

    private func clear(_ lane: Int64, _ session: SessionID) throws(SQLiteFailure) {
        let delete = try database.statement("DELETE FROM endpoint_state WHERE lane = ? AND session = ?")
        delete.bind(1, lane)
        delete.bind(2, session)
        try delete.run()
    }
}
