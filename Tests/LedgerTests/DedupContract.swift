import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonSQLite
import Testing

@Suite("Ledger dedup windows: every backend keeps the contract", .timeLimit(.minutes(2)))
struct DedupContract {
    private func window(_ value: String, _ seconds: Int = 600, rule: String = "failures") -> Decisions.Window {
        Decisions.Window(
            key: .window(workspace: "vision", rule: rule, values: [("subject", Array(value.utf8))]),
            length: .seconds(seconds))
    }

    /// Events with an id each, appended some seconds after the bed's beginning.
    private func events(
        _ bed: Bed, _ seconds: [Int], length: Int = 600, prefix: String = "e", of value: String = "job-1"
    ) -> [Draft] {
        seconds.enumerated().map { index, second in
            Draft(
                "\(prefix)\(index)", subject: nil, window: window(value, length),
                appended: Timestamp(milliseconds: 1_767_600_000_000) + .seconds(second))
        }
    }

    /// Decides one event after the other in one batch: which of them are sent.
    private func sent(_ drafts: [Draft], _ bed: Bed, _ worker: Worker, partition: Int32 = 0) throws -> [Bool] {
        let from = try worker.live.position("s", partition) ?? 0
        let batch = Decisions(drafts, from: from, partition: partition, now: bed.now)
        let births = try #require(worker.live.decide(batch, for: worker.session, now: bed.now).births)
        return births.map { $0 != .suppressed }
    }

    @Test(
        "the first event of a window is sent, the others are suppressed by it, and the next one after its end is sent",
        arguments: Backend.available)
    func window(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        #expect(try sent(events(bed, [0, 1, 599]), bed, worker) == [true, false, false], "within a batch")
        #expect(try sent(events(bed, [599, 600, 1199], prefix: "f"), bed, worker) == [false, true, false], "across")
        let rows = try bed.open().suppressed(DeliveryFilter())
        let openers = try bed.open().deliveries(DeliveryFilter()).reversed().map(\.key)
        #expect(openers.count == 2)
        #expect(rows.reversed().map(\.by) == [openers[0], openers[0], openers[0], openers[1]])
        #expect(rows.allSatisfy { $0.reason == "dedup" })
        #expect(try bed.open().suppressed(DeliveryFilter(key: Key(openers[1]))).count == 1)
        let law = try bed.open().verify(now: bed.now)
        #expect((law.selected, law.notified, law.suppressed) == (6, 2, 4))
        #expect(law.residue == [])
        #expect(try bed.open().status(now: bed.now).suppressed == ["dedup": 4])
    }

