import CarillonEvents
import CarillonKit
import CarillonStream
import Testing

@Suite("Stream, read beside its groups: every backend keeps the contract", .timeLimit(.minutes(5)), .ownThreads)
struct ScannerContract {
    /// All records of a partition between two places, by batches of a size.
    private func read(
        _ scanner: any StreamScanner, _ partition: Partition, _ range: Range<Offset>, by limit: Int = 7
    ) throws -> [Offset] {
        var offsets: [Offset] = []
        var from = range.lowerBound
        while from < range.upperBound {
            let batch = try scanner.read(partition, from: from, to: range.upperBound, limit: limit)
            #expect(batch.records.count <= limit && batch.expected == from)
            guard batch.next > from else { break }
            offsets += batch.records.map(\.offset)
            from = batch.next
        }
        return offsets
    }

    @Test("any place is read, as often as one likes, and no group notices", arguments: Backend.scanned)
    func places(backend: Backend) throws {
        let bed = try backend.make(partitions: 2)
        let workspaces = (0..<2).map { home in
            ["a", "b", "c", "d", "e"].first { Partitioner.partition(of: $0.utf8, among: 2) == home } ?? "a"
        }
        let appender = try bed.stream.appender()
        for number in 0..<40 { try appender.append([event(workspaces[number % 2], "\(number)")]) }
        let scanner = try #require(try bed.stream.scanner())
        let ends = try scanner.ends()
        let known = try bed.stream.ends()
        #expect(ends.mapValues(\.low) == [0: 0, 1: 0] && ends.mapValues(\.next) == known)
        for partition in [0, 1, 0] as [Partition] {
            let next = try #require(ends[partition]?.next)
            #expect(try read(scanner, partition, 0..<next) == Array(0..<20))
            #expect(try read(scanner, partition, 13..<19, by: 100) == Array(13..<19))
            #expect(try read(scanner, partition, 13..<14) == [13])
            #expect(try read(scanner, partition, 5..<5) == [])
        }
        let places = ends.keys.map(scanner.place(of:))
        #expect(Set(places.map(\.partition)) == [0, 1] && Set(places.map(\.stream)).count == 1)
        let pump = try Pump(bed.stream)
        try pump.drain()
        #expect(pump.seen.count == 40)
        #expect(Set(pump.owned.map(pump.reader.place(of:))) == Set(places), "the ledger has one name for a partition")
    }

    @Test("a place is found by the time of its record", arguments: Backend.scanned)
    func times(backend: Backend) throws {
        try backend.needs(.appenderTimes)
        let bed = try backend.make(partitions: 1)
        let appender = try bed.stream.appender()
        let noon = bed.clock.now()
        for number in 0..<30 {
            bed.clock.set(now: noon + .seconds(Int64(number / 3) * 60))
            try appender.append([event("w", "\(number)")])
        }
        let scanner = try #require(try bed.stream.scanner())
        for minute in 0..<10 {
            let since = noon + .seconds(Int64(minute) * 60)
            #expect(try scanner.offset(in: 0, since: since) == Offset(minute * 3))
            #expect(try scanner.offset(in: 0, since: since - .seconds(59)) == Offset(minute * 3))
        }
        #expect(try scanner.offset(in: 0, since: noon - .seconds(9_999)) == 0)
        #expect(try scanner.offset(in: 0, since: Timestamp(milliseconds: 0)) == 0)
        #expect(try scanner.offset(in: 0, since: noon + .seconds(541)) == 30)
        #expect(try scanner.offset(in: 0, since: noon + .seconds(540)) == 27)
    }

    @Test("an empty partition has nothing at any time", arguments: Backend.scanned)
    func empty(backend: Backend) throws {
        let bed = try backend.make(partitions: 1)
        let scanner = try #require(try bed.stream.scanner())
        #expect(try scanner.offset(in: 0, since: bed.clock.now()) == 0)
        #expect(try scanner.read(0, from: 0, to: 0, limit: 10).records.isEmpty)
    }

    @Test("what retention took shows as a gap", arguments: [Backend.sqlite])
    func gap(backend: Backend) throws {
        let bed = try backend.make(partitions: 1)
        try bed.stream.appender().append((0..<10).map { event("w", "\($0)") })
        try bed.stream.lose(0, before: 4)
        let scanner = try #require(try bed.stream.scanner())
        let batch = try scanner.read(0, from: 1, to: 10, limit: 100)
        #expect(batch.gap == 3 && batch.records.first?.offset == 4 && batch.next == 10)
        let none = try scanner.read(0, from: 1, to: 3, limit: 100)
        #expect(none.gap == 2 && none.records.isEmpty && none.next == 3)
    }
}
