import CarillonEvents

// Every key of `carillon.yaml`, with its default. A key that is not here is an error; a key of something not built yet is
// refused as such, so that nobody believes in a setting that does nothing.

enum Settings {
    static let all: [Setting] = [
        Setting("stream.kind", .choice(["sqlite"], notYet: ["kafka"]), "sqlite"),
        Setting("stream.path", .path, "stream.db"),
        Setting("stream.partitions", .integer(1...1024), "8"),
        Setting("stream.retention", .duration(.seconds(60)...long), "7d"),
        Setting("ledger.kind", .choice(["sqlite", "postgres"]), "sqlite"),
        Setting("ledger.path", .path, "ledger.db"),
        Setting("ledger.url", .text, nil),
        Setting("ledger.url_file", .path, nil),
        Setting("ledger.retention", .duration(.seconds(60)...long), "30d"),
        Setting("ledger.dedup_horizon", .duration(.seconds(60)...long), "7d"),
        Setting("worker.group", .text, "carillon"),
        Setting("worker.batch", .integer(1...100_000), "5000"),
        Setting("worker.concurrency", .integer(1...10_000), "256"),
        Setting("worker.lease", .duration(.seconds(2)...(.seconds(3600))), "30s"),
        Setting("delivery.timeout", .duration(.milliseconds(50)...(.seconds(600))), "15s"),
        Setting("delivery.retry.first", .duration(.milliseconds(1)...(.seconds(86_400))), "5s"),
        Setting("delivery.retry.factor", .number(1...100), "2"),
        Setting("delivery.retry.max", .duration(.milliseconds(1)...(.seconds(86_400))), "10m"),
        Setting("delivery.retry.give_up_after", .duration(.zero...long), "24h"),
        Setting("delivery.max_event_age", .duration(.seconds(1)...long), "24h"),
        Setting("delivery.ssrf_exempt", .networks, ""),
        Setting("rules.dir", .path, nil),
        Setting("http.listen", .address, "127.0.0.1:8420"),
        Setting(
            "logging.level", .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), "info"),
        Setting("logging.format", .choice(["text", "json"]), "text"),
    ]

    /// Keys the contract reserves for what is not built, each with all below it.
    static let notYet = [
        "stream.topics", "stream.properties", "ledger.single_host", "channels",
        "limits",
        "links", "http.tokens_file",
    ]

    private static let long = Duration.seconds(3650 * 86_400)
    private static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })
    private static let byVariable = Dictionary(uniqueKeysWithValues: all.map { ($0.variable, $0) })

    static func setting(_ key: String) -> Setting? { byKey[key] }
    static func setting(variable: String) -> Setting? { byVariable[variable] }

    /// Whether settings stand below this key.
    static func isSection(_ key: String) -> Bool { all.contains { $0.key.hasPrefix(key + ".") } }

    static func isNotYet(_ key: String) -> Bool { notYet.contains { key == $0 || key.hasPrefix($0 + ".") } }

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
        if let meant = nearest(to: key, among: siblings.sorted()) ?? namesakes.first {
            return "unknown key \(key); did you mean \(meant)?"
        }
        return "unknown key \(key); known here: \(siblings.sorted().joined(separator: ", "))"
    }
}
