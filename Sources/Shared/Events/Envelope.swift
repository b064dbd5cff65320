// One pass over an event that checks its JSON and finds its attributes. What is wrong with their values is said here;
// which of them may be absent is said by who asks (`outline` for complete events, `prepare` for incoming ones).

/// The attributes one pass over an event found, and where.
struct Envelope {
    /// The whole object, without what surrounds it.
    var object = Slice(0, 0)
    var specversion, id, source, type, workspace, partitionkey, subject, time: Slice?
    var datacontenttype, dataschema, data, dataBase64: Slice?
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
            let name: Slice
            let value: Slice
            let escaped: Bool
            do throws(JSONError) {
                let key = try JSON.checkKey(text, i)
                (name, escaped) = (key.slice, key.escaped)
                value = Slice(key.value, try JSON.checkValue(text, key.value, depth: 1))
            } catch { throw EventError(error) }
            try names.insert(name, escaped: escaped, in: text)
            if escaped {
                try readEscaped(name, value, text)
            } else {
                try read(Slice(name.start + 1, name.end - 1), value, text)
            }
            do throws(JSONError) {
                guard let next = try JSON.nextMember(text, value.end) else {
                    return JSON.skipSpace(text, value.end) + 1
                }
                i = next
            } catch { throw EventError(error) }
        }
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
    /// Takes the member whose name stands at `name`, without quotes.
    private mutating func read(_ name: Slice, _ value: Slice, _ text: Span<UInt8>) throws(EventError) {
        guard let known = KnownAttribute(name, in: text) else { return try checkExtension(name, value, text) }
        try take(known, value, text)
    }

    /// Takes a member whose name is written with escapes: rare, so it is copied out.
    private mutating func readEscaped(_ name: Slice, _ value: Slice, _ text: Span<UInt8>) throws(EventError) {
        let bytes = JSON.unescaped(name, in: text)
        if let known = KnownAttribute(Slice(0, bytes.count), in: bytes.span) { return try take(known, value, text) }
        guard Self.isAttributeName(bytes.span, Slice(0, bytes.count)) else {
            throw EventError(.badAttributeName(String(decoding: bytes, as: UTF8.self)), at: name.start)
        }
        try checkExtensionValue(String(decoding: bytes, as: UTF8.self), value, text)
    }

    private mutating func take(_ known: KnownAttribute, _ value: Slice, _ text: Span<UInt8>) throws(EventError) {
        if known == .data {
            data = value
            return
        }
        guard text[value.start] != UInt8(ascii: "n") else {  // null is absence, by CloudEvents' JSON format
            if known == .workspace { nullWorkspace = value }
            if known == .time { nullTime = value }
            return
        }
        try checkString(known, value, text)
        switch known {
        case .specversion: specversion = value
        case .id: id = value
        case .source: source = value
        case .type: type = value
        case .workspace: workspace = value
        case .partitionkey: partitionkey = value
        case .subject: subject = value
        case .time: time = value
        case .datacontenttype: datacontenttype = value
        case .dataschema: dataschema = value
        case .dataBase64: dataBase64 = value
        case .data: break
        }
    }

    /// Checks that a known attribute is the string it has to be.
    private func checkString(_ known: KnownAttribute, _ value: Slice, _ text: Span<UInt8>) throws(EventError) {
        guard text[value.start] == UInt8(ascii: "\"") else {
            throw EventError(.wrongType(attribute: known.rawValue, expected: "a string"), at: value.start)
        }
        if known == .dataBase64 {
            guard Base64.isValid(value, in: text) else { throw EventError(.badBase64, at: value.start) }
            return
        }
        if value.count == 2 { throw EventError(.empty(attribute: known.rawValue), at: value.start) }
        if hasNUL(value, text) { throw EventError(.nul(attribute: known.rawValue), at: value.start) }
        switch known {
        case .specversion where !JSON.equals(value, in: text, [0x31, 0x2e, 0x30]):
            throw EventError(.specversion(found: Self.raw(value, text)), at: value.start)
        case .time where Timestamp(json: value, in: text) == nil:
            throw EventError(.badTime(found: Self.raw(value, text)), at: value.start)
        default: break
        }
    }

    private func checkExtension(_ name: Slice, _ value: Slice, _ text: Span<UInt8>) throws(EventError) {
        guard Self.isAttributeName(text, name) else {
            let found = String(decoding: Array(text, name), as: UTF8.self)
            throw EventError(.badAttributeName(found), at: name.start)
        }
        switch text[value.start] {
        case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\""):
            try checkExtensionValue(String(decoding: Array(text, name), as: UTF8.self), value, text)
        default: break  // numbers and booleans are fine as they are; null is absence
        }
    }

    private func checkExtensionValue(_ name: String, _ value: Slice, _ text: Span<UInt8>) throws(EventError) {
        switch text[value.start] {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let expected = "a string, a number or a boolean; put structure into data"
            throw EventError(.wrongType(attribute: name, expected: expected), at: value.start)
        case UInt8(ascii: "\"") where hasNUL(value, text):
            throw EventError(.nul(attribute: name), at: value.start)
        default: break
        }
    }

    /// Whether a checked string contains U+0000, which can only be written as an escape.
    private func hasNUL(_ value: Slice, _ text: Span<UInt8>) -> Bool {
        JSON.plain(value, in: text) == nil && JSON.unescaped(value, in: text).contains(0)
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
