import CarillonEvents
import Foundation
import Testing

@testable import carillon

@Suite(
    "Configuration: flag over environment over file over default; every fault has its place", .timeLimit(.minutes(5)))
struct ConfigurationSuite {
    private let tool: Tool

    init() throws { tool = try Tool() }

    private func load(
        _ yaml: String? = nil, environment: [String: String] = [:], flags: [(key: String, value: String)] = []
    ) throws(ConfigurationError) -> Configuration {
        var sources = ConfigurationSources(environment: environment, isRoot: false)
        sources.environment["HOME"] = "/home/u"
        sources.flags = flags
        if let yaml { sources.file = try? tool.file("carillon.yaml", Array(yaml.utf8)) }
        return try sources.load()
    }

    private func problems(
        _ yaml: String? = nil, environment: [String: String] = [:], flags: [(key: String, value: String)] = []
    ) -> [String] {
        do throws(ConfigurationError) { _ = try load(yaml, environment: environment, flags: flags) } catch {
            return error.problems.map { $0.replacingOccurrences(of: tool.folder.path + "/", with: "") }
        }
        return []
    }

    @Test("no file at all is a valid one-machine deployment with the documented defaults")
    func defaults() throws {
        let configuration = try load()
        #expect(configuration.home == "/home/u/.local/state/carillon")
        #expect(configuration.stream.path == "/home/u/.local/state/carillon/stream.db")
        #expect(configuration.stream.partitions == 8)
        #expect(configuration.stream.retention == .seconds(7 * 86_400))
        #expect(configuration.ledger.retention == .seconds(30 * 86_400))
        #expect(configuration.ledger.dedupHorizon == .seconds(7 * 86_400))
        #expect(configuration.worker == .init(group: "carillon", batch: 5000, concurrency: 256, lease: .seconds(30)))
        #expect(configuration.delivery.timeout == .seconds(15))
        #expect(configuration.delivery.retryFirst == .seconds(5))
        #expect(configuration.delivery.retryFactor == 2)
        #expect(configuration.delivery.retryMax == .seconds(600))
        #expect(configuration.delivery.giveUpAfter == .seconds(86_400))
        #expect(configuration.delivery.maxEventAge == .seconds(86_400))
        #expect(configuration.delivery.ssrfExempt.isEmpty)
        #expect(configuration.http == .init(host: "127.0.0.1", port: 8420))
        #expect(configuration.rulesDirectory == nil)
    }

    @Test("a flag wins over the environment, that over the file, that over the default")
    func precedence() throws {
        let yaml = "worker: {batch: 1, concurrency: 1, lease: 20s}"
        let environment = ["CARILLON_WORKER_BATCH": "2", "CARILLON_WORKER_CONCURRENCY": "2"]
        let configuration = try load(yaml, environment: environment, flags: [("worker.batch", "3")])
        #expect(configuration.worker == .init(group: "carillon", batch: 3, concurrency: 2, lease: .seconds(20)))
    }

    @Test("home is --home, CARILLON_HOME, root's folder, then the state folder of the user")
    func home() throws {
        var sources = ConfigurationSources(environment: ["HOME": "/home/u"], isRoot: true)
        #expect(try sources.load().home == "/var/lib/carillon")
        sources.isRoot = false
        sources.environment["XDG_STATE_HOME"] = "/state"
        #expect(try sources.load().home == "/state/carillon")
        sources.environment["CARILLON_HOME"] = "/env"
        #expect(try sources.load().home == "/env")
        sources.home = "/flag"
        #expect(try sources.load().home == "/flag")
    }

    @Test("a relative path in the file is relative to the file")
    func paths() throws {
        let configuration = try load("stream: {path: here/s.db}\nrules: {dir: rules}")
        #expect(configuration.stream.path == tool.folder.path + "/here/s.db")
        #expect(configuration.rulesDirectory == tool.folder.path + "/rules")
    }

