import CKafka
import CarillonEvents
import CarillonPlatform
import CarillonStream
import Synchronization

// A batch is handed to librdkafka record by record and `append` waits for the reports of all of them; batches of several
// threads travel together. Reports come on librdkafka's background thread. A client that met a fatal error is replaced.

/// Appends to Kafka.
final class KafkaStreamAppender: StreamAppender {
    private let stream: KafkaStream
    private let current = Mutex<ProducingClient?>(nil)

    init(_ stream: KafkaStream) throws(StreamError) {
        self.stream = stream
        _ = try client()
    }

    func append(_ events: [EncodedEvent]) throws(StreamError) {
        guard !events.isEmpty else { return }
        var letters: [Letter] = []
        letters.reserveCapacity(events.count)
        let client = try client()
        for event in events { letters.append(try Letter(event, stream.topics, limit: client.largest)) }
        let delivery = Delivery()
        var accepted = 0
        var refusal: StreamError?
        let now = stream.clock.now().milliseconds
        for letter in letters {
            do throws(StreamError) {
                try client.produce(letter, at: now, reportTo: delivery)
                accepted += 1
            } catch {
                refusal = error
                break
            }
        }
        // Reports name `delivery` without keeping it, so this waits for all of them whatever happened.
        let failure = delivery.wait(for: accepted)
        let fatal = client.fatal
        if fatal != nil { current.withLock { if $0 === client { $0 = nil } } }
        if let fatal, failure != nil || refusal != nil {
            // A new client may well succeed, and equal events count once.
            throw StreamError(
                .unreachable, doing: "append \(events.count) events to \(stream.servers)", cause: fatal.cause)
        }
        if let refusal { throw refusal }
        if let failure { throw error(of: failure, events.count, client) }
    }

    private func error(of failure: KafkaFailure, _ count: Int, _ client: ProducingClient) -> StreamError {
        let doing = "append \(count) events to \(stream.servers)"
        guard failure.isPassing else { return failure.error(doing: doing) }
        let trouble = client.trouble.map { "; the last trouble was: \($0)" } ?? ""
        return StreamError(
            failure.kind, doing: doing,
            cause: failure.cause + ": some may have been written, which appending them again makes good" + trouble)
    }

    private func client() throws(StreamError) -> ProducingClient {
        if let known = current.withLock({ $0 }) { return known }
        let fresh = try ProducingClient(stream)
        return current.withLock { current in
            if let current { return current }  // another thread was faster
            current = fresh
            return fresh
        }
    }
}

extension KafkaStreamAppender: MortalClient {
    package func dieForGood() { current.withLock { $0?.dieForGood() } }
}

/// An event as Kafka carries it.
private struct Letter {
    let topic: String
    let key: String
    let headers: [(name: String, value: String)]
    let data: [UInt8]?

    init(_ event: EncodedEvent, _ topics: TopicSelection, limit: Int) throws(StreamError) {
        guard event.bytes.count <= limit else {
            throw StreamError(
                .tooLarge, doing: "append \(event.bytes.count) bytes to Kafka",
                cause: "message.max.bytes allows \(limit) with headers")
        }
        guard let topic = topics.home(of: event.workspace) else {
            throw StreamError(
                .missing, doing: "append to the topic of \(event.workspace)",
                cause:
                    "stream.topics has only patterns that do not say where a workspace's topic is; name a topic first")
        }
        (self.topic, key) = (topic, event.workspace)
        do throws(EventError) {
            (headers, data) = try CloudEvents.binaryHeaders(of: event, http: false)
        } catch {
            throw StreamError(.corrupt, doing: "append an event of \(event.workspace)", cause: error.description)
        }
    }
}

/// Collects the reports of one batch.
private final class Delivery: Sendable {
    private struct State {
        var reports = 0
        var failure: KafkaFailure?
    }
    private let state = Turnstile(State())

    func report(_ count: Int, _ failure: KafkaFailure?) {
        state.change { state in
            state.reports += count
            // What will not pass is told rather than what may.
            if let failure, state.failure.map({ $0.isPassing }) ?? true { state.failure = failure }
        }
    }

    func wait(for count: Int) -> KafkaFailure? {
        state.wait { state in state.reports >= count ? .some(state.failure) : nil }
    }
}

/// A producing client with its background thread.
@safe private final class ProducingClient: @unchecked Sendable {
    // rdkafka.h: the API "is completely thread-safe"; what else is here stands behind a mutex or never changes.
    private let client: KafkaClient
    private let troubles: Troubles
    /// The largest record, with room for its headers.
    let largest: Int
    /// By name; they live as long as this.
    private let topics = unsafe Mutex<[String: OpaquePointer]>([:])

