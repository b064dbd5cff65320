import CarillonEvents
public import CarillonLedger
public import CarillonStream
import Dispatch

/// How the server looks at the deployment: never into a worker's memory, only into the ledger and the stream.
public struct Sources: Sendable {
    /// Opens the ledger; called once on a thread of the server's own, again after an error.
    public var desk: @Sendable () throws -> any LedgerDesk & LedgerAnswers
    /// The ends of the stream's partitions.
    public var ends: @Sendable () throws -> [StreamEnds]
    /// Other numbers of the moment, by the metric's name.
    public var gauges: @Sendable () -> [(name: String, value: Double)]

    /// Makes a set of sources.
    ///
    /// All of them may block.
    public init(
        desk: @escaping @Sendable () throws -> any LedgerDesk & LedgerAnswers,
        ends: @escaping @Sendable () throws -> [StreamEnds],
        gauges: @escaping @Sendable () -> [(name: String, value: Double)] = { [] }
    ) {
        (self.desk, self.ends, self.gauges) = (desk, ends, gauges)
    }
}

/// Reads the ledger for metrics and health, on a queue of its own, and remembers what it read.
///
/// However often somebody scrapes, the status is read at most every five seconds, and the conservation law, which
/// counts every row, takes at most a fiftieth of the time.
actor Observatory {
    struct Reading: Sendable {
        var pending, dead, lag: Double
        var oldestPending: Double
        var residue, breakersOpen: Double
        var others: [(name: String, value: Double)]
    }

    private static let freshness = Duration.seconds(5)

    private let queue = BlockingExecutor(label: "carillon.server.ledger")
    private let sources: Sources
    private let clock: any Clock
    private var desk: (any LedgerDesk & LedgerAnswers)?
    private var reading: (value: Reading, until: Duration)?
    private var residue: (value: Double, until: Duration)?
    private var health: (problem: String?, until: Duration)?

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe queue.asUnownedSerialExecutor() }

    init(sources: Sources, clock: any Clock) { (self.sources, self.clock) = (sources, clock) }

    /// The numbers of the ledger, at most five seconds old.
    func read() throws -> Reading {
        let now = clock.uptime()
        if let reading, now < reading.until { return reading.value }
        do {
            let fresh = try look(now)
            reading = (fresh, clock.uptime() + Self.freshness)
            return fresh
        } catch {
            desk = nil
            throw error
        }
    }

    /// Why the deployment cannot do its work; `nil` when the ledger was written and the stream read just now.
    ///
    /// At most a second old, so that nobody's polling makes the ledger write more than once a second.
    func problem() -> String? {
        let now = clock.uptime()
        if let health, now < health.until { return health.problem }
        var problem: String?
        do {
            try opened().touch(now: clock.now())
            _ = try sources.ends()
        } catch {
            desk = nil
            problem = "\(error)"
        }
        health = (problem, clock.uptime() + .seconds(1))
        return problem
    }

    private func opened() throws -> any LedgerDesk & LedgerAnswers {
        let desk = try desk ?? sources.desk()
        self.desk = desk
        return desk
    }

    private func look(_ began: Duration) throws -> Reading {
        let desk = try opened()
        let now = clock.now()
        let status = try desk.status(now: now)
        if residue.map({ began >= $0.until }) ?? true {
            let lines = try desk.verify(now: now).residue.count
            let cost = clock.uptime() - began
            residue = (Double(lines), clock.uptime() + max(.seconds(30), cost * 50))
        }
        let oldest = status.oldestPending.map { (now - Timestamp(milliseconds: $0)).milliseconds } ?? 0
        let lag = try status.lag(behind: sources.ends())
        return Reading(
            pending: Double((status.deliveries["pending"] ?? 0) + (status.deliveries["leased"] ?? 0)),
            dead: Double(status.deliveries["dead"] ?? 0), lag: Double(lag),
            oldestPending: Double(max(0, oldest)) / 1000,
            residue: residue?.value ?? 0,
            breakersOpen: Double(status.endpoints.count { $0.state == .down }), others: sources.gauges())
    }
}

extension LedgerStatus {
    /// Records of the stream that are not decided yet.
    public func lag(behind ends: [StreamEnds]) -> Int64 {
        let all = positions.map { (Place(stream: $0.stream, partition: $0.partition), $0.next) }
        return ends.undecided(after: Dictionary(all, uniquingKeysWith: max))
    }
}

/// A serial executor over one dispatch queue, for an actor whose calls may block.
final class BlockingExecutor: SerialExecutor {
    private let queue: DispatchQueue
    init(label: String) { queue = DispatchQueue(label: label) }
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
