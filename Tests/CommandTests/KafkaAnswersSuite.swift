import Foundation
import Testing

@Suite("Answers over Kafka: a lost ledger is rebuilt, and what is asked is answered", .timeLimit(.minutes(5)))
struct KafkaAnswersSuite {
    /// librdkafka's mock cluster, in a process of its own.
    final class Cluster {
        let process = Process()
        let servers: String

        init() throws {
            let (input, output) = (Pipe(), Pipe())
            process.executableURL = URL(filePath: Tool.binary).deletingLastPathComponent().appending(path: "kafka-mock")
            process.arguments = ["1"]
            process.standardInput = input
            process.standardOutput = output
            try process.run()
            func line() throws -> String {
                var line = Data()
                while line.last != UInt8(ascii: "\n") {
                    let more = output.fileHandleForReading.availableData
                    guard !more.isEmpty else { throw ToolError(words: "the mock cluster ended") }
                    line += more
                }
                return String(decoding: line.dropLast(), as: UTF8.self)
            }
            servers = String(try line().dropFirst("listening ".count))
            try input.fileHandleForWriting.write(contentsOf: Data("topic events 3 1\n".utf8))
            guard try line() == "ok" else { throw ToolError(words: "the mock cluster made no topic") }
        }

        deinit { process.terminate() }
    }

    @Test("explain, verify and replay read the topic beside the workers")
    func answers() throws {
        let (tool, cluster) = (try Tool(), try Cluster())
        let sink = try Serving(tool, ["sink", "--listen", "127.0.0.1:0"])
        let config = """
            stream: {kind: kafka, topics: [events], properties: {bootstrap.servers: "\(cluster.servers)"}}
            ledger: {single_host: true}
            delivery: {ssrf_exempt: [127.0.0.0/8]}
            """
        _ = try tool.file("carillon.yaml", Array(config.utf8))
        let rules = try tool.rules(["failures"], url: "http://127.0.0.1:\(sink.address.port)/")
        func run(_ arguments: String..., input: [UInt8] = []) throws -> Tool.Result {
            let result = try tool.run(arguments, input: input)
            #expect(result.code == 0, "\(arguments): \(result.error)")
            return result
        }
        func prepare() throws {
            _ = try run("worker", "--prepare")
            _ = try run("rules", "apply", rules)
        }
        try prepare()
        let events = (0..<20).map { event("e\($0)", type: $0 % 4 == 0 ? "job.running" : "job.failed") }
        _ = try run("publish", "-", input: Array(events.joined(separator: "\n").utf8))
        _ = try run("worker", "--until-idle")
        #expect(try run("explain", "--event", "/test", "e1").out.contains("✓ failures → hook: delivered"))
        #expect(try run("explain", "--event", "/test", "e4").out.contains("no rule selected it"))
        #expect(try run("verify").out.contains("20 read = 5 unmatched + 15 matched"))

        for file in try FileManager.default.contentsOfDirectory(atPath: tool.home) where file.hasPrefix("ledger.db") {
            try FileManager.default.removeItem(atPath: "\(tool.home)/\(file)")
        }
        try prepare()
        let told = try run("explain", "--event", "/test", "e1").out
        #expect(told.contains("no worker has read it yet"), "\(told)")
        #expect(try run("replay", "--since", "1h", "--dry-run").out.contains("15 deliveries would be sent"))
        #expect(try run("replay", "--since", "1h", "--yes").out.contains("15 of 15 events in 20 records"))
        #expect(try run("replay", "--since", "1h", "--yes").out.contains("0 deliveries on their way"))
        _ = try run("worker", "--until-idle")
        #expect(try run("verify").out.contains("15 delivered"))
        #expect(try run("verify", "--since", "1h").out.contains("the law holds"))
    }
}
