import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonLedgerPostgres
import CarillonLedgerSQLite
import CarillonPlatform

struct LedgerCost: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Decides, claims and settles a delivery for every event of a generated file, sending nothing.",
        discussion: "What the ledger alone costs a delivery, and which of its calls take it. Microseconds of CPU.")

    @Argument(help: "A file that generate wrote.")
    var events: String
    @Option(help: "The ledger's file, or a PostgreSQL URL; made when it is missing.")
    var ledger: String
    @Flag(help: "Claim and settle nothing: what is decided stays pending.")
    var decideOnly = false
    @Option(help: "Events in a batch.")
    var batch = 5000
    @Option(help: "Deliveries a worker holds at a time.")
    var room = 256
    @Flag(help: "Decide nothing into memory: every delivery is claimed.")
    var claimed = false
    @Flag(help: "Claim each delivery against a quota of its contact.")
    var quota = false
    @Option(help: "Contacts that deliveries go to, with --claimed or --quota.")
    var contacts = 10_000
    @Flag(help: "Keep no order among the events of a subject.")
    var unordered = false

    func validate() throws {
        guard batch >= 1, room >= 1 else { throw ValidationError("--batch and --room are at least 1") }
    }

    func run() throws {
        let file = try EventFile(path: events)
        let opened: any Ledger =
            ledger.hasPrefix("postgres")
            ? try PostgresLedger.create(at: ledger) : try SQLiteLedger.create(at: ledger)
        var worker = Clerk(
            opened, room: decideOnly ? 0 : room, isOrdered: !unordered,
            contacts: claimed || quota ? contacts : nil, tariff: quota ? EachContact() : nil)
        try worker.begin()
        let meter = Meter()
        for start in stride(from: 0, to: file.events.count, by: batch) {
            try worker.decide(file.events[start..<min(start + batch, file.events.count)], at: start)
        }
        try meter.report(rows: file.events.count, worker.costs(each: file.events.count))
    }
}

/// Each contact has a quota with room for everything, so that the work is the same with it and without.
final class EachContact: Tariff {
    private let limits = [SendLimit(100_000, in: .seconds(900)), SendLimit(1_000_000, in: .seconds(86_400))]
    func isCharged(_ target: String, of workspace: String) -> Bool { true }
    func toll(of candidate: Candidate) -> Toll? { Toll([.init(to: nil, [Charge(candidate.target, limits)])]) }
}

/// A worker without stream, rules and receiver: every event is selected by one rule and every delivery succeeds.
private struct Clerk {
    private let ledger: any Ledger
    private let room: Int
    private let isOrdered: Bool
    /// How many contacts are told, all by claims; `nil` for one endpoint, told as far as there is room at once.
    private let contacts: Int?
    private let tariff: EachContact?
    private let clock = SystemClock()
    private var session: SessionID = 0
    private var cpu: [String: Double] = [:]
    private var calls: [String: Int] = [:]

    init(_ ledger: any Ledger, room: Int, isOrdered: Bool, contacts: Int?, tariff: EachContact?) {
        (self.ledger, self.room, self.isOrdered) = (ledger, room, isOrdered)
        (self.contacts, self.tariff) = (contacts, tariff)
    }

    mutating func begin() throws {
        session = try ledger.begin(session: "bench", until: clock.now() + .seconds(3600), now: clock.now())
    }

    mutating func decide(_ events: ArraySlice<EncodedEvent>, at start: Int) throws {
        while try measure("tend", { worker in try worker.ledger.tend(now: worker.clock.now()) }) {}
        let batch = try measure("prepare") { worker in try worker.decisions(events, at: start) }
        let decided = try measure("decide") { worker in
            try worker.ledger.decide(batch, for: worker.session, now: worker.clock.now())
        }
        guard case .done(let births, _, _) = decided else { throw Unexpected() }
        guard room > 0 else { return }
        try settle(
            births.compactMap { birth in
                if case .leased(let id, let epoch, _, _) = birth {
                    Settlement(delivery: id, epoch: epoch, ending: .delivered, status: 200)
                } else {
                    nil
                }
            })
        while true {
            let claims = try measure("claim") { worker in
                try worker.ledger.claim(
                    for: worker.session, room: Room(total: worker.room, perLane: worker.room), by: worker.tariff,
                    now: worker.clock.now())
            }
            guard !claims.deliveries.isEmpty else { return }
            try settle(
                claims.deliveries.map {
                    var settlement = Settlement(
                        delivery: $0.delivery, epoch: $0.epoch, ending: .delivered, status: 200)
                    (settlement.scopes, settlement.isSpent) = ($0.scopes, true)
                    return settlement
                })
        }
    }

    private mutating func settle(_ settlements: [Settlement]) throws {
        try measure("settle") { worker in
            try worker.ledger.settle(settlements, for: worker.session, now: worker.clock.now())
        }
    }

    private func decisions(_ events: ArraySlice<EncodedEvent>, at start: Int) throws -> Decisions {
        var batch = Decisions(
            stream: "bench", partition: 0, from: Int64(start), next: Int64(start + events.count),
            revision: try ledger.revision(), bytes: [])
        batch.read = events.count
        for (number, event) in events.enumerated() { add(event, number, start, to: &batch) }
        return batch
    }

    private func add(_ event: EncodedEvent, _ number: Int, _ start: Int, to batch: inout Decisions) {
        let (id, source) = (event.member("\"id\":\"") ?? "", event.member("\"source\":\"") ?? "")
        let subject = event.member("\"subject\":\"") ?? ""
        var hasher = KeyHasher("event")
        for part in [event.workspace, source, id] { hasher.add(part) }
        let key = hasher.key()
        let now = clock.now()
        let value = batch.bytes.count
        let target = contacts.map { "sms/c\((start + number) % $0)" } ?? "hook"
        batch.bytes += event.bytes
        batch.deliveries.append(
            Decisions.Delivery(
                key: .delivery(event: key, rule: "all", target: target), target: target,
                pair: isOrdered ? .pair(workspace: event.workspace, target: target, subject: subject) : nil,
                expires: now + .seconds(86_400), wanted: contacts == nil && number < room))
        batch.selections.append(Decisions.Selection(rule: "all", suppressed: nil, deliveries: number..<number + 1))
        batch.events.append(
            Decisions.Event(
                key: key, workspace: event.workspace, type: event.type, subject: subject, time: now, appended: now,
                offset: Int64(start + number), value: value..<batch.bytes.count, selections: number..<number + 1))
    }

    private mutating func measure<Result>(_ name: String, _ body: (Self) throws -> Result) rethrows -> Result {
        let before = Meter.cpuMicroseconds()
        defer {
            cpu[name, default: 0] += Meter.cpuMicroseconds() - before
            calls[name, default: 0] += 1
        }
        return try body(self)
    }

    /// What each call took of an event, in nanoseconds, and how often it was made.
    func costs(each rows: Int) -> [(String, Int)] {
        cpu.keys.sorted().flatMap { name in
            [
                ("\(name)_ns_per_row", Int(cpu[name, default: 0] * 1000) / max(rows, 1)),
                ("\(name)_calls", calls[name, default: 0]),
            ]
        }
    }

    private struct Unexpected: Error, CustomStringConvertible {
        var description: String { "the ledger did not take a batch; measure with a ledger of its own" }
    }
}
