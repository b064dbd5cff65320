public import CarillonEvents

/// What a rule says to an event, and why.
public struct RuleAnswer: Sendable {
    /// Whether it selects the event; if not, the first thing that kept it from doing so.
    public enum Verdict: Sendable {
        /// It does. With the words of the condition's failure where the condition could not be judged and the rule says
        /// `on_error: send`.
        case selected(conditionFailure: String?)
        /// It is switched off.
        case disabled
        /// It wants other types.
        case type(expected: [String], found: String)
        /// It is about something else.
        case scope(PatternMiss)
        /// The event does not fit its pattern.
        case pattern(PatternMiss)
        /// Its scope fits and its pattern fits, but in different elements of a list.
        case apart
        /// Its condition is not true: the condition, and its value as text.
        case condition(String, value: String)
        /// Its condition could not be judged, and it says `on_error: skip`.
        case conditionFailed(String, error: String)
    }
    /// The rule.
    public let rule: Rule
    /// What it says.
    public let verdict: Verdict

    /// Whether it selects the event.
    public var isSelected: Bool { if case .selected = verdict { true } else { false } }
}

extension WorkspaceRules {
    /// What each rule says to an event, in the order of the documents.
    ///
    /// Whether a rule selects it is asked of the same matcher that decides; why not is found out afterwards, slowly.
    ///
    /// - Parameters:
    ///   - text: a CloudEvent that has been checked.
    ///   - outline: its outline.
    public func explain(_ text: Span<UInt8>, _ outline: EventOutline) -> [RuleAnswer] {
        var fitting: [Int] = []
        match(text, outline, into: &fitting)
        var selected = fitting
        let failures = judge(text, outline, &selected)
        return rules.indices.map { index in
            let failure = failures.first { $0.rule == index }
            let verdict: RuleAnswer.Verdict =
                if selected.contains(index) {
                    .selected(conditionFailure: failure.map { "\($0.error)" })
                } else if fitting.contains(index) {
                    rules[index].conditionVerdict(text, outline, failure)
                } else {
                    rules[index].miss(text, outline)
                }
            return RuleAnswer(rule: rules[index], verdict: verdict)
        }
    }
}

extension Rule {
    fileprivate func conditionVerdict(
        _ text: Span<UInt8>, _ outline: EventOutline, _ failure: ConditionFailure?
    ) -> RuleAnswer.Verdict {
        guard let condition else { return .selected(conditionFailure: nil) }
        if let failure { return .conditionFailed(condition.source, error: "\(failure.error)") }
        return .condition(condition.source, value: (try? condition.value(text, outline)) ?? "false")
    }

    /// Why it is not a candidate.
    fileprivate func miss(_ text: Span<UInt8>, _ outline: EventOutline) -> RuleAnswer.Verdict {
        guard enabled else { return .disabled }
        let type = JSON.string(outline.type, in: text) ?? ""
        guard events.contains(where: { $0.selects(type) }) else {
            return .type(expected: events.map(\.text), found: type)
        }
        if let miss = scopePattern?.miss(text) { return .scope(miss) }
        if let miss = pattern?.miss(text) { return .pattern(miss) }
        return .apart
    }
}
