import CarillonKit
import CarillonLedger
import Testing

@Suite("Simulation: any seed keeps the promises, and a planted bug does not stay hidden", .timeLimit(.minutes(20)))
struct SimulationTests {
    @Test("whatever dies, pauses or fails, what is owed arrives, in order, and every copy has its reason")
    func promises() {
        var total = Outcomes()
        for seed in UInt64(1)...1000 {
            let outcomes = run(seed)
            total.events += outcomes.events
            total.deliveries += outcomes.deliveries
            total.copies += outcomes.copies
            total.silenced += outcomes.silenced
            total.deaths += outcomes.deaths
            total.digests += outcomes.digests
            guard outcomes.violations.isEmpty else {
                let story = outcomes.story.joined(separator: "\n")
                Issue.record("seed \(seed): \(outcomes.violations.prefix(5))\n\(story)")
                return
            }
        }
        print(
            "simulation: 1000 seeds, \(total.events) events, \(total.deliveries) deliveries, \(total.copies) copies, "
                + "\(total.silenced) suppressed, \(total.digests) digests, \(total.deaths) deaths")
        #expect(
            total.deaths > 1000 && total.copies > 100 && total.silenced > 500 && total.digests > 500,
            "the simulation has become too kind to find anything")
    }

    @Test("one seed is one story, however often it is told", arguments: UInt64(1)...3)
    func deterministic(seed: UInt64) {
        let (first, second) = (run(seed), run(seed))
        #expect(first.story == second.story)
        #expect((first.copies, first.deaths) == (second.copies, second.deaths))
    }

    @Test("a planted bug is found", arguments: PlantedBug.allCases)
    func plantedBug(bug: PlantedBug) {
        let found = (UInt64(1)...60).first { seed in !run(seed, bug: bug).violations.isEmpty }
        #expect(found != nil, "sixty seeds did not notice \(bug)")
    }

    private func run(_ seed: UInt64, bug: PlantedBug? = nil) -> Outcomes {
        do { return try World(seed: seed, bug: bug).run() } catch {
            return Outcomes(violations: ["the world did not begin: \(error)"])
        }
    }
}
