public import CarillonEvents
public import CarillonLedger
import CarillonPlatform
import CarillonSQLite
import Glibc
import Synchronization

// A session is a worker's life in the ledger. Its row holds the end of its leases; its lock, which dies with the process,
// lets others see a death at once instead of at that end.

/// Who lives, as the platform can tell.
protocol Liveness: AnyObject {
    /// Begins to live under a name that is unique for ever; before the session's row is written.
    func live() throws(PlatformError) -> String
    /// The session got its number.
    func note(_ lock: String, is session: SessionID)
    /// Whether the holder of the name lives.
    func isAlive(_ lock: String) -> Bool
    /// The session is over.
    func forget(_ session: SessionID)
    /// Removes what a dead holder of the name left.
    func sweep(_ lock: String)
}

/// Lives by file locks: the kernel frees them, however the process dies.
final class SessionLocks: Liveness {
    private static let counter = Atomic<Int>(0)
    private let folder: String
    private var fresh: [String: FileLock] = [:]
    private var held: [SessionID: FileLock] = [:]

    init(folder: String) { self.folder = folder }

    func live() throws(PlatformError) -> String {
        try Folder.make(folder)
        let number = Self.counter.wrappingAdd(1, ordering: .relaxed).newValue
        let name = "\(getpid())-\(SystemClock().now().milliseconds)-\(number)"
        let lock = try FileLock(path: folder + "/" + name)
        try lock.lock()
        fresh[name] = lock
        return name
    }
    func note(_ lock: String, is session: SessionID) { held[session] = fresh.removeValue(forKey: lock) }
    func isAlive(_ lock: String) -> Bool { FileLock.isHeld(path: folder + "/" + lock) }
    func sweep(_ lock: String) { unsafe _ = unlink(folder + "/" + lock) }
    func forget(_ session: SessionID) {
        guard let lock = held.removeValue(forKey: session) else { return }
        unsafe _ = unlink(lock.path)
        lock.unlock()
    }
}

/// Lives by a list, for a ledger in memory.
final class SessionList: Liveness {
    private var living: [String: SessionID] = [:]
    private var count = 0
    func live() -> String {
        count += 1
        living["\(count)"] = -1
        return "\(count)"
    }
    func note(_ lock: String, is session: SessionID) { living[lock] = session }
    func isAlive(_ lock: String) -> Bool { living[lock] != nil }
    func forget(_ session: SessionID) { living = living.filter { $0.value != session } }
    func sweep(_ lock: String) {}
}

