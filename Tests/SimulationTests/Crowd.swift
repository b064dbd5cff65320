import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonRules

/// A third workspace of the simulation: people with small quotas, and rules whose ladders are of the seed's making.
struct Crowd {
    static let workspace = "ranking"
    static let ceilings = QuotaCeilings(
        each: ["sms": limits("2/10s", "5/40s"), "mail": limits("3/10s")], total: ["sms": limits("5/10s")], reserve: 0.25
    )
    /// What receivers may see at most: the ceilings, and what one contact asks for.
    private static let promises = [
        (["sms/alice"], "2/10s"), (["sms/alice"], "5/40s"), (["sms/bob"], "2/10s"), (["sms/bob"], "5/40s"),
        (["sms/wei"], "1/8s"), (["mail/alice"], "3/10s"), (["mail/bob"], "3/10s"),
        (["sms/alice", "sms/bob", "sms/wei"], "5/10s"),
    ]
    private static let people = """
          alice: {mail: alice@example.com, phone: "+8613800000001"}
          wei: {phone: "+8613800000002", quota: {sms: [1/8s]}}
          bob: {mail: bob@example.com, phone: "+8613800000003", zone: UTC, quiet: "08:02-08:04"}
        """
    private static let types = ["job.failed", "job.hung", "job.lost"]

    private struct Rule {
        let type: String
        let targets: [String]
        /// The last step of its ladder.
        let last: String
        let text: String
        var name: String { "of-\(type.dropFirst(4))" }
    }
    /// The rule sets the workspace changes between.
    private let variants: [[Rule]]
    /// Those in force, oldest first.
    private var history: [Int] = []
    private var published: [(event: SampleEvent, since: Int)] = []

    init(_ random: inout SplitMix) {
        variants = (0..<3).map { _ in
            let types = Self.types.shuffled(using: &random).prefix(random.once(in: 3) ? 2 : 3)
            return types.map { Self.rule(of: $0, &random) }
        }
    }

    private static func limits(_ texts: String...) -> [QuotaLimit] { texts.compactMap { QuotaLimit($0) } }

    private static func rule(of type: String, _ random: inout SplitMix) -> Rule {
        let channel = random.once(in: 4) ? "mail" : "sms"
        let some = ["alice", "bob", "wei"].filter { channel == "sms" || $0 != "wei" }.shuffled(using: &random)
        let names = some.prefix(Int.random(in: 1...some.count, using: &random))
        let others = ["mail", "inbox"].filter { $0 != channel }.shuffled(using: &random)
        let channels = random.once(in: 3) ? others.prefix(1) : []
        let last = ["digest", "digest", "digest", "defer", "suppress"].randomElement(using: &random) ?? "digest"
        var terms = random.once(in: 3) ? "severity: critical, " : ""
        if random.once(in: 4) { terms += "expire_after: 2m, " }
        if random.once(in: 3) { terms += "order: none, " }
        let ladder = (channels + [last]).joined(separator: ", ")
        let text = """
              - {name: of-\(type.dropFirst(4)), events: [\(type)], \(terms)notify: [{\(channel): \
            [\(names.joined(separator: ", "))], overflow: [\(ladder)]}]}
            """
        return Rule(type: type, targets: names.map { "\(channel)/\($0)" }, last: last, text: text)
    }

    /// Other rules are in force from now on.
    mutating func change(_ random: inout SplitMix) -> RuleChange {
        let variant = Int.random(in: 0..<variants.count, using: &random)
        history.append(variant)
        let text = """
            version: 1
            workspace: \(Self.workspace)
            contacts:
            \(Self.people)
            rules:
            \(variants[variant].map(\.text).joined(separator: "\n"))

            """
        let loaded = RuleDocuments.load([("crowd.yaml", text)])
        guard let compiled = loaded.workspaces.first, loaded.problems.isEmpty else {
            preconditionFailure("the crowd's rules are wrong: \(loaded.problems)\n\(text)")
        }
        return RuleChange(
            workspace: Self.workspace, sources: [SourceText(file: "crowd.yaml", text: text)],
            living: compiled.livingTargets)
    }

    /// Events to append now: a handful, or a storm.
    mutating func batch(_ random: inout SplitMix, at now: Timestamp) -> [EncodedEvent] {
        (0..<Int.random(in: 1...(random.once(in: 4) ? 20 : 4), using: &random)).map { _ in
            if random.once(in: 6), let again = published.randomElement(using: &random) { return again.event.encoded }
            let event = SampleEvent(
                workspace: Self.workspace, id: "q\(published.count)",
                type: Self.types.randomElement(using: &random) ?? "job.failed",
                subject: "run-\(Int.random(in: 0..<30, using: &random))", time: now, data: "")
            published.append((event, since: history.count - 1))
            return event.encoded
        }
    }

    /// Whether every digest has spoken.
    func isTold(_ ledger: SQLiteLedger) throws -> Bool {
        try published.allSatisfy { event, _ in
            guard let number = try number(of: event, in: ledger) else { return true }
            return try ledger.memberships(of: number).allSatisfy { $0.told != nil }
        }
    }

    private func number(of event: SampleEvent, in ledger: SQLiteLedger) throws -> Int64? {
        try ledger.events(.key(event.key), limit: 1).first?.number
    }

    // The end

