import ArgumentParser
import CarillonEvents
import CarillonLedger

struct Poison: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists and shows records that could not be read as events.",
        discussion: """
            A record that is no event is parked with its reason, so that it holds up nobody.

              carillon poison list
              carillon poison show 3:1042 > record.bin
            """,
        subcommands: [List.self, Show.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists parked records, newest first.", discussion: "  carillon poison list -o json")
        @Option(help: "At most this many.") var limit = 100
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func validate() throws { if limit < 1 { throw ValidationError("--limit is at least 1") } }

        func run() throws {
            let desk = try deployment.configuration().desk()
            var list = Listing(columns: ["record", "parked", "bytes", "why"])
            for row in try desk.parked(limit: limit) {
                list.add(
                    [
                        row.place, Timestamp(milliseconds: row.at).rfc3339, String(row.bytes.count),
                        printable(row.reason),
                    ],
                    [
                        .string("record", row.place), .string("stream", row.stream),
                        .integer("partition", row.partition),
                        .integer("offset", row.offset), .time("parked", row.at), .integer("bytes", row.bytes.count),
                        .string("reason", row.reason),
                    ])
            }
            list.print(listing.format, empty: "no record is parked")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes a parked record's bytes to standard output, as they are.",
            discussion: "  carillon poison show 3:1042 | jq .")
        @Argument(help: "The record, as PARTITION:OFFSET.") var record: String
        @OptionGroup var deployment: Deployment

        func run() throws {
            let desk = try deployment.configuration().desk()
            guard let row = try desk.parked(limit: .max).first(where: { $0.place == record }) else {
                throw Failure("no record \(printable(record)) is parked; `carillon poison list` names them")
            }
            Console.error("carillon: \(row.place) is parked: \(printable(row.reason))")
            _ = Console.write(row.bytes, to: 1)
        }
    }
}

extension ParkedRow {
    /// The record's place on the command line.
    fileprivate var place: String { "\(partition):\(offset)" }
}
