import CarillonRules
import Testing

/// What is written, and every problem that is told: `LINE:COLUMN: message`.
struct DocumentCase: Sendable, CustomTestStringConvertible {
    let title, text: String
    let problems: [String]
    init(_ title: String, _ text: String, _ problems: [String]) {
        (self.title, self.text, self.problems) = (title, text, problems)
    }
    var testDescription: String { title }
}

/// A document around what a case is about.
func document(
    endpoint: String = #"{kind: webhook, url: "https://ops.example.com/alerts"}"#, events: String = "[job.failed]",
    notify: String = "[hook]", more: String = ""
) -> String {
    """
    version: 1
    workspace: vision
    endpoints:
      hook: \(endpoint)
    rules:
      - name: failures
        events: \(events)
        notify: \(notify)
        \(more)

    """
}

/// Every problem of a file, without its name.
func problems(_ text: String) -> [String] {
    RuleDocuments.load([("f.yaml", text)]).problems.map { String($0.description.dropFirst("f.yaml:".count)) }
}

@Suite("Documents: every problem is told with its line and column", .timeLimit(.minutes(5)))
struct DocumentTests {
    @Test("what a rule says is checked", arguments: DocumentCase.rules)
    func rules(fact: DocumentCase) { #expect(problems(document(more: fact.text)) == fact.problems) }

    @Test("what a rule writes is checked", arguments: DocumentCase.texts)
    func texts(fact: DocumentCase) { #expect(problems(document(more: fact.text)) == fact.problems) }

    @Test("what a rule's dedup window says is checked", arguments: DocumentCase.windows)
    func windows(fact: DocumentCase) { #expect(problems(document(more: fact.text)) == fact.problems) }

    @Test("whom a rule notifies is checked", arguments: DocumentCase.targets)
    func targets(fact: DocumentCase) { #expect(problems(document(notify: fact.text)) == fact.problems) }

    @Test("what a rule selects is checked", arguments: DocumentCase.types)
    func types(fact: DocumentCase) { #expect(problems(document(events: fact.text)) == fact.problems) }

    @Test("what an endpoint says is checked", arguments: DocumentCase.endpoints)
    func endpoints(fact: DocumentCase) { #expect(problems(document(endpoint: fact.text)) == fact.problems) }

    @Test("what an endpoint says of its connections is checked", arguments: DocumentCase.wires)
    func wires(fact: DocumentCase) { #expect(problems(document(endpoint: fact.text)) == fact.problems) }

    @Test("what a file says is checked", arguments: DocumentCase.files)
    func files(fact: DocumentCase) { #expect(problems(fact.text) == fact.problems) }

    @Test("a tenant writes no rules for every workspace")
    func tenant() {
        let files = [(file: "f", text: "version: 1\nworkspace: '*'\nrules: []\n")]
        let loaded = RuleDocuments.load(files, by: .tenant)
        #expect(loaded.workspaces.isEmpty)
        #expect(
            loaded.problems.map(\.description) == [
                "f:2:12: rules for every workspace ('*') are the operator's to apply"
            ])
        #expect(RuleDocuments.load(files).workspaces.map(\.workspace) == ["*"])
    }
}
