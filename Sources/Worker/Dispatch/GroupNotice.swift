import CarillonEvents
import CarillonLedger
import CarillonRules

// What a message says of many events: how many they are, then some of them, each as the rule says it of one. A title or a
// message that speaks of `group` or `events` itself is rendered once, over the newest event, and nothing is added to it.

extension Notice {
    /// The longest line that one event gets.
    private static let line = 512

    /// What a rule says about what was claimed; the same whenever it is asked.
    convenience init?(_ claimed: Claimed, _ rule: Rule, _ links: Links?) {
        guard let group = claimed.group else {
            guard let outline = try? CloudEvents.outline(claimed.event.span) else { return nil }
            self.init(claimed.key, rule, claimed.event, outline, links)
            return
        }
        guard let (text, outline) = Self.extended(claimed.event, NoticeGroup(group)) else { return nil }
        let bytes = claimed.event.span
        func string(_ raw: Slice?) -> String? { raw.flatMap { JSON.string($0, in: bytes) } }
        self.init(
            key: claimed.key, workspace: string(outline.workspace) ?? "", rule: rule.name,
            severity: rule.severity.rawValue, type: string(outline.type) ?? "", subject: string(outline.subject),
            time: string(outline.time) ?? "", title: Self.title(group, rule, text, outline),
            message: Self.message(group, rule, text, outline), event: claimed.event[...],
            traceparent: string(outline.traceparent), group: NoticeGroup(group), links: links)
    }

    /// The newest event with `group` and `events` behind its attributes, whose places are those they had.
    private static func extended(_ event: [UInt8], _ group: NoticeGroup) -> (text: [UInt8], outline: EventOutline)? {
        guard let outline = try? CloudEvents.outline(event.span) else { return nil }
        var text = event
        while let last = text.last, last != UInt8(ascii: "}") { text.removeLast() }
        guard text.popLast() != nil else { return nil }
        group.append(to: &text)
        text.append(UInt8(ascii: "}"))
        return (text, outline)
    }

    private static func title(
        _ group: ClaimedGroup, _ rule: Rule, _ text: [UInt8], _ outline: EventOutline
    ) -> String {
        let said = rule.title(for: text.span, outline)
        guard group.size > 1, rule.title?.speaksOfGroup != true else { return said }
        return rule.title == nil ? "\(group.name): \(group.size) events" : "\(said) (\(group.size) events)"
    }

    private static func message(
        _ group: ClaimedGroup, _ rule: Rule, _ text: [UInt8], _ outline: EventOutline
    ) -> String {
        let isOwn = rule.message?.speaksOfGroup == true
        if isOwn || group.size == 1, group.total == 1 || isOwn { return rule.message(for: text.span, outline) }
        var lines = [totals(of: group)]
        var listed: Int64 = 0
        let list = group.events.span
        if let root = JSON.value(in: list, at: 0) {
            JSON.elements(of: root, in: list) { element in
                let event = Array(group.events[element.range])
                guard let outline = try? CloudEvents.outline(event.span) else { return true }
                lines.append(
                    "- " + rule.message(for: event.span, outline).onOneLine.shortened(bytes: Self.line))
                listed += 1
                return true
            }
        }
        if listed < group.size { lines.append("and \(group.size - listed) more") }
        return lines.joined(separator: "\n")
    }

    private static func totals(of group: ClaimedGroup) -> String {
        var words = "\(group.name): \(group.size) \(group.size == 1 ? "event" : "events") since \(group.since.rfc3339)"
        if group.failed > 0 { words += ", \(group.failed) failed" }
        if group.suppressed > 0 { words += ", \(group.suppressed) more kept out by dedup" }
        if group.total > group.size { words += "; \(group.total) in all" }
        return words
    }
}

extension Template {
    /// Whether it says itself what there is to say of a group.
    fileprivate var speaksOfGroup: Bool { source.contains("group") || source.contains("events") }
}
