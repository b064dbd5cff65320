import CarillonEvents
import CarillonKit
import CarillonStream
import CarillonStreamKafka
import Foundation
import Synchronization
import Testing

/// librdkafka's mock cluster, in a process of its own; see `Tests/Tools/KafkaMock`.
final class KafkaMock: @unchecked Sendable {
    // All talk to the process stands between lock and unlock.
    private let lock = NSLock()
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var rest = Data()
    private var topics = 0
    let servers: String

    /// One cluster of three brokers for the whole run; what it is told to break, it breaks for one topic or group only.
    static let shared = Result { try KafkaMock(brokers: 3) }

    init(brokers: Int) throws {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process.executableURL = URL(filePath: tests).deletingLastPathComponent().appending(path: "kafka-mock")
        process.arguments = ["\(brokers)"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw CocoaError(.fileReadUnknown) }
            line += more
        }
        servers = String(String(decoding: line, as: UTF8.self).dropFirst("listening ".count).dropLast())
    }

    deinit { process.terminate() }

    /// Has it do something; see the tool.
    func tell(_ line: String) throws {
        lock.lock()
        defer { lock.unlock() }
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
        var answer = Data()
        while answer.last != UInt8(ascii: "\n") { answer += output.fileHandleForReading.availableData }
        #expect(String(decoding: answer, as: UTF8.self) == "ok\n")
    }

    /// A topic of its own.
    func topic(_ partitions: Partition) throws -> String {
        let name = lock.withLock {
            topics += 1
            return "topic-\(topics)"
        }
        try tell("topic \(name) \(partitions) 1")
        return name
    }

    func bed(_ partitions: Partition, _ clock: WallByHand) throws -> KafkaBed {
        KafkaBed(
            configuration: KafkaStream.Configuration(
                topics: [try topic(partitions)], properties: ["bootstrap.servers": servers]), clock: clock)
    }
}

/// The `noida-db` broker, where it is installed.
enum KafkaBroker {
    static let program = ProcessInfo.processInfo.environment["CARILLON_TEST_NOIDA"] ?? ".build/kafka/bin/noida-db"
    static let isThere = FileManager.default.isExecutableFile(atPath: program)
    static let shared = Result { try RunningBroker(program: program) }
}

/// A broker in a process and a folder of its own.
final class RunningBroker: @unchecked Sendable {
    // Written once, before it is shared.
    private let process = Process()
    private let input = Pipe()
    private let folder: TemporaryDirectory
    private let topics = Mutex(0)
    let servers: String

    init(program: String) throws {
        folder = try TemporaryDirectory("kafka")
        let port = try Self.freePort()
        servers = "127.0.0.1:\(port)"
        // The shell ends the broker with all it started when this process is gone, however it went.
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = [
            "-c", #"setsid "$@" </dev/null & cat; kill -9 -$!; rm -rf "$8""#, "sh", program, "start", "--only", "kafka",
            "--kafka-port", "\(port)", "--data-dir", folder.path,
        ]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit { process.terminate() }

    func bed(_ partitions: Partition, _ clock: WallByHand) throws -> KafkaBed {
        let number = topics.withLock { count in
            count += 1
            return count
        }
        let configuration = KafkaStream.Configuration(
            topics: ["topic-\(number)"], properties: ["bootstrap.servers": servers], partitions: partitions)
        // The first question waits until the broker is up.
        _ = try KafkaStream.create(configuration)
        return KafkaBed(configuration: configuration, clock: clock)
    }

    private static func freePort() throws -> UInt16 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                unsafe bind(socket, raw, size) == 0 ? getsockname(socket, raw, &size) : -1
            }
        }
        guard code == 0 else { throw CocoaError(.fileReadUnknown) }
        return UInt16(bigEndian: address.sin_port)
    }
}

struct KafkaBed: StreamBed {
    let configuration: KafkaStream.Configuration
    let clock: WallByHand

    // Each call is another client, as of another process.
    func appender() throws -> any StreamAppender { try KafkaStream.open(configuration, clock: clock).appender() }
    func reader(group: String) throws -> any StreamReader {
        try KafkaStream.open(configuration, clock: clock).reader(group: "\(configuration.topics[0])/\(group)")
    }
    func ends() throws -> [Partition: Offset] {
        try KafkaStream.open(configuration, clock: clock).ends().first?.partitions.mapValues(\.next) ?? [:]
    }
    func scanner() throws -> (any StreamScanner)? { try KafkaStream.open(configuration, clock: clock).scanner() }
    func lose(_ partition: Partition, before offset: Offset) throws {
        Issue.record("neither the mock nor librdkafka 2.0 can be asked to remove records of one test")
    }
    func retain(before moment: Timestamp) throws { Issue.record("retention is the cluster's") }
}

extension Backend {
    /// What comes back of an event: Kafka says the content type that its absence means.
    func carried(_ bytes: [UInt8]) -> [UInt8] {
        guard self == .kafkaMock || self == .kafkaBroker,
            let event = try? CloudEvents.prepare(bytes.span, now: Timestamp(milliseconds: 0)),
            let parts = try? CloudEvents.binaryHeaders(of: event, http: false),
            let carried = try? CloudEvents.prepare(
                headers: parts.headers, data: parts.data, http: false, now: Timestamp(milliseconds: 0))
        else { return bytes }
        return carried.bytes
    }
}
