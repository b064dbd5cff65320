// The binary form: attributes as headers, data as the body. HTTP percent-encodes what is not printable ASCII and has
// names in any case (`ce-id`); Kafka carries UTF-8 as it is (`ce_id`). In both, `datacontenttype` is `content-type`.
//
// Decided here: headers carry text only, so a number or boolean comes back as a string. Data that its content type
// calls JSON, and which is, becomes `data` byte for byte; what is called JSON and is not becomes `data_base64`, so that
// nothing is lost; other text becomes a string, other bytes `data_base64`.

extension CloudEvents {
    /// Makes an event ready to append from a message's headers and body, in binary or structured mode.
    ///
    /// - Parameters:
    ///   - headers: as the transport gave them; those that are no CloudEvents attributes are left alone.
    ///   - http: whether they follow the HTTP binding (`ce-`, any case, percent-encoded) or Kafka's (`ce_`, UTF-8).
    ///   - defaultWorkspace: stands in where the event names none, such as a record's key.
    public static func prepare(
        headers: [(name: String, value: String)], data: [UInt8]?, http: Bool, defaultWorkspace: String? = nil,
        now: Timestamp
    ) throws(EventError) -> EncodedEvent {
        let contentType = contentType(in: headers)
        if try isStructured(contentType) {
            let body = data ?? []
            return try prepare(body.span, defaultWorkspace: defaultWorkspace, now: now)
        }
        let bytes = try structured(headers: headers, data: data, http: http)
        do throws(EventError) {
            return try prepare(bytes.span, defaultWorkspace: defaultWorkspace, now: now)
        } catch {
            throw EventError(error.kind)  // the offset would point into text the caller never saw
        }
    }

