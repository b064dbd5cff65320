/// Some hundred entries of a sorted run, 12 bytes each: the hash, and how far the event is before the run's last.
///
/// All entries of a hash stand in one block.
struct LookupBlock {
    /// How many entries end a block, as soon as the hash changes.
    private static let length = 256
    private static let entry = 12

    /// The hash of its first entry.
    let first: Int64
    let bytes: [UInt8]

    /// The blocks of a sorted run.
    static func blocks(of run: [(hash: Int64, event: Int64)], last: Int64) -> [LookupBlock] {
        var blocks: [LookupBlock] = []
        var bytes: [UInt8] = []
        var (first, before) = (run.first?.hash ?? 0, run.first?.hash ?? 0)
        for (hash, event) in run {
            if bytes.count >= length * entry, hash != before {
                blocks.append(LookupBlock(first: first, bytes: bytes))
                bytes.removeAll(keepingCapacity: true)
                first = hash
            }
            for shift in stride(from: 0, to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: hash >> Int64(shift)))
            }
            let back = last - event
            for shift in stride(from: 0, to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: back >> Int64(shift)))
            }
            before = hash
        }
        if !bytes.isEmpty { blocks.append(LookupBlock(first: first, bytes: bytes)) }
        return blocks
    }

    /// The events that have one of these hashes.
    func events(of hashes: Set<Int64>, last: Int64) -> [Int64] {
        var events: [Int64] = []
        for start in stride(from: 0, to: bytes.count - Self.entry + 1, by: Self.entry)
        where hashes.contains(number(at: start, bytes: 8)) {
            events.append(last - number(at: start + 8, bytes: 4))
        }
        return events
    }

    private func number(at start: Int, bytes count: Int) -> Int64 {
        var number: UInt64 = 0
        for place in 0..<count { number |= UInt64(bytes[start + place]) << UInt64(8 * place) }
        return Int64(bitPattern: number)
    }
}
