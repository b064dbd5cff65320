import Foundation
import Testing

@Suite("Rules on the command line: checked with places, applied whole or not at all", .timeLimit(.minutes(5)))
struct RulesSuite {
    private let tool: Tool

    init() throws {
        tool = try Tool()
        try tool.makeDeployment()
    }

    @Test("check names every problem with its place and exits 3; a good document prints its target units")
    func check() throws {
        let good = try tool.run("rules", "check", try tool.rules(["a", "b"]))
        #expect(good.code == 0 && good.lines == ["vision a: 1 of 5 targets", "vision b: 1 of 5 targets"])
        let path = try tool.file(
            "bad.yaml",
            Array("version: 1\nworkspace: v\nrules:\n  - name: a\n    evnts: [x]\n    notify: [nobody]\n".utf8))
        let bad = try tool.run("rules", "check", path)
        #expect(bad.code == 3 && bad.out.isEmpty)
        #expect(!bad.errors.isEmpty && bad.errors.allSatisfy { $0.hasPrefix(path + ":") })
        #expect(bad.errors.contains { $0.hasPrefix(path + ":5:5: ") })
    }

    @Test(
        "input that is no document is named and nothing is applied",
        arguments: [
            [UInt8](repeating: 0xFF, count: 8), Array("\u{0}".utf8), Array("{".utf8), Array("[]".utf8), [],
            Array(
                ("a: &a [x,x,x,x,x,x,x,x]\n" + (0..<20).map { "b\($0): &b\($0) [*a,*a,*a,*a,*a,*a,*a,*a]\n" }.joined())
                    .utf8),
            Array(String(repeating: "[", count: 200_000).utf8),
        ])
    func hostile(bytes: [UInt8]) throws {
        let path = try tool.file("bad.yaml", bytes)
        for command in ["check", "apply"] {
            let result = try tool.run("rules", command, path)
            #expect(result.code == 3 || bytes.isEmpty, "\(result.error.prefix(300))")
            #expect(result.errors.allSatisfy { $0.hasPrefix(path + ":") || $0.hasPrefix("carillon: ") })
        }
        #expect(try tool.run("rules", "list", "-o", "json").out == "[]\n")
    }

    @Test("apply prints the difference, and a second time changes nothing")
    func apply() throws {
        let path = try tool.rules(["a", "b"])
        let first = try tool.run("rules", "apply", path)
        #expect(first.code == 0)
        #expect(first.lines == ["vision:", "  + endpoint hook", "  + rule a", "  + rule b", "in force at revision 1"])
        let second = try tool.run("rules", "apply", path)
        #expect(second.code == 0 && second.lines == ["nothing changed at revision 1"])
    }

    @Test("apply refuses to drop what the files omit, unless --prune")
    func prune() throws {
        #expect(try tool.run("rules", "apply", try tool.rules(["a", "b"])).code == 0)
        let fewer = try tool.rules(["a"])
        let refused = try tool.run("rules", "apply", fewer)
        #expect(refused.code == 1 && refused.error.contains("rule b") && refused.error.contains("--prune"))
        #expect(try tool.run("rules", "list", "-o", "json").out.contains("\"rule\":\"b\""))
        let pruned = try tool.run("rules", "apply", "--prune", fewer)
        #expect(pruned.code == 0 && pruned.lines.contains("  - rule b"))
    }

    @Test("one file of a workspace leaves other workspaces alone; a folder with --prune stands for all of them")
    func folders() throws {
        for workspace in ["vision", "speech"] {
            #expect(
                try tool.run(
                    "rules", "apply", try tool.rules(["a"], workspace: workspace, file: "all/\(workspace).yaml")
                ).code == 0)
        }
        try FileManager.default.removeItem(atPath: tool.folder.path + "/all/speech.yaml")
        #expect(
            try tool.run("rules", "apply", "--prune", tool.folder.path + "/all/vision.yaml").lines == [
                "nothing changed at revision 2"
            ])
        #expect(try tool.run("rules", "apply", tool.folder.path + "/all").lines == ["nothing changed at revision 2"])
        let pruned = try tool.run("rules", "apply", "--prune", tool.folder.path + "/all")
        #expect(pruned.lines == ["speech:", "  - endpoint hook", "  - rule a", "in force at revision 3"])
        try FileManager.default.removeItem(atPath: tool.folder.path + "/all/vision.yaml")
        #expect(try tool.run("rules", "apply", "--prune", tool.folder.path + "/all").code == 1)
    }

    @Test("a file with documents of two workspaces changes only the one that differs")
    func severalDocuments() throws {
        func text(_ rule: String) -> [UInt8] {
            let head = "endpoints: {hook: {kind: webhook, url: \"http://127.0.0.1:9/\"}}\n"
            return ["vision", "speech"].map { workspace in
                "---\nversion: 1\nworkspace: \(workspace)\n\(head)rules:\n  - {name: \(workspace == "speech" ? rule : "same"), events: [job.failed], notify: [hook]}\n"
            }.joined().utf8.map { $0 }
        }
        #expect(try tool.run("rules", "apply", try tool.file("two.yaml", text("a"))).code == 0)
        let second = try tool.run("rules", "apply", "--prune", try tool.file("two.yaml", text("b")))
        #expect(second.lines == ["speech:", "  + rule b", "  - rule a", "in force at revision 2"])
        let listed = try tool.run("rules", "list")
        #expect(listed.out.contains("two.yaml:12"), "\(listed.out)")
    }

    @Test("a secret a document names and nobody has set is told; its value never appears")
    func secrets() throws {
        let path = try tool.file(
            "rules.yaml",
            Array(
                """
                version: 1
                workspace: vision
                endpoints: {hook: {kind: webhook, url: "http://127.0.0.1:9/", secret: {secret: key}}}
                rules:
                  - {name: a, events: [job.failed], notify: [hook]}
                """.utf8))
        let before = try tool.run("rules", "apply", path)
        #expect(before.code == 0 && before.error.contains("secret key of vision is not set"))
        let value = "whsec_" + Data((0..<32).map { UInt8($0) }).base64EncodedString()
        let set = try tool.run("secrets", "set", "--workspace", "vision", "key", input: Array((value + "\n").utf8))
        #expect(set.code == 0)
        let after = try tool.run("rules", "apply", path)
        #expect(after.error.isEmpty)
        let listed = try tool.run("secrets", "list", "--workspace", "vision", "-o", "json")
        #expect(listed.out.contains("\"name\":\"key\""))
        #expect(![set, after, listed].contains { ($0.out + $0.error).contains(value) })
        #expect(try tool.run("secrets", "rm", "--workspace", "vision", "key").code == 0)
        #expect(try tool.run("secrets", "rm", "--workspace", "vision", "key").code == 1)
        #expect(try tool.run("secrets", "set", "--workspace", "vision", "key").code == 2)
    }
}
