import CarillonEvents
import CarillonKit
import CarillonSQLite
import CarillonStream
import CarillonStreamKafka
import CarillonStreamSQLite
import KafkaCluster
import Testing

/// The streams the contract is held against.
enum Backend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, sqlite
    /// librdkafka's own cluster, in another process. It has no way to remove records and keeps 5 MiB a partition.
    case kafkaMock = "kafka (mock)"
    /// A broker of its own, where it is installed.
    case kafkaBroker = "kafka (noida-db)"

    /// Those that can run here; the suite of brokers says by name which is absent.
    static var available: [Backend] { allCases.filter { $0 != .kafkaBroker || KafkaBroker.isThere } }
    /// Those whose `poll` waits.
    static var waiting: [Backend] { available.filter { $0 != .memory } }
    /// Those that are read beside their groups.
    static var scanned: [Backend] { available.filter { $0 != .memory } }
    /// What a promise of the contract needs of a backend to be tried on it.
    enum Ability: String {
        /// Records can be removed by the test.
        case removal = "the test cannot remove its records"
        /// The wall clock of a test stamps records.
        case appenderTimes = "its times are the broker's"
        /// Values and keys of any bytes are carried.
        case anyBytes = "it carries events, not any bytes"
        /// What a poll finds is not the business of threads that fetch.
        case ownSupply = "how much a poll finds is up to what was fetched so far"
    }

    private var abilities: Set<Ability> {
        switch self {
        case .memory, .sqlite: [.removal, .appenderTimes, .anyBytes, .ownSupply]
        case .kafkaMock: [.appenderTimes]
        case .kafkaBroker: []
        }
    }

    /// Ends a test that this backend cannot be put to; the output then says so by name.
    func needs(_ ability: Ability) throws {
        guard abilities.contains(ability) else { try Test.cancel("not on \(rawValue): \(ability.rawValue)") }
    }

    var testDescription: String { rawValue }

    /// A fresh, empty stream.
    func make(partitions: Partition = 4) throws -> Bed {
        let clock = WallByHand()
        switch self {
        case .memory: return Bed(MemoryBed(stream: MemoryStream(partitions: partitions, clock: clock)), clock)
        case .sqlite:
            let folder = try TemporaryDirectory("stream")
            let stream = try SQLiteStream.create(at: folder.file("stream.db"), partitions: partitions, clock: clock)
            return Bed(SQLiteBed(folder: folder, stream: stream, clock: clock), clock)
        case .kafkaMock: return Bed(try KafkaMock.shared.get().bed(partitions, clock), clock)
        case .kafkaBroker: return Bed(try KafkaBroker.shared.get().bed(partitions, clock), clock)
        }
    }
}

/// A wall clock that tests move, over the machine's own uptime, because a backend's waits are real.
final class WallByHand: Clock {
    private let wall = ManualClock()
    private let start = ContinuousClock.now
    func now() -> Timestamp { wall.now() }
    func uptime() -> Duration { ContinuousClock.now - start }
    func set(now: Timestamp) { wall.set(now: now) }
    func step(_ by: Duration) { wall.set(now: wall.now() + by) }
}

/// What the suite does with any stream, beyond its contract.
protocol StreamBed: Sendable {
    func appender() throws -> any StreamAppender
    func reader(group: String) throws -> any StreamReader
    func ends() throws -> [Partition: Offset]
    /// Reads beside the groups, where that is built: not of what only tests use.
    func scanner() throws -> (any StreamScanner)?
    /// Removes records by force, read or not.
    func lose(_ partition: Partition, before offset: Offset) throws
    /// Removes what may be removed.
    func retain(before moment: Timestamp) throws
}

/// A stream under test with the clock it runs on.
struct Bed: Sendable {
    let stream: any StreamBed
    let clock: WallByHand
    init(_ stream: any StreamBed, _ clock: WallByHand) { (self.stream, self.clock) = (stream, clock) }
}

struct MemoryBed: StreamBed {
    let stream: MemoryStream
    func appender() throws -> any StreamAppender { stream.appender() }
    func reader(group: String) throws -> any StreamReader { stream.reader(group: group) }
    func ends() throws -> [Partition: Offset] { stream.ends() }
    func scanner() throws -> (any StreamScanner)? { nil }
    func lose(_ partition: Partition, before offset: Offset) throws { stream.lose(partition, before: offset) }
    func retain(before moment: Timestamp) throws { stream.retain(before: moment) }
}

struct SQLiteBed: StreamBed {
    let folder: TemporaryDirectory
    let stream: SQLiteStream
    let clock: WallByHand
    var path: String { stream.path }

    // Each call opens the file again, as another process would.
    func appender() throws -> any StreamAppender { try SQLiteStream.open(at: path, clock: clock).appender() }
    func reader(group: String) throws -> any StreamReader {
        try SQLiteStream.open(at: path, clock: clock).reader(group: group)
    }
    func ends() throws -> [Partition: Offset] { try stream.ends().partitions.mapValues(\.next) }
    func scanner() throws -> (any StreamScanner)? { try SQLiteStream.open(at: path, clock: clock).scanner() }
    func lose(_ partition: Partition, before offset: Offset) throws {
        let database = try Database(path: path, access: .readWrite)
        try database.write { () throws(SQLiteFailure) in
            try database.execute("DELETE FROM record_\(partition) WHERE offset < \(offset)")
        }
    }
    func retain(before moment: Timestamp) throws { while try stream.retain(before: moment) > 0 {} }
}
