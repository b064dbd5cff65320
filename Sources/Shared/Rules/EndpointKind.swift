/// A kind of receiver that endpoints may have, and what a document may say of it.
enum EndpointKind: String, CaseIterable {
    case webhook, dingtalk, feishu, wecom, slack, pagerduty, console

    /// Kinds that are promised and not built.
    static let later = ["teams", "discord", "opsgenie", "git"]

    /// Whether it has an address, which `kind: address` is then short for.
    var hasAddress: Bool { self != .pagerduty && self != .console }

    /// The key of the secret that is no signing secret of webhooks; `nil` when it knows none.
    var credentialKey: String? {
        switch self {
        case .dingtalk, .feishu: "sign"
        case .pagerduty: "routing_key"
        case .webhook, .wecom, .slack, .console: nil
        }
    }

    /// The formats it knows, the default first.
    var formats: [EndpointFormat] {
        switch self {
        case .webhook: [.standard, .cloudevents, .body]
        case .dingtalk, .wecom: [.text, .markdown]
        case .feishu: [.post, .text]
        case .slack: [.standard, .mlrun]
        case .pagerduty, .console: []
        }
    }

    /// How documents name the choice among `formats`.
    var formatKey: String { self == .slack ? "layout" : "format" }

    /// The keys besides `kind` and the shorthand.
    var keys: [String] {
        var keys = hasAddress ? ["url"] : []
        if let credentialKey { keys.append(credentialKey) }
        if !formats.isEmpty { keys.append(formatKey) }
        switch self {
        case .webhook: keys += ["secret", "headers", "method", "body", "verify_ssl"] + EndpointWireReading.keys
        case .dingtalk, .wecom, .feishu: keys.append("at")
        case .slack, .pagerduty, .console: break
        }
        keys += ["retry", "quota"]
        return keys
    }
}

/// How an endpoint's messages are written.
public enum EndpointFormat: String, Sendable, CaseIterable {
    /// The channel's own form.
    case standard
    /// A webhook: the event as it was published.
    case cloudevents
    /// A webhook: the document's own template.
    case body
    /// A chat message: plain text.
    case text
    /// A chat message: the rule's text is taken for Markdown.
    case markdown
    /// A chat message in Feishu's rich text.
    case post
    /// Slack: the blocks that MLRun sends.
    case mlrun
}

/// Who is called by name in a chat message.
public struct Mentions: Sendable, Hashable {
    /// Their telephone numbers, as the chat knows them.
    public var mobiles: [String]
    /// Their user ids.
    public var users: [String]
    /// Whether everybody is.
    public var all: Bool
    /// Makes mentions.
    public init(mobiles: [String] = [], users: [String] = [], all: Bool = false) {
        (self.mobiles, self.users, self.all) = (mobiles, users, all)
    }
    /// Whether nobody is called.
    public var isEmpty: Bool { mobiles.isEmpty && users.isEmpty && !all }
}

extension Mentions {
    private static let most = 50

    /// Reads the value of `at`; `nil` when something in it was reported.
    init?(_ tree: Tree, of kind: EndpointKind, _ findings: inout Findings) {
        // Feishu's robots know people by their ids alone.
        let known = kind == .feishu ? ["users", "all"] : ["mobiles", "users", "all"]
        guard let fields = Fields(tree, Vocabulary("'at'", known: known), &findings) else { return nil }
        let mobiles = fields["mobiles"].map { Self.names("mobiles", $0, &findings) } ?? []
        let users = fields["users"].map { Self.names("users", $0, &findings) } ?? []
        let all = fields["all"].map { $0.bool("'all'", &findings) } ?? false
        guard let mobiles, let users, let all else { return nil }
        self.init(mobiles: mobiles, users: users, all: all)
    }

    private static func names(_ key: String, _ tree: Tree, _ findings: inout Findings) -> [String]? {
        guard let items = tree.list("'\(key)'", &findings) else { return nil }
        guard items.count <= most else {
            findings.report("'\(key)' names at most \(most), not \(items.count)", at: tree.place)
            return nil
        }
        let names = items.compactMap { $0.name("one of '\(key)'", &findings) }
        return names.count == items.count ? names : nil
    }
}
