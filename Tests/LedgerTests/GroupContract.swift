import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import Testing

/// The ledgers that keep groups.
private let backends = Backend.available.filter { $0 != .postgres }

@Suite("Ledger groups: every backend that has them keeps the contract", .timeLimit(.minutes(2)))
struct GroupContract {
    @Test(
        "what comes within the wait is one message, what comes later one each every, and a quiet time ends the group",
        arguments: backends)
    func speaks(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(1_000_000))
        #expect(try bed.group(worker, ["a", "b"]) == [.grouped, .grouped])
        bed.clock.advance(by: .seconds(30))
        #expect(try bed.group(worker, ["c"], failed: false) == [.grouped])
        #expect(try bed.claim(worker).deliveries.isEmpty, "it waits for company")
        #expect(try bed.claim(worker).nextDue == bed.start + .seconds(60))
        #expect(try bed.states() == [])
        bed.clock.advance(by: .seconds(30))
        let first = try #require(bed.tell(worker).first)
        #expect(first.number == 1 && first.size == 3 && first.failed == 2 && first.total == 3)
        #expect(first.since == bed.start && first.name == "array-1")
        #expect(String(decoding: first.events, as: UTF8.self) == #"[{"id":"a"},{"id":"b"},{"id":"c"}]"#)
        bed.clock.advance(by: .seconds(10))
        _ = try bed.group(worker, ["d"])
        bed.clock.advance(by: .seconds(589))
        #expect(try bed.tell(worker).isEmpty, "not before every")
        bed.clock.advance(by: .seconds(1))
        let second = try #require(bed.tell(worker).first)
        #expect(second.number == 2 && second.size == 1 && second.total == 4)
        bed.clock.advance(by: .seconds(600))
        #expect(try bed.tell(worker).isEmpty, "nothing came: it is over without a word")
        #expect(try bed.claim(worker).nextDue == nil)
        _ = try bed.group(worker, ["e"])
        bed.clock.advance(by: .seconds(60))
        #expect(try bed.tell(worker).map(\.number) == [1], "the next event opens another")
        let keys = try bed.open().deliveries(DeliveryFilter()).map(\.key)
        #expect(Set(keys).count == 3)
        #expect(try bed.residue() == [])
    }

    @Test(
        "a storm is one message at the open, one each every and a last one, and the counts are right",
        arguments: backends)
    func storm(backend: Backend) throws {
        let bed = try backend.make()
        let workers = [
            try bed.worker("one", lease: .seconds(1_000_000)), try bed.worker("two", lease: .seconds(1_000_000)),
        ]
        var told: [ClaimedGroup] = []
        // 5,000 failures in an hour and a half, 100 in every 108 seconds; of two partitions, decided by two workers.
        for step in 0..<50 {
            let ids = (0..<50).map { "\(step)-\($0)" }
            _ = try bed.group(workers[0], ids.map { "p" + $0 }, partition: 0)
            _ = try bed.group(workers[1], ids.map { "q" + $0 }, partition: 1)
            told += try bed.tell(workers[step % 2])
            bed.clock.advance(by: .seconds(60))
            told += try bed.tell(workers[(step + 1) % 2])
            bed.clock.advance(by: .seconds(48))
        }
        while let due = try bed.claim(workers[0]).nextDue {
            bed.clock.advance(by: max(.zero, due - bed.now))
            told += try bed.tell(workers[0])
        }
        #expect(told.map(\.number) == (1...10).map { Int64($0) }, "at 60 s, then every 600 s up to 5,460 s")
        #expect(told.reduce(0) { $0 + $1.size } == 5_000)
        #expect(told.last?.total == 5_000)
        #expect(told.allSatisfy { $0.size == $0.failed })
        let law = try bed.open().verify(now: bed.now)
        #expect(law.selected == 5_000 && law.grouped == 5_000 && law.notified == 0)
        #expect(law.residue == [])
    }

    @Test("groups are told apart by their key and by whom they tell", arguments: backends)
    func apart(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        _ = try bed.group(worker, ["a", "b"], to: ["hook", "mail/alice"])
        _ = try bed.group(worker, ["c"], to: ["hook", "mail/wei"])
        _ = try bed.group(worker, ["d"], of: "array-2", to: ["hook", "mail/alice"])
        bed.clock.advance(by: .seconds(60))
        let claims = try bed.claim(worker).deliveries
        #expect(
            claims.map { "\($0.target) \($0.group?.name ?? "") \($0.group?.size ?? 0)" }.sorted() == [
                "hook array-1 1", "hook array-1 2", "hook array-2 1", "mail/alice array-1 2", "mail/alice array-2 1",
                "mail/wei array-1 1",
            ])
        #expect(Set(claims.map(\.key)).count == 6)
        #expect(try bed.residue() == [])
    }

    @Test("only some of many events are listed, the first ones and the newest", arguments: backends)
    func bounded(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        _ = try bed.group(worker, (0..<100).map { "e\($0)" })
        bed.clock.advance(by: .seconds(60))
        let group = try #require(bed.claim(worker).deliveries.first?.group)
        let ids = ([0, 1, 2] + Array(93...99)).map { #"{"id":"e\#($0)"}"# }
        #expect(String(decoding: group.events, as: UTF8.self) == "[" + ids.joined(separator: ",") + "]")
        #expect(group.size == 100)
        let big = (0..<10).map { Array("\"\(String(repeating: "\($0)", count: 20_000))\"".utf8) }
        #expect(ClaimedGroup.list(big).count <= 64 << 10)
        #expect(ClaimedGroup.list(big).starts(with: Array("[\"777".utf8)), "the newest have room first")
    }

    @Test("a second message waits for the first, which its arrival pulls forward", arguments: backends)
    func ordered(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(1_000_000))
        _ = try bed.group(worker, ["a"])
        bed.clock.advance(by: .seconds(60))
        let first = try #require(bed.claim(worker).deliveries.first)
        try bed.settle(worker, first.delivery, .retry(at: bed.now + .seconds(3600)))
        _ = try bed.group(worker, ["b"])
        bed.clock.advance(by: .seconds(600))
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [first.delivery])
        try bed.settle(worker, first.delivery, epoch: 2, .delivered)
        #expect(try bed.claim(worker).deliveries.map(\.group?.number) == [2])
        #expect(try bed.residue() == [])
    }

    @Test("an event kept out by a dedup window is counted where its group is open", arguments: backends)
    func kept(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let window = Decisions.Window(
            key: .window(workspace: "vision", rule: "failures", values: []), length: .seconds(600))
        #expect(try bed.group(worker, ["a", "b", "c"], window: window) == [.grouped, .suppressed, .suppressed])
        bed.clock.advance(by: .seconds(60))
        let group = try #require(bed.claim(worker).deliveries.first?.group)
        #expect(group.size == 1 && group.suppressed == 2)
        #expect(try bed.residue() == [])
    }

    @Test("a rule that is removed ends its groups, and what they had to say expires", arguments: backends)
    func removed(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        _ = try bed.group(worker, ["a", "b"], to: ["hook", "room"])
        let base = try bed.open().revision()
        let change = RuleChange(workspace: "vision", sources: [], living: ["failures": ["room"]])
        let answer = try bed.open().apply([change], base: base, keepPending: false, now: bed.now)
        let applied = try #require(answer)
        #expect(applied.expired == 1)
        let rows = try bed.open().deliveries(DeliveryFilter()).reversed()
        #expect(rows.map { "\($0.target) \($0.state) \($0.reason)" } == ["hook expired rule_removed", "room pending "])
        #expect(try bed.tell(worker).map(\.size) == [2])
        _ = try bed.group(worker, ["c"], to: ["hook", "room"])
        bed.clock.advance(by: .seconds(60))
        #expect(try bed.tell(worker).map(\.number) == [1, 1], "a new group")
        #expect(try bed.residue() == [])
    }

    @Test("an event's groups are found, with the notification that counts it", arguments: backends)
    func memberships(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(1_000_000))
        _ = try bed.group(worker, ["a", "b"])
        bed.clock.advance(by: .seconds(60))
        _ = try bed.tell(worker)
        _ = try bed.group(worker, ["c"])
        func of(_ id: String) throws -> Membership {
            let number = try #require(bed.open().events(.key(Draft(id).key), limit: 1).first?.number)
            return try #require(bed.open().memberships(of: number).first)
        }
        let (b, c) = (try of("b"), try of("c"))
        #expect(b.rule == "failures" && b.name == "array-1" && b.total == 3 && b.opened == bed.start)
        #expect(b.told?.number == 1 && b.told?.size == 2)
        #expect(c.told == nil && c.due == bed.start + .seconds(660))
        var filter = DeliveryFilter()
        filter.event = b.told?.event
        let row = try #require(bed.open().deliveries(filter).first)
        let key = try #require(Key(row.key))
        let said = try #require(bed.open().events(.delivery(key), limit: 1).first)
        #expect(try bed.open().memberships(of: said.number).first?.told == b.told)
    }

    @Test(
        "retention removes members, what they said and their groups, and the law goes on to hold", arguments: backends)
    func retired(backend: Backend) throws {
        let bed = try backend.make(keeping: .init(retention: .seconds(86_400), dedupHorizon: .seconds(3600)))
        let worker = try bed.worker(lease: .seconds(1_000_000_000))
        _ = try bed.group(worker, (0..<2500).map { "e\($0)" })
        bed.clock.advance(by: .seconds(60))
        _ = try bed.tell(worker)
        bed.clock.advance(by: .seconds(600))
        _ = try bed.tell(worker)
        bed.clock.advance(by: .seconds(2 * 86_400))
        _ = try bed.group(worker, ["new"])
        while try worker.live.tend(now: bed.now) { #expect(try bed.residue() == []) }
        let law = try bed.open().verify(now: bed.now)
        #expect(law.grouped == 2501 && law.residue == [])
        #expect(try bed.states() == [], "only what waits is left")
        bed.clock.advance(by: .seconds(60))
        #expect(try bed.tell(worker).map(\.size) == [1])
        #expect(try bed.residue() == [])
    }

    @Test("every member is counted once, whoever decides, dies or speaks in between", arguments: UInt64(1)...150)
    func countedOnce(seed: UInt64) throws {
        var walk = try GroupWalk(seed: seed)
        try walk.run(steps: 80)
    }
}

