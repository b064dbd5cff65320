import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonServer
import CarillonStream

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
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
        switch listing.format {
        case .json: Console.out(status.json(lag: lag, residue: residue, now: now).text)
        case .table: show(status, lag, residue, now)
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
        Console.out("suppressed      \(status.suppressed.values.reduce(0, +))")
        Console.out("parked          \(status.parked)")
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
    fileprivate func json(lag: Int64, residue: [String], now: Timestamp) -> JSONValue {
        let states = DeliveryState.allCases.map { JSONValue.Member.integer($0.rawValue, deliveries[$0.rawValue] ?? 0) }
        let reasons = suppressed.sorted { $0.key < $1.key }.map { JSONValue.Member.integer($0.key, $0.value) }
        let age = oldestPending.map {
            JSONValue.double(Double((now - Timestamp(milliseconds: $0)).milliseconds) / 1000)
        }
        return .object([
            .integer("lag", lag), JSONValue.Member("deliveries", .object(states)),
            JSONValue.Member("oldest_pending_seconds", age ?? .null), JSONValue.Member("suppressed", .object(reasons)),
            .integer("parked", parked), .integer("revision", revision),
            JSONValue.Member("residue", .array(residue.map { .string($0) })),
            JSONValue.Member(
                "positions",
                .array(
                    positions.map { position in
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
