/// Puts an event together from a message in binary mode: its attributes as their headers are met, then its data.
///
/// Names and values are written where they will stand, so that a header costs no memory of its own.
public struct BinaryForm {
    private let http: Bool
    /// That of the data; of two names for it the one, or both when they agree.
    private var contentType: String?
    /// The object as far as it is known, with a comma behind each member.
    private var bytes = [UInt8(ascii: "{")]

    /// Begins with what the message's content type says, which is not one of the structured modes.
    ///
    /// - Parameter http: whether headers follow the HTTP binding (`ce-`, any case, percent-encoded) or Kafka's (`ce_`,
    ///   UTF-8).
    public init(contentType: String?, http: Bool) {
        (self.contentType, self.http) = (contentType, http)
        bytes.reserveCapacity(1024)
    }

    /// Adds a header; one that carries no attribute is left alone.
    ///
    /// - Throws: when it cannot be an attribute; nothing can be made of the form then.
    public mutating func add(name header: Span<UInt8>, value: Span<UInt8>) throws(EventError) {
        guard isAttribute(header) else { return }
        let start = bytes.count
        bytes.append(UInt8(ascii: "\""))
        for index in 3..<header.count { bytes.append(http ? header[index].lowercased : header[index]) }
        let name = Slice(start + 1, bytes.count)
        guard Envelope.isAttributeName(bytes.span, name) else {
            throw Self.fault(header, "cannot name an attribute (only a-z and 0-9)")
        }
        guard !name.spells("data", in: bytes.span) else {
            throw Self.fault(header, "has no place here; data is the body")
        }
        if name.spells("datacontenttype", in: bytes.span) {
            bytes.removeSubrange(start...)
            return try take(contentType: value, of: header)
        }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        if http {
            let text = try decoded(value, of: header)
            JSON.append(quoted: text.span, to: &bytes)
        } else {
            guard value.isUTF8 else { throw Self.fault(header, "is not UTF-8") }
            JSON.append(quoted: value, to: &bytes)
        }
        bytes.append(UInt8(ascii: ","))
    }

    private func isAttribute(_ header: Span<UInt8>) -> Bool {
        guard header.count >= 3, header[2] == (http ? UInt8(ascii: "-") : UInt8(ascii: "_")) else { return false }
        let (first, second) = http ? (header[0].lowercased, header[1].lowercased) : (header[0], header[1])
        return first == UInt8(ascii: "c") && second == UInt8(ascii: "e")
    }

    private mutating func take(contentType value: Span<UInt8>, of header: Span<UInt8>) throws(EventError) {
        guard let valid = try? UTF8Span(validating: value) else { throw Self.fault(header, "is not UTF-8") }
        let text = String(copying: valid)
        guard contentType == nil || contentType == text else {
            throw Self.fault(header, "contradicts content-type; leave it out")
        }
        contentType = text
    }

    private static func fault(_ header: Span<UInt8>, _ reason: String) -> EventError {
        let name = String(decoding: Array(header, Slice(0, header.count)), as: UTF8.self)
        return EventError(.badHeader(name: name, reason: reason))
    }
}

// MARK: - The whole

extension BinaryForm {
    /// The event ready to append, checked and completed as `CloudEvents.prepare` does.
    ///
    /// - Parameters:
    ///   - data: the body; an empty one is none.
    ///   - defaultWorkspace: stands in where the event names none, such as a record's key.
    public func prepare(
        data: Span<UInt8>, defaultWorkspace: String? = nil, now: Timestamp
    ) throws(EventError) -> EncodedEvent {
        do throws(EventError) {
            let (text, place) = withDataAsItStands(data)
            if let place, let envelope = try? Envelope(text.span), envelope.hasData(in: place, text.span) {
                return try CloudEvents.prepare(text.span, envelope, defaultWorkspace: defaultWorkspace, now: now)
            }
            return try CloudEvents.prepare(structured(data: data).span, defaultWorkspace: defaultWorkspace, now: now)
        } catch {
            throw EventError(error.kind)  // the offset would point into text the caller never saw
        }
    }

