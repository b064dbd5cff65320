import CarillonEvents

// The patterns of many rules, ready to be met. An event is walked once, along the paths that some pattern names
// (`EventWalk.swift`), and its values there are written down. Then the branches whose entry one of them meets are tried:
// leaf by leaf, each leaf once an event (here), or, when the event has lists of objects, so that of each list one element
// fits alone (`ListConsistency.swift`).

/// The patterns of some rules, ready to be met by events.
///
/// A class, so that to meet it costs one reference and not one for each of its tables.
final class PatternMatcher: Sendable {
    let nodes: [PatternPlan.Node]
    let names: ByteTable
    let atoms: ByteTable
    let leaves: [PatternPlan.Leaf]
    let code: TestCode
    let branches: [PatternPlan.Branch]
    let branchLeaves: [Int32]
    private let branchRules: [Int32]
    private let files: [PatternPlan.File]
    private let filed: [Int32]
    private let indexes: [NodeIndex]
    private let unfiled: [Int32]
    private let gates: [Int32]
    /// The nodes that the outline of an event leads to, and how many names of the event's own it does not.
    let attributes: [(attribute: EventAttribute, node: Int32)]
    let extensions: Int

    /// Compiles the patterns of the rules with these numbers.
    convenience init(_ patterns: [(rule: Int, pattern: Pattern)]) {
        self.init(PatternPlan(patterns))
    }

    /// Takes tables that are complete.
    init(_ plan: PatternPlan) {
        (nodes, names, atoms, leaves, code) = (plan.nodes, plan.names, plan.atoms, plan.leaves, plan.code)
        (branches, branchLeaves, branchRules) = (plan.branches, plan.branchLeaves, plan.branchRules)
        (files, filed, indexes, unfiled) = (plan.files, plan.filed, plan.indexes, plan.unfiled)
        gates = plan.gates
        let names = plan.names
        attributes = EventAttribute.allCases.compactMap { attribute in
            names.find(0, attribute.rawValue.utf8.span).map { (attribute, Int32($0)) }
        }
        extensions = Int(plan.nodes[0].children) - attributes.count
    }

    /// Finds the rules whose patterns a CloudEvent fits: into the scratch's hits, in no order, some perhaps twice.
    func match(_ text: Span<UInt8>, _ outline: EventOutline, using scratch: inout MatchScratch) {
        scratch.begin(nodes: nodes.count, leaves: leaves.count, branches: branches.count)
        walk(text, outline, &scratch)
        judge(text, &scratch)
    }

    /// The same for any JSON object.
    func match(_ text: Span<UInt8>, using scratch: inout MatchScratch) {
        scratch.begin(nodes: nodes.count, leaves: leaves.count, branches: branches.count)
        walk(text, &scratch)
        judge(text, &scratch)
    }
}

// MARK: - Judging

extension PatternMatcher {
    private func judge(_ text: Span<UInt8>, _ scratch: inout MatchScratch) {
        for place in 0..<scratch.met.count {
            let node = scratch.met[place]
            guard nodes[Int(node)].hasEntries, isOpen(node, text, &scratch) else { continue }
            let values = scratch.values[Int(node)]
            let isAlone = values.first == values.last
            var place = values.first
            while place >= 0 {
                enter(by: Int(place), at: node, isAlone, text, &scratch)
                place = scratch.occurrences[Int(place)].next
            }
        }
        for branch in unfiled { attempt(branch, text, &scratch) }
    }

    /// Whether some branch entered at a node may fit, as far as what they ask first tells: mostly the type of event, which
    /// is known long before a value is found among those of a hundred thousand rules.
    private func isOpen(_ node: Int32, _ text: Span<UInt8>, _ scratch: inout MatchScratch) -> Bool {
        let range = nodes[Int(node)].gates.range
        for gate in range where mayFit(gates[gate], text, &scratch) { return true }
        return range.isEmpty
    }

    /// Tries the branches that a value leads to.
    private func enter(
        by place: Int, at node: Int32, _ isAlone: Bool, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) {
        let atom = atom(of: place, at: node, text, &scratch)
        if atom >= 0 {
            let file = files[Int(atom)]
            if file.count == 1 {
                if file.other < 0 || mayFit(file.other, text, &scratch) {
                    attempt(file.start, isFirst: isAlone, text, &scratch)
                }
            } else {
                for branch in file.range { attempt(filed[branch], isFirst: isAlone, text, &scratch) }
            }
        }
        let index = nodes[Int(node)].index
        if index >= 0 { search(indexes[Int(index)], for: place, text, &scratch) }
    }

    /// Tries the branches that the keys of a value lead to.
    private func search(
        _ index: NodeIndex, for place: Int, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) {
        // Taken out while it is filled: the scratch lends its copies meanwhile.
        var found: [Int32] = []
        swap(&found, &scratch.found)
        found.removeAll(keepingCapacity: true)
        let value = scratch.occurrences[place]
        let range = Int(value.start)..<Int(value.end)
        switch value.kind {
        case .text where value.isCopy:
            index.find(text: scratch.copies.span.extracting(range), into: &found)
        case .text: index.find(text: text.extracting(range), into: &found)
        case .number: index.find(number: value.number, into: &found)
        case .yes, .no, .null: index.findAlways(into: &found)
        }
        for leaf in found where isMet(leaf, text, &scratch) {
            for branch in leaves[Int(leaf)].branches.range { attempt(filed[branch], text, &scratch) }
        }
        swap(&found, &scratch.found)
    }

