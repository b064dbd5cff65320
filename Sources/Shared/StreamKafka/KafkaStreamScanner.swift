import CKafka
import CarillonEvents
import CarillonStream

// The library's plain consumer: a member of no group, so it needs no right to one and moves nobody's position. It reads
// one partition at a time, ahead of whoever asks, and stops when another place is asked for.

/// Reads topics beside their groups.
@safe final class KafkaStreamScanner: StreamScanner {
    private static let batchBytes = 4 << 20
    private static let chunk = 512
    /// How long nothing may come from a partition that has more.
    private static let patience = Duration.seconds(30)
    private static let turn: Int32 = 200

    private let stream: KafkaStream
    private let client: KafkaClient
    private let messages = MessageBuffer(capacity: KafkaStreamScanner.chunk)
    private var atlas: PartitionAtlas
    private var topics: [String: OpaquePointer] = unsafe [:]
    /// What the library reads, and the next offset that it has not handed out.
    private var reading: (partition: Partition, next: Offset)?
    /// The latest time of a record of what is read, which no later one precedes.
    private var appended = Timestamp(milliseconds: .min)

    init(_ stream: KafkaStream) throws(StreamError) {
        self.stream = stream
        client = try unsafe KafkaClient(.scanner, stream)
        atlas = PartitionAtlas(try client.cluster(stream.topics))
    }

    deinit {
        stop()
        messages.clear()
        while let (_, topic) = unsafe topics.popFirst() { unsafe rd_kafka_topic_destroy(topic) }
    }

    func ends() throws(StreamError) -> [Partition: StreamEnds.Ends] {
        atlas.add(try client.cluster(stream.topics))
        let found = try client.ends(of: atlas.all.map { atlas.topicPartition($0) })
        var ends: [Partition: StreamEnds.Ends] = [:]
        for partition in atlas.all { ends[partition] = found[atlas.topicPartition(partition)] }
        return ends
    }

    func place(of partition: Partition) -> Place { atlas.place(of: partition) }

    // MARK: - By time

    func offset(in partition: Partition, since moment: Timestamp) throws(StreamError) -> Offset {
        let place = atlas.topicPartition(partition)
        guard let ends = try client.ends(of: [place])[place] else { return 0 }
        guard moment.milliseconds > 0, ends.low < ends.next else {
            return moment.milliseconds > 0 ? ends.next : ends.low
        }
        do throws(StreamError) {
            let answer = try client.offsets(of: [place], at: moment.milliseconds)[place] ?? -1
            if answer >= 0 { return min(max(answer, ends.low), ends.next) }
        } catch  where !error.isRetriable {}  // a broker that knows no times
        return try search(partition, ends, since: moment)
    }

    /// Halves: for brokers that do not answer by time, and for what no record is as young as.
    private func search(
        _ partition: Partition, _ ends: StreamEnds.Ends, since moment: Timestamp
    ) throws(StreamError) -> Offset {
        if let last = try record(in: partition, at: ends.next - 1, before: ends.next), last.time < moment {
            return ends.next
        }
        var (low, high) = ends
        while low < high {
            let middle = low + (high - low) / 2
            if let record = try record(in: partition, at: middle, before: high), record.time < moment {
                low = record.offset + 1
            } else {
                high = middle
            }
        }
        return low
    }

    /// The first record from a place on.
    private func record(
        in partition: Partition, at offset: Offset, before end: Offset
    ) throws(StreamError) -> (offset: Offset, time: Timestamp)? {
        let batch = try read(partition, from: offset, to: end, limit: 1)
        return batch.records.first.map { ($0.offset, $0.appended) }
    }

    // MARK: - Reading

    func read(_ partition: Partition, from: Offset, to: Offset, limit: Int) throws(StreamError) -> RecordBatch {
        var scan = Scan(batch: RecordBatch(partition: partition, expected: from), next: from, end: to)
        guard from < to, limit > 0 else { return scan.batch }
        do throws(StreamError) {
            let topic = try unsafe go(to: partition, from)
            try unsafe fill(&scan, from: topic, limit)
            if !scan.holes.isEmpty {
                // Offsets without a record are a loss only where retention was.
                let place = atlas.topicPartition(partition)
                let low = try client.ends(of: [place])[place]?.low ?? 0
                scan.batch.count(scan.holes, lostBelow: low)
            }
        } catch {
            stop()
            throw error
        }
        scan.batch.passed = scan.next
        if scan.isOver { stop() } else { reading = (partition, scan.next) }
        return scan.batch
    }

