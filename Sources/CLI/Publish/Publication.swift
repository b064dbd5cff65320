import CarillonEvents
import CarillonProducer
import CarillonStream
import CarillonStreamSQLite
import Synchronization

/// One run of `publish`: carries events to the stream through the producer, shows progress, and sums up.
final class Publication {
    /// Whether events go to the spool when there is no stream at all.
    private let spoolsWithoutStream: Bool
    private let configuration: Configuration
    private let producer: Producer
    private let shown: Progress
    private let refusals: Refusals
    /// How long a full memory may stay full: the stream is away and the spool cannot take more.
    private let patience = Duration.seconds(30)
    private var isStuck = false

    /// - Throws: when there is no stream, or one that can never take events: then nothing was published.
    init(_ configuration: Configuration, spoolsWithoutStream: Bool) throws {
        self.configuration = configuration
        self.spoolsWithoutStream = spoolsWithoutStream
        try Self.check(configuration, spoolsWithoutStream)
        let refusals = Refusals()
        let open: @Sendable () throws(StreamError) -> any StreamAppender = { () throws(StreamError) in
            try configuration.appender()
        }
        producer = try Producer(appender: open, spool: configuration.spool, report: { refusals.add($0) })
        (self.refusals, shown) = (refusals, Progress(verb: "published", unit: "events"))
    }

    private static func check(_ configuration: Configuration, _ spools: Bool) throws {
        do throws(StreamError) { _ = try configuration.appender() } catch {
            if error.isRetriable || spools { return }
            guard error.kind == .missing else { throw error }
            throw Failure(
                "there is no stream at \(configuration.stream.whereabouts); start `carillon serve` or `carillon worker` once, "
                    + "or give --spool to keep the events on disk until then")
        }
    }

    /// Publishes one event; waits while memory is full.
    ///
    /// - Returns: why it was refused; `nil` when it was taken.
    func publish(_ event: EncodedEvent) -> Refusal? {
        shown.step(bytes: event.bytes.count)
        guard !isStuck, case .refused(let refusal) = producer.appendWaiting(event, atMost: patience) else {
            return isStuck ? .full : nil
        }
        isStuck = refusal == .full
        return refusal
    }

    /// Waits until everything is durable and says where.
    ///
    /// - Returns: how many events are durable.
    /// - Throws: when some are not: the stream is away and the spool is full or cannot be written.
    func finish() async throws -> UInt64 {
        let counts = await producer.close(within: .seconds(30))
        shown.end()
        if counts.spooled > 0, !(try Spool(folder: configuration.spool).isEmpty) {
            Console.error(
                "carillon: \(counts.spooled) of \(counts.accepted) events wait in \(configuration.spool), as "
                    + "\(counts.trouble ?? "the stream is away"); a worker or the next publish brings them to the stream"
            )
        }
        if let refusal = refusals.first {
            throw Failure(
                "\(refusals.count) events were not published: \(refusal.rawValue)"
                    + (counts.trouble.map { " (\($0))" } ?? "")
                    + "; publish the same input again, what arrived is known")
        }
        return counts.appended + counts.spooled
    }
}

/// Counts what the producer gave up.
private final class Refusals: Sendable {
    private let state = Mutex<(count: Int, first: Refusal?)>((0, nil))
    func add(_ acknowledgement: Acknowledgement) {
        guard case .refused(let refusal) = acknowledgement.fate else { return }
        state.withLock { $0 = ($0.count + acknowledgement.tickets.count, $0.first ?? refusal) }
    }
    var count: Int { state.withLock { $0.count } }
    var first: Refusal? { state.withLock { $0.first } }
}

/// Shows on a terminal how long work goes on; silent elsewhere.
final class Progress {
    private let verb, unit: String
    private let began = clock.uptime()
    private let isShown = Console.hasTerminal
    private var count = 0
    private var bytes = 0
    private var last = clock.uptime()
    private var wasShown = false

    init(verb: String, unit: String) { (self.verb, self.unit) = (verb, unit) }

    func step(bytes: Int) {
        guard isShown else { return }
        count += 1
        self.bytes += bytes
        guard count % 256 == 0 else { return }
        let now = clock.uptime()
        guard now - last > .milliseconds(200) else { return }
        last = now
        show(now)
    }

    private func show(_ now: Duration) {
        wasShown = true
        let seconds = max(0.001, Double((now - began).milliseconds) / 1000)
        let rate = Int(Double(count) / seconds)
        Console.show("\r\u{1B}[K\(verb) \(count) \(unit), \(bytes / 1_000_000) MB, \(rate)/s")
    }

    /// Clears the line.
    func end() { if wasShown { Console.show("\r\u{1B}[K") } }
}