/// Lets events join groups of two arrays, with deaths in the middle of everything, and counts what the messages say.
private struct GroupWalk {
    private let bed: Bed
    private var worker: Worker
    private var random: SplitMix
    private var joined: [String: Int64] = [:]
    private var told: [Key: (group: String, size: Int64)] = [:]
    /// Whether all goes well from now on.
    private var isCalm = false

    init(seed: UInt64) throws {
        random = SplitMix(seed: seed)
        bed = try Backend.memory.make()
        worker = try bed.worker(lease: .seconds(1_000_000_000))
    }

    mutating func run(steps: Int) throws {
        for step in 0..<steps {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4: try join(step)
            case 4..<7: bed.clock.advance(by: .seconds(Int.random(in: 0...400, using: &random)))
            case 7..<9: try speak()
            default:
                worker.die()
                worker = try bed.worker(lease: .seconds(1_000_000_000))
                _ = try worker.live.reap(now: bed.now)
            }
            #expect(try bed.residue() == [])
        }
        isCalm = true
        worker.die()
        worker = try bed.worker(lease: .seconds(1_000_000_000))
        _ = try worker.live.reap(now: bed.now)
        // Longer than two messages of a group are apart, and one more for each that waits behind another.
        for _ in 0..<200 {
            bed.clock.advance(by: .seconds(60))
            try speak()
        }
        #expect(try bed.states().allSatisfy { $0 == .delivered })
        var sums: [String: Int64] = [:]
        for (group, size) in told.values { sums[group, default: 0] += size }
        #expect(sums == joined)
    }

    private mutating func join(_ step: Int) throws {
        let array = "array-\(Int.random(in: 1...2, using: &random))"
        let ids = (0..<Int.random(in: 1...5, using: &random)).map { "\(step)-\($0)" }
        if random.once(in: 4) {
            abandoning(worker.live) {
                #expect(throws: LedgerError.self) { try bed.group(worker, ids, of: array) }
            }
        }
        _ = try bed.group(worker, ids, of: array)
        joined[array, default: 0] += Int64(ids.count)
    }

    /// Takes what is due: it arrives, is tried again, or its worker dies with it.
    private mutating func speak() throws {
        if !isCalm, random.once(in: 4) {
            // A process dies while groups speak: nothing is said, and nothing is lost.
            abandoning(worker.live) { _ = try? bed.claim(worker) }
        }
        for claimed in try bed.claim(worker).deliveries {
            let group = try #require(claimed.group)
            let size = told[claimed.key]?.size ?? group.size
            #expect(size == group.size, "every copy says the same")
            told[claimed.key] = (group.name, group.size)
            if !isCalm, random.once(in: 3) { continue }
            try bed.settle(
                worker, claimed.delivery, epoch: claimed.epoch,
                !isCalm && random.once(in: 3) ? .retry(at: bed.now + .seconds(30)) : .delivered)
        }
    }
}

