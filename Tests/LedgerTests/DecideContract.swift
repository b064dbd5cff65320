import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

@Suite("Ledger decides: every backend keeps the contract", .timeLimit(.minutes(2)))
struct DecideContract {
    // Position

    @Test("nothing is decided in a new ledger, and the first batch may begin anywhere", arguments: Backend.available)
    func firstBatch(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        #expect(try worker.live.position("s", 0) == nil)
        let decided = try worker.live.decide(Decisions([Draft("a")], from: 41), for: worker.session, now: bed.now)
        #expect(decided.births?.count == 1)
        #expect(try worker.live.position("s", 0) == 42)
        #expect(try bed.residue() == [])
    }

    @Test("positions of partitions and streams are apart", arguments: Backend.available)
    func positionsApart(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        _ = try worker.live.decide(Decisions([Draft("a")], from: 5, partition: 1), for: worker.session, now: bed.now)
        #expect(try worker.live.position("s", 1) == 6)
        #expect(try worker.live.position("s", 0) == nil)
        #expect(try worker.live.position("t", 1) == nil)
    }

    @Test(
        "of two workers that decide the same records one wins, and the other changes nothing",
        arguments: Backend.available)
    func oneWinner(backend: Backend) throws {
        let bed = try backend.make()
        let (first, second) = (try bed.worker("first"), try bed.worker("second"))
        let batch = Decisions([Draft("a"), Draft("b", subject: "job-2")])
        #expect(try first.live.decide(batch, for: first.session, now: bed.now).births?.count == 2)
        let late = try second.live.decide(batch, for: second.session, now: bed.now)
        #expect(late.moved == .some(2))
        #expect(try bed.states() == [.leased, .leased])
        #expect(try bed.open().verify(now: bed.now).read == 2)
        #expect(try bed.residue() == [])
    }

