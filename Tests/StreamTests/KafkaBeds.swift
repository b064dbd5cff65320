import CarillonEvents
import CarillonStream
import CarillonStreamKafka
import Foundation
import KafkaCluster
import Testing

extension KafkaMock {
    func bed(_ partitions: Partition, _ clock: WallByHand) throws -> KafkaBed {
        KafkaBed(
            configuration: KafkaStream.Configuration(
                topics: [try topic(partitions)], properties: ["bootstrap.servers": servers]), clock: clock)
    }
}

extension RunningBroker {
    func bed(_ partitions: Partition, _ clock: WallByHand) throws -> KafkaBed {
        let configuration = KafkaStream.Configuration(
            topics: [freshTopic()], properties: ["bootstrap.servers": servers], partitions: partitions)
        // The first question waits until the broker is up.
        _ = try KafkaStream.create(configuration)
        return KafkaBed(configuration: configuration, clock: clock)
    }
}

struct KafkaBed: StreamBed {
    let configuration: KafkaStream.Configuration
    let clock: WallByHand

    // Each call is another client, as of another process.
    func appender() throws -> any StreamAppender { try KafkaStream.open(configuration, clock: clock).appender() }
    func reader(group: String) throws -> any StreamReader {
        try KafkaStream.open(configuration, clock: clock).reader(group: "\(configuration.topics[0])/\(group)")
    }
    func ends() throws -> [Partition: Offset] {
        try KafkaStream.open(configuration, clock: clock).ends().first?.partitions.mapValues(\.next) ?? [:]
    }
    func scanner() throws -> (any StreamScanner)? { try KafkaStream.open(configuration, clock: clock).scanner() }
    func lose(_ partition: Partition, before offset: Offset) throws {
        Issue.record("neither the mock nor librdkafka 2.0 can be asked to remove records of one test")
    }
    func retain(before moment: Timestamp) throws { Issue.record("retention is the cluster's") }
}

extension Backend {
    /// What comes back of an event: Kafka says the content type that its absence means.
    func carried(_ bytes: [UInt8]) -> [UInt8] {
        guard self == .kafkaMock || self == .kafkaBroker,
            let event = try? CloudEvents.prepare(bytes.span, now: Timestamp(milliseconds: 0)),
            let parts = try? CloudEvents.binaryHeaders(of: event, http: false),
            let carried = try? CloudEvents.prepare(
                headers: parts.headers, data: parts.data, http: false, now: Timestamp(milliseconds: 0))
        else { return bytes }
        return carried.bytes
    }
}
