import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

@Suite("Ledger delivers: every backend keeps the contract", .timeLimit(.minutes(2)))
struct DeliveryContract {
    // Claims

    @Test("a claim brings all that is needed to send", arguments: Backend.available)
    func claimed(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let decidedAt = bed.now
        let birth = try bed.decide(worker, Draft("a", wanted: false))
        bed.clock.advance(by: .seconds(1))
        let claims = try bed.claim(worker)
        let one = try #require(claims.deliveries.first)
        #expect(claims.deliveries.count == 1 && claims.nextDue == nil)
        #expect(one.delivery == birth.first?.id)
        #expect((one.epoch, one.attempts) == (1, 0))
        #expect(one.key == Key.delivery(event: Draft("a").key, rule: "failures", target: "hook"))
        #expect((one.workspace, one.rule, one.target) == ("vision", "failures", "hook"))
        #expect((one.revision, one.roundBegan, one.appended) == (0, decidedAt, decidedAt))
        #expect(one.expires == decidedAt + .seconds(86_400))
        #expect(one.event == Draft("a").bytes)
        #expect(try bed.states() == [.leased])
    }

    @Test("what is leased is nobody else's", arguments: Backend.available)
    func leasedOnce(backend: Backend) throws {
        let bed = try backend.make()
        let (first, second) = (try bed.worker("first"), try bed.worker("second"))
        try bed.decide(first, Draft("a", wanted: false), Draft("b", subject: "job-2", wanted: false))
        #expect(try bed.claim(first, total: 1).deliveries.count == 1)
        #expect(try bed.claim(second).deliveries.count == 1)
        #expect(try bed.claim(first).deliveries.isEmpty && bed.claim(second).deliveries.isEmpty)
    }

    @Test("room is a limit, in all and in a lane", arguments: Backend.available)
    func room(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        for index in 0..<20 {
            try bed.decide(
                worker, Draft("e\(index)", to: [index < 15 ? "busy" : "quiet"], wanted: false, ordered: false))
        }
        let none = try bed.claim(worker, total: 0)
        #expect(none.deliveries.isEmpty)
        let some = try bed.claim(worker, total: 8, perLane: 3)
        #expect(some.deliveries.map(\.target).sorted() == ["busy", "busy", "busy", "quiet", "quiet", "quiet"])
        let lane = try #require(some.deliveries.first { $0.target == "busy" }?.lane)
        let room = Room(total: 100, perLane: 5, used: [lane: 3])
        let more = try worker.live.claim(for: worker.session, room: room, now: bed.now)
        #expect(more.deliveries.map(\.target).sorted() == ["busy", "busy", "quiet", "quiet"])
    }

    @Test("a receiver with a long queue does not keep the others waiting", arguments: Backend.available)
    func fairness(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        for index in 0..<100 {
            try bed.decide(worker, Draft("e\(index)", to: ["storm"], wanted: false, ordered: false))
        }
        for name in ["a", "b", "c"] { try bed.decide(worker, Draft(name, to: [name], wanted: false, ordered: false)) }
        let first = try bed.claim(worker, total: 8)
        #expect(Set(first.deliveries.map(\.target)) == ["storm", "a", "b", "c"])
        #expect(first.deliveries.count == 8, "room that nobody else needs is used")
    }

    @Test("with room for one at a time, every lane has its turn", arguments: Backend.available)
    func turns(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        for index in 0..<12 {
            try bed.decide(worker, Draft("e\(index)", to: ["t\(index % 3)"], wanted: false, ordered: false))
        }
        let served = try (0..<6).flatMap { _ in try bed.claim(worker, total: 1).deliveries.map(\.target) }
        #expect(Dictionary(grouping: served) { $0 }.mapValues(\.count) == ["t0": 2, "t1": 2, "t2": 2])
    }

