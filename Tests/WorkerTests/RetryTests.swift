import CarillonEvents
import CarillonKit
import CarillonWorker
import Testing

@Suite("Retry schedule: full jitter inside its span, and an end")
struct RetryTests {
    private let began = Timestamp(milliseconds: 1_767_600_000_000)

    @Test("spans double from the first to the widest, however many tries there were")
    func spans() {
        let schedule = RetrySchedule()
        #expect((1...9).map { schedule.span(after: $0).components.seconds } == [5, 10, 20, 40, 80, 160, 320, 600, 600])
        #expect(schedule.span(after: 10_000_000) == .seconds(600))
        #expect(schedule.span(after: .max) == .seconds(600))
        #expect(RetrySchedule(first: .zero).span(after: 5) == .zero)
        #expect(RetrySchedule(first: .seconds(900)).span(after: 1) == .seconds(600))
        #expect(RetrySchedule(factor: 1).span(after: 1000) == .seconds(5))
    }

    @Test(
        "the next try lies in the promised span, behind the receiver's wish, and inside the round",
        arguments: UInt64(1)...300)
    func nextStaysInSpan(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let schedule = RetrySchedule(
            first: .milliseconds(Int64.random(in: 0...20_000, using: &random)),
            factor: Double.random(in: 1...4, using: &random),
            max: .milliseconds(Int64.random(in: 0...900_000, using: &random)),
            giveUpAfter: .milliseconds(Int64.random(in: 0...100_000_000, using: &random)))
        let attempts = Int.random(in: 1...80, using: &random)
        let now = began + .milliseconds(Int64.random(in: -5_000...100_000_000, using: &random))
        let upper = schedule.span(after: attempts)
        #expect(schedule.span(after: attempts) <= schedule.max, "seed \(seed)")
        if let at = schedule.next(after: attempts, roundBegan: began, now: now, using: &random) {
            #expect(at >= now && at - now <= upper, "seed \(seed)")
            #expect(at - began <= schedule.giveUpAfter, "seed \(seed)")
        } else {
            #expect((now + upper) - began > schedule.giveUpAfter, "seed \(seed)")
        }
    }

    @Test("the whole span is used, not its end")
    func jitterIsFull() {
        var random = SplitMix(seed: 1)
        var delays: [Int64] = []
        for _ in 1...1000 {
            let at = RetrySchedule().next(after: 8, roundBegan: began, now: began, using: &random)
            delays.append(((at ?? began) - began).milliseconds)
        }
        for tenth in 0..<10 { #expect(delays.contains { $0 / 60_000 == tenth || $0 == 600_000 && tenth == 9 }) }
    }

    /// The delays between tries when every one fails and none is disturbed.
    private func delays(_ schedule: RetrySchedule, seed: UInt64 = 1) -> [Int64] {
        var random = SplitMix(seed: seed)
        var (now, delays) = (began, [Int64]())
        while let at = schedule.next(
            after: delays.count + 1, roundBegan: began, now: now, using: &random)
        {
            delays.append((at - now).milliseconds)
            now = at
        }
        return delays
    }

    @Test("EXPONENTIAL_DECAY_RETRY: 1 s doubled to 512 s, 176 retries, 86,015 s in all")
    func exponentialDecay() {
        let delays = delays(RetrySchedule(.exponentialDecay))
        #expect(delays.prefix(9).map { $0 / 1000 } == [1, 2, 4, 8, 16, 32, 64, 128, 256])
        #expect(delays.dropFirst(9).allSatisfy { $0 == 512_000 } && delays.count == 176)
        #expect(delays.reduce(0, +) == 86_015_000)
    }

    @Test("BACKOFF_RETRY: three retries, each after 10 to 20 s", arguments: UInt64(1)...50)
    func backoff(seed: UInt64) {
        let delays = delays(RetrySchedule(.backoff), seed: seed)
        #expect(delays.count == 3 && delays.allSatisfy { (10_000...20_000).contains($0) }, "seed \(seed)")
    }

    @Test("the example of Standard Webhooks: ten tries in 75:35:05")
    func standardWebhooks() {
        var at: Int64 = 0
        let moments = delays(RetrySchedule(.standardWebhooks)).map { delay in
            at += delay / 1000
            return at
        }
        #expect(moments == [5, 305, 2105, 9305, 27_305, 63_305, 113_705, 185_705, 272_105])
    }

    @Test("a round that is over is given up, and one reopened later begins anew with the old count")
    func givesUp() {
        var random = SplitMix(seed: 2)
        let late = began + .seconds(86_401)
        #expect(RetrySchedule().next(after: 3, roundBegan: began, now: late, using: &random) == nil)
        #expect(RetrySchedule().next(after: 160, roundBegan: late, now: late, using: &random) != nil)
    }
}
