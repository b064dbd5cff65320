import CarillonKit
import Foundation
import PostgresServer
import Testing

@Suite("Groups of events count right whatever is killed", .serialized, .timeLimit(.minutes(5)))
struct GroupKillTests {
    private static let points = [
        "after_read", "in_decision", "after_decision", "before_send", "on_wire", "after_answer", "in_settle",
    ]
    private static let ledgers = ["sqlite"] + ((try? PostgresServer.shared.get()) == nil ? [] : ["postgres"])

    @Test("workers killed while events join and groups speak: each event is counted by one message", arguments: ledgers)
    func killed(ledger: String) throws {
        var random = SplitMix(seed: 54)
        let deployment = try Deployment(
            seed: 54, events: 4_200, ledgerURL: ledger == "postgres" ? PostgresServer.shared.get().freshURL() : nil,
            ruleKeys: "group: {by: [workspace], wait: 1s, every: 1s}, ")
        var kills = 0
        let rounds = (Self.points + Self.points).shuffled(using: &random)
        for (round, point) in rounds.enumerated() {
            #expect(
                try deployment.told("publish", "-", input: deployment.lines(round * 300..<(round + 1) * 300)).isFine)
            // Of decisions also the second one: a group that speaks, or the next partition.
            let times = point == "in_decision" ? Int.random(in: 1...2, using: &random) : 1
            let worker = try deployment.start(["worker"], crashPoint: "\(point):\(times)")
            let id = worker.processIdentifier
            if !deployment.sink.wait(seconds: 60, for: { $0.ended.contains(id) }) { Foundation.kill(id, SIGKILL) }
            worker.waitUntilExit()
            if worker.terminationReason == .uncaughtSignal { kills += 1 }
        }
        #expect(kills == rounds.count)
        let required = deployment.required().count
        let worker = try deployment.start(["worker"])
        let isTold = deployment.sink.wait(seconds: 120) { Self.counted($0) >= required }
        Foundation.kill(worker.processIdentifier, SIGTERM)
        worker.waitUntilExit()
        let state = deployment.sink.now
        #expect(isTold && Self.counted(state) == required, "\(Self.counted(state)) of \(required)")
        #expect(state.faults == [])
        #expect(state.letters.count < required / 4, "few messages")
        #expect(try deployment.told("verify").isFine)
        print(
            "groups killed over \(ledger): \(kills) kills, \(required) events in \(state.letters.count) messages, "
                + "\(state.requests - state.letters.count) copies")
    }

    /// How many events the messages that arrived tell of.
    private static func counted(_ state: CountingSink.State) -> Int {
        state.letters.values.reduce(0) { sum, letter in
            let json = try? JSONSerialization.jsonObject(with: Data(letter.body)) as? [String: Any]
            let group = (json?["data"] as? [String: Any])?["group"] as? [String: Any]
            return sum + (group?["size"] as? Int ?? 0)
        }
    }
}
