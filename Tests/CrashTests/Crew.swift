import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonPlatform
import CarillonPostgres
import Foundation
import Testing

// Workers of one deployment that come and go, and the account of what their ends explain. P4 allows a copy where the yes did
// not reach the ledger. So whenever something is about to break, all workers are stopped (SIGSTOP) and two things are
// written down: what had come to the receiver, and what the ledger held as open. What is in both may come once more.

/// The workers.
final class Crew {
    let deployment: Deployment
    private let wires: [CutWire]
    private let schema: String
    private let ledger: String
    private(set) var workers: [Process] = []
    private var started = 0
    /// What each worker says goes to a file of its own.
    private var words: [ObjectIdentifier: String] = [:]
    /// By webhook id, how many copies are explained.
    private(set) var explained: [String: Int] = [:]
    private(set) var kills = 0

    /// - Parameters:
    ///   - wires: the networks; each next worker uses the next one.
    ///   - ledger: the ledger's URL for this test itself, past all networks.
    init(_ deployment: Deployment, wires: [CutWire], schema: String, ledger: String) {
        (self.deployment, self.wires, self.schema, self.ledger) = (deployment, wires, schema, ledger)
    }

    deinit {
        for worker in workers where worker.isRunning { Foundation.kill(worker.processIdentifier, SIGKILL) }
    }

    /// The variables of a process on a network.
    static func settings(of wire: CutWire, schema: String) -> [String: String] {
        [
            "CARILLON_LEDGER_URL":
                "postgresql://postgres@\(wire.address):\(wire.postgresPort)/postgres"
                + "?sslmode=disable&gssencmode=disable&options=-csearch_path%3D\(schema)",
            "CARILLON_STREAM_PROPERTIES":
                #"{"bootstrap.servers":"\#(wire.servers)","session.timeout.ms":"3000","heartbeat.interval.ms":"500"}"#,
        ]
    }

    // Coming and going

    func start() throws {
        let wire = wires[started % wires.count]
        started += 1
        let file = "worker-\(started).log"
        let worker = try deployment.start(
            ["worker"], settings: Self.settings(of: wire, schema: schema), words: file)
        words[ObjectIdentifier(worker)] = file
        workers.append(worker)
    }

    /// Starts those again that found no store when they started, as whatever supervises them would.
    ///
    /// One that was at work does not end by itself.
    func supervise() throws {
        for worker in workers where !worker.isRunning {
            workers.removeAll { $0 === worker }
            let said = said(worker)
            #expect(!said.contains("worker is ready"), "\(Self.end(of: worker)) by itself:\n\(said.suffix(2000))")
            try start()
        }
    }

    private static func end(of worker: Process) -> String {
        let way = worker.terminationReason == .exit ? "with" : "by signal"
        // A fault in a thread of ours is told by Swift's runtime, with all threads; librdkafka's have every signal blocked, and a
        // fault there ends the process without a word (decision 0069).
        let hint = worker.terminationStatus == SIGSEGV ? " (without words above: in a thread of librdkafka)" : ""
        return "worker \(worker.processIdentifier) ended \(way) \(worker.terminationStatus)\(hint)"
    }

    private func said(_ worker: Process) -> String {
        String(decoding: deployment.words(in: words[ObjectIdentifier(worker)] ?? ""), as: UTF8.self)
    }

    /// The last words of all.
    var lastWords: String {
        workers.map { "\($0.processIdentifier):\n\(said($0).suffix(1500))" }.joined(separator: "\n")
    }

    /// Makes it so many: new ones start; of those too many every second is killed, the others drain.
    func resize(to count: Int, _ random: inout SplitMix) throws {
        while workers.count < count { try start() }
        while workers.count > count {
            if workers.count.isMultiple(of: 2) {
                try kill(at: Int.random(in: 0..<workers.count, using: &random))
            } else {
                try end(workers.remove(at: Int.random(in: 0..<workers.count, using: &random)))
            }
        }
    }

    /// Kills one, as a machine dies.
    func kill(at index: Int) throws {
        try supervise()
        let victim = workers.remove(at: index)
        try explaining(living: false) {
            Foundation.kill(victim.processIdentifier, SIGKILL)
            victim.waitUntilExit()
        }
        kills += 1
    }

