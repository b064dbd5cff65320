// What Python's `str` does, on UTF-8 bytes. Swift's own strings compare by canonical equivalence and count graphemes;
// Python compares and counts code points, and UTF-8 keeps their order.

enum PythonText {
    /// Whether Python takes it for white space.
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
            true
        default: false
        }
    }

    static func scalars(_ bytes: some Collection<UInt8>) -> [Unicode.Scalar] {
        Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    }

    static func bytes(_ scalars: some Collection<Unicode.Scalar>) -> [UInt8] {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return Array(String(text).utf8)
    }

    /// How many code points.
    static func count(_ bytes: some Collection<UInt8>) -> Int { bytes.count { $0 & 0xC0 != 0x80 } }

    static func isASCII(_ bytes: some Collection<UInt8>) -> Bool { bytes.allSatisfy { $0 < 0x80 } }

    /// The bytes without white space at both ends.
    static func stripped(_ bytes: ArraySlice<UInt8>, leading: Bool = true, trailing: Bool = true) -> ArraySlice<UInt8> {
        if isASCII(bytes) {
            var rest = bytes
            if leading { rest = rest.drop { isSpace(Unicode.Scalar($0)) } }
            while trailing, let last = rest.last, isSpace(Unicode.Scalar(last)) { rest.removeLast() }
            return rest
        }
        return stripped(bytes, of: isSpace, leading: leading, trailing: trailing)
    }

    /// The bytes without certain characters at both ends.
    static func stripped(
        _ bytes: ArraySlice<UInt8>, of isGone: (Unicode.Scalar) -> Bool, leading: Bool = true, trailing: Bool = true
    ) -> ArraySlice<UInt8> {
        var scalars = scalars(bytes)[...]
        while leading, let first = scalars.first, isGone(first) { scalars.removeFirst() }
        while trailing, let last = scalars.last, isGone(last) { scalars.removeLast() }
        return PythonText.bytes(scalars)[...]
    }

    /// What Python's `int` and `float` read of a text: decimal digits of any script are digits, white space around is
    /// left out. (Of ASCII, FS to US are white space to `str`, but not here.)
    static func number(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        var plain = bytes
        if !isASCII(bytes) { plain = PythonText.bytes(scalars(bytes).map(plainDigit)) }
        return stripped(plain[...]) { isSpace($0) && !(0x1C...0x1F).contains($0.value) }
    }

    private static func plainDigit(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        guard !scalar.isASCII, scalar.properties.numericType == .decimal,
            let value = scalar.properties.numericValue.flatMap({ UInt8(exactly: $0) })
        else { return scalar }
        return Unicode.Scalar(UInt8(ascii: "0") + value)
    }

    // MARK: - Letters

    static func lower(_ bytes: [UInt8]) -> [UInt8] {
        if isASCII(bytes) { return bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 } }
        let scalars = scalars(bytes)
        var text = ""
        for (i, scalar) in scalars.enumerated() {
            text += scalar == "Σ" ? sigma(at: i, in: scalars) : scalar.properties.lowercaseMapping
        }
        return Array(text.utf8)
    }

    /// A sigma is written otherwise at the end of a word.
    private static func sigma(at place: Int, in scalars: [Unicode.Scalar]) -> String {
        func isCased(_ scalars: some Sequence<Unicode.Scalar>) -> Bool {
            scalars.first { !$0.properties.isCaseIgnorable }?.properties.isCased ?? false
        }
        return isCased(scalars[..<place].reversed()) && !isCased(scalars[(place + 1)...]) ? "ς" : "σ"
    }

    static func upper(_ bytes: [UInt8]) -> [UInt8] {
        if isASCII(bytes) { return bytes.map { (0x61...0x7A).contains($0) ? $0 & 0xDF : $0 } }
        return Array(scalars(bytes).map(\.properties.uppercaseMapping).joined().utf8)
    }

    /// The first letter large, all others small.
    static func capitalized(_ bytes: [UInt8]) -> [UInt8] {
        let scalars = scalars(bytes)
        guard let first = scalars.first else { return [] }
        let small = lower(bytes)
        let dropped = lower(PythonText.bytes([first])).count
        return Array(first.properties.titlecaseMapping.utf8) + small.dropFirst(dropped)
    }

    /// Jinja's `title`: words begin behind white space and `- ( { [ <`.
    static func title(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var word: [Unicode.Scalar] = []
        func end() -> [UInt8] {
            guard let first = word.first else { return [] }
            return upper(PythonText.bytes([first])) + lower(PythonText.bytes(word.dropFirst()))
        }
        for scalar in scalars(bytes) {
            let isBetween = isSpace(scalar) || ["-", "(", "{", "[", "<"].contains(scalar)
            if isBetween {
                result += end()
                word = []
                result += PythonText.bytes([scalar])
            } else {
                word.append(scalar)
            }
        }
        return result + end()
    }

    static func isLower(_ bytes: [UInt8]) -> Bool {
        isOneCase(bytes, \.isLowercase, not: \.isUppercase)
    }

    static func isUpper(_ bytes: [UInt8]) -> Bool {
        isOneCase(bytes, \.isUppercase, not: \.isLowercase)
    }

    private static func isOneCase(
        _ bytes: [UInt8], _ wanted: KeyPath<Unicode.Scalar.Properties, Bool>,
        not other: KeyPath<Unicode.Scalar.Properties, Bool>
    ) -> Bool {
        var isFound = false
        for scalar in scalars(bytes) {
            let properties = scalar.properties
            if properties[keyPath: other] || properties.generalCategory == .titlecaseLetter { return false }
            isFound = isFound || properties[keyPath: wanted]
        }
        return isFound
    }

    // MARK: - Finding

    /// Where `part` begins at or after `start`; linear in both, whatever they repeat.
    static func find(_ part: [UInt8], in bytes: [UInt8], from start: Int = 0) -> Int? {
        guard let first = part.first else { return start <= bytes.count ? start : nil }
        guard part.count <= bytes.count - start else { return nil }
        if part.count > 16 { return findLong(part, in: bytes, from: start) }
        var i = start
        while i <= bytes.count - part.count {
            if bytes[i] == first, bytes[i..<i + part.count].elementsEqual(part) { return i }
            i += 1
        }
        return nil
    }

    /// Knuth, Morris and Pratt's search.
    private static func findLong(_ part: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        var fallback = [0]
        var matched = 0
        for byte in part.dropFirst() {
            while matched > 0, part[matched] != byte { matched = fallback[matched - 1] }
            if part[matched] == byte { matched += 1 }
            fallback.append(matched)
        }
        matched = 0
        for i in start..<bytes.count {
            while matched > 0, part[matched] != bytes[i] { matched = fallback[matched - 1] }
            if part[matched] == bytes[i] { matched += 1 }
            if matched == part.count { return i + 1 - matched }
        }
        return nil
    }

    /// At most `limit` occurrences replaced, all when it is negative; an empty `old` stands before every character.
    ///
    /// - Returns: `nil` when the text would be longer than `longest`.
    static func replacing(
        _ old: [UInt8], with new: [UInt8], in bytes: [UInt8], limit: Int, longest: Int
    ) -> [UInt8]? {
        var result: [UInt8] = []
        var left = limit < 0 ? Int.max : limit
        var i = 0
        while left > 0, let found = old.isEmpty ? i : find(old, in: bytes, from: i) {
            result += bytes[i..<found]
            result += new
            guard result.count <= longest else { return nil }
            left -= 1
            i = found + old.count
            guard old.isEmpty else { continue }
            guard i < bytes.count else { return result }
            let next = bytes[(i + 1)...].firstIndex { $0 & 0xC0 != 0x80 } ?? bytes.count
            result += bytes[i..<next]
            i = next
        }
        result += bytes[i...]
        return result.count <= longest ? result : nil
    }

    /// Escapes the five signs of HTML, as MarkupSafe does.
    static func escaped(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(where: { [0x26, 0x3C, 0x3E, 0x22, 0x27].contains($0) }) else { return bytes }
        var result: [UInt8] = []
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "&"): result += Array("&amp;".utf8)
            case UInt8(ascii: "<"): result += Array("&lt;".utf8)
            case UInt8(ascii: ">"): result += Array("&gt;".utf8)
            case UInt8(ascii: "\""): result += Array("&#34;".utf8)
            case UInt8(ascii: "'"): result += Array("&#39;".utf8)
            default: result.append(byte)
            }
        }
        return result
    }

    // MARK: - Python's way to show a string

    /// The string in quotes, as `repr` writes it.
    static func repr(_ bytes: [UInt8], to result: inout [UInt8]) {
        let single = UInt8(ascii: "'")
        let quote = bytes.contains(single) && !bytes.contains(UInt8(ascii: "\"")) ? UInt8(ascii: "\"") : single
        result.append(quote)
        if bytes.allSatisfy({ (0x20...0x7E).contains($0) && $0 != quote && $0 != UInt8(ascii: "\\") }) {
            result += bytes
        } else {
            for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars { append(scalar, quote, to: &result) }
        }
        result.append(quote)
    }

    private static func append(_ scalar: Unicode.Scalar, _ quote: UInt8, to result: inout [UInt8]) {
        switch scalar {
        case "\\", Unicode.Scalar(quote): result += [UInt8(ascii: "\\"), UInt8(scalar.value)]
        case "\n": result += Array("\\n".utf8)
        case "\r": result += Array("\\r".utf8)
        case "\t": result += Array("\\t".utf8)
        case " "..."~": result.append(UInt8(scalar.value))
        default:
            if isPrintable(scalar) { return result += Array(String(Character(scalar)).utf8) }
            let (letter, width) =
                scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
            let code = String(scalar.value, radix: 16)
            result += Array(("\\" + letter + String(repeating: "0", count: width - code.utf8.count) + code).utf8)
        }
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            false
        default: true
        }
    }
}
