import CarillonEvents
import CarillonRules
import Testing

private func peopleDocument(
    contact: String = "{mail: alice@example.com, aliases: [u10023]}", groups: String = "{}",
    notify: String = "[{mail: [$owner]}]", more: String = ""
) -> String {
    """
    version: 1
    workspace: vision
    contacts:
      alice: \(contact)
      wei: {phone: "+8613800000001", aliases: [w1], mail: WEI@example.com}
    groups: \(groups)
    rules:
      - name: failures
        events: [job.failed]
        notify: \(notify)
    \(more)
    """
}

@Suite("People: contacts and groups are checked, and rules reach them", .timeLimit(.minutes(5)))
struct PeopleTests {
    @Test("what a contact says is checked", arguments: DocumentCase.contacts)
    func contacts(fact: DocumentCase) { #expect(problems(peopleDocument(contact: fact.text)) == fact.problems) }

    @Test("what groups say, and whom a rule tells, is checked", arguments: DocumentCase.groups)
    func groups(fact: DocumentCase) throws {
        let parts = fact.text.split(separator: " | ")
        #expect(
            problems(peopleDocument(groups: String(parts[0]), notify: String(try #require(parts.last))))
                == fact.problems)
    }

    @Test("a target is channel/contact; groups are expanded, each contact once on a channel")
    func targets() throws {
        let rules = try #require(
            try workspaces(
                peopleDocument(
                    groups: "{all: [oncall, alice], oncall: [wei]}",
                    notify: "[{mail: [alice, all, $owner]}, {sms: [oncall]}]")
            ).first)
        let rule = rules.rules[0]
        #expect(rule.targets == ["mail/alice", "mail/wei", "sms/wei"] && rule.ownerChannels == [.mail])
        #expect(rule.units == 4 && rule.notifies == ["mail/alice", "mail/wei", "sms/wei", "mail/$owner"])
        #expect(
            rules.livingTargets == [
                "failures": ["mail/alice", "mail/wei", "sms/wei"],
                Rule.withheld.identity: ["mail/alice", "mail/wei"],
            ])
        let reach = try #require(rules.reach("mail/wei"))
        #expect(reach.address == "WEI@example.com" && reach.contact.name == "wei" && reach.channel == .mail)
        #expect(rules.reach("sms/alice") == nil && rules.reach("mail/nobody") == nil && rules.reach("hook") == nil)
    }

    @Test("an owner is a contact by name or alias, and nobody else")
    func owners() throws {
        let rules = try #require(try workspaces(peopleDocument()).first)
        #expect(rules.owner("alice")?.name == "alice" && rules.owner("u10023")?.name == "alice")
        #expect(rules.owner("w1")?.name == "wei")
        for stranger in ["", "bob", "alice@example.com", "$owner", "ALICE", "mail/alice"] {
            #expect(rules.owner(stranger) == nil)
        }
    }

    @Test("what reaches one address is one copy, whatever the letters' case, contact or workspace")
    func copies() throws {
        let text = """
            version: 1
            workspace: WHICH
            contacts: {a: {mail: Team@Example.com, phone: "+8613800000001"}, b: {mail: team@example.com}}
            """
        let (one, other) = (text.replacing("WHICH", with: "vision"), text.replacing("WHICH", with: "'*'"))
        let (vision, all) = (try #require(try workspaces(one).first), try #require(try workspaces(other).first))
        #expect(vision.reach("mail/a")?.copy == all.reach("mail/b")?.copy)
        #expect(vision.reach("mail/a")?.copy != vision.reach("sms/a")?.copy)
        #expect(vision.reach("inbox/a")?.copy != vision.reach("inbox/b")?.copy)
        #expect(vision.reach("inbox/a")?.copy != all.reach("inbox/a")?.copy)
    }

    @Test("contacts count on every channel, endpoints too; the refusal names count and limit: V74, V75, V76")
    func units() {
        func problems(_ notify: String, _ limit: Int = 5) -> [String] {
            let text = """
                version: 1
                workspace: w
                contacts:
                  alice: {mail: alice@example.com, phone: "+8613800000001"}
                  tony: {phone: "+8613800000002"}
                  alan: {mail: alan@example.com}
                endpoints: {ding: {webhook: "https://a.example"}, wework: {webhook: "https://b.example"}}
                rules:
                  - {name: x, events: [a], notify: [{sms: [alice, tony]}, {mail: [alice, alan]}\(notify)]}
                """
            return RuleDocuments.load([("f", text)], limits: RuleLimits(targetsPerRule: limit)).problems
                .map(\.description)
        }
        #expect(problems("", 4) == [] && problems("", 3) == ["f:9:6: rule 'x' has 4 targets, the limit is 3"])
        #expect(problems(", ding") == [])
        #expect(problems(", ding, wework") == ["f:9:6: rule 'x' has 6 targets, the limit is 5"])
        #expect(problems(", ding, wework", 100) == [])
        #expect(problems(", ding, {inbox: [$owner]}") == ["f:9:6: rule 'x' has 6 targets, the limit is 5"])
    }

    @Test("a channel that the deployment does not offer is refused with whom to ask")
    func offered() {
        func problems(_ offer: ChannelOffer) -> [String] {
            RuleDocuments.load([("f", peopleDocument())], limits: RuleLimits(offer: offer)).problems
                .map(\.description)
        }
        let free = ChannelOffer.Terms()
        #expect(problems(.everything) == [] && problems(ChannelOffer(["mail": free])) == [])
        #expect(
            problems(ChannelOffer(["inbox": free, "sms": free])) == [
                "f:10:15: channel mail is not offered here; offered: inbox, sms"
            ])
    }

    @Test("people of several files are one workspace's; a name stands once")
    func merged() {
        let first = "version: 1\nworkspace: w\ncontacts: {alice: {mail: a@b.co}}\n"
        let second = "version: 1\nworkspace: w\ngroups: {all: [alice]}\n"
        #expect(RuleDocuments.load([("1", second), ("2", first)]).problems == [])
        #expect(
            RuleDocuments.load([("1", first), ("2", second), ("3", first)]).problems.map(\.description) == [
                "3:3:12: contact 'alice' stands already at 1:3"
            ])
    }

