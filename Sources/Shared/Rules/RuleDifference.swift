import CarillonEvents

/// What `apply` changes, told line by line.
public enum RuleDifference {
    /// The differences of two revisions of a workspace: contacts, groups and endpoints by name, then rules in the order of the new
    /// documents, then those that are gone.
    ///
    /// Lines begin with `+` (new), `~` (changed) or `-` (gone). They hold no secret: of an address only scheme and
    /// host, of headers only names, of literal secrets nothing, and of people no address.
    public static func between(old: WorkspaceRules?, new: WorkspaceRules?) -> [String] {
        contactLines(old?.people.contacts ?? [:], new?.people.contacts ?? [:])
            + groupLines(old?.people.groups ?? [:], new?.people.groups ?? [:])
            + endpointLines(old?.endpoints ?? [:], new?.endpoints ?? [:])
            + ruleLines(old?.rules ?? [], new?.rules ?? [])
    }

    private static func contactLines(_ old: [String: Contact], _ new: [String: Contact]) -> [String] {
        Set(old.keys).union(new.keys).sorted().flatMap { name -> [String] in
            let title = "contact \(name)"
            guard let after = new[name] else { return ["- \(title)"] }
            guard let before = old[name] else { return ["+ \(title)"] }
            return line(title, changes(before, after))
        }
    }

    private static func changes(_ old: Contact, _ new: Contact) -> [String?] {
        [
            old.mail == new.mail ? nil : "mail changed",
            old.phone == new.phone ? nil : "phone changed",
            change("zone", old.zone?.name ?? "none", new.zone?.name ?? "none"),
            change("quiet", old.quiet?.spelled ?? "none", new.quiet?.spelled ?? "none"),
            listChange("aliases", old.aliases, new.aliases),
            listChange("prefer", old.prefer.map(\.rawValue), new.prefer.map(\.rawValue)),
            old.isVerified == new.isVerified ? nil : new.isVerified ? "verified" : "not verified",
        ]
    }

    private static func groupLines(_ old: [String: [String]], _ new: [String: [String]]) -> [String] {
        Set(old.keys).union(new.keys).sorted().flatMap { name -> [String] in
            let title = "group \(name)"
            guard let after = new[name] else { return ["- \(title)"] }
            guard let before = old[name] else { return ["+ \(title)"] }
            return line(title, [listChange("contacts", before, after)])
        }
    }

    private static func endpointLines(_ old: [String: EndpointSpec], _ new: [String: EndpointSpec]) -> [String] {
        let names = Set(old.keys).union(new.keys).sorted()
        return names.flatMap { name -> [String] in
            let title = "endpoint \(name)"
            guard let after = new[name] else { return ["- \(title)"] }
            guard let before = old[name] else { return ["+ \(title)"] }
            return line(title, changes(before, after))
        }
    }

    private static func ruleLines(_ old: [Rule], _ new: [Rule]) -> [String] {
        let before = Dictionary(old.map { ($0.identity, $0) }, uniquingKeysWith: { first, _ in first })
        let kept = Set(new.map(\.identity))
        let changed = new.flatMap { rule -> [String] in
            guard let other = before[rule.identity] else { return ["+ rule \(rule.name)"] }
            return line("rule \(rule.name)", changes(other, rule))
        }
        return changed + old.filter { !kept.contains($0.identity) }.map { "- rule \($0.name)" }
    }

    private static func line(_ title: String, _ changes: [String?]) -> [String] {
        let changes = changes.compactMap(\.self)
        return changes.isEmpty ? [] : ["~ \(title): " + changes.joined(separator: "; ")]
    }

