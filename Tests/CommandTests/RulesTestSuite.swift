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

    private func conditions(_ conditions: [String]) throws -> String {
        let rules = conditions.enumerated().map { place, condition in
            "  - {name: r\(place), events: [job.failed], condition: '\(condition)', on_error: skip, notify: [hook]}\n"
        }
        let head =
            "version: 1\nworkspace: vision\nendpoints: {hook: {kind: webhook, url: \"http://127.0.0.1:9/\"}}\nrules:\n"
        return try tool.file("conditions.yaml", Array((head + rules.joined()).utf8))
    }

    @Test("check --events says which conditions fail on real events, how often and where first, and exits 3")
    func failingConditions() throws {
        let rules = try conditions(["subject == \"s\"", "data.attempt > 1", "type is defined"])
        let lines = [event("1", type: "job.running"), event("2"), event("3", workspace: "other"), event("4")]
        let file = try tool.file("events.jsonl", Array(lines.joined(separator: "\n").utf8))
        let result = try tool.run("rules", "check", rules, "--events", file)
        #expect(result.code == 3)
        #expect(
            result.lines.suffix(3) == [
                "vision r0: condition true of 2 of 2 events", "vision r1: condition true of 0 of 2 events",
                "vision r2: condition true of 2 of 2 events",
            ])
        #expect(result.errors.count == 1, "\(result.error)")
        #expect(
            result.error.hasPrefix(rules + ":6: rule 'r1': its condition fails on 2 of 2 events, first on \(file):2: "))
    }

    @Test("check --events is content when every condition can be judged, and names bad lines when there are any")
    func goodConditions() throws {
        let rules = try conditions(["data is defined and data.attempt > 1"])
        let good = try tool.run("rules", "check", rules, "--events", "-", input: Array(event("1").utf8))
        #expect(good.code == 0 && good.error.isEmpty && good.lines.last == "vision r0: condition true of 0 of 1 events")
        let bad = try tool.run("rules", "check", rules, "--events", "-", input: Array("nope\n".utf8))
        #expect(bad.code == 3 && bad.errors.count == 1 && bad.error.hasPrefix("stdin:1: "))
    }
}
