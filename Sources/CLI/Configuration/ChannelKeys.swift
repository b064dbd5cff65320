// The keys of `channels:`. A table, so that a misspelt one is refused with its place, each may be a variable
// (`CARILLON_CHANNELS_MAIL_PASSWORD_FILE`), and each secret has its `*_file` form.

enum ChannelKeys {
    /// The kinds of endpoints: the document brings address and secret, so they are offered unless switched off.
    static let endpoints = ["webhook", "dingtalk", "feishu", "wecom", "slack", "pagerduty", "console"]
    /// What needs no provider, and is offered unless switched off.
    static let builtIn = ["inbox"]
    /// What needs a provider, and is offered once something is said of it.
    static let configured = ["mail", "sms", "voice"]
    /// All channels.
    static let channels = endpoints + builtIn + configured

    /// The settings of all channels.
    static let all = channels.flatMap { channel in
        (common + (own[channel] ?? [])).map { Setting("channels.\(channel).\($0.key)", $0.kind, nil) }
    }

    /// Keys that say to whom a channel is offered; all others are the channel's own.
    static let terms: Set<String> = ["enabled", "events", "regions"]

    private typealias Key = (key: String, kind: Setting.Kind)

    private static let common: [Key] = [
        ("enabled", .flag), ("events", .events), ("regions", .words), ("base_url", .text),
    ]

    private static let own: [String: [Key]] = ["mail": mail, "sms": telephone, "voice": telephone]

    private static let mail: [Key] = [
        ("url", .text), ("from", .text), ("tls", .choice(["required", "opportunistic", "implicit", "none"])),
        ("username", .text), ("password", .secret), ("ca_file", .path),
    ]

    private static let telephone: [Key] = [
        ("provider", .choice(["twilio", "aliyun"])), ("on_ambiguous", .choice(["skip", "resend"])),
        ("account", .text), ("token", .secret), ("from", .text),
        ("access_key", .text), ("access_secret", .secret), ("sign_name", .text), ("template", .text),
        ("region", .text),
    ]
}
