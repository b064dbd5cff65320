import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonStream
import CarillonStreamSQLite

struct Scan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes an embedded stream to its end and prints the cost of a row.",
        discussion: """
            --to match runs a real worker over a ledger in memory, so the rules should select nothing; what they select is \
            sent all the same. --to read and --to decode show what the stages before it take.
            """)

    enum Stage: String, ExpressibleByArgument, CaseIterable { case read, decode, match }

    @Option(help: "The stream's file.")
    var stream: String
    @Option(help: "A folder of rule documents, for --to match.")
    var rules: String?
    @Option(help: "How far each record is taken.")
    var to = Stage.match

    func validate() throws {
        guard to != .match || rules != nil else { throw ValidationError("--to match needs --rules") }
    }

    func run() throws {
        if to == .match, let rules { return try match(rules) }
        let reader = try SQLiteStream.open(at: stream).reader(group: "carillon-bench-\(WallClock.nanoseconds())")
        defer { reader.close() }
        let meter = Meter()
        var (rows, broken) = (0, 0)
        reading: while true {
            switch try reader.poll(wait: .zero, limit: 5_000) {
            case .assigned(let partitions): for partition in partitions { try reader.seek(partition, to: nil) }
            case .records(let batch):
                rows += batch.records.count
                if to == .decode { broken += Self.decode(batch) }
            case .revoked: continue
            case .nothing: break reading
            }
        }
        try meter.report(rows: rows, [("broken", broken)])
    }

    private func match(_ rules: String) throws {
        let rehearsal = try Rehearsal(stream: stream, ledger: nil, rules: rules, concurrency: 256)
        let meter = Meter()
        try rehearsal.runUntilIdle()
        let ends = try SQLiteStream.open(at: stream).ends().partitions.values
        try meter.report(rows: ends.reduce(0) { $0 + Int($1.next - $1.low) })
        let counted = try rehearsal.close()
        StandardError.say("matched \(counted.matched), unmatched \(counted.unmatched), parked \(counted.parked)")
    }

    /// How many of a batch's records are no events.
    private static func decode(_ batch: RecordBatch) -> Int {
        let bytes = batch.bytes.span
        return batch.records.count { (try? CloudEvents.outline(bytes.extracting($0.value.range))) == nil }
    }
}
