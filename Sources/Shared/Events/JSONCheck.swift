// The strict reading of RFC 8259: one pass, no allocation, the first fault with its place.

extension JSON {
    /// Checks strictly that `text` is exactly one JSON value, as RFC 8259 has it.
    ///
    /// Also refused: text that is not UTF-8, half surrogate pairs in `\u` escapes, nesting deeper than `maxDepth`.
    /// Numbers may have any length. Names that repeat within one object are refused when asked.
    public static func check(_ text: Span<UInt8>, refusingDuplicateKeys unique: Bool = false) throws(JSONError) {
        var i = try start(of: text)
        i = try checkValue(text, i, depth: 0, unique: unique)
        try checkEnd(text, i)
    }

    /// The offset of the first byte that is not white space.
    static func start(of text: Span<UInt8>) throws(JSONError) -> Int {
        let i = skipSpace(text, 0)
        guard i < text.count else { throw JSONError(.noValue, at: i) }
        if i == 0, text.count >= 3, text[0] == 0xef, text[1] == 0xbb, text[2] == 0xbf {
            throw JSONError(.byteOrderMark, at: i)
        }
        return i
    }

    /// Checks that nothing but white space follows.
    static func checkEnd(_ text: Span<UInt8>, _ i: Int) throws(JSONError) {
        let i = skipSpace(text, i)
        if i < text.count { throw JSONError(.trailing, at: i) }
    }

    /// Checks the value whose first byte is at `i`, inside `depth` containers; returns the offset behind it.
    static func checkValue(_ text: Span<UInt8>, _ i: Int, depth: Int, unique: Bool = false) throws(JSONError) -> Int {
        guard i < text.count else { throw JSONError(.truncated, at: i) }
        switch text[i] {
        case UInt8(ascii: "\""): return try checkString(text, i).end
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try checkNumber(text, i)
        case UInt8(ascii: "{"): return try checkObject(text, i, depth: depth + 1, unique: unique)
        case UInt8(ascii: "["): return try checkArray(text, i, depth: depth + 1, unique: unique)
        case UInt8(ascii: "t"): return try checkLiteral(text, i, "true")
        case UInt8(ascii: "f"): return try checkLiteral(text, i, "false")
        case UInt8(ascii: "n"): return try checkLiteral(text, i, "null")
        default: throw JSONError(.unexpected, at: i)
        }
    }

    private static func checkObject(
        _ text: Span<UInt8>, _ open: Int, depth: Int, unique: Bool
    ) throws(JSONError) -> Int {
        if depth > maxDepth { throw JSONError(.depth, at: open) }
        var i = skipSpace(text, open + 1)
        if i < text.count, text[i] == UInt8(ascii: "}") { return i + 1 }
        var names: Set<[UInt8]> = []
        while true {
            let key = try checkKey(text, i)
            if unique, !names.insert(unescaped(key.slice, in: text)).inserted {
                throw JSONError(.duplicateKey, at: key.slice.start)
            }
            i = try checkValue(text, key.value, depth: depth, unique: unique)
            guard let next = try nextMember(text, i) else { return skipSpace(text, i) + 1 }
            i = next
        }
    }

    private static func checkArray(
        _ text: Span<UInt8>, _ open: Int, depth: Int, unique: Bool
    ) throws(JSONError) -> Int {
        if depth > maxDepth { throw JSONError(.depth, at: open) }
        var i = skipSpace(text, open + 1)
        if i < text.count, text[i] == UInt8(ascii: "]") { return i + 1 }
        while true {
            i = skipSpace(text, try checkValue(text, i, depth: depth, unique: unique))
            guard i < text.count else { throw JSONError(.truncated, at: i) }
            switch text[i] {
            case UInt8(ascii: ","): i = skipSpace(text, i + 1)
            case UInt8(ascii: "]"): return i + 1
            default: throw JSONError(.commaOrBracket, at: i)
            }
        }
    }

    /// Checks a member's name and its colon: where the name stands, whether it has escapes, where the value starts.
    static func checkKey(
        _ text: Span<UInt8>, _ i: Int
    ) throws(JSONError) -> (slice: Slice, escaped: Bool, value: Int) {
        guard i < text.count else { throw JSONError(.truncated, at: i) }
        guard text[i] == UInt8(ascii: "\"") else { throw JSONError(.key, at: i) }
        let (end, escaped) = try checkString(text, i)
        let colon = skipSpace(text, end)
        guard colon < text.count else { throw JSONError(.truncated, at: colon) }
        guard text[colon] == UInt8(ascii: ":") else { throw JSONError(.colon, at: colon) }
        return (Slice(i, end), escaped, skipSpace(text, colon + 1))
    }

    /// Where the next member starts, behind a member that ends at `i`; `nil` when the object closes.
    static func nextMember(_ text: Span<UInt8>, _ i: Int) throws(JSONError) -> Int? {
        let i = skipSpace(text, i)
        guard i < text.count else { throw JSONError(.truncated, at: i) }
        switch text[i] {
        case UInt8(ascii: ","): return skipSpace(text, i + 1)
        case UInt8(ascii: "}"): return nil
        default: throw JSONError(.commaOrBrace, at: i)
        }
    }

    private static func checkLiteral(_ text: Span<UInt8>, _ i: Int, _ word: StaticString) throws(JSONError) -> Int {
        let end = i + word.utf8CodeUnitCount
        guard end <= text.count else { throw JSONError(.literal, at: i) }
        guard Slice(i, end).spells(word, in: text) else { throw JSONError(.literal, at: i) }
        return end
    }

    private static func checkNumber(_ text: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
        var i = start
        if text[i] == UInt8(ascii: "-") { i += 1 }
        let whole = i
        i = try checkDigits(text, i)
        if text[whole] == UInt8(ascii: "0"), i > whole + 1 { throw JSONError(.leadingZero, at: whole) }
        if i < text.count, text[i] == UInt8(ascii: ".") { i = try checkDigits(text, i + 1) }
        guard i < text.count, text[i] | 0x20 == UInt8(ascii: "e") else { return i }
        i += 1
        if i < text.count, text[i] == UInt8(ascii: "+") || text[i] == UInt8(ascii: "-") { i += 1 }
        return try checkDigits(text, i)
    }

    /// One digit or more.
    private static func checkDigits(_ text: Span<UInt8>, _ start: Int) throws(JSONError) -> Int {
        var i = start
        while i < text.count, text[i] &- UInt8(ascii: "0") < 10 { i += 1 }
        guard i > start else { throw JSONError(i < text.count ? .digit : .truncated, at: i) }
        return i
    }
}

extension Slice {
    /// Whether the bytes are those of `word`.
    @inline(__always)
    func spells(_ word: StaticString, in text: Span<UInt8>) -> Bool {
        guard count == word.utf8CodeUnitCount else { return false }
        for i in 0..<count where text[start + i] != (unsafe word.utf8Start[i]) { return false }
        return true
    }
}
