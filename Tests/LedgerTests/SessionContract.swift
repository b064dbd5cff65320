import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

@Suite("Ledger sessions: every backend keeps the contract", .timeLimit(.minutes(2)))
struct SessionContract {
    @Test("what a dead worker held is pending again as soon as its death is known", arguments: Backend.available)
    func death(backend: Backend) throws {
        let bed = try backend.make()
        let (dying, other) = (try bed.worker("dying", lease: .seconds(3600)), try bed.worker("other"))
        let ids = try bed.decide(dying, Draft("a"), Draft("b", subject: "job-2"), Draft("c", wanted: false)).compactMap(
            \.id)
        #expect(try other.live.reap(now: bed.now) == 0, "both live")
        dying.die()
        #expect(try other.live.reap(now: bed.now) == 2)
        #expect(try other.live.reap(now: bed.now) == 0)
        #expect(try bed.residue() == [])
        let again = try bed.claim(other).deliveries
        #expect(again.map(\.delivery) == [ids[0], ids[1]], "c is behind a")
        #expect(again.allSatisfy { $0.epoch == 2 && $0.attempts == 0 })
    }

    @Test("a session that runs out is ended, and then cannot be prolonged", arguments: Backend.available)
    func runsOut(backend: Backend) throws {
        let bed = try backend.make()
        let (slow, other) = (try bed.worker("slow", lease: .seconds(5)), try bed.worker("other", lease: .seconds(3600)))
        try bed.decide(slow, Draft("a"))
        bed.clock.advance(by: .seconds(4))
        #expect(try slow.live.extend(slow.session, until: bed.now + .seconds(5)))
        bed.clock.advance(by: .seconds(4))
        #expect(try other.live.reap(now: bed.now) == 0, "it was prolonged")
        bed.clock.advance(by: .seconds(4))
        #expect(try other.live.reap(now: bed.now) == 1)
        #expect(try slow.live.extend(slow.session, until: bed.now + .seconds(3600)) == false)
        #expect(try bed.states() == [.pending])
        #expect(try bed.claim(other).deliveries.count == 1)
    }

    @Test("a session that ends gives back what it held, due now", arguments: Backend.available)
    func ends(backend: Backend) throws {
        let bed = try backend.make()
        let (leaving, other) = (try bed.worker("leaving"), try bed.worker("other"))
        let ids = try bed.decide(leaving, Draft("a"), Draft("b", subject: "job-2")).compactMap(\.id)
        try bed.settle(leaving, ids[0], .delivered)
        try leaving.live.end(leaving.session, now: bed.now)
        #expect(try bed.states() == [.delivered, .pending])
        #expect(try leaving.live.extend(leaving.session, until: bed.now + .seconds(5)) == false)
        #expect(try bed.claim(other).deliveries.map(\.delivery) == [ids[1]])
        try leaving.live.end(leaving.session, now: bed.now)
        #expect(try bed.states() == [.delivered, .leased], "ending twice takes nothing from the living")
        #expect(try bed.residue() == [])
    }

    @Test("a session that others have ended claims nothing", arguments: Backend.available)
    func endedClaimsNothing(backend: Backend) throws {
        let bed = try backend.make()
        let (zombie, other) = (try bed.worker(lease: .seconds(5)), try bed.worker(lease: .seconds(3600)))
        try bed.decide(other, Draft("a", wanted: false))
        bed.clock.advance(by: .seconds(10))
        _ = try other.live.reap(now: bed.now)
        _ = try bed.claim(zombie)
        #expect(try bed.residue() == [], "leased to nobody: nothing would ever return it")
        #expect(try bed.claim(other).deliveries.count == 1)
    }

    @Test(
        "sessions have numbers of their own, and status shows who lives and what they hold",
        arguments: Backend.available)
    func status(backend: Backend) throws {
        let bed = try backend.make()
        let (first, second) = (try bed.worker("first"), try bed.worker("second"))
        #expect(first.session != second.session)
        try bed.decide(first, Draft("a"))
        second.die()
        let workers = try bed.open().status(now: bed.now).workers.sorted { $0.session < $1.session }
        #expect(workers.map(\.name) == ["first", "second"])
        #expect(workers.map(\.alive) == [true, false])
        #expect(workers.map(\.leased) == [1, 0])
        let third = try bed.worker("third")
        #expect(third.session != second.session, "the number of a dead session is not given again")
    }
}
