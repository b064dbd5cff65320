import DequeModule

/// What waits to be sent, fair by lane: each lane in its own order, the lanes in turns, none with more than its share
/// on the wire.
///
/// A value: it decides what is next and does nothing.
///
/// It holds what the worker offered and no more, so its bound is the room the worker gives the courier.
///
/// Beside others a lane starts another only while it has fewer on the wire than there are places free. So one hung lane takes half of
/// the places at most, two a third each, and however many hang, a healthy one still finds some.
package struct Lanes {
    private struct Lane {
        var waiting = Deque<Outgoing>()
        var onWire = 0
        /// Whether it stands in `turns` or in `crowded`.
        var isUp = false
    }

    private let perLane: Int
    /// All places there are, and those in use.
    private let places: Int
    private var onWire = 0
    private var lanes: [Int64: Lane] = [:]
    /// Lanes with both work and room.
    private var turns = Deque<Int64>()
    /// Those of them that had their share when it was their turn; they are asked again when a place is free.
    private var crowded: [Int64] = []

    package init(perLane: Int, places: Int = .max) { (self.perLane, self.places) = (max(1, perLane), places) }

    /// Whether something could be started now.
    package var hasNext: Bool { !turns.isEmpty }

    /// Puts a delivery at the end of its lane.
    package mutating func add(_ outgoing: Outgoing) {
        lanes[outgoing.lane, default: Lane()].waiting.append(outgoing)
        if let place = lanes.index(forKey: outgoing.lane) { giveTurn(outgoing.lane, place) }
    }

    /// Takes the first delivery of the lane whose turn it is; its place is in use until `free`.
    ///
    /// A lane is changed where it stands: a copy of it would share its queue, and taking from that would copy all of it.
    package mutating func next() -> Outgoing? {
        while let name = turns.popFirst() {
            guard let place = lanes.index(forKey: name), lanes.values[place].onWire < perLane else { continue }
            guard lanes.values[place].onWire < places - onWire || lanes.count == 1 else {
                crowded.append(name)
                continue
            }
            lanes.values[place].isUp = false
            guard let first = lanes.values[place].waiting.popFirst() else { continue }
            lanes.values[place].onWire += 1
            onWire += 1
            giveTurn(name, place)
            return first
        }
        return nil
    }

    /// Gives a place back.
    ///
    /// A lane without work and use is forgotten, so memory follows the work.
    package mutating func free(_ lane: Int64) {
        onWire -= 1
        if !crowded.isEmpty {
            for name in crowded { turns.append(name) }
            crowded.removeAll(keepingCapacity: true)
        }
        guard let place = lanes.index(forKey: lane) else { return }
        lanes.values[place].onWire -= 1
        giveTurn(lane, place)
        forgetIfEmpty(place)
    }

    /// Takes out everything that waits in one lane.
    package mutating func removeWaiting(of lane: Int64) -> [Outgoing] {
        guard let place = lanes.index(forKey: lane) else { return [] }
        let waiting = Array(lanes.values[place].waiting)
        lanes.values[place].waiting.removeAll()
        forgetIfEmpty(place)
        return waiting
    }

    private mutating func forgetIfEmpty(_ place: Dictionary<Int64, Lane>.Index) {
        let isEmpty =
            lanes.values[place].onWire == 0 && lanes.values[place].waiting.isEmpty && !lanes.values[place].isUp
        if isEmpty { lanes.remove(at: place) }
    }

    /// Takes out everything that waits.
    package mutating func removeWaiting() -> [Outgoing] {
        (turns, crowded) = (Deque(), [])
        var waiting: [Outgoing] = []
        for lane in lanes.keys.sorted() {
            while let next = lanes[lane]?.waiting.popFirst() { waiting.append(next) }
            lanes[lane]?.isUp = false
            if lanes[lane]?.onWire == 0 { lanes[lane] = nil }
        }
        return waiting
    }

    private mutating func giveTurn(_ name: Int64, _ place: Dictionary<Int64, Lane>.Index) {
        let isReady =
            !lanes.values[place].isUp && lanes.values[place].onWire < perLane && !lanes.values[place].waiting.isEmpty
        guard isReady else { return }
        lanes.values[place].isUp = true
        turns.append(name)
    }
}
