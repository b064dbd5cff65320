import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import Testing

@Suite("Verify beside workers: the law holds at the seams of its pieces", .timeLimit(.minutes(5)))
struct LiveVerifyTests {
    @Test(
        "while events are decided, settled, reopened and removed between any two pieces, nothing is missed or told twice",
        arguments: Backend.available, UInt64(1)...12)
    func seams(backend: Backend, seed: UInt64) throws {
        let bed = try backend.make(
            keeping: SQLiteLedger.Keeping(retention: .seconds(3_600), dedupHorizon: .seconds(900)))
        let business = try Business(bed, seed: seed)
        for _ in 0..<40 { try business.step() }
        for _ in 0..<4 {
            let law = try Meddled(bed.open()) { try business.step() }.verify(now: bed.now)
            #expect(law.residue == [])
            #expect(law.read == law.unmatched + law.matched + law.duplicate + law.parked)
        }
        #expect(try bed.residue() == [])
    }

    @Test("retention overtakes the count", arguments: Backend.available)
    func overtaken(backend: Backend) throws {
        let bed = try backend.make(
            keeping: SQLiteLedger.Keeping(retention: .seconds(3_600), dedupHorizon: .seconds(900)))
        let worker = try bed.worker(lease: .seconds(10_000_000))
        for number in 0..<30 {
            let draft = Draft("e\(number)", to: ["hook", "room"], suppressed: number % 3 == 0 ? .stale : nil)
            for id in try bed.decide(worker, draft).compactMap(\.id) { try bed.settle(worker, id, .delivered) }
        }
        bed.clock.advance(by: .seconds(1_800))
        try bed.decide(worker, Draft("young", subject: "job-2"))
        var isOver = false
        let law = try Meddled(bed.open()) {
            if isOver { return }
            isOver = true
            bed.clock.advance(by: .seconds(2_400))
            while try worker.live.tend(now: bed.now) {}
            try bed.decide(worker, Draft("last", subject: "job-3"))
        }.verify(now: bed.now)
        #expect(law.residue == [])
        #expect((law.matched, law.notified, law.suppressed) == (31, 21, 10))
        #expect(try bed.open().deliveries(DeliveryFilter()).count == 2)
    }

    @Test("what is lost shows beside workers too", arguments: Backend.available.filter { $0 != .memory })
    func shows(backend: Backend) throws {
        let bed = try backend.make()
        let business = try Business(bed, seed: 3, isYoung: true)
        for _ in 0..<40 { try business.step() }
        try bed.tamper("DELETE FROM delivery WHERE id = (SELECT min(id) FROM delivery WHERE part = 0 AND id > 5)")
        let law = try Meddled(bed.open()) { try business.step() }.verify(now: bed.now)
        #expect(law.residue.contains { $0.hasPrefix("selected = notified + grouped + suppressed") })
        #expect(law.residue.contains { $0.hasPrefix("tally of all deliveries = rows") })
    }
}

/// What goes on in a deployment, a step at a time.
private final class Business {
    private let bed: Bed
    private let worker: Worker
    private let isYoung: Bool
    private var random: SplitMix
    private var count = 0

    init(_ bed: Bed, seed: UInt64, isYoung: Bool = false) throws {
        (self.bed, self.isYoung) = (bed, isYoung)
        random = SplitMix(seed: seed)
        worker = try bed.worker(lease: .seconds(10_000_000))
    }

    func step() throws {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4: try decide()
        case 4..<7: try settle()
        case 7: _ = try bed.open().retry(DeliveryFilter(state: .dead, limit: 3), now: bed.now)
        case 8: _ = try bed.open().cancel(DeliveryFilter(limit: 1), now: bed.now)
        default:
            guard !isYoung else { return }
            bed.clock.advance(by: .seconds(Int64.random(in: 0..<2_000, using: &random)))
            while try worker.live.tend(now: bed.now) {}
        }
    }

    private func decide() throws {
        let drafts = (0..<Int.random(in: 1...8, using: &random)).map { _ in
            count += 1
            return Draft(
                // Some are duplicates.
                "e\(random.once(in: 6) ? count / 2 : count)", subject: "job-\(count % 5)",
                to: random.once(in: 3) ? ["hook", "room"] : ["hook"], suppressed: random.once(in: 5) ? .stale : nil,
                wanted: random.once(in: 2))
        }
        let from = try worker.live.position("s", 0) ?? 0
        let batch = Decisions(
            drafts, from: from, unmatched: 2, parked: random.once(in: 4) ? ["no JSON"] : [], now: bed.now)
        _ = try worker.live.decide(batch, for: worker.session, now: bed.now)
    }

    private func settle() throws {
        for one in try bed.claim(worker, total: 20).deliveries {
            let endings: [Settlement.Ending] = [.delivered, .dead, .retry(at: bed.now + .seconds(60)), .expired]
            try bed.settle(
                worker, one.delivery, epoch: one.epoch, endings[Int.random(in: 0..<4, using: &random)], reason: "x")
        }
    }
}

