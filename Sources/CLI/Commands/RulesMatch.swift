import ArgumentParser
import CarillonEvents
import CarillonRules

extension Rules {
    struct Match: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "match",
            abstract: "Says of each event whether it fits a pattern.",
            discussion: """
                A pattern is JSON in the language of EventBridge, as AWS's event-ruler documents it. One line, true or \
                false, for each event, which may be any JSON object here. Bad lines are reported as FILE:LINE: why, \
                exit code 3; for a pattern that is none the exit code is 2.

                  carillon rules match --pattern '{"data":{"exitCode":[{"numeric":[">",128]}]}}' events.jsonl
                  carillon rules match --pattern @pattern.json - < events.jsonl
                """)
        @Option(help: ArgumentHelp("The pattern, or @ and the file it stands in.", valueName: "json|@file"))
        var pattern: String
        @Argument(help: "Files of events, one JSON object a line; - is standard input.", completion: .file())
        var events: [String] = ["-"]
        @OptionGroup var deployment: Deployment

        func run() throws {
            _ = try deployment.configuration()
            var answers = PatternAnswers(try PatternArgument(pattern).compiled)
            var lines = EventLines()
            for file in events {
                try lines.read(file, longest: LineReader.longest) { (text, _) throws(EventError) in
                    try answers.answer(text)
                }
            }
            if lines.bad > 0 { throw Failure.problemsFound }
        }
    }
}

/// Meets one pattern with many objects, for `rules match`.
private struct PatternAnswers {
    private let pattern: CompiledPattern
    private var scratch = MatchScratch()

    init(_ pattern: CompiledPattern) { self.pattern = pattern }

    mutating func answer(_ text: Span<UInt8>) throws(EventError) {
        do throws(JSONError) { try JSON.check(text) } catch { throw EventError(.json(error), at: error.offset) }
        let value = JSON.value(in: text, at: 0) ?? Slice(0, 0)
        let kind = JSON.kind(of: value, in: text)
        guard kind == .object else { throw EventError(.notAnObject(found: kind.words), at: value.start) }
        Console.out(pattern.matches(text, using: &scratch) ? "true" : "false")
    }
}

extension JSON.Kind {
    /// What it is, with its article.
    fileprivate var words: String {
        switch self {
        case .object: "an object"
        case .array: "an array"
        case .string: "a string"
        case .number: "a number"
        case .bool: "true or false"
        case .null: "null"
        }
    }
}
