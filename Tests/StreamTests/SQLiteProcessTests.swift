import CarillonEvents
import CarillonKit
import CarillonStream
import CarillonStreamSQLite
import Testing

@Suite("SQLite stream: several processes share one file", .timeLimit(.minutes(5)))
struct SQLiteProcessTests {
    /// A fresh stream and its path.
    private func make(partitions: Partition) throws -> SQLiteBed {
        let folder = try TemporaryDirectory("stream")
        let stream = try SQLiteStream.create(at: folder.file("stream.db"), partitions: partitions)
        return SQLiteBed(folder: folder, stream: stream, clock: WallByHand())
    }

    @Test("processes that append at the same time lose nothing, and each keeps its order")
    func manyProcesses() throws {
        let bed = try make(partitions: 2)
        let probes = try ["a", "b", "c"].map { try Probe("append", bed.path, $0, "40", "5") }
        for probe in probes {
            #expect(probe.lines().count == 40)
            #expect(probe.join() == 0)
        }
        let pump = try Pump(bed)
        try pump.drain()
        for name in ["a", "b", "c"] {
            let expected = (0..<40).flatMap { batch in (0..<5).map { "\(name)/\(batch)/\($0)" } }
            #expect(pump.seen.filter { $0.key == name }.map(\.text) == expected)
        }
    }

    @Test(
        "a batch that was acknowledged survives kill -9 of its writer; one that was not is there whole or not at all",
        arguments: [1, 2, 7, 20])
    func killedWriter(after acknowledged: Int) throws {
        let bed = try make(partitions: 1)
        let probe = try Probe("append", bed.path, "w", "100000", "5")
        for _ in 0..<acknowledged { _ = probe.line() }
        probe.kill()
        let last = acknowledged + probe.lines().count
        let pump = try Pump(bed)
        try pump.drain()
        #expect(pump.seen.count % 5 == 0, "half a batch")
        #expect(pump.seen.count / 5 == last || pump.seen.count / 5 == last + 1, "\(last) batches were acknowledged")
        #expect(pump.seen.map(\.offset) == Array(0..<Offset(pump.seen.count)))
        // The killed process leaves no lock behind.
        try bed.appender().append([event("w", "after")])
        try pump.drain()
        #expect(pump.seen.last?.text == "after")
    }

    @Test("a reader that is killed is replaced")
    func killedReader() throws {
        let bed = try make(partitions: 3)
        let probe = try Probe("read", bed.path, "g")
        for _ in 0..<3 { #expect(probe.line()?.hasPrefix("assigned ") == true) }
        let pump = try Pump(bed)
        probe.kill()
        try bed.appender().append((0..<30).map { event("w\($0)", "\($0)") })
        try pump.run { $0.owned.count == 3 && $0.seen.count == 30 }
    }

    @Test("a killed member does not count when partitions are shared out")
    func killedMemberHasNoShare() throws {
        let bed = try make(partitions: 4)
        for _ in 0..<3 {
            let probe = try Probe("read", bed.path, "g")
            _ = probe.line()
            probe.kill()
        }
        let pump = try Pump(bed)
        try pump.run { $0.owned.count == 4 }
    }

    @Test("a full disk refuses the publisher, says so, and keeps what was acknowledged")
    func fullDisk() throws {
        let bed = try make(partitions: 1)
        let probe = try Probe("fill", bed.path, "600000")
        let lines = probe.lines()
        #expect(lines.last == "refused true", "the refusal is worth another try later")
        let acknowledged = lines.filter { $0.hasPrefix("acked") }.count
        #expect(acknowledged >= 1)
        let pump = try Pump(bed)
        try pump.drain()
        #expect(pump.seen.count == acknowledged * 20)
        try bed.appender().append([event("full", "room again")])
        try pump.drain()
        #expect(pump.seen.last?.text == "room again")
    }
}
