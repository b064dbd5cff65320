import CarillonEvents
import CarillonRules

/// Tries the conditions of rules on real events, for `rules check --events`.
///
/// An event reaches the condition of a rule that it fits by workspace, type, scope and pattern.
struct ConditionTrial {
    /// What became of one condition.
    private struct Tally {
        var reached = 0
        var held = 0
        var failed = 0
        /// Where it failed first, and why.
        var first: (place: String, why: String)?
    }

    private let book: RuleBook
    /// By workspace, then by rule.
    private var tallies: [String: [Tally]] = [:]
    private var lines = EventLines()
    private var scratch = MatchScratch()

    init(_ workspaces: [WorkspaceRules]) {
        book = RuleBook(revision: 0, workspaces: workspaces)
        for rules in workspaces {
            tallies[rules.workspace] = Array(repeating: Tally(), count: rules.rules.count)
        }
    }

    /// Whether a condition failed or a line was no event.
    var hasProblems: Bool { lines.bad > 0 || tallies.values.contains { $0.contains { $0.failed > 0 } } }

    /// Judges every event of a file; bad lines are reported.
    mutating func judge(_ file: String) throws {
        var lines = lines
        let name = file == "-" ? "stdin" : file
        try lines.read(file, longest: CloudEvents.maxBytes) { (text, line) throws(EventError) in
            try judge(text, at: "\(name):\(line)")
        }
        self.lines = lines
    }

    private mutating func judge(_ text: Span<UInt8>, at place: @autoclosure () -> String) throws(EventError) {
        let outline = try CloudEvents.outline(text)
        let own = JSON.string(outline.workspace, in: text).flatMap { book.rules(of: $0.utf8.span) }
        for rules in [own, book.everywhere] {
            if let rules { judge(text, outline, by: rules, at: place()) }
        }
    }

    private mutating func judge(
        _ text: Span<UInt8>, _ outline: EventOutline, by rules: WorkspaceRules, at place: @autoclosure () -> String
    ) {
        let workspace = rules.workspace
        var hits: [Int] = []
        rules.match(text, outline, into: &hits, using: &scratch)
        hits.removeAll { rules.rules[$0].condition == nil }
        for rule in hits { tallies[workspace]?[rule].reached += 1 }
        let failures = rules.judge(text, outline, &hits)
        for rule in hits where !failures.contains(where: { $0.rule == rule }) { tallies[workspace]?[rule].held += 1 }
        for failure in failures { note(failure, in: workspace, at: place()) }
    }

    private mutating func note(_ failure: ConditionFailure, in workspace: String, at place: String) {
        guard var tally = tallies[workspace]?[failure.rule] else { return }
        tally.failed += 1
        if tally.first == nil { tally.first = (place, failure.error.description) }
        tallies[workspace]?[failure.rule] = tally
    }

    /// Says of each condition how many of the events that reached it it is true of, and reports those that failed.
    func report() {
        for rules in (book.workspaces + [book.everywhere].compactMap(\.self)).sorted(by: { $0.workspace < $1.workspace }
        ) {
            for (rule, tally) in zip(rules.rules, tallies[rules.workspace] ?? []) where rule.condition != nil {
                let name = printable("\(rules.workspace) \(rule.name)")
                Console.out("\(name): condition true of \(tally.held) of \(tally.reached) events")
                guard let (place, why) = tally.first else { continue }
                Console.error(
                    "\(printable(rule.file)):\(rule.line): rule '\(printable(rule.name))': its condition fails on "
                        + "\(tally.failed) of \(tally.reached) events, first on \(printable(place)): "
                        + "\(printable(why, limit: 1000)) (on_error: \(rule.onError.rawValue))")
            }
        }
    }
}
