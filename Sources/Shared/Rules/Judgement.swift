public import CarillonEvents

/// A condition that could not be judged of an event.
public struct ConditionFailure: Sendable, Hashable {
    /// The rule's index in its workspace's rules.
    public let rule: Int
    /// Whether the rule selects the event all the same.
    public let onError: OnError
    /// What went wrong, with its place in the condition.
    public let error: TemplateError
}

extension WorkspaceRules {
    /// Keeps of the rules that fit an event by type, scope and pattern those whose condition is true of it.
    ///
    /// A condition that fails keeps its rule where the rule says `on_error: send`. Allocates nothing for rules without a
    /// condition.
    ///
    /// - Parameters:
    ///   - text: a CloudEvent that has been checked.
    ///   - outline: its outline.
    ///   - hits: indices into `rules`, as `match` gives them.
    ///   - start: where those of this event begin.
    /// - Returns: the conditions that failed, to be counted.
    public func judge(
        _ text: Span<UInt8>, _ outline: EventOutline, _ hits: inout [Int], from start: Int = 0
    ) -> [ConditionFailure] {
        var failures: [ConditionFailure] = []
        var kept = start
        for place in start..<hits.count {
            let rule = hits[place]
            var isSelected = true
            if let condition = rules[rule].condition, !onlyResolves(rules[rule], text, outline) {
                do throws(TemplateError) {
                    isSelected = try condition.holds(text, outline)
                } catch {
                    let onError = rules[rule].onError
                    isSelected = onError == .send
                    failures.append(ConditionFailure(rule: rule, onError: onError, error: error))
                }
            }
            if isSelected {
                hits[kept] = rule
                kept += 1
            }
        }
        hits.removeLast(hits.count - kept)
        return failures
    }

    /// Whether the rule is asked only whether its incident is over: how bad things are is not asked then.
    private func onlyResolves(_ rule: Rule, _ text: Span<UInt8>, _ outline: EventOutline) -> Bool {
        guard rule.incident != nil else { return false }
        return rule.onlyResolves(type: outline, in: text)
    }
}
