import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonWorker
import Synchronization
import Testing

@Suite("Endpoints: each is tried again as its document says", .timeLimit(.minutes(1)))
struct RetryTermsTests {
    struct Fact: CustomTestStringConvertible, Sendable {
        /// What the document says.
        let terms: String
        /// The shortest and the longest wait after each failure, in seconds.
        let waits: [ClosedRange<Int64>]
        var isDeadThen = false
        var testDescription: String { terms }
    }

    static let facts = [
        Fact(terms: "", waits: [0...5, 0...10, 0...20]),
        Fact(terms: "retry: {first: 40s}", waits: [0...40, 0...80, 0...160]),
        Fact(terms: "retry: {first: 20m}", waits: [0...1200, 0...1200]),
        Fact(terms: "retry: {first: 100s, factor: 1, max: 100s}", waits: [0...100, 0...100, 0...100]),
        Fact(terms: "retry: {factor: 100, max: 1m}", waits: [0...5, 0...60, 0...60]),
        Fact(terms: "retry: {first: 1h, max: 1h, give_up_after: 1s}", waits: [], isDeadThen: true),
        Fact(terms: "retry: BACKOFF_RETRY", waits: [10...20, 10...20, 10...20], isDeadThen: true),
        Fact(terms: "retry: EXPONENTIAL_DECAY_RETRY", waits: [1...1, 2...2, 4...4]),
        Fact(terms: "retry: STANDARD_WEBHOOKS", waits: [5...5, 300...300, 1800...1800]),
    ]

    @Test("what its document leaves out is the deployment's", arguments: facts)
    func terms(fact: Fact) throws {
        let own = fact.terms.isEmpty ? "" : ", " + fact.terms
        let bed = try PeopleBed(
            "endpoints: {hook: {webhook: \"https://x.example/\"\(own)}}",
            "{name: own, events: [job.failed], notify: [hook]}")
        bed.courier.isFailing.withLock { $0 = true }
        try bed.publish("a")
        for (number, wait) in fact.waits.enumerated() {
            let row = try next(bed)
            #expect(row.state == .pending && row.attempts == number + 1)
            let due = try #require(row.dueAt)
            // What is settled is written a few turns after it ended.
            let waited = due - (try lastTry(bed, row))
            #expect((wait.lowerBound * 1000 - 200...wait.upperBound * 1000).contains(waited), "\(waited) ms")
            bed.clock.advance(by: max(.zero, Timestamp(milliseconds: due) - bed.clock.now()))
        }
        if fact.isDeadThen { #expect(try next(bed).state == .dead) }
        #expect(try bed.residue() == [])
    }

    private func next(_ bed: PeopleBed) throws -> DeliveryRow {
        _ = try bed.run(turns: 4)
        return try #require(try bed.ledger.deliveries(DeliveryFilter()).first)
    }

    private func lastTry(_ bed: PeopleBed, _ row: DeliveryRow) throws -> Int64 {
        try #require(try bed.ledger.attempts(of: row.id).last).at
    }
}
