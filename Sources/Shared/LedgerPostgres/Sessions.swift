public import CarillonEvents
public import CarillonLedger
import CarillonPostgres

// A session is a worker's life in the ledger. Its row holds the end of its leases; its advisory lock, which the server frees
// when the worker's connection ends, lets others see a death at once instead of at that end.
//
// A server that restarts frees the locks of the living too: a row names the server's start at which its lock was taken, and
// without a lock since another start only the end of the lease proves anything. A living worker that connects anew takes its
// lock again. As settlements reach the disk lazily and the answer to a commit can get lost, it then gives back what the
// ledger says it holds and it knows nothing of; the lock, which the broken connection's process held until its end, is the
// proof that nothing of that connection is still under way.

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension PostgresLedger {
    /// Tells one start of the server from another.
    private static let server = "(SELECT extract(epoch FROM pg_postmaster_start_time())::text)"
    /// The numbers of the advisory locks that are held in the space `$1`.
    private static let locks = """
        FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = $1::oid
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """
    /// Whether the session `s` is over at `$2`.
    private static let isOver = """
        (s.until < $2 OR s.server = \(server) AND s.id & 2147483647 NOT IN (SELECT objid::int8 \(locks)))
        """

    public func begin(session worker: String, until: Timestamp, now: Timestamp) throws(LedgerError) -> SessionID {
        moment = now.milliseconds
        let session = try transaction("begin session \(worker)") { connection throws(PostgresFailure) in
            let id = try connection.run("SELECT nextval(pg_get_serial_sequence('session', 'id'))").int(0, 0)
            var values = Parameters(id)
            values.add(worker)
            values.add(until.milliseconds)
            try connection.run([
                Command("SELECT pg_advisory_lock($1::int4, $2::int4)", Parameters(space, lockNumber(id))), .begin,
                .lazily,
                Command(
                    """
                    INSERT INTO session (id, name, until, server, lowest)
                    VALUES ($1, $2, $3, \(Self.server), (SELECT coalesce(max(id), 0) + 1 FROM delivery))
                    """, values), .commit,
            ])
            return id
        }
        held[session] = [:]
        return session
    }

    public func extend(_ session: SessionID, until: Timestamp) throws(LedgerError) -> Bool {
        // What we leased out and have not settled is known here; without it all that waits would be read each time.
        let lowest = held[session].map { $0.keys.min() ?? .max } ?? 0
        let isThere = try transaction("extend session \(session)") { connection throws(PostgresFailure) in
            try connection.run([
                .begin, .lazily,
                Command(
                    """
                    UPDATE session s SET until = $2, lowest = coalesce(
                        (SELECT d.id FROM delivery d WHERE d.id >= greatest(s.lowest, $3) AND d.state = 1 AND d.session = $1
                            ORDER BY d.id LIMIT 1),
                        (SELECT coalesce(max(id), 0) + 1 FROM delivery))
                    WHERE s.id = $1
                    """, Parameters(session, until.milliseconds, lowest)), .commit,
            ])[2].affected == 1
        }
        if !isThere { try forget(session) }
        return isThere
    }

    public func end(_ session: SessionID, now: Timestamp) throws(LedgerError) {
        moment = now.milliseconds
        _ = try transaction("end session \(session)") { connection throws(PostgresFailure) in
            try bury(session, ifOver: false, connection)
        }
        try forget(session)
    }

    public func reap(now: Timestamp) throws(LedgerError) -> Int {
        moment = now.milliseconds
        let over = try attempting("look for dead sessions") { () throws(PostgresFailure) in
            let rows = try connection().run(
                "SELECT s.id FROM session s WHERE \(Self.isOver) ORDER BY s.id", Parameters(space, now.milliseconds))
            return rows.indices.map { rows.int($0, 0) }
        }
        var released = 0
        for session in over {
            released += try transaction("end session \(session)") { connection throws(PostgresFailure) in
                try bury(session, ifOver: true, connection)
            }
        }
        return released
    }

    /// Says that the worker of a session has died, as the server says it of a connection that ends.
    ///
    /// For tests and simulations, where one connection holds many sessions.
    package func die(_ session: SessionID) throws(LedgerError) { try forget(session) }

    /// Lets a session go that is over.
    private func forget(_ session: SessionID) throws(LedgerError) {
        guard held.removeValue(forKey: session) != nil else { return }
        try attempting("let session \(session) go") { () throws(PostgresFailure) in
            _ = try connection().run(
                "SELECT pg_advisory_unlock($1::int4, $2::int4)", Parameters(space, lockNumber(session)))
        }
    }

    /// A delivery that a session has leased.
    private struct Lease {
        let id: DeliveryID
        let epoch: Int64
        /// Whether this claim's try was begun and may be the only one.
        let isStarted: Bool
    }

    private func lockNumber(_ session: SessionID) -> Int64 { session & 0x7fff_ffff }

    /// A session's row, locked for this transaction, and the lowest delivery it may have leased; no row when it is over.
    func hold(_ session: SessionID) -> Command {
        Command("SELECT lowest FROM session WHERE id = $1 FOR NO KEY UPDATE", Parameters(session))
    }

    /// Notes that a session leases a delivery below what it leased so far.
    func lower(_ lowest: DeliveryID, of session: SessionID) -> Command {
        Command("UPDATE session SET lowest = least(lowest, $2) WHERE id = $1", Parameters(session, lowest))
    }

    /// Deletes a session; what it held is pending, due now, but for what it had started and may not be sent again.
    ///
    /// Returns how many deliveries are pending again. One that is in use is not over, whatever it looked like.
    private func bury(_ session: SessionID, ifOver: Bool, _ connection: Connection) throws(PostgresFailure) -> Int {
        let found = try connection.run([
            .begin,
            ifOver
                ? Command(
                    "SELECT s.lowest FROM session s WHERE s.id = $3 AND \(Self.isOver) FOR UPDATE SKIP LOCKED",
                    Parameters(space, moment, session))
                : Command("SELECT lowest FROM session WHERE id = $1 FOR UPDATE", Parameters(session)),
        ])[1]
        guard !found.isEmpty else { return 0 }
        let leased = try leased(by: session, from: found.int(0, 0), connection)
        try connection.run([Order.lockLanes(of: leased.map(\.id))])
        try endQuotas(of: session, connection)
        let ended = try endAmbiguous(leased.filter(\.isStarted).map(\.id), of: session, connection)
        let released = try release(leased.filter { !$0.isStarted }.map(\.id), of: session, connection)
        let changes = [
            "delivery.leased": -released - ended.count, "delivery.pending": released, "delivery.dead": ended.count,
        ]
        try connection.run(
            Order.freeHeads(of: ended.compactMap(\.pair), moment) + tallies(changes, connection) + [
                Command("DELETE FROM endpoint_state WHERE session = $1", Parameters(session)),
                Command("DELETE FROM session WHERE id = $1", Parameters(session)), .commit,
            ])
        return released
    }

    private func leased(
        by session: SessionID, from lowest: DeliveryID, _ connection: Connection
    ) throws(PostgresFailure) -> [Lease] {
        let rows = try connection.run(
            "SELECT id, epoch, started FROM delivery WHERE id >= $2 AND state = 1 AND session = $1 ORDER BY id",
            Parameters(session, lowest))
        return rows.indices.map { row in
            Lease(id: rows.int(row, 0), epoch: rows.int(row, 1), isStarted: rows.int(row, 1) == rows.int(row, 2))
        }
    }

    /// Ends deliveries that may be sent only once and may have been; returns those that were leased still.
    private func endAmbiguous(
        _ deliveries: [DeliveryID], of session: SessionID, _ connection: Connection
    ) throws(PostgresFailure) -> [(id: DeliveryID, pair: Int64?)] {
        guard !deliveries.isEmpty else { return [] }
        var values = Parameters()
        values.add(deliveries)
        values.add(session)
        values.add(moment)
        values.add(Settlement.ambiguous)
        var attempts = values
        attempts.add("its worker ended after the try was begun; it may have arrived, and is not sent again by itself")
        let rows = try connection.run([
            Order.lockLanes(of: deliveries),
            Command(
                """
                WITH ended AS (
                    UPDATE delivery SET state = 3, session = 0, settled = $3, attempts = attempts + 1, reason = $4, status = 0
                    WHERE id = ANY($1) AND state = 1 AND session = $2 RETURNING id, pair, attempts),
                noted AS (
                    INSERT INTO attempt (delivery, number, reason, status, words, at)
                    SELECT id, attempts, $4, 0, $5, $3 FROM ended
                    ON CONFLICT (delivery, number) DO UPDATE SET at = excluded.at, reason = excluded.reason,
                        status = excluded.status, words = excluded.words)
                SELECT id, pair FROM ended
                """, attempts),
        ])[1]
        let ended = rows.indices.map { (id: rows.int($0, 0), pair: rows.optionalInt($0, 1)) }
        try keepDelivered(ended.map(\.id), connection)
        return ended
    }

    /// Makes leased deliveries pending, the head of each pair due.
    private func release(
        _ deliveries: [DeliveryID], of session: SessionID, _ connection: Connection
    ) throws(PostgresFailure) -> Int {
        guard !deliveries.isEmpty else { return 0 }
        var values = Parameters()
        values.add(deliveries)
        values.add(session)
        values.add(moment)
        let freed = try connection.run([
            Order.lockLanes(of: deliveries),
            Command(
                """
                UPDATE delivery SET state = 0, session = 0, due = CASE WHEN pair IS NULL THEN $3::int8 END
                WHERE id = ANY($1) AND state = 1 AND session = $2 RETURNING pair, id
                """, values),
        ])[1]
        let pairs = freed.indices.compactMap { freed.optionalInt($0, 0) }
        let gone = try connection.run([
            Superseding.endReturned(freed.indices.map { freed.int($0, 1) }, moment)
        ])[0].affected
        let changes = ["delivery.pending": -gone, "delivery.expired": gone]
        try connection.run(Order.freeHeads(of: pairs, moment) + (gone > 0 ? tallies(changes, connection) : []))
        return freed.count
    }

    /// Goes on with a session on a new connection, unless others have ended it meanwhile.
    func resume(_ session: SessionID, on connection: Connection) throws(PostgresFailure) {
        let number = lockNumber(session)
        try connection.run([
            Command(
                """
                SELECT count(pg_terminate_backend(pid)) \(Self.locks) AND objid = $2::oid AND pid <> pg_backend_pid()
                """, Parameters(space, number)),
            Command("SELECT pg_advisory_lock($1::int4, $2::int4)", Parameters(space, number)),
        ])
        let found = try connection.run([
            .begin, hold(session),
            Command("UPDATE session SET server = \(Self.server) WHERE id = $1", Parameters(session)),
        ])[1]
        guard !found.isEmpty else {
            held[session] = nil
            try connection.run([
                .commit, Command("SELECT pg_advisory_unlock($1::int4, $2::int4)", Parameters(space, number)),
            ])
            return
        }
        let known = held[session] ?? [:]
        let lost = try leased(by: session, from: found.int(0, 0), connection).filter { known[$0.id] != $0.epoch }
        try connection.run([Order.lockLanes(of: lost.map(\.id))])
        try endQuotas(of: session, but: known, connection)
        let released = try release(lost.map(\.id), of: session, connection)
        try connection.run(
            tallies(["delivery.leased": -released, "delivery.pending": released], connection) + [.commit])
    }

    /// The sessions of workers, for `status`.
    func workers(_ now: Timestamp, _ connection: Connection) throws(PostgresFailure) -> [LedgerStatus.WorkerRow] {
        let rows = try connection.run(
            """
            SELECT s.id, s.name, s.until, NOT \(Self.isOver), coalesce(l.leased, 0)
            FROM session s LEFT JOIN (
                SELECT session, count(*) AS leased FROM delivery
                WHERE id >= (SELECT min(lowest) FROM session) AND state = 1 GROUP BY session) l ON l.session = s.id
            ORDER BY s.id
            """, Parameters(space, now.milliseconds))
        return rows.indices.map { row in
            LedgerStatus.WorkerRow(
                session: rows.int(row, 0), name: rows.text(row, 1), until: rows.int(row, 2),
                alive: rows.int(row, 3) != 0,
                leased: rows.int(row, 4))
        }
    }
}
