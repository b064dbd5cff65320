public import CarillonLedger

/// What the receivers say they got, by delivery; may be more than memory holds.
public protocol ReceivedKeys: AnyObject {
    /// How many requests there were of a delivery.
    func count(of key: Key) throws(LedgerError) -> Int
    /// Forgets what was taken.
    func begin() throws(LedgerError)
    /// As `count`, and notes that the delivery was asked for.
    func take(_ key: Key) throws(LedgerError) -> Int
    /// Those that nobody took, in the order of their keys, behind one.
    func left(after key: Key?, limit: Int) throws(LedgerError) -> [(key: Key, count: Int)]
}

extension ReceivedKeys {
    /// Whether the receivers have a delivery.
    public func has(_ key: Key) throws(LedgerError) -> Bool { try count(of: key) > 0 }
}

/// What the receivers got, in memory.
public final class ReceivedCounts: ReceivedKeys {
    private let counts: [Key: Int]
    private var taken: Set<Key> = []

    /// Makes it of the number of requests of each.
    public init(_ counts: [Key: Int]) { self.counts = counts }

    /// How many requests there were.
    public func count(of key: Key) -> Int { counts[key] ?? 0 }
    /// Forgets what was taken.
    public func begin() { taken = [] }
    /// As `count`, and takes it.
    public func take(_ key: Key) -> Int {
        taken.insert(key)
        return count(of: key)
    }
    /// Those that nobody took.
    public func left(after key: Key?, limit: Int) -> [(key: Key, count: Int)] {
        let left = counts.filter { !taken.contains($0.key) }.sorted {
            ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low)
        }
        return left.drop { one in key.map { (one.key.high, one.key.low) <= ($0.high, $0.low) } ?? false }
            .prefix(limit).map { ($0.key, $0.value) }
    }
}
