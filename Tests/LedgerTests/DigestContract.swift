import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import Testing

@Suite("Ledger digests: every backend keeps the contract", .timeLimit(.minutes(5)))
struct DigestContract {
    private static let minute = Duration.seconds(60)
    private static let terms = Toll.Last.digested(.init(name: "failed", life: .seconds(7_200)))
    private static func each(_ count: Int) -> TestTariff { .each(SendLimit(count, in: minute), last: terms) }

    /// What a worker sends in so many minutes, a look in each.
    private static func sent(
        within minutes: Int, _ bed: Bed, _ worker: Worker, _ tariff: TestTariff
    ) throws -> [Claimed] {
        var sent: [Claimed] = []
        for _ in 0..<minutes {
            bed.clock.advance(by: minute)
            let claimed = try bed.claim(worker, by: tariff).deliveries
            sent += claimed
            try bed.settle(worker, claimed)
        }
        return sent
    }

    @Test("what finds no room is told together once there is room, and counts right", arguments: Backend.available)
    func storm(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), Self.each(2))
        let worker = try bed.worker(lease: .seconds(1_000_000))
        let ids = try bed.owe(20, worker)
        let claims = try bed.claim(worker, by: tariff)
        #expect(claims.deliveries.map(\.delivery) == Array(ids[..<2]))
        #expect(claims.turned.map(\.fate) == Array(repeating: .digested, count: 18))
        try bed.settle(worker, claims.deliveries)
        let withheld = try bed.open().deliveries(DeliveryFilter(state: .withheld, reason: "digest", limit: 100))
        #expect(withheld.count == 18)
        #expect(try bed.open().quotaNotices(of: "vision", limit: 10).isEmpty, "they are told")
        #expect(try bed.residue() == [])
        let opened = bed.now
        bed.clock.advance(by: .seconds(30))
        try bed.owe(3, worker)
        #expect(try bed.claim(worker, by: tariff).deliveries.isEmpty)
        #expect(try bed.claim(worker, by: tariff).nextDue == opened + Self.minute, "when there is room")
        bed.clock.advance(by: .seconds(30))
        let told = try bed.claim(worker, by: tariff).deliveries
        let group = try #require(told.first?.group)
        #expect(told.count == 1 && told[0].target == "sms/alice" && told[0].scopes == ["sms/alice"])
        #expect(group.size == 21 && group.failed == 21 && group.total == 21 && group.number == 1)
        #expect(group.name == "failed" && group.since == opened)
        let listed = ([2, 3, 4] + Array(16...22)).map { #"{"id":"e\#($0)"}"# }.joined(separator: ",")
        #expect(String(decoding: group.events, as: UTF8.self) == "[\(listed)]")
        #expect(told[0].expires == bed.now + .seconds(7_200))
        try bed.settle(worker, told)
        #expect(try bed.claim(worker, by: tariff).nextDue == nil, "it is over")
        let law = try bed.open().verify(now: bed.now)
        #expect(law.residue == [] && law.selected == 23 && law.notified == 23 && law.grouped == 0)
        #expect(law.deliveries["withheld"] == 21 && law.deliveries["delivered"] == 3)
    }

    @Test("a digest collects until there is room indeed; then the next one is another", arguments: Backend.available)
    func collects(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), Self.each(1))
        let worker = try bed.worker(lease: .seconds(1_000_000))
        try bed.owe(3, worker)
        let open = try bed.claim(worker, by: tariff).deliveries
        for _ in 0..<10 {
            bed.clock.advance(by: .seconds(20))
            try bed.owe(1, worker)
            #expect(try bed.claim(worker, by: tariff).deliveries.isEmpty, "what is on its way has the place")
        }
        try bed.settle(worker, open)
        bed.clock.advance(by: Self.minute)
        let first = try bed.claim(worker, by: tariff).deliveries
        #expect(first.map(\.group?.size) == [12])
        try bed.settle(worker, first)
        try bed.owe(2, worker)
        #expect(try bed.claim(worker, by: tariff).deliveries.isEmpty)
        bed.clock.advance(by: Self.minute)
        let second = try bed.claim(worker, by: tariff).deliveries
        #expect(second.map(\.group?.size) == [2] && second.map(\.group?.number) == [1])
        #expect(second.first?.key != first.first?.key)
        #expect(try bed.residue() == [])
    }

    @Test("a digest's own message waits when others took the place, and is in no digest", arguments: Backend.available)
    func waits(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), Self.each(1))
        let worker = try bed.worker(lease: .seconds(1_000_000))
        try bed.owe(3, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        bed.clock.advance(by: Self.minute)
        // It speaks, and before it is sent another rule's message has the place.
        let free = TestTariff { _ in nil }
        let message = try #require(try bed.claim(worker, by: free).deliveries.first)
        #expect(message.group?.size == 2)
        try bed.settle(worker, [message], .retry(at: bed.now + .seconds(1)))
        try bed.owe(1, worker, rule: "other")
        let other = try bed.claim(worker, by: tariff).deliveries
        #expect(other.map(\.rule) == ["other"])
        try bed.settle(worker, other)
        bed.clock.advance(by: .seconds(1))
        let claims = try bed.claim(worker, by: tariff)
        #expect(claims.deliveries.isEmpty && claims.turned.map(\.fate) == [.deferred])
        #expect(try bed.open().quotaNotices(of: "vision", limit: 10).isEmpty)
        bed.clock.advance(by: Self.minute)
        let again = try bed.claim(worker, by: tariff).deliveries
        #expect(again.map(\.group?.size) == [2] && again.map(\.key) == [message.key])
        #expect(try bed.residue() == [])
    }

    @Test("each rule and target has a digest of its own", arguments: Backend.available)
    func apart(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), Self.each(1))
        let worker = try bed.worker(lease: .seconds(1_000_000))
        let owed = [("sms/alice", "failures", 3), ("sms/alice", "other", 4), ("sms/wei", "failures", 5)]
        for (target, rule, count) in owed {
            try bed.owe(count, worker, to: target, rule: rule)
        }
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        let told = try Self.sent(within: 4, bed, worker, tariff).map {
            "\($0.rule) \($0.target) \($0.group?.size ?? 0)"
        }
        #expect(told.sorted() == ["failures sms/alice 2", "failures sms/wei 4", "other sms/alice 4"])
        #expect(try bed.residue() == [])
    }

    @Test(
        "what a digest tells is not owed; asked for by hand it is sent alone, and told by no other digest",
        arguments: Backend.available)
    func again(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), Self.each(1))
        let worker = try bed.worker(lease: .seconds(1_000_000))
        try bed.owe(3, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        var question = OwedQuestion(
            since: bed.now - .seconds(60), until: bed.now + .seconds(60), states: [.withheld, .dead])
        #expect(try bed.open().owed(question, after: 0, upTo: nil).rows.isEmpty)
        question.includesDigested = true
        #expect(try bed.open().owed(question, after: 0, upTo: nil).rows.count == 2)
        #expect(try bed.open().retry(DeliveryFilter(state: .withheld), now: bed.now) == 2)
        let turned = try bed.claim(worker, by: tariff).turned.map(\.fate)
        #expect(turned == [.deferred, .deferred], "each is in a digest already")
        let sent = try Self.sent(within: 6, bed, worker, tariff)
        #expect(sent.compactMap(\.group?.size) == [2] && sent.count == 3)
        #expect(try bed.residue() == [])
    }

    @Test(
        "a rule or a target that is removed ends its digest, and what it had to say expires",
        arguments: Backend.available)
    func removed(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), Self.each(1))
        let worker = try bed.worker(lease: .seconds(1_000_000))
        try bed.owe(3, worker)
        try bed.owe(3, worker, to: "sms/wei")
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        let change = RuleChange(workspace: "vision", sources: [], living: ["failures": ["sms/wei"]])
        let applied = try bed.open().apply([change], base: bed.open().revision(), keepPending: false, now: bed.now)
        #expect(applied?.expired == 1)
        #expect(try bed.residue() == [])
        let row = try #require(try bed.open().deliveries(DeliveryFilter(state: .expired)).first)
        #expect(row.target == "sms/alice" && row.reason == "rule_removed")
        bed.clock.advance(by: Self.minute)
        let told = try bed.claim(worker, by: tariff).deliveries
        #expect(told.map(\.target) == ["sms/wei"] && told.map(\.group?.size) == [2])
        #expect(try bed.residue() == [])
    }

    @Test("a delivery's digest is found, with the message that tells it", arguments: Backend.available)
    func memberships(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), Self.each(1))
        let worker = try bed.worker(lease: .seconds(1_000_000))
        try bed.owe(3, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        let number = try #require(bed.open().events(.key(Draft("e2").key), limit: 1).first?.number)
        let before = try bed.open().memberships(of: number)
        #expect(before.map(\.digestOf) == ["sms/alice"] && before.first?.told == nil && before.first?.total == 2)
        #expect(before.first?.rule == "failures" && before.first.flatMap(\.due).map { $0 > bed.now } == true)
        bed.clock.advance(by: Self.minute)
        let message = try #require(try bed.claim(worker, by: tariff).deliveries.first)
        let after = try #require(try bed.open().memberships(of: number).first)
        #expect(after.told?.size == 2 && after.due == nil)
        var filter = DeliveryFilter()
        filter.event = after.told?.event
        #expect(try bed.open().deliveries(filter).map(\.id) == [message.delivery])
        let said = try #require(bed.open().events(.delivery(message.key), limit: 1).first)
        #expect(try bed.open().memberships(of: said.number).map(\.digestOf) == ["sms/alice"])
    }

    @Test("a reset of quotas lets digests speak", arguments: Backend.available)
    func reset(backend: Backend) throws {
        let (bed, tariff) = (try backend.make(), Self.each(1))
        let worker = try bed.worker()
        try bed.owe(3, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        #expect(try bed.open().resetQuotas(nil, waking: nil, by: "root", now: bed.now) == (1, 1))
        #expect(try bed.claim(worker, by: tariff).deliveries.map(\.group?.size) == [2])
        #expect(try bed.residue() == [])
    }

    @Test("retention keeps what an open digest is to tell, and removes it behind", arguments: Backend.available)
    func retired(backend: Backend) throws {
        let bed = try backend.make(keeping: .init(retention: .seconds(86_400), dedupHorizon: .seconds(3600)))
        let tariff = TestTariff.each(SendLimit(1, in: .seconds(10 * 86_400)), last: Self.terms)
        let worker = try bed.worker(lease: .seconds(1_000_000_000))
        try bed.owe(30, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        bed.clock.advance(by: .seconds(5 * 86_400))
        for _ in 0..<20 { if try !worker.live.tend(now: bed.now) { break } }
        #expect(try bed.residue() == [])
        bed.clock.advance(by: .seconds(5 * 86_400))
        let told = try bed.claim(worker, by: tariff).deliveries
        #expect(told.map(\.group?.size) == [29])
        try bed.settle(worker, told)
        bed.clock.advance(by: .seconds(5 * 86_400))
        for _ in 0..<50 {
            if try !worker.live.tend(now: bed.now) { break }
            #expect(try bed.residue() == [])
        }
        let law = try bed.open().verify(now: bed.now)
        #expect(law.selected == 30 && law.residue == [])
        #expect(try bed.states() == [])
    }

    @Test("verify finds a digest that counts wrong", arguments: Backend.available)
    func wrong(backend: Backend) throws {
        guard backend != .memory else { return }
        let (bed, tariff) = (try backend.make(), Self.each(1))
        let worker = try bed.worker()
        try bed.owe(3, worker)
        try bed.settle(worker, bed.claim(worker, by: tariff).deliveries)
        try bed.tamper("UPDATE digest SET size = size + 1")
        #expect(try bed.residue().contains { $0.contains("3 counted ≠ 2 deliveries") })
        try bed.tamper("UPDATE digest SET size = size - 1")
        #expect(try bed.residue() == [])
        bed.clock.advance(by: Self.minute)
        _ = try bed.claim(worker, by: tariff)
        try bed.tamper(
            "UPDATE delivery SET digest = NULL WHERE id = (SELECT max(id) FROM delivery WHERE digest IS NOT NULL)")
        #expect(try bed.residue().contains { $0.contains("2 counted ≠ 1 deliveries") })
    }

    @Test("singles and digests are all that was selected, whoever dies in between", arguments: UInt64(1)...100)
    func sums(seed: UInt64) throws {
        var walk = try DigestWalk(.memory, seed: seed)
        try walk.run(steps: 60)
    }

    @Test(
        "so it is where many share the ledger",
        arguments: Backend.available.contains(.postgres) ? Array(UInt64(1)...10) : [])
    func sumsTogether(seed: UInt64) throws {
        var walk = try DigestWalk(.postgres, seed: seed)
        try walk.run(steps: 50)
    }
}

/// Owes deliveries to two people, with two workers and deaths in the middle of everything, and counts what they are told.
private struct DigestWalk {
    private let bed: Bed
    private var workers: [Worker]
    private var random: SplitMix
    private let tariff: TestTariff
    private var owed: [String: Int64] = [:]
    private var singles: [String: Int64] = [:]
    private var told: [Key: (target: String, size: Int64)] = [:]
    private var isCalm = false

    init(_ backend: Backend, seed: UInt64) throws {
        random = SplitMix(seed: seed)
        bed = try backend.make()
        workers = [
            try bed.worker("one", lease: .seconds(1_000_000)), try bed.worker("two", lease: .seconds(1_000_000)),
        ]
        tariff = .each(
            SendLimit(3, in: .seconds(60)), SendLimit(20, in: .seconds(3600)),
            last: .digested(.init(name: "failed", life: .seconds(1_000_000))))
    }

    mutating func run(steps: Int) throws {
        for _ in 0..<steps {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4: try owe()
            case 4..<6: bed.clock.advance(by: .seconds(Int.random(in: 0...90, using: &random)))
            case 6..<9: try send(Int.random(in: 0...1, using: &random))
            default: try die(Int.random(in: 0...1, using: &random))
            }
            #expect(try bed.residue() == [])
        }
        isCalm = true
        try die(0)
        try die(1)
        for _ in 0..<400 {
            bed.clock.advance(by: .seconds(600))
            try send(0)
            let left = try bed.claim(workers[0], by: tariff, total: 0)
            if left.nextDue == nil, !left.leftBehind { break }
        }
        let states = try bed.states()
        #expect(states.allSatisfy { $0 == .delivered || $0 == .withheld })
        var sums = singles
        for (target, size) in told.values { sums[target, default: 0] += size }
        #expect(sums == owed)
        #expect(Int64(states.count { $0 == .withheld }) == told.values.reduce(0) { $0 + $1.size })
        let law = try bed.open().verify(now: bed.now)
        #expect(law.residue == [] && law.selected == owed.values.reduce(0, +))
    }

    private mutating func owe() throws {
        let (count, target) = (Int.random(in: 1...12, using: &random), random.once(in: 3) ? "sms/wei" : "sms/alice")
        try bed.owe(count, workers[0], to: target)
        owed[target, default: 0] += Int64(count)
    }

    private mutating func die(_ place: Int) throws {
        workers[place].die()
        workers[place] = try bed.worker("next", lease: .seconds(1_000_000))
        _ = try workers[place].live.reap(now: bed.now)
    }

    /// Takes what is due: it arrives, is tried again, or its worker dies with it.
    private mutating func send(_ place: Int) throws {
        let worker = workers[place]
        if !isCalm, random.once(in: 4) {
            // A process dies while digests speak: nothing is said, and nothing is lost.
            abandoning(worker.live) { _ = try? bed.claim(worker, by: tariff) }
        }
        for claimed in try bed.claim(worker, by: tariff).deliveries {
            if let group = claimed.group {
                let size = told[claimed.key]?.size ?? group.size
                #expect(size == group.size, "every copy says the same")
                told[claimed.key] = (claimed.target, group.size)
            }
            if !isCalm, random.once(in: 4) { continue }
            let isDelivered = isCalm || !random.once(in: 4)
            try bed.settle(worker, [claimed], isDelivered ? .delivered : .retry(at: bed.now + .seconds(30)))
            if isDelivered, claimed.group == nil { singles[claimed.target, default: 0] += 1 }
        }
    }
}
