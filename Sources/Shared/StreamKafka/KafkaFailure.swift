import CKafka
import CarillonStream

// librdkafka's errors become ours, with what to do about those that do not pass by themselves.

/// An error code of librdkafka.
struct KafkaFailure {
    let code: rd_kafka_resp_err_t
    /// The library's words, where it has better ones than the code's.
    var words: String?

    init(_ code: rd_kafka_resp_err_t, _ words: String? = nil) { (self.code, self.words) = (code, words) }

    var kind: StreamError.Kind {
        if Self.away.contains(code) { return .unreachable }
        if Self.absent.contains(code) { return .missing }
        if Self.large.contains(code) { return .tooLarge }
        switch code {
        case RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED: return .full
        case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS: return .busy
        default: return .other
        }
    }

    /// Whether the library can go on after it by itself.
    var isPassing: Bool { kind == .unreachable || kind == .busy || kind == .full }

    /// Whether another client of the same name has taken our place.
    var isFence: Bool { [RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, RD_KAFKA_RESP_ERR__FENCED].contains(code) }

    var cause: String {
        let text = unsafe words ?? String(cString: rd_kafka_err2str(code))
        return advice.map { "\(text); \($0)" } ?? text
    }

    func error(doing: String) -> StreamError { StreamError(kind, doing: doing, cause: cause) }

    private var advice: String? {
        switch code {
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
            "check sasl.* in stream.properties"
        case RD_KAFKA_RESP_ERR__SSL: "check ssl.* and security.protocol in stream.properties"
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            "the principal needs READ to read the topic, WRITE to publish, and CREATE to make it"
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED: "the principal needs READ on the group worker.group names"
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            "the principal needs IDEMPOTENT_WRITE on the cluster, or WRITE on the topic where brokers are 2.8 or newer"
        case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, RD_KAFKA_RESP_ERR__FENCED:
            "another worker has the same group.instance.id; give each its own"
        case RD_KAFKA_RESP_ERR_POLICY_VIOLATION, RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
            "make the topic with the cluster's own tools"
        case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
            "another member of worker.group does not assign cooperative-sticky; give this deployment its own group"
        default: nil
        }
    }

    private static let away: [rd_kafka_resp_err_t] = [
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
        RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
        RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__WAIT_CACHE,
        RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__RETRY,
        RD_KAFKA_RESP_ERR__STATE, RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS,
        RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
        RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    ]
    private static let absent: [rd_kafka_resp_err_t] = [
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
        RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
    ]
    private static let large: [rd_kafka_resp_err_t] = [
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
        RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
    ]
}

/// Makes a call that answers with a code.
func calling(_ doing: @autoclosure () -> String, _ call: () -> rd_kafka_resp_err_t) throws(StreamError) {
    let code = call()
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaFailure(code).error(doing: doing()) }
}

/// Makes a call that answers with an error object, or none.
func calling(_ doing: @autoclosure () -> String, _ call: () -> OpaquePointer?) throws(StreamError) {
    guard let error = unsafe call() else { return }
    defer { unsafe rd_kafka_error_destroy(error) }
    throw unsafe KafkaFailure(rd_kafka_error_code(error), String(cString: rd_kafka_error_string(error))).error(
        doing: doing())
}
