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
            for name in contact == nil ? Array(one.endpoints.keys) : [] {
                names["endpoint \(one.workspace)/\(name)", default: []]
                    .insert(LaneName(workspace: one.workspace, target: name))
            }
        }
        self.names = names
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
        var cells: [String] {
            [
                printable(target), span, String(used), String(limit.count), String(limit.reserve),
                free?.rfc3339 ?? "now", String(waiting), String(withheld), reset,
            ]
        }
        var members: [JSONValue.Member] {
            [
                .string("target", target), .string("window", span), .integer("used", used),
                .integer("limit", limit.count), .integer("reserve", limit.reserve),
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
            if isChosen, lanes.isEmpty { continue }
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
                        target: row.scope.hasPrefix("workspace ") ? "all of " + row.scope.dropFirst(10) : target,
                        limit: limit, used: row.log.used(in: limit, now: now), free: free, waiting: counts.waiting,
                        withheld: counts.withheld, resetAt: row.resetAt, resetBy: row.resetBy))
            }
        }
        return windows
    }
}
