import CarillonEvents
import CarillonLedger
import CarillonRules

// What deliveries are charged, by the deployment's ceilings and the rules in force. The address is the one that
// `Addresses` will send to: of the rules in force, or, when those have lost the target, of the rules that decided.

/// The worker's answer to what a delivery is charged.
final class PathTariff: Tariff {
    private unowned let path: Path
    private let ceilings: QuotaCeilings
    /// What is known about lanes, at a revision of the rules.
    private var known: [LaneName: Bool] = [:]
    private var revision: Revision = -1
    /// Whether some contact or endpoint has a quota of its own.
    private var hasOwn = false
    private let hasCeilings: Bool

    init(_ path: Path, _ ceilings: QuotaCeilings) {
        (self.path, self.ceilings) = (path, ceilings)
        hasCeilings = !ceilings.isEmpty
    }

    /// Whether anything is limited at all.
    var isNeeded: Bool {
        refresh()
        return hasOwn || hasCeilings
    }

    func isCharged(_ target: String, of workspace: String) -> Bool {
        guard isNeeded else { return false }
        let lane = LaneName(workspace: workspace, target: target)
        if let known = known[lane] { return known }
        if known.count > 100_000 { known = [:] }
        let answer = judge(lane)
        known[lane] = answer
        return answer
    }

    private func refresh() {
        guard revision != path.book.current.revision else { return }
        (known, revision) = ([:], path.book.current.revision)
        let book = path.book.current
        hasOwn = (book.workspaces + [book.everywhere].compactMap(\.self)).contains(where: \.hasQuotas)
    }

    private func judge(_ lane: LaneName) -> Bool {
        let rules = path.book.current.rules(of: lane.workspace)
        if let spec = rules?.endpoints[lane.target] {
            return !spec.quota.isEmpty || ceilings.limits(spec.kind, of: lane.workspace)
        }
        if let reach = rules?.reach(lane.target) {
            let own = reach.contact.quota[reach.channel] ?? []
            return !own.isEmpty || ceilings.limits(reach.channel.rawValue, of: lane.workspace)
        }
        // The rules in force have lost it; `toll` looks it up in those that decided.
        return true
    }

    func toll(of candidate: Candidate) throws(LedgerError) -> Toll? {
        guard let decided = try path.book.rules(of: candidate.workspace, at: candidate.revision, from: path.ledger),
            let rule = decided.rule(candidate.rule)
        else { return nil }
        let current = path.book.current.rules(of: candidate.workspace)
        if let spec = current?.endpoints[candidate.target] ?? decided.endpoints[candidate.target] {
            let charges = charges(
                QuotaScope.endpoint(spec.name, of: candidate.workspace),
                ceilings.each(spec.kind, of: candidate.workspace) + spec.quota, on: spec.kind, of: candidate.workspace)
            guard !charges.isEmpty else { return nil }
            return Toll([.init(to: nil, charges)], isCritical: rule.severity == .critical)
        }
        func find(_ target: String) -> Reach? { current?.reach(target) ?? decided.reach(target) }
        guard let own = find(candidate.target) else { return nil }
        return toll(of: own, rule, candidate, find)
    }

    private func toll(
        of own: Reach, _ rule: Rule, _ candidate: Candidate, _ find: (String) -> Reach?
    ) -> Toll? {
        let isNotice = rule.identity == Rule.withheld.identity
        let ladder =
            isNotice
            ? .withheld
            : rule.overflow[own.target] ?? rule.overflow["\(own.channel)/\(Rule.ownerName)"]
                ?? .standard(on: own.channel, for: own.contact)
        var routes = [Toll.Route(to: nil, charges(own, of: candidate.workspace))]
        for channel in ladder.channels where mayUse(channel) {
            guard let reach = find("\(channel)/\(own.contact.name)") else { continue }
            routes.append(Toll.Route(to: reach.target, charges(reach, of: candidate.workspace)))
        }
        // What went another way once goes on from there.
        if let via = candidate.via {
            if let place = routes.firstIndex(where: { $0.target == via }) {
                routes.removeFirst(place)
            } else if let reach = find(via) {
                routes = [Toll.Route(to: via, charges(reach, of: candidate.workspace))]
            }
        }
        if candidate.via == nil, routes[0].charges.isEmpty { return nil }
        let mail = isNotice ? nil : mailNotice(to: own, besides: ladder, find)
        return Toll(
            routes, last: ladder.last(of: rule), isCritical: rule.severity == .critical,
            isPerRule: rule.isPerRule, notice: isNotice ? nil : mail ?? "inbox/\(own.contact.name)",
            noticeAfter: mail == nil ? nil : Self.noticePause)
    }

