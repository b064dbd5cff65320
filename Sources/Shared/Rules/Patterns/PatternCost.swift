// What a value can cost at worst. Values to equal, beginnings, ends, ranges and blocks cost a few steps each time they are
// asked; a wildcard may have to read the whole value. So a value's cost is its length times the wildcards that read it,
// and those are the ones whose text before the first `*` the value has. The cost of a field is the largest number of
// wildcards that one value can have to be read by: of those with one beginning, or beginnings that begin each other. It
// is counted when rules are checked, in one sort of the beginnings, and has a limit.

/// The wildcards of a field that one value can meet together.
struct PatternCost {
    /// How many wildcards one value may have to be read by, of all rules that an event's type selects.
    static let limit = 300

    /// The field's path.
    let path: String
    /// How many of its wildcards one value can have to be read by.
    let wildcards: Int

    /// Why it is too much.
    var reason: String {
        "one value can have to be read by \(wildcards) wildcards, the limit is \(Self.limit); let fewer begin alike, or use prefix and suffix"
    }

    /// The costliest field of these patterns; `nil` when none has a wildcard.
    static func worst(of patterns: some Sequence<Pattern>) -> PatternCost? {
        var beginnings: [ByteText: Set<Wildcard>] = [:]
        var known: Set<ObjectIdentifier> = []
        for field in patterns.lazy.flatMap(\.branches).flatMap(\.fields) {
            // `$or` puts one field into many branches.
            guard known.insert(ObjectIdentifier(field)).inserted else { continue }
            for case .wildcard(let wildcard) in field.tests.flatMap(\.andInner) where wildcard.holes > 0 {
                beginnings[field.path, default: []].insert(wildcard)
            }
        }
        return beginnings.map { path, wildcards in
            PatternCost(path: path.text, wildcards: overlapping(wildcards.map(\.pieces[0])))
        }
        .max { ($0.wildcards, $1.path) < ($1.wildcards, $0.path) }
    }

    /// How many of these texts can begin one text.
    private static func overlapping(_ beginnings: [[UInt8]]) -> Int {
        // In order, a text follows those that begin it: the open ones are always a chain.
        var open: [[UInt8]] = []
        var most = 0
        for text in beginnings.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            while let last = open.last, !text.starts(with: last) { open.removeLast() }
            open.append(text)
            most = max(most, open.count)
        }
        return most
    }
}
