import CarillonStream
import CarillonStreamKafka
import Foundation

// How a configuration becomes a stream on Kafka.

extension Configuration {
    /// Opens the topics that are there.
    func kafkaStream() throws(StreamError) -> KafkaStream { try KafkaStream.open(kafka(), clock: clock) }

    /// Opens the topics, making those that are not there.
    ///
    /// - Parameter settling: how long a reader looks on before it joins its group.
    func createKafkaStream(settling: Duration = .zero) throws(StreamError) -> KafkaStream {
        var kafka = try kafka()
        kafka.settling = settling
        return try KafkaStream.create(kafka, clock: clock)
    }

    private func kafka() throws(StreamError) -> KafkaStream.Configuration {
        var properties: [String: String] = [:]
        for (key, value) in stream.properties {
            guard key.hasSuffix("_file") else {
                properties[key] = value
                continue
            }
            do {
                let text = try String(contentsOfFile: absolute(value, base: folderOfFile), encoding: .utf8)
                properties[String(key.dropLast("_file".count))] = text.trimmingCharacters(in: .newlines)
            } catch { throw StreamError(.other, doing: "read stream.properties.\(key)", cause: reason(error)) }
        }
        return KafkaStream.Configuration(
            topics: stream.topics, properties: properties, partitions: stream.partitions, retention: stream.retention)
    }

    private var folderOfFile: String {
        file.map { (absolute($0) as NSString).deletingLastPathComponent } ?? home
    }

    /// What does not go together where the stream is on Kafka.
    var kafkaContradictions: [(keys: [String], words: String)] {
        guard stream.kind == .kafka else { return [] }
        var found: [(keys: [String], words: String)] = []
        let hasServers = ["bootstrap.servers", "metadata.broker.list"].contains { stream.properties[$0] != nil }
        if !hasServers {
            found.append(
                (
                    ["stream.properties", "stream.kind"],
                    "stream.properties has no bootstrap.servers; write "
                        + "stream: {kind: kafka, properties: {bootstrap.servers: \"kafka:9092\"}}"
                ))
        }
        if values.text("ledger.kind") == "sqlite", !ledger.isSingleHost {
            found.append(
                (
                    ["ledger.single_host", "stream.kind"],
                    "Kafka with a SQLite ledger works on one machine only, as two would have two ledgers: write "
                        + "ledger.single_host: true when all workers run on this one"
                ))
        }
        return found
    }
}
