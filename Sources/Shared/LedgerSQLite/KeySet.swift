import CarillonLedger

/// An exact set of keys that are hashes already: one probe, mostly, and no hashing.
struct KeySet {
    /// Powers of two; all zeros is an empty slot.
    private var slots = [Key](repeating: KeySet.empty, count: 64)
    private var hasZero = false
    private(set) var count = 0

    private static let empty = Key(high: 0, low: 0)

    /// Adds a key; false when it is there already.
    mutating func insert(_ key: Key) -> Bool {
        if key == Self.empty {
            defer { hasZero = true }
            if !hasZero { count += 1 }
            return !hasZero
        }
        if count * 2 >= slots.count { grow() }
        let slot = place(of: key)
        guard slots[slot] == Self.empty else { return false }
        slots[slot] = key
        count += 1
        return true
    }

    /// Where the key stands, or the empty slot where it would.
    private func place(of key: Key) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: key.low) & mask
        while slots[slot] != Self.empty, slots[slot] != key { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow() {
        let before = slots
        slots = [Key](repeating: Self.empty, count: before.count * 2)
        for key in before where key != Self.empty { slots[place(of: key)] = key }
    }
}