    @Test(
        "a batch behind or ahead of the position is refused with the position", arguments: Backend.available,
        [0, 1, 3, 9] as [Int64])
    func compareAndSet(backend: Backend, from: Int64) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        _ = try worker.live.decide(Decisions([Draft("a"), Draft("b")]), for: worker.session, now: bed.now)
        let decided = try worker.live.decide(Decisions([Draft("c")], from: from), for: worker.session, now: bed.now)
        #expect(decided.moved == .some(2))
        #expect(try worker.live.position("s", 0) == 2)
        #expect(try bed.states().count == 2)
    }

    @Test("a batch that was matched against older rules is refused and changes nothing", arguments: Backend.available)
    func rulesMoved(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let stale = Decisions([Draft("a")], revision: try worker.live.revision())
        let change = RuleChange(workspace: "w", sources: [SourceText(file: "f", text: "x")], living: [:])
        _ = try bed.open().apply([change], base: 0, keepPending: false, now: bed.now)
        #expect(try worker.live.decide(stale, for: worker.session, now: bed.now).isRulesMoved)
        #expect(try worker.live.position("s", 0) == nil)
        let again = Decisions([Draft("a")], revision: try worker.live.revision())
        #expect(try worker.live.decide(again, for: worker.session, now: bed.now).births?.first?.isLeased == true)
    }

    @Test("a batch of nothing but unmatched records moves the position", arguments: Backend.available)
    func unmatchedOnly(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(worker, unmatched: 7)
        try bed.decide(worker, unmatched: 3)
        #expect(try worker.live.position("s", 0) == 10)
        let law = try bed.open().verify(now: bed.now)
        #expect((law.read, law.unmatched) == (10, 10))
        #expect(law.residue == [])
    }

    @Test(
        "a session that others have ended leases nothing: what it decides is everybody's", arguments: Backend.available)
    func endedSession(backend: Backend) throws {
        let bed = try backend.make()
        let (zombie, other) = (try bed.worker(lease: .seconds(5)), try bed.worker(lease: .seconds(3600)))
        bed.clock.advance(by: .seconds(10))
        _ = try other.live.reap(now: bed.now)
        let decided = try zombie.live.decide(Decisions([Draft("a")]), for: zombie.session, now: bed.now)
        #expect(decided.births?.contains(where: \.isLeased) != true, "leased to nobody: nothing would ever return it")
        #expect(try bed.residue() == [])
        if decided.births != nil { #expect(try bed.claim(other).deliveries.count == 1) }
    }

    // Duplicates

    @Test(
        "an event that was decided before is a duplicate, in a later batch and within one (V103)",
        arguments: Backend.available)
    func duplicates(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        // The second has another time and body: equal source and id are one event all the same.
        let first = Decisions([Draft("a"), Draft("b", subject: "job-2"), Draft("a")])
        let decided = try worker.live.decide(first, for: worker.session, now: bed.now)
        #expect(decided.duplicates == 1)
        #expect(decided.births?.map(\.isLeased) == [true, true, false])
        #expect(decided.births?.last == .duplicate)
        bed.clock.advance(by: .seconds(6 * 86_400))
        let second = Decisions(
            [Draft("b", to: ["hook", "room"]), Draft("c", subject: "job-3")], from: 3, now: bed.now)
        let again = try worker.live.decide(second, for: worker.session, now: bed.now)
        #expect(again.births?.dropLast() == [.duplicate, .duplicate])
        #expect(again.duplicates == 1)
        let law = try bed.open().verify(now: bed.now)
        #expect((law.read, law.matched, law.duplicate) == (5, 3, 2))
        #expect(law.residue == [])
    }

    @Test("events of other workspaces and sources are not duplicates", arguments: Backend.available)
    func notDuplicates(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let births = try bed.decide(worker, Draft("a"), Draft("a", workspace: "speech"))
        #expect(births.allSatisfy { $0 != .duplicate })
    }

    @Test("a suppressed event is decided: it is a duplicate when it comes again", arguments: Backend.available)
    func suppressed(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        #expect(try bed.decide(worker, Draft("old", suppressed: .stale)) == [])
        try bed.decide(worker, Draft("old"))
        let law = try bed.open().verify(now: bed.now)
        #expect((law.matched, law.duplicate, law.selected, law.suppressed, law.notified) == (1, 1, 1, 1, 0))
        #expect(law.residue == [])
        #expect(try bed.open().status(now: bed.now).suppressed["stale"] == 1)
    }

    // Parked records and gaps

    @Test("a record that cannot be decided is parked with its reason and its bytes", arguments: Backend.available)
    func parked(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let batch = Decisions([Draft("a")], unmatched: 1, parked: ["not JSON", "no id"], gap: 5)
        _ = try worker.live.decide(batch, for: worker.session, now: bed.now)
        let rows = try bed.open().parked(limit: 10)
        #expect(rows.map(\.reason) == ["no id", "not JSON"], "newest first")
        #expect(rows.map(\.offset) == [8, 7])
        #expect(rows.allSatisfy { $0.bytes == Array("broken".utf8) && $0.stream == "s" && $0.partition == 0 })
        #expect(try bed.open().parked(limit: 1).count == 1)
        let law = try bed.open().verify(now: bed.now)
        #expect((law.read, law.lost, law.parked, law.matched, law.unmatched) == (4, 5, 2, 1, 1))
        #expect(law.residue == [])
        #expect(try worker.live.position("s", 0) == 9)
    }

    // Births

    @Test(
        "a delivery is leased when it is wanted and nothing of its pair waits; else it waits",
        arguments: Backend.available)
    func births(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let births = try bed.decide(
            worker,
            Draft("a"), Draft("b"),  // behind a, in the same hands
            Draft("c", subject: "job-2", wanted: false), Draft("d", subject: "job-2"),  // head without room; behind c
            Draft("e", ordered: false), Draft("f", wanted: false, ordered: false),
            Draft("g", subject: "job-3", to: ["hook", "room"]))
        #expect(births.map(\.isLeased) == [true, true, false, false, true, false, true, true])
        #expect(births.map(\.follows) == [false, true, false, false, false, false, false, false])
        #expect(Set(births.compactMap(\.id)).count == 8)
        // Only heads without room are claimable: c and f.
        let claimed = try bed.claim(try bed.worker()).deliveries.map(\.delivery)
        #expect(claimed == [births[2], births[5]].compactMap(\.id))
        #expect(try bed.residue() == [])
    }

    @Test("what another worker holds, or what waits, is not followed", arguments: Backend.available)
    func followsOnlyItsOwn(backend: Backend) throws {
        let bed = try backend.make()
        let one = try bed.worker()
        let other = try bed.worker()
        #expect(try bed.decide(one, Draft("a"), Draft("b")).map(\.follows) == [false, true])
        #expect(try bed.decide(other, Draft("c")).map(\.isLeased) == [false])
        #expect(try bed.decide(one, Draft("d")).map(\.isLeased) == [false], "c waits before it")
        #expect(try bed.residue() == [])
    }

    @Test("one lane belongs to one target of one workspace", arguments: Backend.available)
    func lanes(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let births = try bed.decide(
            worker, Draft("a"), Draft("b", subject: "other", rule: "another"), Draft("c", workspace: "speech"),
            Draft("d", subject: "third", to: ["room"]))
        let lanes = births.compactMap { if case .leased(_, _, let lane, _) = $0 { lane } else { nil } }
        #expect(lanes.count == 4)
        #expect(lanes[0] == lanes[1])
        #expect(Set(lanes).count == 3)
    }

    @Test("two rules that reach one target for one subject send in their order", arguments: Backend.available)
    func twoRules(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        var draft = Draft("a")
        draft.rules = [("one", ["hook"]), ("two", ["hook", "room"])]
        #expect(try bed.decide(worker, draft).map(\.follows) == [false, true, false])
        let law = try bed.open().verify(now: bed.now)
        #expect((law.selected, law.notified) == (2, 2))
        #expect(law.residue == [])
    }

    @Test("names of any language and shape are kept", arguments: Backend.available)
    func oddNames(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let odd = "工作'\"; DROP TABLE delivery; -- \u{0} 😀"
        try bed.decide(worker, Draft(odd, workspace: odd, subject: odd, rule: odd, to: [odd]), Draft("b", subject: nil))
        let rows = try bed.open().deliveries(DeliveryFilter(workspace: odd, rule: odd, subject: odd))
        #expect(rows.map(\.target) == [odd])
        #expect(try bed.open().deliveries(DeliveryFilter()).first?.subject == nil)
        #expect(try bed.residue() == [])
    }
}
