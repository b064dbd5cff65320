import CarillonEvents

// Filters that make texts.

extension Run {
    /// `nil` for a filter of another kind.
    mutating func applyToText(
        _ filter: Filter, _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value? {
        switch filter {
        case .d, .default:
            var isMissing = value.isUndefined
            if try flag(bound[1], text) { isMissing = try !isTrue(value, text) }
            return isMissing ? bound[0] ?? .text(Text([])) : value
        case .join: return try joined(value, bound, text)
        case .replace: return try replaced(value, bound, text)
        case .truncate: return try truncated(value, bound, text)
        case .trim:
            let string = try soft(value, text)
            try charge(bytes: string.bytes.count)
            return .text(Text(try stripped(string.bytes, bound[0], text), isSafe: string.isSafe))
        case .center: return try centered(value, bound, text)
        case .indent: return try indented(value, bound, text)
        case .filesizeformat: return .text(try fileSize(value, bound, text))
        case .tojson: return .text(Text(try json(value, bound[0], text), isSafe: true))
        case .attr: return .undefined(current)
        default: return nil
        }
    }

    /// A whole number given, or what stands for it.
    func number(_ argument: Value?, or standard: Int, _ what: String) throws(TemplateError) -> Int {
        guard let argument else { return standard }
        guard let index = argument.index else { throw failure("\(what) is a whole number, not \(argument.typeName)") }
        return index
    }

    func flag(_ argument: Value?, _ text: Span<UInt8>) throws(TemplateError) -> Bool {
        guard let argument else { return false }
        return try isTrue(argument, text)
    }

    private mutating func joined(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        var items = try elements(value, text)
        if let path = Self.given(bound[1]) {
            for i in items.indices { items[i] = try self.path(path, of: items[i], text) }
        }
        let separator = bound[0] ?? .text(Text([]))
        let between = try soft(separator, text)
        let isSafe = style.escapes && (between.isSafe || items.contains { $0.isSafe })
        let glue = isSafe && !between.isSafe ? PythonText.escaped(between.bytes) : between.bytes
        var result: [UInt8] = []
        for (i, item) in items.enumerated() {
            let start = result.count
            if i > 0 { result += glue }
            let part = try string(item, text)
            result += isSafe && !item.isSafe ? PythonText.escaped(part) : part
            try charge(grown: result, by: result.count - start)
        }
        return .text(Text(result, isSafe: isSafe))
    }

    private mutating func replaced(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard let old = bound[0], let new = bound[1] else {
            throw failure("'replace' takes what is old and what is new")
        }
        let limit = try Self.given(bound[2]).map { (count) throws(TemplateError) in
            try number(count, or: -1, "how often to replace")
        }
        var subject = try soft(value, text)
        let (oldText, newText) = (try soft(old, text), try soft(new, text))
        guard style.escapes else {
            return .text(Text(try replaced(subject.bytes, oldText.bytes, newText.bytes, limit ?? -1)))
        }
        if oldText.isSafe || (newText.isSafe && !subject.isSafe) {
            subject = subject.isSafe ? subject : Text(PythonText.escaped(subject.bytes), isSafe: true)
        }
        let fresh = subject.isSafe && !newText.isSafe ? PythonText.escaped(newText.bytes) : newText.bytes
        return .text(Text(try replaced(subject.bytes, oldText.bytes, fresh, limit ?? -1), isSafe: subject.isSafe))
    }

    private mutating func truncated(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let length = try number(bound[0], or: 255, "the length")
        let end = bound[2] ?? .text("...")
        let leeway = try number(Self.given(bound[3]), or: 5, "the leeway")
        let endLength = try self.length(end, text)
        guard length >= endLength else { throw failure("the length is at least that of the end, \(endLength)") }
        guard leeway >= 0 else { throw failure("the leeway is not negative") }
        let count = try self.length(value, text)
        if count <= length.addingReportingOverflow(leeway).partialValue || length > count { return value }
        guard let bytes = bytes(value, text) else { throw failure("'truncate' is for strings, not \(value.typeName)") }
        guard let endBytes = self.bytes(end, text) else { throw failure("the end is a string, not \(end.typeName)") }
        try charge(bytes: bytes.count)
        var kept = PythonText.scalars(bytes).prefix(length - endLength)
        if try !flag(bound[1], text), let space = kept.lastIndex(of: " ") { kept = kept[..<space] }
        let isSafe = value.isSafe || end.isSafe
        let head = PythonText.bytes(kept)
        return .text(
            Text(
                (isSafe && !value.isSafe ? PythonText.escaped(head) : head)
                    + (isSafe && !end.isSafe ? PythonText.escaped(endBytes) : endBytes), isSafe: isSafe))
    }

    private mutating func centered(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let width = try number(bound[0], or: 80, "the width")
        let string = try soft(value, text)
        let missing = width.subtractingReportingOverflow(PythonText.count(string.bytes)).partialValue
        guard missing > 0 else { return .text(string) }
        try charge(bytes: missing + string.bytes.count)
        let left = missing / 2 + (missing & width & 1)
        let space = UInt8(ascii: " ")
        return .text(
            Text(
                Array(repeating: space, count: left) + string.bytes + Array(repeating: space, count: missing - left),
                isSafe: string.isSafe))
    }

    private mutating func indented(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard let whole = bytes(value, text) else { throw failure("'indent' is for strings, not \(value.typeName)") }
        var margin: [UInt8] = []
        if let width = bound[0], let given = bytes(width, text) {
            margin = given
        } else {
            let width = try number(bound[0], or: 4, "the width")
            try charge(bytes: max(0, width))
            margin = Array(repeating: UInt8(ascii: " "), count: max(0, width))
        }
        let (isFirst, isBlank) = (try flag(bound[1], text), try flag(bound[2], text))
        var result: [UInt8] = []
        let lines = Self.lines(whole + [UInt8(ascii: "\n")])
        for (i, line) in lines.enumerated() {
            let start = result.count
            if i > 0 { result.append(UInt8(ascii: "\n")) }
            if i == 0 ? isFirst : isBlank || !line.isEmpty { result += margin }
            result += line
            try charge(grown: result, by: result.count - start)
        }
        return .text(Text(result, isSafe: value.isSafe))
    }

    /// The lines as Python's `splitlines` cuts them.
    private static func lines(_ bytes: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var line: [Unicode.Scalar] = []
        var wasReturn = false
        for scalar in PythonText.scalars(bytes) {
            let isSecond = wasReturn && scalar == "\n"
            wasReturn = scalar == "\r"
            if isSecond { continue }
            switch scalar.value {
            case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
                lines.append(PythonText.bytes(line))
                line = []
            default: line.append(scalar)
            }
        }
        return line.isEmpty ? lines : lines + [PythonText.bytes(line)]
    }

    static func words(_ bytes: [UInt8]) -> Int {
        var (count, isInside) = (0, false)
        for scalar in PythonText.scalars(bytes) {
            let isWord = scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            if isWord, !isInside { count += 1 }
            isInside = isWord
        }
        return count
    }

    mutating func withoutTags(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> [UInt8] {
        var bytes = try string(value, text)
        try charge(bytes: bytes.count * 2)
        for (open, close) in [("<!--", "-->"), ("<", ">")] {
            while let start = PythonText.find(Array(open.utf8), in: bytes) {
                guard let end = PythonText.find(Array(close.utf8), in: bytes, from: start) else { break }
                try charge(1 + bytes.count / 64)
                bytes.removeSubrange(start..<end + close.utf8.count)
            }
        }
        let words = String(decoding: bytes, as: UTF8.self).unicodeScalars.split(whereSeparator: PythonText.isSpace)
        let plain = words.map { String($0) }.joined(separator: " ")
        return Self.unescaped(plain)
    }

    private static func unescaped(_ text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        for (name, sign) in [
            ("&lt;", "<"), ("&gt;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&quot;", "\""), ("&amp;", "&"),
        ] {
            bytes =
                PythonText.replacing(Array(name.utf8), with: Array(sign.utf8), in: bytes, limit: -1, longest: .max)
                ?? bytes
        }
        return bytes
    }

    mutating func urlEncoded(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> [UInt8] {
        if let bytes = bytes(value, text) { return try quoted(bytes, inQuery: false) }
        var pairs: [[Value]] = []
        let opened = try opened(value, text)
        if case .dict(let dict) = opened {
            pairs = zip(dict.keys, dict.values).map { [$0, $1] }
        } else if let items = try items(opened, text) {
            for item in items { pairs.append(try elements(item, text)) }
        } else {
            return try quoted(try string(value, text), inQuery: false)
        }
        var result: [UInt8] = []
        for (i, pair) in pairs.enumerated() {
            guard pair.count == 2 else { throw failure("'urlencode' takes a string, a mapping or pairs") }
            if i > 0 { result.append(UInt8(ascii: "&")) }
            result += try quoted(try string(pair[0], text), inQuery: true)
            result.append(UInt8(ascii: "="))
            result += try quoted(try string(pair[1], text), inQuery: true)
            try charge(grown: result, by: 0)
        }
        return result
    }

    private mutating func quoted(_ bytes: [UInt8], inQuery: Bool) throws(TemplateError) -> [UInt8] {
        try charge(bytes: bytes.count * 3)
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "~"):
                result.append(byte)
            case UInt8(ascii: "/") where !inQuery: result.append(byte)
            case UInt8(ascii: " ") where inQuery: result.append(UInt8(ascii: "+"))
            default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return result
    }
}
