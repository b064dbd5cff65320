import CarillonKit
import CarillonStream
import Testing

@Suite("Partitioner: agrees with Kafka's Java client")
struct PartitionerTests {
    @Test(
        "murmur2 gives what Java's gives",
        arguments: [("foobar", -790_332_482), ("21", -973_932_308), ("abc", 479_470_107)])
    func murmur2(key: String, expected: Int32) {
        #expect(Int32(bitPattern: Partitioner.murmur2(key.utf8)) == expected)
    }

    @Test(
        "a workspace lives in the partition Java's producer would choose",
        arguments: [("ws-7", 7), ("ws-8", 10), ("workspace-a", 4), ("工作空间", 5)])
    func partitions(key: String, expected: Partition) {
        #expect(Partitioner.partition(of: key.utf8, among: 12) == expected)
    }

    @Test("a partition is always one of those there are", arguments: UInt64(1)...50)
    func staysInRange(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let key = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        let count = Partition.random(in: 1...1024, using: &random)
        #expect((0..<count).contains(Partitioner.partition(of: key, among: count)), "seed \(seed)")
    }

    @Test("every length of rest is hashed: no byte of a key is ignored")
    func everyByteCounts() {
        for length in 1...9 {
            let key = [UInt8](repeating: 0x61, count: length)
            let hashes = (0..<length).map { place in
                var changed = key
                changed[place] = 0xe5
                return Partitioner.murmur2(changed)
            }
            #expect(Set(hashes + [Partitioner.murmur2(key)]).count == length + 1, "length \(length)")
        }
    }
}
