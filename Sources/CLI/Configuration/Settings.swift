import CarillonEvents
import CarillonRules
import CarillonWorker

// Every key of `carillon.yaml`, with its default. A key that is not here is an error; a key of something not built yet is
// refused as such, so that nobody believes in a setting that does nothing.

enum Settings {
    /// A secret may stand in a file: each has a second key that names one.
    static let all = withFileForms(deployment + QuotaKeys.all + ChannelKeys.all)

    private static let deployment: [Setting] = [
        Setting("stream.kind", .choice(["sqlite", "kafka"]), "sqlite"),
        Setting("stream.path", .path, "stream.db"),
        Setting("stream.topics", .words, "carillon.events"),
        Setting("stream.properties", .map, "{}"),
        Setting("stream.partitions", .integer(1...1024), "8"),
        Setting("stream.retention", .duration(.seconds(60)...long), "7d"),
        Setting("ledger.kind", .choice(["sqlite", "postgres"]), "sqlite"),
        Setting("ledger.path", .path, "ledger.db"),
        Setting("ledger.url", .secret, nil),
        Setting("ledger.single_host", .choice(["true", "false"]), "false"),
        Setting("ledger.retention", .duration(.seconds(60)...long), "30d"),
        Setting("ledger.dedup_horizon", .duration(.seconds(60)...long), "7d"),
        Setting("worker.group", .text, "carillon"),
        Setting("worker.batch", .integer(1...100_000), "5000"),
        Setting("worker.concurrency", .integer(1...10_000), "256"),
        Setting("worker.lease", .duration(.seconds(2)...(.seconds(3600))), "30s"),
        Setting("delivery.timeout", .duration(.milliseconds(50)...(.seconds(600))), "15s"),
        Setting("delivery.retry.schedule", .choice(RetrySchedule.Name.allCases.map(\.rawValue)), nil),
        Setting("delivery.retry.first", .duration(.milliseconds(1)...(.seconds(86_400))), "5s"),
        Setting("delivery.retry.factor", .number(1...100), "2"),
        Setting("delivery.retry.max", .duration(.milliseconds(1)...(.seconds(86_400))), "10m"),
        Setting("delivery.retry.give_up_after", .duration(.zero...long), "24h"),
        Setting("delivery.max_event_age", .duration(.seconds(1)...long), "24h"),
        Setting("delivery.ssrf_exempt", .networks, ""),
        Setting("delivery.ca_file", .path, nil),
        // A secret, as it may hold a password.
        Setting("delivery.proxy", .secret, nil),
        Setting("secrets.key", .secret, nil),
        Setting("limits.default.targets_per_rule", .integer(RuleLimits.range), "5"),
        Setting("links", .map, "{}"),
        Setting("rules.dir", .path, nil),
        Setting("http.listen", .address, "127.0.0.1:8420"),
        Setting("http.tokens_file", .path, nil),
        Setting(
            "logging.level", .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), "info"),
        Setting("logging.format", .choice(["text", "json"]), "text"),
    ]

    /// Keys the contract reserves for what is not built, each with all below it.
    static let notYet = ["voice", "teams", "discord", "opsgenie", "git"].map { "channels." + $0 }

    /// The key that names the file of a secret.
    static func fileForm(of key: String) -> String { key + "_file" }

    private static func withFileForms(_ settings: [Setting]) -> [Setting] {
        settings.flatMap { $0.kind.isSecret ? [$0, Setting(fileForm(of: $0.key), .path, nil)] : [$0] }
    }

    private static let long = Duration.seconds(3650 * 86_400)
    private static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })
    private static let byVariable = Dictionary(uniqueKeysWithValues: all.map { ($0.variable, $0) })

    static func setting(_ key: String) -> Setting? { byKey[key] ?? workspaceLimit(key) }
    static func setting(variable: String) -> Setting? { byVariable[variable] }

    /// Whether settings stand below this key.
    static func isSection(_ key: String) -> Bool {
        all.contains { $0.key.hasPrefix(key + ".") } || key + "." == workspaces
            || key.hasPrefix(workspaces) && workspaceLimit(key) == nil && !isNotYet(key)
    }

    static func isNotYet(_ key: String) -> Bool {
        notYet.contains { key == $0 || key.hasPrefix($0 + ".") }
    }

    // Limits of single workspaces: `limits.workspaces.vision.targets_per_rule`, whatever the workspace's name.

    private static let workspaces = "limits.workspaces."
    private static func workspaceLimit(_ key: String) -> Setting? {
        guard let (_, limit) = limited(key) else { return nil }
        return Setting(
            key, limit == targets ? .integer(RuleLimits.range) : limit == QuotaKeys.cost ? .costs : .quotas, nil)
    }

    /// The limit of how many targets a rule has.
    static let targets = "targets_per_rule"
    /// What can be limited, the longest name first.
    private static let workspaceLimits = [targets, QuotaKeys.cost] + QuotaKeys.channels.map { "total.\($0)" } + QuotaKeys.channels

    /// The workspace that a key limits, and what of it; `nil` for every other key.
    static func limited(_ key: String) -> (workspace: String, limit: String)? {
        guard key.hasPrefix(workspaces) else { return nil }
        for limit in workspaceLimits where key.hasSuffix("." + limit) {
            let name = key.dropFirst(workspaces.count).dropLast(limit.count + 1)
            if !name.isEmpty, key.utf8.count > workspaces.utf8.count + limit.utf8.count + 1 {
                return (String(name), limit)
            }
        }
        return nil
    }

    /// Whether a variable can only be meant as a setting: it begins as the variables of a section do.
    static func claims(variable: String) -> Bool {
        (all.map(\.key) + notYet).contains { key in
            variable.hasPrefix("CARILLON_" + (key.split(separator: ".").first ?? "").uppercased() + "_")
        }
    }

    /// What is wrong with a key that is no setting, and which one is meant.
    static func unknown(_ key: String) -> String {
        if isNotYet(key) { return "\(key) is not yet built" }
        let parent = key.split(separator: ".").dropLast().joined(separator: ".")
        let siblings = Set(
            all.filter { parent.isEmpty || $0.key.hasPrefix(parent + ".") }.map { sibling in
                sibling.key.split(separator: ".").prefix(parent.split(separator: ".").count + 1).joined(separator: ".")
            })
        let last = String(key.split(separator: ".").last ?? "")
        let namesakes = all.map(\.key).filter { $0.hasSuffix("." + last) }
        let longer = siblings.sorted().first { $0.hasPrefix(key) }
        if let meant = longer ?? nearest(to: key, among: siblings.sorted()) ?? namesakes.first {
            return "unknown key \(key); did you mean \(meant)?"
        }
        return "unknown key \(key); known here: \(siblings.sorted().joined(separator: ", "))"
    }
}
