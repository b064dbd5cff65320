import CKafka
import CarillonEvents
import CarillonStream
import Synchronization

/// Owns one `rd_kafka_t`.
@safe final class KafkaClient: @unchecked Sendable {
    // rdkafka.h, "Thread-safety": "The librdkafka API is completely thread-safe, […] any API function may be called
    // from any of the application's threads at any time."
    let raw: OpaquePointer
    private let role: ClientRole
    /// What the library's callbacks use; outlives the library's threads, which `deinit` ends before it is released.
    private let companion: AnyObject?
    /// Whether the library survives its own end.
    ///
    /// Up to 2.0.2 at least it asserts, when it is destroyed, that a member which joined was given something, if only
    /// nothing. Such a client is left to the end of the process.
    let isDestroyable = Atomic<Bool>(true)
    /// How long a question may take.
    static let patience: Int32 = 10_000

    init(
        _ role: ClientRole, _ stream: KafkaStream, companion: AnyObject? = nil,
        prepare: (OpaquePointer) -> Void = { _ in }
    ) throws(StreamError) {
        (self.role, self.companion) = (role, companion)
        let configuration = try unsafe KafkaSettings(role, stream.configuration.properties).make()
        unsafe prepare(configuration)
        let type = role.reads ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER
        let made = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
            let raw = unsafe rd_kafka_new(type, configuration, buffer.baseAddress, buffer.count)
            let words = unsafe raw == nil ? buffer.baseAddress.map { unsafe String(cString: $0) } : nil
            return unsafe (raw: raw, words: words)
        }
        guard let raw = unsafe made.raw else {
            unsafe rd_kafka_conf_destroy(configuration)
            throw StreamError(.other, doing: "make a Kafka client", cause: unsafe made.words)
        }
        unsafe self.raw = unsafe raw
    }

    deinit {
        guard isDestroyable.load(ordering: .relaxed) else { return }
        if role.reads {
            unsafe rd_kafka_destroy_flags(raw, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        } else {
            unsafe rd_kafka_purge(raw, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
            unsafe rd_kafka_destroy(raw)
        }
    }

    /// The error that ended this client for good, when there is one.
    var fatal: KafkaFailure? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
            let code = unsafe rd_kafka_fatal_error(raw, buffer.baseAddress, buffer.count)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
            return KafkaFailure(code, unsafe buffer.baseAddress.map { unsafe String(cString: $0) })
        }
    }

    /// Ends this client as a fatal error does; for tests.
    func dieForGood() {
        unsafe _ = rd_kafka_test_fatal_error(raw, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, "as a test wanted it")
    }

    /// What the cluster has of the stream.
    func cluster(_ topics: TopicSelection) throws(StreamError) -> Cluster {
        var found: UnsafePointer<rd_kafka_metadata>?
        try calling("ask Kafka for its topics") {
            unsafe rd_kafka_metadata(raw, 1, nil, &found, Self.patience)
        }
        guard let metadata = unsafe found else { return Cluster(id: "", brokers: 0, topics: []) }
        defer { unsafe rd_kafka_metadata_destroy(metadata) }
        var all: [(name: String, partitions: Partition)] = []
        for index in unsafe 0..<Int(metadata.pointee.topic_cnt) {
            let topic = unsafe metadata.pointee.topics[index]
            guard let name = unsafe topic.topic.map({ unsafe String(cString: $0) }), topics.contains(name) else {
                continue
            }
            guard unsafe topic.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw KafkaFailure(unsafe topic.err).error(doing: "look at the topic \(name)")
            }
            all.append((name, unsafe topic.partition_cnt))
        }
        return Cluster(
            id: clusterID(), brokers: Int(unsafe metadata.pointee.broker_cnt), topics: all.sorted { $0.name < $1.name })
    }

    private func clusterID() -> String {
        guard let id = unsafe rd_kafka_clusterid(raw, Self.patience) else { return "" }
        defer { unsafe rd_kafka_mem_free(raw, id) }
        return unsafe String(cString: id)
    }

    /// The earliest kept and the next offset of partitions, in two requests to each broker.
    func ends(of partitions: [TopicPartition]) throws(StreamError) -> [TopicPartition: StreamEnds.Ends] {
        guard !partitions.isEmpty else { return [:] }
        let low = try offsets(of: partitions, at: Int64(RD_KAFKA_OFFSET_BEGINNING))
        let next = try offsets(of: partitions, at: Int64(RD_KAFKA_OFFSET_END))
        var ends: [TopicPartition: StreamEnds.Ends] = [:]
        for partition in partitions {
            guard let low = low[partition], let next = next[partition], low >= 0, next >= 0 else {
                throw StreamError(
                    .unreachable, doing: "ask for the ends of \(partition.topic)/\(partition.partition)",
                    cause: "the broker gave none")
            }
            ends[partition] = (low, next)
        }
        return ends
    }

    /// The first offset of each partition whose record is not older than `time`, or one of Kafka's two special times.
    func offsets(of partitions: [TopicPartition], at time: Int64) throws(StreamError) -> [TopicPartition: Offset] {
        let list = PartitionList(partitions.map { ($0, time) })
        try unsafe list.with { raw throws(StreamError) in
            try calling("ask Kafka for offsets") {
                unsafe rd_kafka_offsets_for_times(self.raw, raw, Self.patience)
            }
        }
        var offsets: [TopicPartition: Offset] = [:]
        for entry in list.entries {
            guard entry.error == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw KafkaFailure(entry.error).error(
                    doing: "ask for the offsets of \(entry.place.topic)/\(entry.place.partition)")
            }
            offsets[entry.place] = entry.offset
        }
        return offsets
    }
}

/// What has a client of librdkafka that a test can end for good.
package protocol MortalClient {
    /// Ends it as a fatal error does.
    func dieForGood()
}

/// Owns one `rd_kafka_topic_partition_list_t`.
@safe final class PartitionList {
    private let raw: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(_ entries: [(TopicPartition, Offset)]) {
        unsafe raw = rd_kafka_topic_partition_list_new(Int32(clamping: max(1, entries.count)))
        for (place, offset) in entries {
            unsafe rd_kafka_topic_partition_list_add(raw, place.topic, place.partition).pointee.offset = offset
        }
    }

    deinit { unsafe rd_kafka_topic_partition_list_destroy(raw) }

    /// Lends the list for one call.
    func with<Result>(
        _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws(StreamError) -> Result
    ) throws(StreamError) -> Result {
        try unsafe body(raw)
    }

    /// What stands in it.
    var entries: [(place: TopicPartition, offset: Offset, error: rd_kafka_resp_err_t)] { unsafe Self.entries(of: raw) }

    /// What stands in a list of the library.
    static func entries(
        of list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
    ) -> [(place: TopicPartition, offset: Offset, error: rd_kafka_resp_err_t)] {
        unsafe (0..<Int(list.pointee.cnt)).map { index in
            let entry = unsafe list.pointee.elems[index]
            let place = TopicPartition(topic: unsafe String(cString: entry.topic), partition: unsafe entry.partition)
            return (place, unsafe entry.offset, unsafe entry.err)
        }
    }
}
