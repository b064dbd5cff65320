import CKafka
import CarillonEvents
import CarillonStream

/// One partition of ours: its own queue, and where reading stands.
///
/// One thread uses it.
@safe final class PartitionFeed {
    /// How far the library has been told.
    enum Phase: Equatable {
        /// It waits for its `seek`; the library does not read it.
        case unsought
        /// The library has to be told to read from there: an offset or `RD_KAFKA_OFFSET_BEGINNING`.
        case sought(from: Offset)
        /// Records come.
        case reading
    }

    let place: TopicPartition
    /// The workspace of records that name none.
    let workspace: [UInt8]
    let queue: OpaquePointer
    var phase = Phase.unsought
    /// Whether it is in the library's assignment.
    var isAssigned = false
    /// The next offset; `nil` until the earliest one is known.
    var expected: Offset?
    /// Where reading goes on after a loss that left nothing; told by the next poll.
    var emptied: Offset?
    /// The latest time of a record, which no later one precedes.
    var appended = Timestamp(milliseconds: .min)

    init(_ place: TopicPartition, workspace: String?, _ client: KafkaClient, _ wakeup: Wakeup) throws(StreamError) {
        self.place = place
        self.workspace = Array((workspace ?? "").utf8)
        guard let queue = unsafe rd_kafka_queue_get_partition(client.raw, place.topic, place.partition) else {
            throw StreamError(.other, doing: "read \(place.topic)/\(place.partition)", cause: "no queue for it")
        }
        unsafe self.queue = unsafe queue
        // Records stay in the partition's own queue, so that a batch is of one partition and a pause is just no look.
        unsafe rd_kafka_queue_forward(queue, nil)
        unsafe wakeup.watch(queue)
    }

    deinit {
        unsafe rd_kafka_queue_io_event_enable(queue, -1, nil, 0)
        unsafe rd_kafka_queue_destroy(queue)
    }
}
