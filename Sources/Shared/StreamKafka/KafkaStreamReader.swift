import CKafka
import CarillonEvents
import CarillonPlatform
import CarillonStream
import Synchronization

// The group's business (who reads what) comes over the consumer's queue, records over a queue for each partition. A
// rebalance is answered on the polling thread: what was given is told to the caller, who seeks it to the ledger's position,
// and only then is the library told to read, from there. What is taken away is given back at once; a batch of it that is
// still being decided fails at the ledger's compare-and-set when another was faster.

/// Reads topics as one member of a group.
@safe final class KafkaStreamReader: StreamReader {
    private static let hintEvery = Duration.seconds(1)

    private let stream: KafkaStream
    private let name: String
    private let wakeup: Wakeup
    private var client: KafkaClient
    /// The group's business of this client.
    private var group: OpaquePointer
    /// When the group is joined; `nil` once it was.
    private var joinsAt: Duration?
    /// Why the last client was replaced; told by the next poll.
    private var trouble: StreamError?
    private var atlas: PartitionAtlas
    private(set) var feeds: [Partition: PartitionFeed] = [:]
    /// Ours, in the order of turns.
    private var order: [Partition] = []
    private var turn = 0
    private var taker: RecordTaker
    /// Whether the library waits for an answer to what it gave us.
    private var owesAnswer = false
    private var ends: [TopicPartition: StreamEnds.Ends]?
    private var isAwayUntil: Duration?
    private var hints: [Partition: Offset] = [:]
    private var lastHint: Duration
    private var isClosed = false

    init(_ stream: KafkaStream, group name: String) throws(StreamError) {
        (self.stream, self.name) = (stream, name)
        wakeup = try Wakeup()
        let client = try Self.member(of: name, stream)
        self.client = client
        try unsafe group = Self.queue(of: client, name, wakeup)
        atlas = PartitionAtlas(try client.cluster(stream.topics))
        taker = RecordTaker(clock: stream.clock)
        lastHint = stream.clock.uptime()
        joinsAt = lastHint + stream.configuration.settling
        try joinInTime()
    }

    private static func member(of name: String, _ stream: KafkaStream) throws(StreamError) -> KafkaClient {
        let client = try unsafe KafkaClient(.member(group: name), stream) { configuration in
            unsafe rd_kafka_conf_set_events(configuration, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR)
        }
        unsafe rd_kafka_poll_set_consumer(client.raw)
        return client
    }

    private static func queue(
        of client: KafkaClient, _ name: String, _ wakeup: Wakeup
    ) throws(StreamError) -> OpaquePointer {
        guard let queue = unsafe rd_kafka_queue_get_consumer(client.raw) else {
            throw StreamError(.other, doing: "join group \(name)", cause: "the client has no group")
        }
        unsafe wakeup.watch(queue)
        return unsafe queue
    }

    /// Joins the group once it is time.
    private func joinInTime() throws(StreamError) {
        guard let joinsAt, stream.clock.uptime() >= joinsAt else { return }
        let raw = unsafe client.raw
        client.isDestroyable.store(false, ordering: .relaxed)
        try unsafe PartitionList(stream.topics.subscription.map { (TopicPartition(topic: $0, partition: -1), 0) }).with
        {
            list throws(StreamError) in
            try calling("join group \(name)") { unsafe rd_kafka_subscribe(raw, list) }
        }
        self.joinsAt = nil
    }

    deinit {
        feeds = [:]
        if !isClosed { leaveQueue() }
    }

    var doorbell: any Doorbell { wakeup }

    func keep(only filter: (any RecordFilter)?) { taker.filter = filter }

    func partitions() throws(StreamError) -> [Partition] {
        atlas.add(try client.cluster(stream.topics))
        return atlas.all
    }

    func place(of partition: Partition) -> Place { atlas.place(of: partition) }

    // MARK: - Polling

    func poll(wait: Duration, limit: Int) throws(StreamError) -> Polled {
        let deadline = stream.clock.uptime() + wait
        ends = nil
        if let trouble {
            self.trouble = nil
            throw trouble
        }
        while true {
            if let fatal = client.fatal, let change = try startAnew(after: fatal) { return change }
            try joinInTime()
            try tellLibrary()
            if let change = try nextChange() { return change }
            if client.fatal != nil { continue }
            if limit > 0, let batch = try nextBatch(limit) { return .records(batch) }
            writeHints()
            let now = stream.clock.uptime()
            let left = min(deadline - now, joinsAt.map { max(.zero, $0 - now) } ?? deadline - now)
            guard deadline > now else { return .nothing }
            // Rounded up, so that what is left is never waited for in turns of zero.
            if wakeup.wait(milliseconds: min(left, Self.hintEvery).milliseconds + 1) { return .nothing }
        }
    }

