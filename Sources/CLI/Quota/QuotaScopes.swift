import CarillonEvents
import CarillonLedger
import CarillonRules

/// The scopes of quotas by the rules in force, as far as a command means them: a scope's name tells an address, which no
/// list shows; its targets do not.
struct QuotaScopes {
    private let rules: [WorkspaceRules]
    private let isChosen: Bool
    /// The targets of each scope.
    let names: [String: Set<LaneName>]

    init(_ desk: any LedgerDesk, workspace: String?, contact: String?) throws(LedgerError) {
        var rules: [WorkspaceRules] = []
        for (name, texts) in try desk.rules().workspaces where workspace ?? name == name {
            let loaded = RuleDocuments.load(texts.map { (file: $0.file, text: $0.text) }, limits: .inForce)
            rules += loaded.workspaces.filter { $0.workspace == name }
        }
        self.rules = rules.sorted { $0.workspace < $1.workspace }
        isChosen = workspace != nil || contact != nil
        var names: [String: Set<LaneName>] = [:]
        for one in rules {
            for person in one.contacts.values where contact ?? person.name == person.name {
                for channel in PeopleChannel.allCases {
                    guard let reach = one.reach("\(channel)/\(person.name)") else { continue }
                    names[reach.copy, default: []].insert(LaneName(workspace: one.workspace, target: reach.target))
                }
            }
            guard contact == nil else { continue }
            for name in one.endpoints.keys {
                names[QuotaScope.endpoint(name, of: one.workspace), default: []]
                    .insert(LaneName(workspace: one.workspace, target: name))
            }
            names.merge(Self.sums(one)) { $0.union($1) }
        }
        self.names = names
    }

    /// What counts all of a workspace: channels, and money.
    private static func sums(_ rules: WorkspaceRules) -> [String: Set<LaneName>] {
        var sums: [String: Set<LaneName>] = [QuotaScope.cost(of: rules.workspace): []]
        for person in rules.contacts.values {
            for channel in PeopleChannel.allCases {
                guard let reach = rules.reach("\(channel)/\(person.name)") else { continue }
                let lane = LaneName(workspace: rules.workspace, target: reach.target)
                sums[QuotaScope.total(channel.rawValue, of: rules.workspace), default: []].insert(lane)
                if channel.key == "phone" { sums[QuotaScope.cost(of: rules.workspace), default: []].insert(lane) }
            }
        }
        for (name, endpoint) in rules.endpoints {
            sums[QuotaScope.total(endpoint.kind, of: rules.workspace), default: []]
                .insert(LaneName(workspace: rules.workspace, target: name))
        }
        return sums
    }

    /// How many targets a rule has, of how many.
    struct Unit {
        let workspace, rule: String
        let used, limit: Int
        var cells: [String] { [printable(workspace), printable(rule), "\(used) of \(limit)"] }
        var members: [JSONValue.Member] {
            [.string("workspace", workspace), .string("rule", rule), .integer("units", used), .integer("limit", limit)]
        }
    }

    func units(_ limits: RuleLimits) -> [Unit] {
        rules.flatMap { one in
            one.rules.map { rule in
                Unit(
                    workspace: one.workspace, rule: rule.name, used: rule.units,
                    limit: limits.targets(in: one.workspace))
            }
        }
    }

    /// A window of a scope.
    struct Window {
        let target: String
        /// Whether it counts money and not messages.
        let isMoney: Bool
        let limit: SendLimit
        let used: Int
        /// When the next may be sent; `nil` for now.
        let free: Timestamp?
        let waiting, withheld: Int
        let resetAt: Int64?
        let resetBy: String?

        private var span: String { Duration.milliseconds(limit.window).text }
        private var reset: String {
            resetAt.map { "\(Timestamp(milliseconds: $0).rfc3339) by \(printable(resetBy ?? "?"))" } ?? ""
        }
        private func amount(_ count: Int) -> String { isMoney ? Money.text(count) : String(count) }
        private func number(_ name: String, _ count: Int) -> JSONValue.Member {
            isMoney
                ? JSONValue.Member(name, .double(Double(count) / Double(Money.unit))) : .integer(name, count)
        }
        var cells: [String] {
            [
                printable(target), span, amount(used), amount(limit.count), amount(limit.reserve),
                free?.rfc3339 ?? "now", String(waiting), String(withheld), reset,
            ]
        }
        var members: [JSONValue.Member] {
            [
                .string("target", target), .string("window", span), number("used", used),
                number("limit", limit.count), number("reserve", limit.reserve),
                .time("free", free?.milliseconds), .integer("waiting", waiting), .integer("withheld", withheld),
                .time("reset", resetAt), .string("reset_by", resetBy),
            ]
        }
    }

    func windows(_ desk: any LedgerDesk, now: Timestamp) throws(LedgerError) -> [Window] {
        var held: [LaneName: (waiting: Int, withheld: Int)] = [:]
        for row in try desk.deliveries(DeliveryFilter(reason: QuotaReason.quota, limit: 1_000_000)) {
            let lane = LaneName(workspace: row.workspace, target: row.target)
            if row.state == .withheld {
                held[lane, default: (0, 0)].withheld += 1
            } else {
                held[lane, default: (0, 0)].waiting += 1
            }
        }
        var windows: [Window] = []
        for row in try desk.quotas() {
            let lanes = names[row.scope] ?? []
            if isChosen, names[row.scope] == nil { continue }
            let target = lanes.isEmpty ? row.label : lanes.map { "\($0.workspace) \($0.target)" }.sorted()[0]
            let counts = lanes.reduce(into: (waiting: 0, withheld: 0)) { sum, lane in
                sum.waiting += held[lane]?.waiting ?? 0
                sum.withheld += held[lane]?.withheld ?? 0
            }
            for limit in row.log.limits {
                var free: Timestamp?
                if case .full(let until) = row.log.room([limit], now: now) { free = until ?? now }
                windows.append(
                    Window(
                        target: QuotaScope.words(for: row.scope) ?? target, isMoney: QuotaScope.isCost(row.scope),
                        limit: limit, used: row.log.used(in: limit, now: now), free: free, waiting: counts.waiting,
                        withheld: counts.withheld, resetAt: row.resetAt, resetBy: row.resetBy))
            }
        }
        return windows
    }
}
