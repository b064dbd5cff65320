extension JSON {
    /// Finds the last member with this name, given as UTF-8, escapes in the document's names undone; `nil` when there is
    /// none.
    ///
    /// The last is what most readers of JSON take where a name stands twice. Walks the whole object.
    public static func lastMember(_ name: Span<UInt8>, of object: Slice, in text: Span<UInt8>) -> Slice? {
        guard kind(of: object, in: text) == .object, object.end <= text.count else { return nil }
        var found: Slice?
        var i = object.start + 1
        while let key = value(in: text, from: i, to: object.end), text[key.start] == UInt8(ascii: "\"") {
            let colon = skipSpace(text, key.end)
            guard colon < object.end, let value = value(in: text, from: colon + 1, to: object.end) else { break }
            if isNamed(key, name, in: text) { found = value }
            i = skipSpace(text, value.end)
            guard i < object.end, text[i] == UInt8(ascii: ",") else { break }
            i += 1
        }
        return found
    }

    /// Whether a raw name says these bytes; most differ in length and have no escape.
    @inline(__always)
    private static func isNamed(_ key: Slice, _ name: Span<UInt8>, in text: Span<UInt8>) -> Bool {
        if key.count - 2 == name.count {
            var i = 0
            while i < name.count, text[key.start + 1 + i] == name[i] { i += 1 }
            if i == name.count, quoteOrBackslash(text, key.start + 1) >= key.end - 1 { return true }
        }
        guard key.count - 2 >= name.count, quoteOrBackslash(text, key.start + 1) < key.end - 1 else { return false }
        return equals(key, in: text, name)
    }
}
