import ArgumentParser
import CarillonEvents
import CarillonLedger

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Proves that nothing disappeared: counts every record, decision and delivery.",
        discussion: """
            records read = unmatched + matched + duplicate + parked; selected = notified + suppressed; every delivery is
            in exactly one state. Exit code 3 and the residue when that does not hold.

              carillon verify
              carillon verify -o json
            """)

    @OptionGroup var listing: ListingOptions
    @OptionGroup var deployment: Deployment

    func run() throws {
        let law = try deployment.configuration().desk().verify(now: clock.now())
        switch listing.format {
        case .json: Console.out(law.json.text)
        case .table: show(law)
        }
        if !law.residue.isEmpty { throw Failure.problemsFound }
    }

    private func show(_ law: Conservation) {
        Console.out(
            "records    \(law.read) read = \(law.unmatched) unmatched + \(law.matched) matched + \(law.duplicate) duplicate "
                + "+ \(law.parked) parked; \(law.lost) lost to retention")
        Console.out("decisions  \(law.selected) selected = \(law.notified) notified + \(law.suppressed) suppressed")
        let states = DeliveryState.allCases.compactMap { state in
            law.deliveries[state.rawValue].map { "\($0) \(state.rawValue)" }
        }
        Console.out("deliveries \(states.isEmpty ? "none" : states.joined(separator: " + "))")
        Console.out(law.residue.isEmpty ? "the law holds" : "the law does not hold:")
        for line in law.residue { Console.out("  \(line)") }
    }
}

extension Conservation {
    fileprivate var json: JSONValue {
        let states = DeliveryState.allCases.map { JSONValue.Member.integer($0.rawValue, deliveries[$0.rawValue] ?? 0) }
        return .object([
            .integer("read", read), .integer("unmatched", unmatched), .integer("matched", matched),
            .integer("duplicate", duplicate), .integer("parked", parked), .integer("lost", lost),
            .integer("selected", selected), .integer("notified", notified), .integer("suppressed", suppressed),
            JSONValue.Member("deliveries", .object(states)),
            JSONValue.Member("residue", .array(residue.map { .string($0) })),
        ])
    }
}
