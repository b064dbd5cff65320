public import CarillonEvents

/// The rules of one workspace, compiled.
///
/// Never changes; a new revision makes a new one.
public final class WorkspaceRules: Sendable {
    /// The workspace.
    public let workspace: String
    /// All its rules in the order of its documents, the disabled ones too.
    public let rules: [Rule]
    /// Its endpoints by name.
    public let endpoints: [String: EndpointSpec]
    let people: People

    /// Rules filed under selectors: those that ask no more than the type, and the patterns of the others.
    private struct File: Sendable {
        var unconditional: [Int] = []
        var patterns: PatternMatcher?

        init() {}

        init(_ indices: [Int], _ selections: [Pattern?]) {
            unconditional = indices.filter { selections[$0] == nil }
            let patterns = indices.compactMap { index in selections[index].map { (rule: index, pattern: $0) } }
            if !patterns.isEmpty { self.patterns = PatternMatcher(patterns) }
        }
    }
    private let types: TypeIndex
    private let files: [File]

    /// Compiles rules that have been checked.
    init(workspace: String, rules: [Rule], endpoints: [String: EndpointSpec], people: People = People()) {
        (self.workspace, self.rules, self.endpoints, self.people) = (workspace, rules, endpoints, people)
        var types = TypeIndex()
        var filed: [[Int]] = []
        for (index, rule) in rules.enumerated() where rule.enabled {
            for file in Set(rule.selectors.flatMap { types.files(for: $0) }) {
                filed += Array(repeating: [], count: max(0, types.count - filed.count))
                filed[file].append(index)
            }
        }
        Self.complete(&types, &filed)
        self.types = types
        // Types that the same rules want share what is compiled.
        var known: Set<[Int]> = []
        let distinct = filed.filter { known.insert($0).inserted }
        let selections = rules.map(\.selection)
        excess = Self.excess(of: rules, selections, distinct)
        // What is too much is not compiled, as it will be refused.
        var compiled: [[Int]: File] = [:]
        for indices in excess == nil ? distinct : [] { compiled[indices] = File(indices, selections) }
        files = filed.map { compiled[$0] ?? File() }
    }

    /// Why the rules cost too much, and the rule at which they do.
    let excess: (reason: String, rule: Int)?

    private static func excess(
        of rules: [Rule], _ selections: [Pattern?], _ files: [[Int]]
    ) -> (reason: String, rule: Int)? {
        let fields = selections.map { $0?.branches.reduce(0) { $0 + $1.fields.count } ?? 0 }
        var left = PatternLimit.workspace
        for indices in files {
            for index in indices {
                left -= fields[index]
                guard left >= 0 else {
                    return (
                        "the patterns of the workspace have more than \(PatternLimit.workspace) fields, "
                            + "counted for each event type and each combination of '$or's", index
                    )
                }
            }
        }
        for indices in files {
            let patterns = indices.lazy.compactMap { rules[$0].pattern }
            guard let cost = PatternCost.worst(of: patterns), cost.wildcards > PatternCost.limit else { continue }
            let last = indices.last {
                rules[$0].pattern.map { PatternCost.worst(of: [$0])?.path == cost.path } ?? false
            }
            return ("'\(cost.path.shortened)' in patterns: \(cost.reason)", last ?? indices[0])
        }
        return nil
    }

    /// How many entries `complete` may add: beyond it types times rules could fill the memory.
    private static let mostAdded = 20_000

    /// Adds to the file of each exact type the rules whose patterns of segments want it, while there is room, so that
    /// most events walk their data once and not once for each way to name their type.
    private static func complete(_ types: inout TypeIndex, _ filed: inout [[Int]]) {
        var room = mostAdded
        for (type, file) in types.exactTypes {
            var added: [Int] = []
            var fits = true
            types.visitPatterns(type.utf8.span) { other in
                fits = added.count + filed[other].count <= room
                if fits { added += filed[other] }
                return fits
            }
            guard fits else { continue }
            room -= added.count
            filed[file] = Set(filed[file] + added).sorted()
            types.completed(file)
        }
    }

    /// That some enabled rule wants a type of event; with it `match` need not look for them again.
    public struct Interest: Sendable {
        fileprivate let file: Int32
        /// Whether rules in other files want the type, too.
        fileprivate var isShared = false
    }

    /// Which enabled rules want events of this type, given as UTF-8 without quotes; `nil` when none does.
    ///
    /// Allocates nothing.
    public func interest(inType type: Span<UInt8>) -> Interest? {
        var interest: Interest?
        types.visit(type) { file in
            if interest == nil {
                interest = Interest(file: Int32(truncatingIfNeeded: file))
                return true
            }
            interest?.isShared = true
            return false
        }
        return interest
    }

