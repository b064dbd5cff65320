import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonRules
import CarillonStream
import CarillonWorker
import Logging
import Testing

@Suite("People are told once, where they are known, and not in their sleep", .timeLimit(.minutes(2)))
struct PeopleTests {
    @Test("1,000 jobs of 300 owners, one $owner rule: each gets only their own")
    func onlyTheirOwn() throws {
        var random = SplitMix(seed: 300)
        let contacts = (0..<300).map { "  p\($0): {mail: p\($0)@example.com, aliases: [u\(10_000 + $0)]}\n" }.joined()
        let bed = try PeopleBed(
            "contacts:\n\(contacts)", "{name: own, events: [job.failed], notify: [{mail: [$owner]}]}")
        var owners: [String: Int] = [:]
        for number in 0..<1000 {
            let owner = Int.random(in: 0..<300, using: &random)
            owners["job-\(number)"] = owner
            try bed.publish("job-\(number)", owner: Bool.random(using: &random) ? "p\(owner)" : "u\(10_000 + owner)")
        }
        let arrived = try bed.run(turns: 400)
        #expect(arrived.count == 1000 && Set(arrived.map(\.notice.subject)).count == 1000)
        for outgoing in arrived {
            let owner = try #require(outgoing.notice.subject.flatMap { owners[$0] })
            #expect(
                outgoing.endpoint.recipient == "p\(owner)@example.com" && outgoing.endpoint.name == "mail/p\(owner)")
        }
        #expect(try bed.residue() == [] && bed.suppressed() == [])
    }

    @Test("an owner nobody knows is told nothing, and that is listed; the others of the rule are told")
    func strangers() throws {
        let bed = try PeopleBed(
            "contacts: {alice: {mail: alice@example.com}, wei: {phone: \"+8613800000001\"}}",
            "{name: own, events: [job.failed], notify: [{mail: [alice, $owner]}]}")
        try bed.publish("known", owner: "alice")
        for (subject, owner) in [("address", "mallory@example.com"), ("nobody", "bob"), ("silent", "wei")] {
            try bed.publish(subject, owner: owner)
        }
        try bed.publish("ownerless", owner: nil)
        #expect(
            Set(try bed.run().map { "\($0.notice.subject ?? "") \($0.endpoint.recipient ?? "")" }) == [
                "known alice@example.com", "address alice@example.com", "nobody alice@example.com",
                "silent alice@example.com", "ownerless alice@example.com",
            ])
        #expect(
            try bed.suppressed() == [
                "address own mail/$owner no_contact mallory@example.com", "nobody own mail/$owner no_contact bob",
                "silent own mail/wei no_address wei", "ownerless own mail/$owner no_contact -",
            ])
        #expect(try bed.residue() == [])
    }

    @Test("a text tells of what happened within two hours, mail within a day, and both as long as the rule says")
    func shortLived() throws {
        let rules = [
            "{name: usual, events: [job.failed], per_rule: true, notify: [{sms: [alice, $owner]}, {mail: [alice]}]}",
            "{name: long, events: [job.failed], per_rule: true, expire_after: 5h, notify: [{sms: [alice]}]}",
        ]
        let bed = try PeopleBed(
            "contacts: {alice: {mail: alice@example.com, phone: \"+8613800000001\"}, wei: {phone: \"+8613800000002\"}}",
            rules.joined(separator: "\n  - "))
        for (subject, age) in [("now", 1), ("late", 3), ("later", 6)] as [(String, Int64)] {
            try bed.publish(subject, owner: "wei", age: .seconds(age * 3600))
        }
        let arrived = Set(try bed.run().map { "\($0.notice.subject ?? "") \($0.notice.rule) \($0.endpoint.name)" })
        #expect(
            arrived == [
                "now usual sms/alice", "now usual sms/wei", "now usual mail/alice", "now long sms/alice",
                "late usual mail/alice", "late long sms/alice", "later usual mail/alice",
            ])
        #expect(
            Set(try bed.suppressed()) == [
                "late usual sms/alice expired -", "late usual sms/wei expired -", "later usual sms/alice expired -",
                "later usual sms/wei expired -", "later long - expired -",
            ])
        #expect(try bed.residue() == [])
    }

    @Test("the severest of the rules that tell a person does, and the others name it")
    func oneCopy() throws {
        let rules = [
            "{name: mild, events: [job.failed], notify: [{mail: [alice, wei]}]}",
            "{name: severe, events: [job.failed], severity: critical, notify: [{mail: [$owner]}]}",
            "{name: each, events: [job.failed], per_rule: true, notify: [{mail: [alice]}]}",
            "{name: page, events: [job.failed], notify: [{inbox: [alice]}]}",
        ]
        let bed = try PeopleBed(
            "contacts: {alice: {mail: alice@example.com}, wei: {mail: wei@example.com}}",
            rules.joined(separator: "\n  - "))
        try bed.publish("a", owner: "alice")
        let arrived = try bed.run().map { "\($0.notice.rule) \($0.endpoint.name)" }
        #expect(Set(arrived) == ["severe mail/alice", "mild mail/wei", "each mail/alice", "page inbox/alice"])
        #expect(arrived.count == 4)
        #expect(try bed.suppressed() == ["a mild mail/alice already_sent severe"])
        #expect(try bed.residue() == [])
    }

    @Test("a rule for every workspace tells its own contacts, and one address gets one copy of both")
    func everywhere() throws {
        let bed = try PeopleBed(
            "contacts: {alice: {mail: alice@example.com}}",
            "{name: own, events: [job.failed], notify: [{mail: [$owner]}]}")
        try bed.apply(
            "*", "contacts: {boss: {mail: Alice@example.com, aliases: [root]}}",
            "{name: all, events: [job.failed], severity: info, notify: [{mail: [boss, $owner]}]}")
        try bed.publish("a", owner: "alice")
        try bed.publish("b", owner: "root")
        #expect(
            Set(try bed.run().map { "\($0.notice.subject ?? "") \($0.notice.rule) \($0.endpoint.name)" }) == [
                "a own mail/alice", "b all mail/boss",
            ])
        #expect(
            Set(try bed.suppressed()) == [
                "a */all mail/boss already_sent own", "a */all mail/$owner no_contact alice",
                "b own mail/$owner no_contact root",
            ])
        #expect(try bed.residue() == [])
    }

    @Test("what is decided in a person's quiet hours waits for their end; what is critical, and the inbox, do not")
    func quiet() throws {
        let rules = [
            "{name: mild, events: [job.failed], notify: [{mail: [alice]}, {inbox: [alice]}]}",
            "{name: severe, events: [job.hung], severity: critical, notify: [{mail: [alice]}]}",
        ]
        // The world begins at 08:00 UTC: 16:00 in Shanghai.
        let bed = try PeopleBed(
            "contacts: {alice: {mail: alice@example.com, zone: Asia/Shanghai, quiet: \"15:30-16:30\"}}",
            rules.joined(separator: "\n  - "))
        let wakes = bed.clock.now() + .seconds(1800)
        try bed.publish("a", owner: nil)
        #expect(try bed.run().map(\.endpoint.name) == ["inbox/alice"])
        let waiting = try #require(try bed.ledger.deliveries(DeliveryFilter(state: .pending)).first)
        #expect(
            waiting.target == "mail/alice" && waiting.reason == "quiet_hours" && waiting.dueAt == wakes.milliseconds)
        try bed.publish("a", owner: nil, type: "job.hung")
        #expect(try bed.run().map(\.notice.rule) == ["severe"])
        bed.clock.advance(by: wakes - bed.clock.now() - .milliseconds(1))
        #expect(try bed.run(turns: 1).isEmpty)
        bed.clock.advance(by: .milliseconds(1))
        #expect(try bed.run().map(\.notice.rule) == ["mild"])
        try bed.publish("c", owner: nil)
        #expect(try bed.run().count == 2)
        #expect(try bed.residue() == [])
    }

    @Test("a silence holds back what it fits from the moment it is added until it ends, and is named")
    func silences() throws {
        let bed = try PeopleBed(
            "contacts: {alice: {mail: alice@example.com}}",
            "{name: own, events: [job.failed], notify: [{mail: [alice]}]}")
        let every = #"{"type":[{"exists":true}]}"#
        try bed.publish("before", owner: nil)
        #expect(try bed.run().count == 1)
        let id = try bed.silence("vision", #"{"subject":[{"prefix":"node-"}]}"#, for: .seconds(60))
        let other = try bed.silence("speech", every, for: .seconds(3600))
        for subject in ["node-1", "job-1"] { try bed.publish(subject, owner: nil) }
        #expect(try bed.run().map(\.notice.subject) == ["job-1"])
        bed.clock.advance(by: .seconds(60))
        try bed.publish("node-2", owner: nil)
        #expect(try bed.run().map(\.notice.subject) == ["node-2"])
        let all = try bed.silence("*", every, for: .seconds(3600))
        try bed.publish("job-2", owner: nil)
        #expect(try bed.run().isEmpty)
        #expect(try bed.ledger.endSilence(all, now: bed.clock.now()) && other > id)
        try bed.publish("job-3", owner: nil)
        #expect(try bed.run().map(\.notice.subject) == ["job-3"])
        #expect(try bed.suppressed() == ["node-1 own - silence \(id)", "job-2 own - silence \(all)"])
        #expect(try bed.residue() == [])
    }

    @Test("a contact that is gone ends what waits for it; a new address is used at once")
    func changes() throws {
        let rule = "{name: own, events: [job.failed], notify: [{mail: [$owner]}]}"
        let quiet = "zone: UTC, quiet: \"07:00-09:00\""
        let bed = try PeopleBed("contacts: {alice: {mail: a@b.co, \(quiet)}, wei: {mail: w@b.co, \(quiet)}}", rule)
        for owner in ["alice", "wei"] { try bed.publish(owner, owner: owner) }
        #expect(try bed.run().isEmpty)
        try bed.apply("vision", "contacts: {alice: {mail: new@b.co}}", rule)
        bed.clock.advance(by: .seconds(3600))
        #expect(try bed.run().map(\.endpoint.recipient) == ["new@b.co"])
        #expect(try bed.ledger.deliveries(DeliveryFilter(state: .expired)).map(\.reason) == ["rule_removed"])
    }
}

