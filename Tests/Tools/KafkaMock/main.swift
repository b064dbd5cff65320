import CKafka
import Glibc

// A Kafka cluster in a process: librdkafka's mock, listening on real ports. Says where, then does what it is told, a line
// at a time, and answers each with "ok"; ends with its parent or at "end".
//
//     kafka-mock BROKERS                    prints "listening HOST:PORT,HOST:PORT"
//     topic NAME PARTITIONS COPIES          makes a topic
//     down BROKER | up BROKER               a broker goes away, comes back
//     slow BROKER MILLISECONDS              a broker answers late
//     errors API CODE COUNT                 the next COUNT requests of that kind are answered with that error
//     leader TOPIC PARTITION BROKER         another broker leads a partition
//     coordinator GROUP BROKER              another broker is a group's coordinator

func say(_ line: String) {
    print(line)
    fflush(nil)
}

/// The cluster and the client it lives in.
@safe struct MockCluster {
    private let raw: OpaquePointer

    init?(brokers: Int32) {
        guard let configuration = unsafe rd_kafka_conf_new() else { return nil }
        unsafe carillon_no_log(configuration)
        guard let client = unsafe rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0),
            let cluster = unsafe rd_kafka_mock_cluster_new(client, brokers)
        else { return nil }
        unsafe raw = unsafe cluster
    }

    var servers: String { unsafe rd_kafka_mock_cluster_bootstraps(raw).map { unsafe String(cString: $0) } ?? "" }

    /// Does what a line says; false when it makes no sense.
    func obey(_ words: [String]) -> Bool {
        let numbers = words.map { Int32($0) ?? 0 }
        switch (words.first ?? "", words.count) {
        case ("topic", 4):
            return unsafe rd_kafka_mock_topic_create(raw, words[1], numbers[2], numbers[3])
                == RD_KAFKA_RESP_ERR_NO_ERROR
        case ("down", 2): unsafe _ = rd_kafka_mock_broker_set_down(raw, numbers[1])
        case ("up", 2): unsafe _ = rd_kafka_mock_broker_set_up(raw, numbers[1])
        case ("slow", 3): unsafe _ = rd_kafka_mock_broker_set_rtt(raw, numbers[1], numbers[2])
        case ("errors", 4):
            let errors = Array(repeating: rd_kafka_resp_err_t(rawValue: numbers[2]), count: Int(numbers[3]))
            unsafe rd_kafka_mock_push_request_errors_array(
                raw, Int16(truncatingIfNeeded: numbers[1]), errors.count, errors)
        case ("leader", 4): unsafe _ = rd_kafka_mock_partition_set_leader(raw, words[1], numbers[2], numbers[3])
        case ("coordinator", 3): unsafe _ = rd_kafka_mock_coordinator_set(raw, "group", words[1], numbers[2])
        default: return false
        }
        return true
    }
}

guard let brokers = CommandLine.arguments.dropFirst().first.flatMap({ Int32($0) }), brokers > 0,
    let cluster = MockCluster(brokers: brokers)
else {
    say("usage: kafka-mock BROKERS")
    exit(2)
}
say("listening \(cluster.servers)")
while let line = readLine(), line != "end" {
    say(cluster.obey(line.split(separator: " ").map(String.init)) ? "ok" : "what is \(line)?")
}
