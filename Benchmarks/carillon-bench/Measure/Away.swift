import ArgumentParser
import CarillonEvents
import CarillonPlatform
import CarillonProducer
import CarillonSQLite
import CarillonStream
import CarillonStreamSQLite
import Glibc
import Synchronization

struct Away: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Appends to an embedded producer whose stream is away, and says what that costs its caller.",
        discussion: """
            One thread appends at a steady rate while there is no stream. Then the stream is made, the producer closed, and \
            every event whose fate was reported as durable is looked for in the stream. Prints one JSON line: microseconds \
            of the caller's CPU for one append, the process's memory, and how many acknowledged events are lost.
            """)

    @Argument(help: "An empty folder for stream and spool.")
    var folder: String
    @Option(help: "Events a second.")
    var rate = 10_000
    @Option(help: "How long the stream is away.")
    var seconds = 60
    @Option(help: "Bytes of data in an event.")
    var data = 400
    @Flag(help: "Without a spool: events wait in memory, and what does not fit is refused.")
    var withoutSpool = false

    func validate() throws {
        guard rate >= 1, seconds >= 1, (0...200_000).contains(data) else {
            throw ValidationError("--rate and --seconds are at least 1, --data is at most 200000")
        }
    }

    func run() throws {
        let path = folder + "/stream.db"
        let durable = Durable(count: rate * seconds)
        let producer = try Producer(
            appender: { () throws(StreamError) in try SQLiteStream.open(at: path).appender() },
            spool: withoutSpool ? nil : folder + "/spool", report: { durable.note($0) })
        let before = Memory.resident
        let costs = try publish(to: producer, durable)
        let peak = Memory.peak
        let away = producer.counts
        _ = try SQLiteStream.create(at: path, partitions: 8)
        let counts = producer.closeWaiting(within: .seconds(300))
        let arrived = try Self.arrived(in: path)
        let lost = durable.acknowledged.filter { !arrived.contains($0) }.count
        try report(costs, before, peak, away, counts, arrived.count, lost)
    }

    /// Appends at the rate, in steps of a millisecond.
    ///
    /// - Returns: nanoseconds of this thread's CPU for each append, sorted.
    private func publish(to producer: Producer, _ durable: Durable) throws -> [Int64] {
        let clock = SystemClock()
        let began = clock.uptime()
        let text = JSONValue.string(String(repeating: "x", count: data))
        var costs: [Int64] = []
        costs.reserveCapacity(rate * seconds)
        for number in 0..<rate * seconds {
            let event = JobEvent(
                id: "\(number)", source: "/bench", type: "job.running", workspace: "w\(number % 16)",
                subject: "job-\(number / 4)", data: ["text": text])
            let encoded = try event.encoded(now: clock.now())
            let start = ThreadClock.nanoseconds()
            let admission = producer.append(encoded)
            costs.append(ThreadClock.nanoseconds() - start)
            if case .accepted(let ticket) = admission { durable.begin(ticket, number) }
            let due = began + .nanoseconds(Int64(number) * 1_000_000_000 / Int64(rate))
            let ahead = due - clock.uptime()
            if ahead > .milliseconds(1) { usleep(useconds_t(ahead / .microseconds(1))) }
        }
        return costs.sorted()
    }

    private func report(
        _ costs: [Int64], _ before: Int, _ peak: Int, _ away: Producer.Counts, _ counts: Producer.Counts,
        _ arrived: Int,
        _ lost: Int
    ) throws {
        func at(_ share: Double) -> Double {
            Double(costs[min(costs.count - 1, Int(Double(costs.count) * share))]) / 1000
        }
        try StandardOutput.say(
            "{\"events\":\(costs.count),\"append_cpu_us_p50\":\(at(0.5)),\"append_cpu_us_p99\":\(at(0.99)),"
                + "\"append_cpu_us_p999\":\(at(0.999)),\"append_cpu_us_max\":\(at(1)),"
                + "\"resident_bytes_before\":\(before),\"resident_bytes_peak\":\(peak),"
                + "\"spooled_while_away\":\(away.spooled),\"refused_while_away\":\(away.refused),"
                + "\"accepted\":\(counts.accepted),\"appended\":\(counts.appended),\"spooled\":\(counts.spooled),"
                + "\"in_stream\":\(arrived),\"acknowledged_and_lost\":\(lost)}")
        if lost > 0 { throw ExitCode(1) }
    }

    /// The numbers of the events in the stream.
    private static func arrived(in path: String) throws -> Set<Int> {
        let database = try Database(path: path, access: .readWrite)
        var found: Set<Int> = []
        for partition in 0..<8 {
            let rows = try database.statement("SELECT json_extract(event, '$.id') FROM record_\(partition)")
            while try rows.step() { if let number = Int(rows.text(0)) { found.insert(number) } }
        }
        return found
    }
}

/// Which events the producer has said are durable.
private final class Durable: Sendable {
    private struct State {
        /// The event of each ticket, and whether it is durable.
        var numbers: [Int32]
        var isDurable: [Bool]
    }
    private let state: Mutex<State>

    init(count: Int) {
        state = Mutex(
            State(numbers: [Int32](repeating: -1, count: count), isDurable: [Bool](repeating: false, count: count)))
    }

    func begin(_ ticket: Ticket, _ number: Int) { state.withLock { $0.numbers[Int(ticket)] = Int32(number) } }

    func note(_ acknowledgement: Acknowledgement) {
        if case .refused = acknowledgement.fate { return }
        state.withLock { state in
            for ticket in acknowledgement.tickets { state.isDurable[Int(ticket)] = true }
        }
    }

    var acknowledged: [Int] {
        state.withLock { state in
            zip(state.numbers, state.isDurable).filter { $0.1 && $0.0 >= 0 }.map { Int($0.0) }
        }
    }
}

/// CPU time of the calling thread.
private enum ThreadClock {
    static func nanoseconds() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// Memory of this process in bytes.
private enum Memory {
    static var resident: Int {
        let text = (try? Input.read(small: "/proc/self/statm")) ?? []
        let pages = String(decoding: text, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (pages ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }

    static var peak: Int {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}

extension Input {
    /// Reads a file that does not tell its size, as those in /proc.
    fileprivate static func read(small path: String) throws -> [UInt8] {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SystemFailure("open \(path)") }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe Glibc.read(file, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }
}
