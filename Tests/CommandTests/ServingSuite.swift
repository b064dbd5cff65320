import CarillonEvents
import Foundation
import Glibc
import Testing

@testable import carillon

@Suite("Serve and sink: what they listen to, and how they end", .timeLimit(.minutes(5)))
struct ServingSuite {
    private let tool: Tool

    init() throws { tool = try Tool() }

    @Test("serve delivers a published event to the sink with a good signature, and tells it in its metrics")
    func wholePath() throws {
        let secret = "whsec_" + Data((0..<32).map { UInt8($0) }).base64EncodedString()
        let sink = try Serving(tool, ["sink", "--listen", "127.0.0.1:0", "--secret", secret])
        let serve = try Serving(
            tool, ["serve", "--listen", "127.0.0.1:0", "--set", "delivery.ssrf_exempt=127.0.0.0/8"])
        let rules = try tool.file(
            "rules.yaml",
            Array(
                """
                version: 1
                workspace: vision
                endpoints: {hook: {kind: webhook, url: "http://127.0.0.1:\(sink.address.port)/", secret: {secret: key}}}
                rules:
                  - {name: failures, events: [job.failed], notify: [hook]}
                """.utf8))
        #expect(try tool.run("secrets", "set", "--workspace", "vision", "key", input: Array(secret.utf8)).code == 0)
        #expect(try tool.run("rules", "apply", rules).code == 0)
        #expect(try tool.run("publish", "-", input: Array(event("a").utf8)).code == 0)
        let line = String(decoding: sink.out.fileHandleForReading.availableData, as: UTF8.self)
        let received = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(received["signature"] as? String == "ok" && received["attempt"] as? Int == 1)
        #expect(received["type"] as? String == "job.failed" && received["subject"] as? String == "s")
        #expect((received["sha256"] as? String)?.count == 64 && (received["id"] as? String)?.count == 32)

        let metrics = try serve.request("GET", "/metrics")
        #expect(metrics.status == 200)
        for name in [
            "carillon_events_decided_total{decision=\"matched\"} 1", "carillon_pending ",
            "carillon_oldest_pending_seconds ",
            "carillon_dead_letters 0", "carillon_stream_lag_records 0", "carillon_ledger_residue 0",
            "carillon_config_last_reload_successful 1", "carillon_build_info{version=",
        ] { #expect(metrics.text.contains("\n" + name), "\(name)") }
        #expect(try serve.request("GET", "/-/healthy").status == 200)
        #expect(try serve.request("GET", "/-/ready").status == 200)
        #expect(try serve.request("POST", "/-/reload").status == 200)
        #expect(try serve.request("GET", "/nothing").status == 404)
        #expect(serve.stop() == 0)
        #expect(sink.stop(SIGINT) == 0)
        #expect(try tool.run("verify").code == 0)
    }

    @Test("an address in use is told in a line, exit 1", arguments: ["serve", "sink"])
    func addressInUse(command: String) throws {
        let sink = try Serving(tool, ["sink", "--listen", "127.0.0.1:0"])
        let result = try tool.run(command, "--listen", "127.0.0.1:\(sink.address.port)")
        #expect(result.code == 1)
        #expect(result.errors.last?.contains("another process uses it") == true, "\(result.error)")
    }

    @Test("a reload with a broken file keeps the last good configuration and says so")
    func brokenReload() throws {
        let path = try tool.file("carillon.yaml", Array("http: {listen: \"127.0.0.1:0\"}\n".utf8))
        let serve = try Serving(tool, ["serve", "--config", path])
        _ = try tool.file("carillon.yaml", Array("strem: {}\n".utf8))
        let refused = try serve.request("POST", "/-/reload")
        #expect(refused.status == 422 && refused.text.contains("did you mean stream?"))
        #expect(try serve.request("GET", "/metrics").text.contains("carillon_config_last_reload_successful 0"))
        _ = try tool.file("carillon.yaml", Array("http: {listen: \"127.0.0.1:0\"}\nworker: {batch: 7}\n".utf8))
        let taken = try serve.request("POST", "/-/reload")
        #expect(taken.status == 200 && taken.text.contains("needs a restart: worker.batch"))
        #expect(serve.stop() == 0)
    }

    @Test("a watched folder's rules are in force from the start; a broken document changes nothing")
    func watchedRules() throws {
        _ = try tool.rules(["a"], file: "rules/vision.yaml")
        let serve = try Serving(
            tool, ["serve", "--listen", "127.0.0.1:0", "--set", "rules.dir=\(tool.folder.path)/rules"])
        #expect(try tool.run("rules", "list", "-o", "json").out.contains("\"rule\":\"a\""))
        _ = try tool.file("rules/broken.yaml", Array("version: [".utf8))
        #expect(try serve.request("POST", "/-/reload").status == 422)
        try FileManager.default.removeItem(atPath: tool.folder.path + "/rules/broken.yaml")
        _ = try tool.rules(["b"], file: "rules/vision.yaml")
        #expect(try serve.request("POST", "/-/reload").status == 200)
        let listed = try tool.run("rules", "list", "-o", "json").out
        #expect(listed.contains("\"rule\":\"b\"") && !listed.contains("\"rule\":\"a\""))
        #expect(serve.stop() == 0)
    }

    @Test("ready means that the ledger can be written: not so on a full disk, and so again when there is room")
    func ready() throws {
        let serve = try Serving(tool, ["serve", "--listen", "127.0.0.1:0"])
        #expect(try serve.request("GET", "/-/ready").status == 200)
        // No byte of any file may be written, as on a full disk.
        try limitFiles(of: serve, to: "0")
        try serve.wait { try $0.request("GET", "/-/ready").status == 503 }
        let problem = try serve.request("GET", "/-/ready").text
        #expect(problem.lowercased().contains("content-type: application/problem+json"))
        #expect(
            problem.contains("\"status\":503,\"detail\":\"not ready: ledger could not be written: full"), "\(problem)")
        #expect(try serve.request("GET", "/-/healthy").status == 200)
        try limitFiles(of: serve, to: "unlimited")
        try serve.wait { try $0.request("GET", "/-/ready").status == 200 }
        #expect(serve.stop() == 0)
        #expect(try tool.run("verify").code == 0)
    }

