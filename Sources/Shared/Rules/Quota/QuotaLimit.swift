/// So many messages in any span of a length: `5/15m`.
public struct QuotaLimit: Sendable, Hashable {
    /// The most that a limit may count; the log of what was sent is kept in one row.
    public static let most = 1_000_000
    /// The longest span.
    public static let longest = Duration.seconds(366 * 86_400)

    /// How many, at least 1.
    public let count: Int
    /// In any span of this length.
    public let window: Duration

    /// Reads `5/15m`; `nil` for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(parts[0]),
            (1...Self.most).contains(count), let window = Duration(spelled: String(parts[1])),
            window >= .seconds(1), window <= Self.longest
        else { return nil }
        (self.count, self.window) = (count, window)
    }

    /// Reads a limit of what is spent: `12.50/1d`, counted in `Money.unit`s; `nil` for anything else.
    public init?(ofMoney text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = Money.units(String(parts[0])), count > 0,
            let limit = QuotaLimit("1/" + parts[1])
        else { return nil }
        (self.count, self.window) = (count, limit.window)
    }

    /// As it is written.
    public var text: String { "\(count)/\(window.spelled)" }

    /// Whether it lets through what another does not: then it is no lower one.
    func exceeds(_ ceiling: QuotaLimit) -> Bool {
        let (own, other) = (window.components.seconds, ceiling.window.components.seconds)
        // In a shorter span no more than the ceiling lets through in its own; in a longer one no more than it lets
        // through in as many of its own as touch it.
        let spans = own <= other ? 1 : (own + other - 1) / other
        return Int64(count) > Int64(ceiling.count) * spans
    }
}

/// How much the admin lets through: ceilings, which documents may only lower.
public struct QuotaCeilings: Sendable, Equatable {
    /// To one address of a channel, or to one endpoint of a kind, over all workspaces.
    public var each: [String: [QuotaLimit]]
    /// The same for what single workspaces send.
    public var eachOf: [String: [String: [QuotaLimit]]]
    /// All that a workspace sends on a channel.
    public var total: [String: [QuotaLimit]]
    /// The same for single workspaces.
    public var totalOf: [String: [String: [QuotaLimit]]]
    /// The part of each limit that is for critical rules alone.
    public var reserve: Double
    /// What a workspace may spend.
    public var cost: [QuotaLimit] = []
    /// The same for single workspaces.
    public var costOf: [String: [QuotaLimit]] = [:]
    /// What a message costs, by channel; without a price it costs nothing.
    public var prices: [String: PriceList] = [:]

    /// Makes ceilings; without arguments there are none.
    public init(
        each: [String: [QuotaLimit]] = [:], eachOf: [String: [String: [QuotaLimit]]] = [:],
        total: [String: [QuotaLimit]] = [:], totalOf: [String: [String: [QuotaLimit]]] = [:], reserve: Double = 0.2
    ) {
        (self.each, self.eachOf, self.total, self.totalOf) = (each, eachOf, total, totalOf)
        self.reserve = min(max(reserve, 0), 1)
    }

    /// What a workspace may send to one address of a channel, or one endpoint of a kind.
    public func each(_ channel: String, of workspace: String) -> [QuotaLimit] {
        eachOf[workspace]?[channel] ?? each[channel] ?? []
    }

    /// What a workspace may send on a channel in all.
    public func total(_ channel: String, of workspace: String) -> [QuotaLimit] {
        totalOf[workspace]?[channel] ?? total[channel] ?? []
    }

    /// What a workspace may spend.
    public func cost(of workspace: String) -> [QuotaLimit] { costOf[workspace] ?? cost }

    /// Whether a workspace's messages on a channel are limited.
    public func limits(_ channel: String, of workspace: String) -> Bool {
        !each(channel, of: workspace).isEmpty || !total(channel, of: workspace).isEmpty
            || prices[channel] != nil && !cost(of: workspace).isEmpty
    }

    /// Whether nothing is limited.
    public var isEmpty: Bool {
        each.values.allSatisfy(\.isEmpty) && total.values.allSatisfy(\.isEmpty)
            && eachOf.values.allSatisfy { $0.values.allSatisfy(\.isEmpty) }
            && totalOf.values.allSatisfy { $0.values.allSatisfy(\.isEmpty) }
            && (prices.isEmpty || cost.isEmpty && costOf.values.allSatisfy(\.isEmpty))
    }
}
