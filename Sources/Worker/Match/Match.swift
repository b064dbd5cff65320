import CarillonEvents
import CarillonLedger
import CarillonRules
import CarillonStream

// In: events with their workspace's rules. Out: the batch's decisions, ready for the ledger, and beside each delivery the
// plan that the dispatcher needs if the ledger leases it to us. Rules for every workspace are asked beside the workspace's
// own; what they select is one event all the same.
// Pure but for the room in memory that it asks for. What can go wrong: a record of a stream that checks what it takes is
// no event all the same. It is parked with its reason; rules were checked when they were applied.

/// A batch's decisions, not yet made.
struct Matched {
    /// What a delivery of `decisions.deliveries` at the same index was made from.
    struct Plan {
        let record: Int
        let outline: EventOutline
        let rules: WorkspaceRules
        let rule: Int
        let target: String
    }
    let batch: RecordBatch
    var decisions: Decisions
    fileprivate(set) var plans: [Plan] = []
    /// Events whose partitionkey names another workspace.
    fileprivate(set) var mismatched = 0
    /// Conditions that could not be judged, by what their rules say then.
    fileprivate(set) var failedConditions: [OnError: Int] = [:]
}

extension Matched {
    fileprivate mutating func park(_ record: Int, _ reason: String) {
        let record = batch.records[record]
        decisions.parked.append(
            Decisions.Parked(offset: record.offset, reason: reason, value: record.value.range))
    }
}

extension Path {
    /// Finds the rules that select each event and writes down what follows.
    func match(_ decoded: Decoded, at now: Timestamp) -> Matched {
        let batch = decoded.batch
        var decisions = Decisions(
            stream: reader.name, partition: batch.partition, from: batch.expected, next: batch.next,
            revision: book.current.revision, bytes: batch.bytes)
        decisions.read = batch.records.count
        decisions.gap = batch.gap
        decisions.unmatched = decoded.unmatched
        var matched = Matched(batch: batch, decisions: decisions)
        matched.mismatched = decoded.mismatched
        for poison in decoded.poison { matched.park(poison.record, poison.reason) }
        var room = lanes.plan(capacity)
        for event in decoded.events { match(event, of: decoded, at: now, &room, into: &matched) }
        return matched
    }

    private func match(
        _ event: Decoded.Event, of decoded: Decoded, at now: Timestamp, _ room: inout LaneRoom.Plan,
        into matched: inout Matched
    ) {
        let (batch, everywhere) = (decoded.batch, decoded.everywhere)
        let record = batch.records[event.record]
        let text = batch.bytes.span.extracting(record.value.range)
        selected.removeAll(keepingCapacity: true)
        selectedEverywhere.removeAll(keepingCapacity: true)
        let found: EventOutline?
        do throws(EventError) {
            found = try candidates(for: event, of: decoded, &matched.mismatched)
        } catch {
            return matched.park(event.record, error.description)
        }
        guard let outline = found else {
            matched.decisions.unmatched += 1
            return
        }
        var failures = event.rules?.judge(text, outline, &selected) ?? []
        if let everywhere { failures += everywhere.judge(text, outline, &selectedEverywhere) }
        for failure in failures { matched.failedConditions[failure.onError, default: 0] += 1 }
        guard !selected.isEmpty || !selectedEverywhere.isEmpty else {
            matched.decisions.unmatched += 1
            return
        }
        let facts = Facts(of: outline, in: text, appended: record.appended)
        let chosen = Chosen(
            record: event.record, outline: outline, facts: facts,
            workspace: event.rules?.workspace ?? JSON.string(outline.workspace, in: text) ?? "")
        let first = matched.decisions.selections.count
        if let rules = event.rules {
            for rule in selected { select(rule, of: rules, chosen, at: now, &room, into: &matched) }
        }
        if let everywhere {
            for rule in selectedEverywhere { select(rule, of: everywhere, chosen, at: now, &room, into: &matched) }
        }
        matched.decisions.events.append(
            Decisions.Event(
                key: facts.key, workspace: chosen.workspace, type: facts.type, subject: facts.subject,
                time: facts.time, appended: record.appended, offset: record.offset, value: record.value.range,
                selections: first..<matched.decisions.selections.count))
    }

