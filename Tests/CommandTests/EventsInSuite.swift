import CarillonPlatform
import Foundation
import Glibc
import Testing

@testable import carillon

@Suite("Events over HTTP: from a request to the stream", .timeLimit(.minutes(5)))
struct EventsInSuite {
    private let tool: Tool

    init() throws { tool = try Tool() }

    private static let structured = "content-type: application/cloudevents+json"

    private func serve(_ tokens: String? = nil, listen: String = "127.0.0.1:0") throws -> Serving {
        guard let tokens else { return try Serving(tool, ["serve", "--without-worker", "--listen", listen]) }
        _ = try tool.file("tokens.yaml", Array(tokens.utf8))
        let config = try tool.file(
            "carillon.yaml", Array("http: {listen: \"\(listen)\", tokens_file: tokens.yaml}\n".utf8))
        return try Serving(tool, ["serve", "--without-worker", "--config", config])
    }

    @Test("a request's events reach a webhook and are counted as accepted")
    func wholePath() throws {
        let sink = try Serving(tool, ["sink", "--listen", "127.0.0.1:0"])
        let serve = try Serving(
            tool, ["serve", "--listen", "127.0.0.1:0", "--set", "delivery.ssrf_exempt=127.0.0.0/8"])
        let rules = try tool.rules(["a"], url: "http://127.0.0.1:\(sink.address.port)/")
        #expect(try tool.run("rules", "apply", rules).code == 0)
        let headers = [
            "ce-specversion: 1.0", "ce-id: 7", "ce-source: /http", "ce-type: job.failed", "ce-workspace: vision",
            "ce-subject: %E4%BB%BB%E5%8A%A1", "content-type: application/json",
        ]
        let answer = try serve.request("POST", "/v1/events", headers: headers, body: Array("{\"exitCode\":1}".utf8))
        #expect(answer.status == 202 && answer.text.hasSuffix("{\"accepted\":1}\n"), "\(answer)")
        let line = String(decoding: sink.out.fileHandleForReading.availableData, as: UTF8.self)
        #expect(line.contains("\"subject\":\"任务\""), "\(line)")
        try serve.wait(forMetric: "carillon_events_accepted_total 1")
        #expect(serve.stop() == 0)
        #expect(try tool.run("verify").code == 0)
    }

    @Test("what was answered with 202 is there after kill -9, whenever it comes", arguments: [1, 7, 23])
    func killed(after answers: Int) throws {
        let serve = try serve()
        var accepted = 0
        for number in 0..<answers {
            let batch = "[" + (0..<3).map { event("\(number)-\($0)") }.joined(separator: ",") + "]"
            let answer = try serve.request(
                "POST", "/v1/events", headers: ["content-type: application/cloudevents-batch+json"],
                body: Array(batch.utf8))
            #expect(answer.status == 202)
            accepted += 3
        }
        kill(serve.process.processIdentifier, SIGKILL)
        serve.process.waitUntilExit()
        let trial = try tool.run("rules", "apply", try tool.rules(["a"]))
        #expect(trial.code == 0, "\(trial.error)")
        #expect(try tool.run("worker", "--until-idle", "--set", "delivery.retry.give_up_after=0s").code == 0)
        let listed = try tool.run("deliveries", "list", "-o", "json").out
        #expect(listed.components(separatedBy: "\"rule\":\"a\"").count - 1 == accepted, "\(listed.prefix(400))")
    }