/// A worker over a stream and a ledger in memory, whose people always say yes.
final class PeopleBed {
    let clock = ManualClock()
    let ledger: SQLiteLedger
    let courier = PatientCourier()
    private let stream: MemoryStream
    private let path: Path
    private var count = 0

    init(_ people: String, _ rules: String, quotas: QuotaCeilings = QuotaCeilings()) throws {
        ledger = try .inMemory()
        stream = MemoryStream(partitions: 1, batch: 50, clock: clock)
        var configuration = Worker.Configuration()
        configuration.quotas = quotas
        for channel in ["mail", "sms", "inbox"] { configuration.people[channel] = WebhookChannel() }
        path = try Path(
            ledger: ledger, reader: CheckedReader(stream.reader(group: "carillon"), isChecked: true), courier: courier,
            clock: clock, configuration: configuration, random: SplitMix(seed: 1),
            logger: Logger(label: "people") { _ in SwiftLogNoOpLogHandler() }, crash: .none)
        try apply("vision", people, rules)
    }

    func apply(_ workspace: String, _ people: String, _ rules: String) throws {
        let text = "version: 1\nworkspace: \"\(workspace)\"\n\(people)\nrules:\n  - \(rules)\n"
        let loaded = RuleDocuments.load([("rules.yaml", text)])
        let compiled = try #require(loaded.workspaces.first, "\(loaded.problems)")
        let change = RuleChange(
            workspace: workspace, sources: [SourceText(file: "rules.yaml", text: text)], living: compiled.livingTargets)
        _ = try ledger.apply([change], base: try ledger.revision(), keepPending: false, now: clock.now())
    }

