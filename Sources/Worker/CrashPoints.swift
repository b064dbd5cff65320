import Glibc
import Synchronization

/// The instructions a worker may die at, named the same in code, tests and docs.
public enum CrashPoint: String, Sendable, CaseIterable {
    case afterRead = "after_read"
    case inDecision = "in_decision"
    case afterDecision = "after_decision"
    case inClaim = "in_claim"
    case beforeSend = "before_send"
    case onWire = "on_wire"
    case afterAnswer = "after_answer"
    case inSettle = "in_settle"
}

/// A hook the path calls at each of its crash points; by default it does nothing and costs a nil check.
public struct CrashPoints: Sendable {
    private let hook: (@Sendable (CrashPoint) -> Void)?

    /// Points nobody waits at.
    public static let none = CrashPoints(hook: nil)

    private init(hook: (@Sendable (CrashPoint) -> Void)?) { self.hook = hook }

    /// Calls `hook` on the path's own thread whenever a point is reached.
    public init(_ hook: @escaping @Sendable (CrashPoint) -> Void) { self.hook = hook }

    /// Reads `point` or `point:n` and ends the process by SIGKILL when the point is reached for the n-th time.
    public init(parsing text: String) throws(CrashPointsError) {
        let (point, times) = try Self.parse(text)
        self.init(point, times: times) { _ = kill(getpid(), SIGKILL) }
    }

    /// Calls `action` once, when `point` is reached for the `times`-th time.
    public init(_ point: CrashPoint, times: Int, action: @escaping @Sendable () -> Void) {
        let countdown = Countdown(from: times)
        hook = { reached in if reached == point, countdown.isOver() { action() } }
    }

    /// Says that the path is at `point`.
    @inline(__always)
    public func reach(_ point: CrashPoint) { if let hook { hook(point) } }

    package static func parse(_ text: String) throws(CrashPointsError) -> (CrashPoint, times: Int) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let point = CrashPoint(rawValue: String(parts[0])) else { throw CrashPointsError(text: text) }
        guard parts.count == 2 else { return (point, 1) }
        guard let times = Int(parts[1]), times >= 1 else { throw CrashPointsError(text: text) }
        return (point, times)
    }
}

/// Why a text names no crash point.
public struct CrashPointsError: Error, Sendable, CustomStringConvertible {
    let text: String
    /// What was wrong and which points there are.
    public var description: String {
        let names = CrashPoint.allCases.map(\.rawValue).joined(separator: " ")
        return "worker could not set the crash point \"\(text)\": not `point` or `point:n`, n from 1 [points: \(names)]"
    }
}

private final class Countdown: Sendable {
    private let left: Atomic<Int>
    init(from times: Int) { left = Atomic(times) }
    func isOver() -> Bool { left.subtract(1, ordering: .relaxed).newValue == 0 }
}
