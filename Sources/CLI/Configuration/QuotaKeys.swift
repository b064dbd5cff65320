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
    private static let reserve = "limits.default.critical_reserve"

    static let all =
        channels.flatMap { channel in
            [
                Setting("limits.default.\(channel)", .quotas, standard[channel]),
                Setting("limits.default.total.\(channel)", .quotas, nil),
            ]
        } + [Setting(reserve, .number(0...0.9), "0.2")]

    /// The ceilings that checked values say.
    static func ceilings(_ values: Values) -> QuotaCeilings {
        func limits(_ key: String) -> [QuotaLimit]? {
            values.optionalList(key)?.compactMap { QuotaLimit($0) }
        }
        var ceilings = QuotaCeilings(reserve: values.number(reserve))
        for channel in channels {
            ceilings.each[channel] = limits("limits.default.\(channel)")
            ceilings.total[channel] = limits("limits.default.total.\(channel)")
        }
        for key in values.all.keys {
            guard let (workspace, limit) = Settings.limited(key), limit != Settings.targets else { continue }
            if limit.hasPrefix("total.") {
                ceilings.totalOf[workspace, default: [:]][String(limit.dropFirst("total.".count))] = limits(key)
            } else {
                ceilings.eachOf[workspace, default: [:]][limit] = limits(key)
            }
        }
        return ceilings
    }
}
