import CarillonEvents
import CarillonKit
import CarillonPlatform
import CarillonPostgres
import Foundation
import KafkaCluster
import PostgresServer
import Testing

// P1 to P5 and P13 over Kafka and PostgreSQL: workers come, go, are killed, sleep and wake, brokers and the database fail, and
// the network is cut. The same seed breaks the same things in the same order.

@Suite("Churn: whatever comes and goes, nothing is lost and every copy has its reason", .serialized)
struct ChurnTests {
    private static var mayBeAbsent: Bool { ProcessInfo.processInfo.environment["CI"] != "true" }
    private static var hasPostgres: Bool { (try? PostgresServer.shared.get()) != nil || !mayBeAbsent }
    private static var isLong: Bool { ProcessInfo.processInfo.environment["CARILLON_CHURN"] == "full" }

    @Test(
        "6,000 events, each kind of trouble once", .enabled(if: hasPostgres && !isLong), .timeLimit(.minutes(5)),
        arguments: [seed()])
    func short(seed: UInt64) throws {
        try Churn(seed: seed, events: 6_000, blows: Blow.once, cutSeconds: 3).run()
    }

    @Test("a mock cluster that ends is named, and nothing of ours is blamed")
    func mockEnds() throws {
        let mock = try KafkaMock(brokers: 1)
        try mock.mustLive()
        let refusal = #expect(throws: KafkaMock.Refused.self) { try mock.tell("end") }
        #expect(refusal?.description.contains("librdkafka's mock cluster has ended with 0") == true)
    }

    /// `make churn` runs it.
    @Test(
        "100,000 events, blows without end", .enabled(if: hasPostgres && isLong), .timeLimit(.minutes(60)),
        arguments: [seed()])
    func full(seed: UInt64) throws {
        try Churn(seed: seed, events: 100_000, blows: Blow.often(seed: seed), cutSeconds: 20).run()
    }

    /// The same seed each time; `CARILLON_SEED` tries another.
    private static func seed() -> UInt64 {
        ProcessInfo.processInfo.environment["CARILLON_SEED"].flatMap { UInt64($0) } ?? 20_262
    }
}

/// What is done to the deployment.
enum Blow: Sendable, Equatable {
    /// One worker is killed and started again.
    case kill
    /// So many workers from now on.
    case resize(Int)
    /// The only worker is killed; how long until its partitions are read again?
    case killOwner
    /// A worker sleeps past its sessions, in the ledger and in Kafka, then wakes.
    case sleep
    /// A broker goes away and comes back.
    case broker(Int)
    /// Brokers answer some requests with errors.
    case brokerErrors
    /// PostgreSQL is stopped as by a power cut and started.
    case crashPostgres
    /// PostgreSQL ends all its connections.
    case endSessions
    /// The network of some workers is cut for a while; of all of them.
    case cut(networks: Int)

    static let once: [Blow] = [
        .kill, .resize(6), .broker(1), .kill, .endSessions, .cut(networks: 1), .resize(1), .killOwner, .crashPostgres,
        .resize(4), .sleep, .brokerErrors, .cut(networks: 2), .kill,
    ]

    /// Killed and restarted all the time, with everything else between.
    static func often(seed: UInt64) -> [Blow] {
        var random = SplitMix(seed: seed)
        let phases: [(workers: Int, others: [Blow])] = [
            (3, [.broker(1), .endSessions, .sleep]),
            (6, [.cut(networks: 1), .crashPostgres, .brokerErrors, .broker(2)]),
            (1, [.killOwner, .endSessions, .killOwner]),
            (4, [.cut(networks: 2), .sleep, .broker(3), .crashPostgres, .brokerErrors]),
        ]
        return phases.flatMap { phase in
            [.resize(phase.workers)] + (phase.others + Array(repeating: .kill, count: 10)).shuffled(using: &random)
        }
    }
}

/// One run.
final class Churn {
    /// How many events may be published and not received: less than the mock keeps of a partition, 5 MiB, all in one.
    private let window: Int
    private static let workspaces = (0..<24).map { "team-\($0)" }