// What these do is said once, by the contract.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension SQLiteLedger {
    public func begin(session worker: String, until: Timestamp, now: Timestamp) throws(LedgerError) -> SessionID {
        let lock: String
        do { lock = try liveness.live() } catch {
            throw LedgerError(.other, doing: "begin session \(worker)", cause: "\(error)")
        }
        let session = try transaction(.process, "begin session \(worker)") { () throws(SQLiteFailure) in
            let insert = try database.statement(
                """
                INSERT INTO session (name, lock, until, lowest)
                VALUES (?, ?, ?, (SELECT ifnull(max(id), 0) + 1 FROM delivery))
                """)
            insert.bind(1, worker)
            insert.bind(2, lock)
            insert.bind(3, until.milliseconds)
            try insert.run()
            return database.lastInserted
        }
        liveness.note(lock, is: session)
        return session
    }

    public func extend(_ session: SessionID, until: Timestamp) throws(LedgerError) -> Bool {
        try transaction(.process, "extend session \(session)") { () throws(SQLiteFailure) in
            let update = try database.statement(
                """
                UPDATE session SET until = ?2, lowest = ifnull(
                    (SELECT id FROM delivery WHERE id >= lowest AND state = 1 AND session = ?1 ORDER BY id LIMIT 1),
                    (SELECT ifnull(max(id), 0) + 1 FROM delivery))
                WHERE id = ?1
                """)
            update.bind(1, session)
            update.bind(2, until.milliseconds)
            try update.run()
            return database.changes == 1
        }
    }

    public func end(_ session: SessionID, now: Timestamp) throws(LedgerError) {
        try transaction(.process, "end session \(session)") { () throws(SQLiteFailure) in
            _ = try bury(session, now: now)
        }
        liveness.forget(session)
    }

    public func reap(now: Timestamp) throws(LedgerError) -> Int {
        let dead = try attempting("look for dead sessions") { () throws(SQLiteFailure) in
            let query = try database.statement("SELECT id, lock, until FROM session")
            var dead: [(id: SessionID, lock: String, until: Int64)] = []
            while try query.step() {
                if query.int(2) < now.milliseconds || !liveness.isAlive(query.text(1)) {
                    dead.append((query.int(0), query.text(1), query.int(2)))
                }
            }
            return dead
        }
        guard !dead.isEmpty else { return 0 }
        let released = try transaction(.process, "end dead sessions") { () throws(SQLiteFailure) in
            var released = 0
            for session in dead where try isStillDead(session.id, session.lock, until: session.until) {
                released += try bury(session.id, now: now)
            }
            return released
        }
        for session in dead where !liveness.isAlive(session.lock) { liveness.sweep(session.lock) }
        return released
    }

    /// Whether a session was not renewed since it looked dead.
    private func isStillDead(_ session: SessionID, _ lock: String, until: Int64) throws(SQLiteFailure) -> Bool {
        let query = try database.statement("SELECT until FROM session WHERE id = ?")
        query.bind(1, session)
        defer { query.reset() }
        guard try query.step() else { return false }
        return query.int(0) == until || !liveness.isAlive(lock)
    }

    /// Below which a session has leased nothing; `nil` when it may lease nothing, as others end one that died or ran out.
    func lowestLease(of session: SessionID) throws(SQLiteFailure) -> DeliveryID? {
        let query = try database.fixed("SELECT lowest FROM session WHERE id = ?")
        query.bind(1, session)
        defer { query.reset() }
        return try query.step() ? query.int(0) : nil
    }

    /// Notes that a session leases a delivery below what it leased so far.
    func lower(_ lowest: DeliveryID, of session: SessionID) throws(SQLiteFailure) {
        let update = try database.fixed("UPDATE session SET lowest = min(lowest, ?2) WHERE id = ?1")
        update.bind(1, session)
        update.bind(2, lowest)
        try update.run()
    }

    /// Deletes a session; what it held is pending, due now, but for what it had started and may not be sent again.
    ///
    /// Returns how many deliveries are pending again.
    private func bury(_ session: SessionID, now: Timestamp) throws(SQLiteFailure) -> Int {
        let held = try database.statement(
            """
            SELECT id, lane, started = epoch, supersedes FROM delivery WHERE id >= (SELECT lowest FROM session WHERE id = ?1)
                AND state = 1 AND session = ?1 ORDER BY id
            """)
        held.bind(1, session)
        var (freed, ambiguous): ([(id: DeliveryID, lane: Int64)], [DeliveryID]) = ([], [])
        var superseding: [DeliveryID] = []
        while try held.step() {
            if held.int(2) == 1 { ambiguous.append(held.int(0)) } else { freed.append((held.int(0), held.int(1))) }
            if held.int(2) != 1, held.int(3) == 1 { superseding.append(held.int(0)) }
        }
        for delivery in ambiguous { try endAmbiguous(delivery, now.milliseconds) }
        for delivery in freed { try free(delivery.id, lane: delivery.lane, now.milliseconds) }
        for delivery in ambiguous { try freeNext(after: delivery, now.milliseconds) }
        try moved(.leased, .pending, freed.count)
        try moved(.leased, .dead, ambiguous.count)
        try endQuotas(of: session, now)
        for delivery in superseding { try endIfSuperseded(delivery, now.milliseconds) }
        try forgetStates(of: session)
        let delete = try database.statement("DELETE FROM session WHERE id = ?")
        delete.bind(1, session)
        try delete.run()
        return freed.count
    }

    /// Ends a delivery that may be sent only once and may have been.
    private func endAmbiguous(_ delivery: DeliveryID, _ now: Int64) throws(SQLiteFailure) {
        let end = try database.statement(
            """
            UPDATE delivery SET state = 3, session = 0, settled = ?2, attempts = attempts + 1, reason = ?3, status = 0
            WHERE id = ?1
            """)
        end.bind(1, delivery)
        end.bind(2, now)
        end.bind(3, Settlement.ambiguous)
        try end.run()
        let words = "its worker ended after the try was begun; it may have arrived, and is not sent again by itself"
        try note(
            Settlement(delivery: delivery, epoch: 0, ending: .dead, reason: Settlement.ambiguous, words: words), now)
        if try keepDelivered(delivery) { try moved(.dead, .delivered, 1) }
    }

    /// A leased delivery waits again: due now, unless an elder of its pair was reopened meanwhile and goes first.
    private func free(_ delivery: DeliveryID, lane: Int64, _ now: Int64) throws(SQLiteFailure) {
        let waitsBehind = try hasElder(delivery)
        let free = try database.statement("UPDATE delivery SET state = 0, session = 0, due = ?2 WHERE id = ?1")
        free.bind(1, delivery)
        free.bind(2, waitsBehind ? nil : now)
        try free.run()
        if waitsBehind { try freeNext(after: delivery, now) } else { try enqueue(delivery, lane: lane, at: now) }
    }

    /// Notes that deliveries changed state.
    func moved(_ from: DeliveryState?, _ to: DeliveryState?, _ count: Int) throws(SQLiteFailure) {
        if let from { try tally("delivery.\(from.rawValue)", -count) }
        if let to { try tally("delivery.\(to.rawValue)", count) }
    }
}
