import CarillonEvents
import CarillonKit
import CarillonPlatform
import Foundation
import PostgresServer
import Testing

// A storm of failures at three telephones, each with a few messages a second: all else is told by digests. Workers are
// killed at every crash point and in between, with digests open and with their messages on the wire.

@Suite("Digests count right whatever is killed", .serialized, .timeLimit(.minutes(5)))
struct DigestKillTests {
    private static let ledgers = ["sqlite"] + ((try? PostgresServer.shared.get()) == nil ? [] : ["postgres"])
    private static let perRound = 150
    private static let mostRounds = 40

    /// What the kills met.
    private struct Counts {
        var kills = 0
        /// Kills with digests open, and with messages of digests leased.
        var open = 0, leased = 0
        /// Requests of dead workers whose outcome was not durable.
        var unsettled = 0
        var published = 0
    }

    @Test(
        "workers killed while failures are folded and digests speak: each is told alone or by one digest",
        arguments: ledgers)
    func killed(ledger: String) throws {
        let seed = ProcessInfo.processInfo.environment["CARILLON_SEED"].flatMap { UInt64($0) } ?? 64
        print("digests killed over \(ledger): seed \(seed)")
        var random = SplitMix(seed: seed)
        let deployment = try Self.makeDeployment(seed, ledger)
        var points: [String?] = [
            "after_read", "in_decision", "after_decision", "in_claim", "before_send", "on_wire", "after_answer",
            "in_settle",
        ]
        points += ["in_decision", "in_claim", "in_claim", "on_wire", "on_wire", "after_answer", nil, nil, nil, nil]
        var plan = points.shuffled(using: &random)
        var counts = Counts()
        while let point = plan.popLast() {
            try killOne(deployment, at: point, &counts, &random)
            // What has shown too little is done again.
            guard plan.isEmpty, counts.kills < Self.mostRounds else { continue }
            if counts.open < 3 { plan = ["in_settle"] } else if counts.leased < 2 { plan = ["on_wire"] }
        }
        try finish(deployment)
        try check(deployment, counts, seed: seed)
    }

    private static func makeDeployment(_ seed: UInt64, _ ledger: String) throws -> Deployment {
        let sink = try CountingSink(delayMilliseconds: 20)
        let deployment = try Deployment(
            seed: seed, events: 1, ledgerURL: ledger == "postgres" ? PostgresServer.shared.get().freshURL() : nil,
            settings: [
                "CARILLON_CHANNELS_SMS_PROVIDER": "twilio", "CARILLON_CHANNELS_SMS_ACCOUNT": "AC1",
                "CARILLON_CHANNELS_SMS_TOKEN": "t", "CARILLON_CHANNELS_SMS_FROM": "+15005550006",
                "CARILLON_CHANNELS_SMS_BASE_URL": "http://127.0.0.1:\(sink.port)",
                "CARILLON_CHANNELS_SMS_ON_AMBIGUOUS": "resend", "CARILLON_LIMITS_DEFAULT_SMS": "8/1s",
            ], sink: sink)
        try deployment.apply(
            rules: """
                version: 1
                workspace: storm
                contacts:
                  c0: {phone: "+8613800000000"}
                  c1: {phone: "+8613800000001"}
                  c2: {phone: "+8613800000002"}
                rules:
                  - {name: own, events: [job.failed], notify: [{sms: [$owner], overflow: [digest]}]}

                """)
        return deployment
    }

