/// A moment of wall-clock time, in whole milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Milliseconds since the epoch; negative before it.
    public var milliseconds: Int64

    /// Makes a moment from milliseconds since the epoch.
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Whether `a` comes before `b`.
    public static func < (a: Self, b: Self) -> Bool { a.milliseconds < b.milliseconds }
    /// The moment `b` later.
    public static func + (a: Self, b: Duration) -> Self { Self(milliseconds: a.milliseconds + b.milliseconds) }
    /// The moment `b` earlier.
    public static func - (a: Self, b: Duration) -> Self { Self(milliseconds: a.milliseconds - b.milliseconds) }
    /// The time from `b` to `a`; negative when `a` comes first.
    public static func - (a: Self, b: Self) -> Duration { .milliseconds(a.milliseconds - b.milliseconds) }
}

extension Duration {
    /// The duration in whole milliseconds, cut towards zero.
    public var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}

/// Where a worker reads the time.
///
/// Two clocks: the wall for what is written down, the monotonic one for leases and timeouts.
public protocol Clock: Sendable {
    /// The wall clock; may step either way.
    func now() -> Timestamp
    /// Time since an arbitrary start; never steps back.
    func uptime() -> Duration
}
