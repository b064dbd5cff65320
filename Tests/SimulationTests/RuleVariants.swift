import CarillonKit
import CarillonLedger

/// The few rule sets a simulated workspace switches between, and what each asks for.
struct RuleVariant: Sendable {
    let text: String
    /// Rule, event type, targets.
    let rules: [(name: String, type: String, targets: [String])]

    static let endpoints = """
        endpoints:
          hook: {kind: webhook, url: "http://hook.example.com/"}
          room: {kind: webhook, url: "http://room.example.com/"}
        """

    private init(_ rules: [(name: String, type: String, targets: [String])]) {
        self.rules = rules
        text = rules.map { rule in
            "  - {name: \(rule.name), events: [\(rule.type)], notify: [\(rule.targets.joined(separator: ", "))]}"
        }.joined(separator: "\n")
    }

    static let all = [
        RuleVariant([("failures", "job.failed", ["hook"])]),
        RuleVariant([("failures", "job.failed", ["hook", "room"]), ("ends", "job.succeeded", ["room"])]),
        RuleVariant([("ends", "job.succeeded", ["room"]), ("worries", "job.failed", ["hook"])]),
    ]

    /// The change that puts this variant in force.
    func change(of workspace: String) -> RuleChange {
        let document = "version: 1\nworkspace: \(workspace)\n\(Self.endpoints)\nrules:\n\(text)\n"
        return RuleChange(
            workspace: workspace, sources: [SourceText(file: "rules.yaml", text: document)],
            living: Dictionary(uniqueKeysWithValues: rules.map { ($0.name, Set($0.targets)) }))
    }

    /// The deliveries an event has to make.
    func keys(of event: SampleEvent) -> Set<Key> {
        let key = Key.event(
            workspace: Array(event.workspace.utf8).span, source: Array(event.source.utf8).span,
            id: Array(event.id.utf8).span)
        return Set(
            rules.filter { $0.type == event.type }.flatMap { rule in
                rule.targets.map { Key.delivery(event: key, rule: rule.name, target: $0) }
            })
    }
}
