import CarillonKit
import Foundation
import Testing

// P1, P3, P4 and P13 with the real binary: workers and publishers are killed, and what is owed arrives all the same.

@Suite("Kill test: nothing is lost and every copy has its reason", .serialized, .timeLimit(.minutes(10)))
struct KillTests {
    /// The requests a worker may have on the wire, by default.
    private static let concurrency = 256
    private static let points = [
        "after_read", "in_decision", "after_decision", "before_send", "on_wire", "after_answer", "in_settle",
    ]

    /// What the test counts and prints.
    private struct Counts {
        var kills = 0
        var killsInFlight = 0
        var pointsReached: Set<String> = []
        /// Requests a worker had begun and whose outcome was not durable when it died, over all kills.
        var unsettled = 0
        var mostUnsettled = 0
    }

    @Test("20,000 events, workers killed at random and at every crash point, publishers killed", arguments: [seed()])
    func kill(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let deployment = try Deployment(seed: seed, events: 20_000)
        #expect(Set(deployment.events.map { $0.workspace + $0.source + $0.id }).count == 20_000)
        let publisher = try publishing(deployment, &random)
        var counts = Counts()
        var plan = (Self.points.map(Optional.some) + Array(repeating: nil, count: 26)).shuffled(using: &random)
        while let point = plan.popLast() {
            let isKilled = try killOne(deployment, at: point, &counts, &random)
            // A point that was not reached before the work ran out is tried again, while there is work.
            if !isKilled { plan.insert(point, at: 0) }
            try #require(counts.kills < 200, "the crash points are never reached: \(counts.pointsReached)")
            // A kill that met an idle worker shows little: another one for it.
            if plan.isEmpty, counts.killsInFlight < 25 { plan.append(nil) }
        }
        let publisherKills = try publisher.join()
        try deployment.expectSuccess(deployment.run("worker", "--until-idle"))
        try deployment.expectSuccess(deployment.run("verify"))
        try check(deployment, counts, publisherKills, seed: seed)
    }

    /// The same seed each time; `CARILLON_SEED` tries another.
    private static func seed() -> UInt64 {
        ProcessInfo.processInfo.environment["CARILLON_SEED"].flatMap { UInt64($0) } ?? 20_260
    }

    // Workers

    /// Starts a worker and sees it die; false when it ended by itself.
    private func killOne(
        _ deployment: Deployment, at point: String?, _ counts: inout Counts, _ random: inout SplitMix
    ) throws -> Bool {
        let sink = deployment.sink
        let before = sink.now.requests
        let deliveredBefore = try deployment.delivered()
        let worker: Process
        if let point {
            let isOfBatches = ["after_read", "in_decision", "after_decision", "in_settle"].contains(point)
            let times = Int.random(in: isOfBatches ? 1...3 : 50...400, using: &random)
            worker = try deployment.start(["worker", "--until-idle"], crashPoint: "\(point):\(times)")
        } else {
            worker = try deployment.start(["worker"])
            let isReached = sink.wait(
                requests: before + Int.random(in: 50...400, using: &random), worker: worker.processIdentifier)
            #expect(isReached, "a worker ended by itself")
            Foundation.kill(worker.processIdentifier, SIGKILL)
        }
        worker.waitUntilExit()
        guard worker.terminationReason == .uncaughtSignal else {
            try deployment.expectSuccess(worker)
            return false
        }
        sink.becomeQuiet()
        // Of this worker alone: what an earlier one left is counted there, and is sent again by this one or a later one.
        let unsettled = try (sink.now.requests - before) - (deployment.delivered() - deliveredBefore)
        counts.kills += 1
        counts.killsInFlight += unsettled > 0 ? 1 : 0
        counts.unsettled += unsettled
        counts.mostUnsettled = max(counts.mostUnsettled, unsettled)
        if let point { counts.pointsReached.insert(point) }
        return true
    }

    // Publishers

    /// Publishes everything in five parts; each part's first publisher is killed somewhere in it, and a second one
    /// publishes the part from its beginning.
    private func publishing(_ deployment: Deployment, _ random: inout SplitMix) throws -> OwnThread<Int> {
        let size = deployment.events.count / 5
        let cuts = (0..<5).map { _ in Int.random(in: 50..<size - 50, using: &random) }
        var parts: [Part] = []
        for (index, cut) in cuts.enumerated() {
            let start = index * size
            parts.append(
                Part(first: deployment.lines(start..<start + cut), whole: deployment.lines(start..<start + size)))
        }
        let publisher = Publisher(deployment: deployment)
        // The first part before any worker, so that there is work from the start.
        let kills = try publisher.publish(parts.removeFirst())
        return OwnThread { [parts] in try parts.reduce(kills) { try $0 + publisher.publish($1) } }
    }

    private struct Part: Sendable {
        let first, whole: Data
    }

    /// Publishes over pipes, from a thread of its own.
    private struct Publisher: Sendable {
        let deployment: Deployment

        /// Kills a publisher that has read the first lines and waits for more; then publishes all.
        ///
        /// - Returns: the number of kills.
        func publish(_ part: Part) throws -> Int {
            let (input, before) = (Pipe(), try deployment.published())
            let killed = try deployment.start(["publish", "-"], input: input)
            try input.fileHandleForWriting.write(contentsOf: part.first)
            // Some of it has become durable, the rest is anywhere on its way.
            while try deployment.published() == before, killed.isRunning { sched_yield() }
            Foundation.kill(killed.processIdentifier, SIGKILL)
            killed.waitUntilExit()
            let whole = Pipe()
            let second = try deployment.start(["publish", "-"], input: whole)
            try whole.fileHandleForWriting.write(contentsOf: part.whole)
            try whole.fileHandleForWriting.close()
            second.waitUntilExit()
            try deployment.expectSuccess(second)
            return killed.terminationReason == .uncaughtSignal ? 1 : 0
        }
    }

    // The end

    private func check(_ deployment: Deployment, _ counts: Counts, _ publisherKills: Int, seed: UInt64) throws {
        let required = deployment.required()
        let state = deployment.sink.now
        let copies = state.requests - state.letters.count
        print(
            """
            kill test: seed \(seed): \(deployment.events.count) events, \(required.count) deliveries required, \
            \(state.letters.count) arrived, \(copies) copies of at most \(counts.unsettled) explained; \
            \(counts.kills) workers killed, \(counts.killsInFlight) with work in flight (at most \(counts.mostUnsettled)), \
            \(counts.pointsReached.count) crash points, \(publisherKills) publishers killed
            """)
        #expect(state.faults == [])
        let arrived = Set(state.letters.keys)
        #expect(arrived == Set(required.keys), "\(Set(required.keys).subtracting(arrived).count) never arrived")
        #expect(try deployment.delivered() == required.count)
        #expect(copies <= counts.unsettled, "copies that no kill explains")
        #expect(counts.mostUnsettled <= Self.concurrency)
        #expect(counts.killsInFlight >= 25 && publisherKills == 5)
        #expect(counts.pointsReached == Set(Self.points))
        // First arrivals of a subject come in the order of its events (P13).
        let disorder = deployment.disorder(in: state, required)
        #expect(disorder == 0)
    }
}
