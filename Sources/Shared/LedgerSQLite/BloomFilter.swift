/// A blocked Bloom filter over keys that are hashes already: one cache line a question, about 1 % false yes.
struct BloomFilter {
    /// Eight words are one block, a cache line.
    private var words: [UInt64]
    private let blocks: UInt64

    /// Room for `keys` at 12 bits each.
    init(keys: Int) {
        blocks = UInt64(max(1, keys * 12 / 512))
        words = [UInt64](repeating: 0, count: Int(blocks) * 8)
    }

    mutating func insert(_ high: UInt64, _ low: UInt64) {
        let block = Int(high.multipliedFullWidth(by: blocks).high) * 8
        for probe in Probes(low) { words[block + probe.word] |= probe.bit }
    }

    func mayContain(_ high: UInt64, _ low: UInt64) -> Bool {
        let block = Int(high.multipliedFullWidth(by: blocks).high) * 8
        for probe in Probes(low) where words[block + probe.word] & probe.bit == 0 { return false }
        return true
    }

    /// Seven places in a block of 512 bits, nine bits of the hash each.
    private struct Probes: Sequence, IteratorProtocol {
        private var rest: UInt64
        private var left = 7
        init(_ hash: UInt64) { rest = hash }
        mutating func next() -> (word: Int, bit: UInt64)? {
            guard left > 0 else { return nil }
            defer {
                rest >>= 9
                left -= 1
            }
            return (Int(rest >> 6 & 7), 1 << (rest & 63))
        }
    }
}
