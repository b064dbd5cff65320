import Foundation

/// librdkafka's mock cluster, in a process of its own; see `Tests/Tools/KafkaMock`.
public final class KafkaMock: @unchecked Sendable {
    // All talk to the process stands between lock and unlock.
    private let lock = NSLock()
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let words: FileHandle
    private var topics = 0
    /// What clients are told as `bootstrap.servers`.
    public let servers: String

    /// One cluster of three brokers for the whole run; what it is told to break, it breaks for one topic or group only.
    public static let shared = Result { try KafkaMock(brokers: 3) }

    /// Starts a cluster of so many brokers; it ends with this value, and with this process.
    public init(brokers: Int) throws {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process.executableURL = URL(filePath: tests).deletingLastPathComponent().appending(path: "kafka-mock")
        process.arguments = ["\(brokers)"]
        process.standardInput = input
        process.standardOutput = output
        words = try Self.nameless()
        process.standardError = words
        // An assertion that failed is a line; what Swift would say of all threads is not wanted.
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
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

    /// A file that goes with its descriptor.
    private static func nameless() throws -> FileHandle {
        let path = NSTemporaryDirectory() + "kafka-mock-\(UUID().uuidString)"
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forUpdatingAtPath: path)
        else { throw CocoaError(.fileWriteUnknown) }
        try FileManager.default.removeItem(atPath: path)
        return file
    }

    /// Fails in the mock's own name when it has ended: librdkafka's mock has assertions that its clients can make fail.
    public func mustLive() throws {
        guard !process.isRunning else { return }
        try words.seek(toOffset: 0)
        let said = String(decoding: try words.readToEnd() ?? Data(), as: UTF8.self)
        let way = process.terminationReason == .exit ? "with" : "by signal"
        throw Refused(
            description: """
                librdkafka's mock cluster has ended \(way) \(process.terminationStatus), which is no fault of what is tested; \
                another seed may get past it: \(said.prefix { !$0.isNewline })
                """)
    }

    /// Has it do something; see the tool.
    public func tell(_ line: String) throws {
        lock.lock()
        defer { lock.unlock() }
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
        var answer = Data()
        while answer.last != UInt8(ascii: "\n") {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else {
                process.waitUntilExit()
                try mustLive()
                throw Refused(description: "the mock cluster has ended")
            }
            answer += more
        }
        let text = String(decoding: answer, as: UTF8.self)
        guard text == "ok\n" else { throw Refused(description: "the mock cluster says \(text)") }
    }

    /// What it was told made no sense to it.
    public struct Refused: Error, CustomStringConvertible {
        /// In words.
        public let description: String
    }

    /// A topic of its own.
    public func topic(_ partitions: Int32) throws -> String {
        let name = lock.withLock {
            topics += 1
            return "topic-\(topics)"
        }
        try tell("topic \(name) \(partitions) 1")
        return name
    }
}
