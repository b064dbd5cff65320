import CarillonAnswers
import CarillonEvents
import CarillonLedger
import CarillonRules

// An answer a person reads in ten seconds: what was sent first, what was not and why below it, rules that never wanted such
// a type in one line.

extension Explanation {
    func lines(for question: ExplainQuestion) -> [String] {
        var lines: [String] = []
        if !isRuleKnown {
            lines.append("there is no rule \(printable(question.rule ?? "")); `carillon rules list` names them")
        }
        lines += events.flatMap { $0.lines + [""] }
        let shown = events.count, all = types.values.reduce(0, +)
        if all > shown { lines.append("\(all - shown) older events are left out; --limit shows more") }
        lines += absenceLines(question, all)
        while lines.last == "" { lines.removeLast() }
        return lines
    }

    private func absenceLines(_ question: ExplainQuestion, _ all: Int) -> [String] {
        let since = question.since.rfc3339
        let name: String
        switch question.about {
        case .subject(let subject): name = printable(subject)
        case .event(_, let id): name = printable(id)
        case .contact(let contact): return absences(for: printable(contact), since, all)
        case .delivery:
            return all > 0
                ? [] : ["there is no such delivery, or retention has removed it; `carillon deliveries list` names them"]
        }
        guard all > 0 else {
            return [
                "no event of \(name) reached the stream since \(since) (\(scanned) records looked at); "
                    + "--since looks further back"
            ]
        }
        guard case .subject = question.about else { return [] }
        let known = types.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map { "\(printable($0.key)) \($0.value)" }
        return absences.map { absence in
            "\(absence.rule): \(all) \(all == 1 ? "event" : "events") of \(name) reached the stream since \(since), none of type "
                + "\(absence.types.joined(separator: " or ")) (\(known.joined(separator: ", ")))"
        }
    }
}

extension Explanation {
    /// What a contact was not told of.
    private func absences(for contact: String, _ since: String, _ all: Int) -> [String] {
        var lines: [String] = []
        if all == 0 { lines.append("nothing was sent to \(contact) since \(since), and nothing kept from it alone") }
        guard !absences.isEmpty else { return lines }
        let rules = absences.map { "\($0.rule) (\($0.types.joined(separator: ", ")))" }
        return lines + ["\(contact) is told by other rules of other types: \(rules.joined(separator: ", "))"]
    }
}

extension EventAnswer {
    fileprivate var lines: [String] {
        var lines = [
            "\(printable(type))\(subject.map { " of \(printable($0))" } ?? "") in \(printable(workspace)), "
                + "\(appended.rfc3339), event \(printable(id)) from \(printable(source))"
        ]
        lines.append("  " + fateLine)
        let others = rules.filter { if case .type = $0.answer.verdict { true } else { false } }
        let told = rules.filter { if case .type = $0.answer.verdict { false } else { true } }
        for line in told.filter(\.answer.isSelected) { lines += line.lines(by: fate).map { "  " + $0 } }
        for line in told where !line.answer.isSelected { lines += line.lines(by: fate).map { "  " + $0 } }
        if !others.isEmpty {
            let names = others.prefix(5).map { "\($0.name) (\($0.expectedTypes))" }.joined(separator: ", ")
            let rest = others.count > 5 ? " and \(others.count - 5) more" : ""
            lines.append("  ✗ other types are wanted by \(names)\(rest)")
        }
        if rules.isEmpty, fate != .parked(reason: "") { lines.append("  the workspace has no such rule") }
        return lines
    }

    private var fateLine: String {
        let place = "partition \(partition), offset \(offset)"
        let by = batch.map { " by rule revision \($0.revision), decided about \($0.at.rfc3339)" } ?? ""
        return switch fate {
        case .matched where partition == Replayed.partition:
            "suppressed at first, which is kept no more, and sent by a replay"
        case .matched: partition < 0 ? "what a group says; its newest event is shown" : "selected\(by); \(place)"
        case .unmatched: "no rule selected it\(by); \(place)"
        case .duplicate(let first, let offset):
            "a duplicate: source and id are those of the event at partition \(first), offset \(offset); \(place)"
        case .parked(let reason): "parked, it is no event: \(printable(reason)); \(place)"
        case .unread: "no worker has read it yet; below is what the rules of now say; \(place)"
        case .undecided: "never decided; `carillon replay` does that; below is what the rules of now say; \(place)"
        }
    }
}

extension RuleLine {
    fileprivate var expectedTypes: String {
        guard case .type(let expected, _) = answer.verdict else { return "" }
        return expected.joined(separator: ", ")
    }

    fileprivate func lines(by fate: EventAnswer.Fate) -> [String] {
        let name = printable(self.name)
        guard answer.isSelected else { return ["✗ \(name): \(answer.words)"] }
        var lines = groups.map { "\($0.told == nil ? "…" : "✓") \(name): \($0.words)" }
        lines += deliveries.flatMap { Self.lines(name, $0.row, $0.attempts) }
        lines += suppressed.map { row in
            let target = row.target.map { " → \(printable($0))" } ?? ""
            let after = row.target == nil ? replayed.map { "; a replay sent it at \($0.rfc3339)" } ?? "" : ""
            return "– \(name)\(target): suppressed, \(SuppressionWords.words(row.reason, by: row.by))\(after)"
        }
        if lines.isEmpty { lines = [outcome(name, fate)] }
        if case .selected(let failure?) = answer.verdict {
            lines.append("    its condition could not be judged, and it says on_error: send: \(printable(failure))")
        }
        return lines
    }

