import CarillonEvents
import CarillonRules
import CarillonWorker

/// The deployment's settings, complete and checked.
struct Configuration: Sendable, Equatable {
    struct Stream: Sendable, Equatable {
        enum Kind: String { case sqlite, kafka }
        var kind: Kind
        /// The file, or the broker's addresses.
        var whereabouts: String { kind == .kafka ? properties["bootstrap.servers"] ?? "" : path }
        var path: String
        var topics: [String]
        /// As librdkafka takes them; one that ends in `_file` names a file with the value.
        var properties: [String: String]
        var partitions: Int32
        var retention: Duration
    }
    struct Ledger: Sendable, Equatable {
        var isPostgres: Bool
        /// With SQLite.
        var path: String
        /// Whether all workers run on one machine, which a SQLite ledger beside Kafka demands.
        var isSingleHost: Bool
        var retention, dedupHorizon: Duration
    }
    struct Worker: Sendable, Equatable {
        var group: String
        var batch, concurrency: Int
        var lease: Duration
    }
    struct Delivery: Sendable, Equatable {
        var timeout, retryFirst, retryMax, giveUpAfter, maxEventAge: Duration
        var retryFactor: Double
        /// The name of a schedule that takes the place of the others.
        var retrySchedule: String?
        var ssrfExempt: [String]
        /// The file of authorities that vouch for receivers beside the system's.
        var authorities: String?
    }
    struct HTTP: Sendable, Equatable {
        var host: String
        var port: Int
        /// Who may send events, when there is such a file.
        var tokensFile: String?
    }
    struct Logging: Sendable, Equatable {
        var level, format: String
    }

    /// The folder for data.
    var home: String
    /// The file it was read from, when there is one.
    var file: String?
    /// All values by key.
    var values: Values
    var stream: Stream
    var ledger: Ledger
    var worker: Worker
    var delivery: Delivery
    /// The watched folder of rule documents, when there is one.
    var rulesDirectory: String?
    /// Templates of addresses for people, by the first word of events' types.
    var links: [String: String]
    /// The ceilings for rule documents.
    var ruleLimits: RuleLimits
    var http: HTTP
    var logging: Logging

    /// Where publishers keep what the stream cannot take.
    var spool: String { home + "/spool" }
}

extension Configuration {
    init(_ values: Values, home: String, file: String?) {
        self.home = home
        (self.file, self.values) = (file, values)
        stream = Stream(
            kind: Stream.Kind(rawValue: values.text("stream.kind")) ?? .sqlite, path: values.text("stream.path"),
            topics: values.list("stream.topics"), properties: values.map("stream.properties"),
            partitions: Int32(clamping: values.integer("stream.partitions")),
            retention: values.duration("stream.retention"))
        ledger = Ledger(
            isPostgres: values.text("ledger.kind") == "postgres", path: values.text("ledger.path"),
            isSingleHost: values.text("ledger.single_host") == "true",
            retention: values.duration("ledger.retention"),
            dedupHorizon: values.duration("ledger.dedup_horizon"))
        worker = Worker(
            group: values.text("worker.group"), batch: values.integer("worker.batch"),
            concurrency: values.integer("worker.concurrency"), lease: values.duration("worker.lease"))
        delivery = Delivery(
            timeout: values.duration("delivery.timeout"), retryFirst: values.duration("delivery.retry.first"),
            retryMax: values.duration("delivery.retry.max"),
            giveUpAfter: values.duration("delivery.retry.give_up_after"),
            maxEventAge: values.duration("delivery.max_event_age"), retryFactor: values.number("delivery.retry.factor"),
            retrySchedule: values.optionalText("delivery.retry.schedule"),
            ssrfExempt: values.list("delivery.ssrf_exempt"), authorities: values.optionalText("delivery.ca_file"))
        links = values.map("links")
        rulesDirectory = values.optionalText("rules.dir")
        ruleLimits = values.ruleLimits
        (http, logging) = (
            values.http, Logging(level: values.text("logging.level"), format: values.text("logging.format"))
        )
        ruleLimits.offer = offer
    }

