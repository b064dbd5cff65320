import ArgumentParser
import CarillonEvents
import CarillonLedger

struct Dead: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "Lists and retries deliveries that were given up.",
        discussion: """
            A delivery is dead when its receiver refused it for good, or failed for delivery.retry.give_up_after.

              carillon dead list
              carillon dead retry --reason serverError --since 1d
            """,
        subcommands: [List.self, Retry.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Lists dead deliveries by the class of their failure, newest first.",
            discussion: """
                  carillon dead list --workspace vision
                  carillon dead list --reason authError -o json
                """)
        @OptionGroup var filters: DeliveryFilters
        @Option(help: "At most this many.") var limit = 100
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func validate() throws { if limit < 1 { throw ValidationError("--limit is at least 1") } }

        func run() throws {
            let desk = try deployment.configuration().desk()
            let rows = try desk.deliveries(filters.filter(state: .dead, limit: limit))
            var list = Listing(columns: [
                "why", "delivery", "decided", "failed", "workspace", "rule", "target", "type", "subject",
            ])
            for (_, row) in rows.enumerated().sorted(by: {
                ($0.element.reason, $0.offset) < ($1.element.reason, $1.offset)
            }) {
                list.add(
                    [
                        printable(row.reason), row.key, Timestamp(milliseconds: row.decidedAt).rfc3339,
                        String(row.attempts), printable(row.workspace), printable(row.rule), printable(row.target),
                        printable(row.type), printable(row.subject ?? ""),
                    ], row.members)
            }
            list.print(listing.format, empty: "nothing is dead")
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry",
            abstract: "Reopens dead deliveries: they are due now and have a new round of tries.",
            discussion: """
                  carillon dead retry KEY
                  carillon dead retry --contact hook --since 1d
                  carillon dead retry --all
                """)
        @Argument(help: "Keys of deliveries.") var keys: [String] = []
        @OptionGroup var filters: DeliveryFilters
        @Flag(help: "Without any filter: all of them.") var all = false
        @OptionGroup var deployment: Deployment

        func run() throws {
            let configuration = try deployment.configuration()
            try Deliveries.check(keys.isEmpty && filters.areAbsent, all)
            let change = Deliveries.Change(desk: try configuration.desk(), isRetry: true)
            try change.run(filters.each(of: keys, state: .dead, limit: .max))
        }
    }
}
