import CarillonEvents
import CarillonLedger
import CarillonRules
import CarillonStream

// In: events with their workspace's rules. Out: the batch's decisions, ready for the ledger, and beside each delivery the
// plan that the dispatcher needs if the ledger leases it to us. Rules for every workspace are asked beside the workspace's
// own; what they select is one event all the same.
// The owner of an event is looked up among the contacts of the rule's workspace here, and nowhere else: no address ever
// comes out of an event. What one target is not told (an owner that nobody knows) is a suppression of its own.
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
        let place = reader.place(of: batch.partition)
        var decisions = Decisions(
            stream: place.stream, partition: place.partition, from: batch.expected, next: batch.next,
            revision: book.current.revision, bytes: batch.bytes)
        decisions.read = batch.read
        decisions.gap = batch.gap
        decisions.holes = batch.holes
        decisions.unmatched = decoded.unmatched + batch.dropped
        var matched = Matched(batch: batch, decisions: decisions)
        matched.mismatched = decoded.mismatched + batch.mismatched
        for poison in decoded.poison { matched.park(poison.record, poison.reason) }
        var room = lanes.plan(capacity, without: troubles.shut)
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
            workspace: event.rules?.workspace ?? JSON.string(outline.workspace, in: text) ?? "",
            silence: ignoresSilences ? nil : book.silences.holds(event.rules?.workspace, text, at: now, &scratch),
            silenceEverywhere: ignoresSilences ? nil : book.silences.holds(nil, text, at: now, &scratch))
        let first = matched.decisions.selections.count
        // The severest first: of those that would tell a person of the event it is the one that does.
        for severity in Severity.severestFirst {
            if let rules = event.rules {
                for rule in selected where rules.rules[rule].severity == severity {
                    select(rule, of: rules, chosen, at: now, &room, into: &matched)
                }
            }
            if let everywhere {
                for rule in selectedEverywhere where everywhere.rules[rule].severity == severity {
                    select(rule, of: everywhere, chosen, at: now, &room, into: &matched)
                }
            }
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
        let selection = Selecting(
            index: index, rule: rule, rules: rules, event: event, now: now, ignoresAge: ignoresAge)
        if let (reason, by) = selection.suppression(maxEventAge: ignoresAge ? nil : configuration.maxEventAge) {
            return matched.suppress(selection, reason, by: by)
        }
        let first = matched.decisions.deliveries.count
        let record = matched.batch.records[event.record]
        let resolves = rule.onlyResolves(
            type: event.outline, in: matched.batch.bytes.span.extracting(record.value.range))
        for target in rule.targets {
            if resolves, rules.endpoints[target]?.hasIncidents != true { continue }
            let reach = rules.reach(target)
            guard mayUse(reach?.channel.rawValue ?? rules.endpoints[target]?.kind, event, matched.batch) else {
                matched.suppress(selection, .channel, by: nil, target: target)
                continue
            }
            if selection.isTooLate(on: reach?.channel) {
                matched.suppress(selection, .expired, by: nil, target: target)
                continue
            }
            matched.deliver(selection, to: target, reach, isCharged: isCharged(target, rules), &room)
        }
        for channel in resolves ? [] : rule.ownerChannels {
            tellOwner(selection, on: channel, since: first, &room, into: &matched)
        }
        let deliveries = first..<matched.decisions.deliveries.count
        guard !deliveries.isEmpty else { return }
        matched.decisions.selections.append(
            Decisions.Selection(
                rule: rule.identity, of: selection.foreignWorkspace, suppressed: nil, deliveries: deliveries,
                window: resolves ? nil : rule.dedup.map { window($0, rule, of: rules, event, matched.batch) },
                threshold: resolves ? nil : rule.after.map { matched.count($0, selection) },
                group: rule.group.map { matched.join($0, selection) }))
    }

    /// Tells the contact that the event names as its owner, unless the rule does already.
    private func tellOwner(
        _ selection: Selecting, on channel: PeopleChannel, since first: Int, _ room: inout LaneRoom.Plan,
        into matched: inout Matched
    ) {
        let (rules, event) = (selection.rules, selection.event)
        let name = event.owner(in: matched.batch)
        guard let contact = name.flatMap({ rules.owner($0) }) else {
            return matched.suppress(selection, .noContact, by: name.map(Self.short), target: "\(channel)/$owner")
        }
        guard let reach = rules.reach("\(channel)/\(contact.name)") else {
            return matched.suppress(selection, .noAddress, by: contact.name, target: "\(channel)/\(contact.name)")
        }
        guard !matched.decisions.deliveries[first...].contains(where: { $0.target == reach.target }) else { return }
        guard mayUse(channel.rawValue, event, matched.batch) else {
            return matched.suppress(selection, .channel, by: nil, target: reach.target)
        }
        guard !selection.isTooLate(on: channel) else {
            return matched.suppress(selection, .expired, by: nil, target: reach.target)
        }
        matched.deliver(selection, to: reach.target, reach, isCharged: isCharged(reach.target, rules), &room)
    }

    /// Whether it has to be claimed, as only a claim charges quotas.
    private func isCharged(_ target: String, _ rules: WorkspaceRules) -> Bool {
        tariff.isCharged(target, of: rules.workspace)
    }

    /// A name out of an event, no longer than a list can show.
    private static func short(_ name: String) -> String {
        name.utf8.count <= 256 ? name : String(name.prefix(60)) + "…"
    }

    /// Whether the deployment lets this event use a channel.
    private func mayUse(_ channel: String?, _ event: Chosen, _ batch: RecordBatch) -> Bool {
        guard !configuration.offer.isFree, let channel else { return true }
        let text = batch.bytes.span.extracting(batch.records[event.record].value.range)
        return configuration.offer.allows(channel, type: event.facts.type, event.outline, in: text)
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
struct Chosen {
    let record: Int
    let outline: EventOutline
    let facts: Facts
    /// The event's own, whatever the rule's is.
    let workspace: String
    /// The silence that holds back the rules of its workspace, and the one for all rules.
    let silence, silenceEverywhere: SilenceID?

    /// What the event calls its owner.
    func owner(in batch: RecordBatch) -> String? {
        let text = batch.bytes.span.extracting(batch.records[record].value.range)
        return outline.data.flatMap { JSON.member("owner", of: $0, in: text) }.flatMap { JSON.string($0, in: text) }
    }
}

/// An event for one of the rules that selected it.
struct Selecting {
    let index: Int
    let rule: Rule
    let rules: WorkspaceRules
    let event: Chosen
    let now: Timestamp
    /// Whether what is too old is sent all the same.
    let ignoresAge: Bool

    var isEverywhere: Bool { rules.workspace == RuleBook.everywhereName }
    /// The rule's workspace, when it is not the event's.
    var foreignWorkspace: String? { isEverywhere ? rules.workspace : nil }

    /// Until when it is worth sending on a person's channel, or to an endpoint.
    func expires(on channel: PeopleChannel?) -> Timestamp { event.facts.time + rule.expireAfter(on: channel) }
    /// Whether it is too late for one channel and not for all.
    func isTooLate(on channel: PeopleChannel?) -> Bool { !ignoresAge && expires(on: channel) <= now }

    /// Why nothing is sent at all; `nil` when something may be.
    ///
    /// - Parameter maxEventAge: what is older is stale; `nil` when age does not matter.
    func suppression(maxEventAge: Duration?) -> (reason: Suppression, by: String?)? {
        if let maxEventAge {
            if event.facts.time + maxEventAge <= now { return (.stale, nil) }
            if isTooLate(on: nil) { return (.expired, nil) }
        }
        return (isEverywhere ? event.silenceEverywhere : event.silence).map { (.silence, "\($0)") }
    }

    /// What is kept in order; `nil` when the rule wants no order.
    ///
    /// Of a rule for every workspace too the subject is the event's workspace's: subjects of two workspaces have nothing
    /// to do with each other. What may break a person's quiet does not stand behind what waits for its end.
    func pair(_ target: String, breaksQuiet: Bool) -> Key? {
        guard rule.order != .none, let subject = event.facts.subject else { return nil }
        return Key.pair(
            workspace: event.workspace, target: breaksQuiet ? target + " critical" : target, subject: subject,
            isEverywhere: isEverywhere)
    }
}

extension Matched {
    fileprivate mutating func suppress(
        _ selection: Selecting, _ reason: Suppression, by: String?, target: String? = nil
    ) {
        let place = decisions.deliveries.count
        decisions.selections.append(
            Decisions.Selection(
                rule: selection.rule.identity, of: selection.foreignWorkspace, suppressed: reason, by: by,
                target: target, deliveries: place..<place))
    }

    /// Writes down a delivery; a person's waits until their quiet hours end, unless it is critical.
    fileprivate mutating func deliver(
        _ selection: Selecting, to target: String, _ reach: Reach?, isCharged: Bool, _ room: inout LaneRoom.Plan
    ) {
        let (event, rule) = (selection.event, selection.rule)
        let quietEnd = reach?.quietEnd(at: selection.now)
        let isCritical = rule.severity == .critical
        let wait = isCritical ? nil : quietEnd.map { Decisions.Wait(until: $0, reason: "quiet_hours") }
        decisions.deliveries.append(
            Decisions.Delivery(
                key: Key.delivery(
                    event: event.facts.key, rule: rule.identity, target: target, isEverywhere: selection.isEverywhere),
                target: target, pair: selection.pair(target, breaksQuiet: isCritical && quietEnd != nil),
                expires: selection.expires(on: reach?.channel),
                wanted: wait == nil && !isCharged && rule.group == nil && room.take(selection.rules.workspace, target),
                wait: wait, copy: rule.isPerRule ? nil : reach?.copy, supersedes: rule.order == .supersede))
        plans.append(
            Plan(
                record: event.record, outline: event.outline, rules: selection.rules, rule: selection.index,
                target: target))
    }
}

extension Severity {
    fileprivate static let severestFirst: [Severity] = [.critical, .warning, .info]
}

/// What the ledger writes down of a selected event.
struct Facts {
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
