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
        let contentType = headers.first { $0.name.lowercased() == "content-type" }?.value
        let data = data ?? []
        if try isStructured(contentType) { return try prepare(data.span, defaultWorkspace: defaultWorkspace, now: now) }
        var form = BinaryForm(contentType: contentType, http: http)
        for (name, value) in headers { try form.add(name: name.utf8.span, value: value.utf8.span) }
        return try form.prepare(data: data.span, defaultWorkspace: defaultWorkspace, now: now)
    }

    /// Whether the body is an event of its own, as this content type says.
    ///
    /// - Throws: for a batch, and for structured modes other than JSON.
    public static func isStructured(_ contentType: String?) throws(EventError) -> Bool {
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

    /// Whether data of this content type is JSON; data without one is, by CloudEvents' JSON format.
    static func isJSON(_ contentType: String?) -> Bool {
        guard contentType != usualType else { return true }
        guard let type = contentType.map(mediaType), !type.isEmpty else { return true }
        return type.hasSuffix("/json") || type.hasSuffix("+json")
    }

    /// What nearly all data is; it is known without being taken apart.
    private static let usualType = "application/json"
}

// MARK: - The other way

extension CloudEvents {
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

extension Envelope {
    /// The bytes of the data itself; `nil` when there is none.
    fileprivate func body(_ text: Span<UInt8>, contentType: String?) -> [UInt8]? {
        if let dataBase64 { return Base64.decode(dataBase64, in: text) }
        guard let data else { return nil }
        let isText = !CloudEvents.isJSON(contentType) && JSON.kind(of: data, in: text) == .string
        return isText ? JSON.unescaped(data, in: text) : Array(text, data)
    }
}
