import CarillonEvents
import CarillonKit
import Testing

@Suite("JSON is walked in place", .timeLimit(.minutes(1)))
struct JSONWalkTests {
    @Test("members and elements come in order, as they stand in the text")
    func order() {
        let text = Array(#" { "a" : [ 1 , "x]" , {"b":null} ] , "c}" : -1.5e3 , "d":true } "#.utf8)
        var seen: [String] = []
        func raw(_ slice: Slice) -> String { String(decoding: text[slice.range], as: UTF8.self) }
        guard let object = JSON.value(in: text.span, at: 0) else { return #expect(Bool(false), "no value") }
        JSON.members(of: object, in: text.span) { key, value in
            seen.append(raw(key) + "=" + raw(value))
            JSON.elements(of: value, in: text.span) { element in
                seen.append(raw(element))
                return true
            }
            return true
        }
        #expect(
            seen == [
                #""a"=[ 1 , "x]" , {"b":null} ]"#, "1", #""x]""#, #"{"b":null}"#, #""c}"=-1.5e3"#, #""d"=true"#,
            ])
    }

    @Test("a walk stops when told to")
    func stops() {
        let text = Array("[1,2,3]".utf8)
        var count = 0
        JSON.elements(of: Slice(0, text.count), in: text.span) { _ in
            count += 1
            return count < 2
        }
        #expect(count == 2)
    }

    @Test(
        "every kind is told by its first byte",
        arguments: [
            ("{}", JSON.Kind.object), ("[]", .array), (#""""#, .string), ("-1", .number), ("0", .number),
            ("true", .bool),
            ("false", .bool), ("null", .null),
        ])
    func kinds(text: String, kind: JSON.Kind) {
        let bytes = Array(text.utf8)
        #expect(JSON.kind(of: Slice(0, bytes.count), in: bytes.span) == kind)
    }

    @Test(
        "a string is read with its escapes undone",
        arguments: [
            (#""""#, ""), (#""plain""#, "plain"), (#""a\"b\\c\/d""#, "a\"b\\c/d"),
            (#""\b\f\n\r\t""#, "\u{8}\u{c}\n\r\t"),
            (#""\u0041\u00e9\u4f5C""#, "Aé作"), (#""\uD83D\uDE00!""#, "😀!"), (#""\u0000""#, "\u{0}"), ("\"é作😀\"", "é作😀"),
            (#""\\u0041""#, "\\u0041"),
        ])
    func strings(raw: String, text: String) {
        let bytes = Array(raw.utf8)
        let slice = Slice(0, bytes.count)
        #expect(JSON.string(slice, in: bytes.span) == text)
        #expect(JSON.equals(slice, in: bytes.span, Array(text.utf8)) == true)
        #expect(JSON.equals(slice, in: bytes.span, Array((text + "x").utf8)) == false)
        #expect((JSON.plain(slice, in: bytes.span) == nil) == raw.contains("\\"))
    }

    @Test(
        "what is no string gives none",
        arguments: ["1", "\"", "\"a", "a\"", #""\q""#, #""\uD800""#, #""\u00""#, #""\""#, "", #""\u00zz""#])
    func noStrings(raw: String) {
        let bytes = Array(raw.utf8)
        #expect(JSON.string(Slice(0, bytes.count), in: bytes.span) == nil)
    }

    @Test("a member is found by its name, however the text writes it")
    func member() {
        let text = Array(#"{"a":1,"j\u006fb":2,"job":3,"":4}"#.utf8)
        let object = Slice(0, text.count)
        func find(_ name: String) -> String? {
            JSON.member(name, of: object, in: text.span).map { String(decoding: text[$0.range], as: UTF8.self) }
        }
        #expect(find("job") == "2")
        #expect(find("") == "4")
        #expect(find("A") == nil)
    }

    @Test("a quoted string reads back as it was", arguments: UInt64(1)...200)
    func quoting(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let scalars = (0..<Int.random(in: 0...40, using: &random)).compactMap { _ in
            Unicode.Scalar(UInt32.random(in: 0...(Bool.random(using: &random) ? 0x7f : 0x10ffff), using: &random))
        }
        let text = String(String.UnicodeScalarView(scalars))
        var bytes: [UInt8] = []
        JSON.append(quoted: text, to: &bytes)
        #expect(fault(bytes) == nil, "seed \(seed)")
        #expect(
            JSON.string(Slice(0, bytes.count), in: bytes.span).map { Array($0.utf8) } == Array(text.utf8),
            "seed \(seed)")
    }

    @Test("only control characters, quotes and backslashes are escaped")
    func minimalEscapes() {
        var bytes: [UInt8] = []
        JSON.append(quoted: "a/b\u{7f}é\u{2028}\u{1}\u{1f}\n\t\r\"\\", to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "\"a/b\u{7f}é\u{2028}\\u0001\\u001f\\n\\t\\r\\\"\\\\\"")
    }

    @Test("walking garbage never traps and never leaves the text", arguments: UInt64(1)...300)
    func garbage(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let alphabet = Array(#"{}[]":,\u0aD8 1e-.tn"#.utf8) + [0x00, 0x80, 0xff, 0xc2]
        let text = (0..<Int.random(in: 0...60, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
        for start in -1...text.count {
            for end in [start - 1, start, start + 1, text.count, text.count + 1] {
                walk(Slice(start, end), text)
            }
            if let value = JSON.value(in: text.span, at: start) { walk(value, text) }
        }
    }

    @Test(
        "arrays and objects end where a reader of single bytes says, also with escapes and garbage",
        arguments: UInt64(1)...100)
    func containers(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let signs = Array(#"{}[]""\,:({["#.utf8) + [0x00, 0x5f, 0x7f, 0x80, 0xa2, 0xdb, 0xdc, 0xfb, 0xfd]
        for _ in 0..<200 {
            let plain = Int.random(in: 0...4, using: &random)
            var text = (0..<Int.random(in: 1...80, using: &random)).map { _ in
                Int.random(in: 0..<5, using: &random) < plain ? 0x61 : signs.randomElement(using: &random) ?? 0
            }
            text[0] = Bool.random(using: &random) ? UInt8(ascii: "{") : UInt8(ascii: "[")
            #expect(JSON.value(in: text.span, at: 0)?.end == bracketsClosed(text), "seed \(seed): \(text)")
        }
    }

    /// The offset behind the bracket that closes the first one.
    private func bracketsClosed(_ text: [UInt8]) -> Int? {
        var (depth, isInString, isEscaped) = (0, false, false)
        for (i, byte) in text.enumerated() {
            switch byte {
            case _ where isEscaped: isEscaped = false
            case UInt8(ascii: "\\") where isInString: isEscaped = true
            case UInt8(ascii: "\""): isInString.toggle()
            case UInt8(ascii: "{") where !isInString, UInt8(ascii: "[") where !isInString: depth += 1
            case UInt8(ascii: "}") where !isInString, UInt8(ascii: "]") where !isInString: depth -= 1
            default: break
            }
            if depth == 0 { return i + 1 }
        }
        return nil
    }

    private func walk(_ slice: Slice, _ text: [UInt8]) {
        let inside = { (part: Slice) in 0 <= part.start && part.start < part.end && part.end <= text.count }
        JSON.members(of: slice, in: text.span) { key, value in
            #expect(inside(key) && inside(value))
            return true
        }
        JSON.elements(of: slice, in: text.span) { element in
            #expect(inside(element))
            return true
        }
        _ = JSON.kind(of: slice, in: text.span)
        _ = JSON.string(slice, in: text.span)
        _ = JSON.plain(slice, in: text.span)
        _ = JSON.equals(slice, in: text.span, [0x61])
        _ = JSON.member("a", of: slice, in: text.span)
    }
}
