import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonRules
import CarillonWorker
import Testing

@Suite("Quotas: what finds no room goes down its rule's ladder", .timeLimit(.minutes(5)))
struct QuotaTests {
    /// One step of the ladder: who is told, and what becomes of the second text message of a minute.
    struct Fact: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var alice = "mail: alice@example.com, phone: \"+8613800000001\""
        var target = "{sms: [alice]}"
        /// Where the second one goes; `nil` for nowhere.
        var goes: String?
        var state: DeliveryState
        var reason = ""
    }

    static let facts = [
        Fact(testDescription: "by mail", goes: "mail/alice", state: .delivered),
        Fact(
            testDescription: "where the contact prefers",
            alice: "mail: alice@example.com, phone: \"+8613800000001\", prefer: [inbox, mail]", goes: "inbox/alice",
            state: .delivered),
        Fact(
            testDescription: "nowhere yet without mail", alice: "phone: \"+8613800000001\"", state: .pending,
            reason: "quota"),
        Fact(
            testDescription: "where the rule says", target: "{sms: [alice], overflow: [inbox, suppress]}",
            goes: "inbox/alice", state: .delivered),
        Fact(
            testDescription: "nowhere yet where the rule says so", target: "{sms: [alice], overflow: [defer]}",
            state: .pending, reason: "quota"),
        Fact(
            testDescription: "nowhere where the rule says so", target: "{sms: [alice], overflow: [suppress]}",
            state: .withheld, reason: "quota"),
        Fact(
            testDescription: "into a digest where the rule says so", target: "{sms: [alice], overflow: [digest]}",
            state: .withheld, reason: "digest"),
        Fact(
            testDescription: "into a digest when the step has no address", alice: "phone: \"+8613800000001\"",
            target: "{sms: [alice], overflow: [mail, digest]}", state: .withheld, reason: "digest"),
        Fact(
            testDescription: "by mail before it goes into a digest",
            target: "{sms: [alice], overflow: [mail, digest]}", goes: "mail/alice", state: .delivered),
        Fact(
            testDescription: "nowhere when the step has no address", alice: "phone: \"+8613800000001\"",
            target: "{sms: [alice], overflow: [mail, suppress]}", state: .withheld, reason: "quota"),
        Fact(
            testDescription: "nowhere when the mail is there already",
            target: "{sms: [alice], overflow: [mail, defer]}\n      - {mail: [alice]}", state: .withheld,
            reason: "already_sent"),
        Fact(
            testDescription: "as for an owner", target: "{sms: [$owner], overflow: [inbox, defer]}",
            goes: "inbox/alice", state: .delivered),
    ]

    @Test("the second text message of a minute goes", arguments: facts)
    func ladder(fact: Fact) throws {
        let bed = try PeopleBed(
            "contacts: {alice: {\(fact.alice)}}",
            "name: own\n    events: [job.failed]\n    notify:\n      - \(fact.target)",
            quotas: QuotaCeilings(each: ["sms": [Self.limit("1/1m")]], reserve: 0))
        try bed.publish("a", owner: "alice")
        #expect(try bed.run().map(\.endpoint.name).contains("sms/alice"))
        try bed.publish("b", owner: "alice")
        let second = try bed.run().filter { $0.notice.subject == "b" }.map(\.endpoint.name)
        #expect(second.filter { $0 != "mail/alice" || fact.reason != "already_sent" } == [fact.goes].compactMap(\.self))
        let rows = try bed.ledger.deliveries(DeliveryFilter(subject: "b")).filter { $0.target == "sms/alice" }
        #expect(rows.map(\.state) == [fact.state] && rows.map(\.reason) == [fact.reason])
        #expect(rows.map(\.via) == [fact.goes])
        #expect(try bed.residue() == [])
    }

    @Test("a storm of 5,000 failures to one contact: the quota is sent, one notice is there, the rest is listed")
    func storm() throws {
        let bed = try PeopleBed(
            "contacts: {alice: {phone: \"+8613800000001\"}}",
            "{name: own, events: [job.failed], notify: [{sms: [alice]}]}",
            quotas: QuotaCeilings(each: ["sms": [Self.limit("5/15m"), Self.limit("40/1d")]], reserve: 0))
        for number in 0..<5_000 { try bed.publish("job-\(number)") }
        #expect(try bed.run(turns: 400).count == 5)
        let waiting = try bed.ledger.deliveries(DeliveryFilter(state: .pending, reason: "quota", limit: 10_000))
        #expect(waiting.count == 4_995)
        let inbox = try bed.ledger.inbox(of: "inbox/alice", in: "vision", limit: 10)
        #expect(inbox.count == 1 && inbox.first?.page.title.hasPrefix("4995 withheld since ") == true)
        bed.clock.advance(by: .seconds(900))
        #expect(try bed.run(turns: 20).count == 5)
        #expect(try bed.residue() == [])
    }

    @Test("a storm of 500 failures to one contact: the quota is sent, then one digest with the exact count")
    func digest() throws {
        let bed = try PeopleBed(
            "contacts: {alice: {phone: \"+8613800000001\"}}",
            "{name: own, events: [job.failed, job.hung], notify: [{sms: [alice], overflow: [digest]}]}",
            quotas: QuotaCeilings(each: ["sms": [Self.limit("5/15m")]], reserve: 0))
        for number in 0..<500 { try bed.publish("job-\(number)", type: number % 10 == 9 ? "job.hung" : "job.failed") }
        #expect(try bed.run(turns: 60).count == 5)
        #expect(try bed.ledger.inbox(of: "inbox/alice", in: "vision", limit: 10).isEmpty, "all of it is told")
        #expect(
            try bed.ledger.deliveries(DeliveryFilter(state: .withheld, reason: "digest", limit: 1_000)).count == 495)
        bed.clock.advance(by: .seconds(899))
        let told = try bed.run().map(\.notice)
        #expect(told.map(\.title) == ["own: 495 events"])
        let lines = try #require(told.first).message.split(separator: "\n")
        #expect(lines.first?.hasPrefix("own: 495 events since 2026-") == true)
        #expect(lines.first?.hasSuffix(", 445 failed") == true, "\(lines)")
        #expect(lines.count == 12 && lines[1] == "- job-5 job.failed" && lines.last == "and 485 more")
        bed.clock.advance(by: .seconds(3_600))
        #expect(try bed.run().isEmpty)
        #expect(try bed.residue() == [])
    }

    @Test("a group's own message has no digest: it waits; and what a digest says in quiet hours does so too")
    func digestsAndGroups() throws {
        let quiet = "{alice: {phone: \"+8613800000001\", zone: UTC, quiet: \"08:01-08:30\"}}"
        let rules = [
            "{name: own, events: [job.failed], notify: [{sms: [alice], overflow: [digest]}]}",
            """
            {name: many, events: [job.hung], group: {by: [workspace], wait: 0s}, notify: [{sms: [alice],
                overflow: [digest]}]}
            """,
        ]
        let bed = try PeopleBed(
            "contacts: \(quiet)", rules.joined(separator: "\n  - "),
            quotas: QuotaCeilings(each: ["sms": [Self.limit("1/1m")]], reserve: 0))
        for subject in ["a", "b", "c"] { try bed.publish(subject) }
        try bed.publish("d", type: "job.hung")
        #expect(try bed.run().count == 1)
        let waiting = try bed.ledger.deliveries(DeliveryFilter(state: .pending))
        #expect(waiting.map(\.rule) == ["many"] && waiting.map(\.reason) == ["quota"])
        bed.clock.advance(by: .seconds(180))
        #expect(try bed.run().isEmpty)
        #expect(try bed.ledger.deliveries(DeliveryFilter(state: .pending)).map(\.reason).contains("quiet_hours"))
        var told: [String] = []
        for _ in 0..<5 {
            bed.clock.advance(by: .seconds(900))
            told += try bed.run().map(\.notice.title)
        }
        #expect(told.sorted() == ["d job.hung", "own: 2 events"])
        #expect(try bed.residue() == [])
    }

    @Test("a storm leaves room for what is critical, and a contact's own quota is one too")
    func reserve() throws {
        let rules = [
            "{name: mild, events: [job.failed], notify: [{sms: [alice], overflow: [suppress]}]}",
            "{name: severe, events: [job.hung], severity: critical, notify: [{sms: [alice]}]}",
        ]
        let bed = try PeopleBed(
            "contacts: {alice: {phone: \"+8613800000001\", quota: {sms: [5/1m]}}}", rules.joined(separator: "\n  - "))
        for number in 0..<10 { try bed.publish("job-\(number)") }
        #expect(try bed.run().count == 4)
        for number in 0..<3 { try bed.publish("node-\(number)", type: "job.hung") }
        #expect(try bed.run().map(\.notice.rule) == ["severe"])
        #expect(try bed.residue() == [])
    }

    @Test("one telephone has one ceiling over all workspaces; a workspace has one for all its telephones")
    func scopes() throws {
        let rule = "{name: own, events: [job.failed], notify: [{sms: [alice, wei], overflow: [suppress]}]}"
        let people = "contacts: {alice: {phone: \"+8613800000001\"}, wei: {phone: \"+8613800000002\"}}"
        let each = QuotaCeilings(each: ["sms": [Self.limit("2/1m")]], reserve: 0)
        let total = QuotaCeilings(totalOf: ["vision": ["sms": [Self.limit("3/1m")]]], reserve: 0)
        for (quotas, count) in [(each, 4), (total, 3 + 4)] {
            let bed = try PeopleBed(people, rule, quotas: quotas)
            try bed.apply("speech", people, rule)
            for subject in ["a", "b"] {
                try bed.publish(subject)
                try bed.publish(subject, workspace: "speech")
            }
            #expect(try bed.run().count == count)
            #expect(try bed.residue() == [])
        }
    }

    /// Who is told of what is withheld.
    struct Notice: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var alice = "mail: alice@example.com, phone: \"+8613800000001\""
        var ladder = "[defer]"
        var mails: [QuotaLimit] = []
        /// Where the message goes; `nil` when there is a page in the inbox instead.
        var told: String?
    }

    static let notices = [
        Notice(testDescription: "by mail", told: "mail/alice"),
        Notice(testDescription: "by mail of what is suppressed", ladder: "[suppress]", told: "mail/alice"),
        Notice(
            testDescription: "in the inbox where the mail is not confirmed",
            alice: "mail: alice@example.com, phone: \"+8613800000001\", verified: false"),
        Notice(testDescription: "in the inbox without mail", alice: "phone: \"+8613800000001\""),
        Notice(
            testDescription: "in the inbox where the mail is spent too", ladder: "[mail, defer]",
            mails: [limit("1/1h")]),
        Notice(
            testDescription: "in the inbox where the mail's own quota has no room by then", mails: [limit("1/1h")],
            told: "inbox/alice"),
    ]

    @Test("a contact is told once a window how much was withheld", arguments: notices)
    func notice(fact: Notice) throws {
        let rules = [
            "{name: other, events: [job.hung], notify: [{mail: [alice]}]}",
            "{name: own, events: [job.failed], notify: [{sms: [alice], overflow: \(fact.ladder)}]}",
        ]
        let bed = try PeopleBed(
            "contacts: {alice: {\(fact.alice)}}",
            rules[(fact.alice.contains("mail") ? 0 : 1)...].joined(separator: "\n  - "),
            quotas: QuotaCeilings(each: ["sms": [Self.limit("2/1h")], "mail": fact.mails], reserve: 0))
        if !fact.mails.isEmpty, fact.ladder == "[defer]" {
            try bed.publish("spends-the-mail", type: "job.hung")
            #expect(try bed.run().map(\.endpoint.name) == ["mail/alice"])
        }
        for number in 0..<10 { try bed.publish("job-\(number)") }
        let first = try bed.run().map(\.endpoint.name)
        #expect(first.count { $0 == "sms/alice" } == 2)
        bed.clock.advance(by: .seconds(61))
        let later = try bed.run()
        #expect(later.map(\.endpoint.name) == [fact.told].compactMap(\.self))
        for told in later {
            #expect(told.notice.title.hasPrefix("8 withheld since ") && told.notice.message.contains("for sms/alice"))
            #expect(told.notice.rule == Rule.withheld.name && told.notice.severity == "warning")
        }
        try bed.publish("one-more")
        _ = try bed.run()
        bed.clock.advance(by: .seconds(1200))
        #expect(try bed.run().isEmpty, "once a window")
        let pages = try bed.ledger.inbox(of: "inbox/alice", in: "vision", limit: 10)
        #expect(pages.count == (fact.told == nil ? 1 : 0))
        #expect(pages.allSatisfy { $0.page.title.contains(" withheld since ") })
        #expect(try bed.residue() == [])
    }

    @Test("a message about what was withheld survives new rules, and ends when its contact is gone")
    func noticeAndRules() throws {
        let rule = "{name: own, events: [job.failed], notify: [{sms: [alice], overflow: [defer]}]}"
        let alice = "alice: {mail: a@example.com, phone: \"+8613800000001\", zone: UTC, quiet: \"00:00-23:59\"}"
        let other = "wei: {mail: wei@example.com}"
        for (people, state) in [("\(alice), \(other)", DeliveryState.pending), (other, .expired)] {
            let bed = try PeopleBed(
                "contacts: {\(alice)}", rule.replacing("[job.failed],", with: "[job.failed], severity: critical,"),
                quotas: QuotaCeilings(each: ["sms": [Self.limit("1/1h")]], reserve: 0))
            for number in 0..<3 { try bed.publish("job-\(number)") }
            _ = try bed.run()
            bed.clock.advance(by: .seconds(61))
            #expect(try bed.run().isEmpty, "the night is quiet")
            let now = people == other ? rule.replacing("sms: [alice], overflow: [defer]", with: "mail: [wei]") : rule
            try bed.apply("vision", "contacts: {\(people)}", now)
            let rows = try bed.ledger.deliveries(DeliveryFilter(rule: Rule.withheld.identity))
            #expect(rows.map(\.target) == ["mail/alice"] && rows.map(\.state) == [state])
            #expect(try bed.residue() == [])
        }
    }

    @Test("a budget of money: dear numbers are told less often, and what it does not pay for goes by mail")
    func budget() throws {
        var quotas = QuotaCeilings(reserve: 0)
        quotas.cost = try [#require(QuotaLimit(ofMoney: "0.10/1h"))]
        quotas.prices = ["sms": try PriceList(["+": "0.05", "+86": "0.02"])]
        let bed = try PeopleBed(
            "contacts: {alice: {mail: a@b.co, phone: \"+8613800000001\"}, bob: {phone: \"+4915100000001\"}}",
            "{name: own, events: [job.failed], notify: [{sms: [$owner]}]}", quotas: quotas)
        try bed.publish("dear", owner: "bob")
        #expect(try bed.run().map(\.endpoint.name) == ["sms/bob"])
        for number in 0..<4 { try bed.publish("cheap-\(number)", owner: "alice") }
        #expect(
            try bed.run().map(\.endpoint.name).sorted() == ["mail/alice", "mail/alice", "sms/alice", "sms/alice"])
        try bed.publish("dear-again", owner: "bob")
        #expect(try bed.run().isEmpty)
        bed.clock.advance(by: .seconds(3600))
        #expect(try bed.run().map(\.notice.subject) == ["dear-again"])
        #expect(try bed.residue() == [])
    }

    @Test("an endpoint's own quota holds in every window, and what finds no room waits")
    func endpointQuota() throws {
        let bed = try PeopleBed(
            "endpoints: {room: {kind: webhook, url: \"https://x.example/\", quota: [2/1m]}}",
            "{name: own, events: [job.failed], notify: [room]}")
        for number in 0..<5 { try bed.publish("job-\(number)") }
        #expect(try bed.run().count == 2)
        #expect(try bed.ledger.deliveries(DeliveryFilter(state: .pending, reason: "quota")).count == 3)
        bed.clock.advance(by: .seconds(60))
        #expect(try bed.run().count == 2)
        bed.clock.advance(by: .seconds(60))
        #expect(try bed.run().count == 1)
        #expect(try bed.residue() == [])
    }

    private static func limit(_ text: String) -> QuotaLimit {
        guard let limit = QuotaLimit(text) else { preconditionFailure("\(text) is no limit") }
        return limit
    }
}

