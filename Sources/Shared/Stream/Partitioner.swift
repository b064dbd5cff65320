/// Which partition a workspace lives in: murmur2 as Kafka's Java client has it, so that every producer agrees.
public enum Partitioner {
    /// The partition of `key` among `count`.
    ///
    /// - Parameter count: at least 1; traps otherwise, as a stream has a partition.
    public static func partition(of key: some Collection<UInt8>, among count: Partition) -> Partition {
        precondition(count >= 1, "a stream has at least one partition")
        return Partition(Int32(bitPattern: murmur2(key)) & 0x7fff_ffff) % count
    }

    /// Murmur2, 32 bits, with the seed Kafka uses.
    public static func murmur2(_ key: some Collection<UInt8>) -> UInt32 {
        let m: UInt32 = 0x5bd1_e995
        let bytes = Array(key)
        var h: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
        var i = 0
        while i + 4 <= bytes.count {
            var k =
                UInt32(bytes[i]) | UInt32(bytes[i + 1]) << 8 | UInt32(bytes[i + 2]) << 16 | UInt32(bytes[i + 3]) << 24
            k = k &* m
            k ^= k >> 24
            h = (h &* m) ^ (k &* m)
            i += 4
        }
        let rest = bytes.count - i
        if rest == 3 { h ^= UInt32(bytes[i + 2]) << 16 }
        if rest >= 2 { h ^= UInt32(bytes[i + 1]) << 8 }
        if rest >= 1 { h = (h ^ UInt32(bytes[i])) &* m }
        h ^= h >> 13
        h = h &* m
        return h ^ (h >> 15)
    }
}
