public import CarillonEvents
public import CarillonLedger
public import CarillonWorker

// The conservation law over a window and, when a receiver's log is at hand, ledger and receiver side by side. The ledger is
// read a page at a time, each in a snapshot of its own, so workers go on and the WAL is moved meanwhile.

/// What the audit of a window found.
public struct Audit: Sendable {
    /// The law, counted.
    public var law: Conservation
    /// Whether the window was still being written and the sums could not be compared.
    public var isMoving = false
    /// What comparing with a receiver's log gave; `nil` without a log.
    public var comparison: Comparison?

    /// The ledger beside a receiver's log.
    public struct Comparison: Sendable {
        /// Deliveries that both say arrived, once or more.
        public var both = 0
        /// Requests beyond the first of their id.
        public var copies = 0
        /// Delivered says the ledger, and the log has none; the first hundred are named.
        public var missing = 0
        /// The log has them, and the ledger says otherwise or knows none; the first hundred are named.
        public var extra = 0
        /// The names.
        public var lines: [String] = []
    }
}

/// Audits.
public final class Auditor {
    private static let named = 100
    private let ledger: any AnsweringLedger

    /// Makes one over a ledger.
    public init(ledger: any AnsweringLedger) { self.ledger = ledger }

    /// Counts the law over a window, whose ends are those of hours.
    ///
    /// - Parameters:
    ///   - since: decided at this moment or later.
    ///   - until: decided before.
    ///   - received: how many requests a receiver had of each delivery; `nil` when that is not asked.
    ///   - now: the moment.
    public func audit(
        since: Timestamp, until: Timestamp, received: (any ReceivedKeys)?, now: Timestamp
    ) throws(LedgerError) -> Audit {
        var tries = 0
        while true {
            let before = try ledger.batches(since: since, until: until)
            var audit = Audit(law: before, comparison: received.map { _ in .init() })
            try received?.begin()
            try count(since, until, now, &audit, received)
            let after = try ledger.batches(since: since, until: until)
            tries += 1
            let isStill = before.read == after.read && before.selected == after.selected
            guard isStill || tries == 3 else { continue }
            audit.isMoving = !isStill
            if isStill, audit.law.selected != audit.law.notified + audit.law.grouped + audit.law.suppressed {
                audit.law.residue.append(
                    "selected = notified + grouped + suppressed: \(audit.law.selected) ≠ \(audit.law.notified) + "
                        + "\(audit.law.grouped) + \(audit.law.suppressed)")
            }
            if let received { try nameExtra(received, &audit) }
            return audit
        }
    }

    private func count(
        _ since: Timestamp, _ until: Timestamp, _ now: Timestamp, _ audit: inout Audit,
        _ received: (any ReceivedKeys)?
    ) throws(LedgerError) {
        var cursor: DeliveryID? = 0
        while let after = cursor {
            let page = try ledger.audit(since: since, until: until, after: after, upTo: nil, now: now)
            for (state, count) in page.states { audit.law.deliveries[state.rawValue, default: 0] += count }
            audit.law.notified += page.notified
            audit.law.residue += page.residue
            if let received {
                for key in page.delivered { audit.compare(key, try received.take(key), atMost: Self.named) }
            }
            cursor = page.next
        }
    }

    /// What the log has and no page had as delivered.
    ///
    /// The ledger is asked once more: it may be delivered by now, or before the window.
    private func nameExtra(_ received: any ReceivedKeys, _ audit: inout Audit) throws(LedgerError) {
        var last: Key?
        while true {
            let rest = try received.left(after: last, limit: 1_000)
            guard !rest.isEmpty else { return }
            for (key, count) in rest {
                last = key
                let row = try ledger.deliveries(DeliveryFilter(key: key, limit: 1)).first
                guard row?.state != .delivered else { continue }
                audit.comparison?.extra += 1
                audit.comparison?.copies += count - 1
                guard (audit.comparison?.extra ?? 0) <= Self.named else { continue }
                let words = row.map { "\($0.state.rawValue) says the ledger" } ?? "the ledger knows no such delivery"
                audit.comparison?.lines.append("\(key): the receiver has it, \(words)")
            }
        }
    }
}

extension Audit {
    fileprivate mutating func compare(_ key: Key, _ count: Int, atMost limit: Int) {
        guard var comparison else { return }
        if count > 0 {
            comparison.both += 1
            comparison.copies += count - 1
        } else {
            comparison.missing += 1
            if comparison.missing <= limit {
                comparison.lines.append("\(key): delivered says the ledger, the receiver's log has none")
            }
        }
        self.comparison = comparison
    }
}
