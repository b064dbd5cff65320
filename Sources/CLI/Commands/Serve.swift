import ArgumentParser
import CarillonServer
import Metrics
import ServiceLifecycle

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Runs everything on one machine until SIGTERM, then drains.",
        discussion: """
            A worker, and HTTP: events in at POST /v1/events, and for operators /metrics, /-/healthy, /-/ready and \
            POST /-/reload. Makes the stream and the ledger when they are not there. Reads its configuration again \
            on SIGHUP. Stops reading on SIGTERM or Ctrl-C, lets what is on the wire end, and leaves nothing leased; a \
            second Ctrl-C ends it at once.

              carillon serve
              carillon serve --config carillon.yaml --listen 127.0.0.1:8421
              carillon serve --home /tmp/try --set delivery.ssrf_exempt=127.0.0.0/8
            """)

    @Option(help: "HOST:PORT for HTTP; port 0 takes a free one.") var listen: String?
    @Flag(help: "HTTP alone; workers of their own do the rest.") var withoutWorker = false
    @OptionGroup var deployment: Deployment

    func run() async throws {
        let (deployment, flags) = (deployment, listen.map { [("http.listen", $0)] } ?? [])
        HangupSignal.survive()
        let configuration = try deployment.configuration(flags)
        Log.set(configuration.logging)
        let registry = MetricsRegistry()
        MetricsSystem.bootstrap(registry)
        let roles = Roles(configuration: configuration, reread: { try deployment.configuration(flags) })
        let door = try roles.door(registry)
        let watch = try roles.prepare()
        let reloading = roles.reloading(watch, door: door)
        try await roles.run(
            [roles.server(registry, door, reloading), HangupSignal(reloading: reloading)] + roles.keepers(watch)
                + (withoutWorker ? [] : [configuration.worker(untilIdle: false)]))
    }
}
