import CarillonEvents
import CarillonLedger
import CarillonRules

// Messages that tell contacts what was withheld. The claim that withholds the first of a window writes a notice; when it
// is due, whichever worker finds it decides an event of Carillon's own, with one delivery, in a stream that only workers
// write. From then on it is a delivery like any other. Dying anywhere in between leaves the notice to the next look, and
// the event's key makes one message of it.

extension Path {
    private static let noticeStream = "carillon/withheld"
    private static let mostNotices = 100

    /// Decides the messages that are due.
    func tellOfWithheld() throws(LedgerError) {
        guard tariff.isNeeded else { return }
        let now = clock.now()
        let notices = try ledger.untoldNotices(limit: Self.mostNotices, now: now)
        guard !notices.isEmpty else { return }
        let from = try ledger.position(Self.noticeStream, 0) ?? 0
        var batch = Decisions(
            stream: Self.noticeStream, partition: 0, from: from, next: from, revision: book.current.revision, bytes: [])
        for notice in notices { add(notice, to: &batch, at: now) }
        if batch.next > from {
            switch try ledger.decide(batch, for: session.id, now: now) {
            case .rulesMoved: return try refreshBook()
            // Another worker told of them at this moment.
            case .moved: return
            case .done: hasWaiting = true
            }
        }
        try ledger.told(notices)
    }

    /// A contact that is no more, or has lost the address, is told nothing.
    private func add(_ notice: QuotaNotice, to batch: inout Decisions, at now: Timestamp) {
        guard let reach = book.current.rules(of: notice.workspace)?.reach(notice.target) else { return }
        let start = batch.bytes.count
        batch.bytes += notice.event(of: reach.contact.name, at: now)
        guard let outline = try? CloudEvents.outline(batch.bytes.span.extracting(start..<batch.bytes.count)) else {
            return batch.bytes.removeSubrange(start...)
        }
        let key = Key.event(outline, in: batch.bytes.span.extracting(start..<batch.bytes.count))
        let rule = Rule.withheld.identity
        let quietEnd = reach.quietEnd(at: now)
        batch.deliveries.append(
            Decisions.Delivery(
                key: .delivery(event: key, rule: rule, target: notice.target), target: notice.target, pair: nil,
                expires: now + Rule.withheld.expireAfter, wanted: false,
                wait: quietEnd.map { Decisions.Wait(until: $0, reason: "quiet_hours") }))
        let place = batch.selections.count
        batch.selections.append(
            Decisions.Selection(
                rule: rule, suppressed: nil, deliveries: batch.deliveries.count - 1..<batch.deliveries.count))
        batch.events.append(
            Decisions.Event(
                key: key, workspace: notice.workspace, type: QuotaNotice.type, subject: notice.spent, time: now,
                appended: now, offset: batch.next, value: start..<batch.bytes.count, selections: place..<place + 1))
        batch.read += 1
        batch.next += 1
    }
}

extension QuotaNotice {
    static let type = "quota.withheld"

    /// The event that a message about it tells; its identity is the notice's, whatever was counted by then.
    fileprivate func event(of contact: String, at now: Timestamp) -> [UInt8] {
        func moment(_ milliseconds: Int64) -> JSONBody { .text(Timestamp(milliseconds: milliseconds).rfc3339) }
        let data: JSONBody = [
            "contact": .text(contact), "target": .text(spent), "since": moment(since), "until": moment(until),
            "count": .raw(Array(String(count).utf8)[...]),
        ]
        let event: JSONBody = [
            "specversion": "1.0", "id": .text("\(target) \(spent) \(since)"), "source": "/carillon/quota",
            "type": .text(Self.type), "workspace": .text(workspace), "subject": .text(spent),
            "time": .text(now.rfc3339), "data": data,
        ]
        return event.bytes
    }
}