    /// Appends the indices into `rules` of the enabled rules that select the event, in ascending order, each once.
    ///
    /// - Parameters:
    ///   - text: a CloudEvent that has been checked.
    ///   - outline: its outline. The workspace is not compared: `RuleBook` finds the rules by it.
    ///   - hits: where the indices go.
    ///   - scratch: the caller's memory; with it an event costs no allocation but for escaped strings at the path of a
    ///     pattern.
    public func match(
        _ text: Span<UInt8>, _ outline: EventOutline, into hits: inout [Int], using scratch: inout MatchScratch
    ) {
        let before = hits.count
        if let type = JSON.plain(outline.type, in: text) {
            collect(text.extracting(type.range), text, outline, &hits, &scratch)
        } else if let type = JSON.string(outline.type, in: text) {
            collect(type.utf8.span, text, outline, &hits, &scratch)
        }
        if hits.count > before + 1 { hits.settle(from: before) }
    }

    /// The same for an event whose outline nobody has read, with its type as UTF-8 without quotes and what these rules
    /// said to that type.
    ///
    /// On text that is no event it finds something or nothing, but does not fail.
    public func match(
        _ text: Span<UInt8>, type: Span<UInt8>, _ interest: Interest, into hits: inout [Int],
        using scratch: inout MatchScratch
    ) {
        let before = hits.count
        if interest.isShared {
            collect(type, text, nil, &hits, &scratch)
        } else {
            collect(Int(interest.file), text, nil, &hits, &scratch)
        }
        if hits.count > before + 1 { hits.settle(from: before) }
    }

    /// The same with memory of its own, for callers that match a few events.
    public func match(_ text: Span<UInt8>, _ outline: EventOutline, into hits: inout [Int]) {
        var scratch = MatchScratch()
        match(text, outline, into: &hits, using: &scratch)
    }

    private func collect(
        _ type: Span<UInt8>, _ text: Span<UInt8>, _ outline: EventOutline?, _ hits: inout [Int],
        _ scratch: inout MatchScratch
    ) {
        types.visit(type) { file in
            collect(file, text, outline, &hits, &scratch)
            return true
        }
    }

    private func collect(
        _ file: Int, _ text: Span<UInt8>, _ outline: EventOutline?, _ hits: inout [Int], _ scratch: inout MatchScratch
    ) {
        for index in files[file].unconditional { hits.append(index) }
        guard let patterns = files[file].patterns else { return }
        scratch.hits.removeAll(keepingCapacity: true)
        if let outline {
            patterns.match(text, outline, using: &scratch)
        } else {
            patterns.match(text, using: &scratch)
        }
        for rule in scratch.hits { hits.append(Int(rule)) }
    }

    /// The names of all secrets its endpoints need.
    public var secretNames: Set<String> { endpoints.values.reduce(into: []) { $0.formUnion($1.secretNames) } }

    /// Its contacts by name.
    public var contacts: [String: Contact] { people.contacts }

    /// Whether one of its contacts or endpoints has a quota of its own.
    public var hasQuotas: Bool {
        people.contacts.values.contains { !$0.quota.isEmpty } || endpoints.values.contains { !$0.quota.isEmpty }
    }

    /// What a target `channel/contact` stands for; `nil` for endpoints and contacts that are not here.
    public func reach(_ target: String) -> Reach? { people.reach(target) }

    /// The contact that is named, or has the alias, by which an event calls its owner.
    public func owner(_ name: String) -> Contact? { people.owner(name) }

    /// The identities of the enabled rules and of Carillon's own, each with all targets it may notify; for `$owner` those of every contact.
    public var livingTargets: [String: Set<String>] {
        var owners: [PeopleChannel: Set<String>] = [:]
        var living = people.contacts.isEmpty ? [:] : [Rule.withheld.identity: people.targets(on: .mail)]
        for rule in rules where rule.enabled {
            // Sets are shared until something is added, so that a thousand rules with `$owner` are one set.
            var targets: Set<String> = []
            for channel in rule.ownerChannels {
                let all = owners[channel] ?? people.targets(on: channel)
                owners[channel] = all
                targets = targets.isEmpty ? all : targets.union(all)
            }
            for target in rule.targets where !targets.contains(target) { targets.insert(target) }
            living[rule.identity] = living[rule.identity]?.union(targets) ?? targets
        }
        return living
    }
}
