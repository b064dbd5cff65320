import CarillonEvents
import CarillonRules
import Testing

/// Workspaces of documents that have to be right.
func workspaces(_ text: String, limits: RuleLimits = RuleLimits()) throws -> [WorkspaceRules] {
    let (workspaces, problems) = RuleDocuments.load([("f.yaml", text)], limits: limits)
    let areFine = problems.allSatisfy(\.isWarning)
    try #require(areFine, "\(problems)")
    return workspaces
}

/// The rules of one workspace, each in flow style.
func rules(_ lines: [String]) throws -> WorkspaceRules {
    let head = "version: 1\nworkspace: vision\nendpoints: {hook: {webhook: \"https://x.example\"}}\nrules:\n"
    let all = try workspaces(head + lines.map { "  - {\($0), notify: [hook]}\n" }.joined())
    return try #require(all.first)
}

/// An event; `more` are raw members before `data`.
func event(type: String = "job.failed", more: String = "", data: String = "{}") -> [UInt8] {
    let head = #"{"specversion":"1.0","id":"1","source":"/s","type":"\#(type)","workspace":"vision","subject":"dlc-7","#
    return Array((head + more + "\"data\":\(data)}").utf8)
}

extension WorkspaceRules {
    /// Whether the type is wanted, for expectations, which cannot hold a span.
    func wants(_ type: String) -> Bool { interest(inType: type.utf8.span) != nil }

    /// The names of the rules that select an event.
    func names(_ event: [UInt8]) throws -> [String] {
        var hits: [Int] = []
        match(event.span, try CloudEvents.outline(event.span), into: &hits)
        return hits.map { rules[$0].name }
    }
}

@Suite("Matching: a rule selects what its events, scope and pattern say", .timeLimit(.minutes(5)))
struct MatchTests {
    @Test("a rule selects by type, alias and segments")
    func types() throws {
        let compiled = try rules([
            "name: exact, events: [job.failed]", "name: alias, events: [job.finished]",
            "name: all, events: ['job.*']", "name: ends, events: ['*.failed', job.failed]",
            "name: off, events: [job.failed], enabled: false", "name: three, events: ['job.*.x']",
        ])
        #expect(try compiled.names(event()) == ["exact", "alias", "all", "ends"])
        #expect(try compiled.names(event(type: "job.succeeded")) == ["alias", "all"])
        #expect(try compiled.names(event(type: "pipeline.failed")) == ["ends"])
        #expect(try compiled.names(event(type: "job.a.x")) == ["three"])
        #expect(try compiled.names(event(type: "job")) == [])
        #expect(try compiled.names(event(type: #"job\u002efailed"#)) == ["exact", "alias", "all", "ends"])
    }

    @Test("a workspace wants the types its enabled rules select, and no others")
    func wanted() throws {
        let compiled = try rules(["name: a, events: ['job.*', a]", "name: b, events: [b], enabled: false"])
        for (type, isWanted) in [
            ("job.x", true), ("a", true), ("b", false), ("job", false), ("job.x.y", false), ("", false),
        ] {
            #expect(compiled.wants(type) == isWanted, "\(type)")
        }
    }

    @Test("a long hostile type costs no more than it is long")
    func longTypes() throws {
        let compiled = try rules(["name: a, events: ['job.*', '*.*.x', 'a.b.c.d.*']"])
        let dots = String(repeating: ".", count: 200_000)
        #expect(!compiled.wants(dots))
        #expect(!compiled.wants("job" + dots))
        #expect(compiled.wants("job." + String(repeating: "x", count: 200_000)))
    }

    @Test("a scope asks for the pipeline, owner or model")
    func scopes() throws {
        let compiled = try rules([
            "name: nightly, events: ['pipeline.*'], scope: {pipeline: nightly}",
            "name: alice, events: [job.failed, pipeline.failed], scope: {owner: alice}, pattern: {data: {final: [true]}}",
            "name: model, events: [model.changed], scope: {model: dlc-7}",
        ])
        #expect(try compiled.names(event(type: "pipeline.failed", data: #"{"pipeline":"nightly"}"#)) == ["nightly"])
        #expect(try compiled.names(event(data: #"{"owner":"alice","final":true}"#)) == ["alice"])
        #expect(try compiled.names(event(data: #"{"owner":"alice","final":false}"#)) == [])
        #expect(try compiled.names(event(type: "model.approved", data: #"{"model":"m-1"}"#)) == ["model"], "by subject")
        #expect(try compiled.names(event(type: "pipeline.failed", data: #""nightly""#)) == [])
    }