    init(_ stream: KafkaStream) throws(StreamError) {
        let troubles = Troubles()
        self.troubles = troubles
        client = try unsafe KafkaClient(.producer, stream, companion: troubles) { configuration in
            unsafe rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(troubles).toOpaque())
            unsafe rd_kafka_conf_set_events(configuration, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR)
            unsafe rd_kafka_conf_set_background_event_cb(configuration) { _, event, opaque in
                unsafe served(event, opaque)
            }
        }
        largest = (stream.configuration.properties["message.max.bytes"].flatMap { Int($0) } ?? 1_000_000) - 512
        if let main = unsafe rd_kafka_queue_get_main(client.raw),
            let background = unsafe rd_kafka_queue_get_background(client.raw)
        {
            unsafe rd_kafka_queue_forward(main, background)
            unsafe rd_kafka_queue_destroy(main)
            unsafe rd_kafka_queue_destroy(background)
        }
    }

    deinit {
        unsafe topics.withLock { topics in
            unsafe topics.values.forEach { unsafe rd_kafka_topic_destroy($0) }
            unsafe topics = [:]
        }
    }

    var fatal: KafkaFailure? { client.fatal }
    func dieForGood() { client.dieForGood() }
    var trouble: String? { troubles.last }

    /// Hands one record over; waits while the queue is full.
    func produce(_ letter: Letter, at time: Int64, reportTo delivery: Delivery) throws(StreamError) {
        let topic = try unsafe topic(letter.topic)
        let headers = unsafe rd_kafka_headers_new(letter.headers.count)
        for (name, value) in letter.headers {
            var value = value
            value.withUTF8 { bytes in
                _ = unsafe rd_kafka_header_add(headers, name, -1, bytes.baseAddress, bytes.count)
            }
        }
        var key = letter.key
        let data = letter.data
        let code = key.withUTF8 { key in
            let opaque = unsafe Unmanaged.passUnretained(delivery).toOpaque()
            guard let data else {
                return unsafe carillon_produce(
                    client.raw, topic, key.baseAddress, key.count, nil, 0, headers, time, opaque)
            }
            return unsafe data.withUnsafeBytes { value in
                unsafe carillon_produce(
                    client.raw, topic, key.baseAddress, key.count, value.baseAddress, value.count, headers, time, opaque
                )
            }
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            unsafe rd_kafka_headers_destroy(headers)
            throw KafkaFailure(code).error(doing: "append to \(letter.topic)")
        }
    }

    private func topic(_ name: String) throws(StreamError) -> OpaquePointer {
        let found = unsafe topics.withLock { topics -> OpaquePointer? in
            if let known = unsafe topics[name] { return unsafe known }
            let made = unsafe rd_kafka_topic_new(client.raw, name, nil)
            unsafe topics[name] = made
            return unsafe made
        }
        guard let found = unsafe found else {
            throw StreamError(.other, doing: "append to \(name)", cause: "Kafka cannot have a topic of that name")
        }
        return unsafe found
    }
}

/// Keeps the last thing librdkafka complained of, to explain a time-out.
private final class Troubles: Sendable {
    private let state = Mutex<String?>(nil)
    var last: String? { state.withLock { $0 } }
    func note(_ words: String) { state.withLock { $0 = words } }
}

/// Takes an event on the background thread.
private func served(_ event: OpaquePointer?, _ opaque: UnsafeMutableRawPointer?) {
    guard let event = unsafe event else { return }
    defer { unsafe rd_kafka_event_destroy(event) }
    switch unsafe rd_kafka_event_type(event) {
    case RD_KAFKA_EVENT_DR:
        while let message = unsafe rd_kafka_event_message_next(event) {
            guard let box = unsafe message.pointee._private else { continue }
            let code = unsafe message.pointee.err
            // `append` keeps the delivery until every report of it is in.
            let delivery = unsafe Unmanaged<Delivery>.fromOpaque(box).takeUnretainedValue()
            delivery.report(1, code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaFailure(code))
        }
    case RD_KAFKA_EVENT_ERROR:
        guard let opaque = unsafe opaque else { return }
        let troubles = unsafe Unmanaged<Troubles>.fromOpaque(opaque).takeUnretainedValue()
        troubles.note(
            KafkaFailure(
                unsafe rd_kafka_event_error(event), unsafe String(cString: rd_kafka_event_error_string(event))
            ).cause)
    default: return
    }
}
