import CKafka
import CarillonEvents
import CarillonKit
import CarillonStream
import CarillonStreamKafka
import KafkaCluster
import Testing

/// Appends records as they are, as another program might.
@safe final class RawProducer {
    private let raw: OpaquePointer
    private let topic: OpaquePointer

    init(_ servers: String, topic name: String) throws {
        let configuration = unsafe try #require(unsafe rd_kafka_conf_new())
        unsafe rd_kafka_conf_set(configuration, "bootstrap.servers", servers, nil, 0)
        unsafe rd_kafka_conf_set(configuration, "partitioner", "murmur2_random", nil, 0)
        unsafe raw = try #require(unsafe rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0))
        unsafe topic = try #require(unsafe rd_kafka_topic_new(raw, name, nil))
    }

    deinit {
        unsafe rd_kafka_topic_destroy(topic)
        unsafe rd_kafka_destroy(raw)
    }

    func append(_ headers: [(String, [UInt8])], key: String = "", _ value: String) {
        let list = unsafe rd_kafka_headers_new(headers.count)
        for (name, value) in headers { unsafe rd_kafka_header_add(list, name, -1, value, value.count) }
        let bytes = Array(value.utf8)
        let code = unsafe carillon_produce(
            raw, topic, Array(key.utf8), key.utf8.count, bytes, bytes.count, list, 1_767_600_000_000, nil)
        #expect(code == RD_KAFKA_RESP_ERR_NO_ERROR)
        #expect(unsafe rd_kafka_flush(raw, 30_000) == RD_KAFKA_RESP_ERR_NO_ERROR)
    }

    func append(_ headers: [(String, String)], key: String = "", _ value: String) {
        append(headers.map { ($0.0, Array($0.1.utf8)) }, key: key, value)
    }
}

@Suite("Kafka: what other programs write is read", .timeLimit(.minutes(5)), .ownThreads)
struct KafkaRecords {
    private static let least = [
        ("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_source", "/s"), ("ce_type", "job.failed"),
    ]

    /// The batches of a topic that others wrote to.
    private func read(_ records: (RawProducer) -> Void, count: Int, filter: (any RecordFilter)? = nil) throws
        -> [RecordBatch]
    {
        let bed = try KafkaMock.shared.get().bed(1, WallByHand())
        records(try RawProducer(KafkaMock.shared.get().servers, topic: bed.configuration.topics[0]))
        return try batches(of: bed, count: count, filter: filter)
    }

    private func batches(
        of bed: KafkaBed, count: Int, filter: (any RecordFilter)? = nil
    ) throws -> [RecordBatch] {
        let reader = try bed.reader(group: "g")
        defer { reader.close() }
        reader.keep(only: filter)
        var batches: [RecordBatch] = []
        while batches.reduce(0, { $0 + $1.read }) < count {
            switch try reader.poll(wait: .seconds(30)) {
            case .assigned(let partitions): for partition in partitions { try reader.seek(partition, to: nil) }
            case .records(let batch): batches.append(batch)
            case .revoked, .nothing: break
            }
        }
        return batches
    }

    private func texts(_ batches: [RecordBatch]) -> [(key: String, type: String, value: String)] {
        batches.flatMap { batch in
            batch.records.map { record in
                let part = { (slice: Slice) in String(decoding: batch.bytes[slice.range], as: UTF8.self) }
                return (part(record.key), part(record.type), part(record.value))
            }
        }
    }

    @Test("a content type that begins with application/cloudevents, in any case, is structured mode")
    func structured() throws {
        let event =
            #"{"specversion":"1.0","id":"1","source":"/s","type":"t","workspace":"w","time":"2026-01-05T08:00:00Z"}"#
        let batches = try read(
            { producer in
                producer.append([("content-type", "Application/CloudEvents+json; charset=UTF-8")], event)
                producer.append([(String, String)](), event)
            }, count: 2)
        #expect(texts(batches).map(\.value) == [event, event])
        #expect(texts(batches).map(\.key) == ["w", "w"])
    }