    /// A batch that is being read.
    private struct Scan {
        var batch: RecordBatch
        var next: Offset
        let end: Offset
        /// Whether the library has handed out more than is asked for, or has no more.
        var isOver = false
        /// Offsets without a record.
        var holes: [Range<Offset>] = []

        init(batch: RecordBatch, next: Offset, end: Offset) {
            (self.batch, self.next, self.end) = (batch, next, end)
            (self.batch.isChecked, self.batch.lost) = (true, 0)
        }

        /// Goes on behind what has no record.
        mutating func skip(to offset: Offset) {
            guard offset > next else { return }
            holes.append(next..<offset)
            next = offset
        }
    }

    private func fill(_ scan: inout Scan, from topic: OpaquePointer, _ limit: Int) throws(StreamError) {
        defer { messages.clear() }
        let place = atlas.topicPartition(scan.batch.partition)
        let workspace = Array((stream.topics.workspace(of: place.topic) ?? "").utf8)
        var deadline = stream.clock.uptime() + Self.patience
        while !scan.isOver, scan.next < scan.end, scan.batch.records.count < limit,
            scan.batch.bytes.count < Self.batchBytes
        {
            let wanted = min(limit - scan.batch.records.count, Self.chunk)
            let count = unsafe messages.fill(
                from: place.partition, of: topic, wanted, milliseconds: Self.turn)
            let uptime = stream.clock.uptime()
            if count > 0 { deadline = uptime + Self.patience }
            guard uptime < deadline else {
                throw StreamError(
                    .unreachable, doing: "read \(place.topic)/\(place.partition) at \(scan.next)",
                    cause: "nothing came for \(Self.patience)")
            }
            let now = stream.clock.now()
            for index in 0..<count where !scan.isOver {
                try unsafe take(messages[index], into: &scan, of: place, workspace, now)
            }
        }
    }

    private func take(
        _ message: UnsafeMutablePointer<rd_kafka_message_t>, into scan: inout Scan, of place: TopicPartition,
        _ workspace: [UInt8], _ now: Timestamp
    ) throws(StreamError) {
        let (code, offset) = unsafe (message.pointee.err, message.pointee.offset)
        if code == RD_KAFKA_RESP_ERR__PARTITION_EOF {
            scan.skip(to: min(offset, scan.end))
            scan.isOver = true
            return
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let failure = KafkaFailure(code)
            if failure.isPassing { return }
            throw failure.error(doing: "read \(place.topic)/\(place.partition)")
        }
        guard offset >= scan.next else { return }
        scan.skip(to: min(offset, scan.end))
        guard offset < scan.end else {
            scan.isOver = true
            return
        }
        let record = unsafe RawRecord(message)
        appended = max(appended, min(record.time ?? now, now))
        record.append(to: &scan.batch, orElse: workspace, at: appended)
        scan.next = offset + 1
    }

    /// Has the library read from a place, unless it does.
    private func go(to partition: Partition, _ offset: Offset) throws(StreamError) -> OpaquePointer {
        let place = atlas.topicPartition(partition)
        let topic = try unsafe topic(place.topic)
        if let reading, reading == (partition, offset) { return unsafe topic }
        stop()
        appended = Timestamp(milliseconds: .min)
        guard unsafe rd_kafka_consume_start(topic, place.partition, offset) == 0 else {
            throw KafkaFailure(rd_kafka_last_error()).error(doing: "read \(place.topic)/\(place.partition)")
        }
        reading = (partition, offset)
        return unsafe topic
    }

    private func topic(_ name: String) throws(StreamError) -> OpaquePointer {
        if let known = unsafe topics[name] { return unsafe known }
        guard let made = unsafe rd_kafka_topic_new(client.raw, name, nil) else {
            throw KafkaFailure(rd_kafka_last_error()).error(doing: "read \(name)")
        }
        unsafe topics[name] = made
        return unsafe made
    }

    private func stop() {
        guard let reading else { return }
        self.reading = nil
        messages.clear()
        let place = atlas.topicPartition(reading.partition)
        if let topic = unsafe topics[place.topic] { unsafe _ = rd_kafka_consume_stop(topic, place.partition) }
    }
}
