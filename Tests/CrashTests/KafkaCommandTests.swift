import CarillonKit
import CarillonPlatform
import Foundation
import KafkaCluster
import PostgresServer
import Testing

@Suite("Commands over Kafka and PostgreSQL: the same binary, one change of its configuration", .timeLimit(.minutes(5)))
struct KafkaCommandTests {
    private static var mayBeAbsent: Bool { ProcessInfo.processInfo.environment["CI"] != "true" }

    @Test(
        "publish, a worker, a server, verify and status",
        .enabled(if: (try? PostgresServer.shared.get()) != nil || !mayBeAbsent))
    func commands() throws {
        let mock = try KafkaMock(brokers: 3)
        let topic = try mock.topic(6)
        let deployment = try Deployment(
            seed: 11, events: 90, ledgerURL: PostgresServer.shared.get().freshURL(),
            settings: [
                "CARILLON_STREAM_KIND": "kafka", "CARILLON_STREAM_TOPICS": topic,
                "CARILLON_STREAM_PROPERTIES": #"{"bootstrap.servers":"\#(mock.servers)"}"#,
            ])
        // Each as a group of its own, as the mock's groups do not get over members that leave while they join; what is decided
        // is in the ledger, whatever the group.
        #expect(try deployment.told("publish", "-", input: deployment.lines(0..<30)).isFine)
        #expect(try lag(deployment) == 30)
        #expect(try deployment.told("worker", "--until-idle", "--set", "worker.group=first").isFine)
        #expect(try deployment.delivered() == deployment.required(of: 0..<30))
        #expect(try lag(deployment) == 0)

        // Published twice is decided once.
        #expect(try deployment.told("publish", "-", input: deployment.lines(0..<60)).isFine)
        #expect(try deployment.told("worker", "--until-idle", "--set", "worker.group=second").isFine)
        #expect(try deployment.delivered() == deployment.required(of: 0..<60))
        let law = try json(deployment.told("verify", "-o", "json"))
        #expect(law["read"] as? Int == 90 && law["lost"] as? Int == 0 && (law["residue"] as? [Any])?.isEmpty == true)
        #expect(law["duplicate"] as? Int == deployment.required(of: 0..<30))

        let server = try deployment.start(["serve", "--listen", "127.0.0.1:0"])
        let before = deployment.sink.state.change { $0.requests }
        #expect(try deployment.told("publish", "-", input: deployment.lines(60..<90)).isFine)
        let awaited = before + deployment.required(of: 60..<90)
        #expect(deployment.sink.wait(requests: awaited, worker: server.processIdentifier), "the server ended")
        Foundation.kill(server.processIdentifier, SIGTERM)
        server.waitUntilExit()
        #expect(server.terminationReason == .exit && server.terminationStatus == 0)
        #expect(try deployment.delivered() == deployment.required(of: 0..<90))
        #expect(try deployment.told("verify").isFine)
        #expect(try deployment.told("status").isFine)
        #expect(try lag(deployment) == 0)

        // A ledger on one host behind a stream for many has to be asked for.
        let refused = try deployment.told("worker", "--until-idle", "--set", "ledger.kind=sqlite")
        #expect(refused.code == 2 && refused.text.contains("ledger.single_host"))
    }

    private func lag(_ deployment: Deployment) throws -> Int? {
        try json(deployment.told("status", "-o", "json"))["lag"] as? Int
    }

    private func json(_ told: Deployment.Told) throws -> [String: Any] {
        #expect(told.isFine, "\(told.text)")
        return try #require(try JSONSerialization.jsonObject(with: Data(told.text.utf8)) as? [String: Any])
    }
}
