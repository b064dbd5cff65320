import CarillonEvents
import CarillonRules
import Testing

/// The workspace of some rules.
private func workspace(_ lines: [String]) throws -> WorkspaceRules {
    let head = "version: 1\nworkspace: vision\nendpoints: {hook: {webhook: \"https://x.example\"}}\nrules:\n"
    let text = head + lines.map { "  - {\($0), events: [job.failed], notify: [hook]}\n" }.joined()
    let loaded = RuleDocuments.load([("f.yaml", text)])
    #expect(loaded.problems.isEmpty, "\(loaded.problems)")
    return try #require(loaded.workspaces.first)
}

/// What is wrong with a rule whose lines follow `notify`, each as LINE:COLUMN: message.
private func problems(_ lines: String) -> [String] {
    let head = "version: 1\nworkspace: vision\nendpoints: {hook: {webhook: \"https://x.example\"}}\nrules:\n"
    let text = head + "  - name: r\n    events: [job.failed]\n    notify: [hook]\n" + lines
    return RuleDocuments.load([("f.yaml", text)]).problems.map { String($0.description.dropFirst("f.yaml:".count)) }
}

@Suite("Rules: conditions select, and failures are told", .timeLimit(.minutes(5)))
struct RuleTextTests {
    private let sample = event(data: #"{"name":"resnet","reason":"OOM","attempt":2}"#)

    private func select(_ rules: WorkspaceRules, _ event: [UInt8]) throws -> (
        names: [String], failures: [ConditionFailure]
    ) {
        let outline = try CloudEvents.outline(event.span)
        var hits: [Int] = []
        rules.match(event.span, outline, into: &hits)
        let failures = rules.judge(event.span, outline, &hits)
        return (hits.map { rules.rules[$0].name }, failures)
    }

    @Test("a rule is selected when its pattern fits and its condition is true")
    func conditions() throws {
        let rules = try workspace([
            "name: all", "name: true, condition: data.attempt > 1", "name: false, condition: data.attempt > 2",
            "name: tagged, condition: \"{{ data.reason == 'OOM' }}\"",
            "name: pattern, pattern: {data: {name: [other]}}, condition: true",
            "name: both, pattern: {data: {name: [resnet]}}, condition: data.attempt == 2",
        ])
        let (names, failures) = try select(rules, sample)
        #expect(names == ["all", "true", "tagged", "both"])
        #expect(failures.isEmpty)
    }

    @Test("a condition that fails sends or skips as on_error says, and is told")
    func onError() throws {
        let rules = try workspace([
            "name: standard, condition: data.none > 1", "name: send, on_error: send, condition: data.none.x",
            "name: skip, on_error: skip, condition: data.none > 1",
            "name: fine, on_error: skip, condition: data.attempt > 1",
        ])
        let (names, failures) = try select(rules, sample)
        #expect(names == ["standard", "send", "fine"])
        #expect(failures.map(\.rule) == [0, 1, 2] && failures.map(\.onError) == [.send, .send, .skip])
        let message = rules.rules[0].message(for: sample.span, try CloudEvents.outline(sample.span))
        #expect(message.hasPrefix("dlc-7 job.failed: OOM\n[rule standard: the condition failed: line 1, column "))
    }

    @Test("earlier hits are left alone")
    func laterHits() throws {
        let rules = try workspace(["name: a, condition: false", "name: b, condition: data.attempt == 2"])
        let outline = try CloudEvents.outline(sample.span)
        var hits = [0, 0, 1]
        _ = rules.judge(sample.span, outline, &hits, from: 1)
        #expect(hits == [0, 1])
    }

    @Test("without texts of its own a rule says name or subject, type and the reason if there is one")
    func standard() throws {
        let rules = try workspace(["name: r", "name: s, title: T, message: '{{ id }}'"])
        let bare = event()
        let (full, empty) = (try CloudEvents.outline(sample.span), try CloudEvents.outline(bare.span))
        let texts = [
            rules.rules[0].title(for: sample.span, full), rules.rules[0].title(for: bare.span, empty),
            rules.rules[0].message(for: sample.span, full), rules.rules[0].message(for: bare.span, empty),
            rules.rules[1].title(for: bare.span, empty), rules.rules[1].message(for: bare.span, empty),
        ]
        #expect(
            texts == ["resnet job.failed", "dlc-7 job.failed", "dlc-7 job.failed: OOM", "dlc-7 job.failed", "T", "1"])
    }

    @Test("a text that fails gives way to the standard one, and the failure is told")
    func failingTexts() throws {
        let rules = try workspace(["name: r, title: '{{ 1 / (data.attempt - 2) }}', message: '{{ data.name + 1 }}'"])
        let outline = try CloudEvents.outline(sample.span)
        #expect(rules.rules[0].title(for: sample.span, outline) == "resnet job.failed")
        let lines = rules.rules[0].message(for: sample.span, outline).split(separator: "\n")
        #expect(lines.count == 3 && lines[0] == "dlc-7 job.failed: OOM")
        #expect(lines[1].contains("the title failed: line 1, column 6: division by zero"))
        #expect(lines[2].contains("the message failed: line 1, column 14: '+' is not for a string and a whole number"))
    }

    @Test(
        "what is no condition or template is refused at its place in the file",
        arguments: [
            ("    condition: data.a >\n", ["8:24: the condition: a value is expected, not the end"]),
            ("    condition: data.a | nope\n", ["8:25: the condition: there is no filter 'nope'"]),
            ("    condition: \"{{ data.a\"\n", ["8:17: the condition: '{{' is never closed by '}}'"]),
            ("    condition: [a]\n", ["8:16: the condition is text, not a list"]),
            ("    condition:\n", ["8:15: the condition is text, not nothing"]),
            (
                "    condition: |\n      data.a\n      and ==\n",
                ["10:11: the condition: a value is expected, not '=='"]
            ),
            ("    on_error: maybe\n", ["8:15: 'on_error' is one of send, skip, not 'maybe'"]),
            ("    title: \"{{ a | uper }}\"\n", ["8:20: the title: there is no filter 'uper'; did you mean 'upper'?"]),
            (
                "    message: \"{% if a %}\"\n",
                ["8:18: the message: '{% if %}' is never closed by '{% elif %}' or '{% else %}' or '{% endif %}'"]
            ),
        ])
    func refused(lines: String, expected: [String]) { #expect(problems(lines) == expected) }
}