    /// Has the library read what was sought since the last poll.
    private func tellLibrary() throws(StreamError) {
        var starting: [(TopicPartition, Offset)] = []
        var moved: [(TopicPartition, Offset)] = []
        var sought: [PartitionFeed] = []
        for partition in order {
            guard let feed = feeds[partition], case .sought(let from) = feed.phase else { continue }
            starting.append((feed.place, from))
            if feed.isAssigned { moved.append((feed.place, from)) }
            sought.append(feed)
        }
        guard owesAnswer || !starting.isEmpty else { return }
        // A seek is an assignment anew: the library then throws away what it had fetched of the old place.
        if !moved.isEmpty { try unsafe change("leave a place", moved, rd_kafka_incremental_unassign) }
        for feed in sought { feed.isAssigned = false }
        try unsafe change("go to a place", starting, rd_kafka_incremental_assign)
        owesAnswer = false
        for feed in sought { (feed.isAssigned, feed.phase) = (true, .reading) }
    }

    private func change(
        _ doing: String, _ partitions: [(TopicPartition, Offset)],
        _ call: (OpaquePointer?, UnsafePointer<rd_kafka_topic_partition_list_t>?) -> OpaquePointer?
    ) throws(StreamError) {
        let raw = unsafe client.raw
        try unsafe PartitionList(partitions).with { list throws(StreamError) in
            try unsafe calling(doing) { unsafe call(raw, list) }
        }
    }

