import CarillonEvents
import CarillonLedger

// What the path knows of endpoints that fail or complain. A lane that is well has no entry, so the usual delivery costs one look
// at an empty dictionary. While a lane is shut its deliveries are in the ledger, neither in memory nor on the wire; the claim is
// told how much of it may be taken. Values only: what follows from a change is done by `Path`.

/// An endpoint that failed or complained of late.
struct LaneTrouble {
    /// The most in memory at first, when an endpoint is back: it doubles with each round trip.
    static let firstRoom = 16

    let workspace, name: String
    var breaker: Breaker
    var limiter: Limiter?
    /// The most that may be in memory while it comes back; `nil` for the usual.
    var room: Int?
    /// The delivery that probes.
    var probe: ClaimName?
    /// Whether some of it still waits for a retry that is senseless now.
    var isReturning = false
    /// Why it failed last, with the receiver's words.
    var reason = ""
    /// Since when its breaker is open.
    var downSince: Timestamp?

    /// Whether all may be sent as if nothing had been.
    var isOpen: Bool { breaker.state == .closed && limiter == nil && room == nil }
    var isOver: Bool { isOpen && breaker.isWell && !isReturning }
}

/// What became of a lane.
enum LaneChange { case wentDown, cameBack }

/// The lanes in trouble, by number.
struct TroubledLanes {
    private let policy: Breaker.Policy
    private let fullRoom: Int
    private var lanes: [Int64: LaneTrouble] = [:]

    /// - Parameter fullRoom: what a lane that is well may have in memory.
    init(_ policy: Breaker.Policy, fullRoom: Int) { (self.policy, self.fullRoom) = (policy, fullRoom) }

    var isEmpty: Bool { lanes.isEmpty }
    /// Endpoints whose breaker is not closed.
    var down: [(lane: Int64, trouble: LaneTrouble)] {
        lanes.filter { $0.value.breaker.state != .closed }.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
    }
    subscript(lane: Int64) -> LaneTrouble? { lanes[lane] }

    // What tries tell

    /// The endpoint answered, with a yes or a no to the message.
    mutating func answered(_ lane: Int64, at now: Duration) -> LaneChange? {
        guard var trouble = lanes[lane] else { return nil }
        defer { keep(trouble, lane) }
        trouble.limiter?.answered(at: now)
        if trouble.limiter?.isOver == true { trouble.limiter = nil }
        if let room = trouble.room { trouble.room = room + 1 < fullRoom ? room + 1 : nil }
        guard trouble.breaker.answered() else { return nil }
        (trouble.probe, trouble.room, trouble.isReturning) = (nil, Self.roomAtReturn, true)
        return .cameBack
    }
    private static let roomAtReturn = LaneTrouble.firstRoom

    /// A try of the endpoint failed.
    mutating func failed(
        _ lane: Int64, _ claim: ClaimName, of target: (workspace: String, name: String), reason: String,
        at now: Duration, _ wall: Timestamp, using random: inout some RandomNumberGenerator
    ) -> LaneChange? {
        var trouble = lanes[lane] ?? fresh(target)
        defer { keep(trouble, lane) }
        trouble.reason = reason
        if trouble.probe == claim {
            trouble.probe = nil
            trouble.breaker.probeFailed(at: now, using: &random)
            return nil
        }
        guard trouble.breaker.failed(at: now, using: &random) else { return nil }
        (trouble.downSince, trouble.room, trouble.isReturning) = (wall, nil, false)
        return .wentDown
    }

    /// The endpoint wants fewer.
    mutating func complained(
        _ lane: Int64, of target: (workspace: String, name: String), wish: Duration?, at now: Duration
    ) -> LaneChange? {
        var trouble = lanes[lane] ?? fresh(target)
        defer { keep(trouble, lane) }
        trouble.limiter = trouble.limiter ?? Limiter()
        trouble.limiter?.complained(at: now, wish: wish)
        // Who complains is there.
        guard trouble.breaker.state != .closed, trouble.breaker.answered() else { return nil }
        (trouble.probe, trouble.room, trouble.isReturning) = (nil, Self.roomAtReturn, true)
        return .cameBack
    }

