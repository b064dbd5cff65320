public import CarillonEvents
public import CarillonStream
public import CarillonPlatform

// The stream on Kafka, over librdkafka. What is Carillon's and what is Kafka's:
// - A partition's place in the ledger is (`kafka/CLUSTER/TOPIC`, number): topics that come and go move no positions, and
//   a topic of the same name on another cluster is another stream.
// - The ledger's position is the truth: a partition is assigned from there. Kafka's own commit follows as a hint.
// - Events are CloudEvents in binary mode, keyed by their workspace; structured ones are read as well.
// One thread owns a reader; appenders may be shared.

/// A stream of one or more Kafka topics.
public struct KafkaStream: Sendable {
    /// What is known of the topics and of the way to them.
    public struct Configuration: Sendable, Equatable {
        /// Names of topics, or patterns that begin with `^`, as POSIX extended expressions.
        public var topics: [String]
        /// Settings of librdkafka, by their own names; `bootstrap.servers` is one of them.
        public var properties: [String: String]
        /// How many partitions a topic gets when it is made.
        public var partitions: Partition
        /// How long a topic keeps its records when it is made.
        public var retention: Duration
        /// How long a reader looks on before it joins its group.
        ///
        /// A worker that dies as it starts then does not have its whole group rebalance each time; one that was killed and
        /// started again gains nothing by joining sooner, as its old self is a member until its session ends.
        public var settling: Duration = .zero
        /// Makes one.
        public init(
            topics: [String], properties: [String: String], partitions: Partition = 8,
            retention: Duration = .seconds(7 * 86_400)
        ) {
            (self.topics, self.properties) = (topics, properties)
            (self.partitions, self.retention) = (partitions, retention)
        }
    }

    let configuration: Configuration
    let topics: TopicSelection
    let clock: any Clock

    /// Opens a stream whose topics are there.
    ///
    /// - Throws: `StreamError.missing` when a topic is not; a pattern may match none yet.
    public static func open(
        _ configuration: Configuration, clock: any Clock = SystemClock()
    ) throws(StreamError) -> KafkaStream {
        let stream = try KafkaStream(configuration, clock: clock)
        let found = try stream.look()
        let missing = stream.topics.names.filter { name in !found.topics.contains { $0.name == name } }
        guard missing.isEmpty else {
            throw StreamError(
                .missing, doing: "open the topic \(missing.joined(separator: ", "))",
                cause: "\(stream.servers) has none of that name")
        }
        return stream
    }

    /// Makes the topics that are not there, where the cluster lets us, and opens the stream.
    public static func create(
        _ configuration: Configuration, clock: any Clock = SystemClock()
    ) throws(StreamError) -> KafkaStream {
        let stream = try KafkaStream(configuration, clock: clock)
        let found = try stream.look()
        let missing = stream.topics.names.filter { name in !found.topics.contains { $0.name == name } }
        if !missing.isEmpty { try stream.make(missing, brokers: found.brokers) }
        return stream
    }

    private init(_ configuration: Configuration, clock: any Clock) throws(StreamError) {
        (self.configuration, self.clock) = (configuration, clock)
        topics = try TopicSelection(configuration.topics)
    }

    var servers: String { configuration.properties["bootstrap.servers"] ?? "bootstrap.servers" }

    /// A door for publishers; threads may share it.
    public func appender() throws(StreamError) -> any StreamAppender { try KafkaStreamAppender(self) }

    /// A member of a group of readers; one thread uses it.
    public func reader(group: String) throws(StreamError) -> any StreamReader {
        try KafkaStreamReader(self, group: group)
    }

    /// Reads beside the groups: for questions and replays; one thread uses it.
    public func scanner() throws(StreamError) -> any StreamScanner { try KafkaStreamScanner(self) }

    /// The earliest kept and the next offset of each partition of each topic.
    public func ends() throws(StreamError) -> [StreamEnds] {
        let client = try unsafe KafkaClient(.bystander, self)
        let cluster = try client.cluster(topics)
        let all = cluster.topics.flatMap { topic in
            (0..<topic.partitions).map { TopicPartition(topic: topic.name, partition: $0) }
        }
        let ends = try client.ends(of: all)
        return cluster.topics.map { topic in
            var partitions: [Partition: StreamEnds.Ends] = [:]
            for partition in 0..<topic.partitions {
                partitions[partition] = ends[TopicPartition(topic: topic.name, partition: partition)]
            }
            return StreamEnds(stream: cluster.streamName(of: topic.name), partitions: partitions)
        }
    }

    private func look() throws(StreamError) -> Cluster { try unsafe KafkaClient(.bystander, self).cluster(topics) }

    private func make(_ names: [String], brokers: Int) throws(StreamError) {
        try unsafe KafkaClient(.producer, self).make(
            names, partitions: configuration.partitions, copies: min(3, max(1, brokers)),
            retention: configuration.retention)
    }
}

/// A partition as Kafka names it.
struct TopicPartition: Hashable, Sendable {
    let topic: String
    let partition: Partition
}

/// What a cluster has of a stream.
struct Cluster: Sendable {
    /// The cluster's own name; empty when it does not tell one.
    let id: String
    let brokers: Int
    /// The topics of the stream, by name.
    let topics: [(name: String, partitions: Partition)]

    /// What the ledger calls a topic.
    func streamName(of topic: String) -> String { id.isEmpty ? "kafka/\(topic)" : "kafka/\(id)/\(topic)" }
}
