public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// Endpoints that get nothing for a while, deliveries that are pulled forward when one is back, and those that may be sent only
// once. `session` 0 in `endpoint_state` means until a person ends it.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    /// The lanes that nothing is leased from.
    static let suspendedLanes = "SELECT lane FROM endpoint_state WHERE session = 0"

    public func start(
        _ deliveries: [DeliveryID], for session: SessionID, now: Timestamp
    ) throws(LedgerError) -> Set<DeliveryID> {
        guard !deliveries.isEmpty else { return [] }
        return try transaction("start \(deliveries.count) deliveries") { connection throws(PostgresFailure) in
            var values = Parameters()
            values.add(deliveries)
            values.add(session)
            let rows = try connection.run([
                .begin,
                Command(
                    """
                    UPDATE delivery SET started = epoch WHERE state = 1 AND session = $2 AND id = ANY(ARRAY(
                        SELECT id FROM delivery WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE)) RETURNING id
                    """, values), .commit,
            ])[1]
            return Set(rows.indices.map { rows.int($0, 0) })
        }
    }

    public func hasten(_ lane: Int64, atMost count: Int, now: Timestamp) throws(LedgerError) -> Int {
        guard count > 0 else { return 0 }
        return try transaction("hasten deliveries") { connection throws(PostgresFailure) in
            try connection.run([
                .begin, .lazily, Order.lock([lane]),
                Command(
                    """
                    UPDATE delivery SET due = $2 WHERE id = ANY(ARRAY(
                        SELECT id FROM delivery WHERE lane = $1 AND due > $2 AND coalesce(not_before, 0) <= $2
                        ORDER BY lane, due, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED))
                    """, Parameters(lane, now.milliseconds, Int64(count))), .commit,
            ])[3].affected
        }
    }

    public func suspended() throws(LedgerError) -> Set<Int64> {
        try attempting("read which endpoints are suspended") { () throws(PostgresFailure) in
            let rows = try connection().run(Self.suspendedLanes)
            return Set(rows.indices.map { rows.int($0, 0) })
        }
    }

    public func note(
        _ state: EndpointState?, of lane: Int64, reason: String, for session: SessionID, now: Timestamp
    ) throws(LedgerError) {
        try transaction("note how an endpoint is") { connection throws(PostgresFailure) in
            guard let state, !state.isSuspended else {
                if let state { return _ = try suspend(lane, state, reason, now, connection) }
                try connection.run([.begin, .lazily, clear(lane, session), .commit])
                return
            }
            guard try !connection.run([.begin, .lazily, hold(session)])[2].isEmpty else { return }
            try connection.run([write(state, lane, session, reason, now), .commit])
        }
    }

    public func pause(
        _ endpoint: String, of workspace: String, reason: String, now: Timestamp
    ) throws(LedgerError) -> Bool {
        try transaction("pause \(endpoint) of \(workspace)") { connection throws(PostgresFailure) in
            try suspend(lane(workspace, endpoint, connection), .paused, reason, now, connection)
        }
    }

    public func resume(_ endpoint: String, of workspace: String, now: Timestamp) throws(LedgerError) -> Bool {
        try transaction("resume \(endpoint) of \(workspace)") { connection throws(PostgresFailure) in
            let lane = try lane(workspace, endpoint, connection)
            _ = try lockRules(connection)
            guard try connection.run([clear(lane, 0)])[0].affected > 0 else { return false }
            _ = try nextRevision(connection)
            try connection.run([.commit])
            return true
        }
    }

    public func endpoints(of workspace: String?) throws(LedgerError) -> [EndpointRow] {
        try attempting("list endpoints") { () throws(PostgresFailure) in
            try endpointRows(of: workspace, connection())
        }
    }

    func endpointRows(
        of workspace: String?, _ connection: Connection
    ) throws(PostgresFailure) -> [EndpointRow] {
        var values = Parameters()
        if let workspace { values.add(workspace) }
        let rows = try connection.run(
            """
            SELECT l.workspace, l.target, s.state, s.reason, s.at, l.id FROM lane l LEFT JOIN LATERAL (
                SELECT state, reason, at FROM endpoint_state WHERE lane = l.id ORDER BY session LIMIT 1) s ON true
            WHERE \(workspace == nil ? "l.id IN (SELECT lane FROM endpoint_state)" : "l.workspace = $1")
            ORDER BY l.workspace, l.target
            """, values)
        let waiting = try openDeliveries(of: rows.indices.map { rows.int($0, 5) }, connection)
        return rows.indices.map { row in
            EndpointRow(
                workspace: rows.text(row, 0), name: rows.text(row, 1),
                state: rows.optionalText(row, 2).flatMap { EndpointState(rawValue: $0) },
                reason: rows.optionalText(row, 3) ?? "", since: rows.optionalInt(row, 4),
                waiting: waiting[rows.int(row, 5)] ?? 0)
        }
    }

    /// How many deliveries are open, by lane: found by the two indexes of what is open, and from the lowest lease on.
    private func openDeliveries(
        of lanes: [Int64], _ connection: Connection
    ) throws(PostgresFailure) -> [Int64: Int64] {
        guard !lanes.isEmpty else { return [:] }
        var values = Parameters()
        values.add(lanes)
        let rows = try connection.run(
            """
            SELECT lane, count(*) FROM (
                SELECT lane FROM delivery WHERE state < 2 AND pair IS NOT NULL
                UNION ALL SELECT lane FROM delivery WHERE due IS NOT NULL AND pair IS NULL
                UNION ALL SELECT lane FROM delivery
                    WHERE id >= (SELECT min(lowest) FROM session) AND state = 1 AND pair IS NULL) AS o
            WHERE lane = ANY($1) GROUP BY lane
            """, values)
        return Dictionary(uniqueKeysWithValues: rows.indices.map { (rows.int($0, 0), rows.int($0, 1)) })
    }

    private func lane(
        _ workspace: String, _ endpoint: String, _ connection: Connection
    ) throws(PostgresFailure) -> Int64 {
        try names.learn(rules: [], lanes: [.init(workspace: workspace, name: endpoint)], on: connection)
        return names.lane(workspace, endpoint)
    }

    /// Suspends a lane, as a new revision: no decision is under way then.
    ///
    /// False when it was already.
    private func suspend(
        _ lane: Int64, _ state: EndpointState, _ reason: String, _ now: Timestamp, _ connection: Connection
    ) throws(PostgresFailure) -> Bool {
        _ = try lockRules(connection)
        let suspended = try connection.run(Self.suspendedLanes)
        guard !suspended.indices.contains(where: { suspended.int($0, 0) == lane }) else { return false }
        try connection.run([write(state, lane, 0, reason, now)])
        _ = try nextRevision(connection)
        try connection.run([.commit])
        return true
    }

    private func write(
        _ state: EndpointState, _ lane: Int64, _ session: SessionID, _ reason: String, _ now: Timestamp
    ) -> Command {
        var values = Parameters(lane, session)
        values.add(state.rawValue)
        values.add(reason)
        values.add(now.milliseconds)
        return Command(
            """
            INSERT INTO endpoint_state VALUES ($1, $2, $3, $4, $5) ON CONFLICT (lane, session) DO UPDATE
            SET state = excluded.state, reason = excluded.reason, at = excluded.at
            """, values)
    }

    private func clear(_ lane: Int64, _ session: SessionID) -> Command {
        Command("DELETE FROM endpoint_state WHERE lane = $1 AND session = $2", Parameters(lane, session))
    }
}
