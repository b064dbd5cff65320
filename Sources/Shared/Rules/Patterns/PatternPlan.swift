// Patterns on their way into a matcher. What many rules say alike is kept once: a path is a node, a value to equal is an
// atom, the tests of a field are a leaf, and fields that stand together are a branch, with the rules that have it. So a
// condition that ten thousand rules share is tested once an event.
//
// Then each branch is filed under one of its leaves, its entry: the one that the fewest other branches would be filed
// under. An event only looks at branches whose entry it meets; their other leaves are tested when they are asked for.
// Rules of ten thousand workspaces that all want `job.failed` are so entered by their workspace, and the shared
// condition costs nothing until one of them is met.

/// The tables of a matcher while they are made.
struct PatternPlan {
    /// A path some pattern names, or the beginning of one.
    struct Node: Sendable {
        /// Which lengths the names below have, one bit each; the last for all longer ones.
        var lengths: UInt64 = 0
        /// How many names stand below.
        var children: Int32 = 0
        /// Whether some pattern tests the values here.
        var isTested = false
        /// Whether branches are filed under values here.
        var hasEntries = false
        /// Leaves that are tried with every value here, as no table leads to them.
        var tried = Extent()
    }
    /// The tests of a field.
    struct Leaf: Sendable {
        var node: Int32
        /// Whether it is met when there is no value.
        var allowsAbsence: Bool
        var code = Extent()
        /// The branches that are entered here, when it is tried.
        var branches = Extent()
    }
    /// Fields that stand together.
    struct Branch: Sendable {
        var leaves = Extent()
        var rules = Extent()
        /// The leaf it is filed under; -1 when it has to be looked at for every event.
        var entry: Int32 = -1
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
    /// By atom: the branches filed under it, as extents of `filed`.
    private(set) var files: [Extent] = []
    private(set) var filed: [Int32] = []
    private(set) var tried: [Int32] = []
    /// Branches without an entry.
    private(set) var unfiled: [Int32] = []

    private var paths: [ByteText: Int32] = [:]
    private var leafNumbers: [LeafKey: Int32] = [:]
    private var branchNumbers: [[Int32]: Int32] = [:]
    private var rulesOfBranches: [[Int32]] = []
    /// By leaf: the atoms it has, and whether it has nothing else.
    private var leafAtoms: [(atoms: [Int32], only: Bool)] = []

    private struct LeafKey: Hashable {
        let node: Int32
        let tests: [ValueTest]
    }

    /// Makes the tables of these rules.
    init(_ patterns: [(rule: Int, pattern: Pattern)]) {
        for (rule, pattern) in patterns { add(pattern, of: Int32(rule)) }
        finish()
    }

    static func lengthBit(_ count: Int) -> UInt64 { 1 << UInt64(min(count, 63)) }
}

// MARK: - Rules

extension PatternPlan {
    private mutating func add(_ pattern: Pattern, of rule: Int32) {
        for branch in pattern.branches {
            let leaves = branch.fields.map { leaf($0) }
            if let known = branchNumbers[leaves] {
                if rulesOfBranches[Int(known)].last != rule { rulesOfBranches[Int(known)].append(rule) }
                continue
            }
            branchNumbers[leaves] = Int32(branches.count)
            branches.append(Branch(leaves: Extent(start: Int32(branchLeaves.count), count: Int32(leaves.count))))
            branchLeaves += leaves
            rulesOfBranches.append([rule])
        }
    }

    private mutating func leaf(_ field: Pattern.Field) -> Int32 {
        let node = node(field.path)
        let key = LeafKey(node: node, tests: field.tests)
        if let known = leafNumbers[key] { return known }
        nodes[Int(node)].isTested = true
        let number = Int32(leaves.count)
        leafNumbers[key] = number
        let start = code.words.count
        var known: [ValueTest: Int32] = [:]
        for test in field.tests.flatMap(\.andInner) {
            if let (kind, bytes) = test.atom { known[test] = atom(kind, bytes, at: node) }
        }
        code.append(field.tests) { known[$0] }
        let found = field.tests.compactMap { known[$0] }
        let isOnly = found.count == field.tests.count
        leafAtoms.append((found, isOnly))
        leaves.append(
            Leaf(
                node: node, allowsAbsence: field.tests.contains(.absent),
                code: Extent(start: Int32(start), count: Int32(code.words.count - start))))
        return number
    }

