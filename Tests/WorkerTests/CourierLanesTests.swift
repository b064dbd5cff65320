import CarillonKit
import CarillonWorker
import Testing

@Suite("Lanes: fair, in order, bounded")
struct LanesTests {
    private let hook = endpoint("http://127.0.0.1/")

    @Test("lanes take turns, each in its own order")
    func turns() {
        var lanes = Lanes(perLane: 10)
        for (id, lane) in [(1, 1), (2, 1), (3, 1), (4, 2), (5, 3), (6, 3)] as [(Int64, Int64)] {
            lanes.add(outgoing(hook, id: id, lane: lane))
        }
        var order: [Int64] = []
        while let next = lanes.next() { order.append(next.delivery) }
        #expect(order == [1, 4, 5, 2, 6, 3])
    }

    @Test(
        "whatever is added, started and freed, no lane exceeds its share and none is forgotten",
        arguments: UInt64(1)...50)
    func invariants(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var lanes = Lanes(perLane: 3)
        var onWire: [Int64: Int] = [:]
        var waiting: [Int64: [Int64]] = [:]
        for id in Int64(1)...500 {
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                let lane = Int64.random(in: 1...4, using: &random)
                lanes.add(outgoing(hook, id: id, lane: lane))
                waiting[lane, default: []].append(id)
            case 2, 3:
                let startable = waiting.contains { !$0.value.isEmpty && onWire[$0.key, default: 0] < 3 }
                #expect(lanes.hasNext == startable, "seed \(seed)")
                guard let next = lanes.next() else { break }
                #expect(waiting[next.lane]?.removeFirst() == next.delivery, "seed \(seed)")
                onWire[next.lane, default: 0] += 1
                #expect(onWire[next.lane, default: 0] <= 3, "seed \(seed)")
            default:
                guard let used = onWire.filter({ $0.value > 0 }).keys.min() else { break }
                lanes.free(used)
                onWire[used, default: 0] -= 1
            }
        }
        #expect(lanes.removeWaiting().map(\.delivery).sorted() == waiting.values.joined().sorted(), "seed \(seed)")
        #expect(!lanes.hasNext)
    }
}
