import CarillonEvents
import Testing

@Suite("JSON is read as strictly as RFC 8259 says", .timeLimit(.minutes(1)))
struct JSONCheckTests {
    static let accepted = [
        "null", "true", "false", "0", "-0", "1", "-1", "10", "123456789", "0.0", "0.5", "-0.5", "1.25", "1e0", "1e5",
        "1E5",
        "1e+5", "1e-5", "1E-05", "0e0", "0E+00", "1.5e300", "1e400", "-1e-400", "123123e100000",
        "100000000000000000000000000000000000000000000000000", "0.000000000000000000000000000000000000000000000001",
        #""""#, #""a""#, #"" ""#, #""\"""#, #""\\""#, #""\/""#, #""\b\f\n\r\t""#, #""\u0000""#, #""\u0041""#,
        #""\u00e9""#,
        #""\u00E9""#, #""\uD83D\uDE00""#, #""\ud83d\ude00""#, #""\uDBFF\uDFFF""#, #""\uFFFF""#, #""\u2028""#, "\"é\"",
        "\"作业\"", "\"😀\"", "\"\u{7f}\"", "\"\u{80}\"", "\"\u{7ff}\"", "\"\u{800}\"", "\"\u{ffff}\"", "\"\u{10000}\"",
        "\"\u{10ffff}\"", "\"\u{2028}\u{2029}\"", "\"\u{feff}\"", #""//""#, #""a\u0062c""#, #""1234567\n""#,
        #""12345678\n""#,
        "{}", "{ }", "{\n}", "[]", "[ ]", "[[]]", "[{}]", "[1]", "[1,2]", "[ 1 , 2 ]", "[null,true,false]", #"{"a":1}"#,
        #"{"a":1,"b":2}"#, #"{ "a" : 1 , "b" : 2 }"#, #"{"":0}"#, #"{"a":1,"a":2}"#, #"{"\u0061":1}"#,
        #"{"a":{"b":[{}]}}"#,
        " 1", "1 ", "\t1\r\n", "\n\n[\n]\n", #"{"a":"}"}"#, #"["]"]"#,
    ]

    @Test("what the grammar allows is accepted", arguments: accepted)
    func accepts(text: String) {
        #expect(fault(Array(text.utf8)) == nil)
    }

    typealias Refused = (text: String, fault: JSONError.Fault, offset: Int)
    static let refused: [Refused] = [
        ("", .noValue, 0), (" \n", .noValue, 2), ("\u{feff}{}", .byteOrderMark, 0), ("\u{a0}1", .unexpected, 0),
        ("\u{c}1", .unexpected, 0), ("+1", .unexpected, 0), (".5", .unexpected, 0), ("'a'", .unexpected, 0),
        ("NaN", .unexpected, 0), ("Infinity", .unexpected, 0), ("-Infinity", .digit, 1), ("undefined", .unexpected, 0),
        ("//c\n1", .unexpected, 0), ("1//c", .trailing, 1), ("/*c*/1", .unexpected, 0), ("}", .unexpected, 0),
        ("]", .unexpected, 0), (",", .unexpected, 0), (":", .unexpected, 0), ("\\u0031", .unexpected, 0),
        ("01", .leadingZero, 0), ("-01", .leadingZero, 1), ("00", .leadingZero, 0), ("1.", .truncated, 2),
        ("1.e5", .digit, 2),
        ("1.x", .digit, 2), ("-", .truncated, 1), ("--1", .digit, 1), ("-a", .digit, 1), ("1e", .truncated, 2),
        ("1e+", .truncated, 3), ("1e-", .truncated, 3), ("1ee5", .digit, 2), ("1e5.5", .trailing, 3),
        ("1.5.5", .trailing, 3),
        ("0x1F", .trailing, 1), ("1_000", .trailing, 1), ("1,5", .trailing, 1), ("1 2", .trailing, 2),
        ("\u{ff11}", .unexpected, 0),
        ("True", .unexpected, 0), ("tru", .literal, 0), ("tRue", .literal, 0), ("nul", .literal, 0),
        ("nulll", .trailing, 4),
        ("falsy", .literal, 0), ("truefalse", .trailing, 4), ("1true", .trailing, 1),
        ("\"", .truncated, 1), ("\"a", .truncated, 2), ("\"a\\", .truncated, 3), ("\"a\\\"", .truncated, 4),
        ("\"\\x\"", .escape, 1), ("\"\\'\"", .escape, 1), ("\"\\U0041\"", .escape, 1), ("\"\\a\"", .escape, 1),
        ("\"\\0\"", .escape, 1), ("\"\\\u{e9}\"", .escape, 1), ("\"\\u\"", .truncated, 4), ("\"\\u00\"", .truncated, 6),
        ("\"\\u004\"  ", .hex, 1), ("\"\\u00g0\"", .hex, 1), ("\"\\u+041\"", .hex, 1), ("\"\\u 041\"", .hex, 1),
        ("\"\\uD800\"", .loneSurrogate, 1), ("\"\\uDC00\"", .loneSurrogate, 1),
        ("\"\\uD83D\\u0041\"", .loneSurrogate, 1),
        ("\"\\uD83D\\uD83D\"", .loneSurrogate, 1), ("\"\\uDE00\\uD83D\"", .loneSurrogate, 1),
        ("\"\\uD83Dx\"", .loneSurrogate, 1),
        ("\"\\uD83D\\n\"", .loneSurrogate, 1), ("\"ab\\uDFFFcd\"", .loneSurrogate, 3),
        ("\"\\uD83D\\uDE0\"", .loneSurrogate, 1),
        ("\"\n\"", .control, 1), ("\"\t\"", .control, 1), ("\"\u{0}\"", .control, 1), ("\"\u{1f}\"", .control, 1),
        ("\"1234567\n\"", .control, 8), ("\"12345678\n\"", .control, 9), ("\u{0}", .unexpected, 0),
        ("1\u{0}", .trailing, 1),
        ("{}\u{0}", .trailing, 2), ("[\u{0}]", .unexpected, 1),
        ("{", .truncated, 1), ("[", .truncated, 1), ("{a:1}", .key, 1), ("{1:1}", .key, 1), ("{'a':1}", .key, 1),
        ("{,}", .key, 1), ("{\"a\"}", .colon, 4), ("{\"a\" 1}", .colon, 5), ("{\"a\",1}", .colon, 4),
        ("{\"a\":}", .unexpected, 5),
        ("{\"a\":1,}", .key, 7), ("{\"a\":1 \"b\":2}", .commaOrBrace, 7), ("{\"a\":1]", .commaOrBrace, 6),
        ("{\"a\":1,,\"b\":2}", .key, 7), ("{\"a\":1;\"b\":2}", .commaOrBrace, 6), ("{\"a\"::1}", .unexpected, 5),
        ("{\"a\":1}}", .trailing, 7), ("{\"a\":1}{", .trailing, 7), ("[1,]", .unexpected, 3), ("[,1]", .unexpected, 1),
        ("[1 2]", .commaOrBracket, 3), ("[1}", .commaOrBracket, 2), ("[1:2]", .commaOrBracket, 2),
        ("[1,,2]", .unexpected, 3),
        ("[\"a\":1]", .commaOrBracket, 4), ("[]]", .trailing, 2), ("[1]x", .trailing, 3), ("[[1]", .truncated, 4),
    ]

