import CarillonEvents
import CarillonPlatform
import CarillonProducer
import CarillonStream
import Testing

@Suite("Spool: what was acknowledged survives, a torn tail is cut", .timeLimit(.minutes(2)))
struct SpoolSuite {
    private let scratch: Scratch
    private let stream = FakeStream()

    init() throws { scratch = try Scratch() }

    private func drain() throws -> Int {
        let spool = try Spool(folder: scratch.path)
        var moved = 0
        while let some = try spool.drainSome(into: stream) { moved += some }
        return moved
    }

    /// A segment of three events, and where each of its frames ends.
    private func sample() throws -> (path: String, bytes: [UInt8], ends: [Int]) {
        let spool = try Spool(folder: scratch.path)
        var ends: [Int] = []
        for id in ["one", "two", "three"] {
            try spool.write([EncodedEvent(id, padding: 20)])
            ends.append(Int(spool.bytes))
        }
        spool.seal()
        let path = try #require(scratch.names(ending: ".spool").first)
        return (scratch.path + "/" + path, try contents(of: scratch.path + "/" + path), ends)
    }

    @Test("cut at any byte, a segment gives back every event that was whole, and goes")
    func truncated() throws {
        let (path, bytes, ends) = try sample()
        #expect(ends.last == bytes.count)
        for length in 0..<bytes.count {
            try write(Array(bytes.prefix(length)), to: path)
            let before = stream.ids.count
            _ = try drain()
            let whole = ends.filter { $0 <= length }.count
            #expect(Array(stream.ids[before...]) == Array(["one", "two", "three"].prefix(whole)), "cut at \(length)")
            #expect(scratch.names(ending: ".spool").isEmpty, "cut at \(length)")
        }
    }

    @Test("a flipped byte costs its own event only, and the segment is kept for a look")
    func flipped() throws {
        let (path, bytes, ends) = try sample()
        for at in ends[0]..<ends[1] {
            var damaged = bytes
            damaged[at] ^= 0x55
            try write(damaged, to: path)
            let before = stream.ids.count
            _ = try drain()
            #expect(Array(stream.ids[before...]) == ["one", "three"], "flipped at \(at)")
            #expect(scratch.names(ending: ".damaged").count == 1, "flipped at \(at)")
        }
    }

    @Test("a file that is no segment is put aside, never sent")
    func foreign() throws {
        try write(Array("{\"specversion\":\"1.0\"}\n".utf8), to: scratch.path + "/000.spool")
        #expect(try drain() == 0)
        #expect(scratch.names(ending: ".damaged").count == 1)
    }

    @Test("segments of several writers are drained oldest first, in order within each")
    func order() throws {
        let clock = FixedClock()
        for (time, ids) in [(3, ["e", "f"]), (1, ["a", "b"]), (2, ["c", "d"])] {
            clock.set(Timestamp(milliseconds: Int64(time)))
            let spool = try Spool(folder: scratch.path, clock: clock)
            for id in ids { try spool.write([EncodedEvent(id)]) }
        }
        #expect(try drain() == 6)
        #expect(stream.ids == ["a", "b", "c", "d", "e", "f"])
    }

    @Test("the segment a living writer holds is left to it")
    func livingWriter() throws {
        let writer = try Spool(folder: scratch.path)
        try writer.write([EncodedEvent("mine")])
        #expect(try drain() == 0)
        writer.seal()
        #expect(try drain() == 1)
    }

    @Test("there is one drainer at a time")
    func oneDrainer() throws {
        let writer = try Spool(folder: scratch.path)
        try writer.write([EncodedEvent("a")])
        writer.seal()
        let lock = try FileLock(path: scratch.path + "/drain.lock")
        #expect(try lock.tryLock())
        #expect(try drain() == 0)
        lock.unlock()
        #expect(try drain() == 1)
    }

    @Test("a drain that fails in the middle goes on where it stopped")
    func resumes() throws {
        let spool = try Spool(folder: scratch.path)
        try spool.write((0..<2_500).map { EncodedEvent("e\($0)") })
        let failing = FailsAt(append: 2, stream)
        #expect(throws: StreamError.self) { _ = try spool.drainSome(into: failing) }
        #expect(stream.ids.count == 1_000)
        #expect(try spool.drainSome(into: failing) == 1_500)
        #expect(stream.ids == (0..<2_500).map { "e\($0)" })
    }

    @Test("a spool that has its size refuses whole batches and takes again when drained")
    func limited() throws {
        var limits = Producer.Limits()
        limits.spoolBytes = 2_000
        let spool = try Spool(folder: scratch.path, limits: limits)
        try spool.write([EncodedEvent("fits", padding: 1_500)])
        let error = #expect(throws: SpoolError.self) { try spool.write([EncodedEvent("does not", padding: 1_500)]) }
        #expect(error?.kind == .full)
        #expect(try spool.drainSome(into: stream) == 1)
        try spool.write([EncodedEvent("fits now", padding: 1_500)])
    }

    @Test("a folder that cannot be made says so")
    func unwritable() throws {
        try write([], to: scratch.path + "/file")
        #expect(throws: SpoolError.self) { _ = try Spool(folder: scratch.path + "/file/spool") }
    }
}

/// Fails one append.
final class FailsAt: StreamAppender, Sendable {
    private let stream: FakeStream
    private let count: Turnstile<Int>
    private let failing: Int
    init(append: Int, _ stream: FakeStream) { (self.stream, count, failing) = (stream, Turnstile(0), append) }
    func append(_ events: [EncodedEvent]) throws(StreamError) {
        let number = count.change { count in
            count += 1
            return count
        }
        if number == failing { throw StreamError(.busy, doing: "append") }
        try stream.append(events)
    }
}

/// A clock that stands where the test puts it.
final class FixedClock: Clock, Sendable {
    private let time = Turnstile(Timestamp(milliseconds: 0))
    func set(_ time: Timestamp) { self.time.change { $0 = time } }
    func now() -> Timestamp { time.change { $0 } }
    func uptime() -> Duration { .zero }
}
