// `after: {count, within}`: whether enough events of one key came close enough to each other. One value remembers one key;
// the ledgers keep it as bytes, one row a key, read and written in the transaction that decides.
//
// An event reaches the threshold when some span of `within` that it lies in holds `count` different values, its own among
// them. While events come in order that is the span that ends with it; one that comes late is judged by what came before
// and after it. So whatever the order in which they are decided, the last decided of `count` events in one span speaks.
//
// What can make no difference to any event still to come is forgotten: a sighting that has `count` different values within
// `within` on either side (a span that needs it holds enough without it), one between two of the same value that are no
// further apart than `within`, and one that its partition has left behind. So a storm costs a bounded number of bytes.

/// What is remembered of the events of one key.
package struct Sightings: Equatable {
    /// An event, as far as it counts.
    struct Sighting: Equatable {
        /// When the stream took it, in milliseconds since the epoch.
        let at: Int64
        /// What has to differ for two to count as two.
        let value: UInt64
        let partition: Int32
    }
    /// Oldest first.
    private(set) var all: [Sighting] = []
    /// From how many on it is worth looking for some to forget.
    private var bound = 0

    /// Nothing yet.
    package init() {}

    /// How many are remembered.
    package var count: Int { all.count }

    /// How long after the newest of its partition one may matter.
    private static func memory(_ within: Int64) -> Int64 { within + max(within, 5 * 60_000) }

    /// Until when any of these may matter.
    package func end(within: Int64) -> Int64 { (all.last?.at ?? 0) + Self.memory(within) }

    /// Notes an event and says how many different values lie in the best span around it: its own, and at most `enough`.
    package mutating func see(_ value: UInt64, at: Int64, partition: Int32, enough: Int, within: Int64) -> Int {
        let place = all.endIndex(upTo: at)
        var first = place
        while first > 0, all[first - 1].at == at { first -= 1 }
        if !all[first..<place].contains(where: { $0.value == value }) {
            all.insert(Sighting(at: at, value: value, partition: partition), at: place)
        }
        let best = best(around: at, enough: enough, within: within)
        if all.count > max(bound, 4 * enough + 32) {
            forget(enough: enough, within: within)
            bound = 2 * all.count
        }
        return best
    }

    /// The most different values in a span that holds a moment, which is one of theirs.
    private func best(around at: Int64, enough: Int, within: Int64) -> Int {
        // Each span ends with a sighting: first with the last of the moment itself, then with later ones.
        var last = all.endIndex(upTo: at) - 1
        var first = last
        var counts: [UInt64: Int] = [:]
        while first >= 0, at - all[first].at < within, counts.count < enough {
            counts[all[first].value, default: 0] += 1
            first -= 1
        }
        var best = counts.count
        while best < enough, last + 1 < all.count, all[last + 1].at - at < within {
            last += 1
            counts[all[last].value, default: 0] += 1
            while all[last].at - all[first + 1].at >= within {
                first += 1
                counts[all[first].value, default: 1] -= 1
                if counts[all[first].value] == 0 { counts[all[first].value] = nil }
            }
            best = max(best, counts.count)
        }
        return min(best, enough)
    }

    /// Forgets what can make no difference any more.
    package mutating func forget(enough: Int, within: Int64) {
        var newest: [Int32: Int64] = [:]
        for one in all { newest[one.partition] = one.at }
        all.removeAll { $0.at + Self.memory(within) < newest[$0.partition] ?? 0 }
        var next: [UInt64: Int64] = [:]
        var following = [Int64?](repeating: nil, count: all.count)
        for place in all.indices.reversed() {
            following[place] = next[all[place].value]
            next[all[place].value] = all[place].at
        }
        var kept: [Sighting] = []
        var last: [UInt64: Int64] = [:]
        for (place, one) in all.enumerated() {
            if let before = last[one.value], let after = following[place], after - before <= within { continue }
            if Self.isEnough(kept.reversed(), near: one.at, enough, within),
                Self.isEnough(all[(place + 1)...], near: one.at, enough, within)
            {
                continue
            }
            kept.append(one)
            last[one.value] = one.at
        }
        all = kept
    }

    private static func isEnough(_ some: some Sequence<Sighting>, near at: Int64, _ enough: Int, _ within: Int64)
        -> Bool
    {
        var values: Set<UInt64> = []
        for one in some {
            guard abs(one.at - at) < within else { return false }
            values.insert(one.value)
            if values.count == enough { return true }
        }
        return false
    }
}

extension [Sightings.Sighting] {
    /// The place behind the last that is not later than a moment.
    fileprivate func endIndex(upTo at: Int64) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].at <= at { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

// MARK: - As bytes

extension Sightings {
    private static let version: UInt8 = 1
    private static let width = 20

    /// The value as bytes, for a ledger's column: a version, then numbers, the least byte first.
    package var bytes: [UInt8] {
        var bytes = [Self.version]
        bytes.reserveCapacity(1 + Self.width * all.count)
        func append(_ number: some FixedWidthInteger) {
            for shift in stride(from: 0, to: number.bitWidth, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        for one in all {
            append(one.at)
            append(one.value)
            append(one.partition)
        }
        return bytes
    }

    /// Reads what `bytes` made; nothing at all is a value without sightings, and anything else `nil`.
    package init?(bytes: [UInt8]) {
        guard let version = bytes.first else { return }
        guard version == Self.version, (bytes.count - 1) % Self.width == 0 else { return nil }
        func number(_ start: Int, _ width: Int) -> UInt64 {
            (0..<width).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
        }
        all.reserveCapacity(bytes.count / Self.width)
        for start in stride(from: 1, to: bytes.count, by: Self.width) {
            let at = Int64(bitPattern: number(start, 8))
            guard at >= all.last?.at ?? .min else { return nil }
            all.append(
                Sighting(
                    at: at, value: number(start + 8, 8),
                    partition: Int32(truncatingIfNeeded: number(start + 16, 4))))
        }
        bound = 2 * all.count
    }
}
