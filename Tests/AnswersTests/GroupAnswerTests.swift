import CarillonAnswers
import CarillonEvents
import CarillonKit
import CarillonLedger
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

    private func line(_ house: House, _ subject: String) throws -> RuleLine? {
        try house.explain(ExplainQuestion(about: .subject(subject), since: house.now - .seconds(600)))
            .events.first?.rules.first
    }
}
