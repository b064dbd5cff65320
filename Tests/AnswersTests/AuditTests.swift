import CarillonAnswers
import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonWorker
import Testing

@Suite("Audit: a window adds up, and a receiver's log is compared", .timeLimit(.minutes(2)))
struct AuditTests {
    @Test("the law holds in each hour; missing, extra and copies are told")
    func receiver() throws {
        let house = try House()
        try house.apply("  - {name: failures, events: [job.failed], notify: [hook]}")
        let start = house.now
        for hour in 0..<3 {
            try house.publish(
                (0..<10).map {
                    SampleEvent(workspace: "vision", id: "\(hour)/\($0)", subject: "s\($0)", time: house.now)
                })
            try house.work()
            house.clock.advance(by: .seconds(3_600))
        }
        let auditor = Auditor(ledger: try house.ledger())
        var counts: [Key: Int] = [:]
        for text in house.receiver.received { counts[try #require(Key(text)), default: 0] += 1 }
        let clean = try auditor.audit(since: start, until: house.now, received: ReceivedCounts(counts), now: house.now)
        #expect(clean.law.residue == [] && clean.law.selected == 30 && clean.law.notified == 30 && !clean.isMoving)
        #expect(clean.comparison?.both == 30 && clean.comparison?.copies == 0 && clean.comparison?.missing == 0)
        let one = try auditor.audit(
            since: start + .seconds(3_600), until: start + .seconds(3_700), received: nil, now: house.now)
        #expect(one.law.read == 10 && one.law.deliveries == ["delivered": 10])
        let lost = try #require(counts.keys.first)
        counts[lost] = nil
        counts[try #require(counts.keys.first)] = 3
        counts[Key(high: 1, low: 2)] = 1
        let found = try auditor.audit(since: start, until: house.now, received: ReceivedCounts(counts), now: house.now)
        #expect(found.comparison?.missing == 1 && found.comparison?.extra == 1 && found.comparison?.copies == 2)
        #expect(found.comparison?.lines.contains { $0.hasPrefix(lost.description) } == true)
    }
}
