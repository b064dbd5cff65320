import CarillonEvents
import CarillonLedger
import Metrics

/// The path's metrics, named as the public face names them.
///
/// Counters are told once a batch where that is possible.
final class Meters {
    private var decided: [String: Counter] = [:]
    private var deliveries: [[String]: Counter] = [:]
    private var latencies: [String: Recorder] = [:]
    private let gaps = Counter(label: "carillon_stream_gap_records_total")

    func decided(_ batch: Decisions, duplicates: Int) {
        count("unmatched", batch.unmatched)
        count("matched", batch.events.count - duplicates)
        count("duplicate", duplicates)
        count("parked", batch.parked.count)
        if batch.gap > 0 { gaps.increment(by: batch.gap) }
        for selection in batch.selections {
            guard let reason = selection.suppressed else { continue }
            counter("carillon_suppressed_total", [("reason", reason.rawValue)]).increment()
        }
    }

    func ended(_ ending: Ending, after latency: Duration) {
        switch ending.outcome {
        case .unsent: return
        case .delivered:
            told(ending.channel, "delivered")
            latencyOf(ending.channel).record(Double(latency.milliseconds) / 1000)
        case .failed(let reason, _):
            told(ending.channel, "failed")
            failed(channel: ending.channel, reason)
        case .refused(let reason):
            told(ending.channel, "dead")
            failed(channel: ending.channel, reason)
        case .ambiguous(let reason):
            told(ending.channel, "ambiguous")
            failed(channel: ending.channel, reason)
        }
        counter("carillon_attempts_total", [("channel", ending.channel)]).increment()
    }

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

    private func latencyOf(_ channel: String) -> Recorder {
        if let known = latencies[channel] { return known }
        let made = Recorder(
            label: "carillon_delivery_latency_seconds", dimensions: [("channel", channel)], aggregate: true)
        latencies[channel] = made
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
