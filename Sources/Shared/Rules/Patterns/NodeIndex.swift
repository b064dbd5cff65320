/// The leaves of one node that are found through keys: which of them a value may meet.
final class NodeIndex: Sendable {
    /// By `EntryPart`.
    private let texts: [TextIndex?]
    private let numbers: RangeIndex?
    private let addresses: (v4: RangeIndex?, v6: RangeIndex?)
    /// Leaves that every value may meet.
    private let always: [Int32]

    init(_ entries: [(key: EntryKey, leaf: Int32)]) {
        var texts = EntryPart.allCases.map { _ in [[UInt8]: [Int32]]() }
        var numbers: [RangeIndex.Entry] = []
        var blocks: (v4: [RangeIndex.Entry], v6: [RangeIndex.Entry]) = ([], [])
        var always: Set<Int32> = []
        for (key, leaf) in entries {
            switch key {
            case .text(let text, let part): texts[part.rawValue][text, default: []].append(leaf)
            case .numbers(let low, let high): numbers.append((UInt128(low), UInt128(high), leaf))
            case .block(let block):
                let entry = (block.range.low, block.range.high, leaf)
                if block.family == .v4 { blocks.v4.append(entry) } else { blocks.v6.append(entry) }
            case .any: always.insert(leaf)
            }
        }
        func index(_ ranges: [RangeIndex.Entry]) -> RangeIndex? { ranges.isEmpty ? nil : RangeIndex(ranges) }
        self.texts = EntryPart.allCases.map { part in
            texts[part.rawValue].isEmpty ? nil : TextIndex(texts[part.rawValue], part)
        }
        self.numbers = index(numbers)
        addresses = (index(blocks.v4), index(blocks.v6))
        self.always = always.sorted()
    }

    /// Appends the leaves that a text may meet, some perhaps twice.
    func find(text: Span<UInt8>, into found: inout [Int32]) {
        for index in texts { index?.find(text, into: &found) }
        if addresses.v4 != nil || addresses.v6 != nil, let address = IPAddress(text) {
            find(address, into: &found)
            if let mapped = address.mapped { find(mapped, into: &found) }
        }
        findAlways(into: &found)
    }

    /// Appends the leaves that a number may meet; `nil` stands for one that cannot be compared.
    func find(number: ComparableNumber?, into found: inout [Int32]) {
        if let number { numbers?.find(UInt128(number.bits), into: &found) }
        findAlways(into: &found)
    }

    /// Appends the leaves that any value may meet.
    func findAlways(into found: inout [Int32]) {
        for leaf in always { found.append(leaf) }
    }

    private func find(_ address: IPAddress, into found: inout [Int32]) {
        (address.family == .v4 ? addresses.v4 : addresses.v6)?.find(address.bits, into: &found)
    }
}
