import CarillonEvents
import CarillonRules
import Testing

@Suite("Offer: a rule names only what the admin switched on", .timeLimit(.minutes(5)))
struct OfferTests {
    private static func selectors(_ texts: String...) -> [EventSelector] { texts.compactMap { try? EventSelector($0) } }

    private func problems(_ offer: ChannelOffer, events: String = "[job.failed]") -> [String] {
        RuleDocuments.load([("f.yaml", document(events: events))], limits: RuleLimits(offer: offer)).problems
            .map { String($0.description.dropFirst("f.yaml:".count)) }
    }

    @Test("a channel that is not offered is refused where the rule names it, with the reason and what there is")
    func refused() {
        #expect(problems(.everything).isEmpty)
        #expect(problems(ChannelOffer(["webhook": .init()])).isEmpty)
        #expect(
            problems(ChannelOffer(["slack": .init(), "inbox": .init()]))
                == ["8:14: channel webhook is not offered here; offered: inbox, slack"])
        let off = ChannelOffer([:], reasons: ["webhook": "is switched off (channels.webhook.enabled)"])
        #expect(
            problems(off) == ["8:14: channel webhook is switched off (channels.webhook.enabled); offered: "])
    }

    @Test(
        "events that may never use a channel are an error, events of which some may are a warning",
        arguments: [
            ("[job.failed]", ["job.*"], nil), ("[job.*]", ["job.*"], nil), ("[job.failed]", ["*.failed"], nil),
            ("[job.finished]", ["job.failed", "job.succeeded"], nil), ("[job.failed]", ["job.finished"], nil),
            ("[job.failed]", ["node.*"], "only node.* may use channel webhook, and this rule's job.failed may not"),
            (
                "[job.failed, model.approved]", ["job.*"],
                "only job.* may use channel webhook, and this rule's model.approved may not"
            ),
            ("[job.a.b]", ["job.*"], "only job.* may use channel webhook, and this rule's job.a.b may not"),
            (
                "[job.*]", ["job.failed", "job.hung"],
                "warning: only job.failed, job.hung may use channel webhook: others of job.* will not be sent over it"
            ),
            (
                "[job.finished]", ["job.failed"],
                "warning: only job.failed may use channel webhook: others of job.finished will not be sent over it"
            ),
            (
                "[\"*.failed\"]", ["job.*"],
                "warning: only job.* may use channel webhook: others of *.failed will not be sent over it"
            ),
        ] as [(String, [String], String?)])
    func events(wanted: String, allowed: [String], problem: String?) {
        let terms = ChannelOffer.Terms(events: allowed.compactMap { try? EventSelector($0) })
        #expect(
            problems(ChannelOffer(["webhook": terms]), events: wanted)
                == [problem.map { "8:14: \($0)" }].compactMap(\.self))
    }

    @Test(
        "an event's region is data.region, or a segment of its source",
        arguments: [
            (#""data":{"region":"cn-hangzhou"}"#, "/x", true), (#""data":{"region":"cn-beijing"}"#, "/x", false),
            (#""data":{"region":"cn-beijing"}"#, "/cn-hangzhou/x", false), (#""data":{}"#, "/s/cn-hangzhou/a", true),
            (#""data":{}"#, "/s/cn-hangzhou-2/a", false), (#""data":{"region":7}"#, "/cn-hangzhou", false),
            (#""data":"cn-hangzhou""#, "/x", false), (#""subject":"cn-hangzhou""#, "/x", false),
        ])
    func regions(member: String, source: String, isAllowed: Bool) throws {
        let text = Array(
            #"{"specversion":"1.0","id":"1","source":"\#(source)","type":"job.failed","workspace":"w",\#(member)}"#.utf8
        )
        let outline = try CloudEvents.outline(text.span)
        let offer = ChannelOffer(["sms": .init(regions: ["cn-hangzhou"]), "mail": .init()])
        let (sms, mail) = (
            offer.allows("sms", type: "job.failed", outline, in: text.span),
            offer.allows("mail", type: "job.failed", outline, in: text.span)
        )
        #expect(sms == isAllowed && mail)
        #expect(!offer.isFree && ChannelOffer(["mail": .init()]).isFree)
    }
}
