import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

/// A verification that cannot fail proves nothing: each loss that rows can suffer has to show.
@Suite("Verify: what is lost or doubled behind the ledger's back shows", .timeLimit(.minutes(2)))
struct VerifyTests {
    /// A ledger with deliveries in every state, suppressed and parked records, and a session.
    private func furnished(_ backend: Backend = .file) throws -> (Bed, Worker) {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(3600))
        let drafts = [
            Draft("delivered", subject: "1", to: ["hook", "room"]), Draft("waiting", subject: "2"),
            Draft("dead", subject: "3"),
            Draft("leased", subject: "4"), Draft("behind", subject: "4", wanted: false),
            Draft("old", suppressed: .stale),
            Draft("due", subject: "5", wanted: false), Draft("delivered", subject: "1"),
        ]
        let batch = Decisions(drafts, from: 10, unmatched: 3, parked: ["not JSON"], gap: 4, holes: 2, now: bed.now)
        let births = try #require(worker.live.decide(batch, for: worker.session, now: bed.now).births)
        let ids = births.compactMap(\.id)
        try bed.settle(worker, ids[0], .delivered)
        try bed.settle(worker, ids[2], .retry(at: bed.now + .seconds(60)))
        try bed.settle(worker, ids[3], .dead)
        try bed.decide(worker, unmatched: 5)
        return (bed, worker)
    }

    @Test("an untouched ledger has no residue", arguments: Backend.available)
    func clean(backend: Backend) throws {
        let (bed, worker) = try furnished(backend)
        let law = try bed.open().verify(now: bed.now)
        #expect(law.residue == [])
        #expect((law.read, law.lost, law.unmatched, law.matched, law.duplicate, law.parked) == (17, 4, 8, 7, 1, 1))
        #expect((law.selected, law.notified, law.suppressed) == (7, 6, 1))
        #expect(law.deliveries == ["delivered": 1, "leased": 2, "pending": 3, "dead": 1])
        worker.die()
        _ = try bed.worker("other").live.reap(now: bed.now)
        #expect(try bed.residue() == [])
    }

    /// A ledger in memory was made by this version and cannot be tampered with from beside.
    @Test(
        "batches of before holes were counted may lack some on Kafka, and nowhere else",
        arguments: Backend.available.filter { $0 != .memory })
    func holesOfBefore(backend: Backend) throws {
        let (bed, worker) = try furnished(backend)
        try bed.tamper("UPDATE batch SET holes = NULL")
        #expect(try bed.residue().contains { $0.contains("counts") })
        try bed.tamper("UPDATE batch SET stream = 'kafka/s'; UPDATE position SET stream = 'kafka/s'")
        #expect(try bed.residue() == [])
        try bed.tamper("UPDATE batch SET read = read + 3")
        #expect(try bed.residue().contains { $0.contains("counts") })
        withExtendedLifetime(worker) {}
    }

    @Test(
        "tampering shows in PostgreSQL", .enabled(if: Backend.available.contains(.postgres)),
        arguments: [
            "DELETE FROM delivery WHERE id = 1", "DELETE FROM delivery WHERE id = 2",
            "DELETE FROM delivery WHERE state = 0 AND due IS NULL", "DELETE FROM event WHERE seq = 1",
            "DELETE FROM suppressed", "DELETE FROM parked", "DELETE FROM batch WHERE id = 1",
            "DELETE FROM batch WHERE id = (SELECT max(id) FROM batch)", "UPDATE batch SET read = read + 1",
            "UPDATE batch SET matched = matched + 1, unmatched = unmatched - 1", "UPDATE batch SET gap = 0",
            "UPDATE batch SET holes = 0", "UPDATE batch SET holes = holes + 1",
            "UPDATE batch SET selected = selected - 1", "UPDATE position SET next = next + 1", "DELETE FROM position",
            "UPDATE delivery SET due = NULL WHERE state = 0", "UPDATE delivery SET due = 1 WHERE state = 2",
            "UPDATE delivery SET state = 2 WHERE state = 3",
            "UPDATE delivery SET state = 0, session = 0 WHERE state = 1", "DELETE FROM session",
            "UPDATE session SET lowest = 1000",
            "DELETE FROM seen WHERE key = (SELECT key FROM seen ORDER BY key LIMIT 1)",
            "UPDATE tally SET n = n + 1 WHERE name = 'delivery.delivered'", "DELETE FROM rule",
            "UPDATE delivery SET event = 4711 WHERE id = 1",
        ])
    func tamperedInPostgres(sql: String) throws {
        let (bed, worker) = try furnished(.postgres)
        try bed.tamper(sql)
        #expect(try !bed.residue().isEmpty, "\(sql) went unseen")
        withExtendedLifetime(worker) {}
    }

    @Test(
        "tampering shows",
        arguments: [
            "DELETE FROM delivery WHERE id = 1",
            "DELETE FROM delivery WHERE id = 2",  // the second target of a notification
            "DELETE FROM delivery WHERE state = 0 AND due IS NULL",
            "INSERT INTO delivery SELECT 99, event, rule, lane, part, revision, key, NULL, decided, expires, round, 3, epoch, 0, attempts, NULL, NULL, settled, status, reason, started, supersedes, NULL, NULL FROM delivery WHERE id = 1",
            "DELETE FROM event WHERE seq = 1",
            "DELETE FROM suppressed",
            "DELETE FROM parked",
            "DELETE FROM batch WHERE id = 1",
            "DELETE FROM batch WHERE id = (SELECT max(id) FROM batch)",
            "UPDATE batch SET read = read + 1",
            "UPDATE batch SET matched = matched + 1, unmatched = unmatched - 1",
            "UPDATE batch SET gap = 0",
            "UPDATE batch SET holes = 0",
            "UPDATE batch SET holes = holes + 1",
            "UPDATE batch SET selected = selected - 1",
            "UPDATE position SET next = next + 1",
            "DELETE FROM position",
            "DELETE FROM due",
            "UPDATE due SET at = at + 1",
            "INSERT INTO due VALUES (1, 0, 1)",
            "INSERT INTO due VALUES (1, 0, 4711)",
            "UPDATE delivery SET state = 2 WHERE state = 3",
            "UPDATE delivery SET state = 0, session = 0 WHERE state = 1",
            "DELETE FROM session",
            "DELETE FROM fresh WHERE n = 1",
            "UPDATE tally SET n = n + 1 WHERE name = 'delivery.delivered'",
            "DELETE FROM rule",
            "UPDATE delivery SET event = 4711 WHERE id = 1",
        ])
    func tampered(sql: String) throws {
        let (bed, worker) = try furnished()
        try bed.tamper(sql)
        #expect(try !bed.residue().isEmpty, "\(sql) went unseen")
        withExtendedLifetime(worker) {}
    }
}
