import CarillonEvents
import CarillonLedger
import CarillonRules
import Metrics

/// The path's metrics, named as the public face names them.
///
/// Counters are told once a batch where that is possible.
final class Meters {
    private var decided: [String: Counter] = [:]
    private var deliveries: [[String]: Counter] = [:]
    private var channels: [String: ChannelMeters] = [:]
    private let mismatches = Counter(label: "carillon_workspace_mismatches_total")
    private let gaps = Counter(label: "carillon_stream_gap_records_total")

    func decided(
        _ batch: Decisions, duplicates: Int, suppressed: [Suppression: Int], mismatched: Int
    ) {
        count("unmatched", batch.unmatched)
        count("matched", batch.events.count - duplicates)
        count("duplicate", duplicates)
        count("parked", batch.parked.count)
        if mismatched > 0 { mismatches.increment(by: mismatched) }
        if batch.gap > 0 { gaps.increment(by: batch.gap) }
        for (reason, count) in suppressed {
            counter("carillon_suppressed_total", [("reason", reason.rawValue)]).increment(by: count)
        }
    }

    /// Conditions could not be judged.
    func failed(conditions: [OnError: Int]) {
        for (onError, number) in conditions {
            counter("carillon_condition_failures_total", [("on_error", onError.rawValue)]).increment(by: number)
        }
    }

    /// A try ended; `isDead` when it was the last one.
    func ended(_ ending: Ending, after latency: Duration, isDead: Bool) {
        if ending.outcome == .unsent { return }
        let meters = channel(ending.channel)
        meters.attempts.increment()
        switch ending.outcome {
        case .unsent: return
        case .delivered:
            meters.delivered.increment()
            meters.latency.record(Double(latency.milliseconds) / 1000)
        case .failed(let reason, _):
            told(ending.channel, isDead ? "dead" : "failed")
            failed(channel: ending.channel, reason)
        case .rateLimited:
            told(ending.channel, isDead ? "dead" : "failed")
            failed(channel: ending.channel, .rateLimited)
        case .refused(let reason), .gone(let reason):
            told(ending.channel, "dead")
            failed(channel: ending.channel, reason)
        case .ambiguous(let reason):
            told(ending.channel, isDead ? "dead" : "ambiguous")
            failed(channel: ending.channel, reason)
        }
    }

    /// A delivery found no quota.
    func turned(channel: String, _ fate: Turned.Fate) {
        told(channel, fate.rawValue)
        if fate == .withheld { counter("carillon_suppressed_total", [("reason", QuotaReason.quota)]).increment() }
    }

    /// A delivery that never reached a channel was given up.
    func gaveUp(channel: String) { told(channel, "dead") }

    func failed(channel: String, _ reason: FailureReason) {
        counter("carillon_delivery_failures_total", [("channel", channel), ("reason", reason.rawValue)]).increment()
    }

    private func told(_ channel: String, _ outcome: String) {
        counter("carillon_deliveries_total", [("channel", channel), ("outcome", outcome)]).increment()
    }

    private func count(_ decision: String, _ number: Int) {
        guard number > 0 else { return }
        let counter = decided[decision] ?? counter("carillon_events_decided_total", [("decision", decision)])
        decided[decision] = counter
        counter.increment(by: number)
    }

    private func channel(_ name: String) -> ChannelMeters {
        if let known = channels[name] { return known }
        let made = ChannelMeters(
            attempts: counter("carillon_attempts_total", [("channel", name)]),
            delivered: counter("carillon_deliveries_total", [("channel", name), ("outcome", "delivered")]),
            latency: Recorder(
                label: "carillon_delivery_latency_seconds", dimensions: [("channel", name)], aggregate: true))
        channels[name] = made
        return made
    }

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> Counter {
        let name = [label] + dimensions.map(\.1)
        if let known = deliveries[name] { return known }
        let made = Counter(label: label, dimensions: dimensions)
        deliveries[name] = made
        return made
    }
}

/// What every delivered try tells, found by one look.
private struct ChannelMeters {
    let attempts: Counter
    let delivered: Counter
    let latency: Recorder
}
