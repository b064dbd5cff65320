import CarillonKit
import Foundation
import PostgresServer
import Testing

@Suite("Commands over PostgreSQL: what one tells the ledger, workers heed", .timeLimit(.minutes(5)))
struct PostgresCommandTests {
    private static var mayBeAbsent: Bool { ProcessInfo.processInfo.environment["CI"] != "true" }

    @Test(
        "rules, endpoints, silences, secrets and deliveries, a worker and a server",
        .enabled(if: (try? PostgresServer.shared.get()) != nil || !mayBeAbsent))
    func commands() throws {
        let deployment = try Deployment(seed: 7, events: 60, ledgerURL: PostgresServer.shared.get().freshURL())
        let workspaces = Deployment.rules.keys.sorted()
        #expect(
            try deployment.told("secrets", "set", "--workspace", "vision", "key", input: Data("hunter2".utf8)).isFine)
        #expect(try deployment.told("secrets", "list", "--workspace", "vision", "-o", "json").text.contains("key"))

        for workspace in workspaces {
            #expect(try deployment.told("endpoints", "pause", "hook", "--workspace", workspace).isFine)
        }
        let published = try deployment.told("publish", "-", input: deployment.lines(0..<20))
        #expect(published.isFine && published.text.contains("published 20 events"), "\(published.text)")
        #expect(try deployment.told("worker", "--until-idle").isFine)
        #expect(deployment.sink.now.requests == 0 && deployment.required(of: 0..<20) > 0)
        #expect(try deployment.told("endpoints", "list").text.contains("paused"))
        for workspace in workspaces {
            #expect(try deployment.told("endpoints", "resume", "hook", "--workspace", workspace).isFine)
        }
        #expect(try deployment.told("worker", "--until-idle").isFine)
        #expect(try deployment.delivered() == deployment.required(of: 0..<20))

        #expect(
            try deployment.told(
                "silence", "add", "--workspace", "*", "--pattern", #"{"workspace":["vision","speech","ranking"]}"#,
                "--for", "2h", "--comment", "rack moves"
            ).isFine)
        #expect(try deployment.told("publish", "-", input: deployment.lines(20..<40)).isFine)
        #expect(try deployment.told("worker", "--until-idle").isFine)
        #expect(try deployment.delivered() == deployment.required(of: 0..<20))
        let held = try deployment.told("deliveries", "list", "--state", "suppressed", "-o", "json").text
        #expect(held.contains(#""reason":"silence","by":"1""#))
        #expect(try deployment.told("silence", "expire", "1").isFine)

        try serve(deployment, 40..<60)
        #expect(try deployment.delivered() == deployment.required(of: 0..<20) + deployment.required(of: 40..<60))
        #expect(try deployment.told("verify").isFine)
        #expect(try deployment.told("status").isFine)
        try answers(deployment)
    }

    /// Explain, verify of a window and a replay, as over SQLite.
    private func answers(_ deployment: Deployment) throws {
        let event = try #require(deployment.events.first { Deployment.rules[$0.workspace]?.contains($0.type) == true })
        let told = try deployment.told("explain", "--event", event.source, event.id)
        #expect(told.isFine && told.text.contains("✓ all → hook: delivered"), "\(told.text)")
        #expect(try deployment.told("verify", "--since", "1h").isFine)
        let before = deployment.sink.now.requests
        let counted = try deployment.told("replay", "--since", "2h", "--all", "--dry-run", "-o", "json")
        #expect(counted.isFine && counted.text.contains("\"reopened\":\(before)"), "\(counted.text)")
        #expect(try deployment.told("replay", "--since", "2h", "--all", "--yes").isFine)
        #expect(try deployment.told("worker", "--until-idle").isFine)
        #expect(deployment.sink.now.requests == 2 * before && deployment.sink.now.letters.count == before)
        #expect(try deployment.told("replay", "--since", "2h", "--yes").text.contains("0 deliveries"))
        #expect(try deployment.told("verify").isFine)
    }

    /// Publishes while a server runs, and ends it when all is delivered.
    private func serve(_ deployment: Deployment, _ range: Range<Int>) throws {
        let server = try deployment.start(["serve", "--listen", "127.0.0.1:0"])
        let before = deployment.sink.now.requests
        #expect(try deployment.told("publish", "-", input: deployment.lines(range)).isFine)
        let awaited = before + deployment.required(of: range)
        #expect(deployment.sink.wait(requests: awaited, worker: server.processIdentifier), "the server ended")
        Foundation.kill(server.processIdentifier, SIGTERM)
        server.waitUntilExit()
        #expect(server.terminationReason == .exit && server.terminationStatus == 0)
    }
}

extension Deployment {
    /// How a command ended and all it said.
    struct Told {
        let code: Int32, text: String
        var isFine: Bool { code == 0 }
    }

    /// Runs a command to its end.
    func told(_ arguments: String..., input: Data? = nil) throws -> Told {
        let before = words().count
        let pipe = Pipe()
        let process = try start(arguments, input: pipe)
        if let input { try pipe.fileHandleForWriting.write(contentsOf: input) }
        try pipe.fileHandleForWriting.close()
        process.waitUntilExit()
        return Told(
            code: process.terminationStatus, text: String(decoding: words().dropFirst(before), as: UTF8.self))
    }

    /// How many deliveries some of the events make.
    func required(of range: Range<Int>) -> Int { required().values.count { range.contains($0) } }
}
