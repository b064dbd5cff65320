import CarillonEvents
public import CarillonLedger
import CarillonRules
import CarillonStream

// In: selections that were suppressed because a silence held or the event was too old. Out: their deliveries, made by the
// same stages as all others, as events of their own beside the ones that were suppressed (see `Replayed`). Their identity is
// that of event and rule, so whoever runs this again, or beside another, sends nothing twice; the deliveries have the keys
// that they would have had at first.
// What is still suppressed for another reason stays so, and a target whose address another rule told is left out.

extension ReplayPath {
    /// What some of the held selections would come to, without deciding them.
    public func preview(_ held: [HeldPage.Row]) throws(LedgerError) -> Decided {
        var decided = Decided()
        for batch in try batches(of: held) { try decided.add(batch, births: nil, options.received, opens: opens) }
        return decided
    }

    /// Decides held selections, provided they were not yet.
    public func decide(_ held: [HeldPage.Row]) throws(LedgerError) -> Decided {
        var decided = Decided()
        for var batch in try batches(of: held) {
            while true {
                try batch.place(at: ledger.position(Replayed.stream, Replayed.partition) ?? 0)
                let made = try ledger.decide(batch.decisions, for: path.session.id, now: clock.now())
                // Else another replay was quicker, and the place is behind it now.
                guard case .done(let births, _, _) = made else { continue }
                try decided.add(batch, births: births, options.received)
                break
            }
        }
        return decided
    }

    /// What there is to decide, by the revision that does.
    private func batches(of held: [HeldPage.Row]) throws(LedgerError) -> [HeldBatch] {
        let held = try unsent(held)
        guard !held.isEmpty else { return [] }
        path.ignoresSilences = true
        defer { path.ignoresSilences = false }
        try path.book.refresh(from: ledger)
        let current = path.book.current.revision
        var batches: [HeldBatch] = []
        for (revision, rows) in Dictionary(
            grouping: held,
            by: { options.byRulesOfNow ? current : $0.event.batch?.revision ?? current }
        ).sorted(by: { $0.key < $1.key }) {
            let batch = try self.batch(of: rows, at: revision)
            if !batch.decisions.selections.isEmpty { batches.append(batch) }
        }
        return batches
    }

    /// Those that no replay has sent.
    private func unsent(_ held: [HeldPage.Row]) throws(LedgerError) -> [HeldPage.Row] {
        guard !held.isEmpty else { return [] }
        let sent = Set(try ledger.events(.keys(Set(held.map(\.key))), limit: .max).map(\.key))
        return held.filter { !sent.contains($0.key) }
    }

    private func batch(of rows: [HeldPage.Row], at revision: Revision) throws(LedgerError) -> HeldBatch {
        var records = RecordBatch(partition: Replayed.partition, expected: 0)
        var names: Set<String> = [RuleBook.everywhereName]
        var byEvent: [Key: [HeldPage.Row]] = [:]
        for row in rows {
            names.insert(row.workspace)
            if byEvent[row.event.key] == nil {
                records.add(
                    offset: Int64(records.records.count), appended: row.event.appended, key: [UInt8]().span,
                    type: [UInt8]().span, value: row.event.bytes.span)
            }
            byEvent[row.event.key, default: []].append(row)
        }
        var workspaces: [WorkspaceRules] = []
        for name in names {
            if let rules = try path.book.rules(of: name, at: revision, from: ledger) { workspaces.append(rules) }
        }
        let book = RuleBook(revision: revision, workspaces: workspaces)
        let matched = path.match(path.decode(records, wanted: book), at: clock.now())
        var batch = HeldBatch(revision: revision, bytes: matched.decisions.bytes)
        for event in matched.decisions.events {
            guard let rows = byEvent[event.key] else { continue }
            try add(event, rows, of: matched, to: &batch)
        }
        return batch
    }

