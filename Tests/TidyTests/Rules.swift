import Testing

/// Something that is not as the house has it, with its place.
struct Violation: Hashable, Sendable, CustomStringConvertible, CustomTestStringConvertible {
    let path: String
    let line: Int
    let words: String
    var description: String { "\(path):\(line): \(words)" }
    var testDescription: String { description }
}

/// What a Swift file must be like.
struct SwiftRule: Sendable {
    let name: String
    /// Which files it is about.
    let concerns: @Sendable (_ path: String) -> Bool
    let violations: @Sendable (_ path: String, _ text: SwiftText) -> [Violation]

    static let all = [bannedWords, ownTasks, foundation, reasons, shortFunctions, shortFiles, names]

    // Words

    /// A word that must not stand in code, what to write in its place, and where it may stand all the same.
    private static let banned: [(word: String, instead: String, allowed: [String])] = [
        ("try!", "handle the error, or precondition with a sentence", []),
        ("Date()", "a Clock that is given", []),
        ("Task.sleep", "a Clock that is given, or a signal", ["Sources/CLI/"]),
        ("print(", "a Logger, or the caller's output", ["Sources/CLI/"]),
        ("fatalError(", "precondition with a sentence saying whose mistake it is", []),
        ("ContinuousClock", "a Clock that is given", ["Sources/CLI/"]),
        ("clock_gettime", "a Clock that is given", ["Sources/Shared/Platform/SystemClock.swift"]),
    ]

    static let bannedWords = SwiftRule(name: "banned words", concerns: isSource) { path, text in
        var found: [Violation] = []
        for (number, line) in text.code.enumerated() {
            for entry in banned
            where contains(line, entry.word) && !entry.allowed.contains(where: { path.hasPrefix($0) }) {
                found.append(Violation(path: path, line: number + 1, words: "\(entry.word) here: use \(entry.instead)"))
            }
        }
        for (number, line) in text.lines.enumerated() where line.contains("FIX" + "ME") {
            found.append(Violation(path: path, line: number + 1, words: "mend it, or write an issue"))
        }
        return found
    }

    /// In a library that others embed nothing may run on that nobody waits for.
    static let ownTasks = SwiftRule(name: "no task without an owner", concerns: { $0.hasPrefix("Sources/Producer/") }) {
        path, text in
        lines(of: text.code, path, "a task nobody waits for") {
            contains($0, "Task {") || contains($0, "Task.detached")
        }
    }

    static let foundation = SwiftRule(
        name: "no full Foundation below the command line",
        concerns: {
            $0.hasPrefix("Sources/Producer/") || $0.hasPrefix("Sources/Shared/") || $0.hasPrefix("Sources/Worker/")
        }
    ) { path, text in
        lines(of: text.code, path, "FoundationEssentials at most: embedders would link all of it") {
            $0.split(separator: " ").suffix(2) == ["import", "Foundation"]
        }
    }

    /// An unchecked promise to the compiler names, in a comment beside it, what it relies on.
    static let reasons = SwiftRule(name: "a reason beside what the compiler cannot check", concerns: isSwift) {
        path, text in
        var found: [Violation] = []
        for (index, line) in text.code.enumerated()
        where line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
            let beside = [index - 1, index, index + 1].filter { text.lines.indices.contains($0) }
            let isExplained = beside.contains { place in
                let (written, code) = (text.lines[place], text.code[place])
                // A comment, and not the doc comment that says what the thing is.
                return written.contains("// ") && !code.contains("// ") && !written.contains("/// ")
            }
            if !isExplained {
                found.append(Violation(path: path, line: index + 1, words: "why may the compiler not check?"))
            }
        }
        return found
    }

    // Sizes

    static let shortFunctions = SwiftRule(name: "functions of at most 60 lines", concerns: isSwift) { path, text in
        text.functions().filter { $0.count > 60 }.map {
            Violation(path: path, line: $0.line, words: "a function of \($0.count) lines")
        }
    }

    static let shortFiles = SwiftRule(name: "files of at most 400 lines", concerns: isSwift) { path, text in
        let count = text.lines.count - (text.lines.last == "" ? 1 : 0)
        return count > 400 ? [Violation(path: path, line: count, words: "a file of \(count) lines")] : []
    }

    // Names

    /// Words that say nothing about what a thing is.
    private static let hollow = ["Util", "Utils", "Utilities", "Helper", "Helpers", "Manager", "Misc"]

    static let names = SwiftRule(name: "names that say something", concerns: isSwift) { path, text in
        var found: [Violation] = []
        for part in path.split(separator: "/")
        where hollow.contains(where: { part.hasSuffix($0) || part.hasSuffix($0 + ".swift") }) {
            found.append(Violation(path: path, line: 1, words: "what is \(part) about?"))
        }
        for (number, line) in text.code.enumerated() {
            let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            for (kind, name) in zip(words, words.dropFirst())
            where ["class", "struct", "enum", "actor", "protocol"].contains(kind)
                && hollow.contains(where: { name.hasSuffix($0) })
            {
                found.append(Violation(path: path, line: number + 1, words: "what is \(name) about?"))
            }
        }
        return found
    }

    // Shared by the rules

    private static let isSource: @Sendable (String) -> Bool = { $0.hasPrefix("Sources/") }
    private static let isSwift: @Sendable (String) -> Bool = { _ in true }

    private static func lines(
        of code: [String], _ path: String, _ words: String, where isWrong: (String) -> Bool
    ) -> [Violation] {
        code.enumerated().filter { isWrong($0.element) }.map {
            Violation(path: path, line: $0.offset + 1, words: words)
        }
    }

    /// Whether a word stands in a line by itself, not as the end of a longer one.
    private static func contains(_ line: String, _ word: String) -> Bool {
        line.ranges(of: word).contains { range in
            guard range.lowerBound > line.startIndex else { return true }
            let before = line[line.index(before: range.lowerBound)]
            return !before.isLetter && !before.isNumber && before != "_"
        }
    }
}
