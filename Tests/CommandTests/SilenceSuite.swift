import Foundation
import Testing

@Suite("Silences and people on the command line", .timeLimit(.minutes(5)))
struct SilenceSuite {
    private let tool: Tool

    init() throws {
        tool = try Tool()
        try tool.makeDeployment()
    }

    private func add(_ workspace: String = "vision", pattern: String = #"{"subject":["s"]}"#) throws -> Tool.Result {
        try tool.run(
            "silence", "add", "--workspace", workspace, "--pattern", pattern, "--for", "2h", "--comment", "rack moves")
    }

    @Test("a silence is added, listed, heeded by a worker, named by what it held back, and ended")
    func life() throws {
        #expect(try tool.run("rules", "apply", try tool.rules(["a"])).code == 0)
        let added = try add()
        #expect(added.code == 0 && added.out.hasPrefix("silence 1 of vision holds until "))
        #expect(try tool.run("publish", "-", input: Array(event("e1").utf8)).code == 0)
        #expect(try tool.run("worker", "--until-idle").code == 0)
        let held = try tool.run("deliveries", "list", "--state", "suppressed", "--reason", "silence", "-o", "json").out
        #expect(held.contains(#""reason":"silence","by":"1""#) && held.contains(#""event":"e1""#))
        #expect(try tool.run("deliveries", "list", "-o", "json").out == "[]\n")
        let listed = try tool.run("silence", "list", "--workspace", "vision", "-o", "json").out
        #expect(listed.contains(#""silence":1,"workspace":"vision","state":"holds""#))
        #expect(try tool.run("silence", "list", "--workspace", "speech", "-o", "json").out == "[]\n")
        #expect(try tool.run("silence", "expire", "1").lines == ["silence 1 is over"])
        let again = try tool.run("silence", "expire", "1")
        #expect(again.code == 1 && again.error.contains("no silence 1 holds"))
        #expect(try tool.run("silence", "list").out.hasPrefix("no silence holds"))
        #expect(try tool.run("silence", "list", "--all").out.contains("rack moves"))
        #expect(try tool.run("verify").code == 0)
    }

    @Test("what is no silence is refused with what to do, and nothing is added")
    func refused() throws {
        let bad = try add(pattern: #"{"subject":"s"}"#)
        #expect(bad.code == 2 && bad.error.contains("--pattern: "))
        for arguments in [
            ["add", "--workspace", "v", "--pattern", #"{"a":[1]}"#, "--for", "0s", "--comment", "x"],
            ["add", "--workspace", "v", "--pattern", #"{"a":[1]}"#, "--for", "2h", "--comment", " "],
            ["add", "--workspace", "", "--pattern", #"{"a":[1]}"#, "--for", "2h", "--comment", "x"],
            ["add", "--workspace", "v", "--pattern", "@nowhere", "--for", "2h", "--comment", "x"],
            ["expire"], ["expire", "--all"], ["expire", "x"],
        ] {
            #expect(try tool.run(["silence"] + arguments).code == 2, "\(arguments)")
        }
        #expect(try tool.run("silence", "list", "--all", "-o", "json").out == "[]\n")
    }

    @Test("all silences of a workspace end together, and no other's")
    func all() throws {
        for workspace in ["vision", "speech", "vision"] { #expect(try add(workspace).code == 0) }
        let ended = try tool.run("silence", "expire", "--workspace", "vision", "--all")
        #expect(ended.lines == ["silence 1 is over", "silence 3 is over"])
        #expect(try tool.run("silence", "list", "-o", "json").out.contains("speech"))
    }

    @Test("check counts people by the admin's limits; more is refused with count and limit, also by apply")
    func limits() throws {
        let path = try tool.file(
            "people.yaml",
            Array(
                """
                version: 1
                workspace: vision
                contacts:
                  alice: {mail: alice@example.com, phone: "+8613800000001"}
                  alan: {mail: alan@example.com}
                rules:
                  - {name: a, events: [job.failed], notify: [{mail: [alice, alan, $owner]}, {sms: [alice]}]}

                """.utf8))
        let offered = [
            "channels.mail.url=smtp://127.0.0.1:1", "channels.mail.from=c@example.com", "channels.sms.provider=twilio",
        ].flatMap { ["--set", $0] }
        #expect(try tool.run(["rules", "check", path] + offered).lines == ["vision a: 4 of 5 targets"])
        let limit = offered + ["--set", "limits.workspaces.vision.targets_per_rule=3"]
        for command in ["check", "apply"] {
            let refused = try tool.run(["rules", command, path] + limit)
            #expect(refused.code == 3 && refused.errors == ["\(path):7:6: rule 'a' has 4 targets, the limit is 3"])
        }
        #expect(try tool.run(["rules", "apply", path] + offered).code == 0)
        #expect(
            try tool.run("rules", "list", "-o", "json").out.contains(
                #""mail/alice","mail/alan","sms/alice","mail/$owner""#))
    }
}
