/// The ceilings an admin sets; documents may stay below them.
public struct RuleLimits: Sendable, Equatable {
    /// What a rule's targets may be at most anywhere.
    public static let range = 1...100
    /// How many targets a rule may have.
    public var targetsPerRule: Int
    /// The same for single workspaces.
    public var perWorkspace: [String: Int]
    /// Which channels rules may name, and for which events.
    public var offer: ChannelOffer
    /// How much contacts may want at most.
    public var quotas = QuotaCeilings()
    /// Whether the deployment's ledger keeps groups of events.
    public var canGroup = true
    /// Whether the documents were checked before and are in force, so that a machine without a time zone still takes them.
    public var areApplied = false

    /// Makes limits; numbers outside 1...100 count as the nearest inside.
    public init(targetsPerRule: Int = 5, perWorkspace: [String: Int] = [:], offer: ChannelOffer = .everything) {
        (self.targetsPerRule, self.perWorkspace, self.offer) = (targetsPerRule, perWorkspace, offer)
    }

    /// For documents that are in force: a ceiling lowered since must not silence their rules.
    public static let inForce = {
        var limits = RuleLimits(targetsPerRule: range.upperBound)
        limits.areApplied = true
        return limits
    }()

    /// How many targets a rule of a workspace may have.
    public func targets(in workspace: String) -> Int {
        let limit = perWorkspace[workspace] ?? targetsPerRule
        return min(max(limit, Self.range.lowerBound), Self.range.upperBound)
    }
}

/// Who wrote rule documents.
public enum RuleAuthor: Sendable {
    /// Who runs the deployment: may write rules for every workspace.
    case `operator`
    /// Who owns a workspace.
    case tenant
}

/// Reads rule documents.
public enum RuleDocuments {
    /// The version of documents this build reads.
    public static let version = 1

    /// Reads files of any workspaces, merges what belongs to one workspace, and checks everything.
    ///
    /// Every problem is listed, in the order of the files and of the lines in each; after an error of syntax a file is
    /// not read further. A workspace with an error is left out of the result, but a file that could not be read belongs
    /// to an unknown one: use the result only when every problem is a warning.
    public static func load(
        _ files: [(file: String, text: String)], limits: RuleLimits = RuleLimits(), by author: RuleAuthor = .operator
    ) -> (workspaces: [WorkspaceRules], problems: [Problem]) {
        var findings = Findings()
        var drafts: [WorkspaceDraft] = []
        var places: [String: Int] = [:]
        for (file, text) in files {
            let source = Source(file: file, text: text)
            var ofFile = Findings()
            let trees = documents(of: source, &ofFile)
            // A file that was cut off while it was written must not read as "no rules".
            if trees.isEmpty, ofFile.problems.isEmpty {
                ofFile.report(
                    "the file holds no document; begin one with 'version: 1', or remove the file",
                    at: source.place(line: 1, column: 1))
            }
            findings.add(ofFile)
            for tree in trees {
                var found = Findings()
                found.patternFields = ofFile.patternFields
                found.areApplied = limits.areApplied
                defer { ofFile.patternFields = found.patternFields }
                if let document = Document(tree, by: author, &found) {
                    let place = places[document.workspace] ?? drafts.count
                    if place == drafts.count { drafts.append(WorkspaceDraft(workspace: document.workspace)) }
                    places[document.workspace] = place
                    drafts[place].add(document, found)
                } else {
                    findings.add(found)
                }
            }
        }
        let workspaces = drafts.compactMap { $0.link(limits, &findings) }
        return (workspaces, sorted(findings.problems, files.map(\.file)) + [findings.rest].compactMap(\.self))
    }

    private static func sorted(_ problems: [Problem], _ files: [String]) -> [Problem] {
        let order = Dictionary(files.enumerated().map { ($1, $0) }, uniquingKeysWith: min)
        return problems.enumerated().sorted { a, b in
            let (fileA, fileB) = (order[a.element.file] ?? 0, order[b.element.file] ?? 0)
            return (fileA, a.element.line, a.element.column, a.offset)
                < (fileB, b.element.line, b.element.column, b.offset)
        }.map(\.element)
    }
}

/// One document, read alone.
private struct Document {
    let workspace: String
    let contacts: [ContactDraft]
    let groups: [GroupDraft]
    let endpoints: [EndpointDraft]
    let rules: [RuleDraft]