    @Test("binary mode: attributes are raw UTF-8, data is carried byte for byte, a missing time is the record's")
    func binary() throws {
        let batches = try read(
            { producer in
                producer.append(
                    Self.least + [
                        ("ce_subject", "任务失败"), ("ce_partitionkey", "ws-7"), ("content-type", "application/json"),
                    ],
                    key: "ws-7", #"{"name": "😀"}"#)
            }, count: 1)
        let expected =
            #"{"workspace":"ws-7","time":"2026-01-05T08:00:00.000Z","specversion":"1.0","id":"1","source":"/s","#
            + #""type":"job.failed","subject":"任务失败","partitionkey":"ws-7","datacontenttype":"application/json","#
            + #""data":{"name": "😀"}}"#
        #expect(texts(batches).first?.value == expected)
        #expect(batches.first?.mismatched == 0)
    }

    @Test("the workspace is the header's, else the partition key's, else the record key's; a mismatch is counted")
    func workspace() throws {
        let batches = try read(
            { producer in
                producer.append(Self.least + [("ce_workspace", "a"), ("ce_partitionkey", "a")], key: "a", "")
                producer.append(Self.least + [("ce_workspace", "b")], key: "another", "")
                producer.append(Self.least + [("ce_partitionkey", "c")], key: "c", "")
                producer.append(Self.least, key: "d", "")
            }, count: 4)
        #expect(texts(batches).map(\.key) == ["a", "b", "c", "d"])
        #expect(batches.reduce(0) { $0 + $1.mismatched } == 1)
    }

    @Test("a topic of a pattern names the workspace of records that name none, and positions are kept by topic")
    func pattern() throws {
        let mock = try KafkaMock.shared.get()
        let tag = try mock.topic(1)
        for name in ["vision", "speech"] {
            try mock.tell("topic \(tag)-\(name) 1 1")
            try RawProducer(mock.servers, topic: "\(tag)-\(name)").append(Self.least, "")
        }
        let bed = KafkaBed(
            configuration: KafkaStream.Configuration(
                topics: ["^\(tag)-.*"], properties: ["bootstrap.servers": mock.servers]), clock: WallByHand())
        let reader = try bed.reader(group: "g")
        let places = try reader.partitions().map { reader.place(of: $0) }
        reader.close()
        #expect(Set(places.map(\.stream)).count == 2 && places.allSatisfy { $0.partition == 0 })
        #expect(try Set(texts(batches(of: bed, count: 2)).map(\.key)) == ["vision", "speech"])
        // And what is published goes to its workspace's topic.
        try bed.appender().append([event("vision", "hello")])
        #expect(try KafkaStream.open(bed.configuration).ends().map { $0.partitions[0]?.next } == [1, 2])
    }

    @Test("what is no event is kept with its reason, and what follows is read")
    func refused() throws {
        let batches = try read(
            { producer in
                producer.append([("ce_type", "job.failed"), ("ce_id", "1")], key: "w", "{}")
                producer.append([("ce_type", Array("t".utf8)), ("ce_subject", [0xff])], key: "w", "not utf-8")
                producer.append([(String, String)](), "just text")
                producer.append(Self.least, key: "w", "")
            }, count: 4)
        let refused = batches.flatMap(\.refused)
        #expect(refused.count == 3)
        #expect(refused[0].reason.contains("'specversion' is missing"))
        #expect(refused[1].reason.contains("'ce_subject' is not UTF-8"))
        #expect(texts(batches)[0].value == #"{"type":"job.failed","id":"1","data":{}}"#)
        #expect(texts(batches)[2].value == "just text")
        #expect(texts(batches)[3].type == "job.failed")
    }

    @Test("offsets without a record were lost below the earliest one, and are holes above")
    func holes() {
        var batch = RecordBatch(partition: 0, expected: 10)
        batch.count([10..<14, 20..<21, 30..<33], lostBelow: 12)
        #expect(batch.gap == 2 && batch.holes == 6)
        batch.count([10..<14], lostBelow: 40)
        #expect(batch.gap == 4 && batch.holes == 0)
    }

    private struct OnlyFailures: RecordFilter {
        private static func spells(_ word: String, _ bytes: Span<UInt8>) -> Bool {
            (0..<bytes.count).map { bytes[$0] }.elementsEqual(word.utf8)
        }
        func wants(workspace: Span<UInt8>, type: Span<UInt8>) -> Bool {
            Self.spells("w", workspace) && Self.spells("job.failed", type)
        }
    }

    @Test("what the filter does not want is counted and not copied; the position passes it")
    func filtered() throws {
        let batches = try read(
            { producer in
                producer.append(Self.least, key: "w", "kept")
                for _ in 0..<5 { producer.append(Self.least, key: "another", "{}") }
                producer.append(Self.least.dropLast() + [("ce_type", "job.running")], key: "w", "{}")
            }, count: 7, filter: OnlyFailures())
        #expect(batches.flatMap(\.records).count == 1)
        #expect(batches.reduce(0) { $0 + $1.dropped } == 6)
        #expect(batches.last?.next == 7 && batches.reduce(0) { $0 + $1.gap } == 0)
        #expect(batches.filter { $0.records.isEmpty }.allSatisfy { $0.bytes.isEmpty })
    }
}

@Suite("Kafka: what goes wrong is told, with what to do", .timeLimit(.minutes(5)), .ownThreads)
struct KafkaTroubles {
    @Test("brokers that are away refuse for now, and what is appended again arrives")
    func brokersAway() throws {
        let mock = try KafkaMock(brokers: 1)
        var bed = try mock.bed(1, WallByHand())
        var properties = bed.configuration.properties
        properties["message.timeout.ms"] = "1000"
        bed = KafkaBed(
            configuration: KafkaStream.Configuration(topics: bed.configuration.topics, properties: properties),
            clock: bed.clock)
        let appender = try bed.appender()
        try appender.append([event("w", "0")])
        try mock.tell("down 1")
        let error = #expect(throws: StreamError.self) { try appender.append([event("w", "1")]) }
        #expect(error?.kind == .unreachable && error?.isRetriable == true)
        #expect(error?.cause?.contains("appending them again makes good") == true)
        try mock.tell("up 1")
        var isIn = false
        while !isIn { isIn = (try? appender.append([event("w", "1")])) != nil }
        let pump = try Pump(bed)
        try pump.run { Set($0.seen.map(\.text)) == ["0", "1"] }
        pump.reader.close()
    }

