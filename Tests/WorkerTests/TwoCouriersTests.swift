import CarillonEvents
import CarillonKit
import CarillonRules
import CarillonWorker
import Synchronization
import Testing

/// A courier that notes what it is told and ends what it is told to end.
private final class NotingCourier: Courier {
    private struct State {
        var offered: [DeliveryNumber] = []
        var endings: [Ending] = []
        var settled = 0
        var isDrained = false
        var isClosed = false
        var withdrawn: [Int64] = []
    }
    typealias DeliveryNumber = Int64
    private let state = Mutex(State())

    func offer(_ deliveries: [Outgoing]) {
        state.withLock { state in
            state.offered += deliveries.map(\.delivery)
            state.endings += deliveries.map { Ending($0, state.isDrained ? .unsent : .delivered) }
        }
    }
    func collect() -> [Ending] {
        state.withLock { state in
            defer { state.endings = [] }
            return state.endings
        }
    }
    func settled(_ tries: Int) { state.withLock { $0.settled += tries } }
    func withdraw(_ lane: Int64) { state.withLock { $0.withdrawn.append(lane) } }
    func drain() { state.withLock { $0.isDrained = true } }
    func close() { state.withLock { $0.isClosed = true } }

    var offered: [DeliveryNumber] { state.withLock(\.offered) }
    var settledCount: Int { state.withLock(\.settled) }
    var isClosed: Bool { state.withLock(\.isClosed) }
    var isDrained: Bool { state.withLock(\.isDrained) }
    var withdrawn: [Int64] { state.withLock(\.withdrawn) }
}

private struct SlowChannel: Channel {
    var name: String { "slow" }
    var needsOwnThread: Bool { true }
    func request(for outgoing: Outgoing, now: Timestamp) throws(Unsendable) -> Request { throw Unsendable("never") }
    func outcome(of answer: Response) -> Outcome { .delivered }
}

@Suite("Two couriers: what may hold up its thread has one of its own", .timeLimit(.minutes(5)))
struct TwoCouriersTests {
    private let quick = NotingCourier()
    private let slow = NotingCourier()
    private let made: Counter
    private let both: TwoCouriers
    private let hook = endpoint("http://127.0.0.1/")
    private let mail = Endpoint(name: "mail", url: "", secrets: [], headers: [], channel: SlowChannel())

    private final class Counter: Sendable {
        private let count = Mutex(0)
        func note() { count.withLock { $0 += 1 } }
        var value: Int { count.withLock(\.self) }
    }

    init() {
        let (counter, slow) = (Counter(), slow)
        made = counter
        both = TwoCouriers(quick: quick) {
            counter.note()
            return slow
        }
    }

    @Test("the slow one is made with the first delivery for it, once")
    func lazily() {
        both.offer([outgoing(hook, id: 1), outgoing(hook, id: 2)])
        #expect(both.collect().map(\.delivery) == [1, 2])
        both.settled(2)
        both.withdraw(1)
        #expect(made.value == 0 && quick.settledCount == 2)
        both.offer([outgoing(hook, id: 3), outgoing(mail, id: 4)])
        both.offer([outgoing(mail, id: 5)])
        #expect(made.value == 1 && quick.offered == [1, 2, 3] && slow.offered == [4, 5])
        both.close()
        #expect(quick.isClosed && slow.isClosed)
    }

    @Test("without slow deliveries none is made, also at the end")
    func never() {
        both.offer([outgoing(hook, id: 1)])
        both.drain()
        both.close()
        #expect(made.value == 0 && quick.isClosed && !slow.isClosed)
    }

    @Test("places are freed at the courier that keeps them, oldest first", arguments: UInt64(1)...100)
    func settling(seed: UInt64) {
        var random = SplitMix(seed: seed)
        // Whose each collected try is, oldest first.
        var order: [Bool] = []
        var (quickly, slowly) = (0, 0)
        for id in Int64(1)...60 {
            if Bool.random(using: &random) {
                let isSlow = id > 20 && Bool.random(using: &random)
                both.offer([outgoing(isSlow ? mail : hook, id: id)])
            } else if Bool.random(using: &random) {
                let endings = both.collect()
                let slow = Set(slow.offered)
                order += endings.map { slow.contains($0.delivery) }
            } else {
                let count = Int.random(in: 0...order.count, using: &random)
                both.settled(count)
                quickly += order.prefix(count).count { !$0 }
                slowly += order.prefix(count).count { $0 }
                order.removeFirst(count)
            }
            #expect(quick.settledCount == quickly && slow.settledCount == slowly, "seed \(seed)")
        }
    }

    @Test("what comes after the drain is unsent, though the slow one was not there")
    func drained() {
        both.drain()
        both.offer([outgoing(mail, id: 1)])
        #expect(slow.isDrained && both.collect().map(\.outcome) == [.unsent])
        both.withdraw(7)
        #expect(quick.withdrawn == [7] && slow.withdrawn == [7])
        both.settled(0)
        both.close()
    }
}
