import ArgumentParser
import CarillonStream
import CarillonStreamSQLite

struct Append: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Appends a generated file to an embedded stream, unchecked, and prints the cost of a row.",
        discussion: "What the stream alone costs; `carillon publish` is the whole way.")

    @Argument(help: "A file that generate wrote.")
    var events: String
    @Option(help: "The stream's file; made when it is missing.")
    var stream: String
    @Option(help: "Rows in a transaction.")
    var batch = 500

    func validate() throws {
        guard batch >= 1 else { throw ValidationError("--batch is at least 1") }
    }

    func run() throws {
        let file = try EventFile(path: events)
        let appender = try SQLiteStream.create(at: stream, partitions: 8).appender()
        let meter = Meter()
        for start in stride(from: 0, to: file.events.count, by: batch) {
            try appender.append(Array(file.events[start..<min(start + batch, file.events.count)]))
        }
        try meter.report(rows: file.events.count)
    }
}
