public import CarillonEvents

// `after: {count, within, by, distinct}`: how many events it takes before a rule says anything. Whether they came is the
// ledger's to decide, as only it sees all workers; here is what is asked for and what of an event counts.

/// A rule's wish to hear of events only when enough of them came together.
public struct Threshold: Sendable, Hashable {
    /// How many it may take.
    static let counts = 2...1000
    /// In how long a span they may have to come.
    static let span = Duration.seconds(1)...Duration.seconds(7 * 86_400)

    /// How many events, or how many values of `distinct`.
    public let count: Int
    /// In how long a span they have to come.
    public let within: Duration
    /// The fields that tell apart what is counted; none counts all events of the rule together.
    public let by: [EventPath]
    /// The field whose different values are counted; `nil` counts events.
    public let distinct: EventPath?
    /// What is asked for, as people read it.
    public let words: String

    /// Makes one from parts the caller has checked.
    public init(count: Int, within: Duration, by: [EventPath], distinct: EventPath?) {
        (self.count, self.within, self.by, self.distinct) = (count, within, by, distinct)
        words = "\(count)\(distinct.map { " different \($0.text)" } ?? "") within \(within.spelled)"
    }

    /// What an event that has been checked says in the fields that tell apart what is counted.
    public func values(in text: Span<UInt8>, _ outline: EventOutline) -> [(path: String, value: [UInt8])] {
        by.map { ($0.text, $0.canonical(in: text, outline)) }
    }

    /// The threshold as documents write it, in one line.
    var spelled: String {
        var words = "{count: \(count), within: \(within.spelled)"
        if !by.isEmpty { words += ", by: [\(by.map(\.text).joined(separator: ", "))]" }
        if let distinct { words += ", distinct: \(distinct.text)" }
        return words + "}"
    }
}

// MARK: - Reading

extension Threshold {
    private static let vocabulary = Vocabulary("a threshold", known: ["count", "within", "by", "distinct"])

    /// Reads the value of a rule's `after`; `nil` when something in it was reported.
    init?(_ tree: Tree, _ findings: inout Findings) {
        guard let fields = Fields(tree, Self.vocabulary, &findings) else { return nil }
        let count = fields.required("count", in: "a threshold", &findings).flatMap { Self.count($0, &findings) }
        let within = fields.required("within", in: "a threshold", &findings)?
            .duration("'within'", in: Self.span, &findings)
        let by = fields["by"].map { Dedup.paths($0, for: "one count in all", &findings) }
        let distinct = fields["distinct"].map { EventPath($0, &findings) }
        guard let count, let within, by != .some(nil), distinct != .some(nil) else { return nil }
        let paths = by.flatMap(\.self) ?? []
        if let path = distinct.flatMap(\.self), paths.contains(path) {
            findings.report(
                "'distinct' names '\(path.text.shortened)', which 'by' has too: there is never more than one; drop one of both",
                at: fields.place(of: "distinct"))
            return nil
        }
        self.init(count: count, within: within, by: paths, distinct: distinct.flatMap(\.self))
    }

    private static func count(_ tree: Tree, _ findings: inout Findings) -> Int? {
        guard let scalar = tree.scalar, case .number = scalar.meaning, let count = Int(scalar.text) else {
            let found = tree.scalar.map { "'\($0.text.shortened)'" } ?? tree.kind
            findings.report("'count' is a whole number, such as 3, not \(found)", at: tree.place)
            return nil
        }
        guard counts.contains(count) else {
            findings.report(
                count == 1
                    ? "'count' is 1, which every event reaches; leave 'after' out"
                    : "'count' is between \(counts.lowerBound) and \(counts.upperBound), not \(count)", at: tree.place)
            return nil
        }
        return count
    }
}
