/// A piece of a byte buffer, as two offsets from its start.
public struct Slice: Sendable, Hashable {
    /// Offset of the first byte.
    public var start: Int
    /// Offset behind the last byte.
    public var end: Int
    /// Makes a slice; `end` is behind the last byte.
    @inlinable
    public init(_ start: Int, _ end: Int) {
        self.start = start
        self.end = end
    }
    /// The number of bytes.
    @inlinable public var count: Int { end - start }
    /// As a range, to cut arrays with.
    @inlinable public var range: Range<Int> { start..<end }
}

/// Where the attributes of one structured CloudEvent stand in its bytes: the raw JSON of each value, quotes included.
public struct EventOutline: Sendable, Hashable {
    /// The attributes every event has.
    public var id, source, type, workspace: Slice
    /// The attributes an event may lack.
    public var subject, time, data: Slice?
    /// The extension attribute that stands in for `workspace`; kept so that a mismatch can be counted.
    public var partitionkey: Slice?
    /// The event's W3C trace context.
    public var traceparent: Slice?

    /// Makes an outline.
    public init(
        id: Slice, source: Slice, type: Slice, workspace: Slice, subject: Slice? = nil, time: Slice? = nil,
        data: Slice? = nil, partitionkey: Slice? = nil, traceparent: Slice? = nil
    ) {
        (self.id, self.source, self.type, self.workspace) = (id, source, type, workspace)
        (self.subject, self.time, self.data) = (subject, time, data)
        (self.partitionkey, self.traceparent) = (partitionkey, traceparent)
    }
}

/// An event ready to append: checked, complete, as structured JSON.
public struct EncodedEvent: Sendable, Hashable {
    /// The key that decides the partition.
    public let workspace: String
    /// The event's type, kept beside its bytes so that a reader may drop it unparsed.
    public let type: String
    /// The CloudEvent as one JSON object.
    public let bytes: [UInt8]

    /// Makes one from parts that the caller has checked; `CloudEvents.prepare` checks and makes.
    public init(workspace: String, type: String, bytes: [UInt8]) {
        self.workspace = workspace
        self.type = type
        self.bytes = bytes
    }
}
