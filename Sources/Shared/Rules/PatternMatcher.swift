import CarillonEvents

// The patterns of many rules, compiled into one trie of the paths they name. An event is walked once, and only along
// those paths. At each scalar one hash lookup of (path, value) gives the conditions it fulfils; rules whose values are
// others cost nothing. A fulfilled condition counts up its mapping in the pattern, a full mapping counts as a condition
// of the mapping around it, and a full outermost mapping is a rule that fits.
//
// Counting is per object of the event, so that of a list of objects one has to fit alone: each object walked gets a
// number (`visit`), and a counter that carries another number is zero. Nothing has to be cleared between objects or
// events.

/// Memory for matching, kept by whoever matches, so that an event costs no allocation. Not for two threads at once.
public struct MatchScratch: Sendable {
    /// By condition or mapping: the visit in which it was fulfilled.
    fileprivate var fulfilled: [UInt64] = []
    /// By mapping: the visit it counts in, and its count.
    fileprivate var counting: [UInt64] = []
    fileprivate var counts: [Int32] = []
    /// By path: the visit in which it was met. Of members with one name the first counts, as for templates.
    fileprivate var met: [UInt64] = []
    /// By depth: the visit of the object being walked.
    fileprivate var visits = Array(repeating: UInt64(0), count: FileLimit.depth + 2)
    fileprivate var lastVisit: UInt64 = 0
    fileprivate var number: [UInt8] = []

    /// Makes an empty one; it grows to what the largest workspace needs.
    public init() {}

    fileprivate mutating func fit(units: Int, paths: Int) {
        if met.count < paths { met += Array(repeating: 0, count: paths - met.count) }
        guard fulfilled.count < units else { return }
        let more = units - fulfilled.count
        fulfilled += Array(repeating: 0, count: more)
        counting += Array(repeating: 0, count: more)
        counts += Array(repeating: 0, count: more)
    }

    fileprivate mutating func enter(_ depth: Int) {
        lastVisit += 1
        visits[depth] = lastVisit
    }
}

/// The patterns of some rules, ready to be met by events.
struct PatternMatcher: Sendable {
    /// A path some pattern names.
    private struct Node: Sendable {
        /// Which lengths the keys below have, one bit each; the last for all longer ones.
        var lengths: UInt64 = 0
        var children = 0
        /// Whether some pattern compares the value here.
        var isTested = false
    }
    /// A condition of a pattern (a leaf) or one of its mappings.
    private struct Unit: Sendable {
        /// The mapping around it; -1 for the outermost.
        var parent: Int
        /// How many conditions a mapping holds.
        var need: Int32
        var rule: Int
    }
    private enum ValueKind: Int { case string, number, yes, no, null }

    private enum Attribute: String, CaseIterable, Sendable { case id, source, type, workspace, subject, time, data }

    private var nodes: [Node] = [Node()]
    private var units: [Unit] = []
    /// (node, key) → node.
    private var keys = ByteTable()
    /// (node and kind of value, canonical value) → list of conditions in `lists`, which are ranges of `conditions`.
    private var values = ByteTable()
    private var lists: [Range<Int>] = []
    private var conditions: [Int] = []
    /// The nodes below the root that the outline leads to; the root's own children are the rest.
    private var attributes: [(attribute: Attribute, node: Int)] = []

    /// Compiles the patterns of the rules with these numbers.
    init(_ patterns: [(rule: Int, pattern: Pattern)]) {
        var plan = Plan()
        for (rule, pattern) in patterns { add(pattern, of: rule, at: 0, in: -1, &plan) }
        for (key, found) in plan.lists {
            values.insert(key.tag, key.bytes, lists.count)
            lists.append(conditions.count..<conditions.count + found.count)
            conditions += found
        }
    }
}

// MARK: - Compiling

extension PatternMatcher {
    private struct ValueKey: Hashable {
        let tag: Int
        let bytes: [UInt8]
    }
    private struct NodeKey: Hashable {
        let node: Int
        let key: String
    }
    private struct Plan {
        var nodes: [NodeKey: Int] = [:]
        var lists: [ValueKey: [Int]] = [:]
    }

    private mutating func add(_ pattern: Pattern, of rule: Int, at node: Int, in parent: Int, _ plan: inout Plan) {
        let unit = units.count
        units.append(Unit(parent: parent, need: Int32(truncatingIfNeeded: pattern.fields.count), rule: rule))
        switch pattern {
        case .fields(let fields):
            for field in fields {
                add(field.pattern, of: rule, at: child(field.key, of: node, &plan), in: unit, &plan)
            }
        case .anyOf(let wanted):
            nodes[node].isTested = true
            for value in wanted { plan.lists[Self.key(of: value, at: node), default: []].append(unit) }
        }
    }

    private mutating func child(_ key: String, of node: Int, _ plan: inout Plan) -> Int {
        if let child = plan.nodes[NodeKey(node: node, key: key)] { return child }
        let child = nodes.count
        nodes.append(Node())
        plan.nodes[NodeKey(node: node, key: key)] = child
        if node == 0, let attribute = Attribute(rawValue: key) {
            attributes.append((attribute, child))
        } else {
            nodes[node].children += 1
            nodes[node].lengths |= Self.lengthBit(key.utf8.count)
            keys.insert(node, Array(key.utf8), child)
        }
        return child
    }

    private static func lengthBit(_ count: Int) -> UInt64 { 1 << UInt64(min(count, 63)) }

