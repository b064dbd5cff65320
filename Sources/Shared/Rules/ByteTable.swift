// A hash table from bytes to small numbers, read without allocating: keys are looked up where they stand in the event.
// Documents and events come from tenants, so the hash is Swift's own, seeded anew in each process.

/// A table from (tag, bytes) to a number; the tag keeps the keys of many small tables apart.
struct ByteTable: Sendable {
    private struct Entry: Sendable {
        var hash: Int
        var tag: Int
        var start, end: Int
        var value: Int
    }
    private var entries: [Entry] = []
    private var keys: [UInt8] = []
    /// Indices into `entries`, -1 where free; a power of two of them, at most half in use.
    private var slots: [Int32] = [-1, -1]
    /// The length of the longest key: what is longer is not hashed.
    private(set) var longest = -1

    var isEmpty: Bool { entries.isEmpty }

    /// Sets the value of a key that is not in the table yet.
    mutating func insert(_ tag: Int = 0, _ key: [UInt8], _ value: Int) {
        let entry = Entry(
            hash: Self.hash(tag, key.span), tag: tag, start: keys.count, end: keys.count + key.count, value: value)
        keys += key
        entries.append(entry)
        longest = max(longest, key.count)
        if entries.count * 2 > slots.count { grow() } else { place(entries.count - 1) }
    }

    /// The value of a key; `nil` when it is not there.
    func find(_ tag: Int = 0, _ key: Span<UInt8>) -> Int? {
        guard key.count <= longest else { return nil }
        let hash = Self.hash(tag, key)
        var slot = hash & (slots.count - 1)
        while slots[slot] >= 0 {
            let entry = entries[Int(slots[slot])]
            if entry.hash == hash, entry.tag == tag, isKey(entry, key) { return entry.value }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private func isKey(_ entry: Entry, _ key: Span<UInt8>) -> Bool {
        guard entry.end - entry.start == key.count else { return false }
        for i in 0..<key.count where keys[entry.start + i] != key[i] { return false }
        return true
    }

    private mutating func grow() {
        slots = Array(repeating: -1, count: slots.count * 2)
        for index in entries.indices { place(index) }
    }

    private mutating func place(_ index: Int) {
        var slot = entries[index].hash & (slots.count - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(truncatingIfNeeded: index)
    }

    private static func hash(_ tag: Int, _ key: Span<UInt8>) -> Int {
        var hasher = Hasher()
        hasher.combine(tag)
        // The bytes are only read, and only here.
        unsafe key.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }
}
