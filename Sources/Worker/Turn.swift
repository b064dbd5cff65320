import CarillonEvents
import CarillonLedger
import CarillonRules
import CarillonStream
import Logging

// One turn of the worker's loop. The order matters: what ended is settled before more is taken on, what waits in the ledger
// goes before what is new, and the wait comes last.

extension Path {
    /// The longest a turn waits when nothing rings.
    private static let longestWait = Duration.seconds(1)

    /// Takes one turn: settles, claims, then waits for the stream (or a bell) and decides what it brought.
    ///
    /// - Parameter wait: false looks without waiting, as the simulation and `--until-idle` do.
    /// - Returns: whether anything was done.
    @discardableResult
    public func turn(wait: Bool = true) throws -> Bool {
        try keepSession()
        try settle()
        try tellOfEndpoints()
        try tendInTime()
        let claimed = try claim()
        let limit = pace.limit(room: lanes.flow(capacity, at: clock.uptime()), now: clock.uptime())
        let isBusy = claimed > 0
        reader.keep(only: WantedByRules(book: book.current))
        switch try reader.poll(wait: wait && !isBusy ? pause(limit) : .zero, limit: limit) {
        case .records(let batch):
            try handle(batch)
            if let next = positions[batch.partition] { try reader.commit(batch.partition, next: next) }
            return true
        case .assigned(let partitions):
            assigned.formUnion(partitions)
            for partition in partitions {
                try seek(partition, to: try ledgerPosition(of: partition))
            }
            return true
        case .revoked(let partitions):
            assigned.subtract(partitions)
            for partition in partitions { positions[partition] = nil }
            return true
        case .nothing:
            return hasMoreToTend || isBusy
        }
    }

    /// Whether the stream is read to its end and nothing is leased or due.
    public func isIdle() throws -> Bool {
        guard held.isEmpty, settlements.isEmpty else { return false }
        var all: [Partition: Offset] = [:]
        for partition in try reader.partitions() {
            all[partition] = try positions[partition] ?? ledgerPosition(of: partition)
        }
        guard try reader.isDrained(positions: all) else { return false }
        // What an endpoint in trouble keeps waiting is not due.
        let (limits, _) = troubles.limits(held: lanes.held, at: clock.uptime())
        let look = try ledger.claim(for: session.id, room: Room(total: 0, perLane: 0, limits: limits), now: clock.now())
        return !look.leftBehind && troubles.returning == nil
    }

    /// Stops taking work and settles what is on the wire; then nothing is leased to this worker.
    public func drain() throws {
        courier.drain()
        for follower in followers.leaveAll() { giveBack(follower) }
        let deadline = clock.uptime() + configuration.timeout + .seconds(2)
        while !held.isEmpty, clock.uptime() < deadline {
            try keepSession()
            try settle(force: true)
            if !held.isEmpty { _ = try reader.poll(wait: .milliseconds(50), limit: 0) }
        }
        try settle(force: true)
        try ledger.end(session.id, now: clock.now())
        reader.close()
        courier.close()
        tendBeforeLeaving()
    }

    /// Looks into the ledger with the next turn, as others have changed something there.
    public func lookAgain() { hasWaiting = true }

    /// Goes back to where the ledger stands, after it or the stream was away for a moment; before the next turn.
    ///
    /// A batch that could not be decided was read all the same, so a turn without this would go on behind it.
    public func recover() throws {
        for partition in assigned { try seek(partition, to: try ledgerPosition(of: partition)) }
    }

    /// Where the group stands; `nil` when it has decided nothing of the partition.
    func ledgerPosition(of partition: Partition) throws(LedgerError) -> Offset? {
        let place = reader.place(of: partition)
        return try ledger.position(place.stream, place.partition)
    }

    /// Where a partition of ours goes on.
    func seek(_ partition: Partition, to position: Offset?) throws(LedgerError) {
        positions[partition] = position
        do { try reader.seek(partition, to: position) } catch {
            let kind: LedgerError.Kind = error.isRetriable ? .busy : .other
            throw LedgerError(kind, doing: "seek partition \(partition)", cause: error.description)
        }
    }

