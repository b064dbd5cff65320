// Patterns on their way into a matcher. What many rules say alike is kept once: a path is a node, a value to equal is an
// atom, the tests of a field are a leaf, and fields that stand together are a branch, with the rules that have it. So a
// condition that ten thousand rules share is tested once an event.
//
// Then each branch is filed under one of its leaves, its entry: the one that the fewest other branches would be filed
// under. An event only looks at branches whose entry it meets; their other leaves are tested when they are asked for.
// Rules of ten thousand workspaces that all want `job.failed` are so entered by their workspace, and the shared
// condition costs nothing until one of them is met. An entry is found by its atoms, or by its keys (`EntryKey.swift`)
// in the index of its node.

/// The tables of a matcher while they are made.
struct PatternPlan {
    /// A path some pattern names, or the beginning of one.
    struct Node: Sendable {
        /// A bit for each name below.
        var names: UInt64 = 0
        /// How many names stand below.
        var children: Int32 = 0
        /// Whether some pattern tests the values here.
        var isTested = false
        /// Whether branches are filed under values here.
        var hasEntries = false
        /// The index of the entries here that are found by keys; -1 when all are found by atoms.
        var index: Int32 = -1
        /// The leaves that the branches entered here ask first; empty when they are too many, or a branch has none.
        ///
        /// When none of them is met, no value here is looked up.
        var gates = Extent()
    }
    /// The tests of a field.
    struct Leaf: Sendable {
        var node: Int32
        /// Whether it is met when there is no value.
        var allowsAbsence: Bool
        var code = Extent()
        /// The branches that are entered here, when it is found by a key.
        var branches = Extent()
    }
    /// Fields that stand together.
    struct Branch: Sendable {
        var leaves = Extent()
        /// Where its rules stand; the rule itself when it is one.
        var rules = Extent()
        /// The leaf it is filed under; -1 when it has to be looked at for every event.
        var entry: Int32 = -1
        /// Another leaf, which is asked first; -1 when it has none.
        var other: Int32 = -1
        /// Whether no other value than one leads here.
        var isEnteredOnce = false
    }
    /// The branches filed under an atom.
    struct File: Sendable {
        /// Where they stand in `filed`; the branch itself when it is one.
        var start: Int32 = 0
        var count: Int32 = 0
        /// Of a single branch the leaf that is asked first: most events end here, without a look at the branch.
        var other: Int32 = -1
        var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
    }
    /// A part of a table.
    struct Extent: Sendable {
        var start: Int32 = 0
        var count: Int32 = 0
        var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
    }

    private(set) var nodes: [Node] = [Node()]
    /// (node, name) → node.
    private(set) var names = ByteTable()
    /// (node and kind of value, value) → atom.
    private(set) var atoms = ByteTable()
    private(set) var atomCount = 0
    private(set) var leaves: [Leaf] = []
    private(set) var code = TestCode()
    private(set) var branches: [Branch] = []
    /// The leaves of all branches.
    private(set) var branchLeaves: [Int32] = []
    private(set) var branchRules: [Int32] = []
    /// By atom.
    private(set) var files: [File] = []
    private(set) var filed: [Int32] = []
    private(set) var indexes: [NodeIndex] = []
    /// Branches without an entry.
    private(set) var unfiled: [Int32] = []
    /// The leaves that stand before the entries of nodes.
    private(set) var gates: [Int32] = []

    private var paths: [ByteText: Int32] = [:]
    private var leafNumbers: [LeafKey: Int32] = [:]
    /// By atom: the leaf that has this one test, as most rules of many tenants have; -1 when there is none.
    private var leavesOfAtoms: [Int32] = []
    /// The fields of the pattern being added, by what they are and not by what they say: `$or` repeats them.
    private var leavesOfFields: [ObjectIdentifier: Int32] = [:]
    /// Leaves, four bytes each → branch.
    private var branchNumbers = ByteTable()
    /// The leaves of a branch, and the same as bytes.
    private var found: [Int32] = []
    private var foundBytes: [UInt8] = []
    /// Which rule has which branch, in the order of the rules.
    private var ruleBranches: [(rule: Int32, branch: Int32)] = []
    /// By branch: the last rule that has it.
    private var lastRules: [Int32] = []
    /// By leaf: what finds it.
    private var ways: [EntryWays] = []
    /// The single values of all leaves.
    private var wayAtoms: [Int32] = []

