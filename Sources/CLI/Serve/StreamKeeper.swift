import Logging
import ServiceLifecycle

/// Removes from the stream what is older than `stream.retention` and read by every group.
struct StreamKeeper: Service {
    private static let pause = Duration.seconds(60)

    let configuration: Configuration
    let logger: Logger

    func run() async throws {
        let (configuration, logger) = (configuration, logger)
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.pause)
                do {
                    while try await offPool({ try configuration.trimStream() }) { try Task.checkCancellation() }
                } catch is CancellationError { return } catch {
                    logger.warning("old records stay in the stream for now: \(error)")
                }
            }
        }
    }
}
