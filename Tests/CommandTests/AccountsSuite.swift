import CarillonLedger
import Foundation
import Testing

@testable import carillon

@Suite("Deliveries, secrets and the law: what was asked is done or said why not", .timeLimit(.minutes(5)))
struct AccountsSuite {
    private let tool: Tool

    init() throws {
        tool = try Tool()
        try tool.makeDeployment()
    }

    private func rows(_ arguments: String...) throws -> [[String: Any]] {
        let result = try tool.run(arguments + ["-o", "json"])
        try #require(result.code == 0, "\(result.error)")
        return try #require(try JSONSerialization.jsonObject(with: Data(result.out.utf8)) as? [[String: Any]])
    }

    @Test("a suppressed event is listed with event, rule and reason")
    func suppressed() throws {
        #expect(try tool.run("rules", "apply", try tool.rules(["late"])).code == 0)
        let published = try tool.run(
            "publish", "--type", "job.failed", "--workspace", "vision", "--subject", "old", "--source", "/test",
            "--time", "2020-01-05T08:00:00Z")
        #expect(published.code == 0)
        #expect(try tool.run("worker", "--until-idle").code == 0)
        #expect(try rows("deliveries", "list").isEmpty)
        let listed = try rows("deliveries", "list", "--state", "suppressed", "--workspace", "vision", "--since", "1h")
        #expect(listed.count == 1)
        #expect(
            listed.first?["event"] as? String == "old/1/job.failed" && listed.first?["source"] as? String == "/test")
        #expect(listed.first?["rule"] as? String == "late" && listed.first?["reason"] as? String == "stale")
        #expect(listed.first?["state"] as? String == "suppressed" && listed.first?["subject"] as? String == "old")
        #expect(try rows("deliveries", "list", "--state", "suppressed", "--rule", "other").isEmpty)
        #expect(try tool.run("deliveries", "list", "--state", "suppressed").out.contains("old/1/job.failed"))
        #expect(try rows("deliveries", "list", "--state", "suppressed", "--contact", "hook").isEmpty)
    }

    @Test("what falls into a dedup window is listed with the delivery that stands for it")
    func dedup() throws {
        let rules = """
            version: 1
            workspace: vision
            endpoints: {hook: {webhook: "http://127.0.0.1:9/"}}
            rules:
              - {name: once, events: [job.failed], dedup: {by: [subject], within: 1h}, notify: [hook]}
            """
        #expect(try tool.run("rules", "apply", try tool.file("once.yaml", Array(rules.utf8))).code == 0)
        for ids in [["a", "b"], ["c"]] {
            let events = ids.map { event($0) }.joined(separator: "\n")
            #expect(try tool.run("publish", "-", input: Array(events.utf8)).code == 0)
            #expect(try tool.run("worker", "--until-idle").code == 0)
        }
        let sent = try rows("deliveries", "list")
        let key = try #require(sent.first?["delivery"] as? String)
        #expect(sent.count == 1)
        let listed = try rows("deliveries", "list", "--state", "suppressed", "--reason", "dedup", key)
        #expect(listed.map { $0["event"] as? String } == ["c", "b"])
        #expect(listed.allSatisfy { $0["by"] as? String == key && $0["reason"] as? String == "dedup" })
        #expect(try rows("deliveries", "list", "--state", "suppressed", String(repeating: "0", count: 32)).isEmpty)
        let status = try tool.run("status", "-o", "json")
        #expect(status.out.replacing(" ", with: "").contains(#""suppressed":{"dedup":2}"#))
        #expect(try tool.run("verify").code == 0)
    }

    @Test("dead deliveries are listed by reason and retried; a key that cannot be changed is exit 1 with why")
    func dead() throws {
        #expect(try tool.run("rules", "apply", try tool.rules(["all"])).code == 0)
        #expect(try tool.run("publish", "-", input: Array(event("a").utf8)).code == 0)
        #expect(try tool.run("worker", "--until-idle").code == 0)
        let listed = try rows("dead", "list", "--reason", "blocked", "--workspace", "vision")
        let key = try #require(listed.first?["delivery"] as? String)
        #expect(try rows("dead", "list").count == 1 && rows("dead", "list", "--reason", "serverError").isEmpty)
        #expect(try tool.run("dead", "list").lines.first?.hasPrefix("WHY") == true)

        #expect(try tool.run("dead", "retry").code == 2)
        #expect(try tool.run("dead", "retry", "--reason", "serverError").out == "0 deliveries are due now\n")
        let refused = try tool.run("deliveries", "retry", key, "--workspace", "speech")
        #expect(refused.code == 1 && refused.error == "carillon: \(key) is dead, and the other filters leave it out\n")
        #expect(try tool.run("dead", "retry", key).out == "1 deliveries are due now\n")
        #expect(try rows("dead", "list").isEmpty)
        let notDead = try tool.run("dead", "retry", key)
        #expect(notDead.code == 1 && notDead.error.contains("\(key) is pending"))
        #expect(try tool.run("deliveries", "cancel", key).code == 0)
        let again = try tool.run("deliveries", "cancel", key)
        #expect(again.code == 1 && again.error == "carillon: \(key) is cancelled already\n")
    }

    @Test("verify tells what is unread, and a stream that is an older copy breaks the law")
    func verify() throws {
        #expect(try tool.run("publish", "-", input: Array(event("a").utf8)).code == 0)
        let unread = try tool.run("verify")
        #expect(unread.code == 0 && unread.out.contains("1 unread"))
        #expect(try tool.run("worker", "--until-idle").code == 0)
        #expect(try tool.run("verify").out.contains("stream     0 unread"))
        let names = try FileManager.default.contentsOfDirectory(atPath: tool.home).filter { $0.hasPrefix("stream.db") }
        let files = names.map { (from: tool.home + "/" + $0, to: tool.folder.path + "/" + $0) }
        for file in files { try FileManager.default.copyItem(atPath: file.from, toPath: file.to) }
        #expect(try tool.run("publish", "-", input: Array(event("b").utf8)).code == 0)
        #expect(try tool.run("worker", "--until-idle").code == 0)
        for file in files {
            try? FileManager.default.removeItem(atPath: file.from)
            try FileManager.default.copyItem(atPath: file.to, toPath: file.from)
        }
        let broken = try tool.run("verify", "-o", "json")
        #expect(broken.code == 3 && broken.out.contains("decided up to 2, the stream ends at 1"), "\(broken.out)")
        #expect(broken.out.contains("\"unread\":0"))
    }

    @Test("a worker until idle makes a home that is not there, and ends")
    func freshHome() throws {
        let tool = try Tool()
        #expect(try tool.run("worker", "--until-idle").code == 0)
        #expect(try tool.run("verify").out.contains("the law holds"))
    }

    @Test(
        "a secret is one line without its end",
        arguments: [
            ("key", "key"), ("key\n", "key"), ("key\r\n", "key"), ("key\n\n", nil), ("a\nb", nil), ("a\rb", nil),
            ("key\r", nil), ("\nkey", nil), ("a\0b", nil), (" key\t", " key\t"),
        ] as [(String, String?)])
    func secrets(input: String, value: String?) {
        #expect((try? SecretText.value(of: Array(input.utf8))).map { String(decoding: $0, as: UTF8.self) } == value)
    }

    @Test("a secret's name is what a document may say")
    func secretNames() throws {
        for name in ["hook-key", "钥匙", "a b"] {
            #expect(try tool.run("secrets", "set", "--workspace", "w", name, input: Array("x\n".utf8)).code == 0)
        }
        for name in ["", "a\u{1}", String(repeating: "x", count: 129)] {
            #expect(try tool.run("secrets", "set", "--workspace", "w", name, input: Array("x\n".utf8)).code == 2)
        }
        #expect(try rows("secrets", "list", "--workspace", "w").count == 3)
        #expect(try tool.run("secrets", "set", "--workspace", "w", "n", input: Array("a\nb\n".utf8)).code == 2)
    }

    @Test("a file of another version says which Carillon it needs")
    func versions() {
        let newer = LedgerError(.schema(found: 2, known: 1), doing: "open it")
        let older = LedgerError(.schema(found: 1, known: 2), doing: "open it")
        #expect(newer.advice == "; run the Carillon that wrote it")
        #expect(older.advice == "; start a worker of this version to bring it up to date")
    }
}
