import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import Testing

@Suite("Ledger tells people once and not before their time: every backend keeps the contract", .timeLimit(.minutes(2)))
struct PeopleContract {
    private let quiet = "quiet_hours"

    @Test("what waits is pending, is due when its time has come, and is then sent", arguments: Backend.available)
    func waits(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let until = bed.now + .seconds(3600)
        let births = try bed.decide(worker, Draft("a", wait: .init(until: until, reason: quiet)))
        #expect(births.map(\.isLeased) == [false])
        let row = try #require(try bed.open().deliveries(DeliveryFilter()).first)
        #expect(row.state == .pending && row.reason == quiet && row.dueAt == until.milliseconds)
        let early = try bed.claim(worker)
        #expect(early.deliveries.isEmpty && early.nextDue == until && !early.leftBehind)
        bed.clock.advance(by: .seconds(3600))
        let claimed = try bed.claim(worker)
        #expect(claimed.deliveries.count == 1)
        try bed.settle(worker, try #require(claimed.deliveries.first).delivery, .delivered)
        #expect(try bed.states() == [.delivered] && bed.residue() == [])
    }

    @Test("a time that has passed is none", arguments: Backend.available)
    func passed(backend: Backend) throws {
        let bed = try backend.make()
        let births = try bed.decide(try bed.worker(), Draft("a", wait: .init(until: bed.now, reason: quiet)))
        #expect(births.map(\.isLeased) == [true])
        #expect(try bed.open().deliveries(DeliveryFilter()).first?.reason == "")
    }

    @Test(
        "what waits holds back the later ones of its pair, and their arrival does not wake it",
        arguments: Backend.available)
    func holdsBack(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let until = bed.now + .seconds(3600)
        try bed.decide(worker, Draft("a", wait: .init(until: until, reason: quiet)))
        try bed.decide(worker, Draft("b"))
        #expect(try bed.claim(worker).deliveries.isEmpty && bed.claim(worker).nextDue == until)
        bed.clock.advance(by: .seconds(3600))
        let first = try bed.claim(worker).deliveries
        #expect(first.count == 1)
        try bed.settle(worker, try #require(first.first).delivery, .delivered)
        let second = try bed.claim(worker).deliveries
        #expect(second.count == 1)
        #expect(bed.now >= until)
    }

    @Test("behind another of its pair it still waits for its own time", arguments: Backend.available)
    func behind(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let until = bed.now + .seconds(3600)
        let head = try bed.decide(worker, Draft("a"))
        let births = try bed.decide(worker, Draft("b", wait: .init(until: until, reason: quiet)))
        #expect(head.map(\.isLeased) == [true] && births.map(\.isLeased) == [false])
        try bed.settle(worker, try #require(head.first?.id), .delivered)
        let claims = try bed.claim(worker)
        #expect(claims.deliveries.isEmpty && claims.nextDue == until)
        bed.clock.advance(by: .seconds(3600))
        #expect(try bed.claim(worker).deliveries.count == 1)
    }

    @Test("a person's hand pulls it forward, and its time counts no more", arguments: Backend.available)
    func byHand(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        try bed.decide(worker, Draft("a", wait: .init(until: bed.now + .seconds(3600), reason: quiet)))
        #expect(try bed.open().retry(DeliveryFilter(), now: bed.now) == 1)
        let claimed = try #require(try bed.claim(worker).deliveries.first)
        try bed.settle(worker, claimed.delivery, epoch: claimed.epoch, .retry(at: bed.now + .seconds(5)))
        bed.clock.advance(by: .seconds(5))
        #expect(try bed.claim(worker).deliveries.count == 1)
    }

    @Test(
        "of an event's deliveries to one address the first is sent, the others are listed", arguments: Backend.available
    )
    func oneCopy(backend: Backend) throws {
        let bed = try backend.make()
        var draft = Draft("a", rule: "severe", to: ["mail/alice"], copy: "mail a@b.co")
        draft.rules += [("mild", ["mail/alice", "mail/bob"]), ("milder", ["mail/alice"])]
        draft.copies = ["mail/alice": "mail a@b.co", "mail/bob": "mail b@b.co"]
        let births = try bed.decide(try bed.worker(), draft)
        #expect(births.map(\.isLeased) == [true, false, true, false])
        #expect(births.filter { $0 == .suppressed }.count == 2)
        let rows = try bed.open().deliveries(DeliveryFilter()).map { "\($0.rule) \($0.target)" }
        #expect(rows.sorted() == ["mild mail/bob", "severe mail/alice"])
        let suppressed = try bed.open().suppressed(DeliveryFilter(contact: "alice"))
        #expect(suppressed.map(\.rule).sorted() == ["mild", "milder"])
        #expect(suppressed.allSatisfy { $0.reason == "already_sent" && $0.by == "severe" && $0.target == "mail/alice" })
        #expect(try bed.open().suppressed(DeliveryFilter(contact: "bob")).isEmpty)
        let law = try bed.open().verify(now: bed.now)
        #expect(law.residue == [] && law.selected == 4 && law.notified == 2 && law.suppressed == 2)
        #expect(try bed.open().status(now: bed.now).suppressed == ["already_sent": 2])
    }

    @Test("one event's copies are nothing to another's", arguments: Backend.available)
    func otherEvent(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let births = try bed.decide(
            worker, Draft("a", to: ["mail/alice"], copy: "c"), Draft("b", to: ["mail/alice"], copy: "c"),
            Draft("a", to: ["mail/alice"], copy: "c"))
        #expect(births.map(\.isLeased) == [true, true, false] && births.last == .duplicate)
    }

    @Test("what falls into a window is no copy: the next rule tells the person", arguments: Backend.available)
    func windowed(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        func draft(_ id: String) -> Draft {
            var draft = Draft(
                id, subject: id, rule: "severe", to: ["mail/alice"],
                window: .init(key: Key(high: 1, low: 2), length: .seconds(600)), copy: "c")
            draft.rules.append(("mild", ["mail/alice"]))
            draft.windowed = ["severe"]
            return draft
        }
        #expect(try bed.decide(worker, draft("1")).map(\.isLeased) == [true, false])
        #expect(try bed.decide(worker, draft("2")).map(\.isLeased) == [false, true])
        let reasons = try bed.open().suppressed(DeliveryFilter()).map { "\($0.rule) \($0.reason) \($0.target ?? "-")" }
        #expect(reasons == ["severe dedup -", "mild already_sent mail/alice"])
        #expect(try bed.residue() == [])
    }

    @Test("a target that is suppressed by itself stands beside what is sent", arguments: Backend.available)
    func partly(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let position = try worker.live.position("s", 0) ?? 0
        var batch = try Decisions([Draft("a")], from: position, revision: worker.live.revision(), now: bed.now)
        batch.selections.append(
            Decisions.Selection(
                rule: "failures", suppressed: .noContact, by: "bob", target: "mail/$owner", deliveries: 1..<1))
        batch.events[0].selections = 0..<2
        #expect(try worker.live.decide(batch, for: worker.session, now: bed.now).suppressed == [.noContact: 1])
        let row = try #require(try bed.open().suppressed(DeliveryFilter(contact: "$owner")).first)
        #expect(row.reason == "no_contact" && row.by == "bob" && row.target == "mail/$owner")
        #expect(try bed.residue() == [] && bed.states() == [.leased])
    }
}

@Suite("Ledger keeps silences: every backend keeps the contract", .timeLimit(.minutes(2)))
struct SilenceContract {
    private func silence(_ workspace: String, until: Timestamp) -> NewSilence {
        NewSilence(workspace: workspace, pattern: #"{"type":["a"]}"#, comment: "über nacht", until: until)
    }

    @Test("a silence is a new revision and is kept as it was said", arguments: Backend.available)
    func added(backend: Backend) throws {
        let bed = try backend.make()
        let desk = try bed.open()
        let id = try desk.add(silence("vision", until: bed.now + .seconds(60)), now: bed.now)
        let other = try desk.add(silence("*", until: bed.now + .seconds(30)), now: bed.now)
        #expect(try desk.revision() == 2 && other > id)
        let kept = try #require(try bed.open().silences().first)
        #expect(
            kept
                == Silence(
                    id: id, workspace: "vision", pattern: #"{"type":["a"]}"#, comment: "über nacht",
                    since: bed.now.milliseconds, until: bed.now.milliseconds + 60_000))
    }

    @Test(
        "it is over at its end, and before when it is ended; then it is no more asked for", arguments: Backend.available
    )
    func over(backend: Backend) throws {
        let bed = try backend.make()
        let desk = try bed.open()
        let ids = try [60, 30].map { try desk.add(silence("w", until: bed.now + .seconds($0)), now: bed.now) }
        func holding() throws -> [SilenceID] { try bed.open().silences(at: bed.now).map(\.id) }
        #expect(try holding() == ids)
        bed.clock.advance(by: .seconds(30))
        #expect(try holding() == [ids[0]])
        #expect(try desk.endSilence(ids[1], now: bed.now) == false && desk.revision() == 2)
        #expect(try desk.endSilence(ids[0], now: bed.now) && desk.revision() == 3)
        #expect(try desk.endSilence(ids[0], now: bed.now) == false && desk.endSilence(99, now: bed.now) == false)
        #expect(try holding() == [] && desk.silences().map(\.until) == [bed.now.milliseconds, bed.now.milliseconds])
    }

    @Test("a batch that was matched before a silence came is matched again", arguments: Backend.available)
    func moved(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let batch = try Decisions([Draft("a")], revision: worker.live.revision(), now: bed.now)
        _ = try bed.open().add(silence("vision", until: bed.now + .seconds(60)), now: bed.now)
        #expect(try worker.live.decide(batch, for: worker.session, now: bed.now).isRulesMoved)
    }

    @Test("what is over goes with the retention, and its number never comes again", arguments: Backend.available)
    func retired(backend: Backend) throws {
        let bed = try backend.make(keeping: .init(retention: .seconds(3600), dedupHorizon: .seconds(60)))
        let desk = try bed.open()
        let id = try desk.add(silence("w", until: bed.now + .seconds(60)), now: bed.now)
        bed.clock.advance(by: .seconds(3600))
        while try bed.worker().live.tend(now: bed.now) {}
        #expect(try desk.silences().count == 1)
        bed.clock.advance(by: .seconds(61))
        while try bed.worker().live.tend(now: bed.now) {}
        #expect(try desk.silences().isEmpty)
        #expect(try desk.add(silence("w", until: bed.now + .seconds(60)), now: bed.now) > id)
    }
}