    private struct LeafKey: Hashable {
        let node: Int32
        let tests: [ValueTest]
    }

    /// How many leaves may stand before the entries of a node.
    private static let mostGates = 8

    /// Makes the tables without a rule.
    init() {}

    /// Makes the tables of these rules.
    init(_ patterns: [(rule: Int, pattern: Pattern)]) {
        for (rule, pattern) in patterns { add(pattern, of: rule) }
        finish()
    }

    /// The bit of a name: most names that no pattern has differ in it, by their length or first byte.
    @inline(__always)
    static func bit(_ count: Int, _ first: UInt8) -> UInt64 {
        1 &<< UInt64(truncatingIfNeeded: count &* 5 &+ Int(first))
    }
}

// MARK: - Rules

extension PatternPlan {
    /// Adds a rule; rules come in rising order, and `finish` after the last.
    mutating func add(_ pattern: Pattern, of rule: Int) {
        let isRepeating = pattern.branches.count > 1
        for branch in pattern.branches {
            found.removeAll(keepingCapacity: true)
            for field in branch.fields { found.append(isRepeating ? knownLeaf(field) : leaf(field)) }
            add(branchOfFound(), of: Int32(rule))
        }
        // What a field is, is only known while its pattern lives.
        if isRepeating { leavesOfFields.removeAll(keepingCapacity: true) }
    }

    private mutating func add(_ branch: Int32, of rule: Int32) {
        guard lastRules[Int(branch)] != rule else { return }
        lastRules[Int(branch)] = rule
        ruleBranches.append((rule, branch))
    }

    /// The branch of the leaves that were found.
    private mutating func branchOfFound() -> Int32 {
        foundBytes.removeAll(keepingCapacity: true)
        for leaf in found {
            for shift in stride(from: 0, to: 32, by: 8) { foundBytes.append(UInt8(truncatingIfNeeded: leaf >> shift)) }
        }
        if let known = branchNumbers.find(0, foundBytes.span) { return Int32(known) }
        branchNumbers.insert(0, foundBytes, branches.count)
        branches.append(Branch(leaves: Extent(start: Int32(branchLeaves.count), count: Int32(found.count))))
        branchLeaves += found
        lastRules.append(-1)
        return Int32(branches.count - 1)
    }

    private mutating func knownLeaf(_ field: Pattern.Field) -> Int32 {
        if let known = leavesOfFields[ObjectIdentifier(field)] { return known }
        let leaf = leaf(field)
        leavesOfFields[ObjectIdentifier(field)] = leaf
        return leaf
    }

    private mutating func leaf(_ field: Pattern.Field) -> Int32 {
        let node = node(field.path)
        if field.tests.count == 1, let (kind, bytes) = field.tests[0].atom {
            let atom = Int(atom(kind, bytes, at: node))
            if leavesOfAtoms[atom] < 0 { leavesOfAtoms[atom] = newLeaf(field, node) { _ in Int32(atom) } }
            return leavesOfAtoms[atom]
        }
        let key = LeafKey(node: node, tests: field.tests)
        if let known = leafNumbers[key] { return known }
        var atoms: [ValueTest: Int32] = [:]
        for test in field.tests.flatMap(\.andInner) {
            if let (kind, bytes) = test.atom { atoms[test] = atom(kind, bytes, at: node) }
        }
        let leaf = newLeaf(field, node) { atoms[$0] }
        leafNumbers[key] = leaf
        return leaf
    }

