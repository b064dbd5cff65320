public import CarillonEvents

// `group: {by, wait, every}`: which of a rule's events make one message. What opens a group, what joins it and when it
// speaks is the ledger's to decide, as only it sees all workers; here is what the events of one group have in common.

/// A rule's wish to hear of many events in one message.
public struct Grouping: Sendable, Hashable {
    /// How long the first message may wait for company.
    static let waits = Duration.zero...Duration.seconds(86_400)
    /// How far apart the messages of a group may be.
    static let spans = Duration.seconds(1)...Duration.seconds(7 * 86_400)

    /// The fields that tell groups apart, at least one, each once.
    public let by: [EventPath]
    /// How long after its first event a group's first message is sent.
    public let wait: Duration
    /// How long after a message the next one is sent, and how long a group without events lives.
    public let every: Duration

    /// Makes one from parts the caller has checked.
    public init(by: [EventPath], wait: Duration, every: Duration) {
        (self.by, self.wait, self.every) = (by, wait, every)
    }

    /// What an event that has been checked says in these fields: equal lists are one group.
    public func values(in text: Span<UInt8>, _ outline: EventOutline) -> [(path: String, value: [UInt8])] {
        by.map { ($0.text, $0.canonical(in: text, outline)) }
    }

    /// What people call the group of these values: a string as it reads, anything else as JSON, "-" for nothing.
    public static func name(of values: [(path: String, value: [UInt8])]) -> String {
        let words = values.map { _, value -> String in
            if value.isEmpty { return "-" }
            let span = value.span
            guard let slice = JSON.value(in: span, at: 0), JSON.kind(of: slice, in: span) == .string else {
                return String(decoding: value, as: UTF8.self)
            }
            return JSON.string(slice, in: span) ?? ""
        }
        let name = words.joined(separator: ", ")
        return name.utf8.count <= longestName ? name : String(name.prefix(60)) + "…"
    }
    private static let longestName = 256

    /// The group as documents write it, in one line.
    var spelled: String {
        "{by: [\(by.map(\.text).joined(separator: ", "))], wait: \(wait.spelled), every: \(every.spelled)}"
    }
}

// MARK: - Reading

extension Grouping {
    private static let vocabulary = Vocabulary("a group", known: ["by", "wait", "every"])
    /// What a document need not say, as alert routers have it.
    private static let standard = (wait: Duration.seconds(30), every: Duration.seconds(5 * 60))

    /// Reads the value of a rule's `group`; `nil` when something in it was reported.
    init?(_ tree: Tree, _ findings: inout Findings) {
        guard let fields = Fields(tree, Self.vocabulary, &findings) else { return nil }
        let by = fields.required("by", in: "a group", &findings).flatMap {
            Dedup.paths($0, for: "one group in all", &findings)
        }
        let wait =
            fields["wait"].map { $0.duration("'wait'", in: Self.waits, &findings) } ?? Self.standard.wait
        let every =
            fields["every"].map { $0.duration("'every'", in: Self.spans, &findings) } ?? Self.standard.every
        guard let by, let wait, let every else { return nil }
        self.init(by: by, wait: wait, every: every)
    }
}

extension RuleReading {
    /// Reports what does not go together with a rule's group.
    func check(groupBeside order: Order?, _ findings: inout Findings) {
        guard fields["group"] != nil else { return }
        if order == .supersede {
            findings.report(
                "'order: supersede' drops older messages, and those of a group tell of different events; drop one of both",
                at: fields.place(of: "order"))
        }
        if fields["incident"] != nil {
            findings.notYet("'incident' (a pager's incidents) beside 'group'", at: fields.place(of: "incident"))
        }
    }
}

extension TargetLinking {
    /// Reports what of a rule's targets or of the deployment cannot do with a group.
    func check(groupOf draft: RuleDraft, _ targets: [String], _ findings: inout Findings) {
        guard draft.rule.group != nil else { return }
        if !limits.canGroup {
            findings.notYet("'group' (grouped notifications) with this deployment's ledger", at: draft.place)
        }
        for target in targets where endpoints[target]?.spec?.format == .cloudevents {
            findings.report(
                "endpoint '\(target)' is sent single events (format: cloudevents), and rule '\(draft.rule.name)' groups them",
                at: draft.place)
        }
    }
}