    /// What the group decided, or an error that does not pass.
    private func nextChange() throws(StreamError) -> Polled? {
        while client.fatal == nil, let event = unsafe rd_kafka_queue_poll(group, 0) {
            defer { unsafe rd_kafka_event_destroy(event) }
            switch unsafe rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_REBALANCE:
                let entries = unsafe rd_kafka_event_topic_partition_list(event).map {
                    unsafe PartitionList.entries(of: $0)
                }
                let places = (entries ?? []).map(\.place)
                let isGain = unsafe rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
                if let change = try isGain ? gain(places) : lose(places) { return change }
            case RD_KAFKA_EVENT_ERROR:
                let words = unsafe String(cString: rd_kafka_event_error_string(event))
                let failure = KafkaFailure(unsafe rd_kafka_event_error(event), words)
                if client.fatal == nil, !failure.isPassing { throw failure.error(doing: "read \(stream.servers)") }
            default: break
            }
        }
        return nil
    }

    /// A fatal error ends a client for good: another takes its place, as a new member.
    ///
    /// What was ours is another's until the group says otherwise.
    private func startAnew(after fatal: KafkaFailure) throws(StreamError) -> Polled? {
        let doing = "read \(stream.servers)"
        // Two of one name would push each other out without end.
        guard !fatal.isFence else { throw fatal.error(doing: doing) }
        let fresh = try Self.member(of: name, stream)
        let queue = try unsafe Self.queue(of: fresh, name, wakeup)
        let lost = order
        (feeds, order, hints, owesAnswer) = ([:], [], [:], false)
        leaveQueue()
        (client, joinsAt) = (fresh, stream.clock.uptime())
        unsafe group = unsafe queue
        trouble = StreamError(.unreachable, doing: doing, cause: fatal.cause + "; a new client takes over")
        return lost.isEmpty ? nil : .revoked(lost)
    }

    private func gain(_ places: [TopicPartition]) throws(StreamError) -> Polled? {
        owesAnswer = true
        client.isDestroyable.store(true, ordering: .relaxed)
        guard !places.isEmpty else {
            try tellLibrary()
            return nil
        }
        var gained: [Partition] = []
        for place in places {
            let partition = atlas.number(of: place)
            feeds[partition] = try PartitionFeed(
                place, workspace: stream.topics.workspace(of: place.topic), client, wakeup)
            gained.append(partition)
        }
        order = feeds.keys.sorted()
        return .assigned(gained.sorted())
    }

    private func lose(_ places: [TopicPartition]) throws(StreamError) -> Polled? {
        writeHints(force: true)
        let lost = places.map { atlas.number(of: $0) }
        // The library takes back only what it was told to read.
        let untold = lost.compactMap { feeds[$0] }.filter { !$0.isAssigned }.map {
            ($0.place, Int64(RD_KAFKA_OFFSET_END))
        }
        let known = lost.filter { feeds[$0] != nil }
        for partition in lost {
            feeds[partition] = nil
            hints[partition] = nil
        }
        order = feeds.keys.sorted()
        if !untold.isEmpty { try unsafe change("answer the group", untold, rd_kafka_incremental_assign) }
        owesAnswer = false
        do throws(StreamError) {
            try unsafe change("give partitions back", places.map { ($0, 0) }, rd_kafka_incremental_unassign)
        } catch  where error.isRetriable {}  // `_STATE`: they were lost already, as the group had given us up
        return known.isEmpty ? nil : .revoked(known.sorted())
    }

    /// The next batch, taking turns among the partitions that have one.
    private func nextBatch(_ limit: Int) throws(StreamError) -> RecordBatch? {
        for _ in 0..<order.count {
            turn = (turn + 1) % order.count
            let partition = order[turn]
            guard let feed = feeds[partition], feed.phase == .reading else { continue }
            do throws(StreamError) {
                guard let batch = try nextBatch(of: feed, as: partition, limit) else { continue }
                feed.expected = batch.next
                return batch
            } catch {
                // What was taken from the library's queue is read again.
                feed.phase = .sought(from: feed.expected ?? Offset(RD_KAFKA_OFFSET_BEGINNING))
                throw error
            }
        }
        return nil
    }

    private func nextBatch(
        of feed: PartitionFeed, as partition: Partition, _ limit: Int
    ) throws(StreamError) -> RecordBatch? {
        guard var batch = try taker.take(from: feed, as: partition, limit) else { return nil }
        if let holes = taker.holes {
            // Offsets without a record are a loss only where retention was: transactions and compaction leave holes too.
            let low = try client.ends(of: [feed.place])[feed.place]?.low ?? 0
            batch.count(holes, lostBelow: low)
        }
        return batch
    }

    // MARK: - Places

    func seek(_ partition: Partition, to offset: Offset?) throws(StreamError) {
        guard let feed = feeds[partition] else {
            throw StreamError(.other, doing: "seek partition \(partition)", cause: "it is not assigned to this reader")
        }
        let doing = "go on at \(offset ?? 0) of \(feed.place.topic)/\(feed.place.partition)"
        let ends = try endsWhenThere()?[feed.place]
        if let offset, let next = ends?.next, offset > next {
            throw StreamError(
                .corrupt, doing: doing,
                cause: "it ends at \(next): the topic was made anew or an older copy put back; "
                    + "give it another name, as new events would get offsets that count as decided")
        }
        feed.expected = offset ?? ends?.low
        feed.emptied = nil
        var from = feed.expected ?? Offset(RD_KAFKA_OFFSET_BEGINNING)
        if let ends, from < ends.low {
            from = ends.low
            if ends.low == ends.next { feed.emptied = ends.next }
        }
        feed.phase = .sought(from: from)
    }

    /// The ends of our partitions, asked once between two polls; `nil` while Kafka is away.
    ///
    /// Then a place that is no more shows when reading begins.
    private func endsWhenThere() throws(StreamError) -> [TopicPartition: StreamEnds.Ends]? {
        if let ends { return ends }
        let now = stream.clock.uptime()
        if let isAwayUntil, now < isAwayUntil { return nil }
        isAwayUntil = nil
        do throws(StreamError) {
            ends = try client.ends(of: order.compactMap { feeds[$0]?.place })
            return ends
        } catch  where error.isRetriable {
            isAwayUntil = stream.clock.uptime() + .seconds(5)
            return nil
        }
    }

    func commit(_ partition: Partition, next: Offset) { if feeds[partition] != nil { hints[partition] = next } }

    /// Tells Kafka how far the group is; nobody waits for its answer.
    private func writeHints(force: Bool = false) {
        let now = stream.clock.uptime()
        guard !hints.isEmpty, force || now - lastHint >= Self.hintEvery else { return }
        lastHint = now
        let list = PartitionList(hints.map { (atlas.topicPartition($0.key), $0.value) })
        let raw = unsafe client.raw
        // A hint that is lost is written again with the next.
        try? unsafe list.with { list throws(StreamError) in _ = unsafe rd_kafka_commit(raw, list, 1) }
        hints = [:]
    }

    func lag() throws(StreamError) -> Int64 {
        let ends = try client.ends(of: order.compactMap { feeds[$0]?.place })
        return feeds.values.reduce(0) { sum, feed in
            guard let ends = ends[feed.place] else { return sum }
            return sum + max(0, ends.next - (feed.expected ?? ends.low))
        }
    }

    func isDrained(positions: [Partition: Offset]) throws(StreamError) -> Bool {
        let all = try partitions()
        let ends = try client.ends(of: all.map { atlas.topicPartition($0) })
        return all.allSatisfy { partition in
            guard let ends = ends[atlas.topicPartition(partition)] else { return false }
            return (positions[partition] ?? ends.low) >= ends.next
        }
    }

    // MARK: - The end

    /// The queue may outlive us in a client that is not destroyed, and must not ring what is no more.
    private func leaveQueue() {
        unsafe rd_kafka_queue_io_event_enable(group, -1, nil, 0)
        unsafe rd_kafka_queue_destroy(group)
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        writeHints(force: true)
        (feeds, order) = ([:], [])
        let raw = unsafe client.raw
        defer { leaveQueue() }
        guard joinsAt == nil else { return }
        guard (try? unsafe calling("leave the group") { unsafe rd_kafka_consumer_close_queue(raw, group) }) != nil
        else {
            return
        }
        let deadline = stream.clock.uptime() + .seconds(5)
        while unsafe rd_kafka_consumer_closed(raw) == 0, stream.clock.uptime() < deadline {
            guard let event = unsafe rd_kafka_queue_poll(group, 100) else { continue }
            // A closing client takes any answer as giving everything back.
            if unsafe rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE { unsafe rd_kafka_assign(raw, nil) }
            unsafe rd_kafka_event_destroy(event)
        }
    }
}

extension KafkaStreamReader: MortalClient {
    package func dieForGood() { client.dieForGood() }
}