    /// Adds what an event's held rules make of it now.
    private func add(
        _ event: Decisions.Event, _ rows: [HeldPage.Row], of matched: Matched, to batch: inout HeldBatch
    ) throws(LedgerError) {
        var reached = try addressesTold(of: event, rows, matched)
        for selection in matched.decisions.selections[event.selections] where selection.suppressed == nil {
            let workspace = selection.workspace ?? event.workspace
            guard let row = rows.first(where: { $0.rule == selection.rule && $0.workspace == workspace })
            else { continue }
            var deliveries: [Decisions.Delivery] = []
            for var delivery in matched.decisions.deliveries[selection.deliveries] {
                if let copy = delivery.copy, !reached.insert(copy).inserted { continue }
                delivery.wanted = false
                delivery.isReceived = try options.received?.has(delivery.key) ?? false
                delivery.expires = clock.now() + (delivery.expires - event.time)
                deliveries.append(delivery)
            }
            guard !deliveries.isEmpty || selection.deliveries.isEmpty else { continue }
            batch.add(row.key, event, selection, deliveries, of: matched.decisions)
        }
    }

    /// The addresses that rules which were not held have told of an event.
    private func addressesTold(
        of event: Decisions.Event, _ rows: [HeldPage.Row], _ matched: Matched
    ) throws(LedgerError) -> Set<String> {
        let others = matched.decisions.selections[event.selections].filter { selection in
            !rows.contains { $0.rule == selection.rule && $0.workspace == selection.workspace ?? event.workspace }
        }
        let deliveries = others.flatMap { matched.decisions.deliveries[$0.deliveries] }.filter { $0.copy != nil }
        guard !deliveries.isEmpty, let number = rows.first?.event.number else { return [] }
        var filter = DeliveryFilter(limit: 10_000)
        filter.event = number
        let told = Set(try ledger.deliveries(filter).map(\.key))
        return Set(deliveries.filter { told.contains($0.key.description) }.compactMap(\.copy))
    }
}

extension HeldPage.Row {
    /// Its identity when it is sent.
    fileprivate var key: Key { .replayed(event: event.key, workspace: workspace, rule: rule) }
}

/// Held selections that one revision decides, as a batch for the ledger.
private struct HeldBatch {
    private(set) var decisions: Decisions

    init(revision: Revision, bytes: [UInt8]) {
        decisions = Decisions(
            stream: Replayed.stream, partition: Replayed.partition, from: 0, next: 0, revision: revision, bytes: bytes)
        decisions.isByRulesOfThen = true
    }

    mutating func add(
        _ key: Key, _ event: Decisions.Event, _ selection: Decisions.Selection, _ deliveries: [Decisions.Delivery],
        of matched: Decisions
    ) {
        let (place, first) = (decisions.selections.count, decisions.deliveries.count)
        decisions.deliveries += deliveries
        var selection = selection
        selection.deliveries = first..<decisions.deliveries.count
        // What fell short of a threshold before is counted now, and what has a group joins it.
        selection.threshold = selection.threshold.map { place in
            decisions.thresholds.append(matched.thresholds[place])
            return decisions.thresholds.count - 1
        }
        selection.group = selection.group.map { place in
            decisions.groups.append(matched.groups[place])
            return decisions.groups.count - 1
        }
        decisions.selections.append(selection)
        var event = event
        (event.key, event.offset, event.selections) = (key, Int64(place), place..<place + 1)
        decisions.events.append(event)
    }

    /// Puts it where the last one ended.
    mutating func place(at position: Int64) {
        (decisions.from, decisions.next) = (position, position + Int64(decisions.events.count))
        decisions.read = decisions.events.count
        for place in decisions.events.indices { decisions.events[place].offset = position + Int64(place) }
    }
}

extension ReplayPath.Decided {
    /// Counts what was born; all of it when nothing was decided yet.
    fileprivate mutating func add(
        _ batch: HeldBatch, births: [Birth]?, _ received: (any ReceivedKeys)?,
        opens: (Decisions.Window?, Decisions.Event) -> Bool = { _, _ in true }
    ) throws(LedgerError) {
        for (event, selection) in zip(batch.decisions.events, batch.decisions.selections) {
            guard opens(selection.window, event) else { continue }
            if let births, selection.deliveries.contains(where: { births[$0] == .duplicate }) { continue }
            events += 1
            if selection.group != nil {
                grouped += 1
                continue
            }
            for place in selection.deliveries where births?[place] != .suppressed {
                let delivery = batch.decisions.deliveries[place]
                guard try !(received?.has(delivery.key) ?? false) else { continue }
                let target = ReplayTarget(workspace: selection.workspace ?? event.workspace, target: delivery.target)
                deliveries[target, default: 0] += 1
            }
        }
    }
}
