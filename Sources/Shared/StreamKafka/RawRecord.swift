import CKafka
import CarillonEvents
import CarillonStream

// A record as librdkafka has it. Its parts are borrowed from the message, which the taker destroys after the chunk's last
// record; no value of this type outlives that.

/// One message's parts, found without copying.
@safe struct RawRecord {
    private typealias Bytes = UnsafeBufferPointer<UInt8>

    private let message: UnsafeMutablePointer<rd_kafka_message_t>
    private var headers: OpaquePointer?
    private var type = unsafe Bytes(start: nil, count: 0)
    private var workspace = unsafe Bytes(start: nil, count: 0)
    private var partitionkey = unsafe Bytes(start: nil, count: 0)
    /// Whether a header says how to read it.
    private var isDescribed = false
    private var isStructured = false

    init(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
        unsafe self.message = message
        var found: OpaquePointer?
        guard unsafe rd_kafka_message_headers(message, &found) == RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        unsafe headers = found
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        var index = 0
        while unsafe rd_kafka_header_get_all(headers, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            index += 1
            let role = unsafe UInt32(carillon_header(name))
            if role == CARILLON_HEADER_FOREIGN.rawValue { continue }
            isDescribed = true
            let bytes = unsafe Bytes(start: value?.assumingMemoryBound(to: UInt8.self), count: value == nil ? 0 : size)
            switch role {
            case CARILLON_HEADER_TYPE.rawValue: unsafe type = bytes
            case CARILLON_HEADER_WORKSPACE.rawValue: unsafe workspace = bytes
            case CARILLON_HEADER_PARTITIONKEY.rawValue: unsafe partitionkey = bytes
            case CARILLON_HEADER_CONTENT_TYPE.rawValue: isStructured = unsafe carillon_is_structured(value, size) != 0
            default: break
            }
        }
    }

    private var key: Bytes {
        unsafe Bytes(start: message.pointee.key?.assumingMemoryBound(to: UInt8.self), count: message.pointee.key_len)
    }

    private var value: Bytes? {
        guard let start = unsafe message.pointee.payload else { return nil }
        return unsafe Bytes(start: start.assumingMemoryBound(to: UInt8.self), count: message.pointee.len)
    }

    /// When it was produced or appended, as the topic has it.
    var time: Timestamp? {
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let milliseconds = unsafe rd_kafka_message_timestamp(message, &kind)
        return kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? nil : Timestamp(milliseconds: milliseconds)
    }

    /// Whether a filter wants it; what it cannot know before parsing, it wants.
    ///
    /// - Parameter topicWorkspace: whose it is when the record names nobody.
    func isWanted(by filter: any RecordFilter, orElse topicWorkspace: [UInt8]) -> Bool {
        guard !isStructured, unsafe type.count > 0 else { return true }
        let type = unsafe type.span
        if unsafe workspace.count > 0 { return unsafe filter.wants(workspace: workspace.span, type: type) }
        if unsafe partitionkey.count > 0 { return unsafe filter.wants(workspace: partitionkey.span, type: type) }
        if unsafe key.count > 0 { return unsafe filter.wants(workspace: key.span, type: type) }
        return topicWorkspace.isEmpty || filter.wants(workspace: topicWorkspace.span, type: type)
    }

    /// Appends it as structured JSON, or as what it is with the reason why that is no event.
    func append(to batch: inout RecordBatch, orElse topicWorkspace: [UInt8], at appended: Timestamp) {
        let offset = unsafe message.pointee.offset
        let data = unsafe value.map { unsafe Array($0) }
        do throws(EventError) {
            let event = try prepare(try readableHeaders(), data, orElse: topicWorkspace, at: time ?? appended)
            if unsafe partitionkey.count == 0, unsafe key.count > 0, unsafe !event.workspace.utf8.elementsEqual(key) {
                batch.mismatched += 1
            }
            batch.add(
                offset: offset, appended: appended, key: event.workspace.utf8.span, type: event.type.utf8.span,
                value: event.bytes.span)
        } catch {
            batch.refused.append((batch.records.count, error.description))
            let none = [UInt8]()
            let kept = whatIsKept(data)
            batch.add(offset: offset, appended: appended, key: none.span, type: none.span, value: kept.span)
        }
    }

    /// What is parked of a record that is no event: as much of it as its headers can be read with.
    private func whatIsKept(_ data: [UInt8]?) -> [UInt8] {
        guard isDescribed, !isStructured, let headers = try? readableHeaders(),
            let text = try? CloudEvents.structured(headers: headers, data: data, http: false)
        else { return data ?? [] }
        return text
    }

    private func prepare(
        _ headers: [(name: String, value: String)], _ data: [UInt8]?, orElse topicWorkspace: [UInt8], at now: Timestamp
    ) throws(EventError) -> EncodedEvent {
        let owner = unsafe key.count > 0 ? Array(key) : topicWorkspace
        let workspace = owner.isEmpty ? nil : String(validating: owner, as: UTF8.self)
        if !isDescribed, let data {
            // What a command-line tool produces: an event as text, without a header.
            return try CloudEvents.prepare(data.span, defaultWorkspace: workspace, now: now)
        }
        return try CloudEvents.prepare(
            headers: headers, data: data, http: false, defaultWorkspace: workspace, now: now)
    }

    /// The headers as text.
    private func readableHeaders() throws(EventError) -> [(name: String, value: String)] {
        guard unsafe headers != nil else { return [] }
        var all: [(name: String, value: String)] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while unsafe rd_kafka_header_get_all(headers, all.count, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            guard let start = unsafe name else { break }
            let title = unsafe String(cString: start)
            let bytes = unsafe UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : size)
            let isForeign = unsafe UInt32(carillon_header(start)) == CARILLON_HEADER_FOREIGN.rawValue
            guard let text = unsafe String(validating: bytes, as: UTF8.self) else {
                guard isForeign else { throw EventError(.badHeader(name: title, reason: "is not UTF-8")) }
                all.append((title, ""))  // others' headers are none of ours
                continue
            }
            all.append((title, text))
        }
        return all
    }
}
