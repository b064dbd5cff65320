import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite

/// A second workspace of the simulation, whose rules look at many events together: one tells of a subject's failures in one
/// message now and then, one speaks only when three hangs of a subject came within a while.
struct Company {
    static let workspace = "speech"
    private static let (wait, every) = (Int64(2_000), Int64(10_000))
    private static let (count, within) = (3, Int64(20_000))
    private static let document = """
        version: 1
        workspace: speech
        endpoints:
          digest: {kind: webhook, url: "http://digest.example.com/"}
          bell: {kind: webhook, url: "http://bell.example.com/"}
        rules:
          - {name: storms, events: [job.failed], group: {by: [subject], wait: 2s, every: 10s}, notify: [digest]}
          - {name: alarms, events: [job.hung], after: {count: 3, within: 20s, by: [subject]}, notify: [bell]}
        """
    static var change: RuleChange {
        RuleChange(
            workspace: workspace, sources: [SourceText(file: "company.yaml", text: document)],
            living: ["storms": ["digest"], "alarms": ["bell"]])
    }

    /// In the order of the stream, each once.
    private var published: [SampleEvent] = []

    /// Events to append now; some of them come again.
    mutating func batch(_ random: inout SplitMix, at now: Timestamp) -> [EncodedEvent] {
        (0..<Int.random(in: 1...6, using: &random)).map { _ in
            if random.once(in: 6), let again = published.randomElement(using: &random) { return again.encoded }
            let event = SampleEvent(
                workspace: Self.workspace, id: "c\(published.count)",
                type: Bool.random(using: &random) ? "job.failed" : "job.hung",
                subject: "run-\(Int.random(in: 0..<3, using: &random))", time: now, data: "")
            published.append(event)
            return event.encoded
        }
    }

    /// Whether every event of a group is told.
    func isTold(_ ledger: SQLiteLedger) throws -> Bool {
        try published.allSatisfy { event in
            guard event.type == "job.failed", let number = try number(of: event, in: ledger) else { return true }
            return try ledger.memberships(of: number).allSatisfy { $0.told != nil }
        }
    }

    private func number(of event: SampleEvent, in ledger: SQLiteLedger) throws -> Int64? {
        try ledger.events(.key(event.key), limit: 1).first?.number
    }

    /// What is wrong in the end.
    func violations(_ ledger: SQLiteLedger) throws -> [String] {
        let rows = try ledger.deliveries(DeliveryFilter(workspace: Self.workspace, limit: 100_000))
        let lost = rows.filter { $0.state != .delivered && $0.state != .dead }
        return try lost.map { "\($0.id) of \($0.rule) is \($0.state) at the end" }
            + storms(rows.filter { $0.rule == "storms" }, ledger) + alarms(rows.filter { $0.rule == "alarms" })
    }

    /// Each failure is counted by one message of its subject's, and messages keep their distance.
    private func storms(_ rows: [DeliveryRow], _ ledger: SQLiteLedger) throws -> [String] {
        var violations: [String] = []
        var counted: [String: Int64] = [:]
        var last: [String: (opened: Int64, at: Int64)] = [:]
        for row in rows.sorted(by: { $0.id < $1.id }) {
            guard let key = Key(row.key), let said = try ledger.events(.delivery(key), limit: 1).first,
                let membership = try ledger.memberships(of: said.number).first, let told = membership.told
            else {
                violations.append("\(row.id) tells of no group")
                continue
            }
            counted[membership.name, default: 0] += told.size
            let (name, opened) = (membership.name, membership.opened.milliseconds)
            if let before = last[name], before.opened == opened {
                if row.decidedAt < before.at + Self.every { violations.append("\(name) speaks too often") }
            } else if row.decidedAt < opened + Self.wait {
                violations.append("\(name) does not wait for company")
            }
            last[name] = (opened, row.decidedAt)
        }
        var failures: [String: Int64] = [:]
        for event in published where event.type == "job.failed" { failures[event.subject, default: 0] += 1 }
        if counted != failures { violations.append("groups told of \(counted), and there were \(failures)") }
        for event in published where event.type == "job.failed" {
            guard let number = try number(of: event, in: ledger), try ledger.memberships(of: number).count == 1 else {
                violations.append("\(event.id) is in no group, or in several")
                continue
            }
        }
        return violations
    }

    /// Just those hangs are told that are the third or a later one in their span.
    private func alarms(_ rows: [DeliveryRow]) -> [String] {
        let hangs = published.filter { $0.type == "job.hung" }
        let expected = hangs.indices.filter { place in
            let near = hangs[...place].filter {
                $0.subject == hangs[place].subject
                    && hangs[place].time.milliseconds - $0.time.milliseconds < Self.within
            }
            return near.count >= Self.count
        }.map { Key.delivery(event: hangs[$0].key, rule: "alarms", target: "bell").description }
        let told = Set(rows.map(\.key))
        guard told != Set(expected) else { return [] }
        return [
            "\(told.subtracting(expected).count) hangs are told too early, \(Set(expected).subtracting(told).count) not"
        ]
    }
}

extension SampleEvent {
    var key: Key {
        Key.event(workspace: Array(workspace.utf8).span, source: Array(source.utf8).span, id: Array(id.utf8).span)
    }
}
