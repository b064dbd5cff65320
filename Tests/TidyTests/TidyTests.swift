import Testing

@Suite("Tidy: the house rules, as tests", .timeLimit(.minutes(2)))
struct TidyTests {
    private let repository = Repository.here

    /// What may stay as it is, with the reason; an entry that is no longer needed is itself untidy.
    private static let exceptions: [(path: String, words: String, reason: String)] = [
        (
            "Sources/Worker/Dispatch/CurlLoop.swift", "fatalError",
            "without memory for its multi handle there is no courier, and nobody to tell"
        ),
        (
            "Sources/Worker/Dispatch/CurlSockets.swift", "clock_gettime",
            "curl counts its own timers on the system's clock, which epoll waits by"
        ),
    ]

    @Test("the code keeps each rule", arguments: SwiftRule.all.map(\.name))
    func code(rule name: String) throws {
        let rule = try #require(SwiftRule.all.first { $0.name == name })
        let files = repository.swift(in: "Sources", "Tests", "Benchmarks", "examples").filter { rule.concerns($0.path) }
        #expect(files.count > 3, "the rule looks at next to nothing")
        let found = files.flatMap { rule.violations($0.path, SwiftText(repository.text($0.path))) }
        let untidy = found.filter { one in
            !Self.exceptions.contains { one.path == $0.path && one.words.contains($0.words) }
        }
        #expect(untidy.isEmpty, "\n\(list(untidy))")
    }

    @Test("no exception has outlived its reason")
    func exceptions() {
        for exception in Self.exceptions {
            let text = SwiftText(repository.text(exception.path))
            let found = SwiftRule.all.filter { $0.concerns(exception.path) }.flatMap {
                $0.violations(exception.path, text)
            }
            #expect(found.contains { $0.words.contains(exception.words) }, "\(exception.path): \(exception.words)")
        }
    }

    @Test("links in documents lead somewhere")
    func links() {
        #expect(!repository.markdown.isEmpty)
        let dead = repository.markdown.flatMap { file in
            Documents.deadLinks(
                in: file.path, repository.text(file.path), exists: repository.exists, read: repository.text)
        }
        #expect(dead.isEmpty, "\n\(list(dead))")
    }

    @Test("decisions have numbers of their own")
    func decisions() {
        let folder = "Docs/decisions/"
        let names = repository.files.filter { $0.path.hasPrefix(folder) }.map {
            String($0.path.dropFirst(folder.count))
        }
        #expect(!names.isEmpty)
        #expect(Documents.decisionTroubles(names) == [])
    }

    @Test("no file is larger than 200 kB outside Fixtures")
    func sizes() {
        #expect(repository.files.contains { $0.size > 1000 }, "sizes are not read")
        let large = repository.files.filter { $0.size > 200_000 && !$0.path.contains("Fixtures/") }
        #expect(large.isEmpty, "\n\(large.map { "\($0.path): \($0.size) bytes" }.joined(separator: "\n"))")
    }

    @Test("each feature that the manifest switches on is asked back from the compiler, for all targets")
    func features() {
        let manifest = repository.text("Package.swift")
        let switched = words(in: manifest, between: ".enableUpcomingFeature(\"", and: "\"")
        let asked = words(in: repository.text("Tests/TidyTests/Features.swift"), between: "#if !hasFeature(", and: ")")
        #expect(!switched.isEmpty)
        #expect(Set(asked) == Set(switched).union(["StrictMemorySafety"]))
        #expect(manifest.contains(".strictMemorySafety()") && manifest.contains(".swiftLanguageMode(.v6)"))
        let loop = "for target in package.targets where target.type != .system { target.swiftSettings = strict }"
        #expect(manifest.contains(loop), "the settings have to reach every target")
        #expect(manifest.ranges(of: "swiftSettings").count == 1, "a target has settings of its own")
    }

    @Test("packages have exact versions")
    func versions() {
        for line in repository.text("Package.swift").split(separator: "\n") where line.contains(".package(url:") {
            #expect(line.contains("exact: \""), "\(line)")
        }
    }

    private func list(_ violations: [Violation]) -> String { violations.map(\.description).joined(separator: "\n") }

    private func words(in text: String, between start: String, and end: String) -> [String] {
        text.ranges(of: start).compactMap { range in
            text[range.upperBound...].firstRange(of: end).map { String(text[range.upperBound..<$0.lowerBound]) }
        }
    }
}
