extension JSON {
    /// Finds the last member with this name, given as UTF-8, escapes in the document's names undone; `nil` when there is
    /// none.
    ///
    /// The last is what most readers of JSON take where a name stands twice. Walks the whole object.
    public static func lastMember(_ name: Span<UInt8>, of object: Slice, in text: Span<UInt8>) -> Slice? {
        var found: Slice?
        members(of: object, in: text) { key, value in
            if isNamed(key, name, in: text) { found = value }
            return true
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