    @Test(
        "words that YAML 1.1 takes for booleans or numbers are texts where text is meant",
        arguments: ["NO", "on", "22:00", "1e5", "y"])
    func texts(word: String) throws {
        #expect(try load("worker: {group: \(word)}").worker.group == word)
    }

    @Test(
        "a fault is told with file, line, column and what is meant",
        arguments: [
            ("strem: {kind: sqlite}", "carillon.yaml:1:1: unknown key strem; did you mean stream?"),
            (
                "stream:\n  retenton: 7d",
                "carillon.yaml:2:3: unknown key stream.retenton; did you mean stream.retention?"
            ),
            (
                "stream: {dedup_horizon: 7d}",
                "carillon.yaml:1:10: unknown key stream.dedup_horizon; did you mean ledger.dedup_horizon?"
            ),
            ("stream: {kind: kafka}", "carillon.yaml:1:16: stream.kind: kafka is not yet built"),
            ("stream: {topics: [a]}", "carillon.yaml:1:10: stream.topics is not yet built"),
            ("ledger: {single_host: true}", "carillon.yaml:1:10: ledger.single_host is not yet built"),
            ("channels: {mail: {url: x}}", "carillon.yaml:1:1: channels is not yet built"),
            ("limits: {}", "carillon.yaml:1:1: limits is not yet built"),
            ("http: {tokens_file: t}", "carillon.yaml:1:8: http.tokens_file is not yet built"),
            ("stream: {kind: redis}", "carillon.yaml:1:16: stream.kind has to be one of sqlite, not \"redis\""),
            (
                "stream: {partitions: 0}",
                "carillon.yaml:1:22: stream.partitions has to be a whole number from 1 to 1024, not \"0\""
            ),
            ("stream: {partitions: many}", "carillon.yaml:1:22: stream.partitions has to be a whole number"),
            ("worker: {lease: 30}", "carillon.yaml:1:17: worker.lease has to be a duration"),
            ("worker: {lease: [30s]}", "carillon.yaml:1:17: worker.lease is one value, not a list"),
            ("worker: {lease: }", "carillon.yaml:1:17: worker.lease has no value"),
            ("worker: 5", "carillon.yaml:1:9: worker has keys below it, not a value"),
            ("- a", "carillon.yaml:1:1: a configuration is keys with values"),
            ("http: {listen: here}", "carillon.yaml:1:16: http.listen has to be HOST:PORT"),
            (
                "delivery: {ssrf_exempt: [10.1.2.3, 127.0.0.0/33]}",
                "carillon.yaml:1:36: delivery.ssrf_exempt has to be networks or addresses"
            ),
            ("delivery:\n  ssrf_exempt:\n    - ::1\n    - 10.0.0.1/8", "carillon.yaml:4:7: delivery.ssrf_exempt"),
            ("delivery: {ssrf_exempt: 10.0.0.1/8}", "not \"10.0.0.1/8\": bits are set behind the prefix"),
            ("delivery: {ssrf_exempt: [localhost]}", "not \"localhost\": not an address"),
            ("stream: {retention: 7d}\nstream: {retention: 8d}", "the key stream stands twice"),
            ("stream: {retention: 7d", "not YAML"),
            ("a: \u{1}", "not YAML"),
        ])
    func faults(yaml: String, expected: String) {
        let problems = problems(yaml)
        #expect(problems.first?.contains(expected) == true, "\(problems)")
    }

