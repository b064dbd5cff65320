import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonPlatform
import CarillonPostgres
import CarillonSQLite
import Foundation

/// A deployment of the real binary in a folder of its own: one sink, one stream, one ledger, workers and publishers that die.
final class Deployment: Sendable {
    let sink: CountingSink
    let events: [SampleEvent]
    private let folder: TemporaryDirectory

    /// The rules, by workspace, as the event types they select.
    static let rules: [String: Set<String>] = [
        "vision": ["job.queued", "job.preparing", "job.running", "job.retried", "job.failed", "job.succeeded"],
        "speech": ["job.running", "job.failed", "job.succeeded", "job.stopped", "job.preempted", "job.retried"],
        "ranking": ["job.failed", "job.running", "job.queued", "job.succeeded"],
    ]

    /// Those of this one.
    let rules: [String: Set<String>]
    /// What they say beside that.
    private let ruleKeys: String
    /// The ledger's URL when it is PostgreSQL's.
    private let ledgerURL: String?
    /// What the binary's environment says beside that.
    private let settings: [String: String]

    /// - Parameters:
    ///   - rules: with more workspaces than `rules` has, the story is about those.
    ///   - ruleKeys: what each says beside its events and targets, with a comma behind it.
    ///   - settings: variables of the environment.
    init(
        seed: UInt64, events count: Int, ledgerURL: String? = nil, rules: [String: Set<String>] = Deployment.rules,
        ruleKeys: String = "", settings: [String: String] = [:], sink: CountingSink? = nil
    ) throws {
        (self.ledgerURL, self.rules, self.ruleKeys, self.settings) = (ledgerURL, rules, ruleKeys, settings)
        folder = try TemporaryDirectory("crash")
        self.sink = try sink ?? CountingSink(delayMilliseconds: 20)
        let began = SystemClock().now() - .seconds(900)
        var story =
            rules == Self.rules
            ? SampleEvents(seed: seed, concurrentJobs: 40, from: began)
            : SampleEvents(seed: seed, workspaces: rules.keys.sorted(), concurrentJobs: 40, from: began)
        events = story.take(count)
        try makeDeployment()
    }

    private func makeDeployment() throws {
        // As a group of its own: it may end before it has partitions, which the mock cluster's group does not get over.
        let maker = try start(["worker", "--until-idle"], settings: ["CARILLON_WORKER_GROUP": "maker"])
        maker.waitUntilExit()
        try expectSuccess(maker)
        try applyRules()
    }

    /// An empty ledger with the rules, and nothing of the stream decided.
    func makeLedger() throws {
        try expectSuccess(run("worker", "--prepare"))
        try applyRules()
    }

    private func applyRules() throws {
        for (workspace, types) in rules {
            let document = """
                version: 1
                workspace: \(workspace)
                endpoints:
                  hook: {kind: webhook, url: "http://127.0.0.1:\(sink.port)/\(workspace)"}
                rules:
                  - {name: all, events: [\(types.sorted().joined(separator: ", "))], \(ruleKeys)notify: [hook]}

                """
            let path = folder.file("\(workspace).yaml")
            try Data(document.utf8).write(to: URL(filePath: path))
            try expectSuccess(run("rules", "apply", path))
        }
    }

    /// The webhook ids that have to arrive, with the event of each.
    func required() -> [String: Int] {
        var required: [String: Int] = [:]
        for (place, event) in events.enumerated() where rules[event.workspace]?.contains(event.type) == true {
            let key = Key.event(
                workspace: Array(event.workspace.utf8).span, source: Array(event.source.utf8).span,
                id: Array(event.id.utf8).span)
            required[Key.delivery(event: key, rule: "all", target: "hook").description] = place
        }
        return required
    }

    /// How many deliveries the ledger knows as delivered; none before the first worker has made it.
    func delivered() throws -> Int {
        if let ledgerURL {
            return Int(try Connection(ledgerURL).run("SELECT count(*) FROM delivery WHERE state = 2").int(0, 0))
        }
        guard FileManager.default.fileExists(atPath: folder.file("home/ledger.db-sessions")) else { return 0 }
        let database = try Database(path: folder.file("home/ledger.db"), access: .readWrite)
        return Int(try database.int("SELECT count(*) FROM delivery WHERE state = 2") ?? 0)
    }