@Suite("Quotas: a document may only lower the deployment's ceilings", .timeLimit(.minutes(1)))
struct CeilingTests {
    @Test(
        "what lets more through than a ceiling is refused",
        arguments: [
            ("5/15m", true), ("6/15m", false), ("3/15m", true), ("6/5m", false), ("10/30m", true), ("11/30m", false),
            ("40/1d", true), ("41/1d", false),
        ])
    func ceilings(limit: String, isFine: Bool) throws {
        var limits = RuleLimits()
        limits.quotas = QuotaCeilings(each: ["sms": ["5/15m", "40/1d"].compactMap { QuotaLimit($0) }])
        let text = """
            version: 1
            workspace: vision
            contacts: {alice: {phone: "+8613800000001", quota: {sms: [\(limit)]}}}
            rules:
              - {name: own, events: [job.failed], notify: [{sms: [alice]}]}

            """
        let problems = RuleDocuments.load([("r.yaml", text)], limits: limits).problems
        #expect(problems.isEmpty == isFine, "\(problems)")
    }

    @Test("so is what an endpoint wants beyond the ceiling of its kind")
    func endpoints() {
        var limits = RuleLimits()
        limits.quotas = QuotaCeilings(each: ["slack": ["1/1s"].compactMap { QuotaLimit($0) }])
        let text = """
            version: 1
            workspace: vision
            endpoints:
              a: {kind: slack, url: {secret: s}, quota: [1/2s]}
              b: {kind: slack, url: {secret: s}, quota: [30/1m, 90/1m]}
              c: {webhook: "https://x.example/", quota: [900/1m]}
            rules:
              - {name: own, events: [job.failed], notify: [a, b, c]}

            """
        let problems = RuleDocuments.load([("r.yaml", text)], limits: limits).problems
        #expect(
            problems.map(\.description) == [
                "r.yaml:5:53: 90/1m is more than the deployment's 1/1s of slack; a document may only lower it"
            ])
    }
}
