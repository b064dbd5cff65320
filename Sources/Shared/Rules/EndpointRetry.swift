// When an endpoint's failed deliveries are tried again, as its document says: by a name that others have made known, or in the
// words of `delivery.retry`.

/// A retry schedule that a document may name.
public enum RetryName: String, Sendable, CaseIterable {
    case backoff = "BACKOFF_RETRY"
    case exponentialDecay = "EXPONENTIAL_DECAY_RETRY"
    case standardWebhooks = "STANDARD_WEBHOOKS"
}

/// What a document says of an endpoint's retries.
public enum EndpointRetry: Sendable, Hashable {
    /// A schedule known by its name.
    case named(RetryName)
    /// A schedule of its own.
    case own(RetrySpans)
}

/// A schedule of a document's own; what it leaves out is the deployment's.
public struct RetrySpans: Sendable, Hashable {
    /// The span after the first failure, the widest one, and when a delivery is given up.
    public var first, max, giveUpAfter: Duration?
    /// How much wider each next span is.
    public var factor: Double?

    /// Leaves out everything.
    public init() {}
}

enum EndpointRetryReading {
    private static let span = Duration.seconds(1) ... .seconds(86_400)
    /// Longer than the ledger keeps what is over would not be a promise.
    private static let round = Duration.seconds(1) ... .seconds(7 * 86_400)
    private static let factor = 1.0...100.0

    /// `nil` when something was reported.
    static func retry(_ tree: Tree, _ findings: inout Findings) -> EndpointRetry? {
        guard case .mapping = tree.content else {
            return tree.word("'retry'", as: RetryName.self, &findings).map(EndpointRetry.named)
        }
        let words = Vocabulary("a retry schedule", known: ["first", "factor", "max", "give_up_after"])
        guard let fields = Fields(tree, words, &findings) else { return nil }
        var spans = RetrySpans()
        let before = findings.problems.count
        spans.first = fields["first"].flatMap { $0.duration("'first'", in: span, &findings) }
        spans.max = fields["max"].flatMap { $0.duration("'max'", in: span, &findings) }
        spans.giveUpAfter = fields["give_up_after"].flatMap { $0.duration("'give_up_after'", in: round, &findings) }
        spans.factor = fields["factor"].flatMap { factor($0, &findings) }
        if let first = spans.first, let max = spans.max, first > max {
            findings.report("'first' (\(first.spelled)) exceeds 'max' (\(max.spelled))", at: fields.place(of: "first"))
        }
        return findings.problems.count == before ? .own(spans) : nil
    }

    private static func factor(_ tree: Tree, _ findings: inout Findings) -> Double? {
        guard let text = tree.text("'factor'", &findings) else { return nil }
        guard let number = Double(text), factor.contains(number) else {
            findings.report("'factor' is a number from 1 to 100, not '\(text.shortened)'", at: tree.place)
            return nil
        }
        return number
    }
}
