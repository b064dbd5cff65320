import CarillonKit
import Foundation
import Testing

@Suite("Replay is killed five times beside live work, and ends right (P10)", .timeLimit(.minutes(5)))
struct ReplayKillTests {
    @Test("the ledger is lost: killed again and again a replay sends each once, and live events with it")
    func killed() throws {
        let deployment = try Deployment(seed: 11, events: 12_000)
        let old = 0..<10_000
        #expect(try deployment.told("publish", "-", input: deployment.lines(old)).isFine)
        try deployment.loseLedger()
        // On the empty ledger, before any worker: the stream is decided by the replay alone.
        try deployment.makeLedger()
        var kills = 0
        var worker: Process?
        for round in 0..<5 {
            let before = try deployment.decided()
            let replay = try deployment.start(["replay", "--since", "1h", "--yes", "--rate", "2000/s"])
            while try deployment.decided() == before, replay.isRunning { sched_yield() }
            Foundation.kill(replay.processIdentifier, SIGKILL)
            replay.waitUntilExit()
            if replay.terminationReason == .uncaughtSignal { kills += 1 }
            if worker == nil { worker = try deployment.start(["worker"]) }
            let live = old.upperBound + round * 400..<old.upperBound + (round + 1) * 400
            #expect(try deployment.told("publish", "-", input: deployment.lines(live)).isFine)
        }
        #expect(kills >= 3, "a replay was over before it could be killed")
        let last = try deployment.told("replay", "--since", "1h", "--yes")
        #expect(last.isFine, "\(last.text)")
        let required = deployment.required()
        let process = try #require(worker)
        #expect(deployment.sink.wait(requests: required.count, worker: process.processIdentifier), "the worker ended")
        Foundation.kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        #expect(try deployment.told("worker", "--until-idle").isFine)
        let again = try deployment.told("replay", "--since", "1h", "--yes")
        #expect(again.isFine && again.text.contains("0 deliveries on their way"), "\(again.text)")
        #expect(try deployment.told("worker", "--until-idle").isFine)
        let state = deployment.sink.now
        #expect(Set(state.letters.keys) == Set(required.keys))
        #expect(state.requests == required.count, "\(state.requests - required.count) came twice")
        #expect(try deployment.told("verify").isFine)
    }
}
