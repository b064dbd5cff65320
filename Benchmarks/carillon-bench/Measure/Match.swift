import ArgumentParser

struct Match: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compiles patterns, meets them with events and prints what each took, a JSON line a shape.",
        discussion: """
            One structure holds all rules, and an event is its JSON: nothing is read or parsed before. The job shape has \
            a workspace in each rule, the city shape five rules for each operator. The best round counts.
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

    func validate() throws {
        guard events > 0, rounds > 0, workspaces ?? 1 > 0, rules.allSatisfy({ $0 > 0 }) else {
            throw ValidationError("counts are above 0")
        }
    }

    func run() throws {
        if let workspaces {
            return try StandardOutput.say(MatchWorkspaces(workspaces: workspaces, rules: 10).measure(changes: 100))
        }
        if shape != .city {
            for count in rules {
                for shared in [false, true] {
                    try measure(JobShape.make(rules: count, shared: shared, events: events))
                }
            }
        }
        if shape != .job { for shape in CityShape.all(events: events) { try measure(shape) } }
    }

    private func measure(_ shape: MatchShape) throws {
        try StandardOutput.say(try MatchCost(shape: shape).measure(rounds: rounds))
    }
}
