import CarillonEvents
import CarillonLedger
import CarillonRules
import Logging

// What the endings of tries say about their endpoints, and what follows: one that fails is shut and probed, one that complains is
// slowed, one that is gone is suspended for good. The deliveries of a shut one go back to the ledger, so that they take neither
// memory nor places from others; when it is back, all that waits for it is due.

extension Path {
    /// How much is hastened in a turn, so that the others' turn comes.
    private static let hastenedAtOnce = 1000
    /// How many lanes without a delivery to probe with are looked at in a turn.
    private static let probedAtOnce = 32

    /// A moment of the worker's uptime as a moment of the wall clock.
    func wall(_ uptime: Duration) -> Timestamp { clock.now() + max(.zero, uptime - clock.uptime()) }

    /// Notes what the ending of a try says about the endpoint.
    func learn(from ending: Ending, _ claim: ClaimName, _ held: Held) {
        let (lane, now) = (held.lane, clock.uptime())
        var change: LaneChange?
        switch ending.outcome {
        case .delivered:
            if !troubles.isEmpty { change = troubles.answered(lane, at: now) }
        case .unsent, .refused(.render), .refused(.blocked):
            if !troubles.isEmpty { troubles.unsent(lane, claim, at: now, using: &random) }
        case .refused:
            change = troubles.answered(lane, at: now)
        case .gone(let reason):
            change = troubles.answered(lane, at: now)
            let words = ending.words.isEmpty ? "" : ": \(ending.words)"
            endpointNotes.append((lane, .disabled, "\(reason.rawValue) \(ending.status)\(words)"))
        case .rateLimited(let wish):
            change = troubles.complained(lane, of: lanes.target(of: lane), wish: wish, at: now)
        case .failed(_, let wish?):
            change = troubles.complained(lane, of: lanes.target(of: lane), wish: wish, at: now)
        case .failed(let reason, nil), .ambiguous(let reason):
            let target = troubles[lane].map { ($0.workspace, $0.name) } ?? lanes.target(of: lane)
            change = troubles.failed(
                lane, claim, of: target, reason: reason.rawValue, at: now, clock.now(), using: &random)
        }
        switch change {
        case nil: break
        case .wentDown: shut(lane)
        case .cameBack: reopen(lane)
        }
    }

    private func shut(_ lane: Int64) {
        guard let trouble = troubles[lane] else { return }
        logger.warning(
            "endpoint \(trouble.name) of \(trouble.workspace) is down: \(trouble.reason); it is probed until it answers"
        )
        endpointNotes.append((lane, .down, trouble.reason))
        announcements.wentDown(lane, trouble, at: clock.uptime())
        takeBack([lane])
    }

    private func reopen(_ lane: Int64) {
        guard let trouble = troubles[lane] else { return }
        logger.notice("endpoint \(trouble.name) of \(trouble.workspace) is up again")
        endpointNotes.append((lane, nil, ""))
        announcements.cameBack(lane, at: clock.now())
        hasWaiting = true
    }

    /// Gives what is not on the wire of some lanes back to the ledger.
    private func takeBack(_ chosen: Set<Int64>) {
        for lane in chosen.sorted() { courier.withdraw(lane) }
        for follower in followers.leave(where: { held[$0.claim].map { chosen.contains($0.lane) } ?? true }) {
            giveBack(follower)
        }
    }

    /// Writes into the ledger what was found out about endpoints.
    func tellOfEndpoints() throws(LedgerError) {
        while let (lane, state, reason) = endpointNotes.first {
            if state == .disabled {
                let (workspace, name) = lanes.target(of: lane)
                logger.error(
                    "endpoint \(name) of \(workspace) is gone by its own word and disabled: \(reason)",
                    metadata: ["mend": "carillon endpoints resume \(name) --workspace \(workspace)"])
            }
            try ledger.note(state, of: lane, reason: reason, for: session.id, now: clock.now())
            endpointNotes.removeFirst()
            if state == .disabled {
                announcements.wasDisabled(
                    lanes.target(of: lane), reason: reason, knowing: suspendedAt, at: clock.now())
            }
        }
        announcements.tell(by: appender, now: clock.uptime(), wall: clock.now(), logger)
    }

    /// A new session tells anew what it holds for down.
    func retellOfEndpoints() {
        endpointNotes.removeAll { $0.1 != .disabled }
        for (lane, trouble) in troubles.down { endpointNotes.append((lane, .down, trouble.reason)) }
    }

    /// Reads the rules that changed, and which endpoints are suspended.
    func refreshBook() throws(LedgerError) {
        try book.refresh(from: ledger)
        let now = try ledger.suspended()
        let fresh = now.subtracting(suspended)
        (suspended, suspendedAt) = (now, book.current.revision)
        if !fresh.isEmpty { takeBack(fresh) }
    }

    /// Makes due what waits for endpoints that are back.
    func hastenReturning() throws(LedgerError) {
        guard !troubles.isEmpty, let lane = troubles.returning else { return }
        let count = try ledger.hasten(lane, atMost: Self.hastenedAtOnce, now: clock.now())
        if count < Self.hastenedAtOnce { troubles.returned(lane) }
        hasWaiting = true
    }

    /// Pulls one delivery forward for each endpoint whose probe is due and has nothing to go with.
    ///
    /// Returns whether there is something to claim now.
    func findProbes() throws(LedgerError) -> Bool {
        guard !troubles.isEmpty else { return false }
        var found = false
        for lane in troubles.probing(at: clock.uptime()).prefix(Self.probedAtOnce) {
            if try ledger.hasten(lane, atMost: 1, now: clock.now()) > 0 {
                found = true
            } else {
                troubles.rest(lane, at: clock.uptime(), using: &random)
            }
        }
        if found { hasWaiting = true }
        return found
    }
}
