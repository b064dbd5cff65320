import CarillonEvents
import CarillonKit
import CarillonStream
import Testing

@Suite("Stream: every backend keeps the contract", .timeLimit(.minutes(5)), .ownThreads)
struct StreamContract {
    // Order and places

    @Test("a workspace stays in one partition, in the order of its appends", arguments: Backend.available)
    func order(backend: Backend) throws {
        let stream = try backend.make(partitions: 4).stream
        var story = SampleEvents(seed: 7, workspaces: ["a", "b", "c", "d", "e", "f"])
        let events = story.take(300)
        let appender = try stream.appender()
        for start in stride(from: 0, to: 300, by: 7) {
            try appender.append(events[start..<min(start + 7, 300)].map(\.encoded))
        }
        let pump = try Pump(stream)
        try pump.drain()
        #expect(pump.seen.count == 300)
        for (workspace, sent) in Dictionary(grouping: events, by: \.workspace) {
            let read = pump.seen.filter { $0.key == workspace }
            #expect(read.map(\.value) == sent.map { backend.carried($0.encoded.bytes) }, "order of \(workspace)")
            let home = Partitioner.partition(of: workspace.utf8, among: 4)
            #expect(Set(read.map(\.partition)) == [home])
        }
    }

    @Test("key, type and value come back as they went in", arguments: Backend.available)
    func content(backend: Backend) throws {
        try backend.needs(.anyBytes)
        let stream = try backend.make(partitions: 2).stream
        let odd: [EncodedEvent] = [
            EncodedEvent(workspace: "w", type: "job.failed", bytes: []),
            EncodedEvent(workspace: "w", type: "", bytes: [0xff, 0xfe, 0x00, 0xc0, 0x80]),
            EncodedEvent(workspace: "", type: "t", bytes: [0]),
            EncodedEvent(workspace: "nul\u{0}inside", type: "t\u{0}", bytes: Array("x".utf8)),
            EncodedEvent(workspace: "工作空间 🛠", type: "任务.失败", bytes: Array("😀".utf8)),
            EncodedEvent(
                workspace: String(repeating: "w", count: 5000), type: String(repeating: "t", count: 5000), bytes: [1]),
            EncodedEvent(
                workspace: "big", type: "t", bytes: (0..<256 * 1024).map { UInt8(truncatingIfNeeded: $0 &* 31) }),
        ]
        try stream.appender().append(odd)
        let pump = try Pump(stream)
        try pump.drain()
        let read = pump.seen.map {
            EncodedEvent(workspace: $0.key, type: String(decoding: $0.type, as: UTF8.self), bytes: $0.value)
        }
        #expect(Set(read) == Set(odd))
        #expect(read.count == odd.count)
    }

    @Test(
        "offsets are contiguous and never used twice, also when a partition was emptied", arguments: Backend.available)
    func offsets(backend: Backend) throws {
        try backend.needs(.removal)
        let stream = try backend.make(partitions: 1).stream
        try stream.appender().append((0..<5).map { event("w", "\($0)") })
        try stream.lose(0, before: 5)
        #expect(try stream.ends() == [0: 5])
        try stream.appender().append([event("w", "5")])
        let pump = try Pump(stream)
        pump.ledger.next[0] = 5
        try pump.drain()
        #expect(pump.seen.map(\.offset) == [5])
        #expect(pump.gaps[0] == 0)
    }

    @Test("the append time never steps back, even when the wall clock does", arguments: Backend.available)
    func appendTimes(backend: Backend) throws {
        try backend.needs(.appenderTimes)
        let bed = try backend.make(partitions: 1)
        let appender = try bed.stream.appender()
        let noon = bed.clock.now()
        try appender.append([event("w", "0")])
        bed.clock.step(.seconds(-3600))
        try appender.append([event("w", "1")])
        bed.clock.set(now: noon + .seconds(9))
        try appender.append([event("w", "2")])
        let pump = try Pump(bed.stream)
        try pump.drain()
        #expect(pump.seen.map(\.appended) == [noon, noon, noon + .seconds(9)])
    }

