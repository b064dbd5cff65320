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

        /// Takes a place for one delivery; false when the memory or the lane is full.
        mutating func take(_ workspace: String, _ name: String) -> Bool {
            guard left > 0 else { return false }
            let target = Target(workspace: workspace, name: name)
            let used = taken[target] ?? lanes.numbers[target].flatMap { lanes.held[$0] } ?? 0
            guard used < perLane else { return false }
            taken[target] = used + 1
            left -= 1
            return true
        }
    }

    func plan(_ capacity: Capacity) -> Plan {
        Plan(left: capacity.total - total, perLane: capacity.perLane, lanes: self)
    }

    func room(_ capacity: Capacity) -> Room {
        Room(total: max(0, capacity.total - total), perLane: capacity.perLane, used: held)
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
