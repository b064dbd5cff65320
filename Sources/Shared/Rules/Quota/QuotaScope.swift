/// The names of what is charged: whoever charges the same scope shares its windows.
///
/// An address of a person is a scope by `Reach.copy`.
public enum QuotaScope {
    /// An endpoint of a workspace.
    public static func endpoint(_ name: String, of workspace: String) -> String { "endpoint \(workspace)/\(name)" }
    /// All that a workspace sends on a channel.
    public static func total(_ channel: String, of workspace: String) -> String { "\(totals)\(workspace) \(channel)" }
    /// What a workspace spends.
    public static func cost(of workspace: String) -> String { costs + workspace }
    /// Whether a scope counts money.
    public static func isCost(_ scope: String) -> Bool { scope.hasPrefix(costs) }

    /// What a scope of a whole workspace is called in lists; `nil` for all others.
    public static func words(for scope: String) -> String? {
        if isCost(scope) { return "cost of " + scope.dropFirst(costs.count) }
        return scope.hasPrefix(totals) ? "all of " + scope.dropFirst(totals.count) : nil
    }

    private static let (costs, totals) = ("cost ", "workspace ")
}

/// A limit of a document, with its place.
typealias PlacedLimit = (limit: QuotaLimit, place: Place)

extension Tree {
    /// Reads `[3/15m, 20/1d]`; `nil` when something was reported.
    func limits(_ what: String, _ findings: inout Findings) -> [PlacedLimit]? {
        var limits: [PlacedLimit] = []
        var isFine = true
        for item in list(what, &findings) ?? [] {
            guard let text = item.text("a limit", &findings), let limit = QuotaLimit(text) else {
                findings.report(
                    "a limit is a number of messages in a span, such as 3/15m or 20/1d, not "
                        + "'\(item.scalar?.text.shortened ?? kind)'", at: item.place)
                isFine = false
                continue
            }
            limits.append((limit, item.place))
        }
        return isFine ? limits : nil
    }
}

extension QuotaCeilings {
    /// Reports a document's limits that let more through than the deployment's.
    func check(_ limits: [PlacedLimit], on channel: String, of workspace: String, _ findings: inout Findings) {
        for (limit, place) in limits {
            guard let exceeded = each(channel, of: workspace).first(where: { limit.exceeds($0) }) else { continue }
            findings.report(
                "\(limit.text) is more than the deployment's \(exceeded.text) of \(channel); a document may only lower it",
                at: place)
        }
    }
}
