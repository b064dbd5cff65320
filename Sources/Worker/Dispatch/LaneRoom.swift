import CarillonLedger

/// How many deliveries each lane (a workspace's target) has in memory, so that no receiver fills it alone.
package struct LaneRoom {
    /// How much fits.
    package struct Capacity {
        package let total: Int
        package let perLane: Int
        /// How much of it is filled as long as all receivers answer: more would not be sent sooner, and would spread over
        /// more of the ledger's pages.
        package let flow: Int

        /// Room for couriers of so many places.
        package init(concurrency: Int) { (total, perLane, flow) = (concurrency * 7, concurrency * 2, concurrency * 3) }
    }
    fileprivate struct Target: Hashable {
        let workspace, name: String
    }
    /// LaneRoom known by number; forgotten when they are empty and many.
    private var numbers: [Target: Int64] = [:]
    private var uses: [Int64: Use] = [:]
    package private(set) var total = 0

    private struct Use {
        var count = 0
        /// When the receiver answered last, or when it was first to.
        var lastSign: Duration
    }
    /// A lane whose receiver gave no sign for so long hangs, or is slow.
    private static let lately = Duration.milliseconds(250)

    /// An empty one.
    package init() {}

    /// How many deliveries of each lane are in memory.
    package var held: [Int64: Int] { uses.mapValues(\.count) }

    /// How many more deliveries are worth having, where those of receivers that give no sign do not count.
    package func flow(_ capacity: Capacity, at now: Duration) -> Int {
        let free = capacity.total - total
        guard total > 0, free > 0 else { return max(0, min(free, capacity.flow)) }
        let still = uses.values.reduce(0) { now - $1.lastSign > Self.lately ? $0 + $1.count : $0 }
        return max(0, min(free, capacity.flow - (total - still)))
    }

    /// Room to plan a batch with, before the ledger has said which deliveries are ours.
    package struct Plan {
        fileprivate var left: Int
        fileprivate let perLane: Int
        fileprivate var taken: [Target: Int] = [:]
        fileprivate let lanes: LaneRoom
        /// Lanes in trouble, of which nothing is taken.
        fileprivate let shut: Set<Int64>

        /// Takes a place for one delivery; false when the memory or the lane is full, or the lane in trouble.
        package mutating func take(_ workspace: String, _ name: String) -> Bool {
            guard left > 0 else { return false }
            let target = Target(workspace: workspace, name: name)
            let lane = shut.isEmpty && taken[target] != nil ? nil : lanes.numbers[target]
            if let lane, shut.contains(lane) { return false }
            let used = taken[target] ?? lane.flatMap { lanes.uses[$0]?.count } ?? 0
            guard used < min(perLane, left) else { return false }
            taken[target] = used + 1
            left -= 1
            return true
        }
    }

    package func plan(_ capacity: Capacity, without shut: Set<Int64>) -> Plan {
        Plan(left: capacity.total - total, perLane: capacity.perLane, lanes: self, shut: shut)
    }

    /// Room for a claim; a lane may have as much as is free, so that those that hang leave room for the others.
    func room(_ capacity: Capacity, limits: [Int64: Int], at now: Duration) -> Room {
        let free = flow(capacity, at: now)
        return Room(total: free, perLane: min(capacity.perLane, max(1, free)), used: held, limits: limits)
    }

    /// Whose lane it is; for endpoints in trouble, as it searches.
    func target(of lane: Int64) -> (workspace: String, name: String) {
        numbers.first { $0.value == lane }.map { ($0.key.workspace, $0.key.name) } ?? ("", "lane \(lane)")
    }

    package mutating func hold(_ lane: Int64, _ workspace: String, _ name: String, at now: Duration) {
        if numbers.count > 100_000 { numbers = [:] }
        numbers[Target(workspace: workspace, name: name)] = lane
        uses[lane, default: Use(lastSign: now)].count += 1
        total += 1
    }

    /// Gives the place of a delivery back.
    ///
    /// - Parameter answered: when its receiver answered; `nil` when it did not.
    package mutating func free(_ lane: Int64, answered: Duration? = nil) {
        total -= 1
        guard let place = uses.index(forKey: lane) else { return }
        guard uses.values[place].count > 1 else {
            uses.remove(at: place)
            return
        }
        uses.values[place].count -= 1
        if let answered { uses.values[place].lastSign = answered }
    }
}
