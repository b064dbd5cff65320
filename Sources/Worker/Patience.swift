import CarillonEvents
import CarillonLedger
import CarillonStream
import Glibc

/// Waits before a ledger or a stream that was away is asked again, longer each time.
public struct Patience {
    private static let first = Duration.milliseconds(100)
    private static let longest = Duration.seconds(5)
    /// How long the next wait is.
    public private(set) var next = first

    /// Begins with a tenth of a second.
    public init() {}

    /// It was there: the next wait is short again.
    public mutating func reset() { next = Self.first }

    /// Waits, keeping the thread.
    public mutating func take() {
        usleep(useconds_t(clamping: next.milliseconds * 1000))
        next = min(next * 2, Self.longest)
    }

    /// Whether an error goes by itself: what it is about is away, busy or full, and may be tried again.
    public static func isWorthwhile(after error: any Error) -> Bool {
        (error as? LedgerError)?.isTransient ?? (error as? StreamError)?.isRetriable ?? false
    }
}
