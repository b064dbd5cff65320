// Strings in JSON: checked, compared, copied out, written.

extension JSON {
    /// The string behind a raw string slice (quotes included), escapes undone; `nil` when it is no string.
    public static func string(_ raw: Slice, in text: Span<UInt8>) -> String? {
        if let plain = plain(raw, in: text) {
            guard let valid = try? UTF8Span(validating: text.extracting(plain.range)) else { return nil }
            return String(copying: valid)
        }
        var bytes: [UInt8] = []
        guard unescape(raw, in: text, into: &bytes) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The content of a raw string slice, without quotes, when it stands there as it is.
    ///
    /// `nil` when it has an escape (`string` undoes those) or is no string.
    public static func plain(_ raw: Slice, in text: Span<UInt8>) -> Slice? {
        guard isQuoted(raw, in: text) else { return nil }
        let content = Slice(raw.start + 1, raw.end - 1)
        return quoteOrBackslash(text, content.start) >= content.end ? content : nil
    }

    /// Whether the raw string slice (quotes included) says exactly these UTF-8 bytes, escapes undone.
    public static func equals(_ raw: Slice, in text: Span<UInt8>, _ bytes: [UInt8]) -> Bool {
        equals(raw, in: text, bytes.span)
    }

    /// Whether the raw string slice (quotes included) says exactly these UTF-8 bytes, escapes undone.
    public static func equals(_ raw: Slice, in text: Span<UInt8>, _ bytes: Span<UInt8>) -> Bool {
        guard isQuoted(raw, in: text) else { return false }
        let first = text[raw.start + 1]  // there the names of one object differ most often
        guard first == UInt8(ascii: "\\") || first == (bytes.isEmpty ? UInt8(ascii: "\"") : bytes[0]) else {
            return false
        }
        if let plain = plain(raw, in: text) { return text.extracting(plain.range).equals(bytes) }
        var unescaped: [UInt8] = []
        return unescape(raw, in: text, into: &unescaped) && unescaped.span.equals(bytes)
    }

    /// Appends `text` as a JSON string with its quotes; escapes control characters, quotes and backslashes only.
    public static func append(quoted text: String, to bytes: inout [UInt8]) {
        append(quoted: text.utf8.span, to: &bytes)
    }

    /// Appends an array whose elements `write` writes.
    public static func append<Element, Trouble: Error>(
        array elements: [Element], to bytes: inout [UInt8],
        write: (Element, inout [UInt8]) throws(Trouble) -> Void
    ) throws(Trouble) {
        bytes.append(UInt8(ascii: "["))
        for (place, element) in elements.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            try write(element, &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// Appends an object, its members in their order; `write` writes a member's value.
    public static func append<Element, Trouble: Error>(
        object members: [Element], name: (Element) -> String, to bytes: inout [UInt8],
        write: (Element, inout [UInt8]) throws(Trouble) -> Void
    ) throws(Trouble) {
        bytes.append(UInt8(ascii: "{"))
        for (place, member) in members.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            append(quoted: name(member), to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            try write(member, &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// Appends `text`, which is valid UTF-8, as a JSON string with its quotes.
    public static func append(quoted text: Span<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var (written, i) = (0, endOfPlainRun(text, 0))
        while i < text.count {
            if needsEscape(text[i]) {
                bytes.append(Slice(written, i), of: text)
                appendEscape(text[i], to: &bytes)
                written = i + 1
            }
            i = endOfPlainRun(text, i + 1)
        }
        bytes.append(Slice(written, text.count), of: text)
        bytes.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func appendEscape(_ byte: UInt8, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
        case 0x20...: bytes.append(byte)
        default: bytes.append((byte < 0x10 ? "u000" : "u00") + String(byte, radix: 16))
        }
    }

    private static func isQuoted(_ raw: Slice, in text: Span<UInt8>) -> Bool {
        raw.start >= 0 && raw.end <= text.count && raw.end - raw.start >= 2
            && text[raw.start] == UInt8(ascii: "\"") && text[raw.end - 1] == UInt8(ascii: "\"")
    }
}

// MARK: - Escapes undone

extension JSON {
    /// The bytes behind a raw string slice that has been checked.
    static func unescaped(_ raw: Slice, in text: Span<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(raw.count)
        _ = unescape(raw, in: text, into: &bytes)
        return bytes
    }

    /// Appends the bytes behind a raw string slice; false when it is no well-formed string.
    public static func unescape(_ raw: Slice, in text: Span<UInt8>, into bytes: inout [UInt8]) -> Bool {
        guard isQuoted(raw, in: text) else { return false }
        let end = raw.end - 1
        var i = raw.start + 1
        while i < end {
            let run = min(quoteOrBackslash(text, i), end)
            bytes.append(Slice(i, run), of: text)
            guard run < end else { return true }
            guard text[run] == UInt8(ascii: "\\"), run + 1 < end else { return false }
            guard let behind = unescapeOne(text, run + 1, end, into: &bytes) else { return false }
            i = behind
        }
        return true
    }

    /// Undoes the escape whose letter is at `i`; returns the offset behind it.
    private static func unescapeOne(
        _ text: Span<UInt8>, _ i: Int, _ end: Int, into bytes: inout [UInt8]
    ) -> Int? {
        switch text[i] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(text[i])
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0c)
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            guard let (scalar, behind) = scalar(text, i + 1), behind <= end else { return nil }
            bytes.append(contentsOf: UTF8.encode(scalar) ?? .init())
            return behind
        default: return nil
        }
        return i + 1
    }

    /// The scalar whose four hexadecimal digits start at `i`, and its second half when it is a pair.
    static func scalar(_ text: Span<UInt8>, _ i: Int) -> (Unicode.Scalar, behind: Int)? {
        guard let first = hex4(text, i) else { return nil }
        if let scalar = Unicode.Scalar(first) { return (scalar, i + 4) }
        guard first < 0xdc00, i + 5 < text.count, text[i + 4] == UInt8(ascii: "\\"), text[i + 5] == UInt8(ascii: "u"),
            let second = hex4(text, i + 6), (0xdc00...0xdfff).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
        else { return nil }
        return (scalar, i + 10)
    }

    /// The number in four hexadecimal digits.
    static func hex4(_ text: Span<UInt8>, _ i: Int) -> UInt32? {
        guard i + 4 <= text.count else { return nil }
        var value: UInt32 = 0
        for place in i..<i + 4 {
            guard let digit = hexDigit(text[place]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    /// The value of a hexadecimal digit of either case.
    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

// MARK: - Strings checked

extension JSON {
    /// Checks the string whose opening quote is at `open`: the offset behind it, and whether it has escapes.
    @inline(__always)
    static func checkString(_ text: Span<UInt8>, _ open: Int) throws(JSONError) -> (end: Int, escaped: Bool) {
        let i = endOfPlainRun(text, open + 1)
        if i < text.count, text[i] == UInt8(ascii: "\"") { return (i + 1, false) }
        return try checkRestOfString(text, i)
    }

    private static func checkRestOfString(_ text: Span<UInt8>, _ start: Int) throws(JSONError) -> (Int, Bool) {
        var i = start
        var escaped = false
        while i < text.count {
            switch text[i] {
            case UInt8(ascii: "\""): return (i + 1, escaped)
            case UInt8(ascii: "\\"):
                escaped = true
                i = try checkEscape(text, i)
            case 0..<0x20: throw JSONError(.control, at: i)
            default: i = try checkScalar(text, i)
            }
            i = endOfPlainRun(text, i)
        }
        throw JSONError(.truncated, at: i)
    }

    /// Checks the escape whose backslash is at `i`; returns the offset behind it.
    private static func checkEscape(_ text: Span<UInt8>, _ i: Int) throws(JSONError) -> Int {
        guard i + 1 < text.count else { throw JSONError(.truncated, at: text.count) }
        switch text[i + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return i + 2
        case UInt8(ascii: "u"):
            guard i + 6 <= text.count else { throw JSONError(.truncated, at: text.count) }
            guard hex4(text, i + 2) != nil else { throw JSONError(.hex, at: i) }
            guard let (_, behind) = scalar(text, i + 2) else { throw JSONError(.loneSurrogate, at: i) }
            return behind
        default: throw JSONError(.escape, at: i)
        }
    }

    /// Checks the UTF-8 of one scalar beyond ASCII (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
    private static func checkScalar(_ text: Span<UInt8>, _ i: Int) throws(JSONError) -> Int {
        let second: ClosedRange<UInt8>
        let count: Int
        switch text[i] {
        case 0xc2...0xdf: (count, second) = (2, 0x80...0xbf)
        case 0xe0: (count, second) = (3, 0xa0...0xbf)
        case 0xed: (count, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: (count, second) = (3, 0x80...0xbf)
        case 0xf0: (count, second) = (4, 0x90...0xbf)
        case 0xf1...0xf3: (count, second) = (4, 0x80...0xbf)
        case 0xf4: (count, second) = (4, 0x80...0x8f)
        default: throw JSONError(.invalidUTF8, at: i)
        }
        guard i + count <= text.count else { throw JSONError(.invalidUTF8, at: i) }
        guard second.contains(text[i + 1]) else { throw JSONError(.invalidUTF8, at: i) }
        for place in i + 2..<i + count where text[place] & 0xc0 != 0x80 { throw JSONError(.invalidUTF8, at: i) }
        return i + count
    }
}
