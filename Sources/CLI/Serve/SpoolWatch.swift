import CarillonEvents
import CarillonPlatform
import CarillonProducer
import CarillonStream
import Foundation
import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Brings to the stream what publishers left in the spool: a producer that appends nothing of its own.
///
/// Tells how many events it brought, and names once each file it may not read.
struct SpoolWatch: Service {
    private static let pause = Duration.seconds(2)

    let configuration: Configuration
    let logger: Logger

    func run() async throws {
        let configuration = configuration
        let producer: Producer
        do {
            producer = try Producer(
                appender: { () throws(StreamError) in try configuration.appender() }, spool: configuration.spool)
        } catch {
            logger.error("what publishers spool stays where it is: \(error)")
            try? await gracefulShutdown()
            return
        }
        let told = Told(logger: logger)
        try? await cancelWhenGracefulShutdown {
            while true {
                told.look(at: configuration.spool, drained: producer.counts.drained)
                try await Task.sleep(for: Self.pause)
            }
        }
        let counts = await producer.close(within: .seconds(5))
        told.look(at: configuration.spool, drained: counts.drained)
        if counts.drained > 0 {
            logger.info("spooled events brought to the stream", metadata: ["events": "\(counts.drained)"])
        }
    }

    /// Empties the spool now, as far as the stream takes it and no other process is at it.
    static func drain(_ configuration: Configuration) throws {
        guard Folder.names(in: configuration.spool).contains(where: { $0.hasSuffix(".spool") }) else { return }
        let spool = try Spool(folder: configuration.spool)
        let stream = try configuration.appender()
        while let moved = try spool.drainSome(into: stream) { accepted.increment(by: moved) }
    }

    fileprivate static var accepted: Counter { Counter(label: "carillon_events_accepted_total") }
}

/// What was told of the spool already.
private final class Told: Sendable {
    private struct State {
        var drained: UInt64 = 0
        var unreadable: Set<String> = []
    }
    private let state = Mutex(State())
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    func look(at folder: String, drained: UInt64) {
        let found = SpoolFolder(folder).unreadable
        let (more, fresh) = state.withLock { state in
            defer { state = State(drained: drained, unreadable: Set(found.map(\.path))) }
            return (drained - state.drained, found.filter { !state.unreadable.contains($0.path) })
        }
        if more > 0 { SpoolWatch.accepted.increment(by: more) }
        for file in fresh {
            logger.error(
                "\(file.path) cannot be brought to the stream: \(file.cause); what is in it waits, give it to the user of this process: chown \(geteuid()) \(file.path)"
            )
        }
    }
}
