import CarillonEvents
import CarillonLedger

// In: how tries ended. Out: the ledger's rows, the next try planned. Written in batches: a few milliseconds are waited for
// company when much is on the wire. What can go wrong: the ledger is away; the endings are kept and written later.
// What survives a crash: a yes that was not yet written is a copy after the restart; P4 counts them.

extension Path {
    /// A settlement is written at once when so many have come together: each batch touches about as many pages however
    /// large it is, and a quarter of the places is enough for what is on the wire to a quick receiver.
    private var company: Int { max(1, configuration.concurrency * 3 / 4) }
    /// Otherwise they wait so long for company.
    private static let patience = Duration.milliseconds(20)

    /// Takes the courier's endings and writes them when it is time.
    func settle(force: Bool = false) throws(LedgerError) {
        let now = clock.uptime()
        for ending in courier.collect() {
            if ending.outcome != .unsent { triesToSettle += 1 }
            take(ending, at: now)
        }
        guard !settlements.isEmpty || triesToSettle > 0 else { return }
        guard force || settlements.count >= company || held.count < company || now >= settleBy else { return }
        try ledger.settle(settlements, for: session.id, now: clock.now())
        settlements.removeAll(keepingCapacity: true)
        courier.settled(triesToSettle)
        triesToSettle = 0
        settleBy = now + Self.patience
        hasWaiting = true
        sendFollowers()
    }

    /// Ends a held delivery without a try.
    func end(_ id: DeliveryID, _ epoch: Int64, _ held: Held, _ ending: Settlement.Ending, reason: String) {
        self.held[ClaimName(delivery: id, epoch: epoch)] = nil
        lanes.free(held.lane)
        var settlement = Settlement(delivery: id, epoch: epoch, ending: ending, reason: reason)
        settlement.scopes = held.scopes
        settlements.append(settlement)
        note(ending, of: held)
    }

    /// Ends a try that could not even begin.
    func fail(_ id: DeliveryID, _ epoch: Int64, _ held: Held, _ unresolved: Addresses.Unresolved) {
        self.held[ClaimName(delivery: id, epoch: epoch)] = nil
        lanes.free(held.lane)
        meters.failed(channel: "none", .render)
        var next = settlement(id, epoch, held, retry: .render, status: 0, words: unresolved.words)
        if next.ending == .dead { meters.gaveUp(channel: "none") }
        next.scopes = held.scopes
        settlements.append(next)
        note(next.ending, of: held)
    }

    private func take(_ ending: Ending, at now: Duration) {
        let claim = ClaimName(delivery: ending.delivery, epoch: ending.epoch)
        guard let held = held.removeValue(forKey: claim) else { return }
        lanes.free(held.lane, answered: ending.status == 0 ? nil : now)
        let wasProbe = !troubles.isEmpty && troubles[held.lane]?.probe == claim
        learn(from: ending, claim, held)
        var next = settlement(for: ending, held, wasProbe: wasProbe)
        (next.scopes, next.isSpent) = (held.scopes, ending.mayHaveArrived)
        meters.ended(ending, after: clock.now() - held.time, isDead: next.ending == .dead)
        settlements.append(next)
        note(next.ending, of: held)
    }

    private func settlement(for ending: Ending, _ held: Held, wasProbe: Bool) -> Settlement {
        var next = Settlement(
            delivery: ending.delivery, epoch: ending.epoch, ending: .dead, status: ending.status, words: ending.words)
        switch ending.outcome {
        case .delivered:
            (next.ending, next.words, next.page) = (.delivered, "", ending.page)
        case .unsent:
            let until = troubles.isEmpty ? nil : troubles.shutUntil(held.lane, at: clock.uptime())
            next.ending = until.map { .postponed(until: wall($0)) } ?? .released
            if until != nil { next.reason = troubles[held.lane]?.reason ?? "" }
        case .refused(let reason), .gone(let reason):
            next.reason = reason.rawValue
        case .ambiguous where held.endpoint?.channel.onAmbiguous == .skip:
            next.reason = Settlement.ambiguous
        case .rateLimited(let wish):
            return postponed(next, held, .rateLimited, wish)
        case .failed(let reason, let wish?):
            return postponed(next, held, reason, wish)
        case .failed(let reason, nil), .ambiguous(let reason):
            if wasProbe { return postponed(next, held, reason, nil) }
            return settlement(
                ending.delivery, ending.epoch, held, retry: reason, status: ending.status, words: ending.words)
        }
        return next
    }

    /// The endpoint has to rest and the delivery is not blamed; only the time to give up goes on.
    private func postponed(
        _ settlement: Settlement, _ held: Held, _ reason: FailureReason, _ wish: Duration?
    ) -> Settlement {
        var next = settlement
        let now = clock.now()
        let wish = min(max(wish ?? .zero, .zero), RetrySchedule.longestWish)
        let shut = troubles.shutUntil(held.lane, at: clock.uptime()).map(wall) ?? now
        let until = max(shut, now + wish)
        let gaveUp = until - held.roundBegan > (held.endpoint?.retry ?? configuration.retry).giveUpAfter
        next.ending = gaveUp ? .dead : .postponed(until: until)
        next.reason = reason.rawValue
        if wish > .zero { next.notBefore = now + wish }
        return next
    }

    private func settlement(
        _ id: DeliveryID, _ epoch: Int64, _ held: Held, retry reason: FailureReason, status: Int, words: String
    ) -> Settlement {
        let now = clock.now()
        let next = (held.endpoint?.retry ?? configuration.retry).next(
            after: held.attempts + 1, roundBegan: held.roundBegan, now: now, using: &random)
        return Settlement(
            delivery: id, epoch: epoch, ending: next.map { .retry(at: $0) } ?? .dead, reason: reason.rawValue,
            status: status, words: words)
    }
}