    /// With `prlimit`, which is part of util-linux; the soft limit alone, so that it can be lifted again.
    private func limitFiles(of serving: Serving, to bytes: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/prlimit")
        process.arguments = ["--pid", "\(serving.process.processIdentifier)", "--fsize=\(bytes):"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    @Test("the reload metric follows the watched folder by itself: 0 while a document is broken, then 1")
    func watchedMetric() throws {
        _ = try tool.rules(["a"], file: "rules/vision.yaml")
        let broken = try tool.file("rules/broken.yaml", Array("version: [".utf8))
        let serve = try Serving(
            tool, ["serve", "--listen", "127.0.0.1:0", "--set", "rules.dir=\(tool.folder.path)/rules"])
        #expect(try serve.request("GET", "/metrics").text.contains("\ncarillon_config_last_reload_successful 0\n"))
        try FileManager.default.removeItem(atPath: broken)
        try serve.wait(forMetric: "carillon_config_last_reload_successful 1")
        #expect(try tool.run("rules", "list", "-o", "json").out.contains("\"rule\":\"a\""))
        _ = try tool.file("rules/broken.yaml", Array("version: [".utf8))
        try serve.wait(forMetric: "carillon_config_last_reload_successful 0")
        #expect(try serve.request("POST", "/-/reload").status == 422)
        try FileManager.default.removeItem(atPath: broken)
        #expect(try serve.request("POST", "/-/reload").status == 200)
        #expect(try serve.request("GET", "/metrics").text.contains("\ncarillon_config_last_reload_successful 1\n"))
        #expect(serve.stop() == 0)
    }

    @Test("SIGHUP reloads and ends nothing", arguments: ["serve", "worker"])
    func hangup(command: String) throws {
        let path = try tool.file("carillon.yaml", Array("http: {listen: \"127.0.0.1:0\"}\n".utf8))
        let serve = try Serving(tool, [command, "--config", path])
        _ = try tool.file("carillon.yaml", Array("strem: {}\n".utf8))
        // Sent again until it is heard: a signal before its source is there is survived, not kept.
        try serve.wait { serve in
            kill(serve.process.processIdentifier, SIGHUP)
            return serve.words.contains("reload refused, the last good configuration stays")
        }
        _ = try tool.file("carillon.yaml", Array("http: {listen: \"127.0.0.1:0\"}\nworker: {batch: 7}\n".utf8))
        try serve.wait { serve in
            kill(serve.process.processIdentifier, SIGHUP)
            return serve.words.contains("configuration reloaded") && serve.words.contains("worker.batch")
        }
        kill(serve.process.processIdentifier, SIGTERM)
        for _ in 1...20 { kill(serve.process.processIdentifier, SIGHUP) }
        serve.process.waitUntilExit()
        #expect(serve.process.terminationReason == .exit && serve.process.terminationStatus == 0, "\(serve.words)")
    }

    @Test("Ctrl-C drains; a second one ends at once, and the next worker sends what was on the wire")
    func twice() throws {
        let sink = try Serving(tool, ["sink", "--listen", "127.0.0.1:0", "--delay", "10m"])
        let serve = try Serving(
            tool, ["serve", "--listen", "127.0.0.1:0", "--set", "delivery.ssrf_exempt=127.0.0.1"])
        let rules = try tool.rules(["a"], url: "http://127.0.0.1:\(sink.address.port)/")
        #expect(try tool.run("rules", "apply", rules).code == 0)
        #expect(try tool.run("publish", "-", input: Array(event("a").utf8)).code == 0)
        #expect(!sink.out.fileHandleForReading.availableData.isEmpty)
        kill(serve.process.processIdentifier, SIGINT)
        try serve.wait { $0.words.contains("worker drains") }
        kill(serve.process.processIdentifier, SIGINT)
        serve.process.waitUntilExit()
        #expect(serve.process.terminationStatus == 130 && serve.words.contains("ended at once"))
        #expect(try tool.run("deliveries", "list", "-o", "json").out.contains("\"state\":\"leased\""))
    }

    @Test("what comes from the spool is accepted; what cannot be read there is told once, in status and in a metric")
    func spool() throws {
        #expect(try tool.run("publish", "--spool", "-", input: Array(event("a").utf8)).code == 0)
        let closed = tool.home + "/spool/000000000000001-0000000001-000001.spool"
        try FileManager.default.createSymbolicLink(atPath: closed, withDestinationPath: "/nowhere")
        let serve = try Serving(tool, ["serve", "--listen", "127.0.0.1:0"])
        try serve.wait(forMetric: "carillon_events_accepted_total 1")
        try serve.wait(forMetric: "carillon_spool_unreadable 1")
        #expect(try tool.run("publish", "--spool", "-", input: Array(event("b").utf8)).code == 0)
        let status = try tool.run("status")
        #expect(status.out.contains("spool           1 segments") && status.out.contains("unreadable      \(closed): "))
        let json = try tool.run("status", "-o", "json").out
        #expect(json.contains("\"unreadable\":[\"\(closed)\"]"), "\(json)")
        // Two looks, two seconds apart, and still said once.
        try serve.wait { $0.words.contains("\(closed) cannot be brought to the stream") }
        #expect(serve.stop() == 0)
        #expect(serve.words.components(separatedBy: closed + " cannot").count == 2)
    }

    @Test("a delivery that is given up counts as dead, a try before that as failed")
    func givenUp() throws {
        let serve = try Serving(
            tool,
            [
                "serve", "--listen", "127.0.0.1:0", "--set", "delivery.ssrf_exempt=127.0.0.1", "--set",
                "delivery.retry.give_up_after=0s",
            ])
        #expect(try tool.run("rules", "apply", try tool.rules(["a"])).code == 0)
        let line = String(event("a").dropLast()) + ",\"partitionkey\":\"speech\"}"
        #expect(try tool.run("publish", "-", input: Array(line.utf8)).code == 0)
        try serve.wait { try $0.request("GET", "/metrics").text.contains("carillon_deliveries_total{") }
        let metrics = try serve.request("GET", "/metrics").text
        #expect(metrics.contains("\ncarillon_deliveries_total{channel=\"webhook\",outcome=\"dead\"} 1\n"))
        #expect(!metrics.contains("outcome=\"failed\"") && metrics.contains("\ncarillon_breakers_open "))
        #expect(metrics.contains("\ncarillon_workspace_mismatches_total 1\n"))
        #expect(serve.stop() == 0)
    }

    @Test("the sink tells good, bad and absent signatures apart, and survives what is no webhook")
    func signatures() throws {
        let key = (0..<32).map { UInt8($0) }
        let sink = try Serving(
            tool, ["sink", "--listen", "127.0.0.1:0", "--secret", "whsec_" + Data(key).base64EncodedString()])
        let bodies: [[UInt8]] = [
            [], [0xFF, 0x00], Array("{\"type\":5,\"data\":[]}".utf8), Array(String(repeating: "[", count: 9_000).utf8),
        ]
        for body in bodies { #expect(try sink.request("POST", "/", body: body).status == 200) }
        let forged = ["webhook-id: x", "webhook-timestamp: 1", "webhook-signature: v1,AAAA v2,x garbage"]
        #expect(try sink.request("POST", "/", headers: forged, body: [1]).status == 200)
        var text = ""
        while text.filter({ $0 == "\n" }).count < 5 {
            text += String(decoding: sink.out.fileHandleForReading.availableData, as: UTF8.self)
        }
        let verdicts = try text.split(separator: "\n").map { line in
            (try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["signature"] as? String
        }
        #expect(verdicts == ["none", "none", "none", "none", "bad"])
    }

    @Test("which requests fail is the seed's alone", arguments: [UInt64(1), 7])
    func faults(seed: UInt64) throws {
        let fault = try #require(SinkFaults.Fault("503:0.3"))
        let statuses = (0..<2).map { _ in
            let faults = SinkFaults([fault], seed: seed)
            return (0..<1_000).map { _ in faults.status() }
        }
        #expect(statuses[0] == statuses[1])
        #expect((200..<400).contains(statuses[0].filter { $0 == 503 }.count))
        #expect(["", "x", "503:2", "99", "700", "503:0.1:1"].allSatisfy { SinkFaults.Fault($0) == nil })
    }
}
