import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

/// What a test charges.
final class TestTariff: Tariff {
    var tolls: (Candidate) -> Toll?
    private(set) var asked = 0
    init(_ tolls: @escaping (Candidate) -> Toll?) { self.tolls = tolls }
    func isCharged(_ target: String, of workspace: String) -> Bool { target.contains("/") }
    func toll(of candidate: Candidate) -> Toll? {
        asked += 1
        return tolls(candidate)
    }

    /// Each target is a scope.
    static func each(_ limits: SendLimit..., last: Toll.Last = .waits) -> TestTariff {
        TestTariff { candidate in
            Toll(
                [.init(to: nil, [Charge(candidate.target, limits)])], last: last,
                isCritical: candidate.rule == "critical", notice: "inbox/" + candidate.target.split(separator: "/")[1])
        }
    }
}

extension Bed {
    /// Leases everything that is due and has quota.
    func claim(_ worker: Worker, by tariff: any Tariff, total: Int = 1000) throws -> Claims {
        try worker.live.claim(
            for: worker.session, room: Room(total: total, perLane: 1000), by: tariff, now: now)
    }

    func settle(
        _ worker: Worker, _ claimed: [Claimed], _ ending: Settlement.Ending = .delivered, isSpent: Bool = true
    ) throws {
        let settlements = claimed.map { claimed in
            var settlement = Settlement(delivery: claimed.delivery, epoch: claimed.epoch, ending: ending)
            (settlement.scopes, settlement.isSpent) = (claimed.scopes, isSpent)
            return settlement
        }
        try worker.live.settle(settlements, for: worker.session, now: now)
    }

    /// Decides so many deliveries to a target, each about a thing of its own.
    @discardableResult
    func owe(_ count: Int, _ worker: Worker, to target: String = "sms/alice", rule: String = "failures") throws
        -> [DeliveryID]
    {
        let first = try open().deliveries(DeliveryFilter(limit: 100_000)).count
        let from = try worker.live.position("s", 0) ?? 0
        let drafts = (first..<first + count).map { number in
            Draft("e\(number)", subject: "job-\(number)", rule: rule, to: [target], wanted: false)
        }
        let batch = try Decisions(drafts, from: from, revision: worker.live.revision(), now: now)
        return try worker.live.decide(batch, for: worker.session, now: now).births?.compactMap(\.id) ?? []
    }
}

@Suite("Ledger charges quotas: every backend keeps the contract", .timeLimit(.minutes(2)))
struct QuotaContract {
    private let minute = Duration.seconds(60)

