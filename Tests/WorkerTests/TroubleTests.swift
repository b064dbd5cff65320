import CarillonEvents
import CarillonKit
import CarillonWorker
import Testing

@Suite("Breaker: shut after failures, one probe at a time, open with the first answer", .timeLimit(.minutes(1)))
struct BreakerTests {
    @Test("five failures in a row open it, and an answer between them does not let them add up")
    func inARow() {
        var (breaker, random) = (Breaker(.init()), SplitMix(seed: 7))
        func fail() -> Bool { breaker.failed(at: .zero, using: &random) }
        for _ in 0..<4 { #expect(fail() == false) }
        let closed = breaker.answered()
        #expect(closed == false)
        for _ in 0..<4 { #expect(fail() == false) }
        #expect(fail() == true)
        #expect(breaker.state != .closed)
        #expect(fail() == false, "what was on the wire is no news")
    }

    @Test("one that fails half of the time stays, one that fails most of the time does not", arguments: [2, 4])
    func ratio(answersEvery: Int) {
        var (breaker, random) = (Breaker(.init()), SplitMix(seed: 1))
        var opened = false
        for number in 1...64 where !opened {
            if number % answersEvery == 0 {
                _ = breaker.answered()
            } else {
                opened = breaker.failed(at: .zero, using: &random)
            }
        }
        #expect(opened == (answersEvery == 4))
    }

    @Test("while it is open probes are at most a second apart, and never two at once", arguments: UInt64(1)...20)
    func probes(seed: UInt64) {
        var (breaker, random) = (Breaker(.init()), SplitMix(seed: seed))
        var now = Duration.seconds(100)
        for _ in 0..<5 { _ = breaker.failed(at: now, using: &random) }
        for _ in 0..<30 {
            guard case .open(let probeAt) = breaker.state else {
                Issue.record("\(breaker.state)")
                return
            }
            #expect(probeAt > now && probeAt <= now + .seconds(1), "seed \(seed)")
            now = probeAt
            breaker.probe()
            #expect(breaker.state == .probing)
            breaker.probeFailed(at: now, using: &random)
        }
        breaker.probe()
        let closed = breaker.answered()
        #expect(closed && breaker.state == .closed && breaker.isWell)
    }
}

@Suite("Limiter: rests as long as it is asked to, then finds the rate", .timeLimit(.minutes(1)))
struct LimiterTests {
    @Test("nothing is sent before the receiver's wish is over")
    func wish() {
        var limiter = Limiter()
        limiter.complained(at: .seconds(10), wish: .seconds(30))
        let (before, next) = (limiter.free(at: .seconds(39)), limiter.next(at: .seconds(39)))
        let after = limiter.free(at: .seconds(40))
        #expect((before, next) == (0, .seconds(40)) && after == 1)
    }

    @Test("many complaints of one moment are one")
    func together() {
        var (one, many) = (Limiter(), Limiter())
        one.complained(at: .seconds(1), wish: nil)
        for _ in 0..<50 { many.complained(at: .seconds(1), wish: nil) }
        #expect(one.rate == many.rate && one.restsUntil == many.restsUntil)
    }

    @Test("against a receiver that takes five a second it comes to send about that, and is refused seldom")
    func converges() {
        var limiter = Limiter()
        limiter.complained(at: .zero, wish: nil)
        var (taken, refused, inSecond, second): (Int, Int, Int, Int64) = (0, 0, 0, 0)
        for tick in 1...60_000 {
            let now = Duration.milliseconds(tick * 10)
            let this = Int64(tick / 100)
            if this != second { (second, inSecond) = (this, 0) }
            guard limiter.free(at: now) > 0 else { continue }
            limiter.take()
            inSecond += 1
            if inSecond > 5 {
                refused += 1
                limiter.complained(at: now, wish: nil)
            } else {
                taken += 1
                limiter.answered(at: now)
            }
        }
        #expect((900...3000).contains(taken), "\(taken) in 600 seconds")
        #expect(refused * 4 < taken, "\(refused) of \(taken) were refused")
    }
}

@Suite("Named retry schedules have the delays their names promise", .timeLimit(.minutes(1)))
struct NamedScheduleTests {
    private let now = Timestamp(milliseconds: 1_767_600_000_000)

    private func delays(_ name: RetrySchedule.Name) -> [Duration] {
        var random = SplitMix(seed: 3)
        let schedule = RetrySchedule(name)
        var (at, delays): (Timestamp, [Duration]) = (now, [])
        for attempts in 1...1000 {
            guard
                let next = schedule.next(
                    after: attempts, roundBegan: now, now: at, using: &random)
            else { break }
            delays.append(next - at)
            at = next
        }
        return delays
    }

    @Test("EventBridge's decay: 1 to 256, then 512 seconds 167 times, a day in all")
    func decay() {
        let found = delays(.exponentialDecay)
        #expect(found == (0..<9).map { .seconds(1 << $0) } + Array(repeating: .seconds(512), count: 167))
        #expect(found.reduce(.zero, +) == .seconds(86_015))
    }

    @Test("EventBridge's backoff: three of 10 to 20 seconds")
    func backoff() {
        let found = delays(.backoff)
        #expect(found.count == 3 && found.allSatisfy { (.seconds(10) ... .seconds(20)).contains($0) })
    }

    @Test("Standard Webhooks' example: nine in three days")
    func standard() {
        var sum = Duration.zero
        let reached = delays(.standardWebhooks).map { delay in
            sum += delay
            return sum
        }
        #expect(reached == [5, 305, 2105, 9305, 27_305, 63_305, 113_705, 185_705, 272_105].map { .seconds($0) })
    }
}

@Suite("Lanes that hang leave places to the others", .timeLimit(.minutes(1)))
struct CrowdedLanesTests {
    private let hook = endpoint("http://127.0.0.1/")

    @Test("one that hangs takes half, two a third each, and many leave some", arguments: [1, 2, 10, 60])
    func share(hanging: Int) {
        var lanes = Lanes(perLane: 256, places: 256)
        for lane in 1...hanging {
            for id in 0..<256 { lanes.add(outgoing(hook, id: Int64(lane * 1000 + id), lane: Int64(lane))) }
        }
        lanes.add(outgoing(hook, id: 1, lane: 999))
        var (onWire, isHealthyThere) = (0, false)
        while let next = lanes.next() {
            onWire += 1
            if next.lane == 999 { isHealthyThere = true }
        }
        #expect(isHealthyThere && onWire <= 256 * (hanging + 1) / (hanging + 2) + hanging + 1)
        #expect(onWire < 256)
    }

    @Test("what is withdrawn of one lane leaves the others as they were")
    func withdrawn() {
        var lanes = Lanes(perLane: 4)
        for (id, lane) in [(1, 1), (2, 1), (3, 2), (4, 1)] as [(Int64, Int64)] {
            lanes.add(outgoing(hook, id: id, lane: lane))
        }
        let first = lanes.next()?.delivery
        let withdrawn = lanes.removeWaiting(of: 1).map(\.delivery)
        #expect(first == 1 && withdrawn == [2, 4])
        lanes.add(outgoing(hook, id: 5, lane: 1))
        var rest: [Int64] = []
        while let next = lanes.next() { rest.append(next.delivery) }
        #expect(rest.sorted() == [3, 5])
    }
}
