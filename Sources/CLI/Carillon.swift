import ArgumentParser
import CarillonWorker
import Foundation

// The composition root: parses the command line, picks backends, reads settings. Commands stand in `Commands`, a file
// each; `Assembly.swift` is the one place that names a backend.

@main
struct Carillon: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "carillon",
        abstract: "Turns job lifecycle events into notifications that arrive once, in time, and can be explained.",
        discussion: """
            A first round, in two terminals:

              carillon sink --listen 127.0.0.1:9000
              carillon serve --set delivery.ssrf_exempt=127.0.0.0/8

              carillon rules apply rules.yaml
              carillon publish --type job.failed --workspace vision \\
                --subject 123 --source /slurm/a
              carillon status

            Exit codes: 0 fine, 1 failed, 2 usage, 3 the check found problems.
            """,
        version: CarillonVersion.current,
        subcommands: [
            Serve.self, Work.self, Publish.self, Rules.self, Templates.self, Secrets.self, Deliveries.self,
            Silences.self, Quota.self, Dead.self, Poison.self, Endpoints.self,
            Replay.self, Explain.self, Status.self,
            Verify.self, Sink.self,
        ])

    static func main() async {
        Console.prepare()
        do {
            var command = try parseAsRoot()
            if var async = command as? any AsyncParsableCommand { try await async.run() } else { try command.run() }
            Console.flush()
        } catch { Foundation.exit(Failure.report(error)) }
    }
}