    /// Tries a branch whose entry was met, once an event.
    private func attempt(
        _ branch: Int32, isFirst: Bool = false, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) {
        let (number, branch) = (Int(branch), branches[Int(branch)])
        if !(isFirst && branch.isEnteredOnce) {
            guard scratch.branches[number] != scratch.event else { return }
            scratch.branches[number] = scratch.event
        }
        if branch.other >= 0 {
            guard mayFit(branch.other, text, &scratch), fits(branch, text, &scratch) else { return }
        }
        if branch.rules.count == 1 { return scratch.hits.append(branch.rules.start) }
        for rule in branch.rules.range { scratch.hits.append(branchRules[rule]) }
    }

    private func fits(_ branch: PatternPlan.Branch, _ text: Span<UInt8>, _ scratch: inout MatchScratch) -> Bool {
        for place in branch.leaves.range {
            let leaf = branchLeaves[place]
            guard leaf == branch.entry || leaf == branch.other || mayFit(leaf, text, &scratch) else { return false }
        }
        return scratch.frames.count == 1 || isConsistent(branch, text, &scratch)
    }

    /// Whether a leaf is met; true, too, where that depends on the elements of lists.
    private func mayFit(_ leaf: Int32, _ text: Span<UInt8>, _ scratch: inout MatchScratch) -> Bool {
        let (node, allowsAbsence) = (leaves[Int(leaf)].node, leaves[Int(leaf)].allowsAbsence)
        guard scratch.values[Int(node)].event == scratch.event else { return allowsAbsence }
        return isMet(leaf, text, &scratch) || (scratch.frames.count > 1 && allowsAbsence)
    }

    /// Whether some value at the leaf's path meets it.
    private func isMet(_ leaf: Int32, _ text: Span<UInt8>, _ scratch: inout MatchScratch) -> Bool {
        let known = scratch.leaves[Int(leaf)]
        if known >> 2 == scratch.event { return known & 1 == 1 }
        let node = leaves[Int(leaf)].node
        var place = scratch.values[Int(node)].event == scratch.event ? scratch.values[Int(node)].first : -1
        var isMet = false
        while place >= 0, !isMet {
            isMet = meets(leaf, Int(place), text, &scratch)
            place = scratch.occurrences[Int(place)].next
        }
        scratch.leaves[Int(leaf)] = scratch.event << 2 | (isMet ? 1 : 0)
        return isMet
    }

    /// Whether a value meets a leaf of its path.
    func meets(_ leaf: Int32, _ place: Int, _ text: Span<UInt8>, _ scratch: inout MatchScratch) -> Bool {
        let leaf = leaves[Int(leaf)]
        let atom = atom(of: place, at: leaf.node, text, &scratch)
        let value = scratch.occurrences[place]
        let range = Int(value.start)..<Int(value.end)
        if value.isCopy {
            return code.meets(
                leaf.code.range, value.kind, scratch.copies.span.extracting(range), atom, value.number)
        }
        return code.meets(leaf.code.range, value.kind, text.extracting(range), atom, value.number)
    }

    /// The atom of a value; numbers are read on the way.
    private func atom(
        of place: Int, at node: Int32, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) -> Int32 {
        let value = scratch.occurrences[place]
        guard value.atom == -2 else { return value.atom }
        let range = Int(value.start)..<Int(value.end)
        let node = Int(node)
        let found: Int?
        switch value.kind {
        case .text where value.isCopy:
            found = atoms.find(AtomKind.text.tag(node), scratch.copies.span.extracting(range))
        case .text: found = atoms.find(AtomKind.text.tag(node), text.extracting(range))
        case .number: found = atom(ofNumber: place, at: node, text.extracting(range), &scratch)
        case .yes: found = atoms.find(AtomKind.yes.tag(node), Span())
        case .no: found = atoms.find(AtomKind.no.tag(node), Span())
        case .null: found = atoms.find(AtomKind.null.tag(node), Span())
        }
        let atom = Int32(found ?? -1)
        scratch.occurrences[place].atom = atom
        return atom
    }

    private func atom(
        ofNumber place: Int, at node: Int, _ spelling: Span<UInt8>, _ scratch: inout MatchScratch
    ) -> Int? {
        guard let number = ComparableNumber(spelling) else {
            scratch.occurrences[place].reading = .incomparable
            return atoms.find(AtomKind.spelling.tag(node), spelling)
        }
        scratch.occurrences[place].reading = .comparable
        scratch.occurrences[place].bits = number.bits
        return number.withBytes { atoms.find(AtomKind.number.tag(node), $0) }
    }
}

extension ComparableNumber {
    /// Its bits as bytes, the low ones first.
    func withBytes<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        let bytes: InlineArray<8, UInt8> = .init { UInt8(truncatingIfNeeded: bits >> UInt64(8 * $0)) }
        return body(bytes.span)
    }

    var bytes: [UInt8] { withBytes { Array(copying: $0) } }
}

/// What the outline of an event leads to.
enum EventAttribute: String, Sendable, CaseIterable {
    case id, source, type, workspace, subject, time, data
}
