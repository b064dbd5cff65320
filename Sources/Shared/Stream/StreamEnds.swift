/// Where a stream begins and ends at one moment.
public struct StreamEnds: Sendable {
    /// One partition's earliest kept and next offset.
    public typealias Ends = (low: Offset, next: Offset)
    /// The name the ledger keeps the stream's positions under.
    public let stream: String
    /// By partition.
    public let partitions: [Partition: Ends]

    /// Makes one.
    public init(stream: String, partitions: [Partition: Ends]) { (self.stream, self.partitions) = (stream, partitions) }

    /// How many records are kept and not decided, given the next offset to decide of this stream's partitions.
    public func undecided(after positions: [Partition: Offset]) -> Int64 {
        partitions.reduce(0) { $0 + max(0, $1.value.next - max(positions[$1.key] ?? 0, $1.value.low)) }
    }
}

extension [StreamEnds] {
    /// How many records of all of them are kept and not decided.
    public func undecided(after positions: [Place: Offset]) -> Int64 {
        reduce(0) { sum, ends in
            let mine = positions.filter { $0.key.stream == ends.stream }
            return sum
                + ends.undecided(after: Dictionary(uniqueKeysWithValues: mine.map { ($0.key.partition, $0.value) }))
        }
    }
}