    @Test("an answer that a broker refuses for now is asked again within the append")
    func passingErrors() throws {
        let mock = try KafkaMock(brokers: 1)
        let bed = try mock.bed(1, WallByHand())
        let appender = try bed.appender()
        // Produce, NOT_LEADER_FOR_PARTITION
        try mock.tell("errors 0 6 3")
        try appender.append((0..<20).map { event("w", "\($0)") })
        let pump = try Pump(bed)
        try pump.run { $0.seen.count >= 20 }
        #expect(pump.seen.map(\.text) == (0..<20).map { "\($0)" })
        pump.reader.close()
    }

    @Test("a reader that leaves while it joins takes nothing with it", arguments: 1...8)
    func leavesWhileJoining(milliseconds: Int) throws {
        let bed = try KafkaMock.shared.get().bed(1, WallByHand())
        for _ in 0..<3 {
            let reader = try bed.reader(group: "g")
            if case .records = try reader.poll(wait: .milliseconds(milliseconds * milliseconds)) {
                Issue.record("read before its seek")
            }
            reader.close()
        }
    }

    @Test("a topic that is not there is missing; publishers do not make it")
    func missing() throws {
        let mock = try KafkaMock.shared.get()
        let error = #expect(throws: StreamError.self) {
            try KafkaStream.open(
                KafkaStream.Configuration(topics: ["nowhere"], properties: ["bootstrap.servers": mock.servers]))
        }
        #expect(error?.kind == .missing)
    }

