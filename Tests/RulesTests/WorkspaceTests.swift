import CarillonEvents
import CarillonRules
import Testing

private let full = """
    version: 1
    workspace: ranking
    endpoints:
      hook:
        kind: webhook
        url: "https://ops.example.com/alerts?key=abc"
        secret: {secret: hook-key}
        headers: {Authorization: {secret: ci}, X-Team: ranking}
        method: PUT
        verify_ssl: false
      room: {webhook: "https://chat.example.com/s3cret"}
    rules:
      - name: nightly-lost
        id: n1
        events: [pipeline.failed, 'pipeline.*']
        scope: {pipeline: nightly}
        pattern: {data: {final: [true]}}
        severity: critical
        notify: [hook, room, hook]
        title: "{{ data.name }} failed"
        order: none
        expire_after: 6h
      - {name: plain, events: [job.failed], notify: [room], enabled: false}
    """

private let changed = """
    version: 1
    workspace: ranking
    endpoints:
      hook:
        kind: webhook
        url: "https://ops.example.com/alerts?key=def"
        secret: [{secret: new-key}, {secret: hook-key}]
        headers: {Authorization: {secret: ci2}, X-Other: a}
      hall: {webhook: "https://chat.example.com/other"}
    rules:
      - {name: nightly, id: n1, events: [pipeline.failed, a], notify: [hook, hall], message: "{{ id }}"}
      - {name: new, events: [job.failed], notify: [hall]}
    """

@Suite("Workspaces: documents become rules and endpoints", .timeLimit(.minutes(5)))
struct WorkspaceTests {
    @Test("every word of a document reaches the rule or the endpoint")
    func words() throws {
        let all = try workspaces(full)
        let ranking = try #require(all.first)
        let hook = try #require(ranking.endpoints["hook"])
        #expect(hook.kind == "webhook" && hook.method == "PUT" && !hook.verifySSL && hook.line == 4)
        #expect(hook.url == .text("https://ops.example.com/alerts?key=abc") && hook.secrets == [.secret("hook-key")])
        #expect(hook.headers.map(\.name) == ["Authorization", "X-Team"])
        #expect(hook.headers.map(\.value) == [.secret("ci"), .text("ranking")])
        #expect(ranking.secretNames == ["hook-key", "ci"])
        let rule = ranking.rules[0]
        #expect(rule.name == "nightly-lost" && rule.identity == "n1" && rule.enabled && rule.line == 13)
        #expect(rule.events.map(\.text) == ["pipeline.failed", "pipeline.*"] && rule.scope == .pipeline("nightly"))
        #expect(rule.severity == .critical && rule.targets == ["hook", "room"] && rule.units == 2)
        #expect(rule.title?.source == "{{ data.name }} failed" && rule.message == nil)
        #expect(rule.order == .none && rule.expireAfter == .seconds(6 * 3600))
        let plain = ranking.rules[1]
        #expect(plain.identity == "plain" && !plain.enabled && plain.severity == .warning && plain.order == .subject)
        #expect(plain.expireAfter == .seconds(24 * 3600) && plain.title == nil)
        #expect(plain.expireAfter(on: .sms) == .seconds(2 * 3600) && plain.expireAfter(on: .mail) == plain.expireAfter)
        #expect(rule.expireAfter(on: .sms) == rule.expireAfter && rule.statedExpiry == rule.expireAfter)
    }

    @Test("files of one workspace are merged, whatever their order")
    func merged() {
        let endpoints = "version: 1\nworkspace: w\nendpoints: {h: {webhook: \"https://x.example\"}}\n"
        func rule(_ name: String) -> String {
            "version: 1\nworkspace: w\nrules: [{name: \(name), events: [a], notify: [h]}]\n"
        }
        let good = RuleDocuments.load([("1", rule("a")), ("2", endpoints), ("3", rule("b"))])
        #expect(good.problems == [] && good.workspaces.count == 1)
        #expect(good.workspaces.first?.rules.map(\.file) == ["1", "3"])
        let twice = RuleDocuments.load([("1", rule("a")), ("2", endpoints), ("3", rule("a")), ("4", endpoints)])
        #expect(twice.workspaces.isEmpty)
        #expect(
            twice.problems.map(\.description) == [
                "3:3:10: rule 'a' stands already at 1:3", "4:3:13: endpoint 'h' stands already at 2:3",
            ])
    }

    @Test("a workspace with an error is left out, the others are not")
    func apart() {
        let found = RuleDocuments.load([
            ("1", "version: 1\nworkspace: a\nrule: []\n"), ("2", "version: 1\nworkspace: b\n"),
        ])
        #expect(found.workspaces.map(\.workspace) == ["b"] && found.problems.count == 1)
    }

    @Test("a rule has at most the targets its workspace allows")
    func targetUnits() {
        let names = (0..<6).map { "e\($0)" }
        let text =
            "version: 1\nworkspace: w\nendpoints:\n"
            + names.map { "  \($0): {webhook: \"https://x.example\"}\n" }.joined()
            + "rules:\n  - {name: x, events: [a], notify: [\(names.joined(separator: ", ")), e0]}\n"
        func problems(_ limits: RuleLimits) -> [String] {
            RuleDocuments.load([("f", text)], limits: limits).problems.filter { !$0.isWarning }.map(\.description)
        }
        let refused = ["f:11:6: rule 'x' has 6 targets, the limit is 5"]
        #expect(problems(RuleLimits()) == refused)
        #expect(problems(RuleLimits(targetsPerRule: 6)) == [])
        #expect(problems(RuleLimits(perWorkspace: ["w": 20])) == [])
        #expect(problems(RuleLimits(targetsPerRule: 20, perWorkspace: ["w": 5])) == refused)
        #expect(problems(RuleLimits(targetsPerRule: 0)).first?.hasSuffix("the limit is 1") == true)
        #expect(RuleLimits(targetsPerRule: 1000).targets(in: "w") == 100)
    }

    @Test("a secret is never shown")
    func masked() {
        let text = SecretOrText.text("whsec_secret")
        #expect(!"\(text) \(String(reflecting: text)) \([text])".contains("whsec"))
        var dumped = ""
        dump(text, to: &dumped)
        #expect(!dumped.contains("whsec"))
        #expect("\(SecretOrText.secret("name"))" == "{secret: name}")
    }
}

