// Events at the door: checked once, completed, and from then on trusted bytes.
//
// Decided here, for what CloudEvents 1.0 leaves open:
// - An attribute that stands twice is refused with its name: two readers could take different ones. Inside `data`
//   names may repeat, as data is carried byte for byte and never rewritten.
// - An attribute that is null is absent, as CloudEvents' JSON format says.
// - Nothing is normalised. What is filled in (`workspace`, `time`) is written in front of the first member; every other
//   byte between the braces stays as it came.
// - U+0000 is refused in attributes, as neither headers nor databases carry it, and allowed in data.

/// Reads and completes CloudEvents 1.0.
public enum CloudEvents {
    /// How many bytes an event may have as structured JSON.
    public static let maxBytes = 256 * 1024

    /// Checks one structured CloudEvent strictly and finds its attributes, in one pass that allocates nothing.
    ///
    /// `workspace` is the attribute of that name or, where it is absent, `partitionkey`.
    ///
    /// - Throws: the first fault met; nothing that passes is ever refused later on the event's path.
    public static func outline(_ text: Span<UInt8>) throws(EventError) -> EventOutline {
        try Envelope(text).outline()
    }

    /// Makes an event ready to append from one structured CloudEvent, such as a line of input.
    ///
    /// Checks it as `outline` does, fills a missing `workspace` from `partitionkey`, else from `defaultWorkspace`, and
    /// stamps a missing `time` with `now`. Every other byte from the first brace to the last stays as it came.
    public static func prepare(
        _ text: Span<UInt8>, defaultWorkspace: String? = nil, now: Timestamp
    ) throws(EventError) -> EncodedEvent {
        try prepare(text, try Envelope(text), defaultWorkspace: defaultWorkspace, now: now)
    }

    /// Makes an event ready to append from text that has been read.
    static func prepare(
        _ text: Span<UInt8>, _ envelope: Envelope, defaultWorkspace: String?, now: Timestamp
    ) throws(EventError) -> EncodedEvent {
        let outline = try envelope.outline(hasDefaultWorkspace: defaultWorkspace != nil)
        let filled = try envelope.filled(text, defaultWorkspace: defaultWorkspace)
        let bytes = envelope.completed(text, workspace: filled.added, now: now)
        guard bytes.count <= maxBytes else { throw EventError(.tooLarge(bytes: bytes.count, limit: maxBytes)) }
        guard let type = JSON.string(outline.type, in: text) else {
            throw EventError(.wrongType(attribute: "type", expected: "a string"), at: outline.type.start)
        }
        return EncodedEvent(workspace: filled.workspace, type: type, bytes: bytes)
    }

    /// The moment in the event's `time`; `nil` when it has none.
    public static func time(of outline: EventOutline, in text: Span<UInt8>) -> Timestamp? {
        outline.time.flatMap { Timestamp(json: $0, in: text) }
    }

    /// Whether the event has a `partitionkey` that names another workspace than `workspace`, which wins.
    public static func workspaceMismatch(_ outline: EventOutline, in text: Span<UInt8>) -> Bool {
        guard let key = outline.partitionkey, key != outline.workspace else { return false }
        return !JSON.equals(key, in: text, JSON.unescaped(outline.workspace, in: text))
    }
}

extension Envelope {
    /// The outline of a complete event.
    ///
    /// - Parameter hasDefaultWorkspace: an absent workspace is then no fault, and its slice is empty.
    func outline(hasDefaultWorkspace: Bool = false) throws(EventError) -> EventOutline {
        if specversion == nil { throw missing("specversion") }
        guard let id else { throw missing("id") }
        guard let source else { throw missing("source") }
        guard let type else { throw missing("type") }
        guard let workspace = workspace ?? partitionkey ?? (hasDefaultWorkspace ? Slice(0, 0) : nil) else {
            throw missing("workspace")
        }
        if data != nil, let dataBase64 { throw EventError(.dataTwice, at: dataBase64.start) }
        return EventOutline(
            id: id, source: source, type: type, workspace: workspace, subject: subject, time: time, data: data,
            partitionkey: partitionkey, traceparent: traceparent)
    }

    private func missing(_ attribute: String) -> EventError { EventError(.missing(attribute: attribute)) }

    /// The event's workspace, and its JSON where it has to be added.
    func filled(
        _ text: Span<UInt8>, defaultWorkspace: String?
    ) throws(EventError) -> (workspace: String, added: [UInt8]?) {
        if let raw = workspace ?? partitionkey, let name = JSON.string(raw, in: text) {
            return (name, workspace == nil ? Array(text, raw) : nil)
        }
        guard let name = defaultWorkspace else { throw missing("workspace") }
        if name.isEmpty { throw EventError(.empty(attribute: "workspace")) }
        if name.utf8.contains(0) { throw EventError(.nul(attribute: "workspace")) }
        var added: [UInt8] = []
        JSON.append(quoted: name, to: &added)
        return (name, added)
    }

    /// The object with what was missing.
    func completed(_ text: Span<UInt8>, workspace added: [UInt8]?, now: Timestamp) -> [UInt8] {
        let stamp = time == nil ? Array("\"\(now.rfc3339)\"".utf8) : nil
        var bytes: [UInt8] = []
        bytes.reserveCapacity(object.count + 32 + (added?.count ?? 0) + (stamp?.count ?? 0))
        bytes.append(UInt8(ascii: "{"))
        if let added, nullWorkspace == nil { bytes.append(member: "workspace", added) }
        if let stamp, nullTime == nil { bytes.append(member: "time", stamp) }
        var edits: [(at: Slice, new: [UInt8])] = []
        if let nullWorkspace, let added { edits.append((nullWorkspace, added)) }
        if let nullTime, let stamp { edits.append((nullTime, stamp)) }
        edits.sort { $0.at.start < $1.at.start }
        var i = object.start + 1
        for edit in edits {
            bytes.append(Slice(i, edit.at.start), of: text)
            bytes += edit.new
            i = edit.at.end
        }
        bytes.append(Slice(i, object.end), of: text)
        return bytes
    }
}

extension [UInt8] {
    /// Appends a member and the comma behind it.
    mutating func append(member name: String, _ value: [UInt8]) {
        JSON.append(quoted: name, to: &self)
        append(UInt8(ascii: ":"))
        append(contentsOf: value)
        append(UInt8(ascii: ","))
    }
}
