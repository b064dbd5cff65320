import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonWorker
import Foundation
import Testing

@Suite("Groups of events are told in few messages that count right", .timeLimit(.minutes(2)))
struct GroupTests {
    private static let people = "contacts: {alice: {mail: alice@example.com}, wei: {mail: wei@example.com}}"
    private static let rule = """
        {name: own, events: [job.failed], group: {by: [workspace], wait: 1m, every: 30m}, notify: [{mail: [$owner]}]}
        """

    @Test("a storm is one message at the open and one each every, for each owner of their own events alone")
    func storm() throws {
        let bed = try PeopleBed(Self.people, Self.rule)
        for number in 0..<60 { try bed.publish("job-\(number)", owner: number % 3 == 0 ? "wei" : "alice") }
        #expect(try bed.run().isEmpty, "they wait for company")
        bed.clock.advance(by: .seconds(60))
        let first = try bed.run()
        #expect(
            Set(first.map { "\($0.endpoint.name) \($0.notice.title)" }) == [
                "mail/alice vision: 40 events", "mail/wei vision: 20 events",
            ])
        let alice = try #require(first.first { $0.endpoint.name == "mail/alice" }?.notice)
        let lines = alice.message.split(separator: "\n")
        #expect(
            lines.first?.hasPrefix("vision: 40 events since ") == true && lines.first?.hasSuffix(", 40 failed") == true)
        #expect(lines.count == 12 && lines[1] == "- job-1 job.failed" && lines.last == "and 30 more")
        bed.clock.advance(by: .seconds(1700))
        try bed.publish("late", owner: "alice")
        #expect(try bed.run().isEmpty)
        bed.clock.advance(by: .seconds(100))
        let second = try bed.run().map(\.notice)
        #expect(second.map(\.title) == ["late job.failed"], "of one event it says what it would say without a group")
        #expect(second.first?.message.hasSuffix("; 41 in all\n- late job.failed") == true)
        bed.clock.advance(by: .seconds(1900))
        #expect(try bed.run().isEmpty)
        #expect(try bed.residue() == [])
    }

    @Test("a webhook has the newest event, the group and some of its events beside it")
    func body() throws {
        let bed = try PeopleBed(Self.people, Self.rule)
        for number in 0..<12 { try bed.publish("job-\(number)", owner: "alice") }
        let since = (bed.clock.now() + .milliseconds(21)).rfc3339  // the second turn decides
        #expect(try bed.run().isEmpty)
        bed.clock.advance(by: .seconds(60))
        let outgoing = try #require(bed.run().first)
        let body = try WebhookChannel().request(for: outgoing, now: bed.clock.now()).body
        try JSON.check(body.span)
        let text = String(decoding: body, as: UTF8.self)
        let group =
            #""group":{"name":"vision","size":12,"failed":12,"suppressed":0,"total":12,"number":1,"since":"\#(since)"}"#
        let parts = text.components(separatedBy: "," + group + #","events":["#)
        #expect(parts.count == 2, "\(text)")
        let subjects = (parts.last ?? "").components(separatedBy: #""subject":""#).dropFirst().map {
            $0.prefix { $0 != "\"" }
        }
        #expect(subjects == [0, 1, 2, 5, 6, 7, 8, 9, 10, 11].map { "job-\($0)" })
        #expect(outgoing.notice.subject == "job-11")
    }

    @Test("texts that speak of the group are rendered once, with its counts and its events")
    func texts() throws {
        let bed = try PeopleBed(
            Self.people,
            """
            {name: own, events: [job.failed], group: {by: [data.owner], wait: 0s}, notify: [{mail: [alice]}],
                title: "{{ group.size }} of {{ group.name }}",
                message: "{% for event in events %}{{ event.subject }} {% endfor %}{{ group.failed }}"}
            """)
        for number in 0..<3 { try bed.publish("job-\(number)", owner: "bob") }
        let arrived = try bed.run().map(\.notice)
        #expect(arrived.map(\.title) == ["3 of bob"] && arrived.map(\.message) == ["job-0 job-1 job-2 3"])
    }

    @Test("what a group has to say in quiet hours waits for their end")
    func quiet() throws {
        // The world begins at 08:00 UTC.
        let bed = try PeopleBed(
            "contacts: {alice: {mail: alice@example.com, zone: UTC, quiet: \"08:01-08:30\"}}", Self.rule)
        try bed.publish("a", owner: "alice")
        #expect(try bed.run().isEmpty)
        bed.clock.advance(by: .seconds(60))
        #expect(try bed.run().isEmpty)
        #expect(try bed.ledger.deliveries(DeliveryFilter(state: .pending)).map(\.reason) == ["quiet_hours"])
        bed.clock.advance(by: .seconds(1740))
        #expect(try bed.run().map(\.notice.subject) == ["a"])
        #expect(try bed.residue() == [])
    }
}
