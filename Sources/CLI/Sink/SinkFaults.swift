import Synchronization

/// Which requests the sink fails on purpose: by chance, from a seed.
final class SinkFaults: Sendable {
    /// A status and how often it is answered.
    struct Fault: Sendable, Equatable {
        let status: Int
        let rate: Double

        /// Reads `503:0.1`, or `503` for every request.
        init?(_ text: String) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), let status = Int(parts[0]), (200...599).contains(status),
                let rate = parts.count == 2 ? Double(parts[1]) : 1, (0...1).contains(rate)
            else { return nil }
            (self.status, self.rate) = (status, rate)
        }
    }

    private let faults: [Fault]
    private let random: Mutex<SplitMix>

    init(_ faults: [Fault], seed: UInt64) {
        self.faults = faults
        random = Mutex(SplitMix(state: seed))
    }

    /// The status of the next request.
    func status() -> Int {
        guard !faults.isEmpty else { return 200 }
        return random.withLock { random in
            for fault in faults where Double.random(in: 0..<1, using: &random) < fault.rate { return fault.status }
            return 200
        }
    }
}

/// SplitMix64: a small generator whose sequence is its seed's.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
