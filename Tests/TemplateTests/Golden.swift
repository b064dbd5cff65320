import CarillonEvents
import CarillonRules
import FoundationEssentials
import Testing

/// A template and what Jinja makes of it.
struct RenderCase: Sendable, CustomTestStringConvertible {
    let what, template: String
    let variables: [UInt8]
    /// The text; `nil` where Jinja fails.
    let text: String?
    let escapes: Bool

    var testDescription: String { "\(what): \(template)" }

    /// Reads a line such as `{"t": template, "c": variables, "o": text}`; `standard` stands for absent variables.
    init?(_ line: some Collection<UInt8>, standard: [UInt8] = []) {
        let bytes = Array(line)
        func member(_ name: String) -> Slice? { JSON.member(name, of: Slice(0, bytes.count), in: bytes.span) }
        func string(_ name: String) -> String? { member(name).flatMap { JSON.string($0, in: bytes.span) } }
        guard let template = string("t") else { return nil }
        (self.template, what) = (template, string("what") ?? "generated")
        variables = member("c").map { Array(bytes[$0.range]) } ?? standard
        (text, escapes) = (string("o"), member("a") != nil)
    }

    /// What this engine makes of it, when that is something else.
    var difference: String? {
        let got = Result { () throws(TemplateError) in
            try Template(template, for: .trial(escaping: escapes)).render(object: variables.span)
        }
        switch (got, text) {
        case (.failure, nil): return nil
        case (.success(let ours), let theirs?) where ours.utf8.elementsEqual(theirs.utf8): return nil
        case (.success(let ours), let theirs):
            return "\(ours.debugDescription), Jinja \(theirs?.debugDescription ?? "fails")"
        case (.failure(let error), let theirs): return "fails (\(error)), Jinja \(theirs?.debugDescription ?? "fails")"
        }
    }
}

@Suite("Templates: every operator, filter, test and statement does what Jinja's does", .timeLimit(.minutes(5)))
struct GoldenTests {
    static let cases: [RenderCase] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/golden.jsonl")
        let lines = ((try? Data(contentsOf: file)) ?? Data()).split(separator: UInt8(ascii: "\n"))
        guard let variables = lines.first.map({ Array($0) }) else { return [] }
        return lines.dropFirst().compactMap { RenderCase($0, standard: variables) }
    }()

    @Test("the golden cases are there, one for each filter and test at least")
    func complete() { #expect(Self.cases.count > 400) }

    @Test("a template renders as Jinja renders it, or fails where Jinja fails", arguments: cases)
    func golden(fact: RenderCase) { #expect(fact.difference == nil) }
}
