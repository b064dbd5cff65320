import CarillonEvents
import CarillonLedger
import CarillonRules
import CarillonStream

extension Matched {
    /// Notes the group that an event joins for a rule, and says where.
    mutating func join(_ grouping: Grouping, _ selection: Selecting) -> Int {
        let group = group(grouping, selection)
        decisions.groups.append(group)
        return decisions.groups.count - 1
    }

    private func group(_ grouping: Grouping, _ selection: Selecting) -> Decisions.Group {
        let text = batch.bytes.span.extracting(batch.records[selection.event.record].value.range)
        let values = grouping.values(in: text, selection.event.outline)
        return Decisions.Group(
            key: .group(workspace: selection.rules.workspace, rule: selection.rule.identity, values: values),
            name: Grouping.name(of: values), wait: grouping.wait, every: grouping.every,
            life: selection.rule.expireAfter, isOrdered: selection.rule.order != .none,
            isFailure: selection.event.facts.type.hasSuffix(".failed"))
    }
}
