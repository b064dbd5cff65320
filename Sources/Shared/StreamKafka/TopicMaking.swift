import CKafka
import CarillonStream

// Topics are made by workers and servers only. Sane for what Carillon keeps: times given by the broker, so that no
// producer's clock decides about windows; two copies written before an acknowledgement where there are three.

extension KafkaClient {
    /// Makes topics; one that another made meanwhile is fine.
    func make(_ names: [String], partitions: Partition, copies: Int, retention: Duration) throws(StreamError) {
        let doing = "make the topic \(names.joined(separator: ", "))"
        var topics: [OpaquePointer?] = unsafe []
        defer {
            unsafe topics.forEach { unsafe rd_kafka_NewTopic_destroy($0) }
        }
        for name in names {
            guard let topic = unsafe rd_kafka_NewTopic_new(name, partitions, Int32(copies), nil, 0) else {
                throw StreamError(.other, doing: doing, cause: "Kafka cannot have a topic of that name")
            }
            unsafe topics.append(topic)
            let settings = [
                ("retention.ms", "\(retention.components.seconds * 1000)"), ("cleanup.policy", "delete"),
                ("message.timestamp.type", "LogAppendTime"), ("min.insync.replicas", copies >= 3 ? "2" : "1"),
            ]
            for (name, value) in settings { unsafe _ = rd_kafka_NewTopic_set_config(topic, name, value) }
        }
        guard let queue = unsafe rd_kafka_queue_new(raw) else { throw StreamError(.other, doing: doing) }
        defer { unsafe rd_kafka_queue_destroy(queue) }
        unsafe rd_kafka_CreateTopics(raw, &topics, topics.count, nil, queue)
        guard let event = unsafe rd_kafka_queue_poll(queue, 30_000) else {
            throw StreamError(.unreachable, doing: doing, cause: "no answer within 30 s")
        }
        defer { unsafe rd_kafka_event_destroy(event) }
        try unsafe check(event, doing)
    }

    private func check(_ event: OpaquePointer, _ doing: String) throws(StreamError) {
        let code = unsafe rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaFailure(code, unsafe String(cString: rd_kafka_event_error_string(event))).error(doing: doing)
        }
        var count = 0
        guard let answer = unsafe rd_kafka_event_CreateTopics_result(event),
            let results = unsafe rd_kafka_CreateTopics_result_topics(answer, &count)
        else { return }
        for index in 0..<count {
            let code = unsafe rd_kafka_topic_result_error(results[index])
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS else {
                let words = unsafe rd_kafka_topic_result_error_string(results[index]).map { unsafe String(cString: $0) }
                throw KafkaFailure(code, words).error(doing: doing)
            }
        }
    }
}
