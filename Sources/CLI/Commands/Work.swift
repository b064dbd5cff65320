import ArgumentParser
import ServiceLifecycle

struct Work: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Runs one stateless worker; several may run at a time.",
        discussion: """
            All state is in the stream and the ledger, so a worker may be killed at any moment. Makes them when they \
            are not there, and waits for them while they are away. Reads its configuration again on SIGHUP. With \
            --until-idle it ends with 0 once the stream is read to its end and nothing is leased or due.

              carillon worker
              carillon publish events.jsonl && carillon worker --until-idle
              carillon worker --prepare && carillon rules apply rules/
            """)

    @Flag(help: "End once there is nothing to do.") var untilIdle = false
    @Flag(help: "Only make stream and ledger where they are not there, bring them up to date, and end.") var prepare =
        false
    @OptionGroup var deployment: Deployment

    func run() async throws {
        let deployment = deployment
        HangupSignal.survive()
        let configuration = try deployment.configuration()
        Log.set(configuration.logging)
        let roles = Roles(configuration: configuration, reread: { try deployment.configuration() })
        let watch = try roles.prepare(waiting: prepare || untilIdle ? .seconds(30) : nil)
        if prepare { return }
        try await roles.run(
            [HangupSignal(reloading: roles.reloading(watch))] + roles.keepers(watch)
                + [configuration.worker(untilIdle: untilIdle)])
    }
}
