/// The tables of a matcher while they are made.
struct PatternPlan {
    /// A path some pattern names.
    struct Node: Sendable {
        /// Which lengths the keys below have, one bit each; the last for all longer ones.
        var lengths: UInt64 = 0
        var children = 0
        /// Whether some pattern compares the value here.
        var isTested = false
    }
    /// A condition of a pattern (a leaf) or one of its mappings.
    struct Unit: Sendable {
        /// The mapping around it; -1 for the outermost.
        var parent: Int
        /// How many conditions a mapping holds.
        var need: Int32
        var rule: Int
    }
    enum ValueKind: Int { case string, number, yes, no, null }
    /// What the outline of an event leads to.
    enum Attribute: String, Sendable { case id, source, type, workspace, subject, time, data }

    private(set) var nodes: [Node] = [Node()]
    private(set) var units: [Unit] = []
    /// (node, key) → node.
    private(set) var keys = ByteTable()
    /// The nodes below the root that the outline leads to; the root's own children are the rest.
    private(set) var attributes: [(attribute: Attribute, node: Int)] = []
    /// (node and kind of value, canonical value) → conditions.
    private(set) var lists: [ValueKey: [Int]] = [:]
    private var paths: [Path: Int] = [:]

    struct ValueKey: Hashable {
        let tag: Int
        let bytes: [UInt8]
    }
    private struct Path: Hashable {
        let node: Int
        let key: String
    }

    /// Adds a rule's pattern.
    mutating func add(_ pattern: Pattern, of rule: Int, at node: Int = 0, in parent: Int = -1) {
        let unit = units.count
        units.append(Unit(parent: parent, need: Int32(truncatingIfNeeded: pattern.fields.count), rule: rule))
        switch pattern {
        case .fields(let fields):
            for field in fields { add(field.pattern, of: rule, at: child(field.key, of: node), in: unit) }
        case .anyOf(let wanted):
            nodes[node].isTested = true
            for value in wanted { lists[Self.key(of: value, at: node), default: []].append(unit) }
        }
    }

    private mutating func child(_ key: String, of node: Int) -> Int {
        if let child = paths[Path(node: node, key: key)] { return child }
        let child = nodes.count
        nodes.append(Node())
        paths[Path(node: node, key: key)] = child
        if node == 0, let attribute = Attribute(rawValue: key) {
            attributes.append((attribute, child))
        } else {
            nodes[node].children += 1
            nodes[node].lengths |= Self.lengthBit(key.utf8.count)
            keys.insert(node, Array(key.utf8), child)
        }
        return child
    }

    static func lengthBit(_ count: Int) -> UInt64 { 1 << UInt64(min(count, 63)) }

    static func tag(_ node: Int, _ kind: ValueKind) -> Int { node << 3 | kind.rawValue }

    private static func key(of value: Pattern.Value, at node: Int) -> ValueKey {
        switch value {
        case .string(let text): ValueKey(tag: tag(node, .string), bytes: Array(text.utf8))
        case .number(let number): ValueKey(tag: tag(node, .number), bytes: number.bytes)
        case .bool(let bool): ValueKey(tag: tag(node, bool ? .yes : .no), bytes: [])
        case .null: ValueKey(tag: tag(node, .null), bytes: [])
        }
    }
}
