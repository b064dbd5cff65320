import CarillonKit
import CarillonPostgres
import Foundation
import PostgresServer
import Testing

// P1, P3 and P4 with the real binary over PostgreSQL: workers are killed, the server crashes, connections are cut.

@Suite("Kill test over PostgreSQL: nothing is lost and every copy has its reason", .serialized, .timeLimit(.minutes(5)))
struct PostgresKillTests {
    private static var mayBeAbsent: Bool { ProcessInfo.processInfo.environment["CI"] != "true" }
    private enum Blow: CaseIterable { case killWorker, crashServer, cutConnections }

    @Test(
        "workers killed, the server crashed, connections cut",
        .enabled(if: (try? PostgresServer.shared.get()) != nil || !mayBeAbsent),
        arguments: [20_261 as UInt64])
    func kill(seed: UInt64) throws {
        // One of its own: others use the shared one at the same time.
        let server = try PostgresServer()
        defer { server.stop() }
        let url = try server.freshURL()
        let deployment = try Deployment(seed: seed, events: 4_000, ledgerURL: url)
        let input = Pipe()
        let publisher = try deployment.start(["publish", "-"], input: input)
        try input.fileHandleForWriting.write(contentsOf: deployment.lines(0..<4_000))
        try input.fileHandleForWriting.close()
        publisher.waitUntilExit()
        try deployment.expectSuccess(publisher)
        var explained = 0
        for blow in [Blow.killWorker, .crashServer, .cutConnections, .killWorker, .cutConnections, .crashServer] {
            explained += try strike(blow, deployment, server, url)
        }
        try deployment.expectSuccess(deployment.run("worker", "--until-idle"))
        try deployment.expectSuccess(deployment.run("verify"))
        let (required, state) = (deployment.required(), deployment.sink.now)
        let copies = state.requests - state.letters.count
        print(
            "kill test over PostgreSQL: seed \(seed): \(required.count) required, \(copies) copies of at most \(explained)"
        )
        #expect(state.faults == [])
        #expect(Set(state.letters.keys) == Set(required.keys))
        #expect(try deployment.delivered() == required.count)
        #expect(copies <= explained, "copies that nothing explains")
    }

    /// Strikes while a worker is at work, sees it go on if it was not the one struck, then ends it.
    ///
    /// - Returns: how many requests had begun whose outcome was not durable at the two moments that can make copies.
    private func strike(
        _ blow: Blow, _ deployment: Deployment, _ server: PostgresServer, _ url: String
    ) throws -> Int {
        let sink = deployment.sink
        let (before, settled) = (sink.now.requests, try deployment.delivered())
        let worker = try deployment.start(["worker"])
        #expect(sink.wait(requests: before + 150, worker: worker.processIdentifier), "a worker ended by itself")
        var unsettled = 0
        if blow != .killWorker {
            if blow == .crashServer {
                try server.crash()
            } else {
                try Connection(url).run(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'carillon' AND pid <> pg_backend_pid()"
                )
            }
            // In this order: what was asked before the blow and is not durable now may be sent again.
            let durable = try deployment.delivered() - settled
            let stopped = sink.now.requests
            unsettled += stopped - before - durable
            #expect(sink.wait(requests: stopped + 100, worker: worker.processIdentifier), "the worker gave up")
        }
        Foundation.kill(worker.processIdentifier, SIGKILL)
        worker.waitUntilExit()
        #expect(worker.terminationReason == .uncaughtSignal, "the worker ended before it was killed")
        sink.becomeQuiet()
        return try unsettled + max(0, sink.now.requests - before - (deployment.delivered() - settled))
    }
}
