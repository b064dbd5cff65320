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
    private var contentType: Bytes?
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
            case CARILLON_HEADER_CONTENT_TYPE.rawValue where unsafe contentType == nil:
                unsafe contentType = bytes
                isStructured = unsafe carillon_is_structured(bytes.baseAddress, bytes.count) != 0
            default: break
            }
        }
    }

    private var key: Bytes {
        unsafe Bytes(start: message.pointee.key?.assumingMemoryBound(to: UInt8.self), count: message.pointee.key_len)
    }

    /// The body; empty when there is none.
    private var value: Bytes {
        guard let start = unsafe message.pointee.payload else { return unsafe Bytes(start: nil, count: 0) }
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
        do throws(EventError) {
            let event = try prepare(orElse: topicWorkspace, at: time ?? appended)
            if unsafe partitionkey.count == 0, unsafe key.count > 0, unsafe !event.workspace.utf8.elementsEqual(key) {
                batch.mismatched += 1
            }
            batch.add(
                offset: offset, appended: appended, key: event.workspace.utf8.span, type: event.type.utf8.span,
                value: event.bytes.span)
        } catch {
            batch.refused.append((batch.records.count, error.description))
            let none = [UInt8]()
            let kept = whatIsKept
            batch.add(offset: offset, appended: appended, key: none.span, type: none.span, value: kept.span)
        }
    }

    /// What is parked of a record that is no event: as much of it as its headers can be read with.
    private var whatIsKept: [UInt8] {
        guard isDescribed, !isStructured, let form = try? readHeaders() else { return unsafe Array(value) }
        return unsafe form.structured(data: value.span)
    }

    private func prepare(orElse topicWorkspace: [UInt8], at now: Timestamp) throws(EventError) -> EncodedEvent {
        // What a command-line tool produces is an event as text, without a header.
        let isBare = unsafe !isDescribed && message.pointee.payload != nil
        let isWhole = isBare ? true : try CloudEvents.isStructured(try readContentType())
        let isNamed = unsafe !isWhole && (workspace.count > 0 || partitionkey.count > 0)
        let owner = isNamed ? nil : defaultWorkspace(orElse: topicWorkspace)
        if isWhole { return try unsafe CloudEvents.prepare(value.span, defaultWorkspace: owner, now: now) }
        return try unsafe readHeaders().prepare(data: value.span, defaultWorkspace: owner, now: now)
    }

    /// Whose it is when it does not say so itself.
    private func defaultWorkspace(orElse topicWorkspace: [UInt8]) -> String? {
        if unsafe key.count > 0 { return unsafe key.text }
        return topicWorkspace.isEmpty ? nil : unsafe topicWorkspace.withUnsafeBufferPointer { unsafe $0.text }
    }

    private func readContentType() throws(EventError) -> String? {
        guard let contentType = unsafe contentType else { return nil }
        guard let text = unsafe contentType.text else {
            throw EventError(.badHeader(name: "content-type", reason: "is not UTF-8"))
        }
        return text
    }

    /// The headers, of which others' are left alone.
    private func readHeaders() throws(EventError) -> BinaryForm {
        var form = BinaryForm(contentType: try readContentType(), http: false)
        guard unsafe headers != nil else { return form }
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var (size, index) = (0, 0)
        while unsafe rd_kafka_header_get_all(headers, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            index += 1
            guard let start = unsafe name else { break }
            let letters = unsafe UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self)
            let title = unsafe Bytes(start: letters, count: strlen(start))
            let text = unsafe Bytes(start: value?.assumingMemoryBound(to: UInt8.self), count: value == nil ? 0 : size)
            try unsafe form.add(name: title.span, value: text.span)
        }
        return form
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The bytes as text; `nil` when they are not UTF-8.
    fileprivate var text: String? {
        guard let valid = try? unsafe UTF8Span(validating: span) else { return nil }
        return String(copying: valid)
    }
}
