import CarillonServer
import Foundation
import Testing
import Yams

@testable import carillon

/// What no engine runs here: the files are read as an engine would read them, and compared with each other and with the code.
@Suite("Compose: its files fit together and are what they say", .timeLimit(.minutes(1)))
struct ComposeSuite {
    private static let root =
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path + "/"

    private typealias Mapping = [String: Any]

    private func text(_ path: String) throws -> String { try String(contentsOfFile: Self.root + path, encoding: .utf8) }

    private func mapping(_ path: String) throws -> Mapping {
        try #require(try Yams.load(yaml: text(path)) as? Mapping, "\(path)")
    }

    private func services() throws -> [String: Mapping] {
        try #require(try mapping("docker-compose.yml")["services"] as? [String: Mapping])
    }

    @Test("every service has a pinned image, a health check and a restart, and no port beyond this machine")
    func pinned() throws {
        let services = try services()
        #expect(Set(services.keys) == ["server", "worker-1", "worker-2", "kafka", "postgres", "mail", "prometheus"])
        for (name, service) in services {
            let image = try #require(service["image"] as? String, "\(name)")
            let tag = image.split(separator: ":").dropFirst().first ?? ""
            #expect(service["build"] != nil || tag.contains(/\d+\.\d+/), "\(name): \(image)")
            #expect((service["healthcheck"] as? Mapping)?["test"] != nil, "\(name)")
            #expect(service["restart"] as? String == "unless-stopped", "\(name)")
            for port in service["ports"] as? [String] ?? [] {
                #expect(port.hasPrefix("127.0.0.1:"), "\(name): \(port)")
            }
            #expect(service["privileged"] == nil && service["network_mode"] == nil, "\(name)")
        }
    }

    @Test("volumes, secrets, files and services that are named are there; who is waited for can become healthy")
    func references() throws {
        let compose = try mapping("docker-compose.yml")
        let volumes = Set(try #require(compose["volumes"] as? Mapping).keys)
        let secrets = try #require(compose["secrets"] as? [String: Mapping])
        for secret in secrets.values {
            let file = try #require(secret["file"] as? String)
            #expect(FileManager.default.fileExists(atPath: Self.root + file), "\(file)")
        }
        var used: Set<String> = []
        for (name, service) in try services() {
            for secret in service["secrets"] as? [String] ?? [] {
                #expect(secrets[secret] != nil, "\(name): \(secret)")
            }
            for volume in service["volumes"] as? [String] ?? [] {
                let source = String(volume.prefix { $0 != ":" })
                if source.hasPrefix("./") {
                    #expect(FileManager.default.fileExists(atPath: Self.root + source), "\(name): \(source)")
                } else {
                    #expect(volumes.contains(source) && used.insert(source).inserted, "\(name): \(source)")
                }
            }
            for (other, how) in service["depends_on"] as? [String: Mapping] ?? [:] {
                #expect(
                    try services()[other] != nil && how["condition"] as? String == "service_healthy",
                    "\(name): \(other)")
            }
        }
        #expect(used == volumes)
    }

    @Test("a container of ours is not root, writes nothing but its home, and has time to drain")
    func hardened() throws {
        for name in ["server", "worker-1", "worker-2"] {
            let service = try #require(try services()[name])
            #expect(service["read_only"] as? Bool == true && service["cap_drop"] as? [String] == ["ALL"], "\(name)")
            #expect(service["stop_grace_period"] as? String == "30s", "\(name)")
            let volumes = try #require(service["volumes"] as? [String])
            #expect(volumes.contains { $0.hasSuffix(":/var/lib/carillon") }, "\(name)")
            #expect(volumes.filter { $0.hasPrefix("./") }.allSatisfy { $0.hasSuffix(":ro") }, "\(name)")
        }
        let image = try text("Dockerfile")
        #expect(image.contains("\nUSER 10001:10001\n") && image.contains("\nVOLUME /var/lib/carillon\n"))
        for line in image.split(separator: "\n") where line.hasPrefix("FROM ") {
            #expect(line.contains(/:\d+\.\d+/), "\(line)")
        }
        for line in try text(".dockerignore").split(separator: "\n") where line.hasPrefix("!") {
            let path = String(line.dropFirst())
            #expect(path == "Package.resolved" || FileManager.default.fileExists(atPath: Self.root + path), "\(path)")
        }
    }

    @Test(
        "the services' configurations are right but for what is not built, and server and workers share stream and ledger"
    )
    func configurations() throws {
        var shared: [[String: String]] = []
        for path in ["examples/compose/carillon.yaml", "examples/compose/worker.yaml"] {
            let file = ConfigurationFile(path: path, text: try text(path))
            for problem in file.problems {
                #expect("\(problem)".contains("not yet built"), "\(problem)")
            }
            shared.append(
                file.entries.filter { $0.key.hasPrefix("stream.") || $0.key.hasPrefix("ledger.") }.mapValues(\.text))
        }
        #expect(shared[0] == shared[1])
        #expect(try TokensFile.read(Self.root + "examples/compose/tokens.yaml").count == 1)
        let server = try #require(try services()["server"])
        #expect(server["command"] as? [String] == ["serve", "--without-worker"])
        // A plain worker has no /metrics, and the counters are a process's own.
        let workers = try ["worker-1", "worker-2"].map { try #require(try services()[$0]) }
        #expect(workers.allSatisfy { $0["command"] as? [String] == ["serve"] })
        let watched = try text("examples/prometheus/prometheus.yml")
        #expect(["server", "worker-1", "worker-2"].allSatisfy { watched.contains("\"\($0):8420\"") })
    }

    @Test("the workspace's rules pass the check where the workers' channels are offered")
    func rules() throws {
        let tool = try Tool()
        let worker = try mapping("examples/compose/worker.yaml")
        let channels = try Yams.dump(object: ["channels": try #require(worker["channels"])])
        let configuration = try tool.file("channels.yaml", Array(channels.utf8))
        let result = try tool.run(
            "rules", "check", Self.root + "examples/compose/rules", "--config", configuration)
        #expect(result.code == 0, "\(result.out)\(result.error)")
    }

    @Test("alerts have a severity and words, and ask for metrics there are")
    func alerts() throws {
        let prometheus = try mapping("examples/prometheus/prometheus.yml")
        #expect(prometheus["rule_files"] as? [String] == ["carillon.rules.yml"])
        let groups = try #require(try mapping("examples/prometheus/carillon.rules.yml")["groups"] as? [Mapping])
        let rules = groups.flatMap { $0["rules"] as? [Mapping] ?? [] }
        let known = try Set(
            (text("Sources/Server/Metrics/MetricsRegistry.swift") + text("Docs/operating.md"))
                .matches(of: /carillon_[a-z_]+/).map { String($0.output) })
        var asked: Set<String> = []
        for rule in rules {
            let name = try #require(rule["alert"] as? String)
            let expression = try #require(rule["expr"] as? String, "\(name)")
            #expect((rule["labels"] as? Mapping)?["severity"] != nil, "\(name)")
            #expect((rule["annotations"] as? Mapping)?.count == 2, "\(name)")
            for metric in expression.matches(of: /carillon_[a-z_]+/) {
                #expect(known.contains(String(metric.output)), "\(name): \(metric.output)")
                asked.insert(String(metric.output))
            }
        }
        #expect(Set(rules.compactMap { $0["alert"] as? String }).count == rules.count)
        let least: Set = [
            "carillon_ledger_residue", "carillon_oldest_pending_seconds", "carillon_stream_lag_records",
            "carillon_dead_letters",
        ]
        #expect(asked.isSuperset(of: least))
    }
}