extension Bed {
    var start: Timestamp { Timestamp(milliseconds: 1_767_600_000_000) }

    /// Decides events that join a group.
    @discardableResult
    fileprivate func group(
        _ worker: Worker, _ ids: [String], of array: String = "array-1", to targets: [String] = ["hook"],
        failed: Bool = true, window: Decisions.Window? = nil, partition: Int32 = 0
    ) throws -> [Birth] {
        let from = try worker.live.position("s", partition) ?? 0
        let drafts = ids.map { Draft($0, subject: nil, to: targets, window: window, wanted: false) }
        var batch = try Decisions(
            drafts, from: from, partition: partition, revision: worker.live.revision(), now: now)
        let key = Key.group(workspace: "vision", rule: "failures", values: [("data.array.id", Array(array.utf8))])
        for place in batch.selections.indices {
            batch.selections[place].group = place
            batch.groups.append(
                .init(
                    key: key, name: array, wait: .seconds(60), every: .seconds(600), life: .seconds(86_400),
                    isFailure: failed))
        }
        let decided = try worker.live.decide(batch, for: worker.session, now: now)
        return try #require(decided.births)
    }

    /// Takes what is due and delivers it: what the messages say of their groups.
    fileprivate func tell(_ worker: Worker) throws -> [ClaimedGroup] {
        try claim(worker).deliveries.map { claimed in
            try settle(worker, claimed.delivery, epoch: claimed.epoch, .delivered)
            return try #require(claimed.group)
        }
    }
}
