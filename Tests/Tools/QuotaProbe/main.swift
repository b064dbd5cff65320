import CarillonEvents
import CarillonLedger
import CarillonLedgerPostgres
import CarillonLedgerSQLite
import CarillonPlatform
import Glibc

// A worker process for the test of quotas: it claims, "sends" by a line in the receivers' log, and settles, until nothing is
// owed or it is killed. It prints a line for each send, so that its parent knows how far it came.
//
//     quota-probe sqlite|postgres PLACE LOG CLOCK LIMITS…
//
// CLOCK is a file with milliseconds to add to the wall clock; its parent steps it back. A limit is COUNT/MILLISECONDS/RESERVE.
// A line of the log is the target and the monotonic clock's nanoseconds.

let words = CommandLine.arguments
guard words.count >= 6 else { fatalError("quota-probe sqlite|postgres PLACE LOG CLOCK LIMITS…") }

func contents(_ path: String) -> String {
    guard let file = unsafe fopen(path, "r") else { return "" }
    defer { unsafe _ = fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
}

func now() -> Timestamp { SystemClock().now() + .milliseconds(Int64(contents(words[4])) ?? 0) }

/// Each target is a scope; those whose names end in an even digit withhold what finds no room.
final class ProbeTariff: Tariff {
    let limits: [SendLimit]
    init(_ texts: some Sequence<String>) {
        limits = texts.map { text in
            let parts = text.split(separator: "/").compactMap { Int64($0) }
            return SendLimit(Int(parts[0]), in: .milliseconds(parts[1]), reserve: Int(parts[2]))
        }
    }
    func isCharged(_ target: String, of workspace: String) -> Bool { true }
    func toll(of candidate: Candidate) -> Toll? {
        let isEven = (candidate.target.utf8.last ?? 0) % 2 == 0
        let isCritical = candidate.rule == "critical"
        return Toll(
            [.init(to: nil, [Charge(candidate.target, limits)])], last: isEven && !isCritical ? .suppressed : .waits,
            isCritical: isCritical, notice: "inbox/" + candidate.target)
    }
}

func open() throws -> any Ledger & LedgerDesk {
    if words[1] == "postgres" { return try PostgresLedger.open(at: words[2]) }
    return try SQLiteLedger.open(at: words[2])
}

/// Opens the ledger, as whoever supervises a worker would start it again: a server that recovers refuses at first.
func openPatiently() throws -> any Ledger & LedgerDesk {
    for _ in 0..<200 {
        do { return try open() } catch { usleep(50_000) }
    }
    return try open()
}

/// Who waits for us; without anybody we end.
let parent = getppid()
let log = unsafe Glibc.open(words[3], O_WRONLY | O_APPEND)

func send(_ claimed: Claimed, within lease: Lease) -> Settlement {
    var settlement = Settlement(delivery: claimed.delivery, epoch: claimed.epoch, ending: .delivered)
    settlement.scopes = claimed.scopes
    let luck = Int.random(in: 0..<20)
    if !lease.holds {
        settlement.ending = .released
    } else if claimed.expires <= now() {
        (settlement.ending, settlement.reason) = (.expired, "expire_after")
    } else if luck == 0 {
        (settlement.ending, settlement.reason) = (.retry(at: now()), "clientError")
    } else {
        var time = timespec()
        unsafe _ = clock_gettime(CLOCK_MONOTONIC, &time)
        let line = Array("\(claimed.destination) \(Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))\n".utf8)
        unsafe _ = write(log, line, line.count)
        settlement.isSpent = true
        // An answer was lost: it is sent again.
        if luck == 1 { (settlement.ending, settlement.reason) = (.retry(at: now()), "other") }
    }
    print("sent")
    fflush(nil)
    return settlement
}

/// How long nobody buries us, by a clock that nobody steps: a worker sends nothing behind it.
struct Lease {
    static let length = Duration.seconds(12)
    private var began = SystemClock().uptime()

    var holds: Bool { SystemClock().uptime() - began < Self.length / 2 }
    var isToBeProlonged: Bool { SystemClock().uptime() - began > Self.length / 6 }
}

func work() throws {
    let ledger = try openPatiently()
    var (lease, idle) = (Lease(), 0)
    var session = try ledger.begin(session: "probe", until: now() + Lease.length, now: now())
    let tariff = ProbeTariff(words[5...])
    while getppid() == parent {
        if lease.isToBeProlonged {
            let next = Lease()
            if try !ledger.extend(session, until: now() + Lease.length) {
                session = try ledger.begin(session: "probe", until: now() + Lease.length, now: now())
            }
            lease = next
            _ = try ledger.reap(now: now())
            _ = try ledger.tend(now: now())
        }
        let room = Room(total: Int.random(in: 1...30), perLane: 10)
        let claims = try ledger.claim(for: session, room: room, by: tariff, now: now())
        var settlements: [Settlement] = []
        for claimed in claims.deliveries {
            settlements.append(send(claimed, within: lease))
            if Int.random(in: 0..<4) == 0 {
                try ledger.settle(settlements, for: session, now: now())
                settlements = []
            }
        }
        try ledger.settle(settlements, for: session, now: now())
        idle = claims.deliveries.isEmpty && claims.turned.isEmpty ? idle + 1 : 0
        // To count all there is costs more than a look for what is due.
        if idle > 0, idle % 16 != 0 { usleep(15_000) }
        if idle > 0, idle % 16 == 0 {
            let open = try ledger.status(now: now()).deliveries
            if open["pending", default: 0] + open["leased", default: 0] == 0 {
                return try ledger.end(session, now: now())
            }
        }
    }
}

while getppid() == parent {
    do {
        try work()
        break
    } catch let error as LedgerError where error.isTransient {
        // The server restarts; what this worker held is another session's by then.
        usleep(50_000)
    }
}
