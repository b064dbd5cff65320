import ArgumentParser
import CarillonEvents
import CarillonProducer
import Foundation

struct Publish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publishes events, from files, from standard input or from its options.",
        discussion: """
            Events are CloudEvents 1.0, one JSON object a line. The command ends when every good line is durable: in the
            stream or, while that is away, in the spool. Bad lines are reported as FILE:LINE: why, the rest is published,
            and the exit code is 3. Publishing the same event (source and id) twice is harmless.

              carillon publish events.jsonl more.jsonl
              zcat events.jsonl.gz | carillon publish -
              carillon publish --workspace vision - < events.jsonl       # for events that name no workspace

            One event without writing JSON, as a scheduler's hook does; its id is subject/attempt/type, so a hook that
            runs twice makes one event:

              carillon publish --type job.failed --workspace vision --subject 123 --source /slurm/a \\
                --data owner=alice --data exitCode=137 --data labels.team=vision
            """)

    @Argument(help: "Files of events; - is standard input.", completion: .file())
    var files: [String] = []

    @Option(help: "The type of the one event, such as job.failed.")
    var type: String?

    @Option(help: "The workspace of the one event; in files, of events that name none.")
    var workspace: String?

    @Option(help: "The job, pipeline or model it is about.")
    var subject: String?

    @Option(help: "Who says so, such as /slurm/a.")
    var source: String?

    @Option(help: "The event's id. (default: subject/attempt/type)")
    var id: String?

    @Option(help: "When it happened, as RFC 3339. (default: now)")
    var time: String?

    @Option(help: ArgumentHelp("A member of its data; a.b=c nests.", valueName: "key=value"))
    var data: [String] = []

    @Flag(help: "Keep the events in the spool when there is no stream yet.")
    var spool = false

    @OptionGroup var deployment: Deployment

    func run() async throws {
        if type != nil || subject != nil || source != nil || id != nil || time != nil || !data.isEmpty {
            try await publishOne()
        } else if files.isEmpty {
            throw Failure.usage(
                "nothing to publish: name FILEs, - for standard input, or --type, --workspace, --subject and --source; "
                    + "see 'carillon publish --help'")
        } else {
            try await publishFiles()
        }
    }

    private func publishOne() async throws {
        let event = try oneEvent()
        let publication = try Publication(try deployment.configuration(), spoolsWithoutStream: spool)
        if let refusal = publication.publish(event.encoded) { throw Failure("not published: \(refusal.rawValue)") }
        _ = try await publication.finish()
        Console.out("published \(printable(event.id))")
    }

    private func oneEvent() throws -> (id: String, encoded: EncodedEvent) {
        guard files.isEmpty else {
            throw Failure.usage("FILEs and the options of one event exclude each other; publish them apart")
        }
        let needed = [("--type", type), ("--workspace", workspace), ("--subject", subject), ("--source", source)]
        let missing = needed.filter { $0.1 == nil }.map(\.0)
        guard missing.isEmpty, let type, let workspace, let subject, let source else {
            throw Failure.usage(
                "one event also needs \(missing.joined(separator: ", ")); see 'carillon publish --help'")
        }
        var arguments = DataArguments()
        for argument in data { try arguments.add(argument) }
        let moment = time.flatMap(Timestamp.init(rfc3339:))
        guard time == nil || moment != nil else {
            throw Failure.usage("--time \(time ?? ""): write RFC 3339, such as 2026-01-05T08:00:00Z")
        }
        let id = id ?? "\(subject)/\(Self.attempt(arguments.value("attempt")))/\(type)"
        let event = JobEvent(
            id: id, source: source, type: type, workspace: workspace, subject: subject, time: moment,
            data: data.isEmpty ? nil : arguments.data)
        do throws(EventError) { return (id, try event.encoded(now: clock.now())) } catch {
            throw Failure.usage(error.description)
        }
    }

    private static func attempt(_ value: JSONValue?) -> String {
        switch value {
        case .integer(let number): String(number)
        case .string(let text): text
        default: "1"
        }
    }

    private func publishFiles() async throws {
        let configuration = try deployment.configuration()
        let publication = try Publication(configuration, spoolsWithoutStream: spool)
        Interruption.listen()
        var problems = Problems()
        for file in files where !Interruption.isRequested {
            do { try publish(file, to: publication, &problems) } catch { problems.file(file, error) }
        }
        let durable = try await publication.finish()
        Console.out("published \(durable) events" + problems.summary)
        if Interruption.isRequested {
            throw Failure("interrupted; what is published is durable, publish the same input again for the rest")
        }
        if problems.files > 0 { throw Failure.said }
        if problems.lines > 0 { throw Failure.problemsFound }
    }

    private func publish(_ file: String, to publication: Publication, _ problems: inout Problems) throws {
        var reader = try LineReader(file)
        let name = file == "-" ? "stdin" : file
        while let line = try reader.next() {
            switch line {
            case .tooLong(let bytes):
                problems.line(
                    name, reader.number, EventError(.tooLarge(bytes: bytes, limit: CloudEvents.maxBytes)).description)
            case .bytes(let bytes):
                if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
                do throws(EventError) {
                    let event = try CloudEvents.prepare(bytes.span, defaultWorkspace: workspace, now: clock.now())
                    if let refusal = publication.publish(event) {
                        problems.line(name, reader.number, "refused: \(refusal.rawValue)")
                    }
                } catch { problems.line(name, reader.number, error.description) }
            }
        }
    }

    /// Counts what could not be published, and prints each.
    private struct Problems {
        var lines = 0
        var files = 0

        mutating func line(_ file: String, _ number: Int, _ why: String) {
            lines += 1
            Console.error("\(file):\(number): \(why)")
        }

        mutating func file(_ file: String, _ error: any Error) {
            files += 1
            let words = (error as? Failure)?.lines.first ?? "\(error)"
            Console.error("carillon: " + (words.hasPrefix(file) ? words : "\(file): \(words)"))
        }

        var summary: String { lines > 0 ? ", \(lines) bad lines" : "" }
    }
}
