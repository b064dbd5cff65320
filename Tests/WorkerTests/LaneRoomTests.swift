import CarillonWorker
import Testing

@Suite("Room in memory: a burst has it while receivers answer, those that hang leave some")
struct LaneRoomTests {
    private let capacity = LaneRoom.Capacity(concurrency: 100)
    private let names = (1...12).map { "hook-\($0)" }

    @Test("a batch of one new receiver is taken whole beside others that answer")
    func burst() {
        var room = LaneRoom()
        for place in 0..<capacity.flow / 2 { room.hold(Int64(place % 10), "w", names[place % 10], at: .zero) }
        var plan = room.plan(capacity, without: [])
        let taken = (0..<2 * 100).filter { _ in plan.take("w", "new") }
        #expect(taken.count == capacity.perLane)
    }

    @Test("no receiver has more than its share, and a shut one has nothing")
    func share() {
        var room = LaneRoom()
        room.hold(1, "w", "a", at: .zero)
        room.hold(2, "w", "b", at: .zero)
        var plan = room.plan(capacity, without: [2])
        let (taken, isShutTaken) = ((0..<1_000).count { _ in plan.take("w", "a") }, plan.take("w", "b"))
        #expect(taken == capacity.perLane - 1)
        #expect(!isShutTaken)
    }

    @Test("of receivers that hang, each has no more than what is left", arguments: 1...10)
    func hanging(count: Int) {
        var room = LaneRoom()
        for _ in 0..<1_000 {
            var plan = room.plan(capacity, without: [])
            for lane in 1...count where plan.take("w", names[lane]) {
                room.hold(Int64(lane), "w", names[lane], at: .zero)
            }
        }
        let left = capacity.total - room.total
        #expect(left > 0)
        #expect(room.held.values.allSatisfy { $0 <= min(capacity.perLane, left + count) })
    }

    @Test(
        "what waits for receivers that gave no sign lately does not slow the reading down; their answer counts it again"
    )
    func flow() {
        var room = LaneRoom()
        let some = capacity.perLane / 2
        for _ in 0..<some {
            room.hold(1, "w", "hangs", at: .zero)
            room.hold(2, "w", "answers", at: .zero)
        }
        let later = Duration.seconds(1)
        #expect(room.flow(capacity, at: .zero) == capacity.flow - 2 * some)
        room.free(2, answered: later)
        #expect(
            room.flow(capacity, at: later) == min(capacity.total - room.total, capacity.flow - some + 1))
        room.free(1, answered: later)
        #expect(room.flow(capacity, at: later) == capacity.flow - room.total)
    }

    @Test("an empty room has all its flow, and a full one none")
    func bounds() {
        var room = LaneRoom()
        #expect(room.flow(capacity, at: .zero) == capacity.flow)
        for place in 0..<capacity.total { room.hold(Int64(place), "w", "t\(place)", at: .zero) }
        #expect(room.flow(capacity, at: .seconds(9)) == 0)
        for place in 0..<capacity.total { room.free(Int64(place)) }
        #expect(room.total == 0 && room.held.isEmpty)
    }
}
