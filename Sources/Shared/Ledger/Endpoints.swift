// What keeps an endpoint from getting messages. A worker's view of it (`down`) is that of its session; what a person or the
// endpoint itself decided stays until a person takes it back.

/// What keeps an endpoint from getting messages.
public enum EndpointState: String, Sendable, CaseIterable, Codable {
    /// A person paused it.
    case paused
    /// Its own answer said that it wants no more.
    case disabled
    /// It fails, so a worker only probes it.
    case down

    /// Whether only a person ends it.
    public var isSuspended: Bool { self != .down }
}

/// An endpoint with something to say about, as people see it.
public struct EndpointRow: Sendable, Codable, Equatable {
    /// Its names.
    public var workspace, name: String
    /// What keeps messages from it; `nil` for nothing.
    public var state: EndpointState?
    /// Why.
    public var reason: String
    /// Since when, in milliseconds since the epoch.
    public var since: Int64?
    /// Deliveries to it that are open.
    public var waiting: Int64
    /// Makes one.
    public init(workspace: String, name: String, state: EndpointState?, reason: String, since: Int64?, waiting: Int64) {
        (self.workspace, self.name, self.state, self.reason) = (workspace, name, state, reason)
        (self.since, self.waiting) = (since, waiting)
    }
}
