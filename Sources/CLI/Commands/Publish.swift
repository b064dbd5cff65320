import ArgumentParser
import CarillonEvents
import CarillonProducer
import Foundation

struct Publish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Publishes events, from files, from standard input or from its options.",
        discussion: """
            Events are CloudEvents 1.0, one JSON object a line. The command ends when every good line is durable: in \
            the stream or, while that is away, in the spool. Bad lines are reported as FILE:LINE: why, the rest is \
            published, and the exit code is 3. Publishing the same event (source and id) twice is harmless.

              carillon publish events.jsonl more.jsonl
              zcat events.jsonl.gz | carillon publish -

            For events that name no workspace:

              carillon publish --workspace vision - < events.jsonl

            One event without writing JSON, as a scheduler's hook does; its id is subject/attempt/type, so a hook \
            that runs twice makes one event:

              carillon publish --type job.failed --workspace vision \\
                --subject 123 --source /slurm/a --data owner=alice \\
                --data exitCode=137 --data labels.team=vision
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
        guard time.map({ Timestamp(rfc3339: $0) != nil }) ?? true else {
            throw Failure.usage("--time \(time ?? ""): write RFC 3339, such as 2026-01-05T08:00:00Z")
        }
        let id = id ?? "\(subject)/\(arguments.text("attempt") ?? "1")/\(type)"
        var attributes = [
            ("specversion", "1.0"), ("id", id), ("source", source), ("type", type), ("subject", subject),
            ("workspace", workspace),
        ]
        if let time { attributes.append(("time", time)) }
        let text = Self.json(attributes, data: data.isEmpty ? nil : arguments.json)
        do throws(EventError) { return (id, try CloudEvents.prepare(text.span, now: clock.now())) } catch {
            throw Failure.usage(error.description)
        }
    }

    private static func json(_ attributes: [(name: String, value: String)], data: [UInt8]?) -> [UInt8] {
        var text: [UInt8] = []
        for (place, attribute) in attributes.enumerated() {
            text.append(place == 0 ? UInt8(ascii: "{") : UInt8(ascii: ","))
            JSON.append(quoted: attribute.name, to: &text)
            text.append(UInt8(ascii: ":"))
            JSON.append(quoted: attribute.value, to: &text)
        }
        if let data { text += ",\"datacontenttype\":\"application/json\",\"data\":".utf8 + data }
        return text + "}".utf8
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
        if problems.mismatches > 0 {
            Console.error(
                "carillon: \(problems.mismatches) events have a partitionkey that names another workspace; workspace wins"
            )
        }
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
                    if Self.isMismatched(bytes) { problems.mismatches += 1 }
                } catch { problems.line(name, reader.number, error.description) }
            }
        }
    }

    /// Whether a good event has a partitionkey that names another workspace than its workspace does.
    ///
    /// Most events have none, which is seen without reading them a second time.
    private static func isMismatched(_ event: [UInt8]) -> Bool {
        guard contains(Array("partitionkey".utf8), event), let outline = try? CloudEvents.outline(event.span) else {
            return false
        }
        return CloudEvents.workspaceMismatch(outline, in: event.span)
    }

    private static func contains(_ word: [UInt8], _ text: [UInt8]) -> Bool {
        unsafe text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let last = word.last else { return false }
            var from = word.count - 1
            while from < bytes.count, let found = unsafe memchr(base + from, Int32(last), bytes.count - from) {
                let end = unsafe UnsafeRawPointer(found) - base + 1
                if unsafe memcmp(base + (end - word.count), word, word.count) == 0 { return true }
                from = end
            }
            return false
        }
    }

    /// Counts what could not be published, and prints each.
    private struct Problems {
        var lines = 0
        var files = 0
        var mismatches = 0

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
