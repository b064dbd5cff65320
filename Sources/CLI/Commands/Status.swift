import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonServer
import CarillonStream

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Says how the deployment stands: lag, what is pending or dead, workers, rules.",
        discussion: "  carillon status\n  carillon status -o json | jq .lag")

    @OptionGroup var listing: ListingOptions
    @OptionGroup var deployment: Deployment

    func run() throws {
        let configuration = try deployment.configuration()
        let desk = try configuration.desk()
        let now = clock.now()
        let status = try desk.status(now: now)
        let lag = status.lag(behind: try configuration.streamEnds())
        let residue = try desk.verify(now: now).residue
        let spool = SpoolFolder(configuration.spool)
        switch listing.format {
        case .json: Console.out(status.json(lag: lag, residue: residue, spool, now: now).text)
        case .table:
            show(status, lag, residue, now)
            show(spool, in: configuration.spool)
        }
    }

    private func show(_ spool: SpoolFolder, in folder: String) {
        let aside = spool.aside > 0 ? ", \(spool.aside) files put aside in \(folder)" : ""
        Console.out("spool           \(spool.segments) segments, \(spool.bytes) bytes\(aside)")
        for file in spool.unreadable {
            Console.out("unreadable      \(printable(file.path)): \(file.cause); it belongs to another user, chown it")
        }
    }

    private func show(_ status: LedgerStatus, _ lag: Int64, _ residue: [String], _ now: Timestamp) {
        let oldest = status.oldestPending.map { (now - Timestamp(milliseconds: $0)).brief + " ago" }
        Console.out("lag             \(lag) records")
        for state in DeliveryState.allCases {
            let label = state.rawValue + String(repeating: " ", count: max(1, 16 - state.rawValue.count))
            Console.out("\(label)\(status.deliveries[state.rawValue] ?? 0)")
        }
        Console.out("oldest pending  \(oldest ?? "none")")
        let reasons = status.suppressed.filter { $0.value > 0 }.sorted { $0.key < $1.key }
            .map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        Console.out(
            "suppressed      \(status.suppressed.values.reduce(0, +))" + (reasons.isEmpty ? "" : " (\(reasons))"))
        Console.out("parked          \(status.parked)")
        Console.out("breakers        \(status.endpoints.count { $0.state == .down }) open")
        for row in status.endpoints {
            let state = row.state?.rawValue ?? "fine"
            Console.out(
                "endpoint        \(printable(row.name)) of \(printable(row.workspace)) is \(state), "
                    + "\(row.waiting) open: \(printable(row.reason))")
        }
        Console.out("rule revision   \(status.revision)")
        Console.out("residue         \(residue.isEmpty ? "none" : residue.joined(separator: "; "))")
        for worker in status.workers {
            Console.out(
                "worker          \(printable(worker.name)), \(worker.alive ? "alive" : "gone"), \(worker.leased) leased"
            )
        }
        if status.workers.isEmpty { Console.out("worker          none; start `carillon serve` or `carillon worker`") }
    }
}

extension LedgerStatus {
    fileprivate func json(lag: Int64, residue: [String], _ spool: SpoolFolder, now: Timestamp) -> JSONValue {
        let states = DeliveryState.allCases.map { JSONValue.Member.integer($0.rawValue, deliveries[$0.rawValue] ?? 0) }
        let reasons = suppressed.sorted { $0.key < $1.key }.map { JSONValue.Member.integer($0.key, $0.value) }
        let age = oldestPending.map {
            JSONValue.double(Double((now - Timestamp(milliseconds: $0)).milliseconds) / 1000)
        }
        return .object([
            .integer("lag", lag), JSONValue.Member("deliveries", .object(states)),
            JSONValue.Member("oldest_pending_seconds", age ?? .null), JSONValue.Member("suppressed", .object(reasons)),
            .integer("parked", parked), .integer("revision", revision), JSONValue.Member("spool", spool.json),
            .integer("breakers_open", endpoints.count { $0.state == .down }),
            JSONValue.Member(
                "endpoints",
                .array(
                    endpoints.map { row in
                        .object([
                            .string("workspace", row.workspace), .string("endpoint", row.name),
                            .string("state", row.state?.rawValue), .integer("open", row.waiting),
                            .time("since", row.since), .string("reason", row.reason),
                        ])
                    })),
            JSONValue.Member("residue", .array(residue.map { .string($0) })),
            JSONValue.Member(
                "positions",
                .array(
                    // What is below zero is no partition: groups and replays keep their place there.
                    positions.filter { $0.partition >= 0 }.map { position in
                        .object([
                            .string("stream", position.stream), .integer("partition", position.partition),
                            .integer("next", position.next),
                        ])
                    })),
            JSONValue.Member(
                "workers",
                .array(
                    workers.map { worker in
                        .object([
                            .string("name", worker.name), JSONValue.Member("alive", .bool(worker.alive)),
                            .integer("leased", worker.leased), .time("until", worker.until),
                        ])
                    })),
        ])
    }
}

extension SpoolFolder {
    fileprivate var json: JSONValue {
        .object([
            .integer("segments", segments), .integer("bytes", bytes), .integer("aside", aside),
            JSONValue.Member("unreadable", .array(unreadable.map { .string($0.path) })),
        ])
    }
}
