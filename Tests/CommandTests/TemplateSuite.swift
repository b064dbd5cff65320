import Testing

@Suite("Templates on the command line: tried on any objects, sent nowhere", .timeLimit(.minutes(5)))
struct TemplateSuite {
    private let tool: Tool

    init() throws { tool = try Tool() }

    private func render(_ template: String, _ input: String, _ more: String...) throws -> Tool.Result {
        try tool.run(["template", "render", "--template", template] + more, input: Array(input.utf8))
    }

    @Test("each object gives its text as a JSON string; a missing field is empty")
    func strings() throws {
        let result = try render(
            "{{ a }}-{{ b.c | upper }}-{{ none_such }}", "{\"a\":1,\"b\":{\"c\":\"x\\n\"}}\n\n{\"a\":null,\"b\":{}}\n")
        #expect(result.code == 0 && result.error.isEmpty)
        #expect(result.lines == [#""1-X\n-""#, #""None--""#])
    }

    @Test("what fails is an error in its line, and exit code 3; the others are rendered")
    func failures() throws {
        let result = try render("{{ 1 / a }}", "{\"a\":2}\n{\"a\":0}\n{\"b\":1}\nnot json\n[1]\n{\"a\":1}")
        #expect(result.code == 3)
        #expect(result.lines.count == 6 && result.lines[0] == #""0.5""# && result.lines[5] == #""1.0""#)
        #expect(result.lines[1] == #"{"error":"line 1, column 6: division by zero"}"#)
        #expect(result.lines[1...4].allSatisfy { $0.hasPrefix(#"{"error":""#) })
    }

    @Test("a template that cannot be read is an error for each object, and exit code 3")
    func unreadable() throws {
        let result = try render("{{ a", "{}\n{}\n")
        #expect(result.code == 3 && result.lines.count == 2)
        #expect(result.lines[0].contains("line 1, column 1: '{{' is never closed by '}}'"))
        let silent = try render("{{ a", "")
        #expect(silent.code == 3 && silent.lines.isEmpty && silent.errors.count == 1)
    }

    @Test("a template may stand in a file, and texts may be escaped for HTML")
    func files() throws {
        let template = try tool.file("t.txt", Array("<b>{{ a }}</b>\n".utf8))
        let events = try tool.file("e.jsonl", Array(#"{"a":"<i>"}"#.utf8))
        let result = try tool.run("template", "render", "--template", "@" + template, "--html", events)
        #expect(result.code == 0 && result.lines == [#""<b>&lt;i&gt;</b>""#])
        let absent = try tool.run("template", "render", "--template", "@/nowhere", events)
        #expect(absent.code == 2 && absent.errors.count == 1)
    }

    @Test("rules test honours conditions")
    func conditions() throws {
        let rules = try tool.file(
            "c.yaml",
            Array(
                """
                version: 1
                workspace: vision
                endpoints: {hook: {webhook: "https://ops.example.com/alerts"}}
                rules:
                  - {name: yes, events: [job.failed], condition: data.exitCode == 137, notify: [hook]}
                  - {name: no, events: [job.failed], condition: data.exitCode != 137, notify: [hook]}
                  - {name: fails, events: [job.failed], condition: data.none > 1, notify: [hook]}
                  - {name: skips, events: [job.failed], condition: data.none > 1, on_error: skip, notify: [hook]}

                """.utf8))
        let event =
            #"{"specversion":"1.0","id":"1","source":"/s","type":"job.failed","workspace":"vision","data":{"exitCode":137}}"#
        let result = try tool.run("rules", "test", "--rules", rules, input: Array(event.utf8))
        #expect(result.code == 0 && result.error.isEmpty)
        #expect(result.lines == [#"{"id":"1","matched":["yes","fails"]}"#])
    }
}
