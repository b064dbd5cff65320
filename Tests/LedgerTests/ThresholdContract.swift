import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import Testing

@Suite("Ledger thresholds: every backend keeps the contract", .timeLimit(.minutes(5)))
struct ThresholdContract {
    @Test(
        "a rule speaks once enough came within the span, and says of what fell short how far",
        arguments: Backend.available)
    func reached(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(1_000_000))
        #expect(try bed.count(worker, "a") == false)
        bed.clock.advance(by: .seconds(300))
        #expect(try bed.count(worker, "b") == false)
        bed.clock.advance(by: .seconds(299))
        #expect(try bed.count(worker, "c") == true, "a, b and c lie in 599 s")
        #expect(try bed.count(worker, "d") == true, "and so do b, c and d")
        bed.clock.advance(by: .seconds(301))
        #expect(try bed.count(worker, "e") == true, "b is 600 s ago; c, d and e are three")
        bed.clock.advance(by: .seconds(1200))
        #expect(try bed.count(worker, "f") == false, "a quiet time, and it begins anew")
        let rows = try bed.open().suppressed(DeliveryFilter()).reversed()
        #expect(
            rows.map { "\($0.reason) \($0.by ?? "")" } == [
                "after 1 of 3 within 10m", "after 2 of 3 within 10m", "after 1 of 3 within 10m",
            ])
        #expect(try bed.residue() == [])
    }

    @Test("it is one count for all workers, whatever the batch, and each key has its own", arguments: Backend.available)
    func shared(backend: Backend) throws {
        let bed = try backend.make()
        let workers = [
            try bed.worker("one", lease: .seconds(1_000_000)), try bed.worker("two", lease: .seconds(1_000_000)),
        ]
        #expect(try bed.count(workers[0], ["a1", "a2"], of: "a", partition: 0) == [false, false])
        #expect(try bed.count(workers[1], ["b1", "b2"], of: "b", partition: 1) == [false, false])
        #expect(try bed.count(workers[1], ["a3"], of: "a", partition: 1) == [true])
        #expect(try bed.count(workers[0], ["b3", "b4"], of: "b", partition: 0) == [true, true])
        #expect(try bed.residue() == [])
    }

    @Test("an event that comes again counts once", arguments: Backend.available)
    func duplicates(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(1_000_000))
        for _ in 0..<4 { _ = try bed.count(worker, ["a", "b", "a"]) }
        #expect(try bed.count(worker, "c") == true)
        #expect(try bed.open().suppressed(DeliveryFilter()).count == 2)
    }

    @Test("of `distinct` the values count, not the events", arguments: Backend.available)
    func distinct(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(1_000_000))
        #expect(try bed.count(worker, ["a", "b", "c"], values: [1, 1, 1]) == [false, false, false])
        #expect(try bed.count(worker, ["d", "e"], values: [2, 1]) == [false, false])
        #expect(try bed.count(worker, ["f", "g"], values: [3, 1]) == [true, true])
    }

    @Test(
        "what comes late counts where it belongs, and the last of three speaks in any order",
        arguments: Backend.available)
    func late(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(1_000_000))
        let begin = bed.now
        func at(_ seconds: Int) -> Timestamp { begin + .seconds(seconds) }
        #expect(try bed.count(worker, ["a"], at: at(500)) == [false])
        #expect(try bed.count(worker, ["b"], at: at(1000), partition: 1) == [false])
        #expect(try bed.count(worker, ["c"], at: at(450)) == [true], "with those of 500 s and 1,000 s it is 550 s")
        #expect(try bed.count(worker, ["d"], at: at(0)) == [true], "with those of 450 s and 500 s")
        #expect(try bed.count(worker, ["e"], at: at(-400)) == [false])
    }

    @Test("what fell short opens no dedup window and joins no group", arguments: Backend.available)
    func before(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(1_000_000))
        let window = Decisions.Window(
            key: .window(workspace: "vision", rule: "failures", values: []), length: .seconds(600))
        #expect(try bed.count(worker, ["a", "b", "c", "d"], window: window) == [false, false, true, false])
        #expect(
            try bed.open().suppressed(DeliveryFilter()).reversed().map(\.reason) == ["after", "after", "dedup"])
        #expect(try bed.count(worker, ["e", "f", "g", "h"], of: "other", grouped: true) == [false, false, true, true])
        bed.clock.advance(by: .seconds(60))
        #expect(try bed.claim(worker).deliveries.compactMap(\.group?.size) == [2])
        let law = try bed.open().verify(now: bed.now)
        #expect(law.selected == 8 && law.grouped == 2 && law.notified == 1 && law.suppressed == 5)
        #expect(law.residue == [])
    }

    @Test("a transaction that did not happen counted nothing", arguments: Backend.available)
    func abandoned(backend: Backend) throws {
        let bed = try backend.make()
        let worker = try bed.worker(lease: .seconds(1_000_000))
        for _ in 0..<3 {
            abandoning(worker.live) {
                #expect(throws: LedgerError.self) { try bed.count(worker, ["a", "b"]) }
            }
        }
        #expect(try bed.count(worker, ["a", "b", "c"]) == [false, false, true])
    }

    @Test("what nobody will ask for again is removed", arguments: Backend.available)
    func retired(backend: Backend) throws {
        let bed = try backend.make(keeping: .init(retention: .seconds(86_400), dedupHorizon: .seconds(3600)))
        let worker = try bed.worker(lease: .seconds(1_000_000_000))
        let begin = bed.now
        #expect(try bed.count(worker, ["a", "b"], of: "key-1") == [false, false])
        #expect(try bed.count(worker, ["c", "d"], of: "key-2") == [false, false])
        bed.clock.advance(by: .seconds(2 * 86_400))
        #expect(try bed.count(worker, ["late"], of: "key-1", at: begin) == [true], "as long as it is there it counts")
        while try worker.live.tend(now: bed.now) {}
        #expect(try bed.count(worker, ["later"], of: "key-2", at: begin) == [false])
        #expect(try bed.residue() == [])
    }
}