    /// What a question to the ledger answers, its first column as text.
    func answers(_ sql: String) throws -> [String] {
        if let ledgerURL {
            let rows = try Connection(ledgerURL).run(sql)
            return rows.indices.map { rows.text($0, 0) }
        }
        let query = try Database(path: folder.file("home/ledger.db"), access: .readWrite).prepare(sql)
        var found: [String] = []
        while try query.step() { found.append(query.text(0)) }
        return found
    }

    func apply(rules document: String) throws {
        let path = folder.file("more.yaml")
        try Data(document.utf8).write(to: URL(filePath: path))
        try expectSuccess(run("rules", "apply", path))
    }

    /// The ledger's files are gone; a worker makes an empty one, and the rules are applied anew.
    func loseLedger() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.file("home"))
        where name.hasPrefix("ledger.db") {
            try FileManager.default.removeItem(atPath: folder.file("home/\(name)"))
        }
    }

    /// How many events the ledger has.
    func decided() throws -> Int {
        let database = try Database(path: folder.file("home/ledger.db"), access: .readWrite)
        return Int(try database.int("SELECT max(seq) FROM event") ?? 0)
    }

    /// How many records stand in the stream.
    func published() throws -> Int {
        let database = try Database(path: folder.file("home/stream.db"), access: .readWrite)
        return Int(try database.int("SELECT total(next) FROM partition") ?? 0)
    }

    /// Events as lines of input.
    func lines(_ range: Range<Int>) -> Data {
        var data = Data()
        for event in events[range] {
            data.append(contentsOf: event.encoded.bytes)
            data.append(UInt8(ascii: "\n"))
        }
        return data
    }

    // Processes

    struct Ended: Error, CustomStringConvertible {
        let description: String
    }

    /// Beside the test's own executable, where the package's build has put it.
    private static var binary: URL {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(filePath: tests).deletingLastPathComponent().appending(path: "carillon")
    }

    /// Starts the binary; its words go to a file that failures quote.
    ///
    /// - Parameters:
    ///   - settings: variables of this process alone, over those of the deployment.
    ///   - file: where its words go.
    func start(
        _ arguments: [String], crashPoint: String? = nil, input: Any? = nil, settings own: [String: String] = [:],
        words file: String = "words.log"
    ) throws -> Process {
        let process = Process()
        process.executableURL = Self.binary
        process.arguments = arguments
        process.environment = [
            "CARILLON_HOME": folder.file("home"), "CARILLON_DELIVERY_SSRF_EXEMPT": "127.0.0.0/8",
            "PATH": "/usr/bin:/bin",
        ].merging(crashPoint.map { ["CARILLON_CRASH_POINT": $0] } ?? [:]) { $1 }
            .merging(
                ledgerURL.map {
                    [
                        "CARILLON_LEDGER_KIND": "postgres", "CARILLON_LEDGER_URL": $0,
                        "CARILLON_SECRETS_KEY": Data(repeating: 7, count: 32).base64EncodedString(),
                    ]
                } ?? [:]
            ) { $1 }
            .merging(settings) { $1 }.merging(own) { $1 }
        process.standardInput = input ?? FileHandle.nullDevice
        let path = folder.file(file)
        // Several write at a time, each at the end.
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw PlatformError(errno, doing: "open \(path)") }
        let words = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        process.standardOutput = words
        process.standardError = words
        let sink = sink
        process.terminationHandler = { ended in sink.state.change { _ = $0.ended.insert(ended.processIdentifier) } }
        try process.run()
        return process
    }

    func run(_ arguments: String...) throws -> Process {
        let process = try start(arguments)
        process.waitUntilExit()
        return process
    }

    /// Everything the binary has said.
    func words(in file: String = "words.log") -> Data {
        FileManager.default.contents(atPath: folder.file(file)) ?? Data()
    }

    func expectSuccess(_ process: Process) throws {
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let words = (try? String(contentsOfFile: folder.file("words.log"), encoding: .utf8)) ?? ""
            throw Ended(
                description:
                    "\(process.arguments ?? []) ended with \(process.terminationStatus):\n\(words.suffix(2000))")
        }
    }
}
