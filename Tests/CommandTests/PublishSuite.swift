import Foundation
import Testing

@testable import carillon

@Suite("Publish: good lines are durable, bad ones are named, and nothing else happens", .timeLimit(.minutes(5)))
struct PublishSuite {
    private let tool: Tool

    init() throws {
        tool = try Tool()
        try tool.makeDeployment()
    }

    @Test("bad lines of every kind are told as FILE:LINE: why, the good ones around them are published, exit 3")
    func badLines() throws {
        var bytes: [UInt8] = []
        var bad: [Int] = []
        var number = 0
        func line(_ line: some Sequence<UInt8>, isBad: Bool = false) {
            number += 1
            if isBad { bad.append(number) }
            bytes += line
            bytes.append(0x0A)
        }
        line(event("first").utf8)
        line("not json".utf8, isBad: true)
        line("".utf8)
        line("  \t\r".utf8)
        line((event("crlf") + "\r").utf8)
        line("[1,2]".utf8, isBad: true)
        line("{}".utf8, isBad: true)
        line(Array(event("a").utf8.dropLast(3)), isBad: true)
        line([0xFF, 0xFE, 0x7B, 0x00], isBad: true)
        line(event("latin").utf8.map { $0 == 0x73 ? 0xE9 : $0 }, isBad: true)
        line(
            "{\"specversion\":\"1.0\",\"id\":\"x\",\"id\":\"y\",\"source\":\"/s\",\"type\":\"t\",\"workspace\":\"w\"}"
                .utf8, isBad: true)
        line(event("v").replacingOccurrences(of: "1.0", with: "0.3").utf8, isBad: true)
        line((String(repeating: "[", count: 100_000)).utf8, isBad: true)
        line(event("big").utf8 + Array(repeating: 0x20, count: 300 * 1024), isBad: true)
        line(Array(repeating: 0x78, count: 3 << 20), isBad: true)
        line(event("other", workspace: "").utf8, isBad: true)
        bytes += Array(event("last, without a line feed").utf8)
        let path = try tool.file("events.jsonl", bytes)

        let result = try tool.run("publish", path)

        #expect(result.code == 3)
        #expect(
            result.errors.map { $0.dropFirst(path.count + 1).prefix { $0 != ":" } } == bad.map { Substring(String($0)) }
        )
        #expect(result.errors.allSatisfy { $0.hasPrefix(path + ":") && $0.count < 500 })
        #expect(result.out == "published 3 events, \(bad.count) bad lines\n")
        #expect(try streamed() == 3)
    }

    @Test("a byte order mark, CRLF and an absent last line feed are fine, from a file as from standard input")
    func fineInput() throws {
        let bytes = [0xEF, 0xBB, 0xBF] + Array((event("a") + "\r\n\r\n" + event("b")).utf8)
        let fromFile = try tool.run("publish", try tool.file("a.jsonl", bytes))
        #expect(fromFile.code == 0 && fromFile.out == "published 2 events\n" && fromFile.error.isEmpty)
        let fromInput = try tool.run("publish", "-", input: bytes)
        #expect(fromInput.code == 0 && fromInput.out == "published 2 events\n" && fromInput.error.isEmpty)
    }

    @Test("an empty input is fine and publishes nothing")
    func emptyInput() throws {
        let result = try tool.run("publish", "-")
        #expect(result.code == 0 && result.out == "published 0 events\n")
    }

    @Test("a file that is missing or a folder is told in a line, the others are published, exit 1")
    func missingFile() throws {
        let good = try tool.file("good.jsonl", event("a").utf8)
        let result = try tool.run("publish", "missing.jsonl", tool.folder.path, good)
        #expect(result.code == 1)
        #expect(result.errors.count == 2)
        #expect(result.errors.first == "carillon: missing.jsonl: cannot be opened: No such file or directory")
        #expect(result.out == "published 1 events\n")
    }

    @Test("a partitionkey that names another workspace is counted; workspace wins")
    func mismatch() throws {
        let line = String(event("a").dropLast()) + ",\"partitionkey\":\"speech\"}"
        let fine = String(event("b").dropLast()) + ",\"partitionkey\":\"vision\"}"
        let result = try tool.run("publish", "-", input: Array((line + "\n" + fine).utf8))
        #expect(result.code == 0 && result.out == "published 2 events\n")
        #expect(result.error.hasPrefix("carillon: 1 events have a partitionkey that names another workspace"))
    }

    @Test("--workspace names the workspace of events that have none")
    func defaultWorkspace() throws {
        let line = event("a").replacingOccurrences(of: ",\"workspace\":\"vision\"", with: "")
        #expect(try tool.run("publish", "-", input: Array(line.utf8)).code == 3)
        #expect(try tool.run("publish", "--workspace", "speech", "-", input: Array(line.utf8)).code == 0)
    }

    @Test("many events from standard input are all durable")
    func many() throws {
        let input = (0..<20_000).map { event("e\($0)") }.joined(separator: "\n")
        let result = try tool.run("publish", "-", input: Array(input.utf8))
        #expect(result.code == 0 && result.out == "published 20000 events\n")
        #expect(try streamed() == 20_000)
    }

    @Test("one event by options has the id subject/attempt/type and typed data; a second run makes no second event")
    func oneEvent() throws {
        let rules = try tool.rules(["all"])
        #expect(try tool.run("rules", "apply", rules).code == 0)
        let arguments = [
            "publish", "--type", "job.failed", "--workspace", "vision", "--subject", "123", "--source", "/slurm/a",
            "--data", "attempt=2", "--data", "exitCode=137", "--data", "labels.team=vision", "--data", "labels.n=007",
            "--data", "final=true", "--data", "big=1e5", "--data", "url=https://x/?a=b", "--data", "ratio=0.25",
            "--data", "name=\"7\"",
        ]
        let first = try tool.run(arguments)
        #expect(first.code == 0 && first.out == "published 123/2/job.failed\n" && first.error.isEmpty)
        #expect(try tool.run(arguments).code == 0)
        let worker = try tool.run(
            "worker", "--until-idle", "--set", "delivery.retry.give_up_after=0s", "--set", "delivery.retry.first=1ms")
        #expect(worker.code == 0, "\(worker.error)")
        let listed = try tool.run("deliveries", "list", "-o", "json")
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(listed.out.utf8)) as? [[String: Any]])
        #expect(rows.count == 1)
        let shown = try tool.run("deliveries", "show", try #require(rows.first?["delivery"] as? String), "-o", "json")
        let delivery = try #require(try JSONSerialization.jsonObject(with: Data(shown.out.utf8)) as? [String: Any])
        let data = try #require((delivery["event"] as? [String: Any])?["data"] as? [String: Any])
        #expect(data["exitCode"] as? Int == 137 && data["final"] as? Bool == true && data["ratio"] as? Double == 0.25)
        #expect(shown.out.contains("\"big\":1e5,"))
        #expect(data["url"] as? String == "https://x/?a=b" && data["name"] as? String == "7")
        #expect((data["labels"] as? [String: String]) == ["team": "vision", "n": "007"])
    }

    @Test(
        "what cannot be one event is a usage error in one line",
        arguments: [
            ["--type", "job.failed"],
            ["--type", "t", "--workspace", "w", "--subject", "s", "--source", "x", "--data", "a"],
            ["--type", "t", "--workspace", "w", "--subject", "s", "--source", "x", "--data", "a=1", "--data", "a.b=2"],
            ["--type", "t", "--workspace", "w", "--subject", "s", "--source", "x", "--data", ".a=1"],
            ["--type", "t", "--workspace", "w", "--subject", "s", "--source", "x", "--time", "now"],
            ["--type", "", "--workspace", "w", "--subject", "s", "--source", "x"], ["--type", "t", "file.jsonl"], [],
            ["--nope"],
        ])
    func usage(arguments: [String]) throws {
        let result = try tool.run(["publish"] + arguments)
        #expect(result.code == 2)
        #expect(result.errors.count == 1 && result.errors.first?.hasPrefix("carillon: ") == true && result.out.isEmpty)
    }

    @Test("without a stream it fails and says what to do; --spool keeps the events for whoever comes next")
    func noStream() throws {
        let tool = try Tool()
        let refused = try tool.run("publish", "-", input: Array(event("a").utf8))
        #expect(refused.code == 1 && refused.errors.count == 1)
        #expect(refused.error.contains("carillon serve") && refused.error.contains("--spool"))
        #expect(!FileManager.default.fileExists(atPath: tool.home + "/stream.db"))
        let spooled = try tool.run("publish", "--spool", "-", input: Array(event("a").utf8))
        #expect(spooled.code == 0 && spooled.out == "published 1 events\n" && spooled.error.contains("wait in"))
        try tool.makeDeployment()
        let status = try tool.run("verify")
        #expect(status.out.contains("1 read"), "\(status.out)")
    }

    @Test(
        "a scalar of JSON keeps its type and its spelling, anything else is text",
        arguments: [
            ("137", "137"), ("-1", "-1"), ("1.50", "1.50"), ("true", "true"), ("null", "null"), ("\"5\"", "\"5\""),
            ("007", "\"007\""), ("1e5", "1e5"), ("1 ", "\"1 \""), ("+1", "\"+1\""), ("-", "\"-\""),
            ("123456789012345678901", "123456789012345678901"), ("[1]", "\"[1]\""), ("1,2", "\"1,2\""),
            ("", "\"\""),
            ("True", "\"True\""), ("\"", "\"\\\"\""), ("NaN", "\"NaN\""),
        ])
    func scalars(text: String, json: String) { #expect(DataArguments.scalar(text) == json) }

    /// Records in the stream, as the ledger of a worker that reads to its end counts them.
    private func streamed() throws -> Int {
        try tool.makeDeployment()
        let verify = try tool.run("verify", "-o", "json")
        let law = try #require(try JSONSerialization.jsonObject(with: Data(verify.out.utf8)) as? [String: Any])
        return try #require(law["read"] as? Int)
    }
}
