import CarillonEvents
import CarillonKit
import CarillonLedger
import Testing

@Suite("Ledger's answers: every backend keeps the contract", .timeLimit(.minutes(5)))
struct AnswersContract {
    // Explaining

    @Test(
        "an event is found by its key, its subject and its deliveries' keys, wherever it stands, and none by others'",
        arguments: Backend.available)
    func found(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(36_000))
        let all = 24_000
        func draft(_ number: Int) -> Draft {
            Draft(
                "e\(number)", subject: number % 10 == 0 ? nil : "job-\(number / 5)",
                to: number % 7 == 0 ? ["hook", "room"] : ["hook"],
                suppressed: number % 11 == 0 ? .stale : nil, wanted: false, ordered: false)
        }
        for start in stride(from: 0, to: all, by: 4_000) {
            let batch = Decisions((start..<start + 4_000).map(draft), from: Int64(start), now: bed.now)
            _ = try worker.live.decide(batch, for: worker.session, now: bed.now)
            // The last events are behind all runs.
            if start < all - 4_000 { while try worker.live.tend(now: bed.now) {} }
        }
        let ledger = try bed.open()
        var random = SplitMix(seed: 7)
        for place in (0..<40).map({ _ in Int.random(in: 0..<all, using: &random) }) + [0, 1, all - 1] {
            let draft = draft(place)
            let events = try ledger.events(.key(draft.key), limit: 10)
            #expect(events.map(\.key) == [draft.key] && events.map(\.offset) == [Int64(place)])
            #expect(events.first?.bytes == draft.bytes && events.first?.batch?.offsets.contains(Int64(place)) == true)
            if let subject = draft.subject {
                let siblings = (0..<5).map { place / 5 * 5 + $0 }.filter { $0 % 10 != 0 }
                #expect(
                    try ledger.events(.subject(subject), limit: 100).map(\.offset).sorted()
                        == siblings.map { Int64($0) })
                #expect(try ledger.events(.subject(subject), limit: 2).count == 2)
            }
            try rows(ledger, of: draft, try #require(events.first?.number))
        }
        let three: Set<Key> = [draft(3).key, draft(all - 2).key, Draft("absent").key]
        #expect(try ledger.events(.keys(three), limit: 9).map(\.offset) == [Int64(all - 2), 3])
        // More than are looked for one by one.
        let many = Set((0..<300).map { draft($0 * 80).key })
        #expect(Set(try ledger.events(.keys(many), limit: .max).map(\.key)) == many)
        #expect(try ledger.events(.keys([]), limit: 1).isEmpty && ledger.workspaces() == ["vision"])
        #expect(try ledger.events(.key(Draft("absent").key), limit: 1).isEmpty)
        #expect(try ledger.events(.subject("job"), limit: 1).isEmpty)
        #expect(try ledger.events(.delivery(Draft("e0").key), limit: 1).isEmpty)
    }

    /// The deliveries of an event, and what was suppressed of it, are those of the draft.
    private func rows(_ ledger: any WholeLedger, of draft: Draft, _ number: Int64) throws {
        var filter = DeliveryFilter()
        filter.event = number
        let (deliveries, suppressed) = (try ledger.deliveries(filter), try ledger.suppressed(filter))
        guard draft.suppressed == nil else {
            #expect(deliveries.isEmpty && suppressed.map(\.event) == [draft.bytes])
            return
        }
        let keys = draft.rules[0].targets.map { Key.delivery(event: draft.key, rule: "failures", target: $0) }
        #expect(Set(deliveries.map(\.key)) == Set(keys.map(\.description)) && suppressed.isEmpty)
        for key in keys {
            #expect(try ledger.events(.delivery(key), limit: 2).map(\.number) == [number])
            #expect(try ledger.deliveries(DeliveryFilter(key: key)).map(\.key) == [key.description])
        }
    }

    @Test("what is decided of a partition is told in order, and by which rules", arguments: Backend.available)
    func decided(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(36_000))
        try bed.decide(worker, Draft("a"), unmatched: 4)
        try bed.decide(worker, unmatched: 5)
        let began = bed.now
        bed.clock.advance(by: .seconds(2 * 3_600))
        let change = RuleChange(workspace: "vision", sources: [SourceText(file: "f", text: "t")], living: [:])
        #expect(try bed.open().apply([change], base: 0, keepPending: true, now: bed.now)?.revision == 1)
        try bed.decide(worker, unmatched: 5)
        let ledger = try bed.open()
        #expect(
            try ledger.decided("s", 0) == [
                DecidedRange(offsets: 0..<10, revision: 0, at: began),
                DecidedRange(offsets: 10..<15, revision: 1, at: bed.now),
            ])
        #expect(try ledger.decided("s", 1) == [] && ledger.decided("t", 0) == [])
        #expect(try ledger.revision(at: began) == 0 && ledger.revision(at: bed.now) == 1)
    }

    @Test("a parked record is found by its place, and marked when it is retried", arguments: Backend.available)
    func parked(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let batch = Decisions([Draft("a")], parked: ["no JSON"], now: bed.now)
        _ = try worker.live.decide(batch, for: worker.session, now: bed.now)
        let ledger = try bed.open()
        for stream in [nil, "s"] {
            let row = try #require(try ledger.parked(stream, 0, 1))
            #expect(row.reason == "no JSON" && row.retriedAt == nil && row.bytes == Array("broken".utf8))
        }
        #expect(try ledger.parked("t", 0, 1) == nil && ledger.parked(nil, 0, 0) == nil)
        try ledger.noteRetried("t", 0, 1, now: bed.now)
        #expect(try ledger.parked("s", 0, 1)?.retriedAt == nil)
        try ledger.noteRetried("s", 0, 1, now: bed.now)
        #expect(try ledger.parked("s", 0, 1)?.retriedAt == bed.now.milliseconds)
        #expect(try ledger.parked(limit: 1).first?.retriedAt == bed.now.milliseconds)
        #expect(try bed.residue() == [])
    }

    // Replaying

    private func owed(_ bed: Bed, _ states: Set<DeliveryState>, rule: String? = nil) -> OwedQuestion {
        OwedQuestion(
            since: bed.now - .seconds(60), until: bed.now + .seconds(60), workspace: "vision", rule: rule,
            states: states)
    }

    @Test("a replay asked again goes on where it was, until it has ended", arguments: Backend.available)
    func resumes(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(worker, Draft("a", subject: "1"), Draft("b", subject: "2"), Draft("c", subject: "3"))
            .compactMap(\.id)
        for id in ids { try bed.settle(worker, id, .dead, reason: "clientError") }
        let ledger = try bed.open()
        let replay = try ledger.begin(replay: "q", since: bed.now - .seconds(60), until: bed.now, now: bed.now)
        #expect((replay.cursor, replay.last, replay.reopened) == (0, ids[2], 0))
        let page = try ledger.owed(owed(bed, [.dead]), after: 0, upTo: replay.last)
        #expect(page.rows.map(\.id) == ids && page.next == nil && page.rows.map(\.target) == ["hook", "hook", "hook"])
        #expect(try ledger.owed(owed(bed, [.dead], rule: "other"), after: 0, upTo: nil).rows.isEmpty)
        #expect(try ledger.owed(owed(bed, [.delivered]), after: 0, upTo: nil).rows.isEmpty)
        #expect(try ledger.owed(owed(bed, [.dead]), after: ids[0], upTo: ids[1]).rows.map(\.id) == [ids[1]])
        #expect(
            try ledger.reopen([ids[0]], received: [], by: nil, of: (id: replay.id, cursor: ids[0]), now: bed.now) == 1)
        #expect(
            try ledger.reopen([ids[0]], received: [], by: nil, of: (id: replay.id, cursor: ids[0]), now: bed.now) == 0,
            "it is open already")
        let again = try bed.open().begin(replay: "q", since: bed.now, until: bed.now, now: bed.now)
        #expect((again.id, again.cursor, again.since, again.reopened) == (replay.id, ids[0], replay.since, 1))
        #expect(try bed.open().begin(replay: "r", since: bed.now, until: bed.now, now: bed.now).id != replay.id)
        try ledger.note(replay: replay.id, decided: 3, ended: true, now: bed.now)
        #expect(try ledger.begin(replay: "q", since: bed.now, until: bed.now, now: bed.now).id != replay.id)
        #expect(try bed.states() == [.pending, .dead, .dead])
        #expect(try bed.residue() == [])
    }

    @Test(
        "what was delivered and is sent again ends as delivered, whatever becomes of it", arguments: Backend.available,
        ["delivered", "dead", "expired", "cancelled", "rule removed", "superseded", "died"])
    func resent(backend: Backend, end: String) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let draft = Draft("a", wanted: true, supersedes: end == "superseded")
        let id = try #require(try bed.decide(worker, draft).first?.id)
        try bed.settle(worker, id, .delivered)
        let ledger = try bed.open()
        let replay = try ledger.begin(replay: "q", since: bed.now, until: bed.now, now: bed.now)
        #expect(try ledger.reopen([id], received: [], by: 7, of: (id: replay.id, cursor: id), now: bed.now) == 1)
        #expect(try bed.states() == [.pending])
        switch end {
        case "cancelled": #expect(try ledger.cancel(DeliveryFilter(), now: bed.now) == 1)
        case "rule removed":
            let change = RuleChange(workspace: "vision", sources: [], living: [:])
            #expect(try ledger.apply([change], base: 0, keepPending: false, now: bed.now)?.expired == 1)
        case "superseded": try bed.decide(worker, Draft("b", wanted: false, supersedes: true))
        case "died":
            let claim = try #require(try bed.claim(worker).deliveries.first)
            _ = try worker.live.start([claim.delivery], for: worker.session, now: bed.now)
            worker.die()
            _ = try bed.worker("other").live.reap(now: bed.now)
        default:
            let claim = try #require(try bed.claim(worker).deliveries.first)
            #expect(claim.revision == 7, "its text is not that of the rules asked for")
            try bed.settle(
                worker, id, epoch: claim.epoch, end == "dead" ? .dead : end == "expired" ? .expired : .delivered)
        }
        #expect(try bed.states().first == .delivered)
        #expect(try bed.residue() == [])
    }

    @Test(
        "what was suppressed as a whole is found by why, when and whose it was, also behind much else",
        arguments: Backend.available)
    func held(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let reasons: [Suppression] = [.silence, .stale, .expired, .dedup]
        let drafts = (0..<2_500).map { number in
            Draft(
                "e\(number)", workspace: number % 2 == 0 ? "vision" : "speech", subject: "job-\(number % 5)",
                rule: number % 3 == 0 ? "failures" : "ends", suppressed: number % 10 < 4 ? reasons[number % 10] : nil,
                wanted: false)
        }
        _ = try worker.live.decide(Decisions(drafts, now: bed.now), for: worker.session, now: bed.now)
        let ledger = try bed.open()
        func found(_ question: OwedQuestion, _ reasons: Set<Suppression>) throws -> [HeldPage.Row] {
            var rows: [HeldPage.Row] = []
            var cursor: Int64? = 0
            while let after = cursor {
                let page = try ledger.held(question, for: reasons, after: after)
                rows += page.rows
                cursor = page.next
            }
            return rows
        }
        let all = OwedQuestion(since: bed.now - .seconds(60), until: bed.now + .seconds(60), states: [])
        let silenced = try found(all, [.silence])
        #expect(silenced.map(\.event.offset) == stride(from: 0, to: 2_500, by: 10).map { Int64($0) })
        #expect(silenced.allSatisfy { $0.reason == "silence" && $0.event.batch != nil })
        #expect(silenced[1].event.bytes == drafts[10].bytes && silenced[1].event.key == drafts[10].key)
        #expect(silenced[1].rule == "ends" && silenced[1].workspace == "vision")
        #expect(try found(all, [.stale, .expired]).count == 500 && found(all, []).isEmpty)
        var some = all
        (some.workspace, some.rule, some.subject) = ("vision", "failures", "job-0")
        #expect(try found(some, [.silence]).allSatisfy { $0.event.offset % 30 == 0 })
        #expect(try found(some, [.silence]).count == 84)
        some.until = bed.now
        #expect(try found(some, [.silence]).isEmpty)
        #expect(try ledger.positions().map(\.next) == [2_500])
    }

    @Test("what the receiver has ends as delivered and frees the next of its pair", arguments: Backend.available)
    func received(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(worker, Draft("a", wanted: false), Draft("b", wanted: false)).compactMap(\.id)
        let ledger = try bed.open()
        let replay = try ledger.begin(replay: "q", since: bed.now, until: bed.now, now: bed.now)
        _ = try ledger.reopen([], received: [ids[0]], by: nil, of: (id: replay.id, cursor: ids[1]), now: bed.now)
        #expect(try bed.states() == [.delivered, .pending])
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [ids[1]])
        #expect(try bed.residue() == [])
    }

    @Test(
        "a reopened elder goes before the younger one of its pair that waits", arguments: Backend.available)
    func order(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let ids = try bed.decide(worker, Draft("a"), Draft("b", wanted: false)).compactMap(\.id)
        try bed.settle(worker, ids[0], .dead)
        let ledger = try bed.open()
        let replay = try ledger.begin(replay: "q", since: bed.now, until: bed.now, now: bed.now)
        _ = try ledger.reopen([ids[0]], received: [], by: nil, of: (id: replay.id, cursor: ids[1]), now: bed.now)
        let first = try #require(try bed.claim(worker).deliveries.first)
        #expect(first.delivery == ids[0])
        try bed.settle(worker, ids[0], epoch: first.epoch, .delivered)
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [ids[1]])
        #expect(try bed.residue() == [])
    }

    @Test("a range is decided beside the position once, and never where a batch is", arguments: Backend.available)
    func beside(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        _ = try worker.live.decide(
            Decisions([Draft("b")], from: 10, unmatched: 9, now: bed.now), for: worker.session, now: bed.now)
        func decide(_ range: Range<Int64>, _ id: String) throws -> Decided {
            var batch = Decisions(
                [Draft(id, wanted: false)], from: range.lowerBound, unmatched: range.count - 1, now: bed.now)
            batch.isBeside = true
            return try worker.live.decide(batch, for: worker.session, now: bed.now)
        }
        #expect(try decide(5..<12, "a").moved != nil && decide(19..<21, "a").moved != nil)
        #expect(try decide(0..<6, "a").births?.count == 1)
        #expect(try decide(0..<6, "a").moved != nil)
        #expect(try decide(6..<10, "b").duplicates == 1, "an event is decided once, wherever it stands")
        #expect(try worker.live.position("s", 0) == 20)
        #expect(try bed.open().decided("s", 0).map(\.offsets).reduce(0) { $0 + $1.count } == 20)
        #expect(try bed.residue() == [])
    }

    // Verifying

    @Test(
        "a window is counted a page at a time, and what is wrong with a delivery is named",
        arguments: [
            "DELETE FROM event", "DELETE FROM rule", "DELETE FROM session", "UPDATE session SET lowest = 1000",
            "UPDATE delivery SET due = 1 WHERE state = 2",
        ])
    func audit(sql: String) throws {
        for backend in Backend.available where backend != .memory {
            let bed = try backend.make()
            let worker = try bed.worker()
            let ids = try bed.decide(worker, Draft("a", subject: "1"), Draft("b", subject: "2"), unmatched: 2)
                .compactMap(\.id)
            try bed.settle(worker, ids[0], .delivered)
            let ledger = try bed.open()
            let (since, until) = (bed.now - .seconds(60), bed.now + .seconds(60))
            let law = try ledger.batches(since: since, until: until)
            #expect((law.read, law.unmatched, law.matched, law.selected) == (4, 2, 2, 2) && law.residue == [])
            let page = try ledger.audit(since: since, until: until, after: 0, upTo: nil, now: bed.now)
            #expect(page.states == [.delivered: 1, .leased: 1] && page.notified == 2 && page.residue == [])
            #expect(page.delivered == [Key.delivery(event: Draft("a").key, rule: "failures", target: "hook")])
            let later = try ledger.audit(
                since: since + .seconds(7_200), until: until + .seconds(7_200), after: 0, upTo: nil, now: bed.now)
            #expect(later.states == [:])
            try bed.tamper(sql)
            #expect(
                try !ledger.audit(since: since, until: until, after: 0, upTo: nil, now: bed.now).residue.isEmpty,
                "\(backend)")
        }
    }
}
