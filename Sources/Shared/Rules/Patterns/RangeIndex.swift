// Which of many ranges hold a number: sorted by their lower ends, with a tree of the highest upper ends beside them.
// Those that begin behind the number are cut off by a binary search; of the rest the tree is followed only where some
// range reaches the number. So a number costs the logarithm of how many ranges there are, for each that holds it.

/// Ranges of numbers, both ends included, each with the leaf it leads to.
final class RangeIndex: Sendable {
    typealias Entry = (low: UInt128, high: UInt128, leaf: Int32)

    private let lows: [UInt128]
    private let leaves: [Int32]
    /// The upper ends in a tree: at 1 the highest of all, below `i` those of its two halves at `2 * i` and `2 * i + 1`.
    private let highs: [UInt128]
    private let width: Int

    init(_ entries: [Entry]) {
        let sorted = entries.sorted { ($0.low, $0.leaf) < ($1.low, $1.leaf) }
        var width = 1
        while width < sorted.count { width *= 2 }
        var highs = Array(repeating: UInt128(0), count: 2 * width)
        for (place, entry) in sorted.enumerated() { highs[width + place] = entry.high }
        for place in stride(from: width - 1, to: 0, by: -1) {
            highs[place] = max(highs[2 * place], highs[2 * place + 1])
        }
        (lows, leaves) = (sorted.map(\.low), sorted.map(\.leaf))
        (self.highs, self.width) = (highs, width)
    }

    /// Appends the leaves of the ranges that hold the number.
    func find(_ number: UInt128, into found: inout [Int32]) {
        var (low, high) = (0, lows.count)
        while low < high {
            let middle = (low + high) / 2
            if lows[middle] <= number { low = middle + 1 } else { high = middle }
        }
        find(1, 0..<width, below: low, number, &found)
    }

    private func find(_ tree: Int, _ range: Range<Int>, below end: Int, _ number: UInt128, _ found: inout [Int32]) {
        guard range.lowerBound < end, highs[tree] >= number else { return }
        guard range.count > 1 else { return found.append(leaves[range.lowerBound]) }
        let middle = range.lowerBound + range.count / 2
        find(2 * tree, range.lowerBound..<middle, below: end, number, &found)
        find(2 * tree + 1, middle..<range.upperBound, below: end, number, &found)
    }
}

extension AddressBlock {
    /// Its first and its last address.
    var range: (low: UInt128, high: UInt128) {
        let all: UInt128 = family == .v4 ? 0xffff_ffff : .max
        return (value, value | (all & ~Self.mask(family, length)))
    }
}
