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
    /// Whether some contact has a quota of its own.
    private var hasOwn = false

    init(_ path: Path, _ ceilings: QuotaCeilings) { (self.path, self.ceilings) = (path, ceilings) }

    /// Whether anything is limited at all.
    var isNeeded: Bool {
        refresh()
        return hasOwn || !ceilings.isEmpty
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
        if let spec = rules?.endpoints[lane.target] { return ceilings.limits(spec.kind, of: lane.workspace) }
        if let reach = rules?.reach(lane.target) {
            let own = reach.contact.quota[reach.channel] ?? []
            return !own.isEmpty || ceilings.limits(reach.channel.rawValue, of: lane.workspace)
        }
        // The rules in force have lost it; `toll` looks it up in those that decided.
        return true
    }

    func toll(of candidate: Candidate) throws(LedgerError) -> Toll? {
        guard let decided = try path.book.rules(of: candidate.workspace, at: candidate.revision, from: path.ledger),
            let rule = decided.rules.first(where: { $0.identity == candidate.rule })
        else { return nil }
        let current = path.book.current.rules(of: candidate.workspace)
        if let spec = current?.endpoints[candidate.target] ?? decided.endpoints[candidate.target] {
            let charges = charges(
                "endpoint \(candidate.workspace)/\(spec.name)", ceilings.each(spec.kind, of: candidate.workspace),
                on: spec.kind, of: candidate.workspace)
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
        let ladder =
            rule.overflow[own.target] ?? rule.overflow["\(own.channel)/\(Rule.ownerName)"]
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
        return Toll(
            routes, last: ladder.isSuppressed ? .suppressed : .waits, isCritical: rule.severity == .critical,
            isPerRule: rule.isPerRule, notice: "inbox/\(own.contact.name)")
    }

    /// Whether the deployment offers a channel to all events; one that it keeps for some is no way out for others.
    private func mayUse(_ channel: PeopleChannel) -> Bool {
        path.configuration.people[channel.rawValue] != nil && path.configuration.offer.isFree(channel.rawValue)
    }

    private func charges(_ reach: Reach, of workspace: String) -> [Charge] {
        let limits = ceilings.each(reach.channel.rawValue, of: workspace) + (reach.contact.quota[reach.channel] ?? [])
        return charges(reach.copy, limits, on: reach.channel.rawValue, of: workspace)
    }

    private func charges(
        _ scope: String, _ limits: [QuotaLimit], on channel: String, of workspace: String
    ) -> [Charge] {
        let total = ceilings.total(channel, of: workspace)
        var charges: [Charge] = []
        if !limits.isEmpty { charges.append(Charge(scope, limits.map(sendLimit))) }
        if !total.isEmpty { charges.append(Charge("workspace \(workspace) \(channel)", total.map(sendLimit))) }
        return charges
    }

    private func sendLimit(_ limit: QuotaLimit) -> SendLimit {
        SendLimit(limit.count, in: limit.window, reserve: Int(Double(limit.count) * ceilings.reserve))
    }
}

extension Claimed {
    /// The target that is told.
    var destination: String { via ?? target }
    /// What was asked about it when it was claimed.
    var candidate: Candidate {
        Candidate(
            delivery: delivery, workspace: workspace, rule: rule, target: target, via: via, revision: revision)
    }
}

extension Outcome {
    /// Whether the receiver may have got it, so that it counts in its quotas.
    ///
    /// An answer that says no is believed; a server's own trouble and silence are not.
    var mayHaveArrived: Bool {
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