    /// What is wrong in the end, and how many digests were told.
    func violations(_ ledger: SQLiteLedger, _ receiver: Receiver) throws -> (violations: [String], digests: Int) {
        let all = try ledger.deliveries(DeliveryFilter(workspace: Self.workspace, limit: 100_000))
        let rows = all.filter { $0.rule != CarillonRules.Rule.withheld.identity }
        let singles = Set(published.flatMap { event, _ in variants.flatMap { keys(of: event, $0) } })
        var violations = try decisions(rows, ledger)
        for row in rows {
            guard let key = Key(row.key) else { continue }
            if let words = fault(of: row, arrivals: receiver.arrivals(of: key)) { violations.append(words) }
        }
        let messages = rows.filter { Key($0.key).map { !singles.contains($0) } ?? true }
        violations += try digests(rows, messages, ledger, receiver)
        for (targets, text) in Self.promises {
            guard let limit = QuotaLimit(text) else { continue }
            let most = receiver.most(within: limit.window, at: targets, of: Self.workspace)
            if most > limit.count { violations.append("\(targets) got \(most) within \(text)") }
        }
        return (violations, messages.count)
    }

    private func keys(of event: SampleEvent, _ rules: [Rule]) -> Set<Key> {
        Set(
            rules.filter { $0.type == event.type }.flatMap { rule in
                rule.targets.map { Key.delivery(event: event.key, rule: rule.name, target: $0) }
            })
    }

    /// Every event made just the deliveries that some rules in force since its publication ask for.
    private func decisions(_ rows: [DeliveryRow], _ ledger: SQLiteLedger) throws -> [String] {
        let decided = Set(rows.compactMap { Key($0.key) })
        let late = try ledger.suppressed(DeliveryFilter(workspace: Self.workspace, limit: 100_000))
        let stale = Set(late.filter { $0.reason == "stale" || $0.reason == "expired" }.map(\.eventID))
        var violations = late.filter { !stale.contains($0.eventID) }.map { "\($0.eventID) is suppressed: \($0.reason)" }
        for (event, since) in published where !stale.contains(event.id) {
            let made = variants.reduce(into: Set()) { $0.formUnion(keys(of: event, $1)) }.intersection(decided)
            if !history[since...].contains(where: { keys(of: event, variants[$0]) == made }) {
                violations.append("\(event.id) made \(made.count) deliveries, which no rules asked for")
            }
        }
        return violations
    }

    private func fault(of row: DeliveryRow, arrivals: Int) -> String? {
        let words = "\(row.id) of \(row.rule) to \(row.target) is \(row.state) (\(row.reason)) at the end"
        func mayEnd(in last: String) -> Bool {
            variants.contains { $0.contains { $0.name == row.rule && $0.last == last } }
        }
        switch row.state {
        case .delivered: return arrivals > 0 ? nil : "\(row.id) is delivered but never arrived"
        case .dead: return ManualCourier.isRefusal(row.reason) ? nil : words
        case .expired:
            let isExplained = row.reason == "expire_after" || row.reason == "rule_removed" && history.count > 1
            return isExplained ? nil : words
        case .withheld:
            return mayEnd(in: row.reason == "digest" ? "digest" : "suppress") ? nil : words
        default: return words
        }
    }

    /// What a digest holds is in one that told it, whose one message counts just that.
    private func digests(
        _ rows: [DeliveryRow], _ messages: [DeliveryRow], _ ledger: SQLiteLedger, _ receiver: Receiver
    ) throws -> [String] {
        var violations: [String] = []
        var folded: [Int64: Int64] = [:]
        var sizes: [Int64: Int64] = [:]
        let owned = Dictionary(grouping: rows) { Key($0.key) }
        for (event, _) in published {
            guard let number = try number(of: event, in: ledger) else { continue }
            let memberships = try ledger.memberships(of: number)
            let held = variants.reduce(into: Set<Key>()) { $0.formUnion(keys(of: event, $1)) }
                .flatMap { owned[$0] ?? [] }
            // One in a digest that turns out to have arrived alone is delivered, and told twice.
            let found = memberships.map { "\($0.rule) \($0.digestOf ?? "")" }
            let expected = held.filter { row in
                row.reason == "digest" || row.state == .delivered && found.contains("\(row.rule) \(row.target)")
            }
            if expected.map({ "\($0.rule) \($0.target)" }).sorted() != found.sorted() {
                violations.append("\(event.id): \(held.map { "\($0.target) \($0.state)" }), digests \(found)")
            }
            for membership in memberships {
                guard let told = membership.told else {
                    violations.append("\(event.id) is in a digest that never speaks")
                    continue
                }
                folded[told.event, default: 0] += 1
                sizes[told.event] = told.size
                if membership.total != told.size || told.number != 1 {
                    violations.append("a digest of \(membership.total) told \(told.size), its \(told.number).")
                }
            }
        }
        if folded != sizes { violations.append("digests told of \(sizes), and there were \(folded)") }
        return try violations + said(by: messages, sizes, ledger, receiver)
    }

    /// Each digest has one message, which says its count wherever it arrived and lists a few.
    private func said(
        by messages: [DeliveryRow], _ sizes: [Int64: Int64], _ ledger: SQLiteLedger, _ receiver: Receiver
    ) throws -> [String] {
        var violations: [String] = []
        var left = Set(messages.map(\.id))
        for (event, size) in sizes {
            var filter = DeliveryFilter(limit: 10)
            filter.event = event
            let own = try ledger.deliveries(filter)
            guard own.count == 1, left.remove(own[0].id) != nil, let key = Key(own[0].key) else {
                violations.append("a digest of \(size) has \(own.count) messages")
                continue
            }
            guard let said = receiver.said(key) else { continue }
            if said.size != size || said.listed != (size == 1 ? 0 : min(size, 10)) {
                violations.append("a digest of \(size) says \(said.size) and lists \(said.listed)")
            }
        }
        return violations + left.map { "\($0) tells of no digest" }
    }
}