    /// The structured form of a message in binary mode, whether or not it is an event: what is kept of one that is none.
    public static func structured(
        headers: [(name: String, value: String)], data: [UInt8]?, http: Bool
    ) throws(EventError) -> [UInt8] {
        let contentType = contentType(in: headers)
        let (attributes, type) = try attributes(in: headers, contentType: contentType, http: http)
        var bytes = Array("{".utf8)
        for (name, value) in attributes { bytes.append(attribute: name, value) }
        if let data, !data.isEmpty {
            bytes.append(data: data, contentType: type)
        } else if bytes.count > 1 {
            bytes.removeLast()  // the comma
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// Takes an event apart into headers and body, the reverse of `prepare(headers:data:http:)`.
    ///
    /// - Returns: `content-type` and the attributes as headers; the data's own bytes, `nil` when there is none.
    public static func binaryHeaders(
        of event: EncodedEvent, http: Bool
    ) throws(EventError) -> (headers: [(name: String, value: String)], data: [UInt8]?) {
        let text = event.bytes.span
        let envelope = try Envelope(text)
        _ = try envelope.outline()
        let contentType =
            envelope.datacontenttype.flatMap { JSON.string($0, in: text) }
            ?? (envelope.data == nil ? nil : "application/json")  // what its absence means in structured mode
        var headers: [(name: String, value: String)] = []
        if let contentType { headers.append(("content-type", contentType)) }
        JSON.members(of: envelope.object, in: text) { key, raw in
            guard let name = JSON.string(key, in: text),
                !["data", "data_base64", "datacontenttype"].contains(name),
                let value = headerText(raw, in: text)
            else { return true }
            headers.append(((http ? "ce-" : "ce_") + name, http ? percentEncoded(value) : value))
            return true
        }
        return (headers, envelope.body(text, contentType: contentType))
    }

    /// The text a header carries for an attribute; `nil` for null, which is absence.
    private static func headerText(_ raw: Slice, in text: Span<UInt8>) -> String? {
        switch JSON.kind(of: raw, in: text) {
        case .string: JSON.string(raw, in: text)
        case .null: nil
        default: String(decoding: Array(text, raw), as: UTF8.self)
        }
    }
}

// MARK: - Headers to attributes

extension CloudEvents {
    /// What nearly all data is; it is known without being taken apart.
    private static let usualType = "application/json"

    private static func contentType(in headers: [(name: String, value: String)]) -> String? {
        headers.first { $0.name.utf8.count == 12 && $0.name.lowercased() == "content-type" }?.value
    }

    private static func isStructured(_ contentType: String?) throws(EventError) -> Bool {
        guard contentType != usualType else { return false }
        guard let mediaType = contentType.map(mediaType), mediaType.hasPrefix("application/cloudevents") else {
            return false
        }
        switch mediaType {
        case "application/cloudevents", "application/cloudevents+json": return true
        case _ where mediaType.hasPrefix("application/cloudevents-batch"): throw EventError(.batch)
        default:
            let reason = "names '\(mediaType)'; of structured events only application/cloudevents+json is read"
            throw EventError(.badHeader(name: "content-type", reason: reason))
        }
    }

    /// The media type in lower case, without parameters.
    public static func mediaType(_ contentType: String) -> String {
        let bare = contentType.prefix { $0 != ";" }
        return bare.filter { $0 != " " && $0 != "\t" }.lowercased()
    }

    private static func attributes(
        in headers: [(name: String, value: String)], contentType: String?, http: Bool
    ) throws(EventError) -> (attributes: [(String, String)], contentType: String?) {
        var attributes: [(String, String)] = []
        var contentType = contentType
        for (header, value) in headers {
            guard let name = try attributeName(header, http: http) else { continue }
            if name == "datacontenttype" {
                guard contentType == nil || contentType == value else {
                    throw EventError(.badHeader(name: header, reason: "contradicts content-type; leave it out"))
                }
                contentType = value
            } else {
                attributes.append((name, http ? try decoded(value, of: header) : value))
            }
        }
        if let contentType, !contentType.isEmpty { attributes.append(("datacontenttype", contentType)) }
        return (attributes, contentType)
    }

    /// The attribute a header carries; `nil` when it carries none.
    private static func attributeName(_ header: String, http: Bool) throws(EventError) -> String? {
        let folded = http ? header.lowercased() : header
        guard folded.utf8.starts(with: (http ? "ce-" : "ce_").utf8) else { return nil }
        let name = String(folded.utf8.dropFirst(3)) ?? ""
        guard Envelope.isAttributeName(name.utf8.span, Slice(0, name.utf8.count)) else {
            throw EventError(.badHeader(name: header, reason: "cannot name an attribute (only a-z and 0-9)"))
        }
        if name == "data" { throw EventError(.badHeader(name: header, reason: "has no place here; data is the body")) }
        return name
    }

    /// The text of an HTTP header: quotes taken off (RFC 9110's quoted-string), then percent-decoded once.
    private static func decoded(_ value: String, of header: String) throws(EventError) -> String {
        let bytes = unquoted(Array(value.utf8))
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
                let reason = "has '%' without two hexadecimal digits; write '%' itself as %25"
                throw EventError(.badHeader(name: header, reason: reason))
            }
            text.append(high << 4 | low)
            i += 3
        }
        guard let decoded = String(validating: text, as: UTF8.self) else {
            throw EventError(.badHeader(name: header, reason: "is not UTF-8 once percent-decoded"))
        }
        return decoded
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

    /// Percent-encoded as the HTTP binding asks: everything but printable ASCII, and space, quote and percent.
    static func percentEncoded(_ value: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        for byte in value.utf8 {
            if 0x21...0x7e ~= byte, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "%") {
                text.append(byte)
            } else {
                text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

// MARK: - Data

extension CloudEvents {
    /// Whether data of this content type is JSON; data without one is, by CloudEvents' JSON format.
    static func isJSON(_ contentType: String?) -> Bool {
        guard contentType != usualType else { return true }
        guard let type = contentType.map(mediaType), !type.isEmpty else { return true }
        return type.hasSuffix("/json") || type.hasSuffix("+json")
    }
}

extension [UInt8] {
    /// Appends the member that carries `data`.
    fileprivate mutating func append(data: [UInt8], contentType: String?) {
        if CloudEvents.isJSON(contentType) {
            if (try? JSON.check(data.span)) != nil {
                append("\"data\":")
                return append(contentsOf: data)
            }
        } else if (try? UTF8Span(validating: data.span)) != nil {
            append("\"data\":")
            return JSON.append(quoted: data.span, to: &self)
        }
        append("\"data_base64\":\"")
        Base64.append(data, to: &self)
        append(UInt8(ascii: "\""))
    }
}

extension Envelope {
    /// The bytes of the data itself; `nil` when there is none.
    fileprivate func body(_ text: Span<UInt8>, contentType: String?) -> [UInt8]? {
        if let dataBase64 { return Base64.decode(dataBase64, in: text) }
        guard let data else { return nil }
        let isText = !CloudEvents.isJSON(contentType) && JSON.kind(of: data, in: text) == .string
        return isText ? JSON.unescaped(data, in: text) : Array(text, data)
    }
}