    @Test("tokens say who may send what; a reload takes new ones, and keeps the old when the file is broken")
    func tokens() throws {
        let hash = "f39dac6cbaba535e2c207cd0cd8f154974223c848f727f98b3564cea569b41cf"  // of abcdefghijklmnop
        let serve = try serve(
            "tokens:\n  - {name: a, token: aaaaaaaaaaaaaaaa, workspaces: [vision]}\n"
                + "  - {name: b, sha256: \(hash), workspaces: [speech], sources: [/test]}\n", listen: "0.0.0.0:0")
        func post(_ token: String, _ workspace: String) throws -> Int {
            try serve.request(
                "POST", "/v1/events", headers: [Self.structured, "authorization: Bearer \(token)"],
                body: Array(event("x", workspace: workspace).utf8)
            ).status
        }
        #expect(try post("aaaaaaaaaaaaaaaa", "vision") == 202)
        #expect(try post("aaaaaaaaaaaaaaaa", "speech") == 403)
        #expect(try post("abcdefghijklmnop", "speech") == 202)
        #expect(try post("bbbbbbbbbbbbbbbb", "vision") == 401)
        _ = try tool.file("tokens.yaml", Array("tokens: [{name: c, token: short, workspaces: [vision]}]\n".utf8))
        let refused = try serve.request("POST", "/-/reload")
        #expect(refused.status == 422 && refused.text.contains("tokens.yaml:1:") && !refused.text.contains("short"))
        #expect(try post("aaaaaaaaaaaaaaaa", "vision") == 202)
        _ = try tool.file(
            "tokens.yaml", Array("tokens: [{name: c, token: cccccccccccccccc, workspaces: [vision]}]\n".utf8))
        #expect(try serve.request("POST", "/-/reload").status == 200)
        #expect(try post("aaaaaaaaaaaaaaaa", "vision") == 401)
        #expect(try post("cccccccccccccccc", "vision") == 202)
        #expect(serve.stop() == 0)
        #expect(!serve.words.contains("aaaaaaaaaaaaaaaa") && !serve.words.contains("cccccccccccccccc"))
    }

    @Test("beyond loopback and without tokens nobody sends, and the log says what to do")
    func closed() throws {
        let serve = try serve(listen: "0.0.0.0:0")
        let answer = try serve.request("POST", "/v1/events", headers: [Self.structured], body: Array(event("x").utf8))
        #expect(answer.status == 403 && answer.text.contains("http.tokens_file"), "\(answer)")
        #expect(try serve.request("GET", "/-/healthy").status == 200)
        #expect(serve.stop() == 0)
        #expect(serve.words.contains("no events over HTTP"))
    }

    @Test("a full disk is 503 and nothing is taken; with room it is 202 again")
    func fullDisk() throws {
        let serve = try serve()
        let body = Array(event("x").utf8)
        #expect(try serve.request("POST", "/v1/events", headers: [Self.structured], body: body).status == 202)
        try limitFiles(of: serve, to: "0")
        let away = try serve.request("POST", "/v1/events", headers: [Self.structured], body: body)
        #expect(away.status == 503 && away.text.lowercased().contains("retry-after: 5"), "\(away)")
        try limitFiles(of: serve, to: "unlimited")
        #expect(try serve.request("POST", "/v1/events", headers: [Self.structured], body: body).status == 202)
        #expect(serve.stop() == 0)
    }

    private func limitFiles(of serving: Serving, to bytes: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/prlimit")
        process.arguments = ["--pid", "\(serving.process.processIdentifier)", "--fsize=\(bytes):"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    @Test(
        "a broken tokens file is told with its place and without its secrets",
        arguments: [
            ("tokens: 5", "1:9"), ("token: []", "1:1"), ("tokens: [5]", "1:10"), ("[", "not YAML"), ("", "tokens:"),
            ("tokens: [{token: aaaaaaaaaaaaaaaa, workspaces: [a]}]", "name is missing"),
            ("tokens: [{name: a, workspaces: [a]}]", "give its token"),
            ("tokens: [{name: a, token: aaaaaaaaaaaaaaaa}]", "workspaces is missing"),
            ("tokens: [{name: a, token: aaaaaaaaaaaaaaaa, workspaces: []}]", "at least one"),
            ("tokens: [{name: a, token: aaaaaaaaaaaaaaaa, workspaces: a}]", "is a list"),
            ("tokens: [{name: a, token: \"aaaaaaaaa aaaaaaa\", workspaces: [a]}]", "openssl"),
            ("tokens: [{name: a, sha256: abc, workspaces: [a]}]", "64 hexadecimal"),
            ("tokens: [{name: a, tokn: aaaaaaaaaaaaaaaa, workspaces: [a]}]", "did you mean token?"),
            (
                "tokens: [{name: a, token: aaaaaaaaaaaaaaaa, workspaces: [a]}, {name: b, token: aaaaaaaaaaaaaaaa, workspaces: [b]}]",
                "stands here twice"
            ),
        ])
    func brokenFile(text: String, words: String) throws {
        let path = try tool.file("tokens.yaml", Array(text.utf8))
        do throws(ConfigurationError) {
            _ = try TokensFile.read(path)
            Issue.record("taken: \(text)")
        } catch {
            let told = error.problems.joined(separator: "\n")
            #expect(told.contains(words) && told.contains("tokens.yaml"), "\(told)")
            #expect(!told.contains("aaaaaaaaaaaaaaaa"))
        }
    }
}
