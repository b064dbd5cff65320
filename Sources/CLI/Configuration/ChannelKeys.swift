import CarillonWorker

// The keys of `channels:`. A table, so that a misspelt one is refused with its place, each may be a variable
// (`CARILLON_CHANNELS_MAIL_PASSWORD_FILE`), and each secret has its `*_file` form.

enum ChannelKeys {
    /// The kinds of endpoints: the document brings address and secret, so they are offered unless switched off.
    static let endpoints = ["webhook", "dingtalk", "feishu", "wecom", "slack", "pagerduty", "console"]
    /// What needs no provider, and is offered unless switched off.
    static let builtIn = ["inbox"]
    /// What needs a provider, and is offered once something is said of it.
    static let configured = ["mail", "sms"]
    /// All channels.
    static let channels = endpoints + builtIn + configured

    /// The settings of all channels.
    static let all = channels.flatMap { channel in
        (common + (own[channel] ?? [])).map { Setting("channels.\(channel).\($0.key)", $0.kind, nil) }
    }

    /// Keys that say to whom a channel is offered, and for how much; all others are the channel's own.
    static let terms: Set<String> = ["enabled", "events", "regions", "price"]

    private typealias Key = (key: String, kind: Setting.Kind)

    private static let common: [Key] = [("enabled", .flag), ("events", .events), ("regions", .words)]
    private static let base: [Key] = [("base_url", .text)]

    /// Of those that call no provider over HTTP only the terms.
    private static let own: [String: [Key]] = [
        "webhook": base, "dingtalk": base, "feishu": base, "wecom": base, "slack": base, "pagerduty": base,
        "mail": mail, "sms": sms,
    ]

    private static let onAmbiguous: Key = ("on_ambiguous", .choice(OnAmbiguous.allCases.map(\.rawValue)))

    private static let mail: [Key] = [
        ("url", .text), ("from", .text), ("tls", .choice(SMTPEnvelope.TLS.allCases.map(\.rawValue))),
        ("username", .text), ("password", .secret), ("ca_file", .path),
        ("verify_ssl", .choice(["true", "false"])), ("html", .text), onAmbiguous,
    ]

    /// Of both providers; each refuses the other's.
    private static let sms: [Key] =
        base + [
            ("provider", .choice(["twilio", "aliyun"])), onAmbiguous, ("price", .map),
            ("account", .text), ("token", .secret), ("from", .text), ("length", .text),
            ("access_key_id", .text), ("access_key_secret", .secret), ("sign_name", .text),
            ("template_code", .text), ("template_param", .text), ("region", .text),
        ]
}
