import CarillonEvents
import CarillonKit
import CarillonWorker
import Synchronization

/// A courier whose every step the simulation takes: a request begins, arrives or not, is answered or not.
final class ManualCourier: Courier {
    private struct OnWire {
        let outgoing: Outgoing
        let began: Duration
    }
    private struct State {
        var waiting: [Outgoing] = []
        var onWire: [OnWire] = []
        var endings: [Ending] = []
        var random: SplitMix
        var isDraining = false
        var isCalm = false
    }
    private let state: Mutex<State>
    private let clock: ManualClock
    private let timeout: Duration
    private let fate: Fate
    /// Where requests arrive; the flag says whether the answer comes back.
    private let receive: @Sendable (Outgoing, _ isAnswered: Bool) -> Void

    init(
        seed: UInt64, clock: ManualClock, timeout: Duration, fate: Fate,
        receive: @escaping @Sendable (Outgoing, _ isAnswered: Bool) -> Void
    ) {
        state = Mutex(State(random: SplitMix(seed: seed)))
        (self.clock, self.timeout, self.fate, self.receive) = (clock, timeout, fate, receive)
    }

    var isIdle: Bool { state.withLock { $0.waiting.isEmpty && $0.onWire.isEmpty && $0.endings.isEmpty } }
    func calm() { state.withLock { $0.isCalm = true } }

    func offer(_ deliveries: [Outgoing]) {
        guard fate.isAlive else { return }
        state.withLock { $0.waiting += deliveries }
    }

    func settled(_ tries: Int) {}

    func withdraw(_ lane: Int64) {
        guard fate.isAlive else { return }
        state.withLock { state in
            state.endings += state.waiting.filter { $0.lane == lane }.map { Ending($0, .unsent) }
            state.waiting.removeAll { $0.lane == lane }
        }
    }

    func collect() -> [Ending] {
        fate.reach("collect")
        guard fate.isAlive else { return [] }
        if state.withLock({ $0.isDraining || $0.isCalm }) { while step() {} }
        return state.withLock { state in
            defer { state.endings = [] }
            return state.endings
        }
    }

    func drain() { state.withLock { $0.isDraining = true } }
    func close() { state.withLock { $0.onWire = [] } }

    /// One step of one request; false when there is none.
    @discardableResult
    func step() -> Bool {
        let now = clock.uptime()
        let arrived: (Outgoing, Bool)? = state.withLock { state in
            let count = state.waiting.count + state.onWire.count
            guard count > 0 else { return nil }
            let choice = Int.random(in: 0..<count, using: &state.random)
            if choice < state.waiting.count { return begin(choice, now, &state) }
            return end(state.onWire.remove(at: choice - state.waiting.count), now, &state)
        }
        if let arrived { receive(arrived.0, arrived.1) }
        return state.withLock { !$0.waiting.isEmpty || !$0.onWire.isEmpty }
    }

    private func begin(_ index: Int, _ now: Duration, _ state: inout State) -> (Outgoing, Bool)? {
        let outgoing = state.waiting.remove(at: index)
        if state.isDraining || now + timeout > outgoing.leaseEnds {
            state.endings.append(Ending(outgoing, .unsent))
        } else {
            state.onWire.append(OnWire(outgoing: outgoing, began: now))
        }
        return nil
    }

    /// How a request on the wire ends; a copy of it when it arrived, with whether its answer came back.
    private func end(_ request: OnWire, _ now: Duration, _ state: inout State) -> (Outgoing, Bool)? {
        func answer(_ outcome: Outcome, _ status: Int) {
            state.endings.append(Ending(request.outgoing, outcome, status: status))
        }
        if now - request.began >= timeout {
            answer(.ambiguous(.contextDeadlineExceeded), 0)
            return nil
        }
        switch state.isCalm ? 0 : Int.random(in: 0..<20, using: &state.random) {
        case 0..<13:
            answer(.delivered, 200)
            return (request.outgoing, true)
        case 13:
            answer(.ambiguous(.other), 0)
            return (request.outgoing, false)
        case 14: answer(.ambiguous(.dns), 0)
        case 15: answer(.rateLimited(after: .seconds(3)), 429)
        case 16: answer(.gone(.clientError), 410)
        default: answer(.failed(.serverError, after: nil), 503)
        }
        return nil
    }

    /// The process is dead: what was on the wire arrives or not, and nobody hears the answer.
    func bury() {
        let now = clock.uptime()
        let arrived = state.withLock { state in
            defer { (state.waiting, state.onWire, state.endings) = ([], [], []) }
            return state.onWire.filter { now - $0.began < timeout && Bool.random(using: &state.random) }.map(\.outgoing)
        }
        for outgoing in arrived { receive(outgoing, false) }
    }

    /// Deliveries that were refused for good.
    static func isRefusal(_ reason: String) -> Bool { reason == FailureReason.clientError.rawValue }
}