    // Appending

    @Test("a batch with one impossible event is refused whole", arguments: Backend.available)
    func atomic(backend: Backend) throws {
        let stream = try backend.make(partitions: 3).stream
        let appender = try stream.appender()
        try appender.append([event("a", "before")])
        let huge = EncodedEvent(workspace: "b", type: "t", bytes: [UInt8](repeating: 0x20, count: 64 << 20))
        let error = #expect(throws: StreamError.self) { try appender.append([event("a", "1"), huge, event("c", "2")]) }
        #expect(error?.kind == .tooLarge)
        #expect(error?.isRetriable == false)
        #expect(try stream.ends().values.reduce(0, +) == 1)
        try appender.append([event("a", "after")])
        let pump = try Pump(stream)
        try pump.drain()
        #expect(pump.seen.map(\.text) == ["before", "after"])
    }

    @Test("an empty batch is fine and changes nothing", arguments: Backend.available)
    func emptyBatch(backend: Backend) throws {
        let stream = try backend.make().stream
        try stream.appender().append([])
        #expect(try stream.ends().values.allSatisfy { $0 == 0 })
    }

    @Test("appenders on many threads lose nothing, and each keeps its order", arguments: Backend.available)
    func manyAppenders(backend: Backend) throws {
        let stream = try backend.make(partitions: 3).stream
        let shared = try stream.appender()
        let writers = try (0..<6).map { writer in
            // Three share one appender, three have their own.
            let appender = writer < 3 ? shared : try stream.appender()
            return OwnThread { try write(as: writer, to: appender) }
        }
        for writer in writers { try writer.join() }
        let pump = try Pump(stream)
        try pump.drain()
        for writer in 0..<6 {
            let mine = pump.seen.filter { $0.key == "w\(writer)" }.map(\.text)
            #expect(mine == (0..<90).map { "\(writer)/\($0)" })
        }
    }

    @Test("what is appended while others read arrives once and in order", arguments: Backend.available)
    func appendWhileReading(backend: Backend) throws {
        let stream = try backend.make(partitions: 3).stream
        let pump = try Pump(stream)
        let writers = try (0..<3).map { writer in
            let appender = try stream.appender()
            return OwnThread { try write(as: writer, to: appender) }
        }
        try pump.run { $0.seen.count >= 270 }
        for writer in writers { try writer.join() }
        for writer in 0..<3 {
            let mine = pump.seen.filter { $0.key == "w\(writer)" }.map(\.text)
            #expect(mine == (0..<90).map { "\(writer)/\($0)" })
        }
    }

    // Long histories

    @Test("a long history comes in bounded batches", arguments: Backend.available)
    func boundedBatches(backend: Backend) throws {
        try backend.needs(.ownSupply)
        let stream = try backend.make(partitions: 1).stream
        let padding = String(repeating: "x", count: 400)
        for part in 0..<6 {
            try stream.appender().append((0..<2000).map { event("w", "\(part * 2000 + $0) \(padding)") })
        }
        let pump = try Pump(stream)
        try pump.drain()
        #expect(pump.seen.map(\.offset) == Array(0..<12_000))
        #expect(pump.batches >= 3, "12,000 records came in \(pump.batches) batches")
    }

    @Test("a partition with much to read does not keep the others waiting", arguments: Backend.available)
    func takesTurns(backend: Backend) throws {
        try backend.needs(.ownSupply)
        let stream = try backend.make(partitions: 12).stream
        let appender = try stream.appender()
        for _ in 0..<10 { try appender.append((0..<2000).map { event("ws-7", "\($0)") }) }
        try appender.append([event("ws-8", "quiet")])
        let pump = try Pump(stream)
        try pump.run { $0.seen.contains { $0.text == "quiet" } }
        #expect(pump.batches <= 12)
    }
}

/// Thirty batches of three events in the workspace of one writer.
private func write(as writer: Int, to appender: any StreamAppender) throws {
    for batch in 0..<30 {
        try appender.append((0..<3).map { event("w\(writer)", "\(writer)/\(batch * 3 + $0)") })
    }
}
