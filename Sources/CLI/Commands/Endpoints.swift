import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonRules
import CarillonWorker

struct Endpoints: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoints",
        abstract: "Lists endpoints, pauses and resumes them, and tries them out.",
        discussion: """
            Deliveries to a paused endpoint wait. One that answered that it is gone (410) is disabled until it is \
            resumed; one that fails is down, and is probed until it answers.

              carillon endpoints list --workspace vision
              carillon endpoints pause hook --workspace vision --reason "moving house"
              carillon endpoints resume hook --workspace vision
              carillon endpoints test hook --workspace vision
              carillon endpoints test mail/alice --workspace vision
            """,
        subcommands: [List.self, Pause.self, Resume.self, Test.self])

    /// The endpoint that a command is about.
    struct Choice: ParsableArguments {
        @Argument(help: "The endpoint's name, or CHANNEL/CONTACT.") var name: String
        @Option(help: "Whose endpoint it is.") var workspace: String

        /// The documents in force that know it.
        func rules(_ desk: any LedgerDesk) throws -> WorkspaceRules {
            let rules = try Endpoints.rules(of: workspace, desk)
            if let rules, rules.endpoints[name] != nil || rules.reach(name) != nil { return rules }
            let remedy =
                PeopleChannel(rawValue: name) == nil
                ? "`carillon endpoints list` names them"
                : "people are told by \(name): name one, as in \(name)/alice"
            throw Failure("there is no endpoint \(printable(name)) in \(printable(workspace)); \(remedy)")
        }
    }

    /// A workspace's documents in force.
    static func rules(of workspace: String, _ desk: any LedgerDesk) throws -> WorkspaceRules? {
        let sources = try desk.rules().workspaces[workspace] ?? []
        let loaded = RuleDocuments.load(sources.map { (file: $0.file, text: $0.text) }, limits: .inForce)
        return loaded.workspaces.first { $0.workspace == workspace }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Lists a workspace's endpoints, or all that get nothing now.",
            discussion: "  carillon endpoints list\n  carillon endpoints list --workspace vision -o json")
        @Option(help: "Whose endpoints; without it, those of all that are paused, disabled or down.")
        var workspace: String?
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func run() throws {
            let desk = try deployment.configuration().desk()
            var rows = try desk.endpoints(of: workspace)
            if let workspace {
                let known = Set(rows.map(\.name))
                for name in try Endpoints.rules(of: workspace, desk)?.endpoints.keys.sorted() ?? []
                where !known.contains(name) {
                    rows.append(
                        EndpointRow(workspace: workspace, name: name, state: nil, reason: "", since: nil, waiting: 0))
                }
                rows.sort { $0.name < $1.name }
            }
            var list = Listing(columns: ["workspace", "endpoint", "state", "since", "open", "why"])
            for row in rows {
                let since = row.since.map { Timestamp(milliseconds: $0).rfc3339 } ?? ""
                list.add(
                    [
                        printable(row.workspace), printable(row.name), row.state?.rawValue ?? "fine", since,
                        String(row.waiting), printable(row.reason),
                    ],
                    [
                        .string("workspace", row.workspace), .string("endpoint", row.name),
                        .string("state", row.state?.rawValue ?? "fine"), .time("since", row.since),
                        .integer("open", row.waiting), .string("reason", row.reason),
                    ])
            }
            list.print(listing.format, empty: workspace == nil ? "all endpoints are fine" : "no endpoints")
        }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pause",
            abstract: "Keeps deliveries from an endpoint until it is resumed; they wait.",
            discussion: "  carillon endpoints pause hook --workspace vision")
        @OptionGroup var choice: Choice
        @Option(help: "Why, for whoever lists it.") var reason = "by hand"
        @OptionGroup var deployment: Deployment

        func run() throws {
            let desk = try deployment.configuration().desk()
            _ = try choice.rules(desk)
            let isNew = try desk.pause(choice.name, of: choice.workspace, reason: reason, now: clock.now())
            let words = isNew ? "is paused; what is on its way ends, the rest waits" : "was suspended already"
            Console.out("\(printable(choice.name)) of \(printable(choice.workspace)) \(words)")
        }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume",
            abstract: "Lets an endpoint that was paused or disabled have its deliveries.",
            discussion: "  carillon endpoints resume hook --workspace vision")
        @OptionGroup var choice: Choice
        @OptionGroup var deployment: Deployment

        func run() throws {
            let desk = try deployment.configuration().desk()
            guard try desk.resume(choice.name, of: choice.workspace, now: clock.now()) else {
                throw Failure(
                    "\(printable(choice.name)) of \(printable(choice.workspace)) is neither paused nor disabled; "
                        + "`carillon endpoints list` says what is")
            }
            Console.out("\(printable(choice.name)) of \(printable(choice.workspace)) is resumed")
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "test",
            abstract: "Sends a marked message to an endpoint and says what came back.",
            discussion: """
                It goes out from here, by the same channel, address and secrets as a worker's, and is no delivery: \
                nothing counts it and nothing repeats it.

                  carillon endpoints test hook --workspace vision
                  carillon endpoints test mail/alice --workspace vision
                """)
        @OptionGroup var choice: Choice
        @OptionGroup var deployment: Deployment

        func run() async throws {
            let configuration = try deployment.configuration()
            guard !choice.name.hasPrefix("\(PeopleChannel.inbox)/") else {
                throw Failure("an inbox is a page in the ledger, with its delivery: there is nothing to try out")
            }
            let ending = try await configuration.tryOut(choice.name, of: choice.rules(configuration.desk()))
            let status = ending.status > 0 ? " (\(ending.status))" : ""
            let words = ending.words.isEmpty ? "" : ": \(printable(ending.words))"
            guard case .delivered = ending.outcome else {
                throw Failure("\(printable(choice.name)) did not take it: \(ending.outcome.brief)\(status)\(words)")
            }
            Console.out("\(printable(choice.name)) took it\(status)\(words)")
        }
    }
}

extension Outcome {
    /// For people.
    fileprivate var brief: String {
        switch self {
        case .delivered: "delivered"
        case .failed(let reason, _): "failed, \(reason.rawValue)"
        case .rateLimited: "it wants fewer messages"
        case .refused(let reason): "refused, \(reason.rawValue)"
        case .gone: "it is gone"
        case .ambiguous(let reason): "no answer, \(reason.rawValue); it may have arrived"
        case .unsent: "it was not sent"
        }
    }
}
