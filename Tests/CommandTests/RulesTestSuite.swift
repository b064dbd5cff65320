import Foundation
import Testing

@Suite("Rules tried on the command line: a line an event, however long, odd or slow the input", .timeLimit(.minutes(5)))
struct RulesTestSuite {
    private let tool: Tool

    init() throws { tool = try Tool() }

    @Test("test prints one JSON line an event and sends nothing; bad lines are named, exit 3")
    func answers() throws {
        let rules = try tool.rules(["a", "b"])
        let input = [event("1"), event("2", type: "job.succeeded"), "nope", event("3", workspace: "other")].joined(
            separator: "\n")
        let result = try tool.run("rules", "test", "--rules", rules, "-", input: Array(input.utf8))
        #expect(result.code == 3)
        #expect(
            result.lines == [
                "{\"id\":\"1\",\"matched\":[\"a\",\"b\"]}", "{\"id\":\"2\",\"matched\":[]}",
                "{\"id\":\"3\",\"matched\":[]}",
            ])
        #expect(result.errors.count == 1 && result.error.hasPrefix("stdin:3: "))
    }

    @Test("ids and workspaces with escapes are read and written as JSON")
    func escapes() throws {
        let rules = try tool.rules(["a\\\"é"].map { "\"\($0)\"" })
        let line = event("q\\\"\\u00e9\\n", workspace: "\\u0076ision")
        let result = try tool.run("rules", "test", "--rules", rules, input: Array(line.utf8))
        #expect(result.code == 0 && result.lines == [#"{"id":"q\"é\n","matched":["a\"é"]}"#], "\(result.out)")
    }

    @Test("lines across the reader's pieces, with and without carriage returns and a last line feed, are read whole")
    func pieces() throws {
        let rules = try tool.rules(["a"])
        let padding = String(repeating: "x", count: 900)
        let lines = (1...2000).map { event("\($0)-\(padding)") }
        for (separator, end) in [("\n", "\n"), ("\r\n", ""), ("\n\n  \t\n", "\n")] {
            let text = "\u{FEFF}" + lines.joined(separator: separator) + end
            let result = try tool.run("rules", "test", "--rules", rules, input: Array(text.utf8))
            let ids = result.lines.compactMap { $0.split(separator: "\"").dropFirst(3).first?.prefix { $0 != "-" } }
            #expect(result.code == 0 && ids == (1...2000).map { "\($0)" }, "\(result.errors.prefix(3))")
        }
    }

    @Test("a line longer than any event is reported with its size, and what follows is answered")
    func longLines() throws {
        let rules = try tool.rules(["a"])
        for size in [300_000, 3_000_000] {
            let text = event("1") + "\n" + String(repeating: " ", count: size) + "x\n" + event("2")
            let result = try tool.run("rules", "test", "--rules", rules, input: Array(text.utf8))
            #expect(result.code == 3 && result.lines.count == 2)
            #expect(result.errors.count == 1 && result.error.hasPrefix("stdin:2: "), "\(result.error.prefix(300))")
        }
    }

    @Test("who feeds a pipe line by line gets each answer before the next event")
    func conversation() throws {
        let (input, out, error) = (Pipe(), Pipe(), Pipe())
        let process = try tool.start(
            ["rules", "test", "--rules", try tool.rules(["a"])], input: input, out: out, error: error)
        for id in 1...3 {
            try input.fileHandleForWriting.write(contentsOf: Data((event("\(id)") + "\n").utf8))
            let answer = String(decoding: out.fileHandleForReading.availableData, as: UTF8.self)
            #expect(answer == "{\"id\":\"\(id)\",\"matched\":[\"a\"]}\n")
        }
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test("a file that is not there is a failure that names it")
    func missing() throws {
        let result = try tool.run("rules", "test", "--rules", try tool.rules(["a"]), "/nowhere/events.jsonl")
        #expect(result.code == 1 && result.errors.count == 1 && result.error.contains("/nowhere/events.jsonl"))
    }
}
