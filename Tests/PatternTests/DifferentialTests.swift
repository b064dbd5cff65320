import CarillonEvents
import CarillonKit
import CarillonRules
import Testing

@Suite("Patterns: the compiled matcher is the naive one", .timeLimit(.minutes(10)))
struct DifferentialTests {
    /// 250 seeds of 20 patterns and 40 events, half of them odd: 200,000 pairs, each pattern alone and with its neighbours.
    @Test("a pattern fits what a naive reading says, alone and among others", arguments: UInt64(1)...250)
    func pairs(seed: UInt64) throws {
        var make = Generator(random: SplitMix(seed: seed), isOdd: seed % 2 == 0)
        var scratch = MatchScratch()
        let patterns = (0..<20).map { _ in make.pattern() }
        let texts = patterns.map { make.json($0) }
        let alone = try texts.map { text throws(Unread) in
            do throws(PatternError) { return try CompiledPattern(text) } catch {
                throw Unread(seed: seed, pattern: text, error: error)
            }
        }
        var fitting = 0
        let together = try CompiledPatterns(texts)
        for _ in 0..<40 {
            let event = make.chance(4) ? make.event() : make.event(near: make.pick(patterns))
            let text = make.json(event)
            let bytes = Array(text.utf8)
            let expected = patterns.indices.filter { Naive.matches(patterns[$0], event) }
            let found = alone.indices.filter { alone[$0].matches(bytes.span, using: &scratch) }
            for place in Set(expected).symmetricDifference(found) {
                Issue.record(
                    "seed \(seed): \(texts[place]) and \(text): \(expected.contains(place) ? "fits" : "does not fit")")
            }
            fitting += expected.count
            var hits: [Int] = []
            together.match(bytes.span, into: &hits, using: &scratch)
            #expect(hits == found, "seed \(seed): together, on \(text)")
        }
        #expect((8...792).contains(fitting), "seed \(seed): a suite in which nothing or everything fits tells little")
    }

    struct Unread: Error {
        let seed: UInt64
        let pattern: String
        let error: PatternError
    }
}