    /// Finds the rules whose patterns fit, and the event's outline when there are any.
    private func candidates(
        for event: Decoded.Event, of decoded: Decoded, _ mismatched: inout Int
    ) throws(EventError) -> EventOutline? {
        let record = decoded.batch.records[event.record]
        let bytes = decoded.batch.bytes.span
        let text = bytes.extracting(record.value.range)
        switch event.reading {
        case .outline(let place):
            let outline = decoded.outlines[place]
            event.rules?.match(text, outline, into: &selected, using: &scratch)
            decoded.everywhere?.match(text, outline, into: &selectedEverywhere, using: &scratch)
            return selected.isEmpty && selectedEverywhere.isEmpty ? nil : outline
        case .type(let own, let everywhere):
            let type = bytes.extracting(record.type.range)
            if let own { event.rules?.match(text, type: type, own, into: &selected, using: &scratch) }
            if let everywhere {
                decoded.everywhere?.match(text, type: type, everywhere, into: &selectedEverywhere, using: &scratch)
            }
            guard !selected.isEmpty || !selectedEverywhere.isEmpty else { return nil }
            let outline = try CloudEvents.outline(text)
            if CloudEvents.workspaceMismatch(outline, in: text) { mismatched += 1 }
            return outline
        }
    }

    private func select(
        _ index: Int, of rules: WorkspaceRules, _ event: Chosen, at now: Timestamp, _ room: inout LaneRoom.Plan,
        into matched: inout Matched
    ) {
        let rule = rules.rules[index]
        let (facts, isEverywhere) = (event.facts, rules.workspace == RuleBook.everywhereName)
        let first = matched.decisions.deliveries.count
        let expires = facts.time + rule.expireAfter
        let suppressed: Suppression? =
            ignoresAge
            ? nil
            : facts.time + configuration.maxEventAge <= now ? .stale : expires <= now ? .expired : nil
        for target in rule.targets where suppressed == nil {
            // Also of a rule for every workspace: subjects of two workspaces have nothing to do with each other.
            let pair =
                rule.order == .none
                ? nil
                : facts.subject.map { subject in
                    Key.pair(
                        workspace: event.workspace, target: target, subject: subject, isEverywhere: isEverywhere)
                }
            matched.decisions.deliveries.append(
                Decisions.Delivery(
                    key: Key.delivery(
                        event: facts.key, rule: rule.identity, target: target, isEverywhere: isEverywhere),
                    target: target, pair: pair, expires: expires, wanted: room.take(rules.workspace, target)))
            matched.plans.append(
                Matched.Plan(record: event.record, outline: event.outline, rules: rules, rule: index, target: target))
        }
        let window = suppressed == nil ? rule.dedup.map { self.window($0, rule, of: rules, event, matched.batch) } : nil
        matched.decisions.selections.append(
            Decisions.Selection(
                rule: rule.identity, of: isEverywhere ? rules.workspace : nil, suppressed: suppressed,
                deliveries: first..<matched.decisions.deliveries.count, window: window))
    }

    private func window(
        _ dedup: Dedup, _ rule: Rule, of rules: WorkspaceRules, _ event: Chosen, _ batch: RecordBatch
    ) -> Decisions.Window {
        let text = batch.bytes.span.extracting(batch.records[event.record].value.range)
        let values = dedup.values(in: text, event.outline)
        return Decisions.Window(
            key: .window(workspace: rules.workspace, rule: rule.identity, values: values), length: dedup.within)
    }
}

/// An event that some rule selected.
private struct Chosen {
    let record: Int
    let outline: EventOutline
    let facts: Facts
    /// The event's own, whatever the rule's is.
    let workspace: String
}

/// What the ledger writes down of a selected event.
private struct Facts {
    let key: Key
    let type: String
    let subject: String?
    /// The event's own time, but never later than the stream had it.
    let time: Timestamp

    init(of outline: EventOutline, in text: Span<UInt8>, appended: Timestamp) {
        key = Key.event(outline, in: text)
        type = JSON.string(outline.type, in: text) ?? ""
        subject = outline.subject.flatMap { JSON.string($0, in: text) }
        let stated = outline.time.flatMap { raw in
            JSON.plain(raw, in: text).flatMap { Timestamp(rfc3339: text.extracting($0.range)) }
        }
        time = min(stated ?? appended, appended)
    }
}

extension Key {
    /// The identity of the event with these attributes, whatever way its JSON spells them.
    static func event(_ outline: EventOutline, in text: Span<UInt8>) -> Key {
        if let workspace = JSON.plain(outline.workspace, in: text), let source = JSON.plain(outline.source, in: text),
            let id = JSON.plain(outline.id, in: text)
        {
            return Key.event(
                workspace: text.extracting(workspace.range), source: text.extracting(source.range),
                id: text.extracting(id.range))
        }
        func plain(_ raw: Slice) -> [UInt8] { Array((JSON.string(raw, in: text) ?? "").utf8) }
        let parts = (plain(outline.workspace), plain(outline.source), plain(outline.id))
        return Key.event(workspace: parts.0.span, source: parts.1.span, id: parts.2.span)
    }
}