    private mutating func newLeaf(_ field: Pattern.Field, _ node: Int32, _ atom: (ValueTest) -> Int32?) -> Int32 {
        nodes[Int(node)].isTested = true
        let start = code.words.count
        code.append(field.tests, atom)
        let firstAtom = wayAtoms.count
        for test in field.tests { if let atom = atom(test) { wayAtoms.append(atom) } }
        ways.append(
            EntryWays(
                node: node, atoms: Extent(start: Int32(firstAtom), count: Int32(wayAtoms.count - firstAtom)),
                keys: field.tests.compactMap(\.entry)))
        leaves.append(
            Leaf(
                node: node, allowsAbsence: field.tests.contains(.absent),
                code: Extent(start: Int32(start), count: Int32(code.words.count - start))))
        return Int32(leaves.count - 1)
    }

    private mutating func atom(_ kind: AtomKind, _ bytes: [UInt8], at node: Int32) -> Int32 {
        let tag = kind.tag(Int(node))
        if let known = atoms.find(tag, bytes.span) { return Int32(known) }
        atoms.insert(tag, bytes, atomCount)
        atomCount += 1
        leavesOfAtoms.append(-1)
        return Int32(atomCount - 1)
    }

    /// The node of a path; those on the way are made.
    private mutating func node(_ path: ByteText) -> Int32 {
        if let known = paths[path] { return known }
        var node: Int32 = 0
        var name: [UInt8] = []
        for byte in path.text.utf8 {
            if byte == UInt8(ascii: ".") {
                node = child(name, of: node)
                name.removeAll(keepingCapacity: true)
            } else {
                name.append(byte)
            }
        }
        node = child(name, of: node)
        paths[path] = node
        return node
    }

    private mutating func child(_ name: [UInt8], of node: Int32) -> Int32 {
        if let child = names.find(Int(node), name.span) { return Int32(child) }
        let child = Int32(nodes.count)
        nodes.append(Node())
        names.insert(Int(node), name, Int(child))
        nodes[Int(node)].children += 1
        nodes[Int(node)].names |= Self.bit(name.count, name.first ?? UInt8(ascii: "\""))
        return child
    }
}

// MARK: - Entries

extension PatternPlan {
    /// Completes the tables.
    mutating func finish() {
        gatherRules()
        chooseEntries()
        placeGates()
        fileUnderAtoms()
        fileUnderKeys()
        (leafNumbers, leavesOfAtoms, leavesOfFields, paths) = ([:], [], [:], [:])
        (branchNumbers, ruleBranches, lastRules, ways, wayAtoms) = (ByteTable(), [], [], [], [])
    }

    private mutating func gatherRules() {
        for (rule, branch) in ruleBranches {
            branches[Int(branch)].rules.start = rule
            branches[Int(branch)].rules.count += 1
        }
        for place in branches.indices where branches[place].rules.count > 1 {
            branches[place].rules.start = Int32(branchRules.count)
            branchRules += Array(repeating: 0, count: Int(branches[place].rules.count))
        }
        var filled = Array(repeating: Int32(0), count: branches.count)
        for (rule, branch) in ruleBranches where branches[Int(branch)].rules.count > 1 {
            branchRules[Int(branches[Int(branch)].rules.start + filled[Int(branch)])] = rule
            filled[Int(branch)] += 1
        }
    }

    /// Chooses for each branch the leaf under which the fewest branches would be filed if all chose it; of its others the
    /// one that most branches have is asked first, as its answer is mostly known by then.
    private mutating func chooseEntries() {
        let census = EntryCensus(ways, wayAtoms, atoms: atomCount, branchLeaves)
        let costs = leaves.indices.map { leaves[$0].allowsAbsence ? Int.max : census.cost(of: $0) }
        for place in branches.indices {
            var (entry, other): (Int32, Int32) = (-1, -1)
            for leaf in branchLeaves[branches[place].leaves.range] where costs[Int(leaf)] < .max {
                if entry < 0 || costs[Int(leaf)] < costs[Int(entry)] { entry = leaf }
            }
            for leaf in branchLeaves[branches[place].leaves.range] where leaf != entry {
                if other < 0 || census.branches(of: leaf) > census.branches(of: other) { other = leaf }
            }
            (branches[place].entry, branches[place].other) = (entry, other)
            guard entry >= 0 else {
                unfiled.append(Int32(place))
                continue
            }
            let ways = ways[Int(entry)]
            branches[place].isEnteredOnce = ways.atoms.count == 1 && ways.keys.isEmpty
            nodes[Int(ways.node)].hasEntries = true
        }
    }