    private static let vocabulary = Vocabulary(
        "a rule document", known: ["version", "workspace", "contacts", "groups", "endpoints", "rules"])

    init?(_ tree: Tree, by author: RuleAuthor, _ findings: inout Findings) {
        if let scalar = tree.scalar, scalar.isNull {
            findings.report("the document is empty", at: tree.place)
            return nil
        }
        guard let fields = Fields(tree, Self.vocabulary, &findings) else { return nil }
        // A document of another version may mean other things by the same words.
        guard let version = fields.required("version", in: "a rule document", &findings) else { return nil }
        guard version.scalar?.meaning == CanonicalNumber("\(RuleDocuments.version)").map({ .number($0) }) else {
            let found = version.scalar.map { "'\($0.text.shortened)'" } ?? version.kind
            findings.report(
                "'version' is the number \(RuleDocuments.version) in this build, not \(found)", at: version.place)
            return nil
        }
        let name = fields.required("workspace", in: "a rule document", &findings)
        contacts = fields["contacts"].map { contactDrafts($0, &findings) } ?? []
        groups = fields["groups"].map { groupDrafts($0, &findings) } ?? []
        endpoints = fields["endpoints"].map { endpointDrafts($0, &findings) } ?? []
        rules = fields["rules"].map { ruleDrafts($0, &findings) } ?? []
        guard let name, let workspace = name.name("the workspace's name", &findings) else { return nil }
        guard workspace != RuleBook.everywhereName || author == .operator else {
            findings.report("rules for every workspace ('*') are the operator's to apply", at: name.place)
            return nil
        }
        self.workspace = workspace
    }
}

/// The documents of one workspace together.
private struct WorkspaceDraft {
    let workspace: String
    var findings = Findings()
    /// All endpoints named, the faulty too, so that a fault is told once and not again by each rule.
    var endpoints: [String: EndpointDraft] = [:]
    var people = PeopleDraft()
    var drafts: [RuleDraft] = []

    init(workspace: String) { self.workspace = workspace }

    mutating func add(_ document: Document, _ found: Findings) {
        findings.add(found)
        people.add(document.contacts, document.groups, &findings)
        for endpoint in document.endpoints {
            if let other = endpoints[endpoint.name]?.place {
                findings.report(
                    "endpoint '\(endpoint.name.shortened)' stands already at \(other.shown)", at: endpoint.place)
            } else {
                endpoints[endpoint.name] = endpoint
            }
        }
        drafts += document.rules
    }

    /// The compiled workspace; `nil` when something in it is wrong.
    func link(_ limits: RuleLimits, _ all: inout Findings) -> WorkspaceRules? {
        var (findings, people) = (findings, people)
        checkNames(&findings)
        people.link(&findings)
        people.check(limits.quotas, of: workspace, &findings)
        for endpoint in endpoints.values {
            guard let kind = endpoint.spec?.kind else { continue }
            limits.quotas.check(endpoint.quota, on: kind, of: workspace, &findings)
        }
        let linking = TargetLinking(endpoints: endpoints, people: people, limits: limits, workspace: workspace)
        let rules = drafts.map { linking.rule($0, &findings) }
        var compiled: WorkspaceRules?
        if findings.areWarnings {
            let all = WorkspaceRules(
                workspace: workspace, rules: rules, endpoints: endpoints.compactMapValues(\.spec),
                people: people.people(of: workspace))
            if let (reason, rule) = all.excess {
                findings.report(reason, at: drafts[rule].place)
            } else {
                compiled = all
            }
        }
        all.add(findings)
        return compiled
    }

    private func checkNames(_ findings: inout Findings) {
        var names: [String: Place] = [:]
        var identities: [String: Place] = [:]
        for draft in drafts {
            if let other = names.updateValue(draft.place, forKey: draft.rule.name) {
                findings.report("rule '\(draft.rule.name)' stands already at \(other.shown)", at: draft.place)
            } else if let other = identities[draft.rule.identity] {
                findings.report(
                    "the rule at \(other.shown) has the identity '\(draft.rule.identity)' already", at: draft.place)
            }
            identities[draft.rule.identity] = draft.place
        }
    }
}

extension Place {
    /// The file and the line, for a problem elsewhere.
    var shown: String { "\(source.file):\(line)" }
}