    @Test("it is the append time that counts, not the moment of the decision", arguments: Backend.available)
    func appendTime(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(30 * 86_400))
        #expect(try sent(events(bed, [0]), bed, worker) == [true])
        bed.clock.advance(by: .seconds(86_400))
        #expect(try sent(events(bed, [5, 700], prefix: "f"), bed, worker) == [false, true])
    }

    @Test(
        "windows of other values and rules are apart, and rules without windows know nothing of them",
        arguments: Backend.available)
    func apart(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let drafts = [
            Draft("a", subject: nil, window: window("1")), Draft("b", subject: nil, window: window("2")),
            Draft("c", subject: nil, window: window("1", rule: "others")), Draft("d", subject: nil),
            Draft("e", subject: nil), Draft("f", subject: nil, window: window("1")),
        ]
        #expect(try sent(drafts, bed, worker) == [true, true, true, true, true, false])
    }

    @Test(
        "what is decided late and was appended just before falls into the window; what was appended long before does not",
        arguments: Backend.available)
    func late(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        #expect(try sent(events(bed, [1000]), bed, worker) == [true])
        #expect(
            try sent(events(bed, [500, 400, 399], prefix: "f"), bed, worker, partition: 1) == [false, true, false])
        #expect(try bed.open().suppressed(DeliveryFilter()).count == 2)
        #expect(try bed.residue() == [])
    }

    @Test("what sends nothing opens no window, and a duplicate is nothing at all", arguments: Backend.available)
    func silent(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let drafts = [
            Draft("a", suppressed: .stale, window: window("1")), Draft("b", window: window("1")),
            Draft("b", window: window("1")),
        ]
        let decided = try worker.live.decide(Decisions(drafts, now: bed.now), for: worker.session, now: bed.now)
        #expect(decided.births?.map(\.isLeased) == [true, false])
        #expect(decided.births?.last == .duplicate)
        #expect(decided.suppressed == [.stale: 1])
        #expect(try bed.residue() == [])
    }

    @Test("of many targets all are sent or none, and the first names the window", arguments: Backend.available)
    func targets(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        let both = ["hook", "room"]
        let drafts = [
            Draft("a", subject: "1", to: both, window: window("1")),
            Draft("b", subject: "2", to: both, window: window("1")),
        ]
        let decided = try worker.live.decide(Decisions(drafts, now: bed.now), for: worker.session, now: bed.now)
        #expect(decided.births?.map { $0 != .suppressed } == [true, true, false, false])
        #expect(decided.suppressed == [.dedup: 1])
        let first = try #require(bed.open().deliveries(DeliveryFilter()).last)
        #expect(first.target == "hook")
        #expect(try bed.open().suppressed(DeliveryFilter()).map(\.by) == [first.key])
        #expect(try bed.residue() == [])
    }

    @Test("a batch that is abandoned opens no window", arguments: Backend.available)
    func abandoned(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker()
        abandoning(worker.live) { #expect(throws: LedgerError.self) { try sent(events(bed, [0]), bed, worker) } }
        #expect(try sent(events(bed, [1]), bed, worker) == [true])
        #expect(try sent(events(bed, [0], prefix: "f"), bed, worker) == [false])
    }

    @Test("windows outlive the worker that opened them, and every worker sees them", arguments: Backend.available)
    func workers(backend: Backend) throws {
        let bed = try backend.make()
        let (first, second) = (try bed.worker("first"), try bed.worker("second"))
        #expect(try sent(events(bed, [0]), bed, first) == [true])
        first.die()
        #expect(try sent(events(bed, [1], prefix: "f"), bed, second) == [false])
        #expect(try sent(events(bed, [2], prefix: "g"), bed, try bed.worker("third"), partition: 1) == [false])
    }

    @Test(
        "windows that are over are removed in bounded steps once their partition has passed them, and only then")
    func retired() throws {
        let bed = try Backend.file.make()
        let worker = try bed.worker(lease: .seconds(365 * 86_400))
        let raw = try Database(path: bed.path, access: .readWrite)
        func left() throws -> Int64? { try raw.int("SELECT count(*) FROM dedup") }
        func tend() throws -> Int {
            var steps = 0
            while try worker.live.tend(now: bed.now) { steps += 1 }
            return steps
        }
        for value in 0..<2500 {
            _ = try sent(events(bed, [0], length: 60, prefix: "\(value)-", of: "\(value)"), bed, worker)
        }
        bed.clock.advance(by: .seconds(3 * 86_400))
        #expect(try tend() == 0, "the wall clock ends no window")
        #expect(try left() == 2500)
        // Another partition does not end the windows of this one, and a little later is not late enough.
        _ = try sent(events(bed, [90_000], prefix: "f"), bed, worker, partition: 1)
        _ = try sent(events(bed, [200], prefix: "g"), bed, worker)
        #expect(try tend() == 0)
        _ = try sent(events(bed, [1_000], prefix: "h"), bed, worker)
        #expect(try tend() == 3)
        #expect(try left() == 3)
        bed.clock.advance(by: .seconds(8 * 86_400))
        #expect(try tend() == 1, "a partition that fell silent keeps its windows for a dedup horizon")
        #expect(try left() == 0)
        #expect(try bed.residue() == [])
    }

    @Test("who sends is the same whatever order housekeeping, kills and partitions come in", arguments: UInt64(1)...200)
    func agrees(seed: UInt64) throws {
        var walk = try WindowWalk(.memory, seed: seed)
        try walk.run(steps: 80)
    }

    @Test(
        "who sends is the same in PostgreSQL", .enabled(if: Backend.available.contains(.postgres)),
        arguments: UInt64(1)...8)
    func agreesInPostgres(seed: UInt64) throws {
        var walk = try WindowWalk(.postgres, seed: seed)
        try walk.run(steps: 40)
    }
}

