import ArgumentParser

struct Match: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compiles patterns, meets them with events and prints what each took, a JSON line a shape.",
        discussion: """
            One structure holds all rules, and an event is its JSON: nothing is read or parsed before. The job shape has \
            a workspace in each rule, the city shape five rules for each operator. The best round counts.

            --write puts the rules and events of each shape into a folder of its own below the one given, for other \
            matchers to read, and measures nothing; --from measures with what such a folder holds.
            """)

    enum Shape: String, ExpressibleByArgument, CaseIterable { case job, city, all }

    @Option(help: "Which rules and events.")
    var shape = Shape.all
    @Option(help: "How many rules the job shape has; may be given more than once.")
    var rules = [10_000, 100_000]
    @Option(help: "Instead: the rules of so many workspaces, ten each, and a change of one.")
    var workspaces: Int?
    @Option(help: "How many different events.")
    var events = 20_000
    @Option(help: "How often all events are matched.")
    var rounds = 5
    @Option(help: ArgumentHelp("Write the shapes here instead of measuring.", valueName: "folder"))
    var write: String?
    @Option(
        help: ArgumentHelp("Measure with the rules and the first events of one that was written.", valueName: "folder"))
    var from: String?

    func validate() throws {
        guard write == nil || from == nil else { throw ValidationError("--write and --from exclude each other") }
        guard events > 0, rounds > 0, workspaces ?? 1 > 0, rules.allSatisfy({ $0 > 0 }) else {
            throw ValidationError("counts are above 0")
        }
    }

    func run() throws {
        if let from { return try measure(MatchFiles(folder: from).read(atMost: events)) }
        if let workspaces {
            return try StandardOutput.say(MatchWorkspaces(workspaces: workspaces, rules: 10).measure(changes: 100))
        }
        if shape != .city {
            for count in rules {
                for shared in [false, true] {
                    try use(JobShape.make(rules: count, shared: shared, events: events))
                }
            }
        }
        if shape != .job { for shape in CityShape.all(events: events) { try use(shape) } }
    }

    private func use(_ shape: MatchShape) throws {
        guard let write else { return try measure(shape) }
        try MatchFiles(folder: write + "/" + shape.folder).write(shape)
        try StandardOutput.say(
            """
            {"folder":"\(shape.folder)","shape":"\(shape.name)","rules":\(shape.patterns.count),\
            "events":\(shape.events.count),"event_bytes":\(shape.eventBytes)}
            """)
    }

    private func measure(_ shape: MatchShape) throws {
        try StandardOutput.say(try MatchCost(shape: shape).measure(rounds: rounds))
    }
}
