import CarillonAnswers
import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

@Suite("the pace of a replay", .timeLimit(.minutes(1)))
struct ReplayPaceTests {
    /// Workers that take so many deliveries a second, while the pace rests.
    private final class Floor {
        let clock = ManualClock()
        var open: Int64 = 0
        var rested = Duration.zero
        var perSecond: Int64

        init(perSecond: Int64) { self.perSecond = perSecond }

        func pace(rate: Double? = nil) -> ReplayPace {
            ReplayPace(rate: rate, clock: clock) { time in
                self.clock.advance(by: time)
                self.rested += time
                self.open = max(0, self.open - self.perSecond * time.milliseconds / 1_000)
            }
        }

        func piece(_ sent: Int, live: Int64 = 0) -> Replayer.Step {
            open += Int64(sent)
            return Replayer.Step(sent: sent, live: live, open: { self.open })
        }
    }

    @Test("stays a little ahead of workers that take what it puts on its way")
    func staysAhead() throws {
        let floor = Floor(perSecond: 10_000)
        var pace = floor.pace()
        var most: Int64 = 0
        for _ in 0..<100 {
            let step = floor.piece(2_000)
            most = max(most, floor.open)
            try pace.wait(after: step)
        }
        #expect(most <= 10_000)
        #expect(floor.rested >= .seconds(19) && floor.rested <= .seconds(21))
    }

    @Test("goes as fast as it can where nobody takes anything, and looks once whether that is so")
    func nobodyWorks() throws {
        let floor = Floor(perSecond: 0)
        var pace = floor.pace()
        for _ in 0..<100 { try pace.wait(after: floor.piece(2_000)) }
        #expect(floor.rested < .seconds(2))
    }

    @Test("waits for workers that begin later, once they overtake it")
    func workersBeginLater() throws {
        let floor = Floor(perSecond: 0)
        var pace = floor.pace()
        for _ in 0..<10 { try pace.wait(after: floor.piece(2_000)) }
        floor.perSecond = 10_000
        let before = floor.rested
        floor.open -= 5_000
        try pace.wait(after: floor.piece(2_000))
        #expect(floor.rested > before)
        #expect(floor.open <= 4_000)
    }

    @Test("what was open before it began is not its lead")
    func openBefore() throws {
        let floor = Floor(perSecond: 0)
        floor.open = 1_000_000
        var pace = floor.pace()
        for _ in 0..<3 { try pace.wait(after: floor.piece(2_000)) }
        #expect(floor.rested == .zero)
    }

    @Test("beside live reading it works a tenth of the time and sends 500 a second")
    func stepsAside() throws {
        let floor = Floor(perSecond: 100_000)
        var pace = floor.pace()
        try pace.wait(after: floor.piece(2_000, live: 1))
        #expect(floor.rested == .seconds(4))
        floor.clock.advance(by: .seconds(1))
        try pace.wait(after: floor.piece(2, live: 1))
        #expect(floor.rested == .seconds(13))
    }

    @Test("keeps to a rate that was given, whatever the workers do")
    func keepsToRate() throws {
        let floor = Floor(perSecond: 0)
        var pace = floor.pace(rate: 1_000)
        for _ in 0..<20 { try pace.wait(after: floor.piece(2_000, live: 5)) }
        #expect(floor.rested == .seconds(40))
    }
}
