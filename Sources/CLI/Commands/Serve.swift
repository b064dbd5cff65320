import ArgumentParser
import CarillonServer
import Metrics
import ServiceLifecycle

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs everything on one machine until SIGTERM, then drains.",
        discussion: """
            A worker, and HTTP for operators: /metrics, /-/healthy, /-/ready and POST /-/reload. Makes the stream and the
            ledger when they are not there. Reads its configuration again on SIGHUP. Stops reading on SIGTERM or Ctrl-C, lets what is on the wire end, and leaves
            nothing leased.

              carillon serve
              carillon serve --config /etc/carillon/carillon.yaml --listen 0.0.0.0:8420
              carillon serve --home /tmp/try --set delivery.ssrf_exempt=127.0.0.0/8
            """)

    @Option(help: "HOST:PORT for HTTP; port 0 takes a free one.") var listen: String?
    @OptionGroup var deployment: Deployment

    func run() async throws {
        let (deployment, flags) = (deployment, listen.map { [("http.listen", $0)] } ?? [])
        let configuration = try deployment.configuration(flags)
        Log.set(configuration.logging)
        let registry = MetricsRegistry()
        MetricsSystem.bootstrap(registry)
        let roles = Roles(configuration: configuration, reread: { try deployment.configuration(flags) })
        let watch = try roles.prepare()
        let server = roles.server(registry, watch)
        try await roles.run(
            [server, HangupSignal(act: { await server.reloadNow() })] + roles.keepers(watch)
                + [configuration.worker(untilIdle: false)])
    }
}
