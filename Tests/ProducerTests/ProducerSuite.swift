import CarillonEvents
import CarillonPlatform
import CarillonProducer
import CarillonStream
import Synchronization
import Testing

@Suite("Producer: it never harms its host (P9)", .timeLimit(.minutes(1)))
struct ProducerSuite {
    private let scratch: Scratch
    private let stream = FakeStream()
    private let reports = Reports()

    init() throws { scratch = try Scratch() }

    private func producer(spool: Bool = true, _ change: (inout Producer.Limits) -> Void = { _ in }) throws -> Producer {
        var limits = Producer.Limits()
        limits.firstPause = .milliseconds(1)
        limits.longestPause = .milliseconds(4)
        change(&limits)
        let (stream, reports) = (stream, reports)
        return try Producer(
            appender: { () throws(StreamError) in stream }, spool: spool ? scratch.path : nil, limits: limits,
            report: { reports.add($0) })
    }

    @Test("every accepted event is appended in order and acknowledged under its ticket")
    func appends() async throws {
        let producer = try producer()
        let ids = (0..<2_500).map { "e\($0)" }
        for (number, id) in ids.enumerated() {
            #expect(producer.append(EncodedEvent(id)) == .accepted(Ticket(number)))
        }
        let counts = await producer.flush(within: .seconds(30))
        #expect(stream.ids == ids)
        #expect(counts.appended == 2_500 && counts.waiting == 0 && counts.trouble == nil)
        #expect(reports.fates == [Fate](repeating: .appended, count: 2_500))
        #expect(stream.appends.allSatisfy { $0 <= 1_000 })
        _ = await producer.close()
    }

    @Test("a blocked stream never blocks the caller: memory fills to its limit, then events are refused and counted")
    func bounded() async throws {
        stream.block()
        let producer = try producer(spool: false) { $0.events = 100 }
        let admissions = (0..<150).map { producer.append(EncodedEvent("e\($0)")) }
        #expect(admissions.filter { $0 == .refused(.full) }.count == 50)
        #expect(producer.counts.refused == 50)
        stream.unblock()
        let counts = await producer.flush(within: .seconds(30))
        #expect(counts.appended == 100)
        _ = await producer.close()
    }

    @Test(
        "away for 20,000 events with too little spool: all that was acknowledged arrives once and in order, the rest is told"
    )
    func awayForLong() async throws {
        stream.fail(.unreachable)
        let producer = try producer {
            $0.events = 5_000
            $0.spoolBytes = 300_000
            $0.segmentBytes = 20_000
        }
        var tickets: [String] = []  // the id of each accepted event
        var refused = 0
        for number in 0..<20_000 {
            switch producer.append(EncodedEvent("e\(number)")) {
            case .accepted: tickets.append("e\(number)")
            case .refused(let refusal):
                #expect(refusal == .full)
                refused += 1
            }
            if number % 4_000 == 3_999 { _ = await producer.flush(within: .milliseconds(1)) }
        }
        let away = producer.counts
        #expect(away.waiting <= 5_000 && away.accepted == UInt64(tickets.count) && away.refused == UInt64(refused))
        #expect(refused > 0 && away.spooled > 0, "neither bound was met: \(away)")
        stream.fail(nil)
        let counts = await producer.close(within: .seconds(60))
        #expect(counts.appended + counts.spooled == counts.accepted)
        #expect(reports.fates.count == tickets.count && !reports.fates.contains { $0 != .appended && $0 != .spooled })
        #expect(stream.ids == tickets)
    }

    @Test("memory is bounded by bytes as well, and an event larger than all of it is refused as too large")
    func boundedBytes() async throws {
        stream.block()
        let producer = try producer(spool: false) { $0.bytes = 10_000 }
        #expect(producer.append(EncodedEvent("huge", padding: 20_000)) == .refused(.tooLarge))
        let taken = (0..<50).filter { producer.append(EncodedEvent("e\($0)", padding: 1_000)) != .refused(.full) }
        #expect(taken.count == 8)
        stream.unblock()
        _ = await producer.close()
    }

    @Test(
        "while the stream is away events are spooled, and reach it in order when it is back",
        arguments: [
            StreamError.Kind.unreachable, .busy, .full, .missing, .corrupt,
        ])
    func spools(kind: StreamError.Kind) async throws {
        stream.fail(kind)
        let producer = try producer()
        for number in 0..<100 { _ = producer.append(EncodedEvent("a\(number)")) }
        let away = await producer.flush(within: .seconds(30))
        #expect(away.spooled == 100 && away.waiting == 0)
        #expect(away.trouble != nil)
        stream.fail(nil)
        for number in 0..<100 { _ = producer.append(EncodedEvent("b\(number)")) }
        _ = await producer.close()
        #expect(stream.ids == (0..<100).map { "a\($0)" } + (0..<100).map { "b\($0)" })
        #expect(producer.counts.drained >= 100)
        #expect(scratch.names(ending: ".spool").isEmpty)
    }