/// A ledger that something happens to before each question.
private final class Meddled: LedgerAnswers {
    private let ledger: any WholeLedger
    private let meddle: () throws -> Void

    init(_ ledger: any WholeLedger, _ meddle: @escaping () throws -> Void) {
        (self.ledger, self.meddle) = (ledger, meddle)
    }

    private func meddleOnce() { #expect(throws: Never.self) { try meddle() } }

    func beginVerification(now: Timestamp) throws(LedgerError) -> VerificationStart {
        try ledger.beginVerification(now: now)
    }
    func count(
        _ table: VerificationStart.Table, after cursor: Int64, upTo last: Int64
    ) throws(LedgerError) -> CountedPiece {
        meddleOnce()
        return try ledger.count(table, after: cursor, upTo: last)
    }
    func audit(
        since: Timestamp, until: Timestamp, after cursor: DeliveryID, upTo last: DeliveryID?, now: Timestamp
    ) throws(LedgerError) -> AuditPage {
        meddleOnce()
        return try ledger.audit(since: since, until: until, after: cursor, upTo: last, now: now)
    }
    func verifyRest(after cursor: [Int64]) throws(LedgerError) -> (residue: [String], next: [Int64]?) {
        meddleOnce()
        return try ledger.verifyRest(after: cursor)
    }
    func tallies() throws(LedgerError) -> [String: Int64] {
        meddleOnce()
        return try ledger.tallies()
    }

    // Not asked here.
    func events(_ name: EventName, limit: Int) throws(LedgerError) -> [DecidedEvent] { [] }
    func memberships(of event: Int64) throws(LedgerError) -> [Membership] { [] }
    func workspaces() throws(LedgerError) -> [String] { [] }
    func positions() throws(LedgerError) -> [LedgerStatus.PositionRow] { [] }
    func held(_ question: OwedQuestion, for reasons: Set<Suppression>, after cursor: Int64) throws(LedgerError)
        -> HeldPage
    { HeldPage(rows: [], next: nil) }
    func decided(_ stream: String, _ partition: Int32) throws(LedgerError) -> [DecidedRange] { [] }
    func revision(at moment: Timestamp) throws(LedgerError) -> Revision { 0 }
    func parked(_ stream: String?, _ partition: Int32, _ offset: Int64) throws(LedgerError) -> ParkedRow? { nil }
    func noteRetried(_ stream: String, _ partition: Int32, _ offset: Int64, now: Timestamp) throws(LedgerError) {}
    func begin(replay: String, since: Timestamp, until: Timestamp, now: Timestamp) throws(LedgerError) -> ReplayRow {
        try ledger.begin(replay: replay, since: since, until: until, now: now)
    }
    func owed(_ question: OwedQuestion, after cursor: DeliveryID, upTo: DeliveryID?) throws(LedgerError) -> OwedPage {
        try ledger.owed(question, after: cursor, upTo: upTo)
    }
    func reopen(
        _ deliveries: [DeliveryID], received: [DeliveryID], by revision: Revision?,
        of replay: (id: Int64, cursor: DeliveryID), now: Timestamp
    ) throws(LedgerError) -> Int { 0 }
    func note(replay id: Int64, decided: Int64, ended: Bool, now: Timestamp) throws(LedgerError) {}
    func batches(since: Timestamp, until: Timestamp) throws(LedgerError) -> Conservation {
        try ledger.batches(since: since, until: until)
    }
}
