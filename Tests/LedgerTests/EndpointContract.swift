import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

@Suite("Ledger and endpoints in trouble: every backend keeps the contract", .timeLimit(.minutes(2)))
struct EndpointContract {
    // Waiting

    @Test("a postponed delivery waits for its time, and that was no attempt", arguments: Backend.available)
    func postponed(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(worker, Draft("a"), Draft("b"), Draft("c", subject: "2")).compactMap(\.id)
        let later = bed.now + .seconds(7)
        try bed.settle(worker, ids[0], .postponed(until: later), reason: "serverError")
        #expect(try bed.states() == [.pending, .pending, .leased], "what follows it waits with it")
        #expect(try bed.claim(worker).nextDue == later)
        #expect(try bed.open().attempts(of: ids[0]).isEmpty)
        let row = try #require(try bed.open().deliveries(DeliveryFilter()).last)
        #expect((row.attempts, row.reason) == (0, "serverError"))
        bed.clock.advance(by: .seconds(7))
        let claimed = try #require(try bed.claim(worker).deliveries.first)
        #expect((claimed.delivery, claimed.epoch, claimed.attempts) == (ids[0], 2, 0))
        #expect(try bed.residue() == [])
    }

    @Test("a lane with no room left is passed over, as if nothing in it waited", arguments: Backend.available)
    func closedLane(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(worker, Draft("probe", subject: "0", to: ["bad"], wanted: false))
        let lane = try #require(try bed.claim(worker).deliveries.first?.lane)
        for id in ["a", "b", "c"] {
            try bed.decide(worker, Draft(id, subject: id, to: ["bad"], wanted: false))
        }
        let closed = Room(total: 10, perLane: 10, limits: [lane: 0])
        let look = try worker.live.claim(for: worker.session, room: closed, now: bed.now)
        #expect(look.deliveries.isEmpty && !look.leftBehind && look.nextDue == nil)
        try bed.decide(worker, Draft("d", to: ["good"], wanted: false))
        let others = try worker.live.claim(for: worker.session, room: closed, now: bed.now)
        #expect(others.deliveries.map(\.target) == ["good"])
        let one = Room(total: 10, perLane: 10, limits: [lane: 1])
        let probe = try worker.live.claim(for: worker.session, room: one, now: bed.now)
        #expect(probe.deliveries.map(\.target) == ["bad"] && probe.leftBehind)
    }