    func silence(_ workspace: String, _ pattern: String, for length: Duration) throws -> SilenceID {
        let silence = NewSilence(workspace: workspace, pattern: pattern, comment: "test", until: clock.now() + length)
        return try ledger.add(silence, now: clock.now())
    }

    func publish(
        _ subject: String, owner: String? = nil, type: String = "job.failed", workspace: String = "vision",
        age: Duration = .zero
    ) throws {
        count += 1
        let event = SampleEvent(
            workspace: workspace, id: "e\(count)", type: type, subject: subject, time: clock.now() - age,
            data: owner.map { "\"owner\":\"\($0)\"" } ?? "")
        try stream.appender().append([event.encoded])
    }

    /// What arrives.
    func run(turns: Int = 20) throws -> [Outgoing] {
        for _ in 0..<turns {
            _ = try path.turn(wait: false)
            if turns > 1 { clock.advance(by: .milliseconds(21)) }
        }
        return courier.taken()
    }

    /// What was suppressed, oldest first: subject, rule, target, reason, by what.
    func suppressed() throws -> [String] {
        try ledger.suppressed(DeliveryFilter()).reversed().map {
            "\($0.subject ?? "") \($0.rule) \($0.target ?? "-") \($0.reason) \($0.by ?? "-")"
        }
    }

    func residue() throws -> [String] { try ledger.verify(now: clock.now()).residue }
}
