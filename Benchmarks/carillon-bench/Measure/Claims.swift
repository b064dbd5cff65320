import ArgumentParser
import CarillonEvents
import CarillonLedger
import CarillonLedgerPostgres
import CarillonLedgerSQLite
import CarillonPlatform
import Glibc

struct ClaimCost: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "claims",
        abstract: "Claims and settles what waits in a ledger, as one of several workers, until nothing is open.",
        discussion:
            "Fill the ledger with `ledger --claimed --decide-only` before. CPU and wall time of this worker alone.")

    @Option(help: "The ledger's file, or a PostgreSQL URL.")
    var ledger: String
    @Flag(help: "Claim each delivery against a quota of its contact.")
    var quota = false
    @Option(help: "Deliveries a worker holds at a time.")
    var room = 256

    func validate() throws {
        guard room >= 1 else { throw ValidationError("--room is at least 1") }
    }

    func run() throws {
        let opened: any Ledger & LedgerDesk =
            ledger.hasPrefix("postgres") ? try PostgresLedger.open(at: ledger) : try SQLiteLedger.open(at: ledger)
        let tariff = quota ? EachContact() : nil
        let clock = SystemClock()
        let session = try opened.begin(session: "bench", until: clock.now() + .seconds(3600), now: clock.now())
        let meter = Meter()
        var count = 0
        while true {
            _ = try opened.tend(now: clock.now())
            let claims = try opened.claim(
                for: session, room: Room(total: room, perLane: room), by: tariff, now: clock.now())
            guard !claims.deliveries.isEmpty else {
                let open = try opened.status(now: clock.now()).deliveries
                if open["pending", default: 0] + open["leased", default: 0] == 0 { break }
                usleep(2_000)
                continue
            }
            count += claims.deliveries.count
            try opened.settle(claims.deliveries.map(Self.settlement), for: session, now: clock.now())
        }
        try meter.report(rows: count)
        try opened.end(session, now: clock.now())
    }

    private static func settlement(of claimed: Claimed) -> Settlement {
        var settlement = Settlement(
            delivery: claimed.delivery, epoch: claimed.epoch, ending: .delivered, status: 200)
        (settlement.scopes, settlement.isSpent) = (claimed.scopes, true)
        return settlement
    }
}