    private let seed: UInt64
    private let blows: [Blow]
    private let cutSeconds: UInt32
    private let mock: KafkaMock
    private let topic: String
    private let server: PostgresServer
    private let deployment: Deployment
    private let wires: [CutWire]
    private let crew: Crew
    private let schema: String
    private var random: SplitMix
    /// How long after healing or after a restart the next event was decided.
    private var resumed: [(after: String, seconds: Double)] = []
    /// What was done when, to tell of a failure.
    private var history: [(at: Duration, what: Blow)] = []
    /// Moments at which waiting retries may have been pulled forward: a worker woke and found its receiver away.
    private var wakes: [ClosedRange<Duration>] = []

    init(seed: UInt64, events: Int, blows: [Blow], cutSeconds: UInt32) throws {
        (self.seed, self.blows, self.cutSeconds, random) = (seed, blows, cutSeconds, SplitMix(seed: seed))
        window = min(5_000, events / 10)
        mock = try KafkaMock(brokers: 3)
        topic = try mock.topic(6)
        // Of its own: others use the shared one at the same time.
        let server = try PostgresServer()
        let (servers, schema) = (mock.servers, try server.freshSchema())
        (self.server, self.schema) = (server, schema)
        wires = try [2, 3].map { try CutWire(number: $0, servers: servers, socket: server.socketPath) }
        let types: Set<String> = [
            "job.queued", "job.preparing", "job.running", "job.retried", "job.failed", "job.succeeded", "job.stopped",
            "job.preempted",
        ]
        deployment = try Deployment(
            seed: seed, events: events, ledgerURL: server.url(schema: schema),
            rules: Dictionary(uniqueKeysWithValues: Self.workspaces.map { ($0, types) }),
            settings: [
                "CARILLON_STREAM_KIND": "kafka", "CARILLON_STREAM_TOPICS": topic,
                "CARILLON_STREAM_PROPERTIES": #"{"bootstrap.servers":"\#(servers)"}"#,
                "CARILLON_DELIVERY_RETRY_SCHEDULE": "EXPONENTIAL_DECAY_RETRY", "CARILLON_DELIVERY_TIMEOUT": "2s",
                "CARILLON_WORKER_LEASE": "6s", "CARILLON_WORKER_CONCURRENCY": "32", "CARILLON_WORKER_BATCH": "500",
            ],
            sink: CountingSink(delayMilliseconds: 5, refusals: .init(oneIn: 10, seed: seed)))
        crew = Crew(deployment, wires: wires, schema: schema, ledger: server.url(schema: schema))
    }

    func run() throws {
        defer { server.stop() }
        for _ in 0..<3 { try crew.start() }
        let publisher = Publisher(
            deployment: deployment, settings: Crew.settings(of: wires[0], schema: schema), window: window)
        let publishing = OwnThread { try publisher.publish() }
        let required = deployment.required()
        for (index, blow) in blows.enumerated() {
            try wait(for: required.count * (index + 1) / (blows.count + 2), "before \(blow)")
            history.append((SystemClock().uptime(), blow))
            print("churn: \(index + 1) of \(blows.count): \(blow)")
            try strike(blow)
            try watchTheStream()
            try supervise()
        }
        try wait(for: required.count, "to the end")
        let runs = try publishing.join()
        try crew.endAll()
        try deployment.expectSuccess(deployment.run("worker", "--until-idle", "--set", "worker.group=last"))
        try deployment.expectSuccess(deployment.run("verify"))
        try check(required, publishers: runs)
    }

    /// Waits until so many have come; it is a failure when nothing comes for a minute.
    private func wait(for count: Int, _ words: String) throws {
        var reached = deployment.sink.state.change { $0.letters.count }
        while reached < count {
            try supervise()
            let before = reached
            let isReached = deployment.sink.wait(seconds: 60) { $0.letters.count > min(before + 200, count - 1) }
            reached = deployment.sink.state.change { $0.letters.count }
            guard isReached || reached > before else {
                try mock.mustLive()
                throw Deployment.Ended(
                    description:
                        "nothing came for a minute \(words), \(reached) of \(count):\n\(crew.lastWords)"
                )
            }
        }
    }

    private func supervise() throws {
        try mock.mustLive()
        try crew.supervise()
    }

    /// Nothing that was not decided yet has been removed.
    private func watchTheStream() throws {
        let (lost, positions) = (try crew.decided().lost, try crew.positions())
        #expect(lost == 0, "the mock dropped \(lost) records that nobody had read")
        #expect(positions.count <= 6)
    }
}

