// A hash table from bytes to small numbers, read without allocating: keys are looked up where they stand in the event.
// Documents and events come from tenants, who may not choose what collides: the hash is keyed anew in each process. It
// takes 16 bytes at a time through one wide multiplication, as wyhash does, because most keys have no more.

/// A table from (tag, bytes) to a number; the tag keeps the keys of many small tables apart.
struct ByteTable: Sendable {
    /// The entries one behind another: tag, value and length in four bytes each, then the key.
    ///
    /// What is looked up lies together, as a large table is never in the cache.
    private var entries: [UInt8] = []
    private static let header = 12
    /// The upper half of a hash, and the entry's offset plus one; 0 where free.
    ///
    /// A power of two of them, at most two thirds in use.
    private var slots: [UInt64] = [0, 0]
    private(set) var count = 0
    /// The length of the longest key: what is longer is not hashed.
    private(set) var longest = -1

    private static let seed = UInt64.random(in: 0...UInt64.max)

    var isEmpty: Bool { count == 0 }

    /// Sets the value of a key that is not in the table yet.
    mutating func insert(_ tag: Int = 0, _ key: [UInt8], _ value: Int) { insert(tag, key.span, value) }

    /// Sets the value of a key that is not in the table yet.
    mutating func insert(_ tag: Int = 0, _ key: Span<UInt8>, _ value: Int) {
        let offset = entries.count
        for number in [Int32(tag), Int32(value), Int32(key.count)] {
            for shift in stride(from: 0, to: 32, by: 8) { entries.append(UInt8(truncatingIfNeeded: number >> shift)) }
        }
        // The bytes are only read, and only here.
        unsafe key.withUnsafeBytes { unsafe entries.append(contentsOf: $0) }
        longest = max(longest, key.count)
        count += 1
        if count * 3 > slots.count * 2 { grow() } else { place(hash(tag, key), offset) }
    }

    /// The value of a key; `nil` when it is not there.
    func find(_ tag: Int = 0, _ key: Span<UInt8>) -> Int? {
        guard key.count <= longest else { return nil }
        let hash = hash(tag, key)
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            if slots[slot] >> 32 == hash >> 32 {
                let offset = Int(slots[slot] & 0xffff_ffff) - 1
                if let value = value(at: offset, tag, key) { return value }
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// The value of the entry at an offset, if its key is this one.
    @inline(__always)
    private func value(at offset: Int, _ tag: Int, _ key: Span<UInt8>) -> Int? {
        let entry = self.entry(offset)
        guard entry.tag == Int32(truncatingIfNeeded: tag), entry.key.count == key.count else { return nil }
        return entries.span.extracting(entry.key).equals(key) ? entry.value : nil
    }

    @inline(__always)
    private func entry(_ offset: Int) -> (tag: Int32, value: Int, key: Range<Int>) {
        let header = entries.span.extracting(offset..<offset + Self.header)
        // Three numbers out of the twelve bytes that were just cut out.
        return unsafe header.withUnsafeBytes { bytes in
            let count = Int(unsafe bytes.loadUnaligned(fromByteOffset: 8, as: Int32.self))
            let start = offset + Self.header
            return (
                unsafe bytes.loadUnaligned(as: Int32.self),
                Int(unsafe bytes.loadUnaligned(fromByteOffset: 4, as: Int32.self)), start..<start + count
            )
        }
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        var offset = 0
        while offset < entries.count {
            let entry = entry(offset)
            place(hash(Int(entry.tag), entries.span.extracting(entry.key)), offset)
            offset = entry.key.upperBound
        }
    }

    private mutating func place(_ hash: UInt64, _ offset: Int) {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = hash & 0xffff_ffff_0000_0000 | UInt64(offset + 1)
    }

    private func hash(_ tag: Int, _ key: Span<UInt8>) -> UInt64 {
        let (first, second): (UInt64, UInt64) = (0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db)
        var state = Self.seed ^ UInt64(truncatingIfNeeded: tag) &* first
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
