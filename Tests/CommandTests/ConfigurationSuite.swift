import CarillonEvents
import CarillonRules
import CarillonWorker
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

    @Test("what needs no provider is offered unless switched off, what needs one once it is configured")
    func offered() throws {
        let standard = try load()
        #expect(
            standard.offer.channels == [
                "webhook", "dingtalk", "feishu", "wecom", "slack", "pagerduty", "console", "inbox",
            ])
        #expect(standard.offer.isFree)
        #expect(
            standard.offer.refusal(of: "sms")?.hasPrefix("sms is not configured (channels.sms in carillon.yaml)")
                == true)
        let chosen = try load(
            """
            channels:
              mail: {url: "smtp://mail:587", from: c@example.com, events: ["job.*", model.changed], regions: [cn, eu]}
              sms: {enabled: false, provider: twilio}
              webhook: {enabled: false}
            """)
        #expect(
            chosen.offer.channels == ["dingtalk", "feishu", "wecom", "slack", "pagerduty", "console", "inbox", "mail"])
        #expect(!chosen.offer.isFree)
        #expect(chosen.offer.refusal(of: "webhook")?.contains("switched off") == true)
        let mail = try #require(try chosen.channelSettings()["mail"])
        #expect(mail.values == ["url": "smtp://mail:587", "from": "c@example.com"])
        #expect(mail.events == ["job.*", "model.changed"] && mail.regions == ["cn", "eu"])
        #expect(try chosen.channelSettings()["sms"] == nil && chosen.channelSettings()["slack"]?.values == [:])
    }

    @Test("every key that a channel reads can be said in the file, and one that only another provider has is told")
    func channelKeys() throws {
        let key = try tool.file("key", Array("s3cret\n".utf8))
        let given = try load(
            """
            channels:
              mail: {url: "smtp://mail:587", from: c@example.com, tls: required, username: u, password_file: key,
                     ca_file: ca.pem, verify_ssl: "true", html: "{{ title }}", on_ambiguous: skip}
              sms: {provider: aliyun, access_key_id: LTAI, access_key_secret_file: \(key), sign_name: s,
                    template_code: SMS_1, template_param: '{"job": {{ subject | tojson }}}', region: cn-hangzhou}
            """)
        let settings = try given.channelSettings()
        #expect(settings["sms"]?.values["access_key_secret"] == "s3cret")
        #expect(try Channels.people(settings).keys.sorted() == ["inbox", "mail", "sms"])
        let twilio = """
            channels: {sms: {provider: twilio, account: AC1, token: t, from: "+15005550006", length: "160", on_ambiguous: resend,
                             base_url: "http://127.0.0.1:1"}}
            """
        #expect(try Channels.people(load(twilio).channelSettings())["sms"]?.onAmbiguous == .resend)
        let mixed = try load("channels: {sms: {provider: twilio, account: AC1, token: t, from: MG1, sign_name: s}}")
        #expect(throws: ChannelSettingsError.self) { try Channels.people(mixed.channelSettings()) }
    }

    @Test("links are templates by the first word of a type")
    func links() throws {
        #expect(try load().links == [:])
        #expect(
            try load("links: {job: \"https://x.example/{{ subject }}\"}").links
                == ["job": "https://x.example/{{ subject }}"])
    }

    @Test("a secret comes from its key or from a file, by the right of who said so, and is never shown")
    func secrets() throws {
        let path = try tool.file("password", Array("from-a-file\n".utf8))
        let yaml = "channels: {mail: {url: x, password: in-the-clear}}"
        func password(_ configuration: Configuration) throws -> String? {
            try configuration.channelSettings()["mail"]?.values["password"]
        }
        #expect(try password(load(yaml)) == "in-the-clear")
        #expect(!"\(try load(yaml))".contains("in-the-clear"))
        #expect(!String(reflecting: try load(yaml)).contains("in-the-clear"))
        var dumped = ""
        dump(try load(yaml), to: &dumped)
        #expect(!dumped.contains("in-the-clear"))
        let variable = "CARILLON_CHANNELS_MAIL_PASSWORD"
        #expect(try password(load(yaml, environment: [variable + "_FILE": path])) == "from-a-file")
        #expect(try password(load("channels: {mail: {url: x, password_file: password}}")) == "from-a-file")
        #expect(
            try password(load("channels: {mail: {url: x, password_file: password}}", environment: [variable: "v"]))
                == "v")
        let flags = [("channels.mail.password_file", path)]
        #expect(try password(load(yaml, environment: [variable: "v"], flags: flags)) == "from-a-file")
        let away = try load("channels: {mail: {url: x, password_file: nowhere}}")
        do throws(Failure) {
            _ = try away.channelSettings()
            Issue.record("read a file that is not there")
        } catch {
            #expect(error.lines.first?.contains("which channels.mail.password_file names, cannot be read") == true)
        }
        #expect(away.offer.channels?.contains("mail") == true, "rules are checked without a look at secrets")
    }

    @Test("how many targets a rule may have is said for all workspaces and for single ones, whatever their names")
    func targetLimits() throws {
        /// The numbers alone, without the channels.
        func numbers(_ configuration: Configuration) -> RuleLimits {
            RuleLimits(
                targetsPerRule: configuration.ruleLimits.targetsPerRule,
                perWorkspace: configuration.ruleLimits.perWorkspace)
        }
        #expect(try numbers(load()) == .init(targetsPerRule: 5))
        let yaml =
            "limits: {default: {targets_per_rule: 7}, workspaces: {vision: {targets_per_rule: 20}, a.b: {targets_per_rule: 9}}}"
        #expect(try numbers(load(yaml)) == .init(targetsPerRule: 7, perWorkspace: ["vision": 20, "a.b": 9]))
        let flags = [(key: "limits.workspaces.vision.targets_per_rule", value: "30")]
        let environment = ["CARILLON_LIMITS_DEFAULT_TARGETS_PER_RULE": "8"]
        let loaded = try load(yaml, environment: environment, flags: flags)
        #expect(numbers(loaded) == .init(targetsPerRule: 8, perWorkspace: ["vision": 30, "a.b": 9]))
        #expect(
            loaded.values.differences(from: try load().values) == [
                "limits.default.targets_per_rule", "limits.workspaces.a.b.targets_per_rule",
                "limits.workspaces.vision.targets_per_rule",
            ])
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
            (
                "channels: {mial: {url: x}}",
                "carillon.yaml:1:12: unknown key channels.mial; did you mean channels.mail?"
            ),
            (
                "channels: {mail: {pasword: x}}",
                "carillon.yaml:1:19: unknown key channels.mail.pasword; did you mean channels.mail.password?"
            ),
            (
                "channels: {sms: {events: [\"job.f*\"]}}",
                "carillon.yaml:1:27: channels.sms.events has to be types of events, such as job.failed or job.*, not \"job.f*\""
            ),
            (
                "channels: {sms: {events: []}}",
                "carillon.yaml:1:26: channels.sms.events names one at least; without the key all may"
            ),
            (
                "channels: {slack: {enabled: yes}}",
                "carillon.yaml:1:29: channels.slack.enabled has to be true or false, not \"yes\""
            ),
            (
                "channels: {mail: {password: a, password_file: b}}",
                "carillon.yaml:1:47: channels.mail.password and channels.mail.password_file are both set; keep one"
            ),
            ("ledger: {kind: postgres, url: a, url_file: x}", "ledger.url and ledger.url_file are both set; keep one"),
            (
                "channels: {voice: {provider: twilio}}",
                "carillon.yaml:1:12: channels.voice is not yet built"
            ),
            (
                "channels: {console: {base_url: x}}",
                "carillon.yaml:1:22: unknown key channels.console.base_url"
            ),
            ("links: {job: [a]}", "carillon.yaml:1:8: links is keys with one value each"),
            (
                "limits: {default: {sms: [5/15m, 5]}}",
                "carillon.yaml:1:33: limits.default.sms has to be limits such as 5/15m or 40/1d, not \"5\""
            ),
            (
                "limits: {workspaces: {a: {total: {sms: [x]}}}}",
                "carillon.yaml:1:41: limits.workspaces.a.total.sms has to be limits such as 5/15m or 40/1d, not \"x\""
            ),
            (
                "limits: {workspaces: {a: {targets_per_rule: 101}}}",
                "carillon.yaml:1:45: limits.workspaces.a.targets_per_rule has to be a whole number from 1 to 100"
            ),
            (
                "limits: {workspaces: {a: {targets: 7}}}",
                "carillon.yaml:1:36: limits.workspaces.a.targets has keys below it, not a value"
            ),
            (
                "limits: {default: {targets: 7}}",
                "carillon.yaml:1:20: unknown key limits.default.targets; did you mean limits.default.targets_per_rule?"
            ),
            ("stream: {kind: redis}", "carillon.yaml:1:16: stream.kind has to be one of sqlite, kafka, not \"redis\""),
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
        #expect(problems("strem: {}\nworker: {lease: 3, batch: x}\nchannels: {voice: {}}").count == 4)
    }

    @Test("a variable that can only be meant as a setting is an error when it is none; others are not ours")
    func variables() {
        #expect(
            problems(environment: ["CARILLON_STREAM_RETENTIO": "1d"]).first?.contains(
                "did you mean CARILLON_STREAM_RETENTION?") == true)
        #expect(problems(environment: ["CARILLON_LEDGER_KIND": "redis"]).first?.contains("has to be one of") == true)
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
            ("worker: {lease: 15s}", "must exceed delivery.timeout"),
            ("delivery: {retry: {first: 11m}}", "must not exceed delivery.retry.max"),
            ("links: {job: \"{{ subject\"}", "links.job begins with neither https:// nor http://"),
            ("links: {job: \"https://x.example/{{ subject\"}", "links.job is no template: "),
            ("links: {job.failed: \"https://x.example/\"}", "links.job.failed is no first word of a type"),
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
