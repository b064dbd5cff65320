// Stepping over arrays and objects that nobody asks for, sixteen bytes at a time: most of many an event. There is no
// branch for each string and bracket. Of a block, marks (the top bit of a byte) tell quotes and brackets; a product with ones
// sums marks up byte by byte, so that its low bits tell which bytes are in a string.

private let ones: UInt64 = 0x0101_0101_0101_0101

/// Marks the bytes that are `byte`, each of them and no other.
@inline(__always)
private func exactMarks(_ words: SIMD2<UInt64>, equalTo byte: UInt8) -> SIMD2<UInt64> {
    let zeroed = words ^ SIMD2(repeating: ones &* UInt64(byte))
    let low = SIMD2<UInt64>(repeating: 0x7f7f_7f7f_7f7f_7f7f)
    return ~(((zeroed & low) &+ low) | zeroed | low)
}

/// In each byte, how many marks there are up to and with it.
@inline(__always)
private func sums(_ marks: UInt64) -> UInt64 { (marks &>> 7) &* ones }

extension JSON {
    /// The offset behind the array or object that opens at `start`; `nil` when it does not end before `end`.
    ///
    /// Brackets are counted, not paired.
    @usableFromInline
    static func containerEnd(_ text: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
        var walk = ContainerWalk(place: start + 1)
        while walk.place < end {
            if walk.place &+ 16 <= end, let found = walk.block(text) {
                if found { return walk.place }
            } else if walk.bytes(text, to: min(walk.place &+ 16, end)) {
                return walk.place
            }
        }
        return nil
    }
}

/// Where stepping over an array or object is, and what it is in there.
private struct ContainerWalk {
    var place: Int
    private var depth = 1
    private var isInString = false

    init(place: Int) { self.place = place }

    /// Steps over the next sixteen bytes: whether the end was among them, and is the place now.
    ///
    /// `nil`, and no step, where they have a backslash.
    @inline(__always)
    mutating func block(_ text: Span<UInt8>) -> Bool? {
        let bytes = unsafe text.bytes  // read only, within `byteCount`
        let words = SIMD2(word(bytes, place), word(bytes, place &+ 8))
        guard exactMarks(words, equalTo: UInt8(ascii: "\\")) == .zero else { return nil }
        let quotes = exactMarks(words, equalTo: UInt8(ascii: "\""))
        // The low bit of a byte: whether it is in a string, or the quote that opens it.
        let first = sums(quotes[0]) ^ (isInString ? ones : 0)
        let second = sums(quotes[1]) ^ ((first &>> 56 & 1) &* ones)
        let outside = ~SIMD2(first &<< 7, second &<< 7)
        // One bit is between `[` and `{`, and between `]` and `}`.
        let signs = words | SIMD2(repeating: ones &* 0x20)
        let opens = exactMarks(signs, equalTo: UInt8(ascii: "{")) & outside
        let closes = exactMarks(signs, equalTo: UInt8(ascii: "}")) & outside
        isInString = second &>> 56 & 1 != 0
        let closed = count(closes)
        guard closed >= depth else {
            depth = depth &+ count(opens) &- closed
            place &+= 16
            return false
        }
        return close(opens[0], closes[0]) || close(opens[1], closes[1])
    }

    /// How many marks there are.
    @inline(__always)
    private func count(_ marks: SIMD2<UInt64>) -> Int {
        Int((((marks[0] &>> 7) &+ (marks[1] &>> 7)) &* ones) &>> 56)
    }

    /// Steps over eight bytes bracket by bracket: whether the end was among them, and is the place now.
    private mutating func close(_ opens: UInt64, _ closes: UInt64) -> Bool {
        var left = opens | closes
        while left != 0 {
            let mark = left & (0 &- left)
            depth &+= mark & opens != 0 ? 1 : -1
            if depth == 0 {
                place &+= mark.trailingZeroBitCount &>> 3 &+ 1
                return true
            }
            left &= left &- 1
        }
        place &+= 8
        return false
    }

    /// Steps byte by byte, over escapes, too: whether the end was met, and is the place now.
    mutating func bytes(_ text: Span<UInt8>, to stop: Int) -> Bool {
        while place < stop {
            let byte = text[place]
            place &+= 1
            if isInString {
                if byte == UInt8(ascii: "\\") { place &+= 1 }
                if byte == UInt8(ascii: "\"") { isInString = false }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth &+= 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth &-= 1
                if depth == 0 { return true }
            default: break
            }
        }
        return false
    }
}