    /// So much is counted together before a message tells of it.
    private static let noticePause = Duration.seconds(60)

    /// The contact's mail, where it may tell what was withheld: confirmed, offered, and not spent itself.
    private func mailNotice(to own: Reach, besides ladder: Overflow, _ find: (String) -> Reach?) -> String? {
        guard own.contact.isVerified, own.channel != .mail, !ladder.channels.contains(.mail), mayUse(.mail) else {
            return nil
        }
        return find("\(PeopleChannel.mail)/\(own.contact.name)")?.target
    }

    /// Whether the deployment offers a channel to all events; one that it keeps for some is no way out for others.
    private func mayUse(_ channel: PeopleChannel) -> Bool {
        path.configuration.people[channel.rawValue] != nil && path.configuration.offer.isFree(channel.rawValue)
    }

    private func charges(_ reach: Reach, of workspace: String) -> [Charge] {
        let limits = ceilings.each(reach.channel.rawValue, of: workspace) + (reach.contact.quota[reach.channel] ?? [])
        var charges = charges(reach.copy, limits, on: reach.channel.rawValue, of: workspace)
        let budget = ceilings.cost(of: workspace)
        if !budget.isEmpty, let price = ceilings.prices[reach.channel.rawValue]?.price(of: reach.address) {
            charges.append(Charge(QuotaScope.cost(of: workspace), budget.map(sendLimit), weight: price))
        }
        return charges
    }

    private func charges(
        _ scope: String, _ limits: [QuotaLimit], on channel: String, of workspace: String
    ) -> [Charge] {
        let total = ceilings.total(channel, of: workspace)
        var charges: [Charge] = []
        if !limits.isEmpty { charges.append(Charge(scope, limits.map(sendLimit))) }
        if !total.isEmpty { charges.append(Charge(QuotaScope.total(channel, of: workspace), total.map(sendLimit))) }
        return charges
    }

    private func sendLimit(_ limit: QuotaLimit) -> SendLimit {
        SendLimit(limit.count, in: limit.window, reserve: Int(Double(limit.count) * ceilings.reserve))
    }
}

extension Overflow {
    fileprivate func last(of rule: Rule) -> Toll.Last {
        switch last {
        case .waits: .waits
        case .suppressed: .suppressed
        case .digested: .digested(.init(name: rule.name, life: rule.expireAfter))
        }
    }
}

extension Ending {
    /// Whether the receiver may have got it, so that it counts in its quotas.
    ///
    /// Where no answer came and yet nobody is in doubt, as with a closed port, it never left.
    var mayHaveArrived: Bool {
        if case .failed = outcome, status == 0 { return false }
        return outcome.mayHaveArrived
    }
}

extension Outcome {
    /// Whether the receiver may have got it, so that it counts in its quotas.
    ///
    /// An answer that says no is believed; a server's own trouble and silence are not.
    fileprivate var mayHaveArrived: Bool {
        switch self {
        case .delivered, .ambiguous: true
        case .failed(let reason, _):
            switch reason {
            case .serverError, .contextDeadlineExceeded, .other: true
            case .authError, .rateLimited, .clientError, .dns, .tls, .blocked, .render: false
            }
        case .rateLimited, .refused, .gone, .unsent: false
        }
    }
}
