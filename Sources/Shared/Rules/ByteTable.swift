// A hash table from bytes to small numbers, read without allocating: keys are looked up where they stand in the event.
// Documents and events come from tenants, who may not choose what collides: the hash is keyed anew in each process. It
// takes 16 bytes at a time through one wide multiplication, as wyhash does, because most keys have no more.

/// A table from (tag, bytes) to a number; the tag keeps the keys of many small tables apart.
struct ByteTable: Sendable {
    private struct Entry: Sendable {
        var tag: Int32
        var start, count: UInt32
        var value: Int32
    }
    private var entries: [Entry] = []
    private var keys: [UInt8] = []
    /// The upper half of a hash, and the entry's index plus one; 0 where free.
    ///
    /// A power of two of them, at most two thirds in use.
    private var slots: [UInt64] = [0, 0]
    /// The length of the longest key: what is longer is not hashed.
    private(set) var longest = -1
    private let seed = Self.seed

    private static let seed = UInt64.random(in: 0...UInt64.max)

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// Sets the value of a key that is not in the table yet.
    mutating func insert(_ tag: Int = 0, _ key: [UInt8], _ value: Int) { insert(tag, key.span, value) }

    /// Sets the value of a key that is not in the table yet.
    mutating func insert(_ tag: Int = 0, _ key: Span<UInt8>, _ value: Int) {
        let hash = hash(tag, key)
        entries.append(
            Entry(tag: Int32(tag), start: UInt32(keys.count), count: UInt32(key.count), value: Int32(value)))
        // The bytes are only read, and only here.
        unsafe key.withUnsafeBytes { unsafe keys.append(contentsOf: $0) }
        longest = max(longest, key.count)
        if entries.count * 3 > slots.count * 2 { grow() }
        place(hash, entries.count)
    }

    /// The value of a key; `nil` when it is not there.
    func find(_ tag: Int = 0, _ key: Span<UInt8>) -> Int? {
        guard key.count <= longest else { return nil }
        let hash = hash(tag, key)
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            if slots[slot] >> 32 == hash >> 32 {
                let entry = entries[Int(slots[slot] & 0xffff_ffff) - 1]
                if entry.tag == Int32(truncatingIfNeeded: tag), isKey(entry, key) { return Int(entry.value) }
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func isKey(_ entry: Entry, _ key: Span<UInt8>) -> Bool {
        guard Int(entry.count) == key.count else { return false }
        let own = keys.span.extracting(Int(entry.start)..<Int(entry.start) + key.count)
        return own.equals(key)
    }

    private mutating func grow() {
        let entries = entries.dropLast()
        slots = Array(repeating: 0, count: slots.count * 2)
        for (index, entry) in entries.enumerated() {
            let range = Int(entry.start)..<Int(entry.start) + Int(entry.count)
            let hash = hash(Int(entry.tag), keys.span.extracting(range))
            place(hash, index + 1)
        }
    }

    private mutating func place(_ hash: UInt64, _ number: Int) {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = hash & 0xffff_ffff_0000_0000 | UInt64(number)
    }

    private func hash(_ tag: Int, _ key: Span<UInt8>) -> UInt64 {
        let (first, second): (UInt64, UInt64) = (0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db)
        var state = seed ^ UInt64(truncatingIfNeeded: tag) &* first
        // The bytes are only read, and only here.
        return unsafe key.withUnsafeBytes { bytes in
            var i = 0
            while bytes.count - i > 16 {
                state = Self.mixed(unsafe bytes.word(i) ^ first, unsafe bytes.word(i + 8) ^ state)
                i += 16
            }
            let rest = bytes.count - i
            var (low, high): (UInt64, UInt64) = (0, 0)
            if rest >= 8 {
                (low, high) = unsafe (bytes.word(i), bytes.word(bytes.count - 8))
            } else if bytes.count >= 8 {
                low = unsafe bytes.word(bytes.count - 8)
            } else {
                for place in 0..<rest { low |= UInt64(unsafe bytes[place]) << UInt64(8 * place) }
            }
            state = Self.mixed(low ^ second, high ^ state)
            return Self.mixed(state ^ first, UInt64(bytes.count) ^ second)
        }
    }

    @inline(__always)
    private static func mixed(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.low ^ product.high
    }
}

extension UnsafeRawBufferPointer {
    /// The eight bytes at an offset that has as many behind it.
    @inline(__always)
    fileprivate func word(_ offset: Int) -> UInt64 { unsafe loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
}