    @Test(
        "a crowd of lanes is claimed to the last, also what came and what others took meanwhile",
        arguments: Backend.available)
    func crowd(backend: Backend) throws {
        let bed = try backend.make()
        let workers = try [bed.worker(), bed.worker()]
        var ids: Set<DeliveryID> = []
        func add(_ name: String, to targets: [String]) throws {
            let births = try bed.decide(
                workers[0], Draft(name, to: targets, wanted: false, ordered: false))
            ids.formUnion(births.compactMap(\.id))
        }
        try add("a", to: (0..<60).map { "t\($0)" })
        var claimed: [DeliveryID] = []
        var claims = 0
        while claimed.count < ids.count {
            let taken = try bed.claim(workers[claims % 2], total: 7)
            #expect(
                !taken.deliveries.isEmpty && taken.leftBehind || claimed.count + taken.deliveries.count == ids.count)
            claimed += taken.deliveries.map(\.delivery)
            claims += 1
            if claims == 2 { try add("b", to: (0..<20).map { "new\($0)" } + ["t0"]) }
            guard claims < 100 else { break }
        }
        #expect(Set(claimed) == ids && claimed.count == ids.count)
        for worker in workers {
            #expect(try bed.claim(worker).deliveries.isEmpty && !bed.claim(worker).leftBehind)
        }
    }

    @Test("nothing is claimed before it is due, and nextDue says when that is", arguments: Backend.available)
    func due(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let births = try bed.decide(
            worker, Draft("a", subject: "1"), Draft("b", subject: "2"), Draft("c", subject: "3", wanted: false))
        let (soon, later) = (bed.now + .seconds(5), bed.now + .seconds(60))
        try bed.settle(worker, try #require(births[0].id), .retry(at: later))
        try bed.settle(worker, try #require(births[1].id), .retry(at: soon))
        // All three share a lane; one of them is due at once, the others wait for their time.
        let claims = try bed.claim(worker)
        #expect(claims.deliveries.map(\.delivery) == [births[2].id])
        #expect(claims.nextDue == soon, "a worker that sleeps until nextDue would sleep too long")
        #expect(try bed.claim(worker).nextDue == soon)
        bed.clock.set(now: soon)
        let second = try bed.claim(worker)
        #expect(second.deliveries.map(\.delivery) == [births[1].id])
        #expect(second.deliveries.first?.attempts == 1 && second.deliveries.first?.epoch == 2)
        #expect(second.nextDue == later)
        bed.clock.set(now: later)
        #expect(try bed.claim(worker).nextDue == nil)
    }

    // Endings

    @Test("each ending leads to its state, and only failures are attempts", arguments: Backend.available)
    func endings(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let endings: [(Settlement.Ending, DeliveryState, attempts: Int)] = [
            (.delivered, .delivered, 0), (.retry(at: bed.now + .seconds(1)), .pending, 1), (.dead, .dead, 1),
            (.expired, .expired, 0), (.released, .pending, 0),
        ]
        for (index, expected) in endings.enumerated() {
            let births = try bed.decide(worker, Draft("e\(index)", subject: "s\(index)"))
            let id = try #require(births.first?.id)
            try bed.settle(worker, id, expected.0, reason: expected.0 == .delivered ? "" : "because")
            let row = try #require(try bed.open().deliveries(DeliveryFilter(subject: "s\(index)")).first)
            #expect(row.state == expected.1)
            #expect(row.attempts == expected.attempts)
            #expect(row.reason == (expected.0 == .delivered ? "" : "because"))
            #expect(try bed.open().attempts(of: id).count == expected.attempts)
            #expect((row.settledAt != nil) == (expected.1 != .pending))
        }
        #expect(try bed.residue() == [])
    }

    @Test("attempts are kept with their words, oldest first", arguments: Backend.available)
    func attempts(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let id = try #require(try bed.decide(worker, Draft("a")).first?.id)
        for number in 1...3 {
            try bed.settle(worker, id, epoch: Int64(number), .retry(at: bed.now + .seconds(1)), reason: "serverError")
            bed.clock.advance(by: .seconds(1))
            let again = try #require(try bed.claim(worker).deliveries.first)
            #expect((again.attempts, again.epoch) == (number, Int64(number) + 1))
        }
        let rows = try bed.open().attempts(of: id)
        #expect(rows.map(\.number) == [1, 2, 3])
        #expect(rows.allSatisfy { $0.reason == "serverError" && $0.status == 503 && $0.words == "busy" })
        #expect(rows.map(\.at) == rows.map(\.at).sorted())
    }

    @Test("delivered is final: nothing that comes later changes it", arguments: Backend.available)
    func deliveredIsFinal(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let id = try #require(try bed.decide(worker, Draft("a")).first?.id)
        try bed.settle(worker, id, .delivered)
        for ending in [.dead, .expired, .retry(at: bed.now), .released, .delivered] as [Settlement.Ending] {
            try bed.settle(worker, id, ending)
            #expect(try bed.states() == [.delivered])
        }
        #expect(try bed.claim(worker).deliveries.isEmpty)
        #expect(try bed.residue() == [])
    }

    @Test("a failure of an older claim or of another's lease is ignored", arguments: Backend.available)
    func staleFailure(backend: Backend) throws {
        let bed = try backend.make()
        let (slow, other) = (try bed.worker("slow", lease: .seconds(5)), try bed.worker("other", lease: .seconds(3600)))
        let id = try #require(try bed.decide(slow, Draft("a")).first?.id)
        bed.clock.advance(by: .seconds(10))
        #expect(try other.live.reap(now: bed.now) == 1)
        let again = try #require(try bed.claim(other).deliveries.first)
        #expect(again.epoch == 2)
        for ending in [.dead, .expired, .released, .retry(at: bed.now)] as [Settlement.Ending] {
            try bed.settle(slow, id, epoch: 1, ending)
            try bed.settle(slow, id, epoch: 2, ending)
            #expect(try bed.states() == [.leased])
        }
        #expect(try bed.open().attempts(of: id).isEmpty)
        try bed.settle(other, id, epoch: 2, .dead)
        #expect(try bed.states() == [.dead])
        #expect(try bed.residue() == [])
    }

    @Test(
        "a yes counts from any claim, whatever became of the delivery since", arguments: Backend.available,
        ["pending", "waiting", "leased", "dead", "cancelled"])
    func lateYes(backend: Backend, since: String) throws {
        let bed = try backend.make()
        let (slow, other) = (try bed.worker("slow", lease: .seconds(5)), try bed.worker("other", lease: .seconds(3600)))
        let births = try bed.decide(slow, Draft("a"), Draft("b"))
        let id = try #require(births.first?.id)
        bed.clock.advance(by: .seconds(10))
        _ = try other.live.reap(now: bed.now)
        switch since {
        case "leased": _ = try bed.claim(other)
        case "waiting":
            _ = try bed.claim(other)
            try bed.settle(other, id, epoch: 2, .retry(at: bed.now + .seconds(600)))
        case "dead":
            _ = try bed.claim(other)
            try bed.settle(other, id, epoch: 2, .dead)
        case "cancelled":
            _ = try bed.open().cancel(
                DeliveryFilter(key: Key(try bed.open().deliveries(DeliveryFilter())[1].key)), now: bed.now)
        default: break
        }
        try bed.settle(slow, id, epoch: 1, .delivered)
        #expect(try bed.states().first == .delivered)
        #expect(try bed.residue() == [])
        // The next of its pair is free now.
        #expect(try bed.claim(other).deliveries.map(\.delivery) == [births[1].id])
    }

    @Test("settling nothing, or what does not exist, changes nothing", arguments: Backend.available)
    func settleNothing(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(worker, Draft("a"))
        try worker.live.settle([], for: worker.session, now: bed.now)
        for ending in [.delivered, .dead, .retry(at: bed.now), .released] as [Settlement.Ending] {
            try bed.settle(worker, 4711, ending)
        }
        #expect(try bed.states() == [.leased])
        #expect(try bed.residue() == [])
    }

    // Order (P13)

    @Test(
        "the later ones of a pair are freed one by one, in order, by whatever ends the one before",
        arguments: Backend.available, [Settlement.Ending.delivered, .dead, .expired])
    func order(backend: Backend, ending: Settlement.Ending) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        var ids = try bed.decide(worker, Draft("a")).compactMap(\.id)
        for name in ["b", "c", "d"] { ids += try bed.decide(worker, Draft(name, wanted: false)).compactMap(\.id) }
        #expect(try bed.claim(worker).deliveries.isEmpty)
        try bed.settle(worker, ids.removeFirst(), ending)
        while !ids.isEmpty {
            #expect(try bed.claim(worker).deliveries.map(\.delivery) == [ids[0]])
            #expect(try bed.claim(worker).deliveries.isEmpty)
            try bed.settle(worker, ids.removeFirst(), ending)
        }
        #expect(try bed.residue() == [])
    }

    @Test(
        "a waiting retry holds back its own pair only, and a later arrival pulls it forward",
        arguments: Backend.available)
    func pullForward(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let id = try #require(try bed.decide(worker, Draft("a")).first?.id)
        try bed.settle(worker, id, .retry(at: bed.now + .seconds(600)))
        #expect(try bed.decide(worker, Draft("other", subject: "job-2")).map(\.isLeased) == [true])
        #expect(try bed.claim(worker).deliveries.isEmpty)
        let later = try bed.decide(worker, Draft("b"))
        #expect(later.map(\.isLeased) == [false])
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [id])
        try bed.settle(worker, id, epoch: 2, .delivered)
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == later.map(\.id))
        #expect(try bed.residue() == [])
    }

    @Test("no arrival pulls a retry before the time its receiver asked for", arguments: Backend.available)
    func notBefore(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let id = try #require(try bed.decide(worker, Draft("a")).first?.id)
        let asked = bed.now + .seconds(30)
        try bed.settle(worker, id, .retry(at: bed.now + .seconds(600)), notBefore: asked)
        try bed.decide(worker, Draft("b"))
        let claims = try bed.claim(worker)
        #expect(claims.deliveries.isEmpty && claims.nextDue == asked)
        bed.clock.set(now: asked)
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [id])
    }

    @Test(
        "when the one before goes back to pending, those behind it in the same hands do, and its epoch alone counts",
        arguments: Backend.available, [Settlement.Ending.released, .retry(at: Timestamp(milliseconds: 0))])
    func followersReleased(backend: Backend, ending: Settlement.Ending) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(worker, Draft("a"), Draft("b"), Draft("c")).compactMap(\.id)
        try bed.settle(worker, ids[0], .delivered)
        #expect(try bed.claim(worker).deliveries.isEmpty, "b is leased already")
        try bed.settle(worker, ids[1], ending)
        #expect(try bed.states() == [.delivered, .pending, .pending])
        try bed.settle(worker, ids[2], .released)  // what the worker says of it comes too late and changes nothing
        let other = try bed.worker()
        #expect(try bed.claim(other).deliveries.map(\.delivery) == [ids[1]])
        try bed.settle(other, ids[1], epoch: 2, .delivered)
        #expect(try bed.claim(other).deliveries.map(\.delivery) == [ids[2]])
        #expect(try bed.residue() == [])
    }

    @Test("a dead worker's followers come back in their order", arguments: Backend.available)
    func followersOfTheDead(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(worker, Draft("a"), Draft("b"), Draft("c")).compactMap(\.id)
        worker.die()
        let heir = try bed.worker()
        #expect(try bed.open().reap(now: bed.now) == 3)
        for id in ids {
            let claims = try bed.claim(heir).deliveries
            #expect(claims.map(\.delivery) == [id])
            try bed.settle(heir, id, epoch: claims.first?.epoch ?? 0, .delivered)
        }
        #expect(try bed.residue() == [])
    }

    @Test("what was released goes first, before the later ones of its pair", arguments: Backend.available)
    func released(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(worker, Draft("a"), Draft("b")).compactMap(\.id)
        try bed.settle(worker, ids[0], .released)
        let again = try bed.claim(worker).deliveries
        #expect(again.map(\.delivery) == [ids[0]])
        #expect(again.first?.attempts == 0)
    }
}
