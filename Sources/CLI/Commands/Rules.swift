import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonRules

struct Rules: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Checks, applies, lists and tests rule documents.",
        discussion: """
            A document is YAML with the rules of one workspace:

              version: 1
              workspace: vision
              contacts:
                alice: {mail: alice@example.com, aliases: [u10023]}
                wei: {mail: wei@example.com, zone: Asia/Shanghai, quiet: "22:00-07:00"}
              groups: {oncall: [alice, wei]}
              endpoints:
                hook:
                  kind: webhook
                  url: "https://ops.example.com/alerts"
                  secret: {secret: hook-key}
              rules:
                - name: failures
                  events: [job.failed]
                  notify:
                    - hook
                    - mail: [$owner, oncall]

              carillon rules check rules/
              carillon rules test --rules rules/vision.yaml events.jsonl
              carillon rules match --pattern '{"data":{"final":[true]}}' events.jsonl
              carillon rules apply rules/
            """,
        subcommands: [Check.self, Apply.self, List.self, Test.self, Match.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Says every problem of rule documents with its place; changes nothing.",
            discussion: """
                Prints how many targets each rule has of those it may have: each endpoint, and each contact once on each \
                channel, are one; limits.default.targets_per_rule and limits.workspaces.W.targets_per_rule set how many. With --events it also judges the \
                conditions on these events, and says which failed and where first. Exit code 3 when a condition failed \
                or a problem is no mere warning.

                  carillon rules check rules/ extra.yaml
                  carillon rules check rules/ --events yesterday.jsonl
                """)
        @Argument(help: "Files, folders of *.yaml, or - for standard input.", completion: .file()) var paths: [String]
        @Option(
            help: "A file of events, one JSON object a line, to judge conditions on; may be given again.",
            completion: .file())
        var events: [String] = []
        @OptionGroup var deployment: Deployment

        func run() throws {
            let limits = try deployment.configuration().ruleLimits
            let workspaces = try Rules.load(paths, limits: limits).workspaces
            for rules in workspaces.sorted(by: { $0.workspace < $1.workspace }) {
                for rule in rules.rules {
                    Console.out(
                        "\(rules.workspace) \(rule.name): \(rule.units) of \(limits.targets(in: rules.workspace)) targets"
                    )
                }
            }
            try judge(workspaces)
        }

        private func judge(_ workspaces: [WorkspaceRules]) throws {
            guard !events.isEmpty else { return }
            var trial = ConditionTrial(workspaces)
            for file in events { try trial.judge(file) }
            trial.report()
            if trial.hasProblems { throw Failure.problemsFound }
        }
    }

    struct Apply: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "apply",
            abstract: "Brings rule documents into force and prints the difference.",
            discussion: """
                All or nothing: on any problem nothing is changed. What is published after this command ended meets \
                the new rules. A workspace's documents replace what is in force for it; rules and endpoints they omit \
                are dropped with --prune only. A folder with --prune stands for the whole deployment: workspaces it \
                has no document for lose theirs. Pending deliveries of dropped rules and targets end, unless \
                --keep-pending.

                  carillon rules apply rules/vision.yaml
                  carillon rules apply --prune rules/
                """)
        @Argument(help: "Files, folders of *.yaml, or - for standard input.", completion: .file()) var paths: [String]
        @Flag(help: "Drop what the documents omit.") var prune = false
        @Flag(help: "Still deliver what waits for dropped rules and targets.") var keepPending = false
        @OptionGroup var deployment: Deployment

        func run() throws {
            let configuration = try deployment.configuration()
            let (files, workspaces) = try Rules.load(paths, limits: configuration.ruleLimits)
            let application = RuleApplication(files: files, prunes: prune, keepsPending: keepPending)
            let result = try application.apply(workspaces, to: configuration.desk())
            for (workspace, lines) in result.differences {
                Console.out("\(printable(workspace)):")
                for line in lines.isEmpty ? ["  only comments or order"] : lines.map({ "  \(printable($0))" }) {
                    Console.out(line)
                }
            }
            for secret in result.missingSecrets {
                Console.error(
                    "carillon: secret \(secret.name) of \(secret.workspace) is not set; "
                        + "carillon secrets set --workspace \(secret.workspace) \(secret.name) < FILE")
            }
            let expired = result.expired > 0 ? ", \(result.expired) pending deliveries ended" : ""
            Console.out(
                (result.isChange ? "in force" : "nothing changed") + " at revision \(result.revision)\(expired)")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Lists the rules in force.",
            discussion: "  carillon rules list\n  carillon rules list --workspace vision -o json")
        @Option(help: "Only of this workspace.") var workspace: String?
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func run() throws {
            let sources = try deployment.configuration().desk().rules()
            var list = Listing(columns: ["workspace", "rule", "enabled", "severity", "events", "notify", "place"])
            for (name, texts) in sources.workspaces.sorted(by: { $0.key < $1.key }) where workspace ?? name == name {
                let loaded = RuleDocuments.load(
                    texts.map { (file: $0.file, text: $0.text) }, limits: .inForce)
                for problem in loaded.problems where !problem.isWarning { Console.error("\(problem)") }
                for rule in loaded.workspaces.flatMap(\.rules) {
                    list.add(rule.cells(in: name), rule.members(in: name, revision: sources.changed[name] ?? 0))
                }
            }
            list.print(listing.format, empty: "no rules are in force; `carillon rules apply FILE` brings some")
        }
    }

    /// Reads documents and prints their problems.
    ///
    /// - Throws: `problemsFound` when one is more than a warning.
    static func load(_ paths: [String], limits: RuleLimits) throws -> (files: RuleFiles, workspaces: [WorkspaceRules]) {
        let files = try RuleFiles(paths)
        let loaded = files.load(limits: limits)
        for problem in loaded.problems { Console.error(printable("\(problem)", limit: 1000)) }
        guard loaded.problems.allSatisfy(\.isWarning) else { throw Failure.problemsFound }
        return (files, loaded.workspaces)
    }
}

extension Rule {
    fileprivate func cells(in workspace: String) -> [String] {
        [
            printable(workspace), printable(name), enabled ? "yes" : "no", severity.rawValue,
            events.map(\.text).joined(separator: ","), notifies.map { printable($0) }.joined(separator: ","),
            "\(printable(file)):\(line)",
        ]
    }

    fileprivate func members(in workspace: String, revision: Revision) -> [JSONValue.Member] {
        [
            .string("workspace", workspace), .string("rule", name), JSONValue.Member("enabled", .bool(enabled)),
            .string("severity", severity.rawValue),
            JSONValue.Member("events", .array(events.map { .string($0.text) })),
            JSONValue.Member("notify", .array(notifies.map { .string($0) })), .string("order", order.rawValue),
            .string("expire_after", expireAfter.text), .string("file", file), .integer("line", line),
            .integer("revision", revision),
        ]
    }
}
