// Which of many texts begin (or end) a value: a binary search among the sorted texts finds the last that is not behind the
// value, and all that begin the value are in the chain from that one to those that begin it. So a value costs the
// logarithm of how many texts there are, and the texts it has. For ends everything is read from the back.

/// Texts that begin or end values, each with the leaves it leads to.
final class TextIndex: Sendable {
    private let part: EntryPart
    /// The first eight bytes of each text as a number whose order is theirs.
    private let heads: [UInt64]
    /// Where each text begins, and the end of the last.
    private let starts: [UInt32]
    private let bytes: [UInt8]
    /// The longest other text that begins this one; -1 when none does.
    private let parents: [Int32]
    private let leaves: [PatternPlan.Extent]
    private let filed: [Int32]

    init(_ texts: [[UInt8]: [Int32]], _ part: EntryPart) {
        let sorted = texts.map { (text: part.isEnd ? $0.key.reversed() : $0.key, leaves: $0.value) }
            .sorted { $0.text.lexicographicallyPrecedes($1.text) }
        var (starts, bytes, parents): ([UInt32], [UInt8], [Int32]) = ([0], [], [])
        var (leaves, filed): ([PatternPlan.Extent], [Int32]) = ([], [])
        var open: [Int] = []
        for (place, (text, found)) in sorted.enumerated() {
            while let last = open.last, !text.starts(with: sorted[last].text) { open.removeLast() }
            parents.append(Int32(open.last ?? -1))
            open.append(place)
            bytes += text
            starts.append(UInt32(bytes.count))
            leaves.append(.init(start: Int32(filed.count), count: Int32(found.count)))
            filed += found
        }
        self.part = part
        heads = sorted.map { text, _ in Self.head(text.count) { text[$0] } }
        (self.starts, self.bytes, self.parents) = (starts, bytes, parents)
        (self.leaves, self.filed) = (leaves, filed)
    }

    /// Appends the leaves of the texts that the value has at its beginning (or end).
    func find(_ value: Span<UInt8>, into found: inout [Int32]) {
        var place = last(before: value)
        guard place >= 0 else { return }
        let common = common(place, value)
        while place >= 0 {
            if length(place) <= common {
                for leaf in leaves[place].range { found.append(filed[leaf]) }
            }
            place = Int(parents[place])
        }
    }

    /// The last text that is not behind the value in order; -1 when all are.
    private func last(before value: Span<UInt8>) -> Int {
        let head = Self.head(value.count) { byte(of: value, $0) }
        var (low, high) = (0, heads.count)
        while low < high {
            let middle = (low + high) / 2
            let isBehind = heads[middle] == head ? precedes(value, middle) : heads[middle] > head
            if isBehind { high = middle } else { low = middle + 1 }
        }
        return low - 1
    }

    /// Whether the value comes before a text.
    private func precedes(_ value: Span<UInt8>, _ place: Int) -> Bool {
        let common = common(place, value)
        guard common < length(place) else { return false }
        return common == value.count || byte(of: value, common) < bytes[Int(starts[place]) + common]
    }

    /// How many bytes a text and the value have in common.
    private func common(_ place: Int, _ value: Span<UInt8>) -> Int {
        let (start, most) = (Int(starts[place]), min(length(place), value.count))
        var i = 0
        while i < most, bytes[start + i] == byte(of: value, i) { i += 1 }
        return i
    }

    private func length(_ place: Int) -> Int { Int(starts[place + 1] - starts[place]) }

    @inline(__always)
    private func byte(of value: Span<UInt8>, _ i: Int) -> UInt8 {
        let byte = value[part.isEnd ? value.count - 1 - i : i]
        return part.isLowered ? Caseless.lowered(byte) : byte
    }

    @inline(__always)
    private static func head(_ count: Int, _ byte: (Int) -> UInt8) -> UInt64 {
        var head: UInt64 = 0
        for i in 0..<min(count, 8) { head |= UInt64(byte(i)) << UInt64(56 - 8 * i) }
        return head
    }
}
