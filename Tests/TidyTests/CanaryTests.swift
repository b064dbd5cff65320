import Testing

/// A rule that cannot be broken proves nothing: each one gets a text that breaks it, and one that almost does.
@Suite("Canaries: each house rule can be broken")
struct CanaryTests {
    struct Canary: Sendable, CustomTestStringConvertible {
        let rule: SwiftRule
        let path: String
        let text: String
        let line: Int?
        var testDescription: String { "\(rule.name): \(text.prefix(40))" }

        /// `line` is where the violation has to be found; `nil` when there is none.
        init(_ rule: SwiftRule, _ text: String, line: Int?, path: String = "Sources/Worker/A.swift") {
            (self.rule, self.text, self.line, self.path) = (rule, text, line, path)
        }
    }

    private static let fixMe = "FIX" + "ME"
    static let canaries = [
        Canary(.bannedWords, "let a = 1\nlet b = try! f()", line: 2),
        Canary(.bannedWords, "let now = Date()", line: 1),
        Canary(.bannedWords, "try await Task.sleep(for: .seconds(1))", line: 1),
        Canary(.bannedWords, "print(1)", line: 1),
        Canary(.bannedWords, "_ = \"\\(x)\"; print(1)", line: 1),
        Canary(.bannedWords, "fatalError(\"no\")", line: 1),
        Canary(.bannedWords, "// \(fixMe) later", line: 1),
        Canary(.bannedWords, "let start = ContinuousClock.now", line: 1),
        Canary(.bannedWords, "print(1)", line: nil, path: "Sources/CLI/A.swift"),
        Canary(.bannedWords, "// never print(x), never try! it\nlet text = \"print( and Date()\"", line: nil),
        Canary(.bannedWords, "let long = \"\"\"\n  print(1) \\(f(\"a)\")) try!\n  \"\"\"", line: nil),
        Canary(
            .bannedWords, "let raw = #\"a \"quoted\" print( \\#(x) try!\"#\n/* print( /* nested */ try! */", line: nil),
        Canary(.bannedWords, "fingerprint(1); isUpToDate()", line: nil),
        Canary(.ownTasks, "Task { await f() }", line: 1, path: "Sources/Producer/A.swift"),
        Canary(.ownTasks, "Task.detached { }", line: 1, path: "Sources/Producer/A.swift"),
        Canary(.ownTasks, "subTask { }", line: nil, path: "Sources/Producer/A.swift"),
        Canary(.foundation, "public import Foundation", line: 1, path: "Sources/Shared/A.swift"),
        Canary(.foundation, "import FoundationEssentials", line: nil, path: "Sources/Shared/A.swift"),
        Canary(.reasons, "/// A thing.\nfinal class A: @unchecked Sendable {\n    let a = 1", line: 2),
        Canary(.reasons, "nonisolated(unsafe) let raw: OpaquePointer", line: 1),
        Canary(.reasons, "// The manual: any thread may call it.\nfinal class A: @unchecked Sendable {}", line: nil),
        Canary(.reasons, "final class A: @unchecked Sendable {\n    // Every access holds the lock.", line: nil),
        Canary(.reasons, "nonisolated(unsafe) let raw: OpaquePointer  // is never shared", line: nil),
        Canary(.shortFunctions, "struct A {\n    func long() {\n" + lines(60) + "    }\n}", line: 2),
        Canary(.shortFunctions, "struct A {\n    init(\n        a: Int\n    ) {\n" + lines(58) + "    }\n}", line: 2),
        Canary(.shortFunctions, "func fits() {\n" + lines(58) + "}", line: nil),
        Canary(
            .shortFunctions, "protocol A {\n    func a()\n    init(b: Int)\n}\nstruct B {\n" + lines(70) + "}",
            line: nil),
        Canary(.shortFunctions, "func a() { self.init() }\n" + lines(70), line: nil),
        Canary(.shortFiles, lines(401), line: 401),
        Canary(.shortFiles, lines(400), line: nil),
        Canary(.names, "struct QuotaManager {}", line: 1),
        Canary(.names, "let a = 1", line: 1, path: "Sources/Worker/Utils/A.swift"),
        Canary(.names, "let a = 1", line: 1, path: "Tests/StreamTests/TestHelpers.swift"),
        Canary(.names, "struct Helpful {}\n// class ThingManager", line: nil),
    ]

    private static func lines(_ count: Int) -> String { String(repeating: "    let a = 1\n", count: count) }

    @Test("a rule finds what breaks it, at its line, and nothing else", arguments: canaries)
    func canary(canary: Canary) {
        #expect(canary.rule.concerns(canary.path))
        let found = canary.rule.violations(canary.path, SwiftText(canary.text))
        #expect(found.map(\.line) == (canary.line.map { [$0] } ?? []), "\(found)")
    }

    @Test("every rule has a canary that breaks it")
    func complete() {
        for rule in SwiftRule.all {
            #expect(Self.canaries.contains { $0.rule.name == rule.name && $0.line != nil }, "\(rule.name)")
        }
    }

    @Test(
        "a dead link is found, a living one is not",
        arguments: [
            ("[a](gone.md)", 1), ("x\n[a](../../out.md)", 2), ("[a](there.md#nowhere)", 1), ("[a](#nowhere)", 1),
            ("[a](there.md)", nil), ("[a](/Docs/there.md#its-heading)", nil), ("[a](../Docs)", nil),
            ("# Top\n[a](#top)", nil),
            ("[a](https://example.com/x)", nil), ("`[a](gone.md)`", nil), ("```\n[a](gone.md)\n```", nil),
        ] as [(String, Int?)])
    func links(text: String, line: Int?) {
        let found = Documents.deadLinks(
            in: "Docs/a.md", text, exists: { ["Docs/there.md", "Docs", "Docs/a.md"].contains($0) },
            read: { $0 == "Docs/a.md" ? text : "# Its heading\n" })
        #expect(found.map(\.line) == (line.map { [$0] } ?? []), "\(found)")
    }

    @Test("a doubled or missing number of a decision is found")
    func decisions() {
        #expect(Documents.decisionTroubles(["0001-a.md", "0002-b.md", "refused.md"]) == [])
        #expect(Documents.decisionTroubles(["0001-a.md", "0001-b.md"]).count == 1)
        #expect(Documents.decisionTroubles(["ideas.md"]).count == 1)
    }
}
