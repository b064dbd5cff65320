public import CarillonRules

/// A channel whose receivers are endpoints of rule documents.
public protocol EndpointChannel: Channel {
    /// Makes the channel from what the deployment says of it.
    ///
    /// - Throws: what is wrong with a key, without its value.
    static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> Self
    /// The channel as one endpoint wants it.
    func adapted(to spec: EndpointSpec) -> Self
}

/// A channel whose receivers are people: the endpoint's `recipient` is one's own address.
public protocol PersonalChannel: Channel {
    /// Makes the channel from what the deployment says of it.
    ///
    /// - Throws: what is wrong with a key, without its value.
    static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> Self
}

/// Every channel there is.
public enum Channels {
    /// How the channel of an endpoint is found: by its kind, then by what its document says.
    public typealias Kinds = [String: @Sendable (EndpointSpec) -> any Channel]

    /// The kinds of endpoints that need no word in `channels:`, with their defaults.
    public static let byDefault: Kinds =
        (try? kinds(Dictionary(uniqueKeysWithValues: kindNames.map { ($0, ChannelSettings()) }))) ?? [:]

    /// The names of the kinds of endpoints.
    public static let kindNames = ["webhook", "dingtalk", "feishu", "wecom", "slack", "pagerduty", "console"]

    /// The names of the people's channels.
    public static let peopleNames = ["mail", "sms", "inbox"]

    /// Makes the kinds of endpoints that the settings name; other names are left to `people`.
    public static func kinds(_ settings: [String: ChannelSettings]) throws(ChannelSettingsError) -> Kinds {
        func kind<Kind: EndpointChannel>(
            _: Kind.Type, _ settings: ChannelSettings
        ) throws(ChannelSettingsError) -> @Sendable (EndpointSpec) -> any Channel {
            let channel = try Kind.make(settings)
            return { channel.adapted(to: $0) }
        }
        var kinds: Kinds = [:]
        for (name, settings) in settings {
            switch name {
            case "webhook": kinds[name] = try kind(WebhookChannel.self, settings)
            case "dingtalk": kinds[name] = try kind(DingTalkChannel.self, settings)
            case "feishu": kinds[name] = try kind(FeishuChannel.self, settings)
            case "wecom": kinds[name] = try kind(WeComChannel.self, settings)
            case "slack": kinds[name] = try kind(SlackChannel.self, settings)
            case "pagerduty": kinds[name] = try kind(PagerDutyChannel.self, settings)
            case "console": kinds[name] = try kind(ConsoleChannel.self, settings)
            default: break
            }
        }
        return kinds
    }

    /// Makes the people's channels that the settings name; other names are left to `kinds`.
    public static func people(
        _ settings: [String: ChannelSettings]
    ) throws(ChannelSettingsError) -> [String: any Channel] {
        var people: [String: any Channel] = [:]
        for (name, settings) in settings {
            switch name {
            case "mail": people[name] = try MailChannel.make(settings)
            case "inbox": people[name] = try InboxChannel.make(settings)
            case "sms": people[name] = try sms(settings)
            default: break
            }
        }
        return people
    }

    private static func sms(_ settings: ChannelSettings) throws(ChannelSettingsError) -> any Channel {
        var settings = settings
        switch settings.values.removeValue(forKey: "provider") {
        case "twilio": return try TwilioChannel.make(settings)
        case "aliyun": return try AliyunSMSChannel.make(settings)
        case nil: throw ChannelSettingsError("sms", "provider", "it is missing; it is one of twilio, aliyun")
        default: throw ChannelSettingsError("sms", "provider", "it is one of twilio, aliyun")
        }
    }
}
