import CarillonEvents
import CarillonLedger
import CarillonLedgerSQLite
import CarillonPlatform
import CarillonRules
import CarillonStream
import CarillonStreamSQLite
import CarillonWorker
import Foundation
import Logging

/// Rule documents for a measurement: one workspace a file, without errors.
struct RuleFiles {
    private let documents: [(source: SourceText, rules: WorkspaceRules)]

    init(folder: String) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }
            .sorted()
        documents = try names.map { name in
            let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
            let loaded = RuleDocuments.load([(file: name, text: text)])
            if let problem = loaded.problems.first(where: { !$0.isWarning }) {
                throw Unreadable(words: problem.description)
            }
            guard let rules = loaded.workspaces.first, loaded.workspaces.count == 1 else {
                throw Unreadable(words: "\(name): one workspace a file, please")
            }
            return (SourceText(file: name, text: text), rules)
        }
    }

    /// All of them, compiled.
    var book: RuleBook { RuleBook(revision: 0, workspaces: documents.map(\.rules)) }

    /// A document that cannot be used.
    struct Unreadable: Error, CustomStringConvertible {
        let words: String
        var description: String { words }
    }

    /// Puts the rules into a ledger, with the same signing secret behind every name they use.
    func apply(to ledger: SQLiteLedger, secret: String, now: Timestamp) throws {
        for (_, rules) in documents {
            for name in Set(rules.endpoints.values.flatMap(\.secretNames)) {
                try ledger.setSecret(name, of: rules.workspace, to: Array(secret.utf8), now: now)
            }
        }
        let changes = documents.map { source, rules in
            RuleChange(
                workspace: rules.workspace, sources: [source],
                living: Dictionary(
                    rules.rules.filter(\.enabled).map { ($0.identity, Set($0.targets)) },
                    uniquingKeysWith: { $0.union($1) }))
        }
        _ = try ledger.apply(changes, base: try ledger.revision(), keepPending: true, now: now)
    }
}

/// A worker with everything real, driven turn by turn in this process until it has nothing to do.
struct Rehearsal {
    private let ledger: SQLiteLedger
    private let reader: any StreamReader
    private let path: Path

    /// - Parameter ledger: a file that is made when it is missing; memory when `nil`.
    init(stream: String, ledger file: String?, rules: String, concurrency: Int) throws {
        let reader = try SQLiteStream.open(at: stream).reader(group: "carillon-bench-\(WallClock.nanoseconds())")
        try self.init(reader: reader, ledger: file, rules: rules, concurrency: concurrency)
    }

    /// Over any stream; see the other one.
    ///
    /// - Parameter watch: notes when each delivery is offered to the courier and begun by it.
    init(
        reader: any StreamReader, ledger file: String?, rules: String, concurrency: Int, watch: QueueWatch? = nil
    ) throws {
        let clock = SystemClock()
        ledger = try file.map { try SQLiteLedger.create(at: $0) } ?? SQLiteLedger.inMemory()
        try RuleFiles(folder: rules).apply(
            to: ledger, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", now: clock.now())
        self.reader = reader
        let bell = reader.doorbell
        let courier = CurlCourier(
            configuration: CurlCourier.Configuration(
                concurrency: concurrency, perLane: max(1, concurrency / 2), exemptions: [try CIDR("127.0.0.0/8")]),
            clock: clock
        ) { bell.ring() }
        var configuration = Worker.Configuration()
        configuration.concurrency = concurrency
        if let watch {
            configuration.channels = ["webhook": { WatchedChannel(WebhookChannel().adapted(to: $0), watch) }]
        }
        var logger = Logger(label: "carillon-bench") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        path = try Path(
            ledger: ledger, reader: reader, courier: watch.map { WatchedCourier(courier, $0) } ?? courier, clock: clock,
            configuration: configuration,
            random: SystemRandomNumberGenerator(), logger: logger)
    }

    func runUntilIdle() throws {
        while true {
            try path.turn()
            if try path.isIdle() { break }
        }
    }

    /// Works until everything up to these ends is decided, and not a moment longer: a client that waits for more has its costs.
    func run(to ends: [StreamEnds]) throws {
        while true {
            try path.turn()
            let isThere = try ends.allSatisfy { ends in
                try ends.partitions.allSatisfy { partition, end in
                    try (ledger.position(ends.stream, partition) ?? end.low) >= end.next
                }
            }
            if isThere { return }
        }
    }

    /// Works for a time, whatever there is to do.
    func run(for time: Duration) throws {
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end { try path.turn() }
    }

    /// Ends the worker and returns what the ledger counted.
    func close() throws -> Conservation {
        try path.drain()
        return try ledger.verify(now: SystemClock().now())
    }
}