    @Test(
        "a property that does not exist, or that promises rest on, is refused by name",
        arguments: [
            ("bootstrap.server", "x"), ("acks", "1"), ("enable.idempotence", "false"), ("partitioner", "random"),
        ])
    func properties(name: String, value: String) throws {
        let mock = try KafkaMock.shared.get()
        let error = #expect(throws: StreamError.self) {
            try KafkaStream.open(
                KafkaStream.Configuration(
                    topics: [try mock.topic(1)], properties: ["bootstrap.servers": mock.servers, name: value])
            ).appender()
        }
        #expect(error?.isRetriable == false)
        #expect(error?.description.contains(name) == true)
    }

    @Test("after a fatal error of librdkafka another client appends")
    func producerDies() throws {
        let bed = try KafkaMock.shared.get().bed(1, WallByHand())
        let appender = try bed.appender()
        try appender.append([event("w", "0")])
        try #require(appender as? any MortalClient).dieForGood()
        let error = #expect(throws: StreamError.self) { try appender.append([event("w", "1")]) }
        #expect(error?.isRetriable == true)
        try appender.append([event("w", "1")])
        let pump = try Pump(bed)
        try pump.run { Set($0.seen.map(\.text)) == ["0", "1"] }
        pump.reader.close()
    }

    @Test("after a fatal error of librdkafka another client reads on, from where the ledger stands")
    func readerDies() throws {
        let bed = try KafkaMock.shared.get().bed(1, WallByHand())
        let appender = try bed.appender()
        try appender.append([event("w", "0")])
        let reader = try bed.reader(group: "dies")
        defer { reader.close() }
        #expect(try next(of: reader, from: nil).map(\.offset) == [0])
        try #require(reader as? any MortalClient).dieForGood()
        guard case .revoked([0]) = try reader.poll(wait: .seconds(30)) else {
            Issue.record("what was ours is told to be lost")
            return
        }
        let error = #expect(throws: StreamError.self) { try reader.poll(wait: .seconds(1)) }
        #expect(error?.isRetriable == true && error?.description.contains("as a test wanted it") == true)
        try appender.append([event("w", "1")])
        #expect(try next(of: reader, from: 1).map(\.offset) == [1])
    }

    /// The next records, with what is assigned sought to an offset.
    private func next(of reader: any StreamReader, from offset: Offset?) throws -> [RecordBatch.Record] {
        while true {
            switch try reader.poll(wait: .seconds(30)) {
            case .assigned(let partitions): for partition in partitions { try reader.seek(partition, to: offset) }
            case .records(let batch): return batch.records
            case .revoked, .nothing: break
            }
        }
    }

    @Test(
        "what TLS and SASL are told reaches librdkafka, which names what it cannot do; no secret is in the words",
        arguments: [
            (["security.protocol": "ssl", "ssl.ca.location": "/nowhere.pem"], "ssl.ca.location"),
            (["security.protocol": "sasl_plaintext", "sasl.mechanism": "NOPE"], "NOPE"),
            (["security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-512"], "sasl.username"),
        ])
    func security(given: [String: String], named: String) throws {
        let mock = try KafkaMock.shared.get()
        let properties = ["bootstrap.servers": mock.servers, "sasl.password": "hunter2"].merging(given) { $1 }
        let error = #expect(throws: StreamError.self) {
            try KafkaStream.open(KafkaStream.Configuration(topics: [try mock.topic(1)], properties: properties))
        }
        #expect(
            error?.isRetriable == false && error?.description.contains(named) == true, "\(String(describing: error))")
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test("a broker that speaks no TLS is away, as is one whose password is another")
    func securityAgainstNone() throws {
        let mock = try KafkaMock.shared.get()
        let properties = [
            "bootstrap.servers": mock.servers, "security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN",
            "sasl.username": "carillon", "sasl.password": "hunter2",
        ]
        let error = #expect(throws: StreamError.self) {
            try KafkaStream.open(KafkaStream.Configuration(topics: [try mock.topic(1)], properties: properties))
        }
        #expect(error?.isRetriable == true && error?.description.contains("hunter2") == false)
    }

    @Test("a reader may settle before it joins its group; one that leaves meanwhile was no member")
    func settles() throws {
        let clock = WallByHand()
        var configuration = try KafkaMock.shared.get().bed(1, clock).configuration
        configuration.settling = .seconds(2)
        let stream = try KafkaStream.open(configuration, clock: clock)
        let began = clock.uptime()
        let reader = try stream.reader(group: "settles")
        while true {
            if case .assigned = try reader.poll(wait: .seconds(30)) { break }
        }
        #expect(clock.uptime() - began >= .seconds(2))
        reader.close()
        let brief = try stream.reader(group: "settles")
        if case .assigned = try brief.poll(wait: .milliseconds(10)) { Issue.record("joined too early") }
        brief.close()
    }
}
