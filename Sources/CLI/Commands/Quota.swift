import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonRules
import Foundation

struct Quota: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quota",
        abstract: "Shows what is used of quotas, and resets them.",
        discussion: """
            A quota is a hard ceiling in every sliding window at its receiver. What found no room waits (pending, quota), \
            went another way, or is withheld; all of it is listed.

              carillon quota show --contact alice
              carillon quota reset --contact alice --yes
              carillon deliveries list --contact alice --reason quota
            """,
        subcommands: [Show.self, Reset.self])

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Shows the target units of rules, and what is used of each window.",
            discussion: "  carillon quota show\n  carillon quota show --workspace vision --contact alice -o json")
        @Option(help: "Only of this workspace.") var workspace: String?
        @Option(help: "Only of this contact.") var contact: String?
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func run() throws {
            let configuration = try deployment.configuration()
            let desk = try configuration.desk()
            let scopes = try QuotaScopes(desk, workspace: workspace, contact: contact)
            let units = contact == nil ? scopes.units(configuration.ruleLimits) : []
            let windows = try scopes.windows(desk, now: clock.now())
            if listing.format == .json {
                let object = JSONValue.object([
                    JSONValue.Member("units", .array(units.map { JSONValue.object($0.members) })),
                    JSONValue.Member("windows", .array(windows.map { JSONValue.object($0.members) })),
                ])
                return Console.out(object.text)
            }
            var rules = Listing(columns: ["workspace", "rule", "targets"])
            for unit in units { rules.add(unit.cells, unit.members) }
            if contact == nil { rules.print(.table, empty: "no rule is in force") }
            var list = Listing(columns: [
                "target", "window", "used", "limit", "reserve", "free", "waiting", "withheld", "reset",
            ])
            for window in windows { list.add(window.cells, window.members) }
            list.print(.table, empty: "nothing was charged to a quota yet")
        }
    }

    struct Reset: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset",
            abstract: "Forgets what counts, so that messages go out again at once.",
            discussion: """
                What is on its way counts on. The receiver may see more than its limit then; who did it is kept.

                  carillon quota reset --contact alice
                  carillon quota reset --yes
                """)
        @Option(help: "Only of this workspace's contacts.") var workspace: String?
        @Option(help: "Only of this contact.") var contact: String?
        @Flag(help: "Do not ask.") var yes = false
        @OptionGroup var deployment: Deployment

        func run() throws {
            let desk = try deployment.configuration().desk()
            let scopes = try QuotaScopes(desk, workspace: workspace, contact: contact)
            if contact != nil || workspace != nil, scopes.names.isEmpty {
                throw Failure(
                    "no rules in force name \(printable(contact ?? workspace ?? "")); `carillon quota show` lists")
            }
            try confirm()
            let isAll = contact == nil && workspace == nil
            let reset = try desk.resetQuotas(
                isAll ? nil : Set(scopes.names.keys), waking: isAll ? nil : Set(scopes.names.values.joined()),
                by: NSUserName(), now: clock.now())
            Console.out("\(reset.scopes) quotas are reset; \(reset.woken) deliveries that waited are due now")
        }

        private func confirm() throws {
            guard !yes else { return }
            guard isatty(STDIN_FILENO) == 1 else {
                throw Failure.usage(
                    "--yes says that receivers may see more than their limits; without a terminal it has to")
            }
            Console.show("receivers may see more than their limits; reset? [y/N] ")
            guard ["y", "yes"].contains((readLine() ?? "").lowercased()) else { throw Failure("nothing was reset") }
        }
    }
}
