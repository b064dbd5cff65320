import ArgumentParser
import CarillonEvents
import CarillonRules

extension Rules {
    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "test",
            abstract: "Says which rules select which events; sends nothing.",
            discussion: """
                One JSON line an event: {"id":…,"matched":["rule",…]}. Bad lines are reported as FILE:LINE: why, exit \
                code 3.

                  carillon rules test --rules rules/ events.jsonl
                  carillon rules test --rules vision.yaml - < events.jsonl
                """)
        @Option(help: "A file or folder of rule documents; may be given again.", completion: .file()) var rules:
            [String]
        @Argument(help: "Files of events, one JSON object a line; - is standard input.", completion: .file())
        var events: [String] = ["-"]
        @OptionGroup var deployment: Deployment

        func run() throws {
            let limits = try deployment.configuration().ruleLimits
            let book = RuleBook(revision: 0, workspaces: try Rules.load(rules, limits: limits).workspaces)
            var lines = EventLines()
            var tester = RuleTester(book: book)
            for file in events {
                try lines.read(file, longest: CloudEvents.maxBytes) { (text, _) throws(EventError) in
                    try tester.test(text)
                }
            }
            if lines.bad > 0 { throw Failure.problemsFound }
        }
    }
}

/// Matches events against rules, for `rules test`.
private struct RuleTester {
    let book: RuleBook
    private var scratch = MatchScratch()
    private var hits: [Int] = []
    private var answer: [UInt8] = []

    init(book: RuleBook) { self.book = book }

    mutating func test(_ text: Span<UInt8>) throws(EventError) {
        let outline = try CloudEvents.outline(text)
        write(Self.id)
        quote(outline.id, in: text)
        write(Self.matched)
        var isFirst = true
        if let rules = rules(of: outline.workspace, in: text) { match(text, outline, rules, &isFirst) }
        if let everywhere = book.everywhere { match(text, outline, everywhere, &isFirst) }
        write(Self.end)
        Console.out(&answer)
    }

    private mutating func match(
        _ text: Span<UInt8>, _ outline: EventOutline, _ rules: WorkspaceRules, _ isFirst: inout Bool
    ) {
        hits.removeAll(keepingCapacity: true)
        rules.match(text, outline, into: &hits, using: &scratch)
        _ = rules.judge(text, outline, &hits)
        for hit in hits {
            if !isFirst { answer.append(UInt8(ascii: ",")) }
            isFirst = false
            let name = rules.rules[hit].name
            JSON.append(quoted: rules === book.everywhere ? "*/\(name)" : name, to: &answer)
        }
    }

    private static let id: StaticString = "{\"id\":"
    private static let matched: StaticString = ",\"matched\":["
    private static let end: StaticString = "]}\n"

    private mutating func write(_ words: StaticString) {
        // A static string's bytes live as long as the process.
        unsafe answer.append(contentsOf: UnsafeBufferPointer(start: words.utf8Start, count: words.utf8CodeUnitCount))
    }

    private func rules(of workspace: Slice, in text: Span<UInt8>) -> WorkspaceRules? {
        if let plain = JSON.plain(workspace, in: text) { return book.rules(of: text.extracting(plain.range)) }
        return JSON.string(workspace, in: text).flatMap { book.rules(of: $0.utf8.span) }
    }

    private mutating func quote(_ string: Slice, in text: Span<UInt8>) {
        if let plain = JSON.plain(string, in: text) {
            JSON.append(quoted: text.extracting(plain.range), to: &answer)
        } else {
            JSON.append(quoted: JSON.string(string, in: text) ?? "", to: &answer)
        }
    }
}
