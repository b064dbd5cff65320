import CarillonEvents
import CarillonLedger
import CarillonRules
import CarillonStream

// In: what was admitted or claimed, leased to this worker. Out: deliveries on the courier's desk. Never waits.
// What can go wrong: an address or a secret that cannot be found. The try fails with that reason and is planned again, so
// that setting the secret is all the mending it takes. What survives a crash: the leases, in the ledger.

/// One claim of a delivery.
///
/// After a pause that outlived the lease a worker may hold two claims of one delivery: the old one on the wire, the new
/// one to be sent.
struct ClaimName: Hashable {
    let delivery: DeliveryID
    let epoch: Int64
}

/// A delivery this worker holds, with what is needed to plan its next try.
struct Held {
    let attempts: Int
    /// Its (target, subject) pair; `nil` when it is in no order.
    let pair: Int64?
    let roundBegan: Timestamp
    let lane: Int64
    /// What latency is counted from: the event's own time, or the stream's.
    let time: Timestamp
    /// What it was charged to.
    var scopes: [String] = []
    /// Where it goes, once that is known.
    var endpoint: Endpoint?
}

extension Path {
    /// Sends what was just decided.
    func dispatch(_ admitted: Admitted) {
        let now = clock.now()
        var batch: [Outgoing] = []
        batch.reserveCapacity(admitted.deliveries.count)
        for delivery in admitted.deliveries {
            let plan = admitted.matched.plans[delivery.index]
            let record = admitted.matched.batch.records[plan.record]
            let bytes = Array(admitted.matched.batch.bytes[record.value.range])
            let decision = admitted.matched.decisions.deliveries[delivery.index]
            let notice = Notice(
                decision.key, plan.rules.rules[plan.rule], bytes, plan.outline, configuration.links)
            let held = Held(
                attempts: 0, pair: decision.pair?.number, roundBegan: now, lane: delivery.lane,
                time: notice.moment(appended: record.appended))
            if delivery.follows {
                let follower = Follower(
                    claim: ClaimName(delivery: delivery.id, epoch: delivery.epoch), notice: notice,
                    target: plan.target, rules: plan.rules, revision: admitted.matched.decisions.revision,
                    expires: decision.expires, supersedes: decision.supersedes)
                keep(follower, held)
            } else {
                send(delivery.id, delivery.epoch, held, notice, to: plan.target, plan.rules, into: &batch)
            }
        }
        offer(batch)
    }

    /// Sends what was claimed; what cannot be sent because the ledger is away is given back.
    func dispatch(_ claims: [Claimed]) throws(LedgerError) {
        var batch: [Outgoing] = []
        defer { offer(batch) }
        for (index, claimed) in claims.enumerated() {
            do throws(LedgerError) { try dispatch(claimed, into: &batch) } catch {
                for rest in claims[index...] {
                    var given = Settlement(delivery: rest.delivery, epoch: rest.epoch, ending: .released)
                    given.scopes = rest.scopes
                    settlements.append(given)
                }
                throw error
            }
        }
    }

    private func dispatch(_ claimed: Claimed, into batch: inout [Outgoing]) throws(LedgerError) {
        let decided = try book.rules(of: claimed.workspace, at: claimed.revision, from: ledger)
        lanes.hold(claimed.lane, claimed.workspace, claimed.target, at: clock.uptime())
        let held = Held(
            attempts: claimed.attempts, pair: claimed.pair, roundBegan: claimed.roundBegan, lane: claimed.lane,
            time: claimed.appended, scopes: claimed.scopes)
        guard claimed.expires > clock.now() else {
            return end(
                claimed.delivery, claimed.epoch, held, .expired,
                reason: claimed.expires == .removed ? "rule_removed" : "expire_after")
        }
        if let trouble = troubles[claimed.lane], trouble.breaker.state != .closed,
            clock.now() - claimed.roundBegan > configuration.retry.giveUpAfter
        {
            meters.gaveUp(channel: "none")
            return end(claimed.delivery, claimed.epoch, held, .dead, reason: trouble.reason)
        }
        guard let rules = decided else {
            // They were readable to the worker that decided: a newer one. It is waited for, not given up.
            let later = Settlement.Ending.retry(at: clock.now() + .seconds(60))
            return end(claimed.delivery, claimed.epoch, held, later, reason: "rules_unreadable")
        }
        guard let rule = rules.rule(claimed.rule), let notice = Notice(claimed, rule, configuration.links)
        else {
            return end(claimed.delivery, claimed.epoch, held, .expired, reason: "rule_removed")
        }
        guard try isPaid(claimed) else {
            // The rules moved between its charge and now; the next claim charges it by the new ones.
            return end(claimed.delivery, claimed.epoch, held, .released, reason: "")
        }
        if claimed.group != nil, rule.severity != .critical,
            let quietEnd = rules.reach(claimed.target)?.quietEnd(at: clock.now())
        {
            // Its events came by day, and it speaks by night.
            return end(claimed.delivery, claimed.epoch, held, .postponed(until: quietEnd), reason: "quiet_hours")
        }
        send(claimed.delivery, claimed.epoch, held, notice, to: claimed.destination, rules, into: &batch)
    }