    @Test("exempt networks are ranges and bare addresses, from the file, a variable and a flag")
    func exemptions() throws {
        #expect(
            try load("delivery: {ssrf_exempt: [127.0.0.0/8, 10.1.2.3, \"::1\"]}").delivery.ssrfExempt
                == ["127.0.0.0/8", "10.1.2.3", "::1"])
        #expect(
            try load(environment: ["CARILLON_DELIVERY_SSRF_EXEMPT": "10.1.2.3, ::1/128"]).delivery.ssrfExempt
                == ["10.1.2.3", "::1/128"])
        #expect(problems(flags: [("delivery.ssrf_exempt", "10.0.0.1/8")]).count == 1)
    }

    @Test("every fault of a file is told, not only the first")
    func allFaults() {
        #expect(problems("strem: {}\nworker: {lease: 3, batch: x}\nlimits: {}").count == 4)
    }

    @Test("a variable that can only be meant as a setting is an error when it is none; others are not ours")
    func variables() {
        #expect(
            problems(environment: ["CARILLON_STREAM_RETENTIO": "1d"]).first?.contains(
                "did you mean CARILLON_STREAM_RETENTION?") == true)
        #expect(problems(environment: ["CARILLON_STREAM_KIND": "kafka"]).first?.contains("not yet built") == true)
        #expect(problems(environment: ["CARILLON_NO_INSTALL": "1", "CARILLON_HOME": "/x"]).isEmpty)
        #expect(problems(flags: [("stream.retenton", "1d")]).first?.contains("did you mean stream.retention?") == true)
    }

    @Test(
        "settings that contradict each other are refused",
        arguments: [
            (
                "ledger: {retention: 7d}",
                "ledger.retention (7d) must be at least stream.retention + delivery.retry.give_up_after (8d)"
            ),
            ("ledger: {dedup_horizon: 31d}", "must not exceed ledger.retention"),
            ("ledger: {kind: postgres}", "needs one of ledger.url and ledger.url_file"),
            ("ledger: {url_file: x}", "needs one of ledger.url and ledger.url_file, and sqlite neither"),
            ("ledger: {kind: postgres, url: a, url_file: x}", "needs one of ledger.url and ledger.url_file"),
            ("worker: {lease: 15s}", "must exceed delivery.timeout"),
            ("delivery: {retry: {first: 11m}}", "must not exceed delivery.retry.max"),
        ])
    func contradictions(yaml: String, expected: String) {
        let problems = problems(yaml)
        #expect(
            problems.count == 1 && problems[0].hasPrefix("carillon.yaml:") && problems[0].contains(expected),
            "\(problems)")
    }

    @Test("a file that is no text, too large or absent is refused in a line")
    func unreadable() throws {
        for (bytes, words) in [
            ([UInt8](repeating: 0xFF, count: 9), "not UTF-8"),
            (Array(repeating: 0x20, count: 2 << 20), "larger than 1 MiB"),
        ] {
            var sources = ConfigurationSources(environment: ["HOME": "/home/u"], isRoot: false)
            sources.file = try tool.file("broken.yaml", bytes)
            let error = #expect(throws: ConfigurationError.self) { try sources.load() }
            #expect(error?.problems.first?.contains(words) == true)
        }
        var sources = ConfigurationSources(
            environment: ["HOME": "/home/u", "CARILLON_CONFIG": "/nowhere.yaml"], isRoot: false)
        let error = #expect(throws: ConfigurationError.self) { try sources.load() }
        #expect(error?.problems == ["/nowhere.yaml: no such file; CARILLON_CONFIG has to name a configuration"])
        sources.environment["CARILLON_CONFIG"] = ""
        _ = try sources.load()
    }

    @Test(
        "durations read back as they are written",
        arguments: [
            ("7d", 604_800_000), ("30s", 30_000), ("1h30m", 5_400_000), ("250ms", 250), ("1.5h", 5_400_000),
            ("2w", 1_209_600_000),
        ])
    func durations(text: String, milliseconds: Int64) throws {
        let duration = try #require(Duration(text: text))
        #expect(duration == .milliseconds(milliseconds))
        #expect(Duration(text: duration.text) == duration)
    }

    @Test(
        "what is no duration is none",
        arguments: ["", "7", "d", "7x", "-7d", "7d ", "7 d", "1e5s", "٣s", "9999999999d"])
    func noDurations(text: String) { #expect(Duration(text: text) == nil) }
}
