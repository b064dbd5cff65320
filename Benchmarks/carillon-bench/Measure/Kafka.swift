import ArgumentParser
import CarillonLedger
import CarillonStream
import CarillonStreamKafka

/// The stream on Kafka, beside `raw-kafka-consume`, librdkafka's own loop over the same topic.
struct Kafka: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Appends to a Kafka topic, or takes it to its end, and prints the cost of a row.",
        discussion: """
            With --events appends a generated file. With --rules runs a real worker over a ledger in memory, so the rules \
            should select nothing; with neither it only reads, and drops every record by its headers.
            """)

    private struct Nobody: RecordFilter {
        func wants(workspace: Span<UInt8>, type: Span<UInt8>) -> Bool { false }
    }

    @Option(help: "bootstrap.servers.") var servers: String
    @Option(help: "The topic; made when it is missing and --events is given.") var topic: String
    @Option(help: "A file that generate wrote.") var events: String?
    @Option(help: "A folder of rule documents.") var rules: String?
    @Option(help: "Rows in an append.") var batch = 500

    func validate() throws {
        guard batch >= 1 else { throw ValidationError("--batch is at least 1") }
    }

    func run() throws {
        let configuration = KafkaStream.Configuration(
            topics: [topic], properties: ["bootstrap.servers": servers], partitions: 8)
        if let events { return try append(events, to: try KafkaStream.create(configuration)) }
        let stream = try KafkaStream.open(configuration)
        let ends = try stream.ends()
        let rows = ends.reduce(0) { sum, ends in
            sum + ends.partitions.values.reduce(0) { $0 + Int($1.next - $1.low) }
        }
        let reader = try stream.reader(group: "carillon-bench-\(WallClock.nanoseconds())")
        if let rules { return try match(rules, reader, rows, ends) }
        defer { reader.close() }
        reader.keep(only: Nobody())
        let meter = Meter()
        var read = 0
        while read < rows {
            switch try reader.poll(wait: .seconds(1), limit: 5_000) {
            case .assigned(let partitions): for partition in partitions { try reader.seek(partition, to: nil) }
            case .records(let batch): read += batch.read
            case .revoked, .nothing: continue
            }
        }
        try meter.report(rows: read)
    }

    private func append(_ events: String, to stream: KafkaStream) throws {
        let file = try EventFile(path: events)
        let appender = try stream.appender()
        let meter = Meter()
        for start in stride(from: 0, to: file.events.count, by: batch) {
            try appender.append(Array(file.events[start..<min(start + batch, file.events.count)]))
        }
        try meter.report(rows: file.events.count)
    }

    private func match(_ rules: String, _ reader: any StreamReader, _ rows: Int, _ ends: [StreamEnds]) throws {
        let rehearsal = try Rehearsal(reader: reader, ledger: nil, rules: rules, concurrency: 256)
        let meter = Meter()
        try rehearsal.run(to: ends)
        try meter.report(rows: rows)
        let counted = try rehearsal.close()
        StandardError.say("matched \(counted.matched), unmatched \(counted.unmatched), parked \(counted.parked)")
    }
}
