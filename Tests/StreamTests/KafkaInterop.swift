import CarillonEvents
import CarillonStream
import CarillonStreamKafka
import Foundation
import KafkaCluster
import Testing

/// Python's Kafka client and CloudEvents SDK, where they are installed.
private enum Python {
    static let program = ".build/kafka/bin/python3"
    static let isThere = FileManager.default.isExecutableFile(atPath: program)

    /// Runs the other side; what it printed, a JSON object a line.
    static func run(_ arguments: [String], input: String = "") throws -> [[String: Any]] {
        let process = Process()
        let (stdin, stdout) = (Pipe(), Pipe())
        process.executableURL = URL(filePath: program)
        process.arguments = ["Tests/StreamTests/Interop/kafka_interop.py"] + arguments
        process.standardInput = stdin
        process.standardOutput = stdout
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return try output.split(separator: UInt8(ascii: "\n")).map {
            try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
        }
    }
}

private let isCI = ProcessInfo.processInfo.environment["CI"] == "true"

@Suite("Kafka: what is absent is said", .timeLimit(.minutes(1)))
struct KafkaPresence {
    @Test(
        "the contract is held over a broker, too",
        .enabled(if: KafkaBroker.isThere || isCI, "noida-db is not installed; Scripts/install-deps test installs it"))
    func broker() { #expect(KafkaBroker.isThere) }

    /// What only a real cluster can show, as neither stand-in does it.
    enum OfAClusterAlone: String, CaseIterable, CustomTestStringConvertible {
        case staticMembership =
            "a restarted worker with a group.instance.id has its partitions back with no rebalance"
        case retention = "records that retention removed are counted as a gap"
        case controlRecords = "offsets of transaction marks and of what compaction removed count as holes, not as lost"
        case access = "a principal without rights is told which right it needs"
        case copies = "an acknowledged record outlives the loss of the broker that took it"

        var testDescription: String { rawValue }
    }

    @Test("promises that no stand-in can be put to, by name", arguments: OfAClusterAlone.allCases)
    func notShown(promise: OfAClusterAlone) throws { try Test.cancel("needs a real cluster: \(promise.rawValue)") }
}

@Suite(
    "Kafka: other implementations agree", .timeLimit(.minutes(5)), .ownThreads,
    .enabled(if: Python.isThere || isCI, "confluent-kafka is not installed; Scripts/install-deps test installs it"))
struct KafkaInterop {
    @Test("Python reads what Carillon wrote: the same attributes, data, key and partition")
    func read() throws {
        let mock = try KafkaMock.shared.get()
        let bed = try mock.bed(12, WallByHand())
        let workspaces = ["ws-7": 7, "ws-8": 10, "workspace-a": 4, "工作空间": 5]
        let text = { (workspace: String) in
            #"{"specversion":"1.0","id":"任务-1","source":"/s","type":"job.failed","workspace":"\#(workspace)","#
                + #""subject":"Euro € 😀","time":"2026-01-05T08:00:00Z","attempt":2,"data":{"name":"任务失败","n":1.50}}"#
        }
        let events = try workspaces.keys.map { workspace in
            try CloudEvents.prepare(Array(text(workspace).utf8).span, now: Timestamp(milliseconds: 0))
        }
        try bed.appender().append(events)
        let records = try Python.run(["consume", mock.servers, bed.configuration.topics[0], "\(events.count)"])
        #expect(records.count == events.count)
        for record in records {
            let key = try #require(record["key"] as? String)
            #expect(record["partition"] as? Int == workspaces[key])
            let attributes = try #require(record["attributes"] as? [String: String])
            #expect(attributes["workspace"] == key && attributes["id"] == "任务-1")
            #expect(attributes["subject"] == "Euro € 😀" && attributes["attempt"] == "2")
            #expect(attributes["datacontenttype"] == "application/json")
            #expect(attributes["time"] == "2026-01-05T08:00:00+00:00")
            let data = try #require(record["data"] as? [String: Any])
            #expect(data["name"] as? String == "任务失败" && data["n"] as? Double == 1.5)
        }
    }

    @Test("Carillon reads what Python wrote, in both modes, from the partition it would have chosen itself")
    func write() throws {
        let mock = try KafkaMock.shared.get()
        let bed = try mock.bed(12, WallByHand())
        let lines = [
            #"{"attributes":{"specversion":"1.0","id":"1","source":"/s","type":"job.failed","workspace":"工作空间","subject":"任务失败","datacontenttype":"application/json"},"data":{"name":"😀"},"key":"工作空间"}"#,
            #"{"mode":"structured","attributes":{"specversion":"1.0","id":"2","source":"/s","type":"job.failed","partitionkey":"ws-7","time":"2026-01-05T08:00:00+00:00"},"data":{"name":"€"}}"#,
        ]
        _ = try Python.run(
            ["produce", mock.servers, bed.configuration.topics[0]], input: lines.joined(separator: "\n") + "\n")
        let pump = try Pump(bed)
        try pump.run { $0.seen.count >= 2 }
        pump.reader.close()
        let byKey = Dictionary(grouping: pump.seen, by: \.key).compactMapValues(\.first)
        let binary = try #require(byKey["工作空间"])
        #expect(binary.partition == 5)
        let first = try #require(try JSONSerialization.jsonObject(with: Data(binary.value)) as? [String: Any])
        #expect(first["subject"] as? String == "任务失败")
        #expect((first["data"] as? [String: String])?["name"] == "😀")
        let structured = try #require(byKey["ws-7"])
        #expect(structured.partition == 7)
        let second = try #require(try JSONSerialization.jsonObject(with: Data(structured.value)) as? [String: Any])
        #expect(second["partitionkey"] as? String == "ws-7" && second["workspace"] as? String == "ws-7")
    }
}
