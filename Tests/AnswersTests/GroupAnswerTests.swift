import CarillonAnswers
import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonStreamSQLite
import CarillonWorker
import Testing

@Suite("Explaining groups", .timeLimit(.minutes(1)))
struct GroupAnswerTests {
    @Test("an event says which group it joined, and with which delivery it went out")
    func joined() throws {
        let house = try House()
        try house.apply(
            "  - {name: failures, events: [job.failed], group: {by: [workspace], wait: 1m, every: 5m}, notify: [hook]}")
        for id in ["a", "b"] {
            try house.publish([
                SampleEvent(
                    workspace: "vision", id: id, type: "job.failed", subject: "job-\(id)", time: house.now, data: "")
            ])
        }
        try house.work()
        let waiting = try #require(try line(house, "job-a"))
        #expect(waiting.groups.map(\.name) == ["vision"] && waiting.groups.first?.told == nil)
        #expect(waiting.groups.first?.due == house.now + .seconds(60) && waiting.deliveries.isEmpty)
        house.clock.advance(by: .seconds(60))
        try house.work()
        let told = try #require(try line(house, "job-a"))
        #expect(told.groups.first?.told?.number == 1 && told.groups.first?.told?.size == 2)
        #expect(told.deliveries.map(\.row.state) == [.delivered])
        #expect(told.deliveries.map(\.row.key) == house.receiver.received)
        let key = try #require(house.receiver.received.first.flatMap { Key($0) })
        let own = try house.explain(ExplainQuestion(about: .delivery(key), since: house.now))
        #expect(own.events.first?.rules.first?.groups == told.groups)
        #expect(own.events.first?.rules.first?.deliveries.map(\.row.key) == house.receiver.received)
    }

    @Test(
        "an event that fell short of a threshold says how far, and what its rule sent later stands by the later event")
    func fellShort() throws {
        let house = try House()
        try house.apply(
            "  - {name: storms, events: [job.failed], after: {count: 3, within: 10m, distinct: subject}, notify: [hook]}"
        )
        for id in ["a", "b", "c"] { try house.publish([failure(id, house)]) }
        try house.work()
        let short = try #require(try line(house, "job-b"))
        #expect(short.suppressed.map(\.reason) == ["after"])
        #expect(short.suppressed.map(\.by) == ["2 of 3 different subject within 10m"] && short.deliveries.isEmpty)
        #expect(try #require(try line(house, "job-c")).deliveries.map(\.row.state) == [.delivered])
        #expect(house.receiver.received.count == 1)
    }

    @Test("what a silence held joins its group and counts when it is sent after all")
    func held() throws {
        let house = try House()
        try house.apply(
            """
              - {name: failures, events: [job.failed], group: {by: [workspace], wait: 1m, every: 5m}, notify: [hook]}
              - {name: storms, events: [job.failed], after: {count: 3, within: 10m}, notify: [room]}
            """)
        _ = try house.ledger().add(
            NewSilence(
                workspace: "vision", pattern: #"{"type":["job.failed"]}"#, comment: "rack moves",
                until: house.now + .seconds(600)), now: house.now)
        try house.publish(["a", "b", "c", "d"].map { failure($0, house) })
        try house.work()
        var question = ReplayQuestion(since: house.now - .seconds(7_200), until: house.now + .seconds(1))
        question.includesWithheld = true
        let replayer = Replayer(
            ledger: try house.ledger(), stream: try house.stream().scanner(), configuration: Worker.Configuration(),
            clock: house.clock, logger: quiet)
        _ = try replayer.run(question)
        try house.work()
        #expect(house.receiver.received.count == 2, "the third and the fourth of the storm")
        house.clock.advance(by: .seconds(60))
        try house.work()
        #expect(house.receiver.received.count == 3)
        let key = try #require(Key(house.receiver.received[2]))
        let said = try #require(house.ledger().events(.delivery(key), limit: 1).first)
        #expect(try house.ledger().memberships(of: said.number).first?.told?.size == 4)
        #expect(try house.ledger().verify(now: house.now).residue == [])
    }

    private func failure(_ id: String, _ house: House) -> SampleEvent {
        SampleEvent(
            workspace: "vision", id: id, type: "job.failed", subject: "job-\(id)", time: house.now, data: "")
    }

    private func line(_ house: House, _ subject: String) throws -> RuleLine? {
        try house.explain(ExplainQuestion(about: .subject(subject), since: house.now - .seconds(600)))
            .events.first?.rules.first
    }
}
