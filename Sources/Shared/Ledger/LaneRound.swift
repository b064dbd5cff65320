import DequeModule

/// The lanes in which something is due, as a look at all of them found them, handed out in turns to one claim after another.
///
/// A look costs an index probe for each lane, however few of them are then served; with a look for every claim a crowd of lanes
/// would make each delivery dearer. So a round is served until a quarter as many deliveries were claimed as it had lanes, or
/// until it has fewer lanes than there is room: a delivery then costs four probes at most, and what became due in a new lane
/// waits for no longer than that.
///
/// A value: it decides whose turn is next and does nothing. Others may have emptied its lanes meanwhile.
package struct LaneRound {
    /// A lane by its number, and whose it is.
    package struct Lane: Sendable, Equatable {
        package let number: Int64
        package let name: LaneName
        package init(_ number: Int64, _ name: LaneName) { (self.number, self.name) = (number, name) }
    }
    /// What one claim asks next: the lanes of each workspace.
    package typealias Turn = [[Lane]]

    private static let share = 4
    private let size: Int
    private var served = 0
    private var left = 0
    private var lanes: [String: Deque<Lane>] = [:]
    private var workspaces = Deque<String>()

    /// A round without lanes.
    package init() { size = 0 }

    /// The lanes that a look found, in the order of their numbers, beginning behind the one that was served last.
    ///
    /// Workers that began at the same lane would find it empty one after the other: in a crowd each begins somewhere else.
    package init(_ found: [Lane], behind last: Int64?, for session: SessionID, room: Int) {
        size = found.count
        var start = 0
        if let last {
            start = found.firstIndex { $0.number > last } ?? 0
        } else if found.count > room {
            let part = (UInt64(bitPattern: session) &* 0x9E37_79B9_7F4A_7C15) >> 32
            start = Int((part * UInt64(found.count)) >> 32)
        }
        for lane in found[start...] + found[..<start] { append(lane) }
    }

    /// Whether a claim with so much room is served from it; else it is time to look again.
    package func serves(_ room: Int) -> Bool { left >= room && served * Self.share < size }
    /// Whether no lane is left in it.
    package var isEmpty: Bool { left == 0 }

    /// Takes out the lanes of the next claim: as many of each workspace, however many it has, and no more in all than there is
    /// room for deliveries, as each has one at least.
    package mutating func next(_ most: Int, where isOpen: (Int64) -> Bool) -> Turn {
        guard most > 0, !isEmpty else { return [] }
        let share = max(1, most / workspaces.count)
        var turn: Turn = []
        var left = most
        for _ in 0..<workspaces.count where left > 0 {
            guard let workspace = workspaces.popFirst() else { break }
            let some = take(min(share, left), of: workspace, where: isOpen)
            if lanes[workspace] != nil { workspaces.append(workspace) }
            left -= some.count
            if !some.isEmpty { turn.append(some) }
        }
        return turn
    }

    /// Notes what a claim took, and puts those of its lanes that have more behind the others.
    package mutating func served(_ count: Int, more: [Lane]) {
        served += count
        for lane in more { append(lane) }
    }

    private mutating func append(_ lane: Lane) {
        left += 1
        let workspace = lane.name.workspace
        if lanes[workspace] == nil { workspaces.append(workspace) }
        lanes[workspace, default: Deque()].append(lane)
    }

    private mutating func take(_ most: Int, of workspace: String, where isOpen: (Int64) -> Bool) -> [Lane] {
        guard var line = lanes.removeValue(forKey: workspace) else { return [] }
        var taken: [Lane] = []
        for _ in 0..<line.count where taken.count < most {
            guard let lane = line.popFirst() else { break }
            if isOpen(lane.number) { taken.append(lane) } else { line.append(lane) }
        }
        left -= taken.count
        if !line.isEmpty { lanes[workspace] = line }
        return taken
    }
}

extension Tariff {
    /// The lanes of a turn of which something may be charged.
    package func charged(of turn: LaneRound.Turn) throws(LedgerError) -> Set<Int64> {
        var charged: Set<Int64> = []
        for lane in turn.joined() where try isCharged(lane.name.target, of: lane.name.workspace) {
            charged.insert(lane.number)
        }
        return charged
    }
}
