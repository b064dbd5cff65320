import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonServer
import CarillonStream

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Proves that nothing disappeared: counts every record, decision and delivery.",
        discussion: """
            Every record of the stream is read or unread; records read = unmatched + matched + duplicate + parked; \
            selected = notified + suppressed; every delivery is in exactly one state. Exit code 3 and the residue \
            when that does not hold.

              carillon verify
              carillon verify -o json
            """)

    @OptionGroup var listing: ListingOptions
    @OptionGroup var deployment: Deployment

    func run() throws {
        let configuration = try deployment.configuration()
        let desk = try configuration.desk()
        var law = try desk.verify(now: clock.now())
        // The stream is asked after the ledger: it may have grown since then, and can never be behind.
        let status = try desk.status(now: clock.now())
        let ends = try configuration.streamEnds()
        let unread = status.lag(behind: ends)
        law.residue += status.positions(beyond: ends)
        switch listing.format {
        case .json: Console.out(law.json(unread: unread).text)
        case .table: show(law, unread)
        }
        if !law.residue.isEmpty { throw Failure.problemsFound }
    }

    private func show(_ law: Conservation, _ unread: Int64) {
        Console.out("stream     \(unread) unread")
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

extension LedgerStatus {
    /// What the ledger has decided of this stream and the stream does not have.
    fileprivate func positions(beyond ends: [StreamEnds]) -> [String] {
        positions.compactMap { position in
            guard let stream = ends.first(where: { $0.stream == position.stream }),
                let end = stream.partitions[position.partition]?.next, position.next > end
            else { return nil }
            return
                "\(position.stream)/\(position.partition): decided up to \(position.next), the stream ends at \(end): "
                + "it is an older copy, and what is published now is not read"
        }
    }
}

extension Conservation {
    fileprivate func json(unread: Int64) -> JSONValue {
        let states = DeliveryState.allCases.map { JSONValue.Member.integer($0.rawValue, deliveries[$0.rawValue] ?? 0) }
        return .object([
            .integer("unread", unread), .integer("read", read), .integer("unmatched", unmatched),
            .integer("matched", matched),
            .integer("duplicate", duplicate), .integer("parked", parked), .integer("lost", lost),
            .integer("selected", selected), .integer("notified", notified), .integer("suppressed", suppressed),
            JSONValue.Member("deliveries", .object(states)),
            JSONValue.Member("residue", .array(residue.map { .string($0) })),
        ])
    }
}
