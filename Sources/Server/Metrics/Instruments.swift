import Metrics
import Synchronization

// One class for each kind of metric. Told from any thread, read by a scrape.

/// Only grows.
final class CounterInstrument: CounterHandler, FloatingPointCounterHandler {
    private let total = Mutex(0.0)
    var value: Double { total.withLock { $0 } }
    func increment(by amount: Int64) { total.withLock { $0 += Double(amount) } }
    func increment(by amount: Double) { total.withLock { $0 += max(0, amount) } }
    func reset() { total.withLock { $0 = 0 } }
}

/// Goes up and down.
final class GaugeInstrument: RecorderHandler, MeterHandler {
    private let current = Mutex(0.0)
    var value: Double { current.withLock { $0 } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { current.withLock { $0 = value } }
    func increment(by amount: Double) { current.withLock { $0 += amount } }
    func decrement(by amount: Double) { current.withLock { $0 -= amount } }
}

/// Counts values by size.
final class HistogramInstrument: RecorderHandler, TimerHandler {
    /// From a fast answer on the same machine to a delivery that took a day of retries, in seconds.
    static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400]

    struct Reading {
        /// How many values were at most each bound, and in all.
        var cumulative: [UInt64]
        var count: UInt64
        var sum: Double
    }

    private struct State {
        var buckets = [UInt64](repeating: 0, count: bounds.count + 1)
        var sum = 0.0
    }
    private let state = Mutex(State())

    var reading: Reading {
        state.withLock { state in
            var sum: UInt64 = 0
            let cumulative = state.buckets.map { count in
                sum += count
                return sum
            }
            return Reading(cumulative: Array(cumulative.dropLast()), count: sum, sum: state.sum)
        }
    }

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) {
        let bucket = Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count
        state.withLock { state in
            state.buckets[bucket] += 1
            state.sum += value
        }
    }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
}
