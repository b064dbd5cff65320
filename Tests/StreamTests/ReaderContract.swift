import CarillonEvents
import CarillonKit
import CarillonStream
import Testing

@Suite("Stream readers: every backend keeps the contract", .timeLimit(.minutes(5)), .ownThreads)
struct ReaderContract {
    // Groups

    @Test(
        "two readers of a group share its partitions, and together read everything once", arguments: Backend.available)
    func twoReaders(backend: Backend) throws {
        let stream = try backend.make(partitions: 4).stream
        let ledger = Pump.Positions()
        let first = try Pump(stream, ledger)
        try first.run { $0.owned.count == 4 }
        let second = try Pump(stream, ledger)
        try turns([first, second]) { first.owned.count == 2 && second.owned.count == 2 }
        #expect(first.owned.isDisjoint(with: second.owned))
        try stream.appender().append((0..<200).map { event("w\($0 % 16)", "\($0)") })
        try turns([first, second]) { first.seen.count + second.seen.count >= 200 }
        #expect(Set(first.seen + second.seen).count == 200)
        #expect(!first.seen.isEmpty && !second.seen.isEmpty)
    }

    @Test("a closed reader is replaced, and its successor goes on where the group stands", arguments: Backend.available)
    func closedReader(backend: Backend) throws {
        let stream = try backend.make(partitions: 4).stream
        try stream.appender().append((0..<40).map { event("w\($0)", "\($0)") })
        let ledger = Pump.Positions()
        let first = try Pump(stream, ledger)
        try first.run { $0.seen.count == 40 }
        let second = try Pump(stream, ledger)
        first.reader.close()
        try stream.appender().append((0..<40).map { event("w\($0)", "again \($0)") })
        try second.run { $0.owned.count == 4 && $0.seen.count >= 40 }
        #expect(second.seen.allSatisfy { $0.text.hasPrefix("again") })
    }

    @Test("more readers than partitions: each partition has one, and none is left out", arguments: Backend.available)
    func moreReadersThanPartitions(backend: Backend) throws {
        let stream = try backend.make(partitions: 2).stream
        let ledger = Pump.Positions()
        let pumps = try (0..<4).map { _ in try Pump(stream, ledger) }
        try stream.appender().append((0..<50).map { event("w\($0)", "\($0)") })
        try turns(pumps) { pumps.reduce(0) { $0 + $1.seen.count } >= 50 }
        #expect(pumps.reduce(0) { $0 + $1.owned.count } == 2)
        #expect(Set(pumps.flatMap(\.seen)).count == 50)
    }

