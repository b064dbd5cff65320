/// Something that happened to a job, as an embedding scheduler says it.
///
/// ```swift
/// let event = JobEvent(
///     id: "dlc-7f3a/2/failed", source: "/schedulers/volcano-a", type: Lifecycle.Job.failed, workspace: "vision",
///     subject: "dlc-7f3a", data: ["owner": "alice", "attempt": 2, "reason": "OOMKilled"])
/// ```
public struct JobEvent: Sendable, Hashable {
    /// Names this event within its source: two events of equal source and id are one event, delivered once.
    public var id: String
    /// Who says it, such as `/schedulers/volcano-a`.
    public var source: String
    /// What happened, in the words of `Lifecycle` or in others.
    public var type: String
    /// Whose it is; decides which rules see it.
    ///
    /// Events of one workspace stay in order.
    public var workspace: String
    /// The id of the job, pipeline or model.
    public var subject: String?
    /// When it happened; stamped when the event is encoded where absent.
    public var time: Timestamp?
    /// Whatever else is known, usually an object.
    public var data: JSONValue?

    /// Makes an event; nothing is checked before `encoded`.
    public init(
        id: String, source: String, type: String, workspace: String, subject: String? = nil, time: Timestamp? = nil,
        data: JSONValue? = nil
    ) {
        (self.id, self.source, self.type, self.workspace) = (id, source, type, workspace)
        (self.subject, self.time, self.data) = (subject, time, data)
    }

    /// The event as structured CloudEvents JSON, ready to append.
    ///
    /// - Throws: what `CloudEvents.prepare` throws, and when a number in `data` is not finite.
    public func encoded(now: Timestamp) throws(EventError) -> EncodedEvent {
        var bytes = Array("{".utf8)
        bytes.append(attribute: "specversion", "1.0")
        bytes.append(attribute: "id", id)
        bytes.append(attribute: "source", source)
        bytes.append(attribute: "type", type)
        if let subject { bytes.append(attribute: "subject", subject) }
        bytes.append(attribute: "time", (time ?? now).rfc3339)
        bytes.append(attribute: "workspace", workspace)
        if let data {
            bytes.append(attribute: "datacontenttype", "application/json")
            bytes.append("\"data\":")
            try data.append(to: &bytes)
        } else {
            bytes.removeLast()  // the comma
        }
        bytes.append(UInt8(ascii: "}"))
        return try CloudEvents.prepare(bytes.span, now: now)
    }
}

extension [UInt8] {
    /// Appends a string member and the comma behind it.
    mutating func append(attribute name: String, _ value: String) {
        JSON.append(quoted: name, to: &self)
        append(UInt8(ascii: ":"))
        JSON.append(quoted: value, to: &self)
        append(UInt8(ascii: ","))
    }
}
