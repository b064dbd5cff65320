// One pass over an event that checks its JSON and finds its attributes. What is wrong with their values is said here;
// which of them may be absent is said by who asks (`outline` for complete events, `prepare` for incoming ones).

/// A checked name or value: where it stands, quotes included, and whether it is a string with escapes.
private typealias Part = (slice: Slice, escaped: Bool)

/// The attributes one pass over an event found, and where.
struct Envelope {
    /// The whole object, without what surrounds it.
    var object = Slice(0, 0)
    var specversion, id, source, type, workspace, partitionkey, subject, time, traceparent: Slice?
    var datacontenttype, data, dataBase64: Slice?
    /// `null` where a value may be filled in: to be replaced, as a second member of the name would be a duplicate.
    var nullWorkspace, nullTime: Slice?

    /// Checks `text` strictly as JSON and each attribute in it as CloudEvents 1.0 has it.
    init(_ text: Span<UInt8>) throws(EventError) {
        if text.count > CloudEvents.maxBytes {
            throw EventError(.tooLarge(bytes: text.count, limit: CloudEvents.maxBytes))
        }
        do throws(JSONError) { object.start = try JSON.start(of: text) } catch { throw EventError(error) }
        guard text[object.start] == UInt8(ascii: "{") else { throw Self.notAnObject(text) }
        object.end = try readMembers(text)
        do throws(JSONError) { try JSON.checkEnd(text, object.end) } catch { throw EventError(error) }
    }

    /// Reads all members; returns the offset behind the closing brace.
    private mutating func readMembers(_ text: Span<UInt8>) throws(EventError) -> Int {
        var names = NamesSeen(object: object.start)
        var i = JSON.skipSpace(text, object.start + 1)
        if i < text.count, text[i] == UInt8(ascii: "}") { return i + 1 }
        while true {
            let name: Part
            let value: Part
            do throws(JSONError) {
                let key = try JSON.checkKey(text, i)
                name = (key.slice, key.escaped)
                value = try Self.checkValue(text, key.value)
            } catch { throw EventError(error) }
            try names.insert(name.slice, escaped: name.escaped, in: text)
            try read(name, value, text)
            do throws(JSONError) {
                guard let next = try JSON.nextMember(text, value.slice.end) else {
                    return JSON.skipSpace(text, value.slice.end) + 1
                }
                i = next
            } catch { throw EventError(error) }
        }
    }

    /// Checks the value at `i` as JSON, and tells of a string whether it has escapes.
    private static func checkValue(_ text: Span<UInt8>, _ i: Int) throws(JSONError) -> Part {
        guard i < text.count, text[i] == UInt8(ascii: "\"") else {
            return (Slice(i, try JSON.checkValue(text, i, depth: 1)), false)
        }
        let (end, escaped) = try JSON.checkString(text, i)
        return (Slice(i, end), escaped)
    }

    private static func notAnObject(_ text: Span<UInt8>) -> EventError {
        do throws(JSONError) { try JSON.check(text) } catch { return EventError(error) }
        let start = JSON.skipSpace(text, 0)
        let found =
            switch JSON.kind(of: Slice(start, start + 1), in: text) {
            case .array: "an array"
            case .string: "a string"
            case .number: "a number"
            case .bool: "true or false"
            case .null: "null"
            case .object: "an object"
            }
        return EventError(.notAnObject(found: found), at: start)
    }
}

// MARK: - One attribute

extension Envelope {
    private mutating func read(
        _ name: Part, _ value: Part, _ text: Span<UInt8>
    ) throws(EventError) {
        if name.escaped { return try readEscaped(name.slice, value, text) }
        let bare = Slice(name.slice.start + 1, name.slice.end - 1)
        guard let known = KnownAttribute(bare, in: text) else { return try checkExtension(bare, value, text) }
        try take(known, value, text)
    }

    /// Takes a member whose name is written with escapes: rare, so it is copied out.
    private mutating func readEscaped(
        _ name: Slice, _ value: Part, _ text: Span<UInt8>
    ) throws(EventError) {
        let bytes = JSON.unescaped(name, in: text)
        let whole = Slice(0, bytes.count)
        if let known = KnownAttribute(whole, in: bytes.span) { return try take(known, value, text) }
        let unescaped = String(decoding: bytes, as: UTF8.self)
        guard Self.isAttributeName(bytes.span, whole) else {
            throw EventError(.badAttributeName(unescaped), at: name.start)
        }
        try checkExtensionValue(unescaped, value, text)
    }