    private static func changes(_ old: EndpointSpec, _ new: EndpointSpec) -> [String?] {
        [
            change("kind", old.kind, new.kind),
            old.url == new.url ? nil : change("url", shown(old.url), shown(new.url)) ?? "url changed",
            old.secrets == new.secrets
                ? nil
                : change("secret", "\(old.secrets)", "\(new.secrets)") ?? "secret changed",
            headerChange(old.headers, new.headers),
            change("method", old.method, new.method),
            change("verify_ssl", "\(old.verifySSL)", "\(new.verifySSL)"),
            old.wire.authorities == new.wire.authorities ? nil : "ca changed",
            old.wire.certificate == new.wire.certificate ? nil : "client_cert changed",
            old.wire.key == new.wire.key ? nil : "client_key changed",
            change("http", old.wire.offersHTTP2 ? "2" : "1.1", new.wire.offersHTTP2 ? "2" : "1.1"),
            old.credential == new.credential ? nil : "key changed",
            change("format", old.format.rawValue, new.format.rawValue),
            old.body == new.body ? nil : "body changed",
            old.mentions == new.mentions ? nil : "at changed",
            old.retry == new.retry ? nil : "retry changed",
            listChange("quota", old.quota.map(\.text), new.quota.map(\.text)),
        ]
    }

    private static func shown(_ url: SecretOrText) -> String {
        if case .text(let text) = url { WebAddress.origin(of: text) } else { "\(url)" }
    }

    private typealias Headers = [(name: String, value: SecretOrText)]

    private static func headerChange(_ old: Headers, _ new: Headers) -> String? {
        let before = Dictionary(old.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(new.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let words = Set(before.keys).union(after.keys).sorted().compactMap { name -> String? in
            guard let new = after[name] else { return "-\(name)" }
            guard let old = before[name] else { return "+\(name)" }
            return old == new ? nil : "~\(name)"
        }
        return words.isEmpty ? nil : "headers " + words.joined(separator: " ")
    }

    private static func changes(_ old: Rule, _ new: Rule) -> [String?] {
        [
            change("name", old.name, new.name),
            old.enabled == new.enabled ? nil : new.enabled ? "enabled" : "disabled",
            listChange("events", old.events.map(\.text), new.events.map(\.text)),
            change("scope", old.scope?.spelled ?? "none", new.scope?.spelled ?? "none"),
            old.pattern == new.pattern ? nil : "pattern changed",
            change("severity", old.severity.rawValue, new.severity.rawValue),
            listChange("notify", old.notifies, new.notifies),
            old.title == new.title ? nil : "title changed",
            old.message == new.message ? nil : "message changed",
            change("per_rule", "\(old.isPerRule)", "\(new.isPerRule)"),
            change("order", old.order.rawValue, new.order.rawValue),
            change("dedup", old.dedup?.spelled ?? "none", new.dedup?.spelled ?? "none"),
            change("after", old.after?.spelled ?? "none", new.after?.spelled ?? "none"),
            change("group", old.group?.spelled ?? "none", new.group?.spelled ?? "none"),
            old.incident == new.incident ? nil : "incident changed",
            change(
                "expire_after", old.statedExpiry?.spelled ?? "default",
                new.statedExpiry?.spelled ?? "default"),
        ]
    }

    private static func change(_ what: String, _ old: String, _ new: String) -> String? {
        old == new ? nil : "\(what) \(old) → \(new)"
    }

    private static func listChange(_ what: String, _ old: [String], _ new: [String]) -> String? {
        let words =
            new.filter { !old.contains($0) }.map { "+\($0)" } + old.filter { !new.contains($0) }.map { "-\($0)" }
        return words.isEmpty ? nil : "\(what) " + words.joined(separator: " ")
    }
}

extension Dedup {
    /// The window as documents write it, in one line.
    fileprivate var spelled: String {
        "{by: [\(by.map(\.text).joined(separator: ", "))], within: \(within.spelled)}"
    }
}

extension Scope {
    /// The scope as documents write it, in one line.
    fileprivate var spelled: String {
        switch self {
        case .pipeline(let name): "{pipeline: \(name)}"
        case .owner(let name): "{owner: \(name)}"
        case .model(let name): "{model: \(name)}"
        }
    }
}
