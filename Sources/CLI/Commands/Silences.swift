import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonRules

struct Silences: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "silence",
        abstract: "Holds back notifications for a time; what is held back is listed.",
        discussion: """
            While a silence holds, what a workspace's rules select and its pattern fits is decided as suppressed, with \
            the silence's number. What was decided before goes on. A silence of '*' holds for the rules of every workspace.

              carillon silence add --workspace vision --for 2h \\
                --pattern '{"data":{"node":[{"prefix":"gpu-1"}]}}' --comment "rack 1 moves"
              carillon silence list
              carillon silence expire 3
              carillon deliveries list --state suppressed --reason silence
            """,
        subcommands: [Add.self, List.self, Expire.self])

    /// So many hold in a workspace at a time: each is asked of every event that a rule selects.
    static let most = 100

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Adds a silence that begins now, and prints its number.",
            discussion: """
                Workers heed it from the next event on that is published after the command ended. The pattern is JSON in \
                EventBridge's language over the whole event; {"type":[{"exists":true}]} fits every one.

                  carillon silence add --workspace vision --pattern '{"subject":["dlc-7f3a"]}' \\
                    --for 45m --comment "known, INC-12"
                  carillon silence add --workspace '*' --pattern @maintenance.json --for 4h --comment upgrade
                """)
        @Option(help: "Whose rules; '*' is everybody's.") var workspace: String
        @Option(help: ArgumentHelp("Which events: a pattern, or @ and the file it stands in.", valueName: "json|@file"))
        var pattern: String
        @Option(name: .customLong("for"), help: "For how long, such as 45m or 2h; at most 365d.") var length: String
        @Option(help: "Why, for those who ask.") var comment: String
        @OptionGroup var deployment: Deployment

        func run() throws {
            let configuration = try deployment.configuration()
            if let fault = nameFault(workspace) { throw Failure.usage("a workspace's name \(fault)") }
            if let fault = Self.fault(ofComment: comment) { throw Failure.usage("--comment \(fault)") }
            guard let length = Duration(text: length), (.seconds(1)...(.seconds(365 * 86_400))).contains(length) else {
                throw Failure.usage("--for is a duration from 1s to 365d, such as 45m or 2h")
            }
            let (pattern, desk, now) = (try PatternArgument(pattern).text, try configuration.desk(), clock.now())
            let holding = try desk.silences().filter { $0.workspace == workspace && $0.until > now.milliseconds }
            guard holding.count < Silences.most else {
                throw Failure(
                    "\(printable(workspace)) has \(holding.count) silences, and no more can hold at a time; "
                        + "`carillon silence expire` ends one, or write one pattern for several with \"$or\"")
            }
            let until = now + length
            let id = try desk.add(
                NewSilence(workspace: workspace, pattern: pattern, comment: comment, until: until), now: now)
            Console.out("silence \(id) of \(printable(workspace)) holds until \(until.rfc3339)")
        }

        private static func fault(ofComment comment: String) -> String? {
            if comment.allSatisfy(\.isWhitespace) { return "says why; it must not be empty" }
            return comment.utf8.count > 1000 ? "has at most 1000 bytes" : nil
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Lists the silences that hold, or all that are kept.",
            discussion: "  carillon silence list --workspace vision\n  carillon silence list --all -o json")
        @Option(help: "Only of this workspace.") var workspace: String?
        @Flag(help: "Those that are over, too.") var all = false
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func run() throws {
            let desk = try deployment.configuration().desk()
            let now = clock.now().milliseconds
            var list = Listing(columns: ["silence", "workspace", "state", "since", "until", "pattern", "comment"])
            for silence in try desk.silences() where workspace ?? silence.workspace == silence.workspace {
                let holds = silence.until > now
                guard all || holds else { continue }
                list.add(silence.cells(holds: holds), silence.members(holds: holds))
            }
            list.print(listing.format, empty: "no silence\(all ? "" : " holds; --all lists those that are over")")
        }
    }

    struct Expire: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "expire",
            abstract: "Ends silences before their time.",
            discussion: """
                What they held back stays suppressed, and is listed.

                  carillon silence expire 3 4
                  carillon silence expire --workspace vision --all
                """)
        @Argument(help: "Numbers of silences.") var ids: [SilenceID] = []
        @Option(help: "Only of this workspace.") var workspace: String?
        @Flag(help: "All that hold in the workspace.") var all = false
        @OptionGroup var deployment: Deployment

        func validate() throws {
            if ids.isEmpty != all { throw ValidationError("give numbers of silences, or --workspace and --all") }
            if all, workspace == nil { throw ValidationError("--all needs --workspace") }
        }

        func run() throws {
            let desk = try deployment.configuration().desk()
            let now = clock.now()
            let holding = try desk.silences().filter { silence in
                silence.until > now.milliseconds && workspace ?? silence.workspace == silence.workspace
            }
            var missing: [SilenceID] = []
            for id in all ? holding.map(\.id) : ids {
                guard holding.contains(where: { $0.id == id }), try desk.endSilence(id, now: now) else {
                    missing.append(id)
                    continue
                }
                Console.out("silence \(id) is over")
            }
            guard missing.isEmpty else {
                let numbers = missing.map(String.init).joined(separator: ", ")
                throw Failure(
                    "no silence \(numbers) holds\(workspace.map { " in \(printable($0))" } ?? ""); "
                        + "`carillon silence list` names those that do")
            }
        }
    }
}

extension Silence {
    fileprivate func cells(holds: Bool) -> [String] {
        [
            String(id), printable(workspace), holds ? "holds" : "over", Timestamp(milliseconds: since).rfc3339,
            Timestamp(milliseconds: until).rfc3339, printable(pattern), printable(comment),
        ]
    }

    fileprivate func members(holds: Bool) -> [JSONValue.Member] {
        [
            .integer("silence", Int(id)), .string("workspace", workspace), .string("state", holds ? "holds" : "over"),
            .time("since", since), .time("until", until), .string("pattern", pattern), .string("comment", comment),
        ]
    }
}
