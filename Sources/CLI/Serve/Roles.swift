import CarillonEvents
import CarillonServer
import CarillonStream
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
    ///
    /// Waits for a stream or a ledger that is away, as whatever starts them may start us first.
    /// - Parameter limit: for how long; without end unless given.
    func prepare(waiting limit: Duration? = nil) throws -> RuleWatch? {
        let end = limit.map { clock.uptime() + $0 }
        try patiently(until: end) { try configuration.prepareStream() }
        try patiently(until: end) { _ = try configuration.createLedger() }
        configuration.sealClearSecrets()
        try patiently(until: end) { try SpoolWatch.drain(configuration) }
        guard let folder = configuration.rulesDirectory else { return nil }
        let watch = RuleWatch(configuration: configuration, folder: folder, logger: Log.logger("carillon.rules"))
        watch.applyIfChanged()
        return watch
    }

    private func patiently(until end: Duration?, _ work: () throws -> Void) throws {
        var patience = Patience()
        while true {
            do { return try work() } catch {
                let isOver = end.map { clock.uptime() + patience.next > $0 } ?? false
                guard !isOver, Patience.isWorthwhile(after: error) else { throw error }
                logger.error("\(error); trying again", metadata: ["in": "\(patience.next)"])
                patience.take()
            }
        }
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
        let second = SecondInterrupt()
        defer { second.cancel() }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: parts, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        try await group.run()
    }

    /// What SIGHUP and `POST /-/reload` do.
    func reloading(_ watch: RuleWatch?, door: EventDoor? = nil) -> Reloading {
        Reloading(configuration: configuration, reread: reread, watch: watch, door: door, logger: logger)
    }

    /// Where events come in over HTTP.
    func door(_ registry: MetricsRegistry) throws -> EventDoor {
        let configuration = configuration
        let access = try configuration.access(listening: configuration.http.host)
        if case .closed = access {
            logger.warning(
                "no events over HTTP: http.listen is \(configuration.http.host), which others may reach, and there is no http.tokens_file"
            )
        }
        return EventDoor(
            access: access, clock: clock, registry: registry,
            appender: { () throws(StreamError) in try configuration.appender() })
    }

    /// The HTTP server.
    func server(_ registry: MetricsRegistry, _ door: EventDoor, _ reloading: Reloading) -> Server {
        let (configuration, logger) = (configuration, logger)
        let sources = Sources(
            desk: { try configuration.desk() }, ends: { try configuration.streamEnds() },
            gauges: { SpoolFolder(configuration.spool).gauges })
        return Server(
            host: configuration.http.host, port: configuration.http.port, version: CarillonVersion.current,
            registry: registry, sources: sources, door: door, clock: clock, logger: Log.logger("carillon.server"),
            reload: { try await offPool { try reloading.run() } }, isReloaded: { reloading.isFine },
            listening: { port in logger.notice("listening on http://\(configuration.http.host):\(port)") })
    }
}

extension Configuration {
    /// Who may send events over HTTP.
    func access(listening host: String) throws(ConfigurationError) -> Access {
        var tokens: AccessTokens?
        if let file = http.tokensFile { tokens = try TokensFile.read(file) }
        return Access(listening: host, tokens: tokens)
    }
}
