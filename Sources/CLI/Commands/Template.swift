import ArgumentParser
import CarillonEvents
import CarillonRules
import Foundation

struct Templates: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template", abstract: "Tries out templates of titles, messages and bodies.",
        subcommands: [Render.self])

    struct Render: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "render",
            abstract: "Fills a template from JSON objects; sends nothing.",
            discussion: """
                Plain Jinja: the keys of each object are the variables, and a missing field is empty. (In titles and \
                messages it is "-".) One line an object: the text as a JSON string, or {"error":…}; exit code 3 when \
                there was an error.

                  carillon template render --template '{{ subject }}: {{ data.reason }}' events.jsonl
                  carillon template render --template '{{ data.results.drift | round(2) }}' - < events.jsonl
                  carillon template render --template @mail.txt --html events.jsonl
                  carillon template render --template '{% for k, v in data.labels.items() %}{{ k }}={{ v }} \
                {% endfor %}' events.jsonl

                Expressions: . [] [a:b] + - * / // % ** ~ == != < <= > >= in not and or if/else, filters (| upper), \
                tests (is defined). Statements: if, for, set, with, filter, raw. Docs/rules.md lists them all.
                """)
        @Option(help: "The template, or @FILE.") var template: String
        @Flag(help: "Escape what the objects bring, for HTML.") var html = false
        @Argument(help: "Files of JSON objects, one a line; - is standard input.", completion: .file())
        var events: [String] = ["-"]
        @OptionGroup var deployment: Deployment

        func run() throws {
            _ = try deployment.configuration()
            var trial = TemplateTrial(source: try text(), escaping: html)
            for file in events { try trial.render(file) }
            if let error = trial.unsaid { throw Failure("the template: \(error)", code: .problems) }
            if trial.hasProblems { throw Failure.problemsFound }
        }

        private func text() throws(Failure) -> String {
            guard template.hasPrefix("@") else { return template }
            let path = String(template.dropFirst())
            guard let data = FileManager.default.contents(atPath: path) else {
                throw Failure.usage("\(path): the template cannot be read; --template takes a text or @FILE")
            }
            guard let text = String(data: data, encoding: .utf8) else {
                throw Failure.usage("\(path): the template is not UTF-8")
            }
            return text
        }
    }
}

/// Fills one template from many objects, for `template render`.
private struct TemplateTrial {
    private let template: Result<Template, TemplateError>
    private(set) var hasProblems = false
    private var hasSaid = false

    init(source: String, escaping: Bool) {
        template = Result { () throws(TemplateError) in try Template(source, for: .trial(escaping: escaping)) }
    }

    /// Why the template cannot be read, when there was no object to say it of.
    var unsaid: TemplateError? {
        guard !hasSaid, case .failure(let error) = template else { return nil }
        return error
    }

    mutating func render(_ file: String) throws {
        var reader = try LineReader(file)
        while let line = try reader.next() {
            switch line {
            case .tooLong(let bytes): fail("line \(reader.number) has \(bytes) bytes, more than \(LineReader.longest)")
            case .bytes(let bytes):
                if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
                render(bytes.span, line: reader.number)
            }
        }
    }

    private mutating func render(_ text: Span<UInt8>, line: Int) {
        do throws(JSONError) { try JSON.check(text) } catch { return fail("line \(line) is no JSON: \(error)") }
        guard let root = JSON.value(in: text, at: 0), JSON.kind(of: root, in: text) == .object else {
            return fail("line \(line) is no JSON object")
        }
        do throws(TemplateError) {
            say(.string(try template.get().render(object: text)))
        } catch { fail("\(error)") }
    }

    private mutating func fail(_ reason: String) {
        hasProblems = true
        say(.object([JSONValue.Member("error", .string(reason))]))
    }

    private mutating func say(_ value: JSONValue) {
        hasSaid = true
        Console.out(value.text)
    }
}