    @Test(
        "readers among whom the partitions do not divide evenly come to rest all the same", arguments: Backend.available
    )
    func unevenShares(backend: Backend) throws {
        let stream = try backend.make(partitions: 8).stream
        let ledger = Pump.Positions()
        let pumps = try (0..<3).map { _ in try Pump(stream, ledger) }
        try turns(pumps) { pumps.map(\.owned.count).sorted() == [2, 3, 3] }
        let shares = pumps.map(\.owned)
        #expect(shares.reduce(Set()) { $0.union($1) }.count == 8)
        // Long enough that each looks several times who else is there.
        for _ in 0..<4 {
            for pump in pumps { #expect(try !pump.step(wait: .milliseconds(400)), "moved without a reason") }
        }
        #expect(pumps.map(\.owned) == shares)
    }

    @Test(
        "groups read independently, however alike their names are", arguments: Backend.available,
        [("a", "b"), ("team/a", "team_a"), ("a b", "a.b"), ("é", "e\u{301}x")])
    func twoGroups(backend: Backend, names: (String, String)) throws {
        let stream = try backend.make(partitions: 2).stream
        try stream.appender().append((0..<20).map { event("w\($0)", "\($0)") })
        let (one, other) = try (Pump(stream, group: names.0), Pump(stream, group: names.1))
        try turns([one, other]) { one.seen.count >= 20 && other.seen.count >= 20 }
        #expect(one.owned == other.owned)
        #expect(Set(one.seen) == Set(other.seen))
    }

    // Places

    @Test("nothing is read from a partition before its seek", arguments: Backend.available)
    func seekFirst(backend: Backend) throws {
        let stream = try backend.make(partitions: 1).stream
        try stream.appender().append([event("w", "0")])
        let reader = try stream.reader(group: "g")
        defer { reader.close() }
        var isOurs = false
        while !isOurs { if case .assigned = try reader.poll(wait: .seconds(1)) { isOurs = true } }
        for _ in 0..<3 {
            if case .records = try reader.poll(wait: .zero) { Issue.record("read before its seek") }
        }
        try reader.seek(0, to: nil)
        guard case .records(let batch) = try reader.poll(wait: .seconds(10)) else {
            Issue.record("nothing after the seek")
            return
        }
        #expect(batch.records.map(\.offset) == [0])
        #expect(try stream.ends() == [0: 1])
    }

    @Test("a seek moves the place either way, as often as it is asked", arguments: Backend.available)
    func seek(backend: Backend) throws {
        let stream = try backend.make(partitions: 1).stream
        try stream.appender().append((0..<10).map { event("w", "\($0)") })
        let pump = try Pump(stream)
        try pump.drain()
        for start in [7, 0, 9, 3] as [Offset] {
            try pump.reader.seek(0, to: start)
            let before = pump.seen.count
            try pump.run { _ in pump.seen.count >= before + Int(10 - start) }
            #expect(pump.seen[before...].map(\.offset) == Array(start..<10))
        }
        try pump.reader.seek(0, to: 10)
        #expect(try pump.step() == false, "nothing stands behind the end")
    }

    @Test("a place behind the end is refused: whoever knows it has seen another stream", arguments: Backend.available)
    func seekBehindTheEnd(backend: Backend) throws {
        let stream = try backend.make(partitions: 1).stream
        try stream.appender().append([event("w", "0")])
        let pump = try Pump(stream)
        try pump.drain()
        let error = #expect(throws: StreamError.self) { try pump.reader.seek(0, to: 2) }
        #expect(error?.isRetriable == false)
        try stream.appender().append([event("w", "1")])
        try pump.drain()
        #expect(pump.seen.map(\.text) == ["0", "1"], "a refused seek moves nothing")
    }

    // Loss and retention

    @Test("records lost before they were read are reported as a gap", arguments: Backend.available)
    func gap(backend: Backend) throws {
        try backend.needs(.removal)
        let stream = try backend.make(partitions: 1).stream
        try stream.appender().append((0..<10).map { event("w", "\($0)") })
        try stream.lose(0, before: 6)
        let pump = try Pump(stream)
        pump.ledger.next[0] = 2
        try pump.drain()
        #expect(pump.seen.map(\.offset) == [6, 7, 8, 9])
        #expect(pump.gaps[0] == 4)
    }

    @Test("a gap is reported and passed even when nothing is left behind it", arguments: Backend.available)
    func gapToTheEnd(backend: Backend) throws {
        try backend.needs(.removal)
        let stream = try backend.make(partitions: 1).stream
        try stream.appender().append((0..<10).map { event("w", "\($0)") })
        try stream.lose(0, before: 10)
        let pump = try Pump(stream)
        pump.ledger.next[0] = 3
        #expect(try pump.reader.isDrained(positions: pump.ledger.next) == false, "seven records are unaccounted for")
        try pump.drain()
        #expect(pump.gaps[0] == 7)
        #expect(pump.ledger.next[0] == 10)
    }

    @Test("a group that starts at the earliest record has no gap", arguments: Backend.available, [6, 10] as [Offset])
    func noGapAtTheStart(backend: Backend, kept: Offset) throws {
        try backend.needs(.removal)
        let stream = try backend.make(partitions: 1).stream
        try stream.appender().append((0..<10).map { event("w", "\($0)") })
        try stream.lose(0, before: kept)
        let pump = try Pump(stream, group: "late")
        try pump.run { $0.owned == [0] }
        try stream.appender().append([event("w", "10")])
        try pump.drain()
        #expect(pump.seen.map(\.offset) == Array(kept...10))
        #expect((pump.gaps[0] ?? 0) == 0, "what was removed before a group began is no loss of its own")
    }

    @Test("retention never removes what some group has not read", arguments: Backend.available)
    func retentionKeepsUnread(backend: Backend) throws {
        try backend.needs(.removal)
        let bed = try backend.make(partitions: 1)
        let appender = try bed.stream.appender()
        try appender.append((0..<10).map { event("w", "\($0)") })
        let (fast, slow) = try (Pump(bed.stream, group: "fast"), Pump(bed.stream, group: "slow"))
        try fast.drain()
        fast.reader.close()
        try slow.run { $0.owned == [0] }
        try bed.stream.retain(before: bed.clock.now() + .seconds(1))
        try slow.drain()
        #expect(slow.seen.map(\.offset) == Array(0..<10))
        #expect(slow.gaps[0] == 0)
        slow.reader.close()
        try bed.stream.retain(before: bed.clock.now() + .seconds(1))
        let late = try Pump(bed.stream, group: "late")
        try late.run { $0.owned == [0] }
        try appender.append([event("w", "10")])
        try late.drain()
        #expect(late.seen.map(\.offset) == [10], "what all had read was kept for ever")
    }

    @Test("retention keeps what is young, and everything while no group has joined", arguments: Backend.available)
    func retentionKeepsYoung(backend: Backend) throws {
        try backend.needs(.removal)
        let bed = try backend.make(partitions: 1)
        let appender = try bed.stream.appender()
        try appender.append([event("w", "old")])
        bed.clock.step(.seconds(60))
        try appender.append([event("w", "young")])
        try bed.stream.retain(before: bed.clock.now() + .seconds(1))
        let pump = try Pump(bed.stream)
        try pump.drain()
        #expect(pump.seen.map(\.text) == ["old", "young"])
        pump.reader.close()
        try bed.stream.retain(before: bed.clock.now())
        let again = try Pump(bed.stream)
        again.ledger.next[0] = 0
        try again.drain()
        #expect(again.seen.map(\.text) == ["young"])
        #expect(again.gaps[0] == 1)
    }

    // How far

    @Test("drained means that all partitions are read to their ends, whoever reads them", arguments: Backend.available)
    func isDrained(backend: Backend) throws {
        let stream = try backend.make(partitions: 4).stream
        let pump = try Pump(stream)
        let reader = pump.reader
        #expect(try reader.isDrained(positions: [:]), "an empty stream is drained")
        try stream.appender().append((0..<40).map { event("w\($0)", "\($0)") })
        var ends = try stream.ends()
        #expect(try reader.isDrained(positions: ends))
        #expect(try reader.isDrained(positions: [:]) == false)
        ends[0, default: 0] -= 1
        #expect(try reader.isDrained(positions: ends) == false)
    }

    @Test("lag counts what is not read yet in the partitions at hand", arguments: Backend.available)
    func lag(backend: Backend) throws {
        let stream = try backend.make(partitions: 2).stream
        let pump = try Pump(stream)
        try pump.run { $0.owned.count == 2 }
        #expect(try pump.reader.lag() == 0)
        try stream.appender().append((0..<30).map { event("w\($0)", "\($0)") })
        #expect(try pump.reader.lag() == 30)
        try pump.drain()
        #expect(try pump.reader.lag() == 0)
    }

    // Waiting. A wait of an hour that the suite's time limit would cut short is no assertion about time.

    @Test("the doorbell ends the wait under way", arguments: Backend.waiting)
    func doorbellEndsWait(backend: Backend) throws {
        let pump = try Pump(try backend.make(partitions: 1).stream)
        try pump.run { $0.owned == [0] }
        let bell = pump.reader.doorbell
        let ringer = OwnThread { bell.ring() }
        #expect(try pump.step(wait: .seconds(3600)) == false)
        try ringer.join()
    }

    @Test("a ring that comes before the wait ends the next one", arguments: Backend.waiting)
    func doorbellIsRemembered(backend: Backend) throws {
        let pump = try Pump(try backend.make(partitions: 1).stream)
        try pump.run { $0.owned == [0] }
        pump.reader.doorbell.ring()
        #expect(try pump.step(wait: .seconds(3600)) == false)
    }

    @Test("an append wakes a waiting reader", arguments: Backend.waiting)
    func appendWakes(backend: Backend) throws {
        let stream = try backend.make(partitions: 1).stream
        let appender = try stream.appender()
        let pump = try Pump(stream)
        try pump.run { $0.owned == [0] }
        let writer = OwnThread { try appender.append([event("w", "good morning")]) }
        // A ring for nothing may end a wait; a record must come in the end.
        while pump.seen.isEmpty { try pump.step(wait: .seconds(3600)) }
        try writer.join()
        #expect(pump.seen.map(\.text) == ["good morning"])
    }
}