    private mutating func atom(_ kind: AtomKind, _ bytes: [UInt8], at node: Int32) -> Int32 {
        let tag = kind.tag(Int(node))
        if let known = atoms.find(tag, bytes.span) { return Int32(known) }
        atoms.insert(tag, bytes, atomCount)
        atomCount += 1
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
        nodes[Int(node)].lengths |= Self.lengthBit(name.count)
        return child
    }
}

// MARK: - Entries

extension PatternPlan {
    private mutating func finish() {
        for place in branches.indices {
            branches[place].rules = Extent(
                start: Int32(branchRules.count), count: Int32(rulesOfBranches[place].count))
            branchRules += rulesOfBranches[place]
        }
        chooseEntries()
        fileUnderAtoms()
        fileUnderLeaves()
        (leafNumbers, branchNumbers, paths, rulesOfBranches, leafAtoms) = ([:], [:], [:], [], [])
    }

    /// Chooses for each branch the leaf under which the fewest branches would be filed if all chose it.
    private mutating func chooseEntries() {
        var useOfAtoms = Array(repeating: 0, count: atomCount)
        var useOfLeaves = Array(repeating: 0, count: leaves.count)
        for leaf in branchLeaves {
            useOfLeaves[Int(leaf)] += 1
            for atom in leafAtoms[Int(leaf)].atoms { useOfAtoms[Int(atom)] += 1 }
        }
        for place in branches.indices {
            var best = Int.max
            for leaf in branchLeaves[branches[place].leaves.range] where !leaves[Int(leaf)].allowsAbsence {
                let (atoms, isOnly) = leafAtoms[Int(leaf)]
                // What is tried costs every event that has the field, so it has to be much rarer to be chosen.
                let cost =
                    isOnly
                    ? (atoms.lazy.map { useOfAtoms[Int($0)] }.max() ?? 0) + atoms.count / 8
                    : 1_000_000 + useOfLeaves[Int(leaf)]
                if cost < best { (best, branches[place].entry) = (cost, leaf) }
            }
        }
    }

    private mutating func fileUnderAtoms() {
        files = Array(repeating: Extent(), count: atomCount)
        func each(_ body: (Int, Int32) -> Void) {
            for (place, branch) in branches.enumerated() where branch.entry >= 0 {
                let (atoms, isOnly) = leafAtoms[Int(branch.entry)]
                if isOnly { for atom in atoms { body(Int(atom), Int32(place)) } }
            }
        }
        var counts = Array(repeating: Int32(0), count: atomCount)
        each { atom, _ in counts[atom] += 1 }
        var start: Int32 = 0
        for atom in counts.indices {
            files[atom] = Extent(start: start, count: 0)
            start += counts[atom]
        }
        var (filed, files) = (Array(repeating: Int32(0), count: Int(start)), files)
        each { atom, branch in
            filed[Int(files[atom].start + files[atom].count)] = branch
            files[atom].count += 1
        }
        (self.filed, self.files) = (filed, files)
        for branch in branches where branch.entry >= 0 { nodes[Int(leaves[Int(branch.entry)].node)].hasEntries = true }
    }

    /// Files branches under leaves that have to be tried, and leaves under nodes.
    private mutating func fileUnderLeaves() {
        var byLeaf: [Int32: [Int32]] = [:]
        var byNode: [Int32: [Int32]] = [:]
        for (place, branch) in branches.enumerated() {
            guard branch.entry >= 0 else {
                unfiled.append(Int32(place))
                continue
            }
            guard !leafAtoms[Int(branch.entry)].only else { continue }
            if byLeaf[branch.entry] == nil { byNode[leaves[Int(branch.entry)].node, default: []].append(branch.entry) }
            byLeaf[branch.entry, default: []].append(Int32(place))
        }
        for (leaf, branches) in byLeaf {
            leaves[Int(leaf)].branches = Extent(start: Int32(filed.count), count: Int32(branches.count))
            filed += branches
        }
        for (node, leaves) in byNode {
            nodes[Int(node)].tried = Extent(start: Int32(tried.count), count: Int32(leaves.count))
            tried += leaves
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
