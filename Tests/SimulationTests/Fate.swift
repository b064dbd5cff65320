import CarillonKit
import CarillonLedger
import CarillonStream
import CarillonWorker
import Synchronization

/// When one worker process dies: between any two of its steps, before or after a call took effect.
///
/// A dead process does nothing any more, so every door it could act through asks here first.
final class Fate: Sendable {
    private struct State {
        var random: SplitMix
        var isAlive = true
        var isCalm = false
        var lastDoor = ""

        mutating func die(at door: String) {
            isAlive = false
            lastDoor = door
        }
    }
    /// One call in so many is the last, one in so many fails for a moment.
    private static let deathOdds = 70, stumbleOdds = 50
    private let state: Mutex<State>

    init(seed: UInt64) { state = Mutex(State(random: SplitMix(seed: seed))) }

    var isAlive: Bool { state.withLock { $0.isAlive } }
    /// Where it died.
    var lastDoor: String { state.withLock { $0.lastDoor } }
    /// From now on nothing bad happens.
    func calm() { state.withLock { $0.isCalm = true } }
    func kill(at door: String) { state.withLock { $0.die(at: door) } }

    /// The process may die here.
    func reach(_ door: String) {
        state.withLock { state in
            if state.isAlive, !state.isCalm, state.random.once(in: Self.deathOdds) { state.die(at: door) }
        }
    }

    /// Whether the call that is about to be made fails for a moment.
    func stumbles() -> Bool { state.withLock { !$0.isCalm && $0.random.once(in: Self.stumbleOdds) } }

    /// Points inside the path where it may die.
    var crashPoints: CrashPoints { CrashPoints { point in self.reach(point.rawValue) } }

    /// A ledger's call: dies before it, stumbles, or dies after it.
    func pass<Result>(_ door: String, _ body: () throws(LedgerError) -> Result) throws(LedgerError) -> Result {
        reach("before \(door)")
        guard isAlive else { throw LedgerError(.other, doing: door, cause: "the process is dead") }
        if stumbles() { throw LedgerError(.busy, doing: door, cause: "for a moment") }
        let result = try body()
        reach("after \(door)")
        guard isAlive else { throw LedgerError(.other, doing: door, cause: "the process is dead") }
        return result
    }

    /// A stream's call, likewise.
    func pass<Result>(_ door: String, _ body: () throws(StreamError) -> Result) throws(StreamError) -> Result {
        reach("before \(door)")
        guard isAlive else { throw StreamError(.other, doing: door, cause: "the process is dead") }
        if stumbles() { throw StreamError(.busy, doing: door, cause: "for a moment") }
        let result = try body()
        reach("after \(door)")
        guard isAlive else { throw StreamError(.other, doing: door, cause: "the process is dead") }
        return result
    }
}

extension Fate {
    /// Whether an error is this process's death rather than a fault of the code under test.
    func explains(_ error: any Error) -> Bool {
        if !isAlive { return true }
        return (error as? LedgerError)?.kind == .busy || (error as? StreamError)?.kind == .busy
    }
}
