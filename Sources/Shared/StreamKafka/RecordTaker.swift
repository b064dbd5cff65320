import CKafka
import CarillonEvents
package import CarillonStream

// Headers decide first. A record whose type no rule wants is counted and let go: its body is not copied and nothing is
// allocated for it. What is wanted becomes structured JSON in the batch's buffer, checked as at any other door.

/// Takes records of one partition from the library into a batch.
struct RecordTaker {
    /// A batch ends here, so that large events do not fill the memory.
    private static let batchBytes = 4 << 20
    private static let chunk = 512

    var filter: (any RecordFilter)?
    /// The offsets below the last batch's end that had no record.
    private(set) var holes: [Range<Offset>]?
    private let clock: any Clock
    private let messages: MessageBuffer

    init(clock: any Clock) {
        self.clock = clock
        messages = MessageBuffer(capacity: Self.chunk)
    }

    /// Up to `limit` records, kept and dropped; `nil` when nothing happened.
    ///
    /// - Throws: `StreamError`; what was taken before is gone from the library's queue then, so seek.
    mutating func take(
        from feed: PartitionFeed, as partition: Partition, _ limit: Int
    ) throws(StreamError) -> RecordBatch? {
        holes = nil
        if let emptied = feed.emptied, let expected = feed.expected {
            feed.emptied = nil
            var batch = RecordBatch(partition: partition, expected: expected)
            batch.emptied = emptied
            return batch
        }
        defer { messages.clear() }
        var wanted = min(limit, Self.chunk)
        var count = messages.fill(from: feed, wanted)
        guard count > 0 else { return nil }
        var next = unsafe feed.expected ?? messages[0].pointee.offset
        var batch = RecordBatch(partition: partition, expected: next)
        (batch.isChecked, batch.lost) = (true, 0)
        var left = limit
        let now = clock.now()
        while true {
            for index in 0..<count { try unsafe take(messages[index], of: feed, now, &next, into: &batch) }
            left -= count
            guard count == wanted, left > 0, batch.bytes.count < Self.batchBytes else { break }
            wanted = min(left, Self.chunk)
            count = messages.fill(from: feed, wanted)
        }
        batch.passed = next
        return batch.next > batch.expected ? batch : nil
    }

    private mutating func take(
        _ message: UnsafeMutablePointer<rd_kafka_message_t>, of feed: PartitionFeed, _ now: Timestamp,
        _ next: inout Offset, into batch: inout RecordBatch
    ) throws(StreamError) {
        let (code, offset) = unsafe (message.pointee.err, message.pointee.offset)
        let isEnd = code == RD_KAFKA_RESP_ERR__PARTITION_EOF
        guard isEnd || code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let failure = KafkaFailure(code)
            if failure.isPassing { return }
            throw failure.error(doing: "read \(feed.place.topic)/\(feed.place.partition)")
        }
        guard offset >= next else {
            throw StreamError(
                .corrupt, doing: "go on at \(next) of \(feed.place.topic)/\(feed.place.partition)",
                cause: "it ends at \(offset): the topic was made anew or an older copy put back; give it another name")
        }
        if offset > next { holes = (holes ?? []) + [next..<offset] }
        next = isEnd ? offset : offset + 1
        if isEnd { return }
        let record = unsafe RawRecord(message)
        if let filter, !record.isWanted(by: filter, orElse: feed.workspace) {
            batch.dropped += 1
            return
        }
        // Of a producer's clock only what is not ahead of ours is believed, and time never steps back.
        feed.appended = max(feed.appended, min(record.time ?? now, now))
        record.append(to: &batch, orElse: feed.workspace, at: feed.appended)
    }
}

/// Room for a chunk of messages, and their owner until the chunk is done.
@safe final class MessageBuffer {
    private let room: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
    private let capacity: Int
    private var count = 0

    init(capacity: Int) {
        self.capacity = capacity
        unsafe room = .allocate(capacity: capacity)
    }

    deinit {
        clear()
        unsafe room.deallocate()
    }

    /// Takes what is there, without waiting.
    func fill(from feed: PartitionFeed, _ wanted: Int) -> Int {
        clear()
        count = max(0, unsafe rd_kafka_consume_batch_queue(feed.queue, 0, room, min(wanted, capacity)))
        return count
    }

    /// Takes what is there, and waits a while for one when nothing is.
    func fill(from partition: Partition, of topic: OpaquePointer, _ wanted: Int, milliseconds: Int32) -> Int {
        clear()
        // Given a time the library waits until all is there that was asked for.
        count = max(0, unsafe rd_kafka_consume_batch(topic, partition, 0, room, min(wanted, capacity)))
        if count == 0 { count = max(0, unsafe rd_kafka_consume_batch(topic, partition, milliseconds, room, 1)) }
        return count
    }

    subscript(index: Int) -> UnsafeMutablePointer<rd_kafka_message_t> {
        guard index < count, let message = unsafe room[index] else {
            preconditionFailure("a message was asked for that was not filled")
        }
        return unsafe message
    }

    func clear() {
        for index in 0..<count { if let message = unsafe room[index] { unsafe rd_kafka_message_destroy(message) } }
        count = 0
    }
}

extension RecordBatch {
    /// Counts offsets without a record: below the partition's earliest one they were lost, above nobody wrote them.
    package mutating func count(_ empty: [Range<Offset>], lostBelow low: Offset) {
        let gap = empty.reduce(0) { $0 + max(0, min($1.upperBound, low) - $1.lowerBound) }
        lost = gap
        holes = empty.reduce(0) { $0 + Int64($1.count) } - gap
    }
}
