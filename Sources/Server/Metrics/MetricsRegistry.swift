public import Metrics
import Synchronization

/// Keeps a process's metrics for Prometheus to scrape: the backend behind swift-metrics.
///
/// Bootstrap it once, at the start of the process: `MetricsSystem.bootstrap(registry)`.
public final class MetricsRegistry: MetricsFactory {
    /// A metric's name with its labels, in the order they were given.
    struct Series: Hashable, Comparable {
        let name: String
        let labels: String
        static func < (a: Self, b: Self) -> Bool { (a.name, a.labels) < (b.name, b.labels) }
    }

    private struct State {
        var counters: [Series: CounterInstrument] = [:]
        var gauges: [Series: GaugeInstrument] = [:]
        var histograms: [Series: HistogramInstrument] = [:]
    }
    private let state = Mutex(State())

    /// An empty registry.
    public init() {}

    /// A counter; one that is there already is given again.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(Series(label, dimensions))
    }
    /// A counter of fractions; the same as `makeCounter`.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        counter(Series(label, dimensions))
    }
    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(Series(label, dimensions))
    }
    /// A histogram, or a gauge when values are not to be aggregated.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        aggregate ? histogram(Series(label, dimensions)) : gauge(Series(label, dimensions))
    }
    /// A histogram of seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(Series(label, dimensions))
    }

    // A counter that vanishes and comes back would look like a restart: what was made stays.
    /// Does nothing: what was told stays told.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Does nothing: what was told stays told.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Does nothing: what was told stays told.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Does nothing: what was told stays told.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Does nothing: what was told stays told.
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func counter(_ series: Series) -> CounterInstrument {
        state.withLock { state in
            let instrument = state.counters[series] ?? CounterInstrument()
            state.counters[series] = instrument
            return instrument
        }
    }
    private func gauge(_ series: Series) -> GaugeInstrument {
        state.withLock { state in
            let instrument = state.gauges[series] ?? GaugeInstrument()
            state.gauges[series] = instrument
            return instrument
        }
    }
    private func histogram(_ series: Series) -> HistogramInstrument {
        state.withLock { state in
            let instrument = state.histograms[series] ?? HistogramInstrument()
            state.histograms[series] = instrument
            return instrument
        }
    }

    /// Everything as Prometheus text, together with gauges read elsewhere.
    func exposition(with gauges: [(Series, Double)]) -> String {
        let state = state.withLock { $0 }
        var text = Exposition()
        for (series, counter) in state.counters.sorted(by: { $0.key < $1.key }) {
            text.sample(series, type: "counter", counter.value)
        }
        let told = state.gauges.map { ($0.key, $0.value.value) }
        for (series, value) in (told + gauges).sorted(by: { $0.0 < $1.0 }) { text.sample(series, type: "gauge", value) }
        for (series, histogram) in state.histograms.sorted(by: { $0.key < $1.key }) {
            text.histogram(series, histogram.reading)
        }
        return text.text
    }
}

extension MetricsRegistry.Series {
    /// Makes a series' name and labels safe for Prometheus' text.
    init(_ label: String, _ dimensions: [(String, String)] = []) {
        name = Self.safe(label)
        labels = dimensions.map { "\(Self.safe($0.0))=\"\(Self.escaped($0.1))\"" }.joined(separator: ",")
    }

    private static func safe(_ name: String) -> String {
        let safe = String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") ? $0 : "_" })
        return safe.first?.isNumber ?? true ? "_" + safe : safe
    }

    private static func escaped(_ value: String) -> String {
        var escaped = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}

/// Prometheus' text format, 0.0.4.
private struct Exposition {
    private(set) var text = ""
    private var described = ""

    mutating func sample(_ series: MetricsRegistry.Series, type: String, _ value: Double) {
        describe(series.name, type)
        line(series.name, series.labels, value)
    }

    mutating func histogram(_ series: MetricsRegistry.Series, _ reading: HistogramInstrument.Reading) {
        describe(series.name, "histogram")
        let labels = series.labels.isEmpty ? "" : series.labels + ","
        for (bound, count) in zip(HistogramInstrument.bounds, reading.cumulative) {
            line(series.name + "_bucket", labels + "le=\"\(Self.number(bound))\"", Double(count))
        }
        line(series.name + "_bucket", labels + "le=\"+Inf\"", Double(reading.count))
        line(series.name + "_sum", series.labels, reading.sum)
        line(series.name + "_count", series.labels, Double(reading.count))
    }

    private mutating func describe(_ name: String, _ type: String) {
        guard name != described else { return }
        described = name
        if let help = metricHelp[name] { text += "# HELP \(name) \(help)\n" }
        text += "# TYPE \(name) \(type)\n"
    }

    private mutating func line(_ name: String, _ labels: String, _ value: Double) {
        text += labels.isEmpty ? "\(name) \(Self.number(value))\n" : "\(name){\(labels)} \(Self.number(value))\n"
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }
}

/// What each metric of ours tells.
private let metricHelp: [String: String] = [
    "carillon_events_accepted_total": "Events taken into the stream by this process.",
    "carillon_events_decided_total": "Records decided, by what was decided.",
    "carillon_deliveries_total": "Tries that ended, by channel and outcome.",
    "carillon_delivery_failures_total": "Tries that failed, by channel and reason.",
    "carillon_suppressed_total": "Selected events that sent nothing, by reason.",
    "carillon_delivery_latency_seconds": "From the event's time to the receiver's yes.",
    "carillon_attempts_total": "Tries, by channel.",
    "carillon_pending": "Deliveries that wait or are on their way.",
    "carillon_oldest_pending_seconds": "Age of the oldest delivery that waits; 0 when none does.",
    "carillon_breakers_open": "Endpoints that fail, so that they are only probed.",
    "carillon_dead_letters": "Deliveries that were given up.",
    "carillon_stream_lag_records": "Records of the stream that are not decided yet.",
    "carillon_stream_gap_records_total": "Records that were gone before they were read.",
    "carillon_condition_failures_total": "Conditions of rules that failed on an event, by what the rule then does.",
    "carillon_ledger_residue": "Ways in which the conservation law does not hold; 0 when it holds.",
    "carillon_workspace_mismatches_total": "Events whose partitionkey names another workspace; workspace wins.",
    "carillon_spool_bytes": "Bytes that publishers left in the spool.",
    "carillon_spool_segments": "Files in the spool that wait for the stream.",
    "carillon_spool_unreadable": "Files in the spool that this process may not read or remove.",
    "carillon_config_last_reload_successful": "Whether configuration and watched rules were taken when last read.",
    "carillon_build_info": "Which Carillon this is; always 1.",
]