    @Test("what the grammar does not allow is refused, with the reason and its place", arguments: refused)
    func refuses(text: String, fault expected: JSONError.Fault, offset: Int) {
        #expect(fault(Array(text.utf8)) == JSONError(expected, at: offset))
    }

    static let notUTF8: [[UInt8]] = [
        [0x80], [0xbf], [0xc0, 0x80], [0xc0, 0xaf], [0xc1, 0xbf], [0xc2], [0xc2, 0x41], [0xc2, 0xc2],
        [0xe0, 0x80, 0x80],
        [0xe0, 0x9f, 0xbf], [0xe1, 0x80], [0xe1, 0x80, 0x41], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf],
        [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], [0xf0, 0x80, 0x80, 0x80], [0xf0, 0x8f, 0xbf, 0xbf], [0xf0, 0x9f, 0x98],
        [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0xfc], [0xfe], [0xff],
    ]

    @Test(
        "bytes that are not UTF-8 are refused, wherever they stand in a string", arguments: notUTF8, [0, 1, 6, 7, 8, 9])
    func utf8(bytes: [UInt8], before: Int) {
        let text =
            [UInt8(ascii: "\"")] + Array(repeating: UInt8(ascii: "a"), count: before) + bytes + [UInt8(ascii: "\"")]
        #expect(fault(text) == JSONError(.invalidUTF8, at: before + 1))
        #expect(fault(Array(text.dropLast())) != nil)
    }

    @Test("a document cut at any byte is refused")
    func truncated() {
        let sample = Array(OutlineTests.sample.utf8)
        #expect(fault(sample) == nil)
        for end in 0..<sample.count {
            #expect(fault(Array(sample[..<end])) != nil, "cut at \(end)")
        }
    }

    @Test("256 levels are accepted, 257 and 100,000 are refused at the level too many", arguments: ["[", "{\"a\":"])
    func nesting(open: String) {
        let close = open == "[" ? "]" : "}"
        func nested(_ depth: Int) -> [UInt8] {
            let inner = open == "[" ? "" : "{}"
            let levels = open == "[" ? depth : depth - 1
            return Array(
                (String(repeating: open, count: levels) + inner + String(repeating: close, count: levels)).utf8)
        }
        #expect(fault(nested(256)) == nil)
        #expect(fault(nested(257)) == JSONError(.depth, at: 256 * open.utf8.count))
        #expect(fault(nested(100_000)) == JSONError(.depth, at: 256 * open.utf8.count))
        #expect(fault(Array(String(repeating: open, count: 100_000).utf8))?.fault == .depth)
    }

    @Test("a number and a string may have any length")
    func long() {
        let digits = String(repeating: "9", count: 200_000)
        #expect(fault(Array("-\(digits).\(digits)e+\(digits)".utf8)) == nil)
        #expect(fault(Array("\"\(digits)\"".utf8)) == nil)
    }

    @Test(
        "names that repeat are refused where asked, escaped or not, at any depth",
        arguments: [
            (#"{"a":1,"a":2}"#, 7), (#"{"a":1,"\u0061":2}"#, 7), (#"[{"b":{"x":1,"y":2,"x":3}}]"#, 19),
            (#"{"":1,"":2}"#, 6),
        ])
    func duplicates(text: String, offset: Int) {
        #expect(fault(Array(text.utf8)) == nil)
        #expect(fault(Array(text.utf8), refusingDuplicateKeys: true) == JSONError(.duplicateKey, at: offset))
    }

    @Test(
        "names that differ pass where duplicates are refused",
        arguments: [#"{"a":1,"A":2,"a ":3}"#, #"[{"a":1},{"a":1}]"#])
    func distinct(text: String) {
        #expect(fault(Array(text.utf8), refusingDuplicateKeys: true) == nil)
    }

    @Test("every fault says what is wrong in words of its own")
    func words() {
        let words = Set(JSONError.Fault.allCases.map { JSONError($0, at: 3).description })
        #expect(words.count == JSONError.Fault.allCases.count)
        #expect(words.allSatisfy { $0.hasSuffix(" at byte 3") })
    }
}
