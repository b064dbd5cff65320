import Foundation
import Testing

@Suite("Endpoints on the command line", .timeLimit(.minutes(5)))
struct EndpointsSuite {
    private let tool: Tool
    private let sink: Serving
    private let config: String

    init() throws {
        tool = try Tool()
        try tool.makeDeployment()
        sink = try Serving(tool, ["sink", "--listen", "127.0.0.1:0"])
        config = try tool.file(
            "carillon.yaml",
            Array(
                """
                delivery: {ssrf_exempt: [127.0.0.0/8]}
                channels:
                  mail: {url: "smtp://127.0.0.1:9", from: "carillon@example.com", tls: none}
                """.utf8))
        let rules = """
            version: 1
            workspace: vision
            contacts: {alice: {mail: alice@example.com, phone: "+8613800000001"}}
            endpoints:
              hook: {webhook: "http://127.0.0.1:\(sink.address.port)/hook"}
              sealed: {kind: slack, url: {secret: room}}
            rules:
              - {name: own, events: [job.failed], order: none, notify: [hook, {mail: [alice]}]}
            """
        let applied = try endpoints("apply", in: "rules", try tool.file("rules.yaml", Array(rules.utf8)))
        try #require(applied.code == 0, "\(applied.error)")
    }

    private func endpoints(_ verb: String, in command: String = "endpoints", _ arguments: String...) throws
        -> Tool.Result
    {
        let own = command == "endpoints" ? ["--workspace", "vision"] : []
        return try tool.run([command, verb] + arguments + own + ["--config", config])
    }

    @Test("test sends one marked message as a worker would, and says what came back, and why when it did not")
    func trial() throws {
        #expect(try endpoints("test", "hook").lines == ["hook took it (200)"])
        let unset = try endpoints("test", "sealed")
        #expect(unset.code == 1 && unset.error.contains("carillon secrets set --workspace vision room"))
        let mail = try endpoints("test", "mail/alice")
        #expect(mail.code == 1 && mail.error.contains("mail/alice did not take it: failed, other"))
        let sms = try endpoints("test", "sms/alice")
        #expect(sms.code == 1 && sms.error.contains("the channel sms is not offered"))
        for (name, words) in [
            ("hok", "`carillon endpoints list` names them"), ("mail", "name one, as in mail/alice"),
            ("mail/bob", "there is no endpoint mail/bob in vision"), ("inbox/alice", "there is nothing to try out"),
        ] {
            let refused = try endpoints("test", name)
            #expect(refused.code == 1 && refused.error.contains(words), "\(refused.error)")
        }
        let rows = try tool.run("deliveries", "list", "-o", "json", "--config", config).out
        #expect(rows == "[]\n", "a test is no delivery")
    }

    @Test("what is paused waits, an endpoint's and a person's alike, and goes out once it is resumed")
    func pausing() throws {
        for name in ["hook", "mail/alice"] {
            let paused = try endpoints("pause", name, "--reason", "moving")
            #expect(paused.lines == ["\(name) of vision is paused; what is on its way ends, the rest waits"])
        }
        #expect(try tool.run("publish", "-", "--config", config, input: Array(event("a").utf8)).code == 0)
        #expect(try tool.run("worker", "--until-idle", "--config", config).code == 0)
        let waiting = try tool.run("deliveries", "list", "--state", "pending", "-o", "json", "--config", config).out
        #expect(waiting.contains(#""target":"hook""#) && waiting.contains(#""target":"mail/alice""#))
        #expect(waiting.components(separatedBy: #""failed_tries":0"#).count == 3, "\(waiting)")
        let listed = try tool.run("endpoints", "list", "--config", config).out
        #expect(listed.components(separatedBy: "paused").count == 3 && listed.contains("moving"))
        #expect(try endpoints("resume", "hook").lines == ["hook of vision is resumed"])
        #expect(try tool.run("worker", "--until-idle", "--config", config).code == 0)
        let sent = try tool.run("deliveries", "list", "--state", "delivered", "-o", "json", "--config", config).out
        #expect(sent.contains(#""target":"hook""#) && !sent.contains("mail/alice"))
        let again = try endpoints("resume", "hook")
        #expect(again.code == 1 && again.error.contains("neither paused nor disabled"))
    }
}