    private static func tag(_ node: Int, _ kind: ValueKind) -> Int { node << 3 | kind.rawValue }

    private static func key(of value: Pattern.Value, at node: Int) -> ValueKey {
        switch value {
        case .string(let text): ValueKey(tag: tag(node, .string), bytes: Array(text.utf8))
        case .number(let number): ValueKey(tag: tag(node, .number), bytes: number.bytes)
        case .bool(let bool): ValueKey(tag: tag(node, bool ? .yes : .no), bytes: [])
        case .null: ValueKey(tag: tag(node, .null), bytes: [])
        }
    }
}

// MARK: - Matching

extension PatternMatcher {
    /// Appends the numbers of the rules whose patterns the event fits, in no particular order, each once.
    func match(
        _ text: Span<UInt8>, _ outline: EventOutline, into hits: inout [Int], using scratch: inout MatchScratch
    ) {
        scratch.fit(units: units.count, paths: nodes.count)
        scratch.enter(0)
        for (attribute, node) in attributes {
            guard let value = Self.value(of: attribute, in: outline) else { continue }
            meet(value, of: text, at: node, depth: 0, &hits, &scratch)
        }
        if nodes[0].children > 0, let event = JSON.value(in: text, at: 0) {
            meetMembers(of: event, of: text, at: 0, depth: 0, &hits, &scratch)
        }
    }

    private static func value(of attribute: Attribute, in outline: EventOutline) -> Slice? {
        switch attribute {
        case .id: outline.id
        case .source: outline.source
        case .type: outline.type
        case .workspace: outline.workspace
        case .subject: outline.subject
        case .time: outline.time
        case .data: outline.data
        }
    }

    /// Meets the value of a path inside the object that is walked at `depth`.
    private func meet(
        _ value: Slice, of text: Span<UInt8>, at node: Int, depth: Int, _ hits: inout [Int], _ scratch: inout MatchScratch
    ) {
        switch JSON.kind(of: value, in: text) {
        case .object:
            guard nodes[node].children > 0 else { return }
            scratch.enter(depth + 1)
            meetMembers(of: value, of: text, at: node, depth: depth + 1, &hits, &scratch)
        case .array:
            JSON.elements(of: value, in: text) { element in
                meet(element, of: text, at: node, depth: depth, &hits, &scratch)
                return true
            }
        case .string, .number, .bool, .null:
            guard nodes[node].isTested, let list = list(for: value, of: text, at: node, &scratch) else { return }
            for i in lists[list] { fulfil(conditions[i], depth: depth, &hits, &scratch) }
        }
    }

    /// Meets the members of the object that is walked at `depth`; leaves when all named ones were there.
    private func meetMembers(
        of object: Slice, of text: Span<UInt8>, at node: Int, depth: Int, _ hits: inout [Int],
        _ scratch: inout MatchScratch
    ) {
        var left = nodes[node].children
        JSON.members(of: object, in: text) { key, value in
            guard let child = child(key, of: text, at: node), scratch.met[child] != scratch.visits[depth] else {
                return true
            }
            scratch.met[child] = scratch.visits[depth]
            meet(value, of: text, at: child, depth: depth, &hits, &scratch)
            left -= 1
            return left > 0
        }
    }

    private func child(_ key: Slice, of text: Span<UInt8>, at node: Int) -> Int? {
        if let plain = JSON.plain(key, in: text) {
            guard nodes[node].lengths & Self.lengthBit(plain.count) != 0 else { return nil }
            return keys.find(node, text.extracting(plain.range))
        }
        // Escaped keys are rare; they cost an allocation.
        return JSON.string(key, in: text).flatMap { keys.find(node, $0.utf8.span) }
    }

    /// The conditions that a scalar fulfils.
    private func list(
        for value: Slice, of text: Span<UInt8>, at node: Int, _ scratch: inout MatchScratch
    ) -> Int? {
        switch text[value.start] {
        case UInt8(ascii: "\""):
            if let plain = JSON.plain(value, in: text) {
                return values.find(Self.tag(node, .string), text.extracting(plain.range))
            }
            return JSON.string(value, in: text).flatMap { values.find(Self.tag(node, .string), $0.utf8.span) }
        case UInt8(ascii: "t"): return values.find(Self.tag(node, .yes), Span())
        case UInt8(ascii: "f"): return values.find(Self.tag(node, .no), Span())
        case UInt8(ascii: "n"): return values.find(Self.tag(node, .null), Span())
        default:
            scratch.number.removeAll(keepingCapacity: true)
            guard CanonicalNumber.append(text.extracting(value.range), to: &scratch.number) else { return nil }
            return values.find(Self.tag(node, .number), scratch.number.span)
        }
    }

    /// Counts a condition of the object walked at `depth`, and each mapping that it fills.
    private func fulfil(
        _ condition: Int, depth: Int, _ hits: inout [Int], _ scratch: inout MatchScratch
    ) {
        var (unit, depth) = (condition, depth)
        while true {
            let visit = scratch.visits[depth]
            guard scratch.fulfilled[unit] != visit else { return }
            scratch.fulfilled[unit] = visit
            let mapping = units[unit].parent
            if scratch.counting[mapping] != visit {
                scratch.counting[mapping] = visit
                scratch.counts[mapping] = 0
            }
            scratch.counts[mapping] += 1
            guard scratch.counts[mapping] == units[mapping].need else { return }
            if units[mapping].parent < 0 { return hits.append(units[mapping].rule) }
            (unit, depth) = (mapping, depth - 1)
        }
    }
}
