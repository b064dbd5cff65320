import CarillonEvents

// The patterns of many rules, compiled into one trie of the paths they name. An event is walked once, and only along
// those paths. At each scalar one hash lookup of (path, value) gives the conditions it fulfils; rules whose values are
// others cost nothing. A fulfilled condition counts up its mapping in the pattern, a full mapping counts as a condition
// of the mapping around it, and a full outermost mapping is a rule that fits.
//
// Counting is per object of the event, so that of a list of objects one has to fit alone: each object walked gets a
// number (`visit`), and a counter that carries another number is zero. Nothing has to be cleared between objects or
// events.

/// Memory for matching, kept by whoever matches, so that an event costs no allocation.
///
/// Not for two threads at once.
public struct MatchScratch: Sendable {
    /// By condition or mapping: the visit in which it was fulfilled.
    fileprivate var fulfilled: [UInt64] = []
    /// By mapping: the visit it counts in, and its count.
    fileprivate var counting: [UInt64] = []
    fileprivate var counts: [Int32] = []
    /// By path: the visit in which it was met.
    ///
    /// Of members with one name the first counts, as for templates.
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
///
/// A class, so that to meet it costs one reference and not one for each of its tables.
final class PatternMatcher: Sendable {
    private typealias Plan = PatternPlan

    private let nodes: [PatternPlan.Node]
    private let units: [PatternPlan.Unit]
    /// (node, key) → node.
    private let keys: ByteTable
    /// (node and kind of value, canonical value) → list of conditions in `lists`, which are ranges of `conditions`.
    private let values: ByteTable
    private let lists: [Range<Int>]
    private let conditions: [Int]
    /// The nodes below the root that the outline leads to; the root's own children are the rest.
    private let attributes: [(attribute: PatternPlan.Attribute, node: Int)]

    /// Compiles the patterns of the rules with these numbers.
    init(_ patterns: [(rule: Int, pattern: Pattern)]) {
        var plan = PatternPlan()
        for (rule, pattern) in patterns { plan.add(pattern, of: rule) }
        var (values, lists, conditions) = (ByteTable(), [Range<Int>](), [Int]())
        for (key, found) in plan.lists {
            values.insert(key.tag, key.bytes, lists.count)
            lists.append(conditions.count..<conditions.count + found.count)
            conditions += found
        }
        (self.values, self.lists, self.conditions) = (values, lists, conditions)
        (nodes, units, keys, attributes) = (plan.nodes, plan.units, plan.keys, plan.attributes)
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

    private static func value(of attribute: PatternPlan.Attribute, in outline: EventOutline) -> Slice? {
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
        _ value: Slice, of text: Span<UInt8>, at node: Int, depth: Int, _ hits: inout [Int],
        _ scratch: inout MatchScratch
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
            guard nodes[node].lengths & Plan.lengthBit(plain.count) != 0 else { return nil }
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
                return values.find(Plan.tag(node, .string), text.extracting(plain.range))
            }
            return JSON.string(value, in: text).flatMap { values.find(Plan.tag(node, .string), $0.utf8.span) }
        case UInt8(ascii: "t"): return values.find(Plan.tag(node, .yes), Span())
        case UInt8(ascii: "f"): return values.find(Plan.tag(node, .no), Span())
        case UInt8(ascii: "n"): return values.find(Plan.tag(node, .null), Span())
        default:
            scratch.number.removeAll(keepingCapacity: true)
            guard CanonicalNumber.append(text.extracting(value.range), to: &scratch.number) else { return nil }
            return values.find(Plan.tag(node, .number), scratch.number.span)
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
