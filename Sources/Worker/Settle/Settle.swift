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
        for ending in courier.collect() {
            if ending.outcome != .unsent { triesToSettle += 1 }
            take(ending)
        }
        guard !settlements.isEmpty || triesToSettle > 0 else { return }
        let now = clock.uptime()
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
        settlements.append(Settlement(delivery: id, epoch: epoch, ending: ending, reason: reason))
        note(ending, of: held)
    }

    /// Ends a try that could not even begin.
    func fail(_ id: DeliveryID, _ epoch: Int64, _ held: Held, _ unresolved: Addresses.Unresolved) {
        self.held[ClaimName(delivery: id, epoch: epoch)] = nil
        lanes.free(held.lane)
        meters.failed(channel: "none", .render)
        let next = settlement(id, epoch, held, retry: .render, after: nil, status: 0, words: unresolved.words)
        if next.ending == .dead { meters.gaveUp(channel: "none") }
        settlements.append(next)
        note(next.ending, of: held)
    }

    private func take(_ ending: Ending) {
        let claim = ClaimName(delivery: ending.delivery, epoch: ending.epoch)
        guard let held = held.removeValue(forKey: claim) else { return }
        lanes.free(held.lane)
        let next = settlement(for: ending, held)
        meters.ended(ending, after: clock.now() - held.time, isDead: next.ending == .dead)
        settlements.append(next)
        note(next.ending, of: held)
    }

    private func settlement(for ending: Ending, _ held: Held) -> Settlement {
        switch ending.outcome {
        case .delivered:
            Settlement(
                delivery: ending.delivery, epoch: ending.epoch, ending: .delivered, status: ending.status,
                page: ending.page)
        case .unsent:
            Settlement(delivery: ending.delivery, epoch: ending.epoch, ending: .released)
        case .refused(let reason), .gone(let reason):
            Settlement(
                delivery: ending.delivery, epoch: ending.epoch, ending: .dead, reason: reason.rawValue,
                status: ending.status, words: ending.words)
        case .failed(let reason, let after):
            settlement(
                ending.delivery, ending.epoch, held, retry: reason, after: after, status: ending.status,
                words: ending.words)
        case .rateLimited(let after):
            settlement(
                ending.delivery, ending.epoch, held, retry: .rateLimited, after: after, status: ending.status,
                words: ending.words)
        case .ambiguous(let reason):
            settlement(
                ending.delivery, ending.epoch, held, retry: reason, after: nil, status: ending.status,
                words: ending.words)
        }
    }

    private func settlement(
        _ id: DeliveryID, _ epoch: Int64, _ held: Held, retry reason: FailureReason, after wish: Duration?, status: Int,
        words: String
    ) -> Settlement {
        let now = clock.now()
        let next = configuration.retry.next(
            after: held.attempts + 1, roundBegan: held.roundBegan, now: now, notBefore: wish, using: &random)
        return Settlement(
            delivery: id, epoch: epoch, ending: next.map { .retry(at: $0) } ?? .dead, reason: reason.rawValue,
            status: status, words: words, notBefore: wish.map { now + min($0, RetrySchedule.longestWish) })
    }
}