// MARK: - Blows

extension Churn {
    private func strike(_ blow: Blow) throws {
        switch blow {
        case .kill:
            try crew.killAny(&random)
            try crew.start()
        case .resize(let count): try crew.resize(to: count, &random)
        case .killOwner:
            try crew.kill(at: 0)
            try crew.start()
            try awaitDecision(after: "the only worker was killed")
        case .sleep: try sleepAndWake()
        case .broker(let broker):
            try mock.tell("down \(broker)")
            _ = deployment.sink.wait(seconds: 3) { _ in false }
            try mock.tell("up \(broker)")
            try awaitDecision(after: "broker \(broker) came back")
        case .brokerErrors:
            // Fetch, offsets, coordinator: not leader, request timed out, coordinator away. Not the heartbeat: members that
            // look for their coordinator anew while they join make the mock fail an assertion of its own.
            for (api, code) in [(1, 6), (2, 7), (10, 15)] { try mock.tell("errors \(api) \(code) 4") }
        case .crashPostgres: try crashPostgres()
        case .endSessions:
            try crew.explaining { try endSessions() }
            try awaitDecision(after: "PostgreSQL ended all sessions")
        case .cut(let networks): try cut(networks)
        }
    }

    private func endSessions() throws {
        try Connection(server.url(schema: schema)).run(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'carillon' AND pid <> pg_backend_pid()"
        )
    }

    /// What was claimed or settled lazily just before is lost with the server.
    ///
    /// A worker has such a claim still and sends it, and so does the one that claims it anew.
    private func crashPostgres() throws {
        try crew.explaining(losing: true) { try server.crash() }
        try awaitDecision(after: "PostgreSQL was started again")
    }

    /// A pause that outlives every session: others have taken over when it wakes.
    private func sleepAndWake() throws {
        let sleeper = crew.workers[0]
        let began = SystemClock().uptime()
        try crew.explaining()
        crew.signal(sleeper, SIGSTOP)
        try crew.explaining()
        // Sessions of 6 s in the ledger and of 3 s in Kafka.
        _ = deployment.sink.wait(seconds: 8) { _ in false }
        crew.signal(sleeper, SIGCONT)
        try awaitDecision(after: "a sleeper woke")
        wakes.append(began...SystemClock().uptime() + .seconds(5))
    }

    private func cut(_ networks: Int) throws {
        let began = SystemClock().uptime()
        try crew.explaining { wires.prefix(networks).forEach { $0.cut() } }
        _ = deployment.sink.wait(seconds: Int64(cutSeconds)) { _ in false }
        try crew.explaining { wires.forEach { $0.heal() } }
        try awaitDecision(after: "the network of \(networks == wires.count ? "all" : "half") healed")
        wakes.append(began...SystemClock().uptime() + .seconds(5))
    }

    /// How long until the next batch is decided; without unread events there is nothing to wait for.
    private func awaitDecision(after words: String) throws {
        let (before, began) = (try crew.decided().events, SystemClock().uptime())
        guard before < deployment.required().count else { return }
        var now = before
        while now == before, SystemClock().uptime() - began < .seconds(60) {
            _ = deployment.sink.wait(seconds: 0) { _ in false }
            now = try crew.decided().events
        }
        let seconds = Double((SystemClock().uptime() - began).milliseconds) / 1000
        resumed.append((words, seconds))
        try mock.mustLive()
        #expect(now > before, "nothing was decided for a minute after \(words)")
    }
}

// MARK: - Publishing

/// Publishes all events in pieces, through a network that may be cut, no faster than they arrive.
private struct Publisher: Sendable {
    let deployment: Deployment
    let settings: [String: String]
    let window: Int

    /// - Returns: how many publishers ran.
    func publish() throws -> Int {
        let piece = window / 2
        let required = deployment.required().values.sorted()
        var runs = 0
        for start in stride(from: 0, to: deployment.events.count, by: piece) {
            let earlier = required.partitioningIndex { $0 >= start - window }
            while !deployment.sink.wait(seconds: 60, for: { $0.letters.count >= earlier }) {}
            let end = min(start + piece, deployment.events.count)
            let input = Pipe()
            let publisher = try deployment.start(["publish", "-"], input: input, settings: settings)
            try input.fileHandleForWriting.write(contentsOf: deployment.lines(start..<end))
            try input.fileHandleForWriting.close()
            publisher.waitUntilExit()
            try deployment.expectSuccess(publisher)
            runs += 1
        }
        return runs
    }
}

