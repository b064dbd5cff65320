import CKafka
import CarillonStream

// What Carillon tells librdkafka, and what the deployment may tell it. What the promises rest on is not for the
// deployment to change; everything else goes to librdkafka as it is.

/// What a client is for.
enum ClientRole: Equatable {
    /// Appends.
    case producer
    /// Reads as a member of a group.
    case member(group: String)
    /// Only asks.
    case bystander
    /// Reads as a member of no group.
    case scanner

    /// Whether it has records.
    var reads: Bool {
        switch self {
        case .member, .scanner: true
        case .producer, .bystander: false
        }
    }
}

/// The settings of one client.
struct KafkaSettings {
    private let all: [(name: String, value: String)]

    init(_ role: ClientRole, _ properties: [String: String]) throws(StreamError) {
        let fixed = Self.fixed(role)
        for (name, value) in fixed where properties[name].map({ $0 != value }) ?? false {
            throw StreamError(
                .other, doing: "use stream.properties",
                cause: "\(name) is \(value) here, as Carillon's promises rest on it; leave it out")
        }
        let standard = Self.standard(role).filter { properties[$0.0] == nil }
        let given = properties.filter { entry in !fixed.contains { $0.0 == entry.key } }.sorted { $0.key < $1.key }
        all = standard + given.map { ($0.key, $0.value) } + fixed
    }

    /// A configuration of librdkafka; the client it makes owns it, the caller until then.
    func make() throws(StreamError) -> OpaquePointer {
        guard let configuration = unsafe rd_kafka_conf_new() else {
            throw StreamError(.other, doing: "make a Kafka client", cause: "no memory")
        }
        unsafe carillon_no_log(configuration)
        for (name, value) in all {
            let words = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer -> String? in
                let result = unsafe rd_kafka_conf_set(configuration, name, value, buffer.baseAddress, buffer.count)
                return result == RD_KAFKA_CONF_OK ? nil : unsafe buffer.baseAddress.map { unsafe String(cString: $0) }
            }
            if let words {
                unsafe rd_kafka_conf_destroy(configuration)
                // The value may be a secret.
                throw StreamError(
                    .other, doing: "set stream.properties \(name)",
                    cause: words.contains(value) && Self.isSecret(name) ? "its value is not allowed" : words)
            }
        }
        return unsafe configuration
    }

    private static func isSecret(_ name: String) -> Bool {
        ["password", "secret", "key", "jaas", "sasl.oauthbearer"].contains { name.contains($0) }
    }

    /// What the promises rest on.
    private static func fixed(_ role: ClientRole) -> [(String, String)] {
        switch role {
        case .producer: [("acks", "all"), ("enable.idempotence", "true"), ("partitioner", "murmur2_random")]
        case .member(let group):
            [
                ("group.id", group), ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "earliest"), ("partition.assignment.strategy", "cooperative-sticky"),
                ("enable.partition.eof", "true"), ("isolation.level", "read_committed"),
            ]
        case .scanner:
            [
                ("enable.auto.commit", "false"), ("auto.offset.reset", "earliest"), ("enable.partition.eof", "true"),
                ("isolation.level", "read_committed"),
            ]
        case .bystander: []
        }
    }

    /// What a deployment may change.
    private static func standard(_ role: ClientRole) -> [(String, String)] {
        let common = [
            ("client.id", "carillon"), ("topic.metadata.refresh.interval.ms", "30000"),
            // A broker that is back is found within a second, not within ten.
            ("reconnect.backoff.max.ms", "1000"),
        ]
        return switch role {
        case .producer:
            common + [
                ("compression.type", "lz4"), ("linger.ms", "0.5"), ("batch.num.messages", "10000"),
                ("message.timeout.ms", "15000"),
            ]
        // A worker that died is noticed within ten seconds; one that lives polls far more often than every 30.
        case .member: common + [("session.timeout.ms", "10000"), ("allow.auto.create.topics", "false")]
        case .scanner: common + [("allow.auto.create.topics", "false"), ("fetch.wait.max.ms", "50")]
        case .bystander: common
        }
    }
}