    /// Publishes some failures, starts a worker and sees it die.
    private func killOne(
        _ deployment: Deployment, at point: String?, _ counts: inout Counts, _ random: inout SplitMix
    ) throws {
        let lines = (0..<Self.perRound).map { _ in
            counts.published += 1
            let event = SampleEvent(
                workspace: "storm", id: "e\(counts.published)", subject: "job-\(counts.published)",
                time: SystemClock().now(), data: "\"owner\":\"c\(Int.random(in: 0..<3, using: &random))\"")
            return String(decoding: event.encoded.bytes, as: UTF8.self) + "\n"
        }
        #expect(try deployment.told("publish", "-", input: Data(lines.joined().utf8)).isFine)
        let sink = deployment.sink
        let (before, settled) = (sink.now.requests, try deployment.delivered())
        let worker: Process
        if let point {
            let isOfMany = ["before_send", "on_wire", "after_answer"].contains(point)
            let isOfTwo = ["in_decision", "in_claim"].contains(point)
            // A digest's message for each of the three is there in any case.
            let times = Int.random(in: 1...(isOfMany ? 3 : isOfTwo ? 2 : 1), using: &random)
            worker = try deployment.start(["worker"], crashPoint: "\(point):\(times)")
            let id = worker.processIdentifier
            let isReached = sink.wait(seconds: 60) { $0.ended.contains(id) }
            #expect(isReached, "\(point) was not reached")
        } else {
            worker = try deployment.start(["worker"])
            let more = Int.random(in: 1...3, using: &random)
            #expect(sink.wait(requests: before + more, worker: worker.processIdentifier), "a worker ended by itself")
        }
        Foundation.kill(worker.processIdentifier, SIGKILL)
        worker.waitUntilExit()
        #expect(worker.terminationReason == .uncaughtSignal)
        sink.becomeQuiet()
        counts.kills += 1
        counts.unsettled += try (sink.now.requests - before) - (deployment.delivered() - settled)
        counts.open += try deployment.answers("SELECT id FROM digest WHERE due IS NOT NULL").isEmpty ? 0 : 1
        counts.leased += try deployment.answers(Self.leased).isEmpty ? 0 : 1
    }

    private static let leased = "SELECT d.id FROM delivery d JOIN notice n ON n.event = d.event WHERE d.state = 1"
    /// What is owed still: deliveries that are open, digests that are, and events nobody has read.
    private static let owed = """
        SELECT id FROM delivery WHERE state < 2 UNION ALL SELECT id FROM digest WHERE due IS NOT NULL LIMIT 1
        """

    private func finish(_ deployment: Deployment) throws {
        try deployment.expectSuccess(deployment.run("worker", "--until-idle"))
        let worker = try deployment.start(["worker"])
        let isDone = deployment.sink.wait(seconds: 60) { _ in (try? deployment.answers(Self.owed))?.isEmpty == true }
        #expect(isDone, "something is owed still")
        Foundation.kill(worker.processIdentifier, SIGTERM)
        worker.waitUntilExit()
        try deployment.expectSuccess(worker)
        try deployment.expectSuccess(deployment.run("verify"))
    }

    private func check(_ deployment: Deployment, _ counts: Counts, seed: UInt64) throws {
        let state = deployment.sink.now
        #expect(state.faults == [])
        var singles: Set<String> = []
        var sizes: [Int] = []
        for letter in state.letters.values {
            let text = String(decoding: letter.body, as: UTF8.self).removingPercentEncoding ?? ""
            if let digest = text.firstMatch(of: /own: ([0-9]+) events since/) {
                sizes.append(Int(digest.1) ?? 0)
            } else if let single = text.firstMatch(of: /job-[0-9]+/) {
                singles.insert(String(single.0))
            } else {
                Issue.record("a message of nothing: \(text)")
            }
        }
        let folded = try deployment.answers("SELECT CAST(size AS text) FROM digest").compactMap { Int($0) }
        #expect(sizes.sorted() == folded.filter { $0 > 1 }.sorted(), "one message a digest, with its count")
        // A digest of one is told as that one is.
        let alone = try deployment.answers(
            """
            SELECT e.subject FROM delivery d JOIN event e ON e.seq = d.event LEFT JOIN digest x ON x.id = d.digest
            WHERE e.subject LIKE 'job-%' AND (d.state = 2 AND d.digest IS NULL OR x.size = 1)
            """)
        #expect(Set(alone).count == alone.count && Set(alone).isSubset(of: singles))
        let many = folded.filter { $0 > 1 }.reduce(0, +)
        #expect(alone.count + many == counts.published, "\(alone.count) alone, \(many) in digests; seed \(seed)")
        let copies = try state.requests - deployment.delivered()
        #expect((0...counts.unsettled).contains(copies), "copies that no kill explains; seed \(seed)")
        #expect(counts.open >= 3 && counts.leased >= 2, "kills that met no digest: \(counts)")
        print(
            "    \(counts.kills) kills, \(counts.open) with digests open, \(counts.leased) with their messages leased; "
                + "\(counts.published) failures: \(alone.count) alone, \(many) in \(sizes.count) digests, "
                + "\(copies) copies of at most \(counts.unsettled) explained")
    }
}