    @Test("so many as the limit are leased, and the others wait until there is room", arguments: Backend.available)
    func limit(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(2, in: minute)))
        let worker = try bed.worker()
        let ids = try bed.owe(5, worker)
        let first = try bed.claim(worker, by: tariff)
        #expect(first.deliveries.map(\.delivery) == Array(ids[..<2]))
        #expect(first.deliveries.allSatisfy { $0.scopes == ["sms/alice"] })
        #expect(first.turned.map(\.fate) == [.deferred, .deferred, .deferred] && !first.leftBehind)
        try bed.settle(worker, first.deliveries)
        let waiting = try bed.open().deliveries(DeliveryFilter(state: .pending))
        #expect(waiting.count == 3 && waiting.allSatisfy { $0.reason == "quota" && $0.attempts == 0 })
        bed.clock.advance(by: minute - .milliseconds(1))
        #expect(try bed.claim(worker, by: tariff).deliveries.isEmpty)
        bed.clock.advance(by: .milliseconds(1))
        var later: [DeliveryID] = []
        for _ in 0..<200 where later.count < 3 {
            let claims = try bed.claim(worker, by: tariff)
            try bed.settle(worker, claims.deliveries)
            later += claims.deliveries.map(\.delivery)
            bed.clock.advance(by: .seconds(1))
        }
        #expect(later.sorted() == Array(ids[2...]))
        #expect(try bed.states().allSatisfy { $0 == .delivered } && bed.residue() == [])
    }

    @Test("what is on the way counts for as long as it is open", arguments: Backend.available)
    func open(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(1, in: .seconds(1))))
        let (first, second) = (try bed.worker(), try bed.worker("second"))
        try bed.owe(1, first)
        let claimed = try bed.claim(first, by: tariff).deliveries
        bed.clock.advance(by: .seconds(20))
        try bed.owe(1, second)
        #expect(try bed.claim(second, by: tariff).deliveries.isEmpty, "the first may arrive yet")
        try bed.settle(first, claimed)
        bed.clock.advance(by: .seconds(10))
        #expect(try bed.claim(second, by: tariff).deliveries.count == 1)
    }

    @Test("what certainly was not taken gives its place back at once", arguments: Backend.available)
    func released(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(1, in: minute)))
        let worker = try bed.worker()
        try bed.owe(1, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries, .dead, isSpent: false)
        try bed.owe(1, worker)
        let again = try bed.claim(worker, by: tariff).deliveries
        #expect(again.count == 1)
        try bed.settle(worker, again, .dead, isSpent: true)
        try bed.owe(1, worker)
        #expect(try bed.claim(worker, by: tariff).deliveries.isEmpty, "what may have arrived keeps it")
    }

    @Test("what a dead worker held may have arrived until its death", arguments: Backend.available)
    func death(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(1, in: minute)))
        guard backend != .memory else { return }
        let (first, second) = (try bed.worker(), try bed.worker("second"))
        let ids = try bed.owe(1, first)
        #expect(try bed.claim(first, by: tariff).deliveries.count == 1)
        bed.clock.advance(by: .seconds(10))
        first.die()
        #expect(try second.live.reap(now: bed.now) == 1)
        #expect(try bed.residue() == [])
        #expect(try bed.claim(second, by: tariff).deliveries.isEmpty)
        bed.clock.advance(by: minute - .milliseconds(1))
        #expect(try bed.claim(second, by: tariff).deliveries.isEmpty)
        bed.clock.advance(by: .milliseconds(1))
        #expect(try bed.claim(second, by: tariff).deliveries.map(\.delivery) == ids)
    }

    @Test(
        "a late yes for an older claim leaves the newer one's place to its own settlement", arguments: Backend.available
    )
    func lateYes(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(2, in: minute)))
        let (first, second) = (try bed.worker(lease: .seconds(1)), try bed.worker("second"))
        try bed.owe(1, first)
        let old = try bed.claim(first, by: tariff).deliveries
        bed.clock.advance(by: .seconds(2))
        _ = try second.live.reap(now: bed.now)
        let new = try bed.claim(second, by: tariff).deliveries
        #expect(new.map(\.epoch) == [2])
        try bed.settle(first, old)
        #expect(try bed.states() == [.delivered])
        try bed.settle(second, new)
        #expect(try bed.open().quotas().first?.log.open == [])
        #expect(try bed.residue() == [])
    }

    @Test("a step of the clock back freezes the windows", arguments: Backend.available)
    func stepBack(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(1, in: minute)))
        let worker = try bed.worker()
        try bed.owe(1, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        bed.clock.set(now: bed.now - .seconds(3600))
        try bed.owe(1, worker)
        #expect(try bed.claim(worker, by: tariff).deliveries.isEmpty)
        bed.clock.advance(by: .seconds(3600))
        #expect(try bed.claim(worker, by: tariff).deliveries.isEmpty)
        bed.clock.advance(by: minute)
        #expect(try bed.claim(worker, by: tariff).deliveries.count == 1)
    }

    @Test("the reserve is for what is critical", arguments: Backend.available)
    func reserve(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(3, in: minute, reserve: 1)))
        let worker = try bed.worker()
        try bed.owe(4, worker)
        #expect(try bed.claim(worker, by: tariff).deliveries.count == 2)
        try bed.owe(2, worker, rule: "critical")
        #expect(try bed.claim(worker, by: tariff).deliveries.map(\.rule) == ["critical"])
    }

    @Test("a ladder that ends in suppress withholds, listed and to be retried", arguments: Backend.available)
    func suppress(backend: Backend) throws {
        let bed = try backend.make()
        let tariff = TestTariff.each(SendLimit(1, in: minute), last: .suppressed)
        let worker = try bed.worker()
        let ids = try bed.owe(3, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        let withheld = try bed.open().deliveries(DeliveryFilter(state: .withheld, reason: "quota"))
        #expect(withheld.map(\.id) == [ids[2], ids[1]])
        bed.clock.advance(by: minute)
        #expect(try bed.open().retry(DeliveryFilter(state: .withheld, limit: 1), now: bed.now) == 1)
        let again = try bed.claim(worker, by: tariff).deliveries
        #expect(again.map(\.delivery) == [ids[2]])
        try bed.settle(worker, again)
        #expect(try bed.residue() == [])
    }

    @Test("what is withheld lets the next of its pair go on", arguments: Backend.available)
    func pairs(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(worker, Draft("a", to: ["sms/alice"], wanted: false))
        try bed.decide(worker, Draft("b", to: ["sms/alice"], wanted: false))
        try bed.decide(worker, Draft("c", to: ["sms/alice"], wanted: false))
        let tariff = TestTariff.each(SendLimit(1, in: minute), last: .suppressed)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        while try !bed.claim(worker, by: tariff).turned.isEmpty {}
        #expect(try bed.states() == [.delivered, .withheld, .withheld] && bed.residue() == [])
    }

    @Test("another channel takes what the own has no room for, and says so", arguments: Backend.available)
    func reroute(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let tariff = TestTariff { candidate in
            let own = Toll.Route(to: nil, [Charge("phone", [SendLimit(1, in: .seconds(60))])])
            let mail = Toll.Route(to: "mail/alice", [Charge("mailbox", [SendLimit(2, in: .seconds(60))])])
            return Toll(candidate.via == nil ? [own, mail] : [mail], last: .waits)
        }
        try bed.owe(4, worker)
        let claims = try bed.claim(worker, by: tariff)
        #expect(claims.deliveries.map(\.via) == [nil, "mail/alice", "mail/alice"])
        #expect(claims.deliveries.map(\.scopes) == [["phone"], ["mailbox"], ["mailbox"]])
        #expect(claims.deliveries.allSatisfy { $0.target == "sms/alice" })
        #expect(claims.turned.map(\.fate) == [.rerouted, .rerouted, .deferred])
        try bed.settle(worker, claims.deliveries)
        #expect(try bed.open().deliveries(DeliveryFilter()).map(\.via) == [nil, "mail/alice", "mail/alice", nil])
        #expect(try bed.residue() == [])
    }

    @Test("who is told there already is not told twice", arguments: Backend.available)
    func merge(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let tariff = TestTariff { candidate in
            guard candidate.target == "sms/alice" else { return nil }
            return Toll([
                .init(to: nil, [Charge("phone", [SendLimit(1, in: .seconds(60))])]), .init(to: "mail/alice", []),
            ])
        }
        try bed.owe(1, worker)
        #expect(try bed.claim(worker, by: tariff).deliveries.count == 1)
        try bed.decide(worker, Draft("both", subject: "x", to: ["sms/alice", "mail/alice"], wanted: false))
        try bed.decide(worker, Draft("alone", subject: "y", to: ["sms/alice"], wanted: false))
        let claimed = try bed.claim(worker, by: tariff).deliveries
        #expect(claimed.map(\.target).sorted() == ["mail/alice", "sms/alice"])
        let row = try #require(try bed.open().deliveries(DeliveryFilter(state: .withheld)).first)
        #expect(row.target == "sms/alice" && row.reason == "already_sent")
        #expect(try bed.residue() == [])
    }

    @Test("the contact's inbox has one notice a window, and it counts all of it", arguments: Backend.available)
    func notice(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(1, in: minute)))
        let worker = try bed.worker()
        for _ in 0..<3 {
            try bed.owe(4, worker)
            try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
            bed.clock.advance(by: .seconds(5))
        }
        let pages = try bed.open().inbox(of: "inbox/alice", in: "vision", limit: 10)
        #expect(pages.count == 1 && pages.first?.page.title.hasPrefix("11 withheld since ") == true)
        bed.clock.advance(by: .seconds(45))
        try bed.owe(9, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        #expect(try bed.open().inbox(of: "inbox/alice", in: "vision", limit: 10).count == 2)
        #expect(try bed.open().quotaNotices(of: "vision", limit: 10).map(\.spent) == ["sms/alice", "sms/alice"])
    }

    @Test("a budget counts what messages cost, whoever is told", arguments: Backend.available)
    func budget(backend: Backend) throws {
        let bed = try backend.make()
        let (first, second) = (try bed.worker(), try bed.worker("second"))
        let tariff = TestTariff { candidate in
            let price = candidate.target == "sms/alice" ? 300 : 500
            return Toll([.init(to: nil, [Charge("cost vision", [SendLimit(1_000, in: .seconds(60))], weight: price)])])
        }
        try bed.owe(2, first)
        #expect(try bed.claim(first, by: tariff).deliveries.count == 2)
        try bed.owe(1, first, to: "sms/wei")
        #expect(try bed.claim(second, by: tariff).deliveries.isEmpty, "600 and 500 are more than 1,000")
        try bed.owe(1, first)
        let cheap = try bed.claim(second, by: tariff).deliveries
        #expect(cheap.map(\.target) == ["sms/alice"], "what fits goes before what does not")
        try bed.settle(second, cheap, .dead, isSpent: false)
        let row = try #require(try bed.open().quotas().first)
        #expect(row.log.used(in: SendLimit(1_000, in: minute), now: bed.now) == 600)
        #expect(try bed.residue() == [])
    }

    @Test(
        "a notice that is a message is due once, after its pause, and stands in no inbox", arguments: Backend.available)
    func message(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let tariff = TestTariff { candidate in
            Toll(
                [.init(to: nil, [Charge(candidate.target, [SendLimit(1, in: .seconds(600))])])], notice: "mail/alice",
                noticeAfter: .seconds(60))
        }
        for _ in 0..<2 {
            try bed.owe(3, worker)
            try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
            bed.clock.advance(by: .seconds(20))
        }
        #expect(try worker.live.untoldNotices(limit: 10, now: bed.now).isEmpty, "its pause is not over")
        bed.clock.advance(by: .seconds(20))
        let due = try worker.live.untoldNotices(limit: 10, now: bed.now)
        #expect(due.map(\.target) == ["mail/alice"] && due.map(\.count) == [5] && due.map(\.spent) == ["sms/alice"])
        #expect(try bed.open().inbox(of: "inbox/alice", in: "vision", limit: 10).isEmpty)
        try worker.live.told(due)
        try bed.owe(2, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        bed.clock.advance(by: .seconds(300))
        #expect(try worker.live.untoldNotices(limit: 10, now: bed.now).isEmpty, "once a window")
        #expect(try bed.open().quotaNotices(of: "vision", limit: 10).map(\.count) == [7])
    }

    @Test("a reset forgets what counts, says who did it, and wakes what waits", arguments: Backend.available)
    func reset(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(1, in: minute)))
        let worker = try bed.worker()
        try bed.owe(2, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        let desk = try bed.open()
        #expect(try desk.quotas().map(\.label) == ["vision sms/alice"])
        #expect(try desk.resetQuotas(["sms/bob"], waking: [], by: "root", now: bed.now) == (0, 0))
        #expect(try bed.claim(worker, by: tariff).deliveries.isEmpty)
        let reset = try desk.resetQuotas(
            ["sms/alice"], waking: [LaneName(workspace: "vision", target: "sms/alice")], by: "root", now: bed.now)
        #expect(reset == (1, 1))
        #expect(try desk.quotas().first?.resetBy == "root")
        #expect(try bed.claim(worker, by: tariff).deliveries.count == 1)
    }

    @Test("what is charged nothing is asked for nothing, and leaves no row", arguments: Backend.available)
    func free(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(1, in: minute)))
        let worker = try bed.worker()
        try bed.owe(3, worker, to: "hook")
        #expect(try bed.claim(worker, by: tariff).deliveries.count == 3)
        #expect(try tariff.asked == 0 && bed.open().quotas().isEmpty)
    }

    @Test("what has expired is leased for its end and charged nothing", arguments: Backend.available)
    func expired(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), TestTariff.each(SendLimit(1, in: .seconds(86_400 * 7))))
        let worker = try bed.worker()
        try bed.owe(2, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        bed.clock.advance(by: .seconds(86_400))
        let due = try bed.claim(worker, by: tariff).deliveries
        #expect(due.count == 1 && due.allSatisfy { $0.scopes.isEmpty && $0.expires <= bed.now })
    }
}