@Suite("Difference: apply says what changes and no secret", .timeLimit(.minutes(5)))
struct DifferenceTests {
    @Test("two revisions differ as told")
    func golden() throws {
        let (old, new) = (try workspaces(full), try workspaces(changed))
        #expect(
            RuleDifference.between(old: old.first, new: new.first) == [
                "+ endpoint hall",
                "~ endpoint hook: url changed; secret [{secret: hook-key}] → [{secret: new-key}, {secret: hook-key}]; "
                    + "headers ~Authorization +X-Other -X-Team; method PUT → POST; verify_ssl false → true",
                "- endpoint room",
                "~ rule nightly: name nightly-lost → nightly; events +a -pipeline.*; scope {pipeline: nightly} → none; "
                    + "pattern changed; severity critical → warning; notify +hall -room; title changed; message changed; "
                    + "order none → subject; expire_after 6h → default",
                "+ rule new",
                "- rule plain",
            ])
        #expect(RuleDifference.between(old: old.first, new: old.first) == [])
        #expect(
            RuleDifference.between(old: nil, new: old.first) == [
                "+ endpoint hook", "+ endpoint room", "+ rule nightly-lost", "+ rule plain",
            ])
        #expect(
            RuleDifference.between(old: old.first, new: nil) == [
                "- endpoint hook", "- endpoint room", "- rule nightly-lost", "- rule plain",
            ])
    }

    @Test("of an address only scheme and host are told, of literal secrets nothing")
    func secrets() throws {
        func hook(_ url: String, _ secret: String) throws -> WorkspaceRules? {
            try workspaces("version: 1\nworkspace: w\nendpoints: {h: {webhook: \(url), secret: \(secret)}}\n").first
        }
        let old = try hook("\"https://a.example/path1?query1#f1\"", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        let new = try hook("\"https://b.example:8443/path2?query2\"", "whsec_AfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        #expect(
            RuleDifference.between(old: old, new: new) == [
                "~ endpoint h: url https://a.example → https://b.example:8443; secret changed"
            ])
    }
}

@Suite("Books: the rules of all workspaces", .timeLimit(.minutes(5)))
struct BookTests {
    private func book(_ names: [String], _ revision: Int64 = 1) throws -> RuleBook {
        RuleBook(revision: revision, workspaces: try names.map { try rules(workspace: $0) })
    }

    private func rules(workspace: String) throws -> WorkspaceRules {
        let text = """
            version: 1
            workspace: \(workspace)
            endpoints: {e: {webhook: "https://example.com"}}
            rules: [{name: r, events: [job.failed], notify: [e]}]
            """
        return try #require(RuleDocuments.load([("f", text)]).workspaces.first)
    }

    @Test("a later book shares what did not change")
    func replacing() throws {
        let old = try book(["a", "b", "c"])
        let (b, d) = (try rules(workspace: "b"), try rules(workspace: "d"))
        let new = old.replacing(["b": b, "d": d], revision: 2)
        #expect(new.revision == 2 && old.revision == 1)
        #expect(new.rules(of: "a") === old.rules(of: "a") && new.rules(of: "b") === b && new.rules(of: "d") === d)
        #expect(old.rules(of: "b") !== b && old.rules(of: "d") == nil)
    }

    @Test("a workspace without documents is gone from the later book, the others are not")
    func removing() throws {
        let old = try book(["a", "b", "c"])
        let new = old.replacing(["b": nil, "x": nil], revision: 2)
        #expect(new.rules(of: "b") == nil && new.workspaces.map(\.workspace) == ["a", "c"])
        #expect(new.rules(of: "c") === old.rules(of: "c"))
    }

    @Test("an event wants rules of its own workspace")
    func wants() throws {
        let book = try book(["a"])
        func wants(_ workspace: String, _ type: String) -> Bool {
            book.wants(workspace: workspace.utf8.span, type: type.utf8.span)
        }
        #expect(wants("a", "job.failed") && !wants("a", "job.queued") && !wants("*", "job.failed"))
        #expect(book.everywhere == nil)
    }
}