    @Test("a contact nobody has confirmed is told, with a warning")
    func verified() throws {
        let text = peopleDocument(contact: "{mail: alice@example.com, verified: false}", notify: "[{mail: [alice]}]")
        #expect(problems(text) == ["10:22: warning: contact 'alice' is not verified; it is told all the same"])
        #expect(try workspaces(text).first?.contacts["alice"]?.isVerified == false)
    }

    @Test("what is in force is taken by a machine that lacks the zone, without the quiet hours")
    func lackingZone() throws {
        let text = peopleDocument(contact: "{mail: a@b.co, zone: Mars/Olympus, quiet: '22:00-07:00'}")
        var limits = RuleLimits()
        limits.areApplied = true
        let loaded = RuleDocuments.load([("f", text)], limits: limits)
        #expect(loaded.problems.map(\.isWarning) == [true])
        let alice = try #require(loaded.workspaces.first?.contacts["alice"])
        #expect(alice.mail == "a@b.co" && alice.quiet == nil)
    }

    @Test("an endpoint cannot pass for a person")
    func endpoints() {
        let text = peopleDocument(more: "endpoints: {mail/alice: {webhook: 'https://x.example'}}")
        #expect(
            problems(text) == [
                "11:13: an endpoint's name does not begin with 'mail/', as targets do that are people"
            ])
    }

    @Test("apply tells what changes about people, and no address")
    func difference() throws {
        let old = try workspaces(peopleDocument(groups: "{oncall: [alice]}")).first
        let contact = "{mail: other@example.com, aliases: [u1], zone: Asia/Shanghai, quiet: '22:00-7:05'}"
        let new = try workspaces(
            peopleDocument(contact: contact, groups: "{all: [wei]}", notify: "[{mail: [wei]}]")
        ).first
        #expect(
            RuleDifference.between(old: old, new: new) == [
                "~ contact alice: mail changed; zone none → Asia/Shanghai; quiet none → 22:00-07:05; aliases +u1 -u10023",
                "+ group all", "- group oncall", "~ rule failures: notify +mail/wei -mail/$owner",
            ])
        #expect(RuleDifference.between(old: nil, new: old).first == "+ contact alice")
    }

    @Test("hostile people are refused quickly", arguments: [1, 2, 3])
    func hostile(kind: Int) {
        let many = (0..<3000).map { "g\($0)" }
        let text =
            switch kind {
            case 1: "groups: {" + many.map { "\($0): [\($0)x, g\(many.count - 1)]" }.joined(separator: ", ") + "}"
            case 2: "groups: {" + (0..<3000).map { "g\($0): [g\($0 + 1)]" }.joined(separator: ", ") + "}"
            default:
                "contacts: {" + many.map { "\($0): {}" }.joined(separator: ", ") + "}\ngroups: {all: ["
                    + many.joined(separator: ", ") + "]}"
            }
        let loaded = RuleDocuments.load([("f", "version: 1\nworkspace: w\n\(text)\n")])
        #expect(loaded.workspaces.isEmpty && !loaded.problems.isEmpty && loaded.problems.count <= 1001)
    }
}