    /// What does not go together, each with the keys at fault.
    var contradictions: [(keys: [String], words: String)] {
        var found: [(keys: [String], words: String)] = kafkaContradictions
        if ledger.retention < stream.retention + delivery.giveUpAfter {
            let least = (stream.retention + delivery.giveUpAfter).text
            found.append(
                (
                    ["ledger.retention", "stream.retention", "delivery.retry.give_up_after"],
                    "ledger.retention (\(ledger.retention.text)) must be at least stream.retention + "
                        + "delivery.retry.give_up_after (\(least)): the ledger has to remember what may still come"
                ))
        }
        let hasURL = values.all["ledger.url"] != nil || values.all["ledger.url_file"] != nil
        if ledger.isPostgres != hasURL {
            found.append(
                (
                    ["ledger.kind", "ledger.url", "ledger.url_file"],
                    "ledger.kind: postgres needs one of ledger.url and ledger.url_file, and sqlite neither"
                ))
        }
        if ledger.dedupHorizon > ledger.retention {
            found.append(
                (
                    ["ledger.dedup_horizon", "ledger.retention"],
                    "ledger.dedup_horizon (\(ledger.dedupHorizon.text)) must not exceed ledger.retention "
                        + "(\(ledger.retention.text)): what is forgotten cannot be recognised"
                ))
        }
        found += QuotaKeys.contradictions(values)
        do throws(LinkFault) { _ = try Links(links) } catch {
            found.append((["links"], "links.\(error.word) \(error.words)"))
        }
        if delivery.timeout >= worker.lease {
            found.append(
                (
                    ["delivery.timeout", "worker.lease"],
                    "worker.lease (\(worker.lease.text)) must exceed delivery.timeout (\(delivery.timeout.text)): "
                        + "a lease has to outlive its send"
                ))
        }
        if delivery.retryFirst > delivery.retryMax {
            found.append(
                (
                    ["delivery.retry.first", "delivery.retry.max"],
                    "delivery.retry.first (\(delivery.retryFirst.text)) must not exceed delivery.retry.max "
                        + "(\(delivery.retryMax.text))"
                ))
        }
        return found
    }
}

/// Checked values by key.
///
/// The getters trap on a key of another kind: our own mistake in `Settings` or above.
struct Values: Sendable, Equatable {
    let all: [String: Setting.Value]

    /// The keys whose values differ.
    func differences(from other: Values) -> [String] {
        let own = Set(all.keys).union(other.all.keys).subtracting(Settings.all.map(\.key))
        return (Settings.all.map(\.key) + own.sorted()).filter { all[$0] != other.all[$0] }
    }

    func optionalText(_ key: String) -> String? {
        if case .text(let text) = all[key] { text } else { nil }
    }
    func text(_ key: String) -> String {
        guard let text = optionalText(key) else { preconditionFailure("\(key) is no text in Settings") }
        return text
    }
    func integer(_ key: String) -> Int {
        guard case .integer(let number) = all[key] else { preconditionFailure("\(key) is no integer in Settings") }
        return number
    }
    func map(_ key: String) -> [String: String] {
        guard case .map(let texts) = all[key] else { preconditionFailure("\(key) is no map in Settings") }
        return texts
    }
    func optionalMap(_ key: String) -> [String: String]? {
        if case .map(let texts) = all[key] { texts } else { nil }
    }
    func number(_ key: String) -> Double {
        guard case .number(let number) = all[key] else { preconditionFailure("\(key) is no number in Settings") }
        return number
    }
    func duration(_ key: String) -> Duration {
        guard case .duration(let duration) = all[key] else { preconditionFailure("\(key) is no duration in Settings") }
        return duration
    }
    var ruleLimits: RuleLimits {
        var limits = RuleLimits(targetsPerRule: integer("limits.default.targets_per_rule"))
        limits.canGroup = text("ledger.kind") != "postgres"
        for key in all.keys {
            guard let (workspace, limit) = Settings.limited(key), limit == Settings.targets else { continue }
            limits.perWorkspace[workspace] = integer(key)
        }
        limits.quotas = QuotaKeys.ceilings(self)
        return limits
    }
    func list(_ key: String) -> [String] {
        guard let items = optionalList(key) else { preconditionFailure("\(key) is no list in Settings") }
        return items
    }
    func optionalList(_ key: String) -> [String]? {
        if case .list(let items) = all[key] { items } else { nil }
    }
    func flag(_ key: String) -> Bool? {
        if case .flag(let flag) = all[key] { flag } else { nil }
    }
    var http: Configuration.HTTP {
        guard case .address(let host, let port) = all["http.listen"] else {
            preconditionFailure("http.listen is no address in Settings")
        }
        return Configuration.HTTP(host: host, port: port, tokensFile: optionalText("http.tokens_file"))
    }
}
