public import CarillonEvents

// `incident: {key, resolve_on}`: which notifications of a rule are one incident to a pager, and which events say that it is
// over. Those events need not be in `events`: they are selected by the rule's scope and pattern, its condition is not
// asked, and they go to the pagers alone.

/// What makes one incident of a rule's notifications.
public struct IncidentRule: Sendable, Hashable {
    /// How many fields may tell incidents apart.
    static let mostPaths = 16

    /// The fields that tell incidents apart; the subject when there are none.
    public let key: [EventPath]
    /// The events that say it is over.
    public let resolveOn: [EventSelector]

    /// Makes one from parts the caller has checked.
    public init(key: [EventPath], resolveOn: [EventSelector]) { (self.key, self.resolveOn) = (key, resolveOn) }

    /// Whether an event of this type says that the incident is over.
    public func isOver(by type: Span<UInt8>) -> Bool { resolveOn.contains { $0.selects(type) } }

    /// What an event that has been checked says in the key's fields: equal lists mean the same incident.
    public func values(in text: Span<UInt8>, _ outline: EventOutline) -> [(path: String, value: [UInt8])] {
        (key.isEmpty ? [.subject] : key).map { ($0.text, $0.canonical(in: text, outline)) }
    }
}

extension Rule {
    /// Whether the event, by its type, is only there to say that an incident is over.
    public func onlyResolves(_ type: Span<UInt8>) -> Bool {
        guard let incident, incident.isOver(by: type) else { return false }
        return !events.contains { $0.selects(type) }
    }

    /// The same for an event that has been checked.
    public func onlyResolves(type outline: EventOutline, in text: Span<UInt8>) -> Bool {
        if incident == nil { return false }
        if let plain = JSON.plain(outline.type, in: text) { return onlyResolves(text.extracting(plain.range)) }
        return JSON.string(outline.type, in: text).map { onlyResolves($0.utf8.span) } ?? false
    }

    /// What it selects by type: its events and those that end its incidents.
    var selectors: [EventSelector] { events + (incident?.resolveOn ?? []) }
}

extension IncidentRule {
    private static let vocabulary = Vocabulary("an incident", known: ["key", "resolve_on"])

    /// Reads the value of a rule's `incident`; `nil` when something in it was reported.
    init?(
        _ tree: Tree, _ findings: inout Findings,
        selectors: (Tree, inout Findings) -> [EventSelector]?
    ) {
        guard let fields = Fields(tree, Self.vocabulary, &findings) else { return nil }
        let key = fields["key"].map { Self.paths($0, &findings) } ?? []
        let resolveOn = fields["resolve_on"].map { selectors($0, &findings) } ?? []
        guard let key, let resolveOn else { return nil }
        self.init(key: key, resolveOn: resolveOn)
    }

    private static func paths(_ tree: Tree, _ findings: inout Findings) -> [EventPath]? {
        guard let items = tree.list("'key'", &findings) else { return nil }
        guard (1...mostPaths).contains(items.count) else {
            findings.report("'key' names 1 to \(mostPaths) fields, not \(items.count)", at: tree.place)
            return nil
        }
        let paths = items.compactMap { EventPath($0, &findings) }
        return paths.count == items.count ? paths : nil
    }
}
