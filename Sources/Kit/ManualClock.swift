public import CarillonEvents
import Synchronization

/// A clock that stands still until a test moves it.
public final class ManualClock: Clock {
    private struct Hands {
        var wall: Timestamp
        var uptime: Duration
    }
    private let hands: Mutex<Hands>

    /// A clock that shows `now` on the wall and has been up for `uptime`.
    public init(now: Timestamp = Timestamp(milliseconds: 1_767_600_000_000), uptime: Duration = .seconds(1000)) {
        hands = Mutex(Hands(wall: now, uptime: uptime))
    }

    /// What the wall clock shows.
    public func now() -> Timestamp { hands.withLock { $0.wall } }
    /// Time since the clock began; grows with `advance` alone.
    public func uptime() -> Duration { hands.withLock { $0.uptime } }

    /// Lets time pass on both clocks.
    public func advance(by step: Duration) {
        precondition(step >= .zero, "uptime never steps back; use set(now:) to move the wall clock")
        hands.withLock {
            $0.wall = $0.wall + step
            $0.uptime += step
        }
    }

    /// Moves the wall clock alone, either way, as an operator or NTP does.
    public func set(now: Timestamp) { hands.withLock { $0.wall = now } }
}