    @Test("what one producer spooled and left, the next one drains before its own")
    func successor() async throws {
        stream.fail(.unreachable)
        let first = try producer()
        _ = first.append(EncodedEvent("old"))
        let counts = await first.close(within: .seconds(5))
        #expect(counts.spooled == 1 && counts.waiting == 0)
        stream.fail(nil)
        let second = try producer()
        _ = second.append(EncodedEvent("new"))
        _ = await second.close()
        #expect(stream.ids == ["old", "new"])
    }

    @Test("what another process leaves in the spool is drained by a producer that is there already")
    func neighbour() async throws {
        let producer = try producer()
        _ = producer.append(EncodedEvent("mine"))
        _ = await producer.flush(within: .seconds(30))
        let neighbour = try Spool(folder: scratch.path)
        try neighbour.write([EncodedEvent("left"), EncodedEvent("behind")])
        neighbour.seal()
        stream.wait(for: 3)
        #expect(stream.ids == ["mine", "left", "behind"])
        _ = await producer.close()
    }

    @Test("with the spool full as well, events wait in memory, then are refused, and none accepted is lost")
    func spoolFull() async throws {
        stream.fail(.unreachable)
        let producer = try producer { limits in
            (limits.spoolBytes, limits.events, limits.batchEvents) = (4_000, 50, 10)
        }
        var accepted: [String] = []
        while accepted.count < 1_000 {
            let id = "e\(accepted.count)"
            guard case .accepted = producer.append(EncodedEvent(id, padding: 100)) else { break }
            accepted.append(id)
            _ = await producer.flush(within: .milliseconds(1))
        }
        #expect(accepted.count < 1_000)
        #expect(producer.counts.trouble?.contains("full") == true)
        stream.fail(nil)
        _ = await producer.close(within: .seconds(30))
        #expect(stream.ids == accepted)
    }

    @Test("an event the stream finds too large is refused alone; its batch goes on")
    func tooLarge() async throws {
        stream.take(atMost: 500)
        let producer = try producer()
        for number in 0..<20 { _ = producer.append(EncodedEvent("e\(number)", padding: number == 7 ? 1_000 : 0)) }
        let counts = await producer.close()
        #expect(stream.ids == (0..<20).filter { $0 != 7 }.map { "e\($0)" })
        #expect(counts.refused == 1)
        #expect(reports.fates[7] == .refused(.tooLarge))
    }

    @Test("close reports what it had to give up, and refuses afterwards")
    func closes() async throws {
        stream.fail(.unreachable)
        let producer = try producer(spool: false)
        for number in 0..<10 { _ = producer.append(EncodedEvent("e\(number)")) }
        let counts = await producer.close(within: .milliseconds(20))
        #expect(counts.refused == 10 && counts.waiting == 0)
        #expect(reports.fates == [Fate](repeating: .refused(.closed), count: 10))
        #expect(producer.append(EncodedEvent("late")) == .refused(.closed))
        #expect(await producer.close() == producer.counts)
    }

    @Test("a flush ends at its time, with what still waits counted")
    func flushEnds() async throws {
        stream.block()
        let producer = try producer()
        _ = producer.append(EncodedEvent("e"))
        let stream = stream
        async let counts = producer.flush(within: .milliseconds(20))
        stream.unblock()
        #expect(await counts.accepted == 1)
        _ = await producer.close()
    }

    @Test("appendWaiting waits for room instead of refusing")
    func waits() async throws {
        let producer = try producer { $0.events = 10 }
        for number in 0..<1_000 {
            #expect(
                producer.appendWaiting(EncodedEvent("e\(number)"), atMost: .seconds(30)) == .accepted(Ticket(number)))
        }
        let counts = await producer.close()
        #expect(counts.appended == 1_000 && counts.refused == 0)
    }

    @Test("the stream fails the n-th time: nothing is lost and order holds", arguments: 1...20)
    func failsOften(times: Int) async throws {
        stream.fail(.busy, times: times)
        let producer = try producer { ($0.batchEvents, $0.segmentBytes) = (7, 500) }
        for number in 0..<200 { _ = producer.append(EncodedEvent("e\(number)")) }
        _ = await producer.close(within: .seconds(30))
        stream.fail(nil)  // a close does not wait for a stream that is away: who comes next finds it back
        while try drainsLeftovers() {}
        #expect(stream.ids == (0..<200).map { "e\($0)" })
    }

    /// Drains what a close under failure left behind; true while there was something.
    private func drainsLeftovers() throws -> Bool {
        try Spool(folder: scratch.path).drainSome(into: stream) != nil
    }
}

/// Collects acknowledgements.
final class Reports: Sendable {
    private let all = Mutex<[Acknowledgement]>([])
    func add(_ acknowledgement: Acknowledgement) { all.withLock { $0.append(acknowledgement) } }
    /// The fate of each ticket, in order; the tickets have no gap.
    var fates: [Fate] { all.withLock { $0.flatMap { Array(repeating: $0.fate, count: $0.tickets.count) } } }
}
