import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import Testing

@Suite("Ledger housekeeping: every backend keeps the contract", .timeLimit(.minutes(2)))
struct RetentionTests {
    private let keeping = SQLiteLedger.Keeping(retention: .seconds(30 * 86_400), dedupHorizon: .seconds(7 * 86_400))

    private func tend(_ bed: Bed, _ worker: Worker) throws {
        var steps = 0
        while try worker.live.tend(now: bed.now) {
            steps += 1
            try #require(steps < 1000, "housekeeping never ends")
        }
    }

    @Test(
        "what is settled and old goes, what is open or young stays, and the law holds all the while",
        arguments: Backend.available)
    func retention(backend: Backend) throws {
        let bed = try backend.make(keeping: keeping)
        let worker = try bed.worker(lease: .seconds(365 * 86_400))
        try bed.decide(
            worker, Draft("old-1", subject: "1"), Draft("old-2", subject: "2"), Draft("stale", suppressed: .stale),
            unmatched: 4)
        try bed.decide(worker, Draft("open", subject: "3"), Draft("old-3", subject: "4"))
        for id in [1, 2, 4] as [DeliveryID] { try bed.settle(worker, id, .delivered) }
        bed.clock.advance(by: .seconds(40 * 86_400))
        try bed.decide(worker, Draft("young", subject: "5"))
        let before = try bed.open().verify(now: bed.now)
        try tend(bed, worker)
        let after = try bed.open().verify(now: bed.now)
        #expect(after.residue == [])
        #expect((after.read, after.matched, after.unmatched) == (before.read, before.matched, before.unmatched))
        #expect(
            (after.selected, after.notified, after.suppressed) == (before.selected, before.notified, before.suppressed))
        let kept = try bed.open().deliveries(DeliveryFilter()).map(\.subject)
        #expect(kept == ["5", "4", "3"], "everything from the first open one on is kept")
        try bed.settle(worker, 3, .delivered)
        bed.clock.advance(by: .seconds(40 * 86_400))
        try tend(bed, worker)
        #expect(try bed.residue() == [])
        #expect(try bed.open().deliveries(DeliveryFilter()).map(\.subject) == ["5"], "settled at last, and old")
        try bed.settle(worker, 5, .delivered)
        #expect(try worker.live.position("s", 0) == 10)
    }

    @Test(
        "what is old goes in the end, also when its batches went long before it was settled",
        arguments: Backend.available)
    func settledLate(backend: Backend) throws {
        let bed = try backend.make(keeping: keeping)
        let worker = try bed.worker(lease: .seconds(365 * 86_400))
        try bed.decide(worker, Draft("slow"))
        bed.clock.advance(by: .seconds(40 * 86_400))
        try tend(bed, worker)
        #expect(try bed.states() == [.leased])
        try bed.settle(worker, 1, .delivered)
        bed.clock.advance(by: .seconds(40 * 86_400))
        try tend(bed, worker)
        #expect(try bed.states() == [], "nothing will ever remove it")
        #expect(try bed.residue() == [])
    }

    @Test("thousands of old rows go in bounded steps", arguments: Backend.available)
    func bounded(backend: Backend) throws {
        let bed = try backend.make(keeping: keeping)
        let worker = try bed.worker(lease: .seconds(365 * 86_400))
        let drafts = (0..<3500).map { Draft("e\($0)", subject: nil, ordered: false) }
        let births = try worker.live.decide(Decisions(drafts), for: worker.session, now: bed.now).births ?? []
        try worker.live.settle(
            births.compactMap { $0.id.map { Settlement(delivery: $0, epoch: 1, ending: .delivered) } },
            for: worker.session, now: bed.now)
        bed.clock.advance(by: .seconds(40 * 86_400))
        #expect(try worker.live.tend(now: bed.now), "one step does not do it all")
        #expect(try bed.states().count > 0)
        #expect(try bed.residue() == [])
        try tend(bed, worker)
        #expect(try bed.states() == [])
        #expect(try bed.residue() == [])
    }

    @Test(
        "an event is known within the dedup horizon, through segments and their filters, and no longer than it must be")
    func horizon() throws {
        let bed = try Backend.file.make(keeping: keeping)
        let worker = try bed.worker(lease: .seconds(365 * 86_400))
        let sample = (0..<500).map { Draft("e\($0)", suppressed: .stale) }
        func duplicates(_ drafts: [Draft]) throws -> Int {
            let from = try worker.live.position("s", 0) ?? 0
            let batch = Decisions(drafts, from: from, now: bed.now)
            return try worker.live.decide(batch, for: worker.session, now: bed.now).duplicates ?? -1
        }
        #expect(try duplicates(sample) == 0)
        // A crowd of strangers, appended by another process, makes enough for a segment.
        try bed.tamper(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 131072)
            INSERT INTO fresh (key) SELECT randomblob(16) FROM n;
            """)
        #expect(try duplicates([Draft("one more", suppressed: .stale)]) == 0)
        #expect(try worker.live.tend(now: bed.now), "there is a filter to build")
        #expect(try duplicates([Draft("first of the next", suppressed: .stale)]) == 0)
        #expect(try duplicates(sample) == 500, "before a filter is built")
        try tend(bed, worker)
        #expect(try duplicates(sample) == 500, "after it is built")
        let strangers = (0..<500).map { Draft("s\($0)", suppressed: .stale) }
        #expect(try duplicates(strangers) == 0, "a filter's false yes is asked again")
        bed.clock.advance(by: .seconds(6 * 86_400))
        try tend(bed, worker)
        #expect(try duplicates(sample) == 500, "within the horizon")
        bed.clock.advance(by: .seconds(40 * 86_400))
        try tend(bed, worker)
        #expect(try duplicates([sample[0]]) == 0, "beyond the horizon, and its segment is dropped")
        #expect(try bed.residue() == [])
    }

    @Test("what one process decided is known to every other, before and after its keys become a segment")
    func sharedKeys() throws {
        let bed = try Backend.file.make(keeping: keeping)
        let workers = [try bed.worker(), try bed.worker()]
        var place: Int64 = 0
        func duplicates(_ worker: Int, _ drafts: [Draft]) throws -> Int {
            let batch = Decisions(drafts, from: place, now: bed.now)
            place = batch.next
            return try workers[worker].live.decide(batch, for: workers[worker].session, now: bed.now).duplicates ?? -1
        }
        let sample = (0..<50).map { Draft("e\($0)", suppressed: .stale) }
        #expect(try duplicates(0, sample) == 0)
        #expect(try duplicates(1, sample) == 50)
        #expect(try duplicates(1, [Draft("other", suppressed: .stale)]) == 0)
        try bed.tamper(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 131072)
            INSERT INTO fresh (key) SELECT randomblob(16) FROM n;
            """)
        #expect(try duplicates(0, sample) == 50)
        try tend(bed, workers[0])
        #expect(try duplicates(1, sample + [Draft("other", suppressed: .stale)]) == 51)
        #expect(try duplicates(1, [Draft("new", suppressed: .stale)]) == 0)
        #expect(try duplicates(0, [Draft("new", suppressed: .stale)]) == 1)
        #expect(try bed.residue() == [])
    }
}
