import ArgumentParser
import CarillonStream
import CarillonStreamSQLite

struct Scan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reads an embedded stream to its end as a worker does and prints the cost of a row.")

    @Option(help: "The stream's file.")
    var stream: String

    func run() throws {
        let stream = try SQLiteStream.open(at: stream)
        let reader = try stream.reader(group: "carillon-bench-\(WallClock.nanoseconds())")
        defer { reader.close() }
        let meter = Meter()
        var rows = 0
        reading: while true {
            switch try reader.poll(wait: .zero) {
            case .assigned(let partitions): for partition in partitions { try reader.seek(partition, to: nil) }
            case .records(let batch): rows += batch.records.count
            case .revoked: continue
            case .nothing: break reading
            }
        }
        try meter.report(rows: rows)
    }
}