    /// A delivery ended without a try; if it was the probe, there is none now.
    mutating func unsent(
        _ lane: Int64, _ claim: ClaimName, at now: Duration, using random: inout some RandomNumberGenerator
    ) {
        guard var trouble = lanes[lane], trouble.probe == claim else { return }
        trouble.probe = nil
        trouble.breaker.probeFailed(at: now, using: &random)
        lanes[lane] = trouble
    }

    private func fresh(_ target: (workspace: String, name: String)) -> LaneTrouble {
        LaneTrouble(workspace: target.workspace, name: target.name, breaker: Breaker(policy))
    }

    private mutating func keep(_ trouble: LaneTrouble, _ lane: Int64) { lanes[lane] = trouble.isOver ? nil : trouble }

    // What may be sent

    /// Whether a delivery may go to the courier now; if not, when to ask again.
    mutating func admit(_ claim: ClaimName, _ lane: Int64, at now: Duration) -> Duration? {
        guard !lanes.isEmpty, var trouble = lanes[lane] else { return nil }
        switch trouble.breaker.state {
        case .closed: break
        case .open(let probeAt) where probeAt <= now:
            trouble.breaker.probe()
            trouble.probe = claim
        case .open(let probeAt): return probeAt
        case .probing: return now + policy.probeEvery
        }
        if var limiter = trouble.limiter {
            let next = limiter.next(at: now)
            guard next <= now || trouble.probe == claim else {
                trouble.limiter = limiter
                lanes[lane] = trouble
                return next
            }
            limiter.take()
            trouble.limiter = limiter
        }
        lanes[lane] = trouble
        return nil
    }

    /// Until when deliveries of a lane have to wait; `nil` when they need not.
    mutating func shutUntil(_ lane: Int64, at now: Duration) -> Duration? {
        guard var trouble = lanes[lane] else { return nil }
        defer { lanes[lane] = trouble }
        switch trouble.breaker.state {
        case .open(let probeAt): return max(probeAt, now)
        case .probing: return now + policy.probeEvery
        case .closed:
            guard let next = trouble.limiter?.next(at: now), next > now else { return nil }
            return next
        }
    }

    /// Lanes of which nothing is taken into memory straight from a decision.
    var shut: Set<Int64> { Set(lanes.filter { !$0.value.isOpen }.keys) }

    /// How much more of each lane in trouble may be claimed now, given what is held; and when more of one will be.
    mutating func limits(held: [Int64: Int], at now: Duration) -> (limits: [Int64: Int], next: Duration?) {
        guard !lanes.isEmpty else { return ([:], nil) }
        var limits: [Int64: Int] = [:]
        var soonest: Duration?
        for (lane, trouble) in lanes where !trouble.isOpen {
            var limit = trouble.room.map { max(0, $0 - (held[lane] ?? 0)) } ?? .max
            switch trouble.breaker.state {
            case .closed: break
            case .probing: limit = 0
            case .open(let probeAt):
                limit = probeAt <= now ? 1 : 0
                if probeAt > now { soonest = min(soonest ?? probeAt, probeAt) }
            }
            if var limiter = trouble.limiter {
                let next = limiter.next(at: now)
                if trouble.breaker.state == .closed { limit = min(limit, next > now ? 0 : limiter.free(at: now)) }
                if next > now { soonest = min(soonest ?? next, next) }
                lanes[lane]?.limiter = limiter
            }
            limits[lane] = limit
        }
        return (limits, soonest)
    }

    // Coming back

    /// Lanes whose probe is due: one delivery of each may be claimed.
    func probing(at now: Duration) -> [Int64] {
        lanes.compactMap { lane, trouble in
            if case .open(let probeAt) = trouble.breaker.state, probeAt <= now { lane } else { nil }
        }.sorted()
    }

    /// There is nothing to probe a lane with: it is looked at again later.
    mutating func rest(_ lane: Int64, at now: Duration, using random: inout some RandomNumberGenerator) {
        lanes[lane]?.breaker.probeFailed(at: now, using: &random)
    }

    /// A lane of which more has to be hastened.
    var returning: Int64? { lanes.first { $0.value.isReturning }?.key }

    /// All of it is due now.
    mutating func returned(_ lane: Int64) {
        guard var trouble = lanes[lane] else { return }
        trouble.isReturning = false
        keep(trouble, lane)
    }
}
