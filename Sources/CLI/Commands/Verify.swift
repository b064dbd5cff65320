import ArgumentParser
import CarillonAnswers
import CarillonEvents
import CarillonLedger
import CarillonServer
import CarillonStream

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Proves that nothing disappeared: counts every record, decision and delivery.",
        discussion: """
            Every record of the stream is read or unread; records read = unmatched + matched + duplicate + parked; \
            selected = notified + grouped + suppressed; every delivery is in exactly one state. Exit code 3 and the residue \
            when that does not hold. With a window, each delivery decided in it is looked at, a piece at a time beside \
            the workers, and what is wrong with one is named; its ends are rounded to hours. With a receiver's log, \
            ledger and receiver are compared: what is missing, extra, or came more than once.

              carillon verify
              carillon verify --since 2d --until 1d
              carillon verify --received sink.jsonl -o json
            """)

    @Option(help: "Only what was decided since: RFC 3339, or how long ago, such as 2h.") var since: Moment?
    @Option(help: "Only what was decided before.") var until: Moment?
    @Option(help: "A receiver's log, JSON lines of `carillon sink`; may be given again.", completion: .file())
    var received: [String] = []
    @OptionGroup var listing: ListingOptions
    @OptionGroup var deployment: Deployment

    func run() throws {
        let configuration = try deployment.configuration()
        if since != nil || until != nil || !received.isEmpty { return try audit(configuration) }
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

    private func audit(_ configuration: Configuration) throws {
        let log = received.isEmpty ? nil : try ReceivedLog(received)
        let audit = try Auditor(ledger: try configuration.desk()).audit(
            since: since?.timestamp ?? Timestamp(milliseconds: 0), until: until?.timestamp ?? clock.now(),
            received: log, now: clock.now())
        switch listing.format {
        case .json: Console.out(audit.json.text)
        case .table:
            show(audit.law, nil)
            if audit.isMoving {
                Console.out("the window was written meanwhile, so its sums were not compared; give --until")
            }
            if let found = audit.comparison {
                Console.out(
                    "receiver   \(found.both) both say so, \(found.missing) missing, \(found.extra) extra, "
                        + "\(found.copies) copies")
                for line in found.lines { Console.out("  \(line)") }
            }
        }
        let isSame = audit.comparison.map { $0.missing == 0 && $0.extra == 0 } ?? true
        if !audit.law.residue.isEmpty || !isSame { throw Failure.problemsFound }
    }

    private func show(_ law: Conservation, _ unread: Int64?) {
        if let unread { Console.out("stream     \(unread) unread") }
        Console.out(
            "records    \(law.read) read = \(law.unmatched) unmatched + \(law.matched) matched + \(law.duplicate) duplicate "
                + "+ \(law.parked) parked; \(law.lost) lost to retention")
        let grouped = law.grouped > 0 ? " + \(law.grouped) grouped" : ""
        Console.out(
            "decisions  \(law.selected) selected = \(law.notified) notified\(grouped) + \(law.suppressed) suppressed")
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

extension Audit {
    fileprivate var json: JSONValue {
        guard let comparison else { return law.json(unread: nil) }
        return .object([
            JSONValue.Member("law", law.json(unread: nil)), JSONValue.Member("moving", .bool(isMoving)),
            .integer("both", comparison.both), .integer("missing", comparison.missing),
            .integer("extra", comparison.extra), .integer("copies", comparison.copies),
            JSONValue.Member("named", .array(comparison.lines.map { .string($0) })),
        ])
    }
}

extension Conservation {
    fileprivate func json(unread: Int64?) -> JSONValue {
        let states = DeliveryState.allCases.map { JSONValue.Member.integer($0.rawValue, deliveries[$0.rawValue] ?? 0) }
        return .object([
            JSONValue.Member("unread", unread.map { .integer($0) } ?? .null), .integer("read", read),
            .integer("unmatched", unmatched),
            .integer("matched", matched),
            .integer("duplicate", duplicate), .integer("parked", parked), .integer("lost", lost),
            .integer("selected", selected), .integer("notified", notified), .integer("grouped", grouped),
            .integer("suppressed", suppressed),
            JSONValue.Member("deliveries", .object(states)),
            JSONValue.Member("residue", .array(residue.map { .string($0) })),
        ])
    }
}
