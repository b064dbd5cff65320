import CarillonEvents
import CarillonLedger
import CarillonRules
import CarillonStream

// In: what was matched. Out: proof that it was decided: one durable ledger transaction wrote the decisions and moved the
// position. What can go wrong: the rules changed meanwhile (match again), another reader was faster (go on behind it),
// the ledger is away (throw; nothing happened). What survives a crash: all of it, once `decide` has returned.

/// Proof that deliveries may start: their decisions are durable and they are leased to this worker.
///
/// Only this file makes one, so nothing is ever sent that was not admitted.
struct Admitted {
    struct Delivery {
        let id: DeliveryID
        let epoch: Int64
        let lane: Int64
        /// Whether another of its pair, leased to us too, goes before it.
        let follows: Bool
        /// The delivery's place in `matched.plans`.
        let index: Int
    }
    let matched: Matched
    let deliveries: [Delivery]
    fileprivate init(matched: Matched, deliveries: [Delivery]) {
        (self.matched, self.deliveries) = (matched, deliveries)
    }
}

extension Path {
    /// Makes the decisions durable.
    ///
    /// `nil` when the rules moved: they are read anew by then, match again.
    func admit(_ matched: Matched) throws(LedgerError) -> Admitted? {
        switch try ledger.decide(matched.decisions, for: session.id, now: clock.now()) {
        case .rulesMoved:
            try refreshBook()
            return nil
        case .moved(let position):
            try seek(matched.batch.partition, to: position)
            return Admitted(matched: matched, deliveries: [])
        case .done(let births, let duplicates, let suppressed):
            positions[matched.batch.partition] = matched.batch.next
            meters.decided(
                matched.decisions, duplicates: duplicates, suppressed: suppressed, mismatched: matched.mismatched)
            meters.failed(conditions: matched.failedConditions)
            pace.learn(records: matched.batch.read, deliveries: births.count)
            return Admitted(matched: matched, deliveries: leased(births, of: matched))
        }
    }

    private func leased(_ births: [Birth], of matched: Matched) -> [Admitted.Delivery] {
        var leased: [Admitted.Delivery] = []
        leased.reserveCapacity(births.count)
        let now = clock.uptime()
        for (index, birth) in births.enumerated() {
            switch birth {
            case .leased(let id, let epoch, let lane, let follows):
                leased.append(.init(id: id, epoch: epoch, lane: lane, follows: follows, index: index))
                lanes.hold(lane, matched.plans[index].rules.workspace, matched.plans[index].target, at: now)
            case .pending:
                // Its own time is now, or the moment its elder is settled: `claim` finds it either way.
                hasWaiting = true
            case .grouped:
                // The group speaks at a time of its own, which the next claim learns.
                hasWaiting = true
            case .duplicate, .suppressed: break
            }
        }
        return leased
    }
}