    private func outcome(_ name: String, _ fate: EventAnswer.Fate) -> String {
        switch fate {
        case .unread, .undecided: "… \(name): would select it"
        case .duplicate: "– \(name): selected the event it is a duplicate of"
        case .matched: "– \(name): selected it; nothing of that is kept for what was asked, or retention has removed it"
        case .unmatched, .parked: "– \(name): selects it, but did not when it was decided"
        }
    }

    /// Why it is in its state.
    private static func words(_ row: DeliveryRow) -> String {
        switch (row.reason, row.state) {
        case (QuotaReason.quota, .pending): "quota: none was left; it waits for room"
        case (QuotaReason.quota, .withheld): "quota: none was left, and its ladder ends in suppress"
        case (QuotaReason.digest, .withheld): "digest: no quota was left; it is told together with others"
        case (QuotaReason.merged, .withheld):
            "already_sent: its quota was used up, and where it would go its person is told"
        default: printable(row.reason)
        }
    }

    private static func lines(_ name: String, _ row: DeliveryRow, _ attempts: [AttemptRow]) -> [String] {
        let mark = row.state == .delivered ? "✓" : row.state == .pending || row.state == .leased ? "…" : "–"
        var line = "\(mark) \(name) → \(printable(row.target)): \(row.state.rawValue)"
        if let at = row.settledAt { line += " at \(Timestamp(milliseconds: at).rfc3339)" }
        if let via = row.via { line += " as \(printable(via)), as its own quota was used up" }
        if !row.reason.isEmpty { line += " (\(words(row)))" }
        if row.attempts > 0 { line += ", \(row.attempts) failed \(row.attempts == 1 ? "try" : "tries")" }
        if let due = row.dueAt { line += ", next try \(Timestamp(milliseconds: due).rfc3339)" }
        if row.state == .pending, row.dueAt == nil { line += ", behind an earlier one of its subject" }
        return [line + "  [\(row.key)]"]
            + attempts.map { attempt in
                let status = attempt.status > 0 ? " (HTTP \(attempt.status))" : ""
                let words = attempt.words.isEmpty ? "" : ": \(printable(attempt.words))"
                return "    try \(attempt.number) at \(Timestamp(milliseconds: attempt.at).rfc3339): "
                    + "\(attempt.reason)\(status)\(words)"
            }
    }
}

/// Why a selected event sends nothing, in the same words everywhere.
enum SuppressionWords {
    static func words(_ reason: String, by: String?) -> String {
        let by = by.map { printable($0) }
        return switch reason {
        case "stale": "stale: it was older than delivery.max_event_age when it was decided"
        case "expired": "expired: the rule's expire_after had passed when it was decided"
        case "after": "after: \(by ?? "fewer than the rule asks for")"
        case "dedup": "dedup: an earlier event of the window was sent\(by.map { ", as delivery \($0)" } ?? "")"
        case "silence": "silence\(by.map { " \($0)" } ?? "") held; `carillon silence list` shows it"
        case "already_sent": "already_sent: \(by.map { "rule \($0)" } ?? "another rule") told the same person"
        case "channel": "channel: the deployment does not let this event use it"
        case "no_contact": "no_contact: \(by.map { "the owner \($0) is no contact" } ?? "the event names no owner")"
        case "no_address": "no_address: \(by ?? "the contact") has no address on the channel"
        default: printable(reason) + (by.map { " (\($0))" } ?? "")
        }
    }
}

extension Membership {
    /// Which group it is, and what it said of the event.
    fileprivate var words: String {
        if let digestOf { return words(ofDigestFor: printable(digestOf)) }
        let group = "joined the group \(printable(name)) (opened \(opened.rfc3339), \(total) events so far)"
        guard let told else {
            return group + (due.map { ", which speaks next at \($0.rfc3339)" } ?? "; nothing of that is kept")
        }
        return group + ", told in its message \(told.number), of \(told.size) \(told.size == 1 ? "event" : "events")"
    }
}

extension Membership {
    private func words(ofDigestFor target: String) -> String {
        let events = "\(total) \(total == 1 ? "event" : "events")"
        guard told == nil else { return "\(target): told by a digest of \(events) since \(opened.rfc3339)" }
        let digest = "\(target): in a digest (opened \(opened.rfc3339), \(events) so far)"
        return digest + (due.map { ", which is told when there is room, at \($0.rfc3339) at the earliest" } ?? "")
    }
}

extension RuleAnswer {
    /// Why it does not select the event.
    var words: String {
        switch verdict {
        case .selected: "selected"
        case .disabled: "disabled"
        case .type(let expected, let found):
            "type: wants \(expected.joined(separator: ", ")), found \(printable(found))"
        case .scope(let miss): "scope: \(miss.words)"
        case .pattern(let miss): "pattern: \(miss.words)"
        case .apart: "pattern: its fields and the scope fit in different elements of a list"
        case .condition(let source, let value): "condition: \(printable(source)) is \(printable(value))"
        case .conditionFailed(let source, let error):
            "condition: \(printable(source)) could not be judged, and on_error is skip: \(printable(error))"
        }
    }
}

extension PatternMiss {
    fileprivate var words: String {
        let found = found.isEmpty ? "nothing" : found.map { printable($0) }.joined(separator: ", ")
        let apart = isApart ? ", which fits, but in another element of a list than the fields before" : ""
        let branches = branches > 1 ? " (the nearest of \(branches) combinations of $or)" : ""
        return "\(printable(path)) is \(found)\(apart), expected \(printable(expected, limit: 400))\(branches)"
    }
}
