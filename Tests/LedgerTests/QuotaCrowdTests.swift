import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonPostgres
import Dispatch
import Testing

// Claims of many workers meet at the rows that charging locks. Here a stranger's transaction holds them.

@Suite(
    "Quotas in a crowd: a claim passes over what another is at, and waits for it in the end", .timeLimit(.minutes(2)),
    .enabled(if: Backend.available.contains(.postgres)))
struct QuotaCrowdTests {
    /// What a claim needs to charge a delivery that may be withheld, as SQL that locks it for `sms/alice` alone.
    enum Held: String, CaseIterable {
        case lane = "SELECT id FROM lane WHERE target = 'sms/alice' FOR NO KEY UPDATE"
        case scope = "SELECT scope FROM quota WHERE scope = 'sms/alice' FOR NO KEY UPDATE"
    }

    /// Two contacts with quotas that were charged before, and what they are owed.
    private func owed() throws -> (bed: Bed, worker: Worker, tariff: TestTariff) {
        let bed = try Backend.postgres.make()
        let tariff = TestTariff.each(SendLimit(100, in: .seconds(60)), last: .suppressed)
        let worker = try bed.worker(lease: .seconds(3600))
        for target in ["sms/alice", "sms/bob"] { try bed.owe(1, worker, to: target) }
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        for target in ["sms/alice", "sms/bob"] { try bed.owe(3, worker, to: target) }
        return (bed, worker, tariff)
    }

    @Test("what is free is leased, and what was passed over is looked at again at once", arguments: Held.allCases)
    func passesOver(held: Held) throws {
        let (bed, worker, tariff) = try owed()
        let stranger = try Connection(bed.path)
        try stranger.execute("BEGIN; \(held.rawValue)")
        let claims = try bed.claim(worker, by: tariff)
        #expect(claims.deliveries.map(\.target) == ["sms/bob", "sms/bob", "sms/bob"])
        #expect(claims.deliveries.allSatisfy { $0.scopes == ["sms/bob"] })
        #expect(claims.nextDue == bed.now && claims.leftBehind && claims.turned.isEmpty)
        try stranger.execute("COMMIT")
        let rest = try bed.claim(worker, by: tariff)
        #expect(rest.deliveries.map(\.target) == ["sms/alice", "sms/alice", "sms/alice"])
        #expect(rest.nextDue == nil && !rest.leftBehind)
        try bed.settle(worker, claims.deliveries + rest.deliveries)
        #expect(try bed.residue() == [])
    }

    @Test("what is always held by somebody is waited for after a few claims", arguments: Held.allCases)
    func waits(held: Held) throws {
        let (bed, worker, tariff) = try owed()
        let isHeld = DispatchSemaphore(value: 0)
        let stranger = OwnThread { [path = bed.path] in
            let (stranger, watcher) = (try Connection(path), try Connection(path))
            try stranger.execute("BEGIN; \(held.rawValue)")
            isHeld.signal()
            // Lets go once a claim waits for it.
            let waiting = "SELECT pid FROM pg_stat_activity WHERE \(stranger.server) = ANY(pg_blocking_pids(pid))"
            while try watcher.run(waiting).isEmpty {}
            try stranger.execute("COMMIT")
        }
        isHeld.wait()
        for _ in 0..<8 {
            let claims = try bed.claim(worker, by: tariff)
            #expect(claims.deliveries.allSatisfy { $0.target == "sms/bob" })
        }
        #expect(try bed.claim(worker, by: tariff).deliveries.map(\.target) == ["sms/alice", "sms/alice", "sms/alice"])
        try stranger.join()
    }
}
