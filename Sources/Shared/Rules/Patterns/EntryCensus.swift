/// What finds a leaf.
struct EntryWays {
    let node: Int32
    /// Its single values, in the table of all.
    let atoms: PatternPlan.Extent
    /// What finds its other tests.
    let keys: [EntryKey]
}

/// How many branches would be entered together if all were filed under each of their leaves.
struct EntryCensus {
    private let ways: [EntryWays]
    private let wayAtoms: [Int32]
    private var ofAtoms: [Int]
    private var ofLeaves: [Int]
    private var ofTexts: [TextOfNode: Int] = [:]
    /// By node: the ends of the ranges that are its keys, each in order.
    private var ranges: [Int32: (lows: [UInt64], highs: [UInt64])] = [:]

    private struct TextOfNode: Hashable {
        let node: Int32
        let key: EntryKey
    }

    /// A search in an index costs more than finding an atom, and this many branches tried.
    private static let search = 16
    /// What is asked of every value costs every event that has the field, so it has to be much rarer to be chosen.
    private static let always = 1_000_000

    /// Counts the leaves of branches.
    init(_ ways: [EntryWays], _ wayAtoms: [Int32], atoms: Int, _ branchLeaves: [Int32]) {
        (self.ways, self.wayAtoms) = (ways, wayAtoms)
        ofAtoms = Array(repeating: 0, count: atoms)
        ofLeaves = Array(repeating: 0, count: ways.count)
        for leaf in branchLeaves { ofLeaves[Int(leaf)] += 1 }
        for (leaf, ways) in ways.enumerated() {
            for atom in wayAtoms[ways.atoms.range] { ofAtoms[Int(atom)] += ofLeaves[leaf] }
            for key in ways.keys {
                if case .numbers(let low, let high) = key {
                    ranges[ways.node, default: ([], [])].lows.append(low)
                    ranges[ways.node, default: ([], [])].highs.append(high)
                } else {
                    ofTexts[TextOfNode(node: ways.node, key: key), default: 0] += ofLeaves[leaf]
                }
            }
        }
        for node in ranges.keys {
            ranges[node]?.lows.sort()
            ranges[node]?.highs.sort()
        }
    }

    /// How many branches have this leaf.
    func branches(of leaf: Int32) -> Int { ofLeaves[Int(leaf)] }

    /// How many branches may be tried for one value when it is met through this leaf, and a little for finding it.
    func cost(of leaf: Int) -> Int {
        let ways = ways[leaf]
        var cost = wayAtoms[ways.atoms.range].reduce(0) { max($0, ofAtoms[Int($1)]) } + Int(ways.atoms.count) / 8
        for key in ways.keys { cost = max(cost, self.cost(of: key, ways.node, leaf)) }
        return cost
    }

    private func cost(of key: EntryKey, _ node: Int32, _ leaf: Int) -> Int {
        switch key {
        case .any: Self.always + ofLeaves[leaf]
        case .numbers(let low, let high): Self.search + ofLeaves[leaf] + overlapping(low, high, node)
        case .text(let text, _) where text.isEmpty: Self.always / 2 + ofLeaves[leaf]
        case .text, .block: Self.search + ofTexts[TextOfNode(node: node, key: key), default: 0]
        }
    }

    /// How many ranges of a node have a number in common with this one, itself included.
    private func overlapping(_ low: UInt64, _ high: UInt64, _ node: Int32) -> Int {
        guard let (lows, highs) = ranges[node] else { return 0 }
        return lows.places(upTo: high) - (low == 0 ? 0 : highs.places(upTo: low - 1))
    }
}

extension [UInt64] {
    /// How many of the sorted numbers are not above one.
    fileprivate func places(upTo most: UInt64) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] <= most { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
