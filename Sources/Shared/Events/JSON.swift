// JSON as bytes. A document is checked once, where it enters; after that it is walked in place, as slices of the buffer
// it came in, so that reading an event allocates nothing. There is no tree: who wants a value asks for its slice.
//
// Split by trust: `JSONCheck.swift` believes nothing and says what is wrong; `JSON.swift` (here) walks checked text, and
// on unchecked text may answer nonsense but never traps and never reads outside; `JSONContainers.swift` steps over what
// nobody asks for; `JSONText.swift` does the strings.

/// Reads JSON in place: checks it, finds values and members as slices, compares and copies strings.
public enum JSON {
    /// How deep arrays and objects may nest; the outermost counts as one.
    public static let maxDepth = 256

    /// What a JSON value is.
    public enum Kind: Sendable, Hashable {
        case object, array, string, number, bool, null
    }

    /// What the value in `value` is, told by its first byte.
    public static func kind(of value: Slice, in text: Span<UInt8>) -> Kind {
        guard value.start >= 0, value.start < text.count else { return .null }
        switch text[value.start] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        default: return .number
        }
    }

    /// Finds the value that starts at or after `at`, white space skipped; `nil` when there is none.
    @inlinable
    public static func value(in text: Span<UInt8>, at: Int) -> Slice? {
        value(in: text, from: at, to: text.count)
    }

    /// Visits the members of an object in their order: the raw key with its quotes, and the raw value.
    ///
    /// Stops when `body` returns false. A slice that is no object has no members.
    public static func members(of object: Slice, in text: Span<UInt8>, _ body: (Slice, Slice) -> Bool) {
        guard opens(object, with: UInt8(ascii: "{"), in: text) else { return }
        var i = object.start + 1
        while let key = value(in: text, from: i, to: object.end), text[key.start] == UInt8(ascii: "\"") {
            i = skipSpace(text, key.end)
            guard i < object.end, text[i] == UInt8(ascii: ":"),
                let value = value(in: text, from: i + 1, to: object.end), body(key, value)
            else { return }
            i = skipSpace(text, value.end)
            guard i < object.end, text[i] == UInt8(ascii: ",") else { return }
            i += 1
        }
    }

    /// Visits the elements of an array in their order.
    ///
    /// Stops when `body` returns false. A slice that is no array has no elements.
    public static func elements(of array: Slice, in text: Span<UInt8>, _ body: (Slice) -> Bool) {
        guard opens(array, with: UInt8(ascii: "["), in: text) else { return }
        var i = array.start + 1
        while let element = value(in: text, from: i, to: array.end), body(element) {
            i = skipSpace(text, element.end)
            guard i < array.end, text[i] == UInt8(ascii: ",") else { return }
            i += 1
        }
    }

    /// Finds the first member named `key`, escapes in the document's key undone; `nil` when there is none.
    public static func member(_ key: String, of object: Slice, in text: Span<UInt8>) -> Slice? {
        let name = key.utf8.span
        var found: Slice?
        members(of: object, in: text) { member, value in
            guard equals(member, in: text, name) else { return true }
            found = value
            return false
        }
        return found
    }
}

// MARK: - Stepping over checked text

extension JSON {
    /// The value between `start` and `end`, both sides believed to be well formed.
    @inlinable
    static func value(in text: Span<UInt8>, from start: Int, to end: Int) -> Slice? {
        guard start >= 0, end <= text.count else { return nil }
        let i = skipSpace(text, start)
        guard i < end else { return nil }
        let behind: Int?
        switch text[i] {
        case UInt8(ascii: "\""): behind = stringEnd(text, i, end)
        case UInt8(ascii: "{"), UInt8(ascii: "["): behind = containerEnd(text, i, end)
        case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"), UInt8(ascii: "]"): behind = nil
        default: behind = wordEnd(text, i, end)
        }
        return behind.map { Slice(i, $0) }
    }

    private static func opens(_ value: Slice, with byte: UInt8, in text: Span<UInt8>) -> Bool {
        value.start >= 0 && value.start < value.end && value.end <= text.count && text[value.start] == byte
    }

    /// The offset of the first byte from `i` that is not white space.
    @inlinable @inline(__always)
    static func skipSpace(_ text: Span<UInt8>, _ i: Int) -> Int {
        var i = i
        while i < text.count, isSpace(text[i]) { i += 1 }
        return i
    }

    @inlinable @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool {
        byte <= 0x20 && (byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09)
    }

    /// The offset behind the string whose opening quote is at `i`; `nil` when it does not end before `end`.
    @inlinable
    static func stringEnd(_ text: Span<UInt8>, _ i: Int, _ end: Int) -> Int? {
        var i = i + 1
        while true {
            i = quoteOrBackslash(text, i)
            guard i < end else { return nil }
            if text[i] == UInt8(ascii: "\"") { return i + 1 }
            i += 2
        }
    }

    /// The offset behind the number or literal that starts at `i`.
    @inlinable
    static func wordEnd(_ text: Span<UInt8>, _ i: Int, _ end: Int) -> Int {
        var i = i
        while i < end {
            switch text[i] {
            case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"), UInt8(ascii: "]"), 0x20, 0x0a, 0x0d, 0x09:
                return i
            default: i += 1
            }
        }
        return i
    }
}
