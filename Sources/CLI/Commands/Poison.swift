import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonStream
import Foundation

struct Poison: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "poison",
        abstract: "Lists, shows and retries records that could not be read as events.",
        discussion: """
            A record that is no event is parked with its reason, so that it holds up nobody. Mended, it is published \
            again as a new record; the parked one stays, marked as retried, so that the counts of `verify` hold.

              carillon poison list
              carillon poison show 3:1042 > record.json
              carillon poison retry 3:1042 --with record.json
            """,
        subcommands: [List.self, Show.self, Retry.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Lists parked records, newest first.", discussion: "  carillon poison list -o json")
        @Option(help: "At most this many.") var limit = 100
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func validate() throws { if limit < 1 { throw ValidationError("--limit is at least 1") } }

        func run() throws {
            let desk = try deployment.configuration().desk()
            var list = Listing(columns: ["record", "parked", "retried", "bytes", "why"])
            for row in try desk.parked(limit: limit) {
                list.add(
                    [
                        row.place, Timestamp(milliseconds: row.at).rfc3339,
                        row.retriedAt.map { Timestamp(milliseconds: $0).rfc3339 } ?? "", String(row.bytes.count),
                        printable(row.reason),
                    ],
                    [
                        .string("record", row.place), .string("stream", row.stream),
                        .integer("partition", row.partition),
                        .integer("offset", row.offset), .time("parked", row.at),
                        .time("retried", row.retriedAt), .integer("bytes", row.bytes.count),
                        .string("reason", row.reason),
                    ])
            }
            list.print(listing.format, empty: "no record is parked")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Writes a parked record's bytes to standard output, as they are.",
            discussion: "  carillon poison show 3:1042 | jq .")
        @Argument(help: "The record, as `poison list` names it: PARTITION:OFFSET.") var record: String
        @OptionGroup var deployment: Deployment

        func run() throws {
            let row = try Poison.row(record, in: try deployment.configuration().desk())
            Console.error("carillon: \(row.place) is parked: \(printable(row.reason))")
            _ = Console.write(row.bytes, to: 1)
        }
    }
}

extension Poison {
    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry",
            abstract: "Publishes a parked record again, mended or as it is, and says so when it still is no event.",
            discussion: """
                A copy that was published before is a duplicate by its source and id: retrying twice sends nothing twice.

                  carillon poison show 3:1042 > record.json
                  carillon poison retry 3:1042 --with record.json
                """)
        @Argument(help: "The record, as `poison list` names it: PARTITION:OFFSET.") var record: String
        @Option(help: "What to publish in its place: a file with one event.", completion: .file()) var with: String?
        @OptionGroup var deployment: Deployment

        func run() throws {
            let configuration = try deployment.configuration()
            let ledger = try configuration.desk()
            let row = try Poison.row(record, in: ledger)
            var bytes = row.bytes
            if let with {
                do { bytes = Array(try Data(contentsOf: URL(fileURLWithPath: with))) } catch {
                    throw Failure("cannot read \(with): \(error.localizedDescription)")
                }
            }
            let event: EncodedEvent
            do throws(EventError) { event = try CloudEvents.prepare(bytes.span, now: clock.now()) } catch {
                throw Failure(
                    "\(row.place) is still no event: \(error.description); mend what `carillon poison show` gives and use --with",
                    code: .problems)
            }
            // Published first: a kill between the two leaves it unmarked, and the next retry makes a duplicate.
            try configuration.appender().append([event])
            try ledger.noteRetried(row.stream, row.partition, row.offset, now: clock.now())
            Console.out("\(row.place) is published again")
        }
    }

    fileprivate static func row(_ record: String, in ledger: any LedgerAnswers) throws -> ParkedRow {
        let slash = record.lastIndex(of: "/")
        let stream = slash.map { String(record[..<$0]) }
        let parts = record[(slash.map(record.index(after:)) ?? record.startIndex)...].split(separator: ":")
        if parts.count == 2, let partition = Int32(parts[0]), let offset = Int64(parts[1]),
            let row = try ledger.parked(stream, partition, offset)
        {
            return row
        }
        throw Failure("no record \(printable(record)) is parked; `carillon poison list` names them")
    }
}

extension ParkedRow {
    /// The record's place on the command line; the ledger's name of a topic stands before it, as there may be several.
    fileprivate var place: String {
        stream.hasPrefix("kafka") ? "\(stream)/\(partition):\(offset)" : "\(partition):\(offset)"
    }
}