    private mutating func take(
        _ known: KnownAttribute, _ value: Part, _ text: Span<UInt8>
    ) throws(EventError) {
        let slice = value.slice
        if known == .data {
            data = slice
            return
        }
        if known == .traceparent {
            // An extension like any other; only where it stands is of use.
            try checkExtensionValue(known.rawValue, value, text)
            traceparent = slice
            return
        }
        guard text[slice.start] != UInt8(ascii: "n") else {  // null is absence, by CloudEvents' JSON format
            if known == .workspace { nullWorkspace = slice }
            if known == .time { nullTime = slice }
            return
        }
        try checkString(known, value, text)
        switch known {
        case .specversion: specversion = slice
        case .id: id = slice
        case .source: source = slice
        case .type: type = slice
        case .workspace: workspace = slice
        case .partitionkey: partitionkey = slice
        case .subject: subject = slice
        case .time: time = slice
        case .datacontenttype: datacontenttype = slice
        case .dataBase64: dataBase64 = slice
        case .data, .dataschema, .traceparent: break
        }
    }

    /// Checks that a known attribute is the string it has to be.
    private func checkString(
        _ known: KnownAttribute, _ value: Part, _ text: Span<UInt8>
    ) throws(EventError) {
        let (slice, escaped) = value
        guard text[slice.start] == UInt8(ascii: "\"") else {
            throw EventError(.wrongType(attribute: known.rawValue, expected: "a string"), at: slice.start)
        }
        if known == .dataBase64 {
            guard Base64.isValid(slice, in: text) else { throw EventError(.badBase64, at: slice.start) }
            return
        }
        if slice.count == 2 { throw EventError(.empty(attribute: known.rawValue), at: slice.start) }
        if escaped, hasNUL(slice, text) { throw EventError(.nul(attribute: known.rawValue), at: slice.start) }
        switch known {
        case .specversion where !slice.spells("\"1.0\"", in: text) && JSON.string(slice, in: text) != "1.0":
            throw EventError(.specversion(found: Self.raw(slice, text)), at: slice.start)
        case .time where Timestamp(json: slice, in: text) == nil:
            throw EventError(.badTime(found: Self.raw(slice, text)), at: slice.start)
        default: break
        }
    }

    private func checkExtension(
        _ name: Slice, _ value: Part, _ text: Span<UInt8>
    ) throws(EventError) {
        guard Self.isAttributeName(text, name) else {
            throw EventError(.badAttributeName(Self.raw(name, text)), at: name.start)
        }
        switch text[value.slice.start] {
        case UInt8(ascii: "{"), UInt8(ascii: "["): break
        case UInt8(ascii: "\"") where value.escaped: break
        default: return  // everything else is fine as it is; null is absence
        }
        try checkExtensionValue(Self.raw(name, text), value, text)
    }

    private func checkExtensionValue(
        _ name: String, _ value: Part, _ text: Span<UInt8>
    ) throws(EventError) {
        switch text[value.slice.start] {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let expected = "a string, a number or a boolean; put structure into data"
            throw EventError(.wrongType(attribute: name, expected: expected), at: value.slice.start)
        case UInt8(ascii: "\"") where value.escaped && hasNUL(value.slice, text):
            throw EventError(.nul(attribute: name), at: value.slice.start)
        default: break
        }
    }

    /// Whether a checked string contains U+0000, which can only be written as an escape.
    private func hasNUL(_ value: Slice, _ text: Span<UInt8>) -> Bool {
        JSON.unescaped(value, in: text).contains(0)
    }

    /// Whether the bytes may name an attribute: `[a-z0-9]+`.
    static func isAttributeName(_ text: Span<UInt8>, _ name: Slice) -> Bool {
        for i in name.range {
            switch text[i] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): continue
            default: return false
            }
        }
        return name.count > 0
    }

    private static func raw(_ value: Slice, _ text: Span<UInt8>) -> String {
        String(decoding: Array(text, value), as: UTF8.self)
    }
}

extension EventError {
    init(_ error: JSONError) { self.init(.json(error), at: error.offset) }
}

extension [UInt8] {
    /// A copy of one slice.
    init(_ text: Span<UInt8>, _ slice: Slice) {
        self = []
        append(slice, of: text)
    }
}
