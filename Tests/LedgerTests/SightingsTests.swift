import CarillonKit
import CarillonLedger
import Testing

@Suite("Thresholds: what is forgotten makes no difference", .timeLimit(.minutes(2)))
struct SightingsTests {
    private struct Event {
        let at: Int64
        let value: UInt64
        let partition: Int32
    }

    @Test("in any order, an event is judged by all that came around it", arguments: UInt64(1)...60)
    func byAll(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let within = Int64([1000, 60_000, 600_000].randomElement(using: &random) ?? 1000)
        let enough = Int.random(in: 2...6, using: &random)
        let values = UInt64.random(in: 2...40, using: &random)
        // How dense, and how far out of order: never beyond what is remembered.
        let step = Int64.random(in: 1...max(2, within / 2), using: &random)
        let lateness = random.once(in: 3) ? 0 : Int64.random(in: 0...max(within, 300_000), using: &random)
        var sightings = Sightings()
        var seen: [Event] = []
        var clock: Int64 = 1_767_600_000_000
        var wrong: [Int] = []
        for number in 0..<120 {
            clock += Int64.random(in: 0...step, using: &random)
            let event = Event(
                at: clock - Int64.random(in: 0...lateness, using: &random),
                value: .random(in: 0..<values, using: &random),
                partition: 0)
            seen.append(event)
            let best = sightings.see(event.value, at: event.at, partition: 0, enough: enough, within: within)
            let expected = oracle(event, seen, within)
            if best != min(expected, enough) { wrong.append(number) }
            // A process that reads it back knows as much.
            sightings = try #require(Sightings(bytes: sightings.bytes))
            if random.once(in: 10) { sightings.forget(enough: enough, within: within) }
        }
        #expect(wrong == [], "seed \(seed), \(enough) within \(within)")
    }

    /// The most different values in a span that holds an event, among all that were ever seen.
    private func oracle(_ event: Event, _ seen: [Event], _ within: Int64) -> Int {
        let near = seen.filter { abs($0.at - event.at) < within }
        let ends = near.map(\.at).filter { $0 >= event.at }
        return ends.map { end in Set(near.filter { $0.at <= end && end - $0.at < within }.map(\.value)).count }.max()
            ?? 0
    }

    @Test("a storm is remembered in few bytes", arguments: [2, 3, 100])
    func storm(enough: Int) {
        var sightings = Sightings()
        var most = 0
        var wrong = 0
        for number in 0..<10_000 {
            let found = sightings.see(
                UInt64(number), at: Int64(number), partition: 0, enough: enough, within: 600_000)
            if found != min(number + 1, enough) { wrong += 1 }
            most = max(most, sightings.count)
        }
        #expect(wrong == 0)
        #expect(most <= 10 * enough + 64)
    }

    @Test("of a value that comes again and again two or three times are kept")
    func sameValue() {
        var sightings = Sightings()
        var wrong = 0
        for number in 0..<10_000 {
            let found = sightings.see(7, at: Int64(number), partition: 0, enough: 3, within: 600_000)
            if found != 1 { wrong += 1 }
        }
        #expect(wrong == 0 && sightings.count <= 64)
        #expect(sightings.see(8, at: 10_000, partition: 0, enough: 3, within: 600_000) == 2)
    }

    @Test("a key that is seen now and then is not remembered for ever, and a partition that lags counts for itself")
    func age() {
        var sightings = Sightings()
        var wrong = 0
        for number in 0..<5_000 {
            let at = Int64(number) * 3_600_000
            let found = sightings.see(UInt64(number), at: at, partition: 0, enough: 2, within: 600_000)
            if found != 1 { wrong += 1 }
        }
        #expect(wrong == 0 && sightings.count <= 64)
        // Another partition is a thousand hours behind; its own two are enough.
        let late = Int64(4_000) * 3_600_000 + 1_800_000
        #expect(sightings.see(1, at: late, partition: 1, enough: 2, within: 600_000) == 1)
        let found = sightings.see(90_000, at: Int64(5_000) * 3_600_000, partition: 0, enough: 2, within: 600_000)
        #expect(found == 1)
        #expect(sightings.see(2, at: late + 599_999, partition: 1, enough: 2, within: 600_000) == 2)
        #expect(sightings.see(3, at: late + 600_000 + 599_999, partition: 1, enough: 3, within: 600_000) == 1)
    }

    @Test("bytes of something else are refused, and no bytes are nothing")
    func bytes() {
        #expect(Sightings(bytes: []) == Sightings())
        #expect(Sightings(bytes: [2]) == nil)
        #expect(Sightings(bytes: [1, 0, 0]) == nil)
        var sightings = Sightings()
        _ = sightings.see(1, at: 2, partition: -1, enough: 2, within: 1000)
        let bytes = sightings.bytes
        #expect(Sightings(bytes: bytes)?.bytes == bytes)
        #expect(Sightings(bytes: bytes + bytes.dropFirst().map { $0 == 2 ? 1 : $0 }) == nil, "out of order")
    }
}
