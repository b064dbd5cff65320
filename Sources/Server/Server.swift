public import CarillonEvents
import Glibc
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

// HTTP: events in (`EventsIn/`), and for operators `/metrics`, `/-/healthy`, `/-/ready`, `POST /-/reload`. It reads the ledger,
// never a worker's memory, so it tells the same whichever process runs it.

/// The deployment's HTTP server.
public final class Server: Service {
    /// What a reload came to.
    public struct Reload: Sendable {
        /// What took effect.
        public var taken: [String]
        /// What has changed but needs a restart.
        public var needsRestart: [String]
        /// Makes one.
        public init(taken: [String], needsRestart: [String]) {
            (self.taken, self.needsRestart) = (taken, needsRestart)
        }
    }

    private let host: String
    private let port: Int
    private let version: String
    private let registry: MetricsRegistry
    private let observatory: Observatory
    private let door: EventDoor
    private let patience: Duration
    private let reload: @Sendable () async throws -> Reload
    private let isReloaded: @Sendable () -> Bool
    private let listening: @Sendable (Int) -> Void
    private let logger: Logger

    /// Makes a server; it listens from `run` on.
    ///
    /// - Parameters:
    ///   - version: what `carillon_build_info` says.
    ///   - door: takes the events.
    ///   - patience: how long a connection may be idle, and how long a request's body may take to arrive.
    ///   - reload: reads again what can be read again; an error leaves everything as it was.
    ///   - isReloaded: whether all that was read again last, by a reload or by itself, could be taken.
    ///   - listening: called with the port once the server listens.
    public init(
        host: String, port: Int, version: String, registry: MetricsRegistry, sources: Sources, door: EventDoor,
        patience: Duration = .seconds(60), clock: any Clock, logger: Logger,
        reload: @escaping @Sendable () async throws -> Reload,
        isReloaded: @escaping @Sendable () -> Bool,
        listening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        (self.host, self.port, self.version, self.registry) = (host, port, version, registry)
        (self.reload, self.isReloaded, self.listening, self.logger) = (reload, isReloaded, listening, logger)
        (self.door, self.patience) = (door, patience)
        observatory = Observatory(sources: sources, clock: clock)
    }

    /// Reloads as `POST /-/reload` does; what came of it is logged.
    public func reloadNow() async { _ = await answerReload() }

    /// Serves until a graceful shutdown.
    ///
    /// - Throws: `ListenError` when the address cannot be had.
    public func run() async throws {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let (fallback, listening) = (port, listening)
        let app = Application(
            router: router(),
            server: .http1(configuration: HTTP1Channel.Configuration(idleTimeout: TimeAmount(patience))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: .maximum(Self.connections, logger: quiet)),
            onServerRunning: { listening($0.localAddress?.port ?? fallback) }, logger: quiet)
        do { try await app.run() } catch { throw ListenError(error, address: "\(host):\(port)") ?? error }
    }

    /// At most so many at a time; further ones wait to be accepted.
    private static let connections = 1_024

    private func router() -> Router<ServerContext> {
        let router = Router(context: ServerContext.self)
        router.add(middleware: BodyDeadline.Middleware(time: TimeAmount(patience)))
        EventRoutes(door: door).add(to: router)
        router.get("metrics") { _, _ in await self.metrics() }
        router.get("-/healthy") { _, _ in Self.text(.ok, "healthy\n") }
        router.get("-/ready") { _, _ in
            guard let problem = await self.observatory.problem() else { return Self.text(.ok, "ready\n") }
            return Self.problem(.serviceUnavailable, "not ready: \(problem)")
        }
        router.post("-/reload") { _, _ in await self.answerReload() }
        return router
    }

    private func metrics() async -> Response {
        var gauges: [(MetricsRegistry.Series, Double)] = [
            (.init("carillon_build_info", [("version", version)]), 1),
            (.init("carillon_config_last_reload_successful"), isReloaded() ? 1 : 0),
        ]
        do {
            let reading = try await observatory.read()
            gauges += [
                (.init("carillon_pending"), reading.pending),
                (.init("carillon_oldest_pending_seconds"), reading.oldestPending),
                (.init("carillon_dead_letters"), reading.dead),
                (.init("carillon_stream_lag_records"), reading.lag),
                (.init("carillon_ledger_residue"), reading.residue),
                (.init("carillon_breakers_open"), reading.breakersOpen),
            ]
            gauges += reading.others.map { (.init($0.name), $0.value) }
        } catch { logger.warning("metrics lack the ledger's numbers: \(error)") }
        return Self.text(
            .ok, registry.exposition(with: gauges), type: "text/plain; version=0.0.4; charset=utf-8")
    }

    private func answerReload() async -> Response {
        do {
            let reload = try await reload()
            logger.notice(
                "configuration reloaded", metadata: ["taken": "\(reload.taken)", "restart": "\(reload.needsRestart)"])
            return Self.text(
                .ok,
                "reloaded: \(Self.list(reload.taken))\nneeds a restart: \(Self.list(reload.needsRestart))\n")
        } catch {
            logger.error("reload refused, the last good configuration stays: \(error)")
            return Self.problem(.unprocessableContent, "nothing reloaded: \(error)")
        }
    }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "nothing" : names.joined(separator: ", ")
    }

    /// An answer that says why not, as RFC 9457 has it.
    private static func problem(_ status: HTTPResponse.Status, _ detail: String) -> Response {
        var bytes = Array("{\"type\":\"about:blank\",\"title\":\"\(status.reasonPhrase)\"".utf8)
        bytes += ",\"status\":\(status.code),\"detail\":".utf8
        JSON.append(quoted: detail, to: &bytes)
        bytes += "}\n".utf8
        return text(status, String(decoding: bytes, as: UTF8.self), type: "application/problem+json")
    }

    private static func text(
        _ status: HTTPResponse.Status, _ text: String, type: String = "text/plain; charset=utf-8"
    ) -> Response {
        Response(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

/// Why a server cannot listen at its address.
public struct ListenError: Error, Sendable, CustomStringConvertible {
    /// What is wrong and what to do.
    public let description: String

    /// The error in words, when it is one of the socket's; `nil` otherwise.
    public init?(_ error: any Error, address: String) {
        switch error {
        case let error as IOError where error.errnoCode == EADDRINUSE:
            description =
                "server could not listen on \(address): another process uses it; stop that or choose another address"
        case let error as IOError where error.errnoCode == EACCES:
            description = "server could not listen on \(address): not permitted; choose a port above 1023"
        case let error as IOError:
            description = "server could not listen on \(address): \(error); choose another address"
        case let error as SocketAddressError:
            description = "server could not listen on \(address): the host is unknown [\(error)]"
        default: return nil
        }
    }
}