extension Bed {
    fileprivate func count(_ worker: Worker, _ id: String) throws -> Bool {
        try count(worker, [id]) == [true]
    }

    /// Decides events that count towards three within 10 minutes; says of which something is sent.
    fileprivate func count(
        _ worker: Worker, _ ids: [String], of key: String = "node-1", values: [UInt64]? = nil, at: Timestamp? = nil,
        window: Decisions.Window? = nil, grouped: Bool = false, partition: Int32 = 0
    ) throws -> [Bool] {
        let from = try worker.live.position("s", partition) ?? 0
        let drafts = ids.map { Draft($0, subject: nil, window: window, appended: at, wanted: false) }
        var batch = try Decisions(
            drafts, from: from, partition: partition, revision: worker.live.revision(), now: now)
        for place in batch.selections.indices {
            batch.selections[place].threshold = place
            batch.thresholds.append(
                .init(
                    key: .threshold(
                        workspace: "vision", rule: "failures", asking: "3 within 10m",
                        values: [("data.node", Array(key.utf8))]),
                    count: 3, within: .seconds(600), value: values?[place] ?? drafts[place].key.high,
                    words: "3 within 10m"))
            guard grouped else { continue }
            batch.selections[place].group = place
            batch.groups.append(
                .init(
                    key: .group(workspace: "vision", rule: "failures", values: []), name: key, wait: .seconds(60),
                    every: .seconds(600), life: .seconds(86_400), isFailure: true))
        }
        let decided = try worker.live.decide(batch, for: worker.session, now: now)
        return try #require(decided.births).map { birth in
            switch birth {
            case .leased, .pending, .grouped: true
            case .duplicate, .suppressed: false
            }
        }
    }
}