    func send(
        _ id: DeliveryID, _ epoch: Int64, _ held: Held, _ notice: Notice, to target: String, _ rules: WorkspaceRules,
        into batch: inout [Outgoing]
    ) {
        let claim = ClaimName(delivery: id, epoch: epoch)
        self.held[claim] = held
        if let pair = held.pair { followers.lead(pair) }
        switch addresses.endpoint(target, of: rules, in: book.current, ledger) {
        case .success(let endpoint):
            if !troubles.isEmpty, let until = troubles.admit(claim, held.lane, at: clock.uptime()) {
                let reason = troubles[held.lane]?.reason ?? ""
                return end(id, epoch, held, .postponed(until: wall(until)), reason: reason)
            }
            self.held[claim]?.endpoint = endpoint
            batch.append(
                Outgoing(
                    delivery: id, epoch: epoch, attempt: held.attempts + 1, lane: held.lane, notice: notice,
                    endpoint: endpoint, leaseEnds: session.ends))
        case .failure(let reason):
            fail(id, epoch, held, reason)
        }
    }

    /// Whether a delivery was charged to what it would be charged to now.
    private func isPaid(_ claimed: Claimed) throws(LedgerError) -> Bool {
        guard tariff.isCharged(claimed.target, of: claimed.workspace) else { return true }
        let route = try tariff.toll(of: claimed.candidate)?.routes.first { $0.target == claimed.via }
        return route?.charges.map(\.scope) ?? [] == claimed.scopes
    }

    /// Gives deliveries to the courier; those that may be sent only once are marked in the ledger before.
    func offer(_ batch: [Outgoing]) {
        let once = batch.filter { $0.endpoint.channel.onAmbiguous == .skip }.map(\.delivery)
        guard !once.isEmpty else { return courier.offer(batch) }
        // Without the mark they wait: what the ledger cannot write now it will say at the next settle.
        let started = (try? ledger.start(once, for: session.id, now: clock.now())) ?? []
        var sent: [Outgoing] = []
        for outgoing in batch {
            let claim = ClaimName(delivery: outgoing.delivery, epoch: outgoing.epoch)
            if outgoing.endpoint.channel.onAmbiguous == .resend || started.contains(outgoing.delivery) {
                sent.append(outgoing)
            } else if let held = held[claim] {
                end(outgoing.delivery, outgoing.epoch, held, .released, reason: "")
            }
        }
        courier.offer(sent)
    }
}

extension Notice {
    /// The event's own time, but never later than the stream had it.
    func moment(appended: Timestamp) -> Timestamp {
        min(Timestamp(rfc3339: Array(time.utf8).span) ?? appended, appended)
    }

    /// What a rule says about an event; the same whenever it is asked.
    convenience init(_ key: Key, _ rule: Rule, _ bytes: [UInt8], _ outline: EventOutline, _ links: Links?) {
        let text = bytes.span
        func string(_ raw: Slice?) -> String? { raw.flatMap { JSON.string($0, in: text) } }
        self.init(
            key: key, workspace: string(outline.workspace) ?? "", rule: rule.name, severity: rule.severity.rawValue,
            type: string(outline.type) ?? "", subject: string(outline.subject), time: string(outline.time) ?? "",
            title: rule.title(for: text, outline), message: rule.message(for: text, outline),
            event: bytes[...],
            traceparent: string(outline.traceparent), incident: Incident(rule, text, outline),
            links: links)
    }
}

extension Incident {
    /// What an event is to its rule's pagers; `nil` when the rule says nothing of it.
    fileprivate init?(_ rule: Rule, _ text: Span<UInt8>, _ outline: EventOutline) {
        guard let incident = rule.incident else { return nil }
        let workspace = JSON.string(outline.workspace, in: text) ?? ""
        let type = JSON.string(outline.type, in: text) ?? ""
        self.init(
            key: .incident(workspace: workspace, rule: rule.identity, values: incident.values(in: text, outline)),
            resolves: incident.isOver(by: type.utf8.span))
    }
}