    static let values: [(pattern: String, value: String, fits: Bool)] = [
        ("a", #""a""#, true), ("a", #""A""#, false), ("a", #""\u0061""#, true), ("NO", #""NO""#, true),
        ("NO", "false", false), ("22:00", #""22:00""#, true), ("'1'", #""1""#, true), ("'1'", "1", false),
        ("1", "1", true), ("1", "1.0", true), ("1", "10e-1", true), ("1.0", "1", true), ("1", #""1""#, false),
        ("300", "3.0e2", true), ("300", "3.0E+2", true), ("3e2", "300", true), ("300", "300.0000001", false),
        ("0", "-0", true), ("0", "0.000", true), ("0", "0e99999999999999999999", true), ("-1", "-1", true),
        ("-1", "1", false), ("0.1", "0.1", true), ("0.1", "0.1000000000000000055511151231257827", false),
        ("9007199254740993", "9007199254740993", true), ("9007199254740993", "9007199254740992", false),
        ("9007199254740993", "9007199254740993.0", false), ("1", "1e99999999999999999999", false),
        ("1e400", "1e400", true), ("1e400", "10e399", false), ("1e400", "1e401", false), ("0x1F", "31", true),
        ("0o17", "15", true), ("+5", "5", true), (".5", "0.5", true), ("5.", "5", true), ("017", "17", true),
        ("true", "true", true), ("true", "false", false), ("'true'", "true", false), ("yes", #""yes""#, true),
        ("false", "false", true), ("~", "null", true), ("null", "null", true), ("~", "0", false), ("''", #""""#, true),
        ("a", #"["b","a"]"#, true), ("a", #"["b",["c",["a"]]]"#, true), ("a", "[]", false), ("a", #"{"a":"a"}"#, false),
        ("1", "[2,1.0]", true), ("ü", #""\u00fc""#, true), ("😀", #""\ud83d\ude00""#, true), ("a", "null", false),
    ]

    @Test("a value fits when it is exactly the same", arguments: values)
    func exactValues(pattern: String, value: String, fits: Bool) throws {
        let compiled = try rules(["name: r, events: [job.failed], pattern: {data: {x: [zzz, \(pattern)]}}"])
        #expect(try compiled.names(event(data: "{\"w\":1,\"x\":\(value)}")) == (fits ? ["r"] : []))
    }

    @Test("all keys of a mapping have to fit one and the same element of a list")
    func oneElement() throws {
        let compiled = try rules(["name: r, events: [job.failed], pattern: {data: {steps: {ok: [false], n: [2]}}}"])
        #expect(try compiled.names(event(data: #"{"steps":[{"ok":true,"n":2},{"ok":false,"n":1}]}"#)) == [])
        #expect(try compiled.names(event(data: #"{"steps":[{"ok":true,"n":1},{"ok":false,"n":2}]}"#)) == ["r"])
        #expect(try compiled.names(event(data: #"{"steps":[[{"n":2,"ok":false}],3]}"#)) == ["r"])
        #expect(try compiled.names(event(data: #"{"steps":{"n":2,"ok":false}}"#)) == ["r"])
    }

    @Test("a pattern may name every attribute of the event, and extensions")
    func attributes() throws {
        let compiled = try rules([
            "name: a, events: [job.failed], pattern: {subject: [dlc-7], source: [/s], type: [job.failed], id: ['1']}",
            "name: b, events: [job.failed], pattern: {traceparent: [t], workspace: [vision], specversion: ['1.0']}",
            "name: c, events: [job.failed], pattern: {time: [x]}",
        ])
        #expect(try compiled.names(event()) == ["a"])
        #expect(try compiled.names(event(more: #""traceparent":"t","#)) == ["a", "b"])
    }

    @Test("keys are compared with their escapes undone")
    func escapedKeys() throws {
        let compiled = try rules([#"name: r, events: [job.failed], pattern: {data: {"a\"b\\": {"\u00fc.x": [1]}}}"#])
        #expect(try compiled.names(event(data: #"{"\u0061\"b\\":{"ü.\u0078":1}}"#)) == ["r"])
    }

    @Test("members with one name all count, as if the field had all their values")
    func repeatedMembers() throws {
        let compiled = try rules(["name: r, events: [job.failed], pattern: {data: {a: [1], b: [2]}}"])
        #expect(try compiled.names(event(data: #"{"a":1,"a":3,"b":2}"#)) == ["r"])
        #expect(try compiled.names(event(data: #"{"a":3,"a":1,"b":2}"#)) == ["r"])
        #expect(try compiled.names(event(data: #"{"a":3,"a":4,"b":2}"#)) == [])
    }

    @Test("a scope is asked beside a pattern that names the same field")
    func scopeBesidePattern() throws {
        let compiled = try rules([
            "name: r, events: [job.failed], scope: {owner: alice}, pattern: {data: {owner: [{prefix: al}, bob]}}"
        ])
        #expect(try compiled.names(event(data: #"{"owner":"alice"}"#)) == ["r"])
        #expect(try compiled.names(event(data: #"{"owner":"albert"}"#)) == [])
        #expect(try compiled.names(event(data: #"{"owner":"bob"}"#)) == [])
    }

    @Test("the whole language stands in documents")
    func language() throws {
        let compiled = try rules([
            """
            name: r, events: [job.failed], pattern: {data: {name: [{prefix: train-}, {wildcard: 'a*b'}], n: [{numeric: ['>', 3]}], \
            $or: [{ip: [{cidr: 10.0.0.0/8}]}, {state: [{anything-but: {suffix: [ed, ing]}}]}], gone: [{exists: false}]}}
            """
        ])
        #expect(try compiled.names(event(data: #"{"name":"train-1","n":4,"ip":"10.1.2.3"}"#)) == ["r"])
        #expect(try compiled.names(event(data: #"{"name":"axb","n":4,"state":"new"}"#)) == ["r"])
        #expect(try compiled.names(event(data: #"{"name":"axb","n":4,"state":"running"}"#)) == [])
        #expect(try compiled.names(event(data: #"{"name":"train-1","n":3,"ip":"10.1.2.3"}"#)) == [])
        #expect(try compiled.names(event(data: #"{"name":"train-1","n":4,"ip":"10.1.2.3","gone":1}"#)) == [])
    }

    @Test("one scratch serves workspaces of any size in turn")
    func sharedScratch() throws {
        let small = try rules(["name: s, events: [job.failed], pattern: {data: {a: [1]}}"])
        let large = try rules(
            (0..<50).map { "name: l\($0), events: [job.failed], pattern: {data: {a: [1], k\($0): [2]}}" })
        let text = event(data: #"{"a":1,"k7":2,"k9":3}"#)
        let outline = try CloudEvents.outline(text.span)
        var scratch = MatchScratch()
        var hits: [Int] = []
        for compiled in [small, large, small, large] {
            compiled.match(text.span, outline, into: &hits, using: &scratch)
        }
        #expect(hits == [0, 7, 0, 7])
    }

    @Test("a workspace with too many types to merge selects the same")
    func manyTypes() throws {
        let exact = (0..<300).map { "name: e\($0), events: [job.t\($0)]" }
        let compiled = try rules(
            exact + (0..<100).map { "name: p\($0), events: ['job.*'], pattern: {data: {n: [\($0)]}}" })
        for type in [0, 1, 199, 200, 201, 299] {
            #expect(try compiled.names(event(type: "job.t\(type)", data: #"{"n":7}"#)) == ["e\(type)", "p7"])
        }
    }

    @Test("a book finds a workspace by its bytes")
    func book() throws {
        let all = try workspaces((0..<100).map { "---\nversion: 1\nworkspace: w\($0)\n" }.joined())
        let book = RuleBook(revision: 7, workspaces: all)
        #expect(book.workspaces.count == 100 && book.revision == 7)
        #expect(book.rules(of: "w42")?.workspace == "w42")
        let found = book.rules(of: "w99".utf8.span)
        #expect(found?.workspace == "w99")
        #expect(book.rules(of: "w100") == nil && book.rules(of: "") == nil)
    }
}
