import CarillonEvents
import CarillonServer
import CarillonWorker
import Dispatch
import Foundation
import Logging
import Metrics
import ServiceLifecycle
import UnixSignals

/// The parts of a running deployment and how they start and stop together.
struct Roles {
    let configuration: Configuration
    /// Reads the configuration again, as the command line named it.
    let reread: @Sendable () throws -> Configuration
    let logger = Log.logger("carillon")

    /// Makes stream and ledger where they are not there, and applies the watched rules, before anything runs.
    func prepare() throws -> RuleWatch? {
        _ = try configuration.createStream()
        _ = try configuration.createLedger()
        try SpoolWatch.drain(configuration)
        guard let folder = configuration.rulesDirectory else { return nil }
        let watch = RuleWatch(configuration: configuration, folder: folder, logger: Log.logger("carillon.rules"))
        watch.applyIfChanged()
        return watch
    }

    /// What keeps the house beside a worker.
    func keepers(_ watch: RuleWatch?) -> [any Service] {
        [
            SpoolWatch(configuration: configuration, logger: logger),
            StreamKeeper(configuration: configuration, logger: logger),
        ]
            + (watch.map { [$0] } ?? [])
    }

    /// Runs services until one of them ends or a signal asks for the end; then all drain, the last started first.
    func run(_ services: [any Service]) async throws {
        let parts = services.map { service in
            ServiceGroupConfiguration.ServiceConfiguration(
                service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                failureTerminationBehavior: .gracefullyShutdownGroup)
        }
        var quiet = Log.logger("carillon.services")
        quiet.logLevel = .critical
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: parts, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        try await group.run()
    }

    /// The HTTP server.
    ///
    /// SIGHUP does what `POST /-/reload` does.
    func server(_ registry: MetricsRegistry, _ watch: RuleWatch?) -> Server {
        let (configuration, logger) = (configuration, logger)
        let sources = Sources(
            desk: { try configuration.desk() }, ends: { try configuration.streamEnds() },
            checkWritable: { try configuration.checkLedgerIsWritable() })
        let reload = Reloading(configuration: configuration, reread: reread, watch: watch)
        return Server(
            host: configuration.http.host, port: configuration.http.port, version: CarillonVersion.current,
            registry: registry, sources: sources, clock: clock, logger: Log.logger("carillon.server"),
            reload: { try await offPool { try reload.run() } },
            listening: { port in logger.notice("listening on http://\(configuration.http.host):\(port)") })
    }
}

/// Reads the configuration again and takes what can change while running.
private final class Reloading: Sendable {
    private static let taken: Set<String> = ["logging.level", "logging.format"]

    private let configuration: Configuration
    private let reread: @Sendable () throws -> Configuration
    private let watch: RuleWatch?

    init(configuration: Configuration, reread: @escaping @Sendable () throws -> Configuration, watch: RuleWatch?) {
        (self.configuration, self.reread, self.watch) = (configuration, reread, watch)
    }

    func run() throws -> Server.Reload {
        let fresh: Configuration
        do { fresh = try reread() } catch let error as ConfigurationError {
            throw ReloadError(description: error.problems.joined(separator: "; "))
        }
        do { try watch?.apply() } catch let failure as Failure {
            throw ReloadError(description: failure.lines.joined(separator: "; "))
        }
        Log.set(fresh.logging)
        let changed = fresh.values.differences(from: configuration.values)
        return Server.Reload(
            taken: Self.taken.sorted() + (watch == nil ? [] : ["rules"]),
            needsRestart: changed.filter { !Self.taken.contains($0) })
    }
}

private struct ReloadError: Error, CustomStringConvertible { let description: String }
