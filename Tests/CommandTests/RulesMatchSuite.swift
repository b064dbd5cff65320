import Foundation
import Testing

@Suite("A pattern tried on the command line: true or false for each object", .timeLimit(.minutes(5)))
struct RulesMatchSuite {
    private let tool: Tool

    init() throws { tool = try Tool() }

    @Test(
        "every object is answered with its line, in its order",
        arguments: [
            (#"{"a":[1]}"#, [#"{"a":1}"#, #"{"a":1.0}"#, #"{"a":"1"}"#, "{}"], [true, true, false, false]),
            (
                #"{"a":{"b":[{"prefix":"x"}]}}"#, [#"{"a":[{"b":"xy"}]}"#, #"{"a.b":"x"}"#, #"{"a":1}"#],
                [true, true, false]
            ),
            (#"{"a":[{"exists":false}]}"#, ["{}", #"{"\u0061":null}"#], [true, false]),
            (#"{"$or":[{"a":[1]},{"b":[{"numeric":[">",2]}]}]}"#, [#"{"b":3}"#, #"{"b":2}"#], [true, false]),
        ] as [(String, [String], [Bool])])
    func answers(pattern: String, events: [String], fits: [Bool]) throws {
        let input = Array((events.joined(separator: "\n") + "\n\n").utf8)
        for pattern in [pattern, "@" + (try tool.file("pattern.json", Array((pattern + "\n").utf8)))] {
            let result = try tool.run("rules", "match", "--pattern", pattern, "-", input: input)
            #expect(result.code == 0 && result.error.isEmpty, "\(result.error)")
            #expect(result.lines == fits.map { $0 ? "true" : "false" })
        }
    }

    @Test("objects may come from several files, and be no events at all")
    func files() throws {
        let first = try tool.file("first.jsonl", Array("{\"a\":1}\n".utf8))
        let second = try tool.file("second.jsonl", Array("{\"a\":[]}".utf8))
        let result = try tool.run("rules", "match", "--pattern", "{\"a\":[1]}", first, second)
        #expect(result.code == 0 && result.lines == ["true", "false"])
    }

    @Test("lines that are no JSON object are named with the reason; the others are answered, exit 3")
    func badLines() throws {
        let lines = ["{\"a\":1}", "[1]", "{\"a\":", "null", "{\"a\":\"\u{1}\"}", "{\"a\":2}"]
        let result = try tool.run(
            "rules", "match", "--pattern", "{\"a\":[1]}", input: Array(lines.joined(separator: "\n").utf8))
        #expect(result.code == 3 && result.lines == ["true", "false"])
        #expect(result.errors.map { $0.prefix(8) } == ["stdin:2:", "stdin:3:", "stdin:4:", "stdin:5:"])
        #expect(result.errors.first?.contains("an array") == true)
    }

    @Test(
        "an invalid pattern exits 2 and says why in one line, whatever the events are",
        arguments: [
            ("", "no JSON"), ("{", "ends before"), ("[]", "mapping"), (#"{"a":1}"#, "a"), (#"{"a":[]}"#, "a"),
            (#"{"a":[{"prefx":"x"}]}"#, "prefix"), (#"{"a":{"b":[{"numeric":[">"]}]}}"#, "a.b"),
            ("@/nowhere", "/nowhere"),
        ])
    func refused(pattern: String, word: String) throws {
        let result = try tool.run("rules", "match", "--pattern", pattern, "-", input: Array("{\"a\":1}\nno\n".utf8))
        #expect(result.code == 2 && result.out.isEmpty)
        #expect(result.errors.count == 1 && result.error.contains(word), "\(result.error)")
    }

    @Test("a pattern file that is not text is refused by its name")
    func notText() throws {
        let path = try tool.file("pattern.json", [0xFF, 0xFE, 0x7B])
        let result = try tool.run("rules", "match", "--pattern", "@" + path, "/dev/null")
        #expect(result.code == 2 && result.error.contains(path))
    }
}