    @Test("what waits for a later time is hastened, earliest first, in steps", arguments: Backend.available)
    func hasten(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(
            worker, Draft("a", subject: "1"), Draft("b", subject: "2"), Draft("c", subject: "3"),
            Draft("d", subject: "4"), Draft("e", subject: "5", to: ["other"])
        ).compactMap(\.id)
        let lane = try #require(try bed.lane(of: ids[0], worker))
        for (place, id) in ids.enumerated() {
            try bed.settle(worker, id, epoch: place == 0 ? 2 : 1, .retry(at: bed.now + .seconds(100 - place)))
        }
        #expect(try worker.live.hasten(lane, atMost: 3, now: bed.now) == 3)
        #expect(Set(try bed.claim(worker).deliveries.map(\.delivery)) == Set(ids[1...3]))
        #expect(try worker.live.hasten(lane, atMost: 3, now: bed.now) == 1)
        #expect(try worker.live.hasten(lane, atMost: 3, now: bed.now) == 0)
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [ids[0]])
        #expect(try bed.residue() == [])
    }

    @Test("nothing is hastened before what its receiver asked for", arguments: Backend.available)
    func hastenNotBefore(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let id = try #require(try bed.decide(worker, Draft("a")).first?.id)
        let lane = try #require(try bed.lane(of: id, worker))
        let wish = bed.now + .seconds(30)
        try bed.settle(worker, id, epoch: 2, .retry(at: bed.now + .seconds(40)), notBefore: wish)
        #expect(try worker.live.hasten(lane, atMost: 10, now: bed.now) == 0)
        bed.clock.advance(by: .seconds(30))
        #expect(try worker.live.hasten(lane, atMost: 10, now: bed.now) == 1)
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [id])
    }

    // Fairness

    @Test("a workspace with many receivers leaves a small one its share", arguments: Backend.available)
    func workspaces(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        for index in 0..<40 {
            try bed.decide(
                worker,
                Draft("s\(index)", workspace: "storm", to: ["t\(index % 20)"], wanted: false, ordered: false))
        }
        for index in 0..<4 {
            try bed.decide(worker, Draft("q\(index)", workspace: "quiet", wanted: false, ordered: false))
        }
        let first = try bed.claim(worker, total: 8)
        #expect(first.deliveries.count { $0.workspace == "quiet" } == 4)
        #expect(first.deliveries.count == 8)
    }

    // Suspended endpoints

    @Test("nothing of a paused endpoint is leased until it is resumed", arguments: Backend.available)
    func pause(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let desk = try bed.open()
        let before = try worker.live.revision()
        #expect(try desk.pause("hook", of: "vision", reason: "by hand", now: bed.now))
        #expect(try !desk.pause("hook", of: "vision", reason: "again", now: bed.now))
        #expect(try worker.live.revision() == before + 1, "workers would not hear of it")
        let births = try bed.decide(worker, Draft("a"), Draft("b", subject: "2", to: ["room"]))
        #expect(births.map(\.isLeased) == [false, true])
        let look = try bed.claim(worker)
        #expect(look.deliveries.isEmpty && !look.leftBehind && look.nextDue == nil)
        #expect(try worker.live.suspended().count == 1)
        let row = EndpointRow(
            workspace: "vision", name: "hook", state: .paused, reason: "by hand", since: bed.now.milliseconds,
            waiting: 1)
        #expect(try desk.endpoints(of: nil) == [row])
        #expect(try desk.status(now: bed.now).endpoints == [row])
        #expect(try desk.endpoints(of: "vision").map(\.name) == ["hook", "room"])
        #expect(try desk.resume("hook", of: "vision", now: bed.now))
        #expect(try !desk.resume("hook", of: "vision", now: bed.now))
        #expect(try bed.claim(worker).deliveries.map(\.target) == ["hook"])
        #expect(try desk.endpoints(of: nil) == [] && worker.live.suspended() == [])
        #expect(try bed.residue() == [])
    }

    @Test("an endpoint that its own answer disabled stays so after the worker's death", arguments: Backend.available)
    func disabled(backend: Backend) throws {
        let bed = try backend.make()
        let (first, second) = (try bed.worker("first"), try bed.worker("second"))
        let id = try #require(try bed.decide(first, Draft("a")).first?.id)
        let lane = try #require(try bed.lane(of: id, first))
        let before = try second.live.revision()
        try first.live.note(.disabled, of: lane, reason: "gone", for: first.session, now: bed.now)
        first.die()
        #expect(try second.live.reap(now: bed.now) == 1)
        #expect(try second.live.revision() == before + 1)
        #expect(try bed.claim(second).deliveries.isEmpty)
        #expect(try bed.open().endpoints(of: nil).map(\.state) == [.disabled])
        #expect(try bed.open().resume("hook", of: "vision", now: bed.now))
        #expect(try bed.claim(second).deliveries.count == 1)
    }

    @Test("a session's view of an endpoint that is down goes with the session", arguments: Backend.available)
    func down(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let id = try #require(try bed.decide(worker, Draft("a")).first?.id)
        let lane = try #require(try bed.lane(of: id, worker))
        func states() throws -> [EndpointState?] { try bed.open().endpoints(of: nil).map(\.state) }
        let before = try worker.live.revision()
        try worker.live.note(.down, of: lane, reason: "serverError", for: worker.session, now: bed.now)
        #expect(try states() == [.down])
        #expect(try worker.live.revision() == before && worker.live.suspended() == [])
        try worker.live.note(nil, of: lane, reason: "", for: worker.session, now: bed.now)
        #expect(try states() == [])
        try worker.live.note(.down, of: lane, reason: "serverError", for: worker.session, now: bed.now)
        try worker.live.end(worker.session, now: bed.now)
        #expect(try states() == [])
        try worker.live.note(.down, of: lane, reason: "serverError", for: worker.session, now: bed.now)
        #expect(try states() == [], "a session that is over has no view")
    }

    // At most once

    @Test(
        "what was started and not settled when its worker died is dead and not sent again", arguments: Backend.available
    )
    func started(backend: Backend) throws {
        let bed = try backend.make()
        let (first, second) = (try bed.worker("first"), try bed.worker("second"))
        let ids = try bed.decide(first, Draft("a"), Draft("b"), Draft("c", subject: "2")).compactMap(\.id)
        #expect(try first.live.start([ids[0]], for: first.session, now: bed.now) == [ids[0]])
        #expect(try second.live.start([ids[2]], for: second.session, now: bed.now) == [], "it is not the session's")
        first.die()
        #expect(try second.live.reap(now: bed.now) == 2)
        #expect(try bed.states() == [.dead, .pending, .pending])
        let row = try #require(try bed.open().deliveries(DeliveryFilter(state: .dead)).first)
        #expect((row.reason, row.attempts) == (Settlement.ambiguous, 1))
        #expect(try bed.open().attempts(of: ids[0]).map(\.reason) == [Settlement.ambiguous])
        #expect(Set(try bed.claim(second).deliveries.map(\.delivery)) == Set(ids[1...]))
        #expect(try bed.residue() == [])
    }

    @Test("a start counts for its own claim alone, and a late yes is believed", arguments: Backend.available)
    func startedAndReleased(backend: Backend) throws {
        let bed = try backend.make()
        let (first, second) = (try bed.worker("first"), try bed.worker("second"))
        let id = try #require(try bed.decide(first, Draft("a")).first?.id)
        #expect(try first.live.start([id], for: first.session, now: bed.now) == [id])
        try bed.settle(first, id, .released)
        #expect(try bed.claim(first).deliveries.map(\.epoch) == [2])
        try first.live.end(first.session, now: bed.now)
        #expect(try bed.claim(second).deliveries.map(\.delivery) == [id], "its second claim was never started")
        #expect(try second.live.start([id], for: second.session, now: bed.now) == [id])
        try second.live.end(second.session, now: bed.now)
        #expect(try bed.states() == [.dead])
        let third = try bed.worker("third")
        let yes = Settlement(delivery: id, epoch: 3, ending: .delivered, status: 200)
        try third.live.settle([yes], for: second.session, now: bed.now)
        #expect(try bed.states() == [.delivered])
        #expect(try bed.residue() == [])
    }

    // Superseding

    @Test("a newer delivery takes the place of the rule's older ones that wait", arguments: Backend.available)
    func supersede(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(
            worker, Draft("a", wanted: false, supersedes: true), Draft("other", rule: "x", wanted: false),
            Draft("b", wanted: false, supersedes: true), Draft("c", subject: "2", wanted: false, supersedes: true),
            Draft("d", wanted: false, supersedes: true))
        #expect(try bed.states() == [.expired, .pending, .expired, .pending, .pending])
        let ended = try bed.open().deliveries(DeliveryFilter(state: .expired))
        #expect(ended.map(\.reason) == ["superseded", "superseded"])
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [2, 4], "the other rule's goes first")
        try bed.settle(worker, 2, .delivered)
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [5])
        #expect(try bed.residue() == [])
    }

    @Test("one on its way ends when it comes back and a newer one waits", arguments: Backend.available, [true, false])
    func supersedeOnItsWay(backend: Backend, fails: Bool) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(worker, Draft("a", supersedes: true), Draft("b", wanted: false, supersedes: true))
            .compactMap(\.id)
        #expect(try bed.states() == [.leased, .pending])
        try bed.settle(worker, ids[0], fails ? .retry(at: bed.now + .seconds(60)) : .delivered)
        #expect(try bed.states() == [fails ? .expired : .delivered, .pending])
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [ids[1]])
        #expect(try bed.residue() == [])
    }
}

extension Bed {
    /// The lane of a delivery that a worker holds by its first claim; its second claim afterwards.
    fileprivate func lane(of delivery: DeliveryID, _ worker: Worker) throws -> Int64? {
        try settle(worker, delivery, .released)
        return try claim(worker).deliveries.first { $0.delivery == delivery }?.lane
    }
}
