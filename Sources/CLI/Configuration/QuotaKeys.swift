import CarillonRules

// The keys of quotas in `limits:`. `limits.default.sms` is for each number, `limits.default.total.sms` for all that a
// workspace sends; both may be set for single workspaces.

enum QuotaKeys {
    /// What can be limited: an address of a person's channel, or an endpoint of a kind.
    static let channels = ChannelKeys.channels + ["voice"]

    /// What providers let through, and what a person bears.
    private static let standard = [
        "sms": "5/15m,40/1d", "voice": "3/15m,10/1d", "dingtalk": "20/1m", "wecom": "20/1m", "feishu": "100/1m",
        "slack": "1/1s",
    ]
    /// What a workspace may spend.
    static let cost = "cost"
    /// What a message costs, by channel; only those know prices that a provider is paid for.
    private static let prices = ["sms": "channels.sms.price"]
    private static let reserve = "limits.default.critical_reserve"

    static let all =
        channels.flatMap { channel in
            [
                Setting("limits.default.\(channel)", .quotas, standard[channel]),
                Setting("limits.default.total.\(channel)", .quotas, nil),
            ]
        } + [Setting("limits.default.cost", .costs, nil), Setting(reserve, .number(0...0.9), "0.2")]

    /// The ceilings that checked values say.
    static func ceilings(_ values: Values) -> QuotaCeilings {
        func limits(_ key: String) -> [QuotaLimit]? {
            values.optionalList(key)?.compactMap { QuotaLimit($0) }
        }
        func costs(_ key: String) -> [QuotaLimit]? {
            values.optionalList(key)?.compactMap { QuotaLimit(ofMoney: $0) }
        }
        var ceilings = QuotaCeilings(reserve: values.number(reserve))
        for channel in channels {
            ceilings.each[channel] = limits("limits.default.\(channel)")
            ceilings.total[channel] = limits("limits.default.total.\(channel)")
        }
        ceilings.cost = costs("limits.default.cost") ?? []
        for (channel, key) in prices { ceilings.prices[channel] = values.optionalMap(key).flatMap { try? PriceList($0) } }
        for key in values.all.keys {
            guard let (workspace, limit) = Settings.limited(key), limit != Settings.targets else { continue }
            if limit == cost {
                ceilings.costOf[workspace] = costs(key)
            } else if limit.hasPrefix("total.") {
                ceilings.totalOf[workspace, default: [:]][String(limit.dropFirst("total.".count))] = limits(key)
            } else {
                ceilings.eachOf[workspace, default: [:]][limit] = limits(key)
            }
        }
        return ceilings
    }

    /// What does not go together: prices that are none, a budget without prices, and one that no message fits into.
    static func contradictions(_ values: Values) -> [(keys: [String], words: String)] {
        var found: [(keys: [String], words: String)] = []
        for (_, key) in prices {
            guard let texts = values.optionalMap(key) else { continue }
            do throws(PriceFault) { _ = try PriceList(texts) } catch { found.append(([key], "\(key): \(error.words)")) }
        }
        guard found.isEmpty else { return found }
        let ceilings = ceilings(values)
        let dearest = ceilings.prices.values.map(\.dearest).max()
        let budgets =
            [("limits.default.cost", ceilings.cost)]
            + ceilings.costOf.sorted { $0.key < $1.key }.map { ("limits.workspaces.\($0).cost", $1) }
        for (key, limits) in budgets {
            guard !limits.isEmpty else { continue }
            guard let dearest else {
                found.append(([key], "\(key) needs channels.sms.price: without a price nothing costs anything"))
                continue
            }
            for limit in limits where limit.count - Int(Double(limit.count) * ceilings.reserve) < dearest {
                let least = Money.text(Int((Double(dearest) / (1 - ceilings.reserve)).rounded(.up)))
                found.append(
                    (
                        [key],
                        "\(key): a message costs up to \(Money.text(dearest)), so that none would fit into "
                            + "\(Money.text(limit.count)); with the part that is kept for critical rules it is at least \(least)"
                    ))
            }
        }
        return found
    }
}