    func killAny(_ random: inout SplitMix) throws { try kill(at: Int.random(in: 0..<workers.count, using: &random)) }

    /// Has one drain and end.
    func end(_ worker: Process) throws {
        Foundation.kill(worker.processIdentifier, SIGTERM)
        worker.waitUntilExit()
        let isFine = worker.terminationReason == .exit && worker.terminationStatus == 0
        #expect(isFine || !said(worker).contains("worker is ready"), "\(said(worker).suffix(2000))")
    }

    func endAll() throws {
        try supervise()
        for worker in workers { Foundation.kill(worker.processIdentifier, SIGTERM) }
        for worker in workers { try end(worker) }
        workers = []
    }

    // The account

    /// Does something that may leave sent what the ledger does not know, and notes what that is.
    ///
    /// - Parameters:
    ///   - living: whether workers live on that others may believe dead: then what is leased to them may be sent by
    ///     both, too.
    ///   - losing: whether the ledger may forget what it was told last: then what it knows before counts as well.
    func explaining(living: Bool = true, losing: Bool = false, _ body: () throws -> Void = {}) throws {
        signalAll(SIGSTOP)
        defer { signalAll(SIGCONT) }
        for worker in workers { waitUntilStopped(worker.processIdentifier) }
        var excused = losing ? try excused(living: living) : []
        try body()
        // What stopped workers had written is read to its end, as they write nothing more.
        let isRead = deployment.sink.wait(seconds: 60) { [port = deployment.sink.port] in
            $0.open == 0 && Self.unreadBytes(at: port) == 0
        }
        #expect(isRead, "the receiver did not read what had been sent")
        excused.formUnion(try self.excused(living: living))
        for id in excused { explained[id, default: 0] += 1 }
    }

    /// The ids of what may come once more.
    private func excused(living: Bool) throws -> Set<String> {
        let arrived = deployment.sink.state.change { Set($0.letters.keys) }
        return Set(try open().filter { arrived.contains($0.id) || living && $0.isLeased }.map(\.id))
    }

    /// The ids of what the ledger holds as neither sent nor given up, and whether a worker has it.
    private func open() throws -> [(id: String, isLeased: Bool)] {
        let rows = try Connection(ledger).run("SELECT key::text, state = 1 FROM delivery WHERE state < 2")
        return rows.indices.map { (rows.text($0, 0).filter { $0 != "-" }, rows.int($0, 1) != 0) }
    }

    func signalAll(_ signal: Int32) { for worker in workers { Foundation.kill(worker.processIdentifier, signal) } }

    func signal(_ worker: Process, _ signal: Int32) { Foundation.kill(worker.processIdentifier, signal) }

    private func waitUntilStopped(_ worker: Int32) {
        while let text = try? String(contentsOfFile: "/proc/\(worker)/stat", encoding: .utf8),
            let state = text.split(separator: ")").last?.split(separator: " ").first, state != "T", state != "Z"
        { sched_yield() }
    }

    /// What has reached the receiver's sockets and was not read.
    private static func unreadBytes(at port: UInt16) -> Int {
        let suffix = ":" + String(port, radix: 16, uppercase: true)
        let table = (try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)) ?? ""
        return table.split(separator: "\n").dropFirst().reduce(0) { sum, line in
            let fields = line.split(separator: " ")
            guard fields.count > 4, fields[1].hasSuffix(suffix), fields[3] != "0A",
                let queue = fields[4].split(separator: ":").last.flatMap({ Int($0, radix: 16) })
            else { return sum }
            return sum + queue
        }
    }

    // What the ledger says

    /// How many events are decided, and how many records were lost before they were read.
    func decided() throws -> (events: Int, lost: Int) {
        let rows = try Connection(ledger).run(
            "SELECT coalesce(sum(matched), 0)::int8, coalesce(sum(gap), 0)::int8 FROM batch")
        return (Int(rows.int(0, 0)), Int(rows.int(0, 1)))
    }

    /// Where each partition is decided up to.
    func positions() throws -> [Int32: Int64] {
        let rows = try Connection(ledger).run("SELECT partition, next FROM position")
        return Dictionary(uniqueKeysWithValues: rows.indices.map { (Int32(rows.int($0, 0)), rows.int($0, 1)) })
    }
}