    /// The structured form, whether or not it is an event: what is kept of one that is none.
    public func structured(data: Span<UInt8>) -> [UInt8] {
        var text = begun
        if !data.isEmpty {
            text.append(data: data, isJSON: CloudEvents.isJSON(contentType))
        } else if text.count > 1 {
            text.removeLast()  // the comma
        }
        text.append(UInt8(ascii: "}"))
        return text
    }

    /// The event with its data as it stands, and where; nothing when the data is not to be JSON.
    private func withDataAsItStands(_ data: Span<UInt8>) -> (text: [UInt8], place: Slice?) {
        guard !data.isEmpty, CloudEvents.isJSON(contentType) else { return ([], nil) }
        var text = begun
        text.append("\"data\":")
        let start = text.count
        text.append(Slice(0, data.count), of: data)
        let place = Slice(start, text.count)
        text.append(UInt8(ascii: "}"))
        return (text, place)
    }

    /// All but the data.
    private var begun: [UInt8] {
        var text = bytes
        guard let contentType, !contentType.isEmpty else { return text }
        text.append("\"datacontenttype\":")
        JSON.append(quoted: contentType, to: &text)
        text.append(UInt8(ascii: ","))
        return text
    }
}

extension Envelope {
    /// Whether its data is all that stands in a place.
    ///
    /// What is no JSON may still look like a part of an event, and bring attributes of its own.
    fileprivate func hasData(in place: Slice, _ text: Span<UInt8>) -> Bool {
        guard let data else { return false }
        return JSON.skipSpace(text, place.start) == data.start && JSON.skipSpace(text, data.end) == place.end
    }
}

extension [UInt8] {
    /// Appends the member that carries `data`.
    fileprivate mutating func append(data: Span<UInt8>, isJSON: Bool) {
        if isJSON {
            if (try? JSON.check(data)) != nil {
                append("\"data\":")
                return append(Slice(0, data.count), of: data)
            }
        } else if data.isUTF8 {
            append("\"data\":")
            return JSON.append(quoted: data, to: &self)
        }
        append("\"data_base64\":\"")
        Base64.append(Array(data, Slice(0, data.count)), to: &self)
        append(UInt8(ascii: "\""))
    }
}

// MARK: - Values of HTTP

extension BinaryForm {
    /// The text of an HTTP header: quotes taken off (RFC 9110's quoted-string), then percent-decoded once.
    private func decoded(_ value: Span<UInt8>, of header: Span<UInt8>) throws(EventError) -> [UInt8] {
        let bytes = Self.unquoted(Array(value, Slice(0, value.count)))
        var text: [UInt8] = []
        var i = 0
        while i < bytes.count {
            guard bytes[i] == UInt8(ascii: "%") else {
                text.append(bytes[i])
                i += 1
                continue
            }
            guard i + 2 < bytes.count, let high = JSON.hexDigit(bytes[i + 1]), let low = JSON.hexDigit(bytes[i + 2])
            else {
                throw Self.fault(header, "has '%' without two hexadecimal digits; write '%' itself as %25")
            }
            text.append(high << 4 | low)
            i += 3
        }
        guard text.span.isUTF8 else { throw Self.fault(header, "is not UTF-8 once percent-decoded") }
        return text
    }

    private static func unquoted(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") else {
            return bytes
        }
        var text: [UInt8] = []
        var isEscaped = false
        for byte in bytes[1..<bytes.count - 1] {
            isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            if !isEscaped { text.append(byte) }
        }
        return text
    }
}

extension UInt8 {
    /// A letter of ASCII in lower case; all else as it is.
    fileprivate var lowercased: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }
}

extension Span<UInt8> {
    /// Whether it is text in UTF-8; most is plain ASCII, which costs an eighth of a look a byte.
    fileprivate var isUTF8: Bool {
        JSON.endOfPlainRun(self, 0) == count || (try? UTF8Span(validating: self)) != nil
    }
}