    private func keepSession() throws(LedgerError) {
        guard try !session.beat(in: ledger, lease: configuration.lease, clock: clock) else { return }
        logger.warning("the ledger has given up this worker's session: a pause outlived the lease; beginning a new one")
        for follower in followers.leaveAll() { giveBack(follower) }
        session = try Session(in: ledger, lease: configuration.lease, name: configuration.name, clock: clock)
        retellOfEndpoints()
    }

    private func claim() throws(LedgerError) -> Int {
        if clock.uptime() >= nextReap {
            nextReap = clock.uptime() + .seconds(1)
            let released = try ledger.reap(now: clock.now())
            if released > 0 { logger.notice("took over \(released) deliveries of a worker that died") }
            try tellOfWithheld()
            hasWaiting = true
        }
        try hastenReturning()
        let now = clock.uptime()
        let isDue = nextDue.map { $0 <= clock.now() } ?? false
        let isLookDue = nextLook.map { $0 <= now } ?? false
        guard hasWaiting || isDue || isLookDue else { return 0 }
        let (limits, next) = troubles.limits(held: lanes.held, at: now)
        let room = lanes.room(capacity, limits: limits, at: now)
        guard room.total > 0 else { return 0 }
        nextLook = next
        // What others decided by newer rules is claimed here too; ours must not be the older ones.
        let revision = try ledger.revision()
        if revision != book.current.revision || revision != suspendedAt { try refreshBook() }
        let claims = try ledger.claim(
            for: session.id, room: room, by: tariff.isNeeded ? tariff : nil, now: clock.now())
        note(claims.turned)
        nextDue = claims.nextDue
        hasWaiting = claims.leftBehind
        try dispatch(claims.deliveries)
        let foundProbes = try findProbes()
        if !troubles.isEmpty { nextLook = troubles.limits(held: lanes.held, at: now).next }
        return claims.deliveries.count + claims.turned.count + (foundProbes ? 1 : 0)
    }

    private func note(_ turned: [Turned]) {
        for one in turned {
            let kind = book.current.rules(of: one.workspace)?.endpoints[one.target]?.kind
            meters.turned(channel: kind ?? String(one.target.prefix { $0 != "/" }), one.fate)
        }
    }

    /// How long this turn may wait for the stream.
    private func pause(_ limit: Int) -> Duration {
        let now = clock.uptime()
        var pause = min(Self.longestWait, session.untilBeat(now))
        // With no room, what is due waits for an ending, which rings; what is published is looked at soon all the same.
        if limit == 0 { pause = min(pause, .milliseconds(100)) }
        if hasMoreToTend { pause = min(pause, max(.zero, nextTend - now)) }
        if lanes.flow(capacity, at: now) > 0 {
            if let nextDue { pause = min(pause, max(.zero, nextDue - clock.now())) }
            if let nextLook { pause = min(pause, max(.zero, nextLook - now)) }
        }
        if !troubles.isEmpty, troubles.returning != nil { pause = .zero }
        if !settlements.isEmpty { pause = min(pause, max(.zero, settleBy - now)) }
        return pause
    }

    /// Does what waited for idle time, for a moment: after us there may be questions and nobody who works.
    ///
    /// Nothing is lost when it fails, and who comes next does it. The first look after a load leaves to later what the second
    /// finds.
    private func tendBeforeLeaving() {
        let deadline = clock.uptime() + .seconds(1)
        var idleLooks = 0
        while idleLooks < 2, clock.uptime() < deadline {
            do { idleLooks = try ledger.tend(now: clock.now()) ? 0 : idleLooks + 1 } catch {
                return logger.info("left some housekeeping to who comes next: \(error)")
            }
        }
    }

    /// Housekeeping has its time also when there is always something to read.
    private func tendInTime() throws(LedgerError) {
        guard clock.uptime() >= nextTend else { return }
        hasMoreToTend = try ledger.tend(now: clock.now())
        nextTend = clock.uptime() + .milliseconds(hasMoreToTend ? 20 : 250)
    }
}