/// Does random batches to a ledger and to a model that forgets nothing, and compares who is sent.
private struct WindowWalk {
    private struct Window {
        let opened, ends: Int64
        let partition: Int32
        let by: Key
    }
    private let bed: Bed
    private var worker: Worker
    private var random: SplitMix
    private var windows: [Key: [Window]] = [:]
    private var reached: [Int32: Int64] = [:]
    private var expected: [Key: Key] = [:]
    private var drafted = 0
    private let start = Timestamp(milliseconds: 1_767_600_000_000)
    /// What every partition's append times are near.
    private var tide = 0

    init(_ backend: Backend, seed: UInt64) throws {
        random = SplitMix(seed: seed)
        bed = try backend.make()
        worker = try bed.worker(lease: .seconds(1_000_000_000))
    }

    mutating func run(steps: Int) throws {
        for _ in 0..<steps {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6: try decide()
            case 6: while try worker.live.tend(now: bed.now) {}
            case 7: bed.clock.advance(by: .seconds(Int.random(in: 0...200_000, using: &random)))
            case 8: tide += Int.random(in: 0...2_000, using: &random)
            default:
                worker.die()
                worker = try bed.worker(lease: .seconds(1_000_000_000))
            }
        }
        let rows = try bed.open().suppressed(DeliveryFilter(limit: 100_000))
        #expect(rows.count == expected.count)
        #expect(try bed.residue() == [])
    }

    private mutating func draft() -> Draft {
        drafted += 1
        let value = "\(Int.random(in: 0..<3, using: &random))"
        let key = Key.window(workspace: "vision", rule: "failures", values: [("subject", Array(value.utf8))])
        let length = Duration.seconds([1, 30, 60, 600, 5_000].randomElement(using: &random) ?? 1)
        // Mostly in order; now and then far out of it.
        let back = random.once(in: 10) ? 4_000 : 100
        return Draft(
            "e\(drafted)", subject: nil, window: .init(key: key, length: length),
            appended: start + .seconds(tide + Int.random(in: -back...100, using: &random)))
    }

    private mutating func decide() throws {
        let partition = Int32.random(in: 0...2, using: &random)
        let drafts = (0..<Int.random(in: 1...6, using: &random)).map { _ in draft() }
        let from = try worker.live.position("s", partition) ?? 0
        let batch = Decisions(drafts, from: from, partition: partition, now: bed.now)
        if random.once(in: 5) {
            // The process dies in the middle, and the stream brings the batch again.
            abandoning(worker.live) {
                #expect(throws: LedgerError.self) { try worker.live.decide(batch, for: worker.session, now: bed.now) }
            }
        }
        let births = try worker.live.decide(batch, for: worker.session, now: bed.now).births ?? []
        let horizon = (bed.now - .seconds(7 * 86_400)).milliseconds
        try #require(births.count == drafts.count)
        for (draft, birth) in zip(drafts, births) {
            guard let window = draft.window, let appended = draft.appended else { continue }
            let (at, end) = (appended.milliseconds, (appended + window.length).milliseconds)
            reached[partition] = max(reached[partition] ?? .min, at)
            let met = windows[window.key, default: []].first { other in
                let isOver = other.ends <= max((reached[other.partition] ?? 0) - 300_000, horizon)
                return !isOver && other.opened < end && other.ends > at
            }
            #expect((birth == .suppressed) == (met != nil), "\(draft.id) at \(at)")
            if met == nil {
                windows[window.key, default: []].append(
                    Window(opened: at, ends: end, partition: partition, by: draft.key))
            } else {
                expected[draft.key] = met?.by
            }
        }
    }
}