    /// Puts before the entries of each node what the branches there ask first, where these are few.
    private mutating func placeGates() {
        var found: [Int32: [Int32]] = [:]
        var isOpen = Array(repeating: false, count: nodes.count)
        var last: (node: Int32, other: Int32) = (-1, -1)
        for branch in branches where branch.entry >= 0 {
            let node = ways[Int(branch.entry)].node
            if isOpen[Int(node)] || (node, branch.other) == last { continue }
            last = (node, branch.other)
            guard branch.other >= 0 else {
                isOpen[Int(node)] = true
                continue
            }
            if found[node]?.contains(branch.other) ?? false { continue }
            found[node, default: []].append(branch.other)
            isOpen[Int(node)] = found[node, default: []].count > Self.mostGates
        }
        for (node, leaves) in found where !isOpen[Int(node)] {
            nodes[Int(node)].gates = Extent(start: Int32(gates.count), count: Int32(leaves.count))
            gates += leaves
        }
    }

    private mutating func fileUnderAtoms() {
        files = Array(repeating: File(), count: atomCount)
        func each(_ body: (Int, Int32) -> Void) {
            for (place, branch) in branches.enumerated() where branch.entry >= 0 {
                for atom in wayAtoms[ways[Int(branch.entry)].atoms.range] { body(Int(atom), Int32(place)) }
            }
        }
        var counts = Array(repeating: Int32(0), count: atomCount)
        var (files, filed) = (files, filed)
        each { atom, branch in
            counts[atom] += 1
            files[atom] = File(start: branch, count: 1, other: branches[Int(branch)].other)
        }
        for atom in counts.indices where counts[atom] > 1 {
            files[atom] = File(start: Int32(filed.count), count: 0)
            filed += Array(repeating: 0, count: Int(counts[atom]))
        }
        each { atom, branch in
            guard counts[atom] > 1 else { return }
            filed[Int(files[atom].start + files[atom].count)] = branch
            files[atom].count += 1
        }
        (self.filed, self.files) = (filed, files)
    }

    /// Files branches under leaves that are found by keys, and these in the indexes of their nodes.
    private mutating func fileUnderKeys() {
        var byLeaf: [Int32: [Int32]] = [:]
        for (place, branch) in branches.enumerated() where branch.entry >= 0 {
            if !ways[Int(branch.entry)].keys.isEmpty { byLeaf[branch.entry, default: []].append(Int32(place)) }
        }
        var byNode: [Int32: [(key: EntryKey, leaf: Int32)]] = [:]
        for leaf in byLeaf.keys.sorted() {
            let (ways, entered) = (ways[Int(leaf)], byLeaf[leaf] ?? [])
            leaves[Int(leaf)].branches = Extent(start: Int32(filed.count), count: Int32(entered.count))
            filed += entered
            for key in Set(ways.keys) { byNode[ways.node, default: []].append((key, leaf)) }
        }
        for (node, entries) in byNode {
            nodes[Int(node)].index = Int32(indexes.count)
            indexes.append(NodeIndex(entries))
        }
    }
}

/// The kinds of values that are found by what they are.
enum AtomKind: Int {
    case text, number, spelling, yes, no, null

    /// Tells the atoms of one node from those of others.
    func tag(_ node: Int) -> Int { node << 3 | rawValue }
}

extension ValueTest {
    /// The test and those inside it.
    var andInner: [ValueTest] { if case .none(let inner) = self { inner + [self] } else { [self] } }

    /// What finds the value, if it is one value to equal.
    var atom: (AtomKind, [UInt8])? {
        switch self {
        case .text(let text): (.text, text.bytes)
        case .number(let number): (.number, number.bytes)
        case .spelling(let text): (.spelling, text.bytes)
        case .bool(let bool): (bool ? .yes : .no, [])
        case .null: (.null, [])
        default: nil
        }
    }
}