extension [Int] {
    /// The first place in this sorted list of which a condition holds.
    fileprivate func partitioningIndex(where condition: (Int) -> Bool) -> Int { firstIndex(where: condition) ?? count }
}

// MARK: - The end

extension Churn {
    private func check(_ required: [String: Int], publishers: Int) throws {
        let state = deployment.sink.now
        let copies = state.letters.values.reduce(0) { $0 + $1.copies }
        let excess = state.letters.filter { id, letter in
            letter.copies > crew.explained[id, default: 0] + letter.lost
        }
        let spacing = spacing(state)
        print(
            """
            churn: seed \(seed): \(deployment.events.count) events by \(publishers) publishers, \(required.count) deliveries \
            required, \(state.letters.count) arrived in \(state.requests) requests; \(copies) copies, \(excess.count) without a \
            reason, at most \(crew.explained.values.reduce(0, +)) explained; \(crew.kills) workers killed; \
            \(spacing.seen) spacings of attempts looked at, \(spacing.tooSoon) too short
            """)
        for (words, seconds) in resumed { print("churn: \(seconds) s until the next decision after \(words)") }
        #expect(state.faults == [])
        #expect(Set(state.letters.keys) == Set(required.keys))
        let isEachTaken = state.letters.values.allSatisfy(\.isTaken)
        #expect(isEachTaken)
        #expect(try deployment.delivered() == required.count)
        let stories = excess.map { id, letter in
            "\(id) at \(letter.visits.map { "\($0.at)\($0.isTaken ? "" : " refused")" }), lost \(letter.lost), "
                + "explained \(crew.explained[id, default: 0])"
        }.joined(separator: "\n")
        let told = history.map { "\($0.at) \($0.what)" }.joined(separator: "\n")
        #expect(stories.isEmpty, "copies that nothing explains; what was done:\n\(told)")
        #expect(spacing.tooSoon == 0 && spacing.seen >= 10)
        let isPrompt = resumed.allSatisfy { $0.seconds < 30 }
        #expect(isPrompt)
        #expect(try crew.decided().lost == 0)
        let disorder = deployment.disorder(in: state, required)
        #expect(disorder == 0)
    }

    /// How many refused tries came again before the schedule allows: after 1, 2, 4 … seconds.
    ///
    /// Looked at are the last events of their subjects, as a later one pulls a waiting retry forward, and those of which no
    /// attempt went unrecorded.
    private func spacing(_ state: CountingSink.State) -> (seen: Int, tooSoon: Int) {
        var last: [String: Int] = [:]
        for (place, event) in deployment.events.enumerated() { last[event.workspace + "/" + event.subject] = place }
        let required = deployment.required()
        var (seen, tooSoon) = (0, 0)
        for (id, letter) in state.letters where crew.explained[id] == nil && letter.lost == 0 {
            guard let place = required[id], let end = letter.visits.last else { continue }
            let event = deployment.events[place]
            guard last[event.workspace + "/" + event.subject] == place,
                !wakes.contains(where: { $0.overlaps(letter.visits[0].at...end.at) })
            else { continue }
            for (index, pair) in zip(letter.visits, letter.visits.dropFirst()).enumerated() where !pair.0.isTaken {
                seen += 1
                // The clock that plans is the wall's, in milliseconds.
                if pair.1.at - pair.0.at < .seconds(1 << index) - .milliseconds(10) { tooSoon += 1 }
            }
        }
        return (seen, tooSoon)
    }
}

extension Deployment {
    /// How many first arrivals came before an earlier one of their subject (P13).
    func disorder(in state: CountingSink.State, _ required: [String: Int]) -> Int {
        var newest: [String: Int] = [:]
        var disorder = 0
        for (id, _) in state.letters.sorted(by: { $0.value.place < $1.value.place }) {
            guard let place = required[id] else { continue }
            let event = events[place]
            let pair = event.workspace + "/" + event.subject
            if let before = newest[pair], before > place { disorder += 1 }
            newest[pair] = max(newest[pair] ?? 0, place)
        }
        return disorder
    }
}
