import CarillonLedger

/// How many deliveries each lane (a workspace's target) has in memory, so that no receiver fills it alone.
struct LaneRoom {
    /// How much fits.
    struct Capacity {
        let total: Int
        let perLane: Int
    }
    fileprivate struct Target: Hashable {
        let workspace, name: String
    }
    /// LaneRoom known by number; forgotten when they are empty and many.
    private var numbers: [Target: Int64] = [:]
    private(set) var held: [Int64: Int] = [:]
    private(set) var total = 0

    /// Room to plan a batch with, before the ledger has said which deliveries are ours.
    struct Plan {
        fileprivate var left: Int
        fileprivate let perLane: Int
        fileprivate var taken: [Target: Int] = [:]
        fileprivate let lanes: LaneRoom
        /// Lanes in trouble, of which nothing is taken.
        fileprivate let shut: Set<Int64>

        /// Takes a place for one delivery; false when the memory or the lane is full, or the lane in trouble.
        mutating func take(_ workspace: String, _ name: String) -> Bool {
            guard left > 0 else { return false }
            let target = Target(workspace: workspace, name: name)
            let lane = shut.isEmpty && taken[target] != nil ? nil : lanes.numbers[target]
            if let lane, shut.contains(lane) { return false }
            let used = taken[target] ?? lane.flatMap { lanes.held[$0] } ?? 0
            guard used < min(perLane, left) else { return false }
            taken[target] = used + 1
            left -= 1
            return true
        }
    }

    func plan(_ capacity: Capacity, without shut: Set<Int64>) -> Plan {
        Plan(left: capacity.total - total, perLane: capacity.perLane, lanes: self, shut: shut)
    }

    /// Room for a claim; a lane may have as much as is free, so that those that hang leave room for the others.
    func room(_ capacity: Capacity, limits: [Int64: Int]) -> Room {
        let free = max(0, capacity.total - total)
        return Room(total: free, perLane: min(capacity.perLane, max(1, free)), used: held, limits: limits)
    }

    /// Whose lane it is; for endpoints in trouble, as it searches.
    func target(of lane: Int64) -> (workspace: String, name: String) {
        numbers.first { $0.value == lane }.map { ($0.key.workspace, $0.key.name) } ?? ("", "lane \(lane)")
    }

    mutating func hold(_ lane: Int64, _ workspace: String, _ name: String) {
        if numbers.count > 100_000 { numbers = [:] }
        numbers[Target(workspace: workspace, name: name)] = lane
        held[lane, default: 0] += 1
        total += 1
    }

    mutating func free(_ lane: Int64) {
        total -= 1
        guard let count = held[lane] else { return }
        held[lane] = count > 1 ? count - 1 : nil
    }
}
