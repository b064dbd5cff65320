import CarillonKit
import CarillonLedger

/// The few rule sets a simulated workspace switches between, and what each asks for.
struct RuleVariant: Sendable {
    struct Rule: Sendable {
        let name, type: String
        let targets: [String]
        /// How many seconds its dedup window by subject lasts, when it has one.
        var window: Int?
        /// Whether only the newest of a subject is wanted.
        var supersedes = false

        var text: String {
            let dedup = window.map { "dedup: {by: [subject], within: \($0)s}, " } ?? ""
            let order = supersedes ? "order: supersede, " : ""
            return
                "  - {name: \(name), events: [\(type)], \(dedup)\(order)notify: [\(targets.joined(separator: ", "))]}"
        }
    }
    let text: String
    let rules: [Rule]

    static let endpoints = """
        endpoints:
          hook: {kind: webhook, url: "http://hook.example.com/"}
          room: {kind: webhook, url: "http://room.example.com/"}
        """

    private init(_ rules: [Rule]) {
        self.rules = rules
        text = rules.map(\.text).joined(separator: "\n")
    }

    static let all = [
        RuleVariant([Rule(name: "failures", type: "job.failed", targets: ["hook"])]),
        RuleVariant([
            Rule(name: "failures", type: "job.failed", targets: ["hook", "room"]),
            Rule(name: "ends", type: "job.succeeded", targets: ["room"]),
        ]),
        RuleVariant([
            Rule(name: "ends", type: "job.succeeded", targets: ["room"]),
            Rule(name: "worries", type: "job.failed", targets: ["hook"]),
        ]),
        RuleVariant([
            Rule(name: "ends", type: "job.succeeded", targets: ["room"], window: 30),
            Rule(name: "failures", type: "job.failed", targets: ["hook", "room"], window: 4),
        ]),
        RuleVariant([
            Rule(name: "states", type: "job.running", targets: ["hook"], supersedes: true),
            Rule(name: "ends", type: "job.succeeded", targets: ["hook"]),
            Rule(name: "failures", type: "job.failed", targets: ["hook", "room"], supersedes: true),
        ]),
    ]

    /// The change that puts this variant in force.
    func change(of workspace: String) -> RuleChange {
        let document = "version: 1\nworkspace: \(workspace)\n\(Self.endpoints)\nrules:\n\(text)\n"
        return RuleChange(
            workspace: workspace, sources: [SourceText(file: "rules.yaml", text: document)],
            living: Dictionary(uniqueKeysWithValues: rules.map { ($0.name, Set($0.targets)) }))
    }

    /// The deliveries an event may make under some variant.
    static func everyKey(of event: SampleEvent) -> Set<Key> {
        all.reduce(into: []) { $0.formUnion($1.keys(of: event)) }
    }

    /// Whether a rule of this name sends to this target.
    func has(_ rule: String, _ target: String) -> Bool {
        rules.contains { $0.name == rule && $0.targets.contains(target) }
    }

    /// Whether some variant's rule of this name wants the newest only.
    static func mayBeSuperseded(_ rule: String) -> Bool {
        all.contains { $0.rules.contains { $0.name == rule && $0.supersedes } }
    }

    /// The deliveries an event may make.
    func keys(of event: SampleEvent) -> Set<Key> { keys(of: event, without: []) ?? [] }

    /// The deliveries an event has to make when its window silenced some rules; `nil` when it cannot silence those.
    func keys(of event: SampleEvent, without silenced: Set<String>) -> Set<Key>? {
        let key = Key.event(
            workspace: Array(event.workspace.utf8).span, source: Array(event.source.utf8).span,
            id: Array(event.id.utf8).span)
        let selected = rules.filter { $0.type == event.type }
        guard silenced.isSubset(of: selected.filter { $0.window != nil }.map(\.name)) else { return nil }
        return Set(
            selected.filter { !silenced.contains($0.name) }.flatMap { rule in
                rule.targets.map { Key.delivery(event: key, rule: rule.name, target: $0) }
            })
    }
}
