import CarillonEvents
import CarillonKit
import CarillonRules
import Testing

private let head = "version: 1\nworkspace: w\n"

@Suite("Hostile files: each gets an answer soon", .timeLimit(.minutes(5)))
struct HostileTests {
    @Test("deep nesting is refused", arguments: ["[", "{a: ", "[a: ", "- ", "? ", "a:\n "])
    func deep(open: String) {
        #expect(!problems(head + "rules: \n  " + String(repeating: open, count: 5000)).isEmpty)
        #expect(
            !problems(head + "rules: " + String(repeating: "[", count: 500) + String(repeating: "]", count: 500))
                .isEmpty)
    }

    @Test("nesting just too deep has its place")
    func depth() {
        let list = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
        #expect(problems(head + "rules: \(list)\n") == ["3:71: nested deeper than 64 levels"])
    }

    @Test("a few aliases do not become many values", arguments: ["rules: ", "? ", "contacts: "])
    func bomb(use: String) {
        var text = head + "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for i in 1...40 { text += "a\(i): &a\(i) [\((0..<9).map { _ in "*a\(i - 1)" }.joined(separator: ", "))]\n" }
        let found = problems(text + "\(use)*a40\n")
        #expect(found.first == "9:9: its aliases expand to more than 200000 values" || found.count == 1, "\(found)")
    }

    @Test("aliases do not nest past the limit")
    func chain() {
        var text = head + "a0: &a0 [x]\n"
        for i in 1...80 { text += "a\(i): &a\(i) [*a\(i - 1)]\n" }
        #expect(problems(text).contains { $0.contains("aliases nest deeper than 64 levels") })
    }

    @Test("a line of a megabyte is one problem")
    func longLine() {
        let long = String(repeating: "x", count: 1 << 20)
        #expect(problems(head + long + ": a\n").count == 1)
        #expect(problems(head + "rules: [{name: \(long), events: [a], notify: [b]}]\n").count == 1)
        #expect(problems(head + "# " + long + "\n") == [])
        #expect(problems(head + "workspace2: \"" + long).count == 1)
    }

    @Test("a file is at most 4 MiB and holds a bounded number of values")
    func large() {
        #expect(problems(head + String(repeating: "#\n", count: 3 << 20)) == ["1:1: the file is larger than 4 MiB"])
        let many = "rules: [" + String(repeating: "a,", count: 600_000) + "]\n"
        #expect(problems(head + many) == ["1:1: the file holds too many values; split it into several files"])
    }

    @Test("a thousand problems are told, the rest is counted")
    func manyProblems() {
        let found = problems(head + "rules:\n" + String(repeating: "  - a\n", count: 1500))
        #expect(found.count == 1001)
        #expect(found.last?.hasSuffix("and 500 more problems") == true)
    }

    @Test("many documents are no way around that bound")
    func manyDocuments() {
        let found = problems(String(repeating: "---\nversion: 1\nworkspace: w\nx: 1\ny: 1\n", count: 700))
        #expect(found.count == 1001 && found.last?.hasSuffix("and 400 more problems") == true)
    }

    @Test("characters YAML lacks have their place", arguments: ["\u{0}", "\u{1B}", "\u{7F}", "\u{9B}", "\u{FFFE}"])
    func characters(sign: String) {
        let found = problems(head + "rules: ü\(sign)\n")
        #expect(found.count == 1 && found.first?.hasPrefix("3:9: the character U+") == true, "\(found)")
    }

    @Test("private characters stay what they are")
    func privateUse() throws {
        let text = "\u{E000}*\u{E001} *"
        let compiled = try rules(["name: \"\(text)\", id: a\u{E000}b * c, events: ['job.*']"])
        #expect(compiled.rules.first?.name == text && compiled.rules.first?.identity == "a\u{E000}b * c")
        #expect(compiled.rules.first?.events.map(\.text) == ["job.*"])
    }

    @Test("wildcards that can all meet one value are refused with their number", arguments: ["", "a", "é-"])
    func wildcards(start: String) {
        func wildcard(_ i: Int) -> String { "{wildcard: '\(start)*\(i)*'}" }
        func text(_ count: Int) -> String {
            head + "endpoints: {e: {webhook: 'https://example.com'}}\nrules:\n"
                + (0..<count).map { i in
                    "  - {name: r\(i), events: [job.failed], notify: [e], pattern: {data: {name: [\(wildcard(i))]}}}\n"
                }.joined()
        }
        let found = problems(text(301))
        #expect(found.count == 1)
        #expect(
            found.first?.hasPrefix(
                "305:6: 'data.name' in patterns: one value can have to be read by 301 wildcards, the limit is 300")
                == true, "\(found)")
        #expect(problems(text(300)) == [])
    }

    @Test("wildcards that begin otherwise never meet one value")
    func otherWildcards() {
        let rules = (0..<2_000).map { i in
            "  - {name: r\(i), events: [job.failed], notify: [e], pattern: {data: {name: [{wildcard: 'r\(i)-*-x*'}]}}}\n"
        }
        #expect(problems(head + "endpoints: {e: {webhook: 'https://example.com'}}\nrules:\n" + rules.joined()) == [])
    }

    @Test("'$or's that multiply over many rules are refused before they fill the memory")
    func products() {
        let choice = "[" + (0..<10).map { "{c\($0): [x]}" }.joined(separator: ", ") + "]"
        let pattern = "{data: {a: {$or: \(choice)}, b: {$or: \(choice)}, c: {$or: \(choice)}}}"
        let found = problems(patterned(Array(repeating: pattern, count: 400)))
        #expect(found.first?.contains("the patterns of the file have more than 1000000 fields") == true, "\(found)")
        let deep = String(repeating: "{$or: [{a: [1]}, ", count: 20) + "{b: [1]}" + String(repeating: "]}", count: 20)
        #expect(problems(patterned([deep])) == [])
        let many = (0..<5_000).map { "d\($0): {$or: [{a: [1]}, {b: [1]}]}" }.joined(separator: ", ")
        #expect(problems(patterned(["{\(many)}"])).count == 1)
    }

    @Test("types times rules times '$or's are refused")
    func types() {
        let choice = "[" + (0..<10).map { "{c\($0): [x]}" }.joined(separator: ", ") + "]"
        let pattern = "{data: {a: {$or: \(choice)}, b: {$or: \(choice)}}}"
        let events = (0..<50).map { "t.n\($0)" }
        let rules = (0..<100).map { i in
            "  - {name: r\(i), events: [\((events + ["u.n\(i)"]).joined(separator: ", "))], notify: [e], pattern: &p\(i) "
                + pattern + "}\n"
        }
        let others = (0..<50).map { "  - {name: o\($0), events: [t.n\($0)], notify: [e], pattern: {a: [1]}}\n" }
        let head = head + "endpoints: {e: {webhook: 'https://example.com'}}\nrules:\n"
        let found = problems(head + (rules + others).joined())
        #expect(
            found.first?.contains("the patterns of the workspace have more than 1000000 fields") == true, "\(found)")
    }

    @Test("long paths, long values and their aliases are answered soon")
    func long() {
        let long = String(repeating: "x", count: 256 << 10)
        let path = String(repeating: "p", count: 1_000)
        #expect(
            problems(patterned([String(repeating: "{\(path): ", count: 5) + "[1]" + String(repeating: "}", count: 5)]))
                .first?.hasSuffix(
                    "the path of a field may have 4096 bytes")
                == true)
        let fields = (0..<256).map { "\(path)\($0): [1]" }.joined(separator: ", ")
        let choices = (0..<1_000).map { "{c: [\($0)]}" }.joined(separator: ", ")
        #expect(problems(patterned(["{$or: [\(choices)], \(fields)}"])).count == 1)
        #expect(problems(patterned(["{a: [\(long), {prefix: \(long)}, {wildcard: '\(long)*\(long)'}]}"])) == [])
        #expect(problems(patterned(["{a: [{equals-ignore-case: É\(long)}], $or: [\(choices)]}"])) == [])
        let aliases = "{a: [&l \(long)" + String(repeating: ", {equals-ignore-case: *l}", count: 1_000) + "]}"
        #expect(problems(patterned([aliases])).contains { $0.hasSuffix("its aliases expand to more than 8 MiB") })
    }

    @Test("thousands of prefixes that begin each other are compiled")
    func chains() throws {
        let prefixes = (1...1_500).map { "{prefix: '\(String(repeating: "a", count: $0))'}" }
        #expect(problems(patterned(prefixes.map { "{data: {name: [\($0)]}}" })) == [])
    }

    private func patterned(_ patterns: [String]) -> String {
        head + "endpoints: {e: {webhook: 'https://example.com'}}\nrules:\n"
            + patterns.enumerated().map { i, pattern in
                "  - {name: r\(i), events: [job.failed], notify: [e], pattern: \(pattern)}\n"
            }.joined()
    }

    @Test("any cut of a good file is answered", arguments: [0, 1, 2, 3, 4, 5, 6, 7])
    func cuts(part: Int) {
        let text = document(
            more: "pattern: {data: {a: [1, 'x', *e]}}\n    message: |\n      {{ subject }}\n    id: &e \"q\\u0041\"")
        for end in stride(from: part, to: text.utf8.count, by: 8) {
            let cut = String(decoding: text.utf8.prefix(end), as: UTF8.self)
            for problem in RuleDocuments.load([("f", cut)]).problems {
                #expect(problem.line >= 1 && problem.column >= 1 && !problem.message.isEmpty)
            }
        }
    }

    @Test("bytes shuffled into a file are answered", arguments: UInt64(1)...100)
    func noise(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var bytes = Array(document(more: "pattern: {data: {a: [1]}}").utf8)
        let signs = Array("*&!%@`'\"[]{},:?-|>#\n \t~<0\u{85}".utf8)
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            bytes[place] = signs.randomElement(using: &random) ?? 0
        }
        for problem in RuleDocuments.load([("f", String(decoding: bytes, as: UTF8.self))]).problems {
            #expect(problem.line >= 1 && problem.column >= 1 && !problem.message.isEmpty)
        }
    }
}
