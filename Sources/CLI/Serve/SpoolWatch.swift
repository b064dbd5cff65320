import CarillonPlatform
import CarillonProducer
import CarillonStream
import Logging
import ServiceLifecycle

/// Brings to the stream what publishers left in the spool: a producer that appends nothing of its own.
struct SpoolWatch: Service {
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
        try? await gracefulShutdown()
        let counts = await producer.close(within: .seconds(5))
        if counts.drained > 0 {
            logger.info("spooled events brought to the stream", metadata: ["events": "\(counts.drained)"])
        }
    }

    /// Empties the spool now, as far as the stream takes it and no other process is at it.
    static func drain(_ configuration: Configuration) throws {
        guard Folder.names(in: configuration.spool).contains(where: { $0.hasSuffix(".spool") }) else { return }
        let spool = try Spool(folder: configuration.spool)
        let stream = try configuration.appender()
        while try spool.drainSome(into: stream) != nil {}
    }
}
