import CarillonKit
import Testing

@testable import CarillonWorker

/// How many requests run ahead of answers (P6).
@Suite("Forerunners") struct ForerunnersTests {
    @Test("a quick receiver is served over 32 connections") func quick() {
        var forerunners = Forerunners()
        var rooms = [forerunners.room(at: 0)]
        forerunners.add(20, at: 0)
        rooms.append(forerunners.room(at: 0))
        let second = forerunners.next
        forerunners.add(12, at: 0)
        rooms.append(forerunners.room(at: 10))
        for _ in 0..<5 { forerunners.remove(from: second) }
        rooms.append(forerunners.room(at: 20))
        #expect(rooms == [32, 12, 0, 5])
    }

    @Test("what is unanswered after the moment holds nothing up") func slow() {
        var forerunners = Forerunners()
        forerunners.add(32, at: 0)
        var rooms = [forerunners.room(at: Forerunners.moment - 1), forerunners.room(at: Forerunners.moment)]
        forerunners.add(32, at: Forerunners.moment)
        forerunners.remove(from: 0)
        rooms.append(forerunners.room(at: Forerunners.moment))
        rooms.append(forerunners.room(at: 2 * Forerunners.moment))
        #expect(rooms == [0, 32, 0, 32], "a late answer frees nothing twice")
    }

    @Test("any order of answers leaves all room in the end", arguments: 1...20) func anyOrder(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var forerunners = Forerunners()
        var waiting: [Int] = []
        var now: Int64 = 0
        for _ in 0..<2_000 {
            now += Int64.random(in: 0...300, using: &random)
            let begun = min(Int.random(in: 0...8, using: &random), forerunners.room(at: now))
            waiting += Array(repeating: forerunners.next, count: begun)
            forerunners.add(begun, at: now)
            waiting.shuffle(using: &random)
            for _ in 0..<Int.random(in: 0...min(6, waiting.count), using: &random) {
                forerunners.remove(from: waiting.removeLast())
            }
            let room = forerunners.room(at: now)
            #expect((0...32).contains(room), "seed \(seed)")
        }
        for group in waiting { forerunners.remove(from: group) }
        let room = forerunners.room(at: now)
        #expect(room == 32, "seed \(seed)")
    }
}
