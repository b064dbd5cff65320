// Eight bytes at a time. Most of an event is string, and most of a string is plain ASCII: finding the next byte that
// needs a look is what the checker's and the walker's time goes to.

private let ones: UInt64 = 0x0101_0101_0101_0101
private let tops: UInt64 = 0x8080_8080_8080_8080

/// Marks (top bit of its byte) where `word` has `byte`.
///
/// The lowest mark is exact, those above it may be false.
@inlinable @inline(__always)
func marks(_ word: UInt64, equalTo byte: UInt8) -> UInt64 {
    let zeroed = word ^ (0x0101_0101_0101_0101 &* UInt64(byte))
    return (zeroed &- 0x0101_0101_0101_0101) & ~zeroed & 0x8080_8080_8080_8080
}

/// Eight bytes from `i`, the first in the lowest place.
///
/// The load checks its bounds.
@inlinable @inline(__always)
func word(_ bytes: RawSpan, _ i: Int) -> UInt64 {
    // Any eight bytes are a UInt64, which is all the load is called unsafe for.
    unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: i, as: UInt64.self))
}

extension JSON {
    /// The first offset from `i` whose byte is a quote or a backslash; `text.count` when there is none.
    @inlinable @inline(__always)
    static func quoteOrBackslash(_ text: Span<UInt8>, _ i: Int) -> Int {
        let bytes = unsafe text.bytes  // read only, within `byteCount`
        var i = i
        while i &+ 8 <= bytes.byteCount {
            let eight = word(bytes, i)
            let found = marks(eight, equalTo: UInt8(ascii: "\"")) | marks(eight, equalTo: UInt8(ascii: "\\"))
            if found != 0 { return i &+ found.trailingZeroBitCount &>> 3 }
            i &+= 8
        }
        while i < text.count, text[i] != UInt8(ascii: "\""), text[i] != UInt8(ascii: "\\") { i += 1 }
        return min(i, text.count)
    }

    /// The offset behind the name whose opening quote is at `start`, when it has at most seven bytes and among them neither
    /// a backslash nor a point; `nil` for any other.
    @inlinable @inline(__always)
    public static func shortNameEnd(_ text: Span<UInt8>, _ start: Int) -> Int? {
        let bytes = unsafe text.bytes  // read only, within `byteCount`
        guard start &+ 9 <= bytes.byteCount else { return nil }
        let eight = word(bytes, start &+ 1)
        let quote = marks(eight, equalTo: UInt8(ascii: "\""))
        let others = marks(eight, equalTo: UInt8(ascii: "\\")) | marks(eight, equalTo: UInt8(ascii: "."))
        // The bits below the first quote: a false mark there would only cost the long way.
        guard quote != 0, others & (quote ^ (quote &- 1)) == 0 else { return nil }
        return start &+ 2 &+ quote.trailingZeroBitCount &>> 3
    }

    /// The first offset from `i` whose byte is a quote, a backslash, a control character or not ASCII.
    @inline(__always)
    static func endOfPlainRun(_ text: Span<UInt8>, _ i: Int) -> Int {
        let bytes = unsafe text.bytes  // read only, within `byteCount`
        var i = i
        while i &+ 8 <= bytes.byteCount {
            let eight = word(bytes, i)
            let control = (eight &- ones &* 0x20) & ~eight & tops
            let found =
                marks(eight, equalTo: UInt8(ascii: "\"")) | marks(eight, equalTo: UInt8(ascii: "\\")) | control
                | (eight & tops)
            if found != 0 { return i &+ found.trailingZeroBitCount / 8 }
            i &+= 8
        }
        while i < text.count, isPlain(text[i]) { i += 1 }
        return min(i, text.count)
    }

    @inline(__always)
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x80 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }
}

extension [UInt8] {
    /// Appends a piece of another buffer.
    mutating func append(_ part: Span<UInt8>) {
        unsafe part.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }  // copied before the closure returns
    }

    /// Appends the slice of another buffer.
    mutating func append(_ slice: Slice, of text: Span<UInt8>) { append(text.extracting(slice.range)) }

    /// Appends the UTF-8 of `text`, as it is.
    mutating func append(_ text: String) { append(contentsOf: text.utf8) }
}
