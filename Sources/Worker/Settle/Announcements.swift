import CarillonEvents
import CarillonStream
import Logging

// Endpoints that went down and came back, as events of the workspace `_system`. Only rules of `_system` and rules for every
// workspace meet these, and their own endpoints are never announced: so no announcement is the cause of another.

/// What is to be told about endpoints.
struct Announcements {
    /// An endpoint has to be down for so long to be worth an event: most are back after a restart.
    private static let patience = Duration.seconds(10)
    /// Announcements that could not be appended; more are dropped, as `status` and the log have them too.
    private static let bound = 256

    private struct Outage {
        let workspace, name, reason: String
        let since: Timestamp
        let tellAt: Duration
        var isTold = false
    }

    private var outages: [Int64: Outage] = [:]
    private var events: [EncodedEvent] = []
    private let source: String

    /// - Parameter worker: the worker's name, for the events' source.
    init(worker: String) { source = "/carillon/" + worker }

    mutating func wentDown(_ lane: Int64, _ trouble: LaneTrouble, at now: Duration) {
        guard trouble.workspace != "_system", trouble.workspace != "*", let since = trouble.downSince else { return }
        outages[lane] = Outage(
            workspace: trouble.workspace, name: trouble.name, reason: trouble.reason, since: since,
            tellAt: now + Self.patience)
    }

    mutating func cameBack(_ lane: Int64, at now: Timestamp) {
        guard let outage = outages.removeValue(forKey: lane), outage.isTold else { return }
        add("endpoint.up", outage, at: now)
    }

    /// An endpoint said that it is gone, and gets nothing until a person resumes it.
    ///
    /// All workers that hear it before they know of it make one event.
    mutating func wasDisabled(
        _ endpoint: (workspace: String, name: String), reason: String, knowing revision: Int64, at now: Timestamp
    ) {
        guard endpoint.workspace != "_system", endpoint.workspace != "*", !endpoint.name.isEmpty else { return }
        let outage = Outage(
            workspace: endpoint.workspace, name: endpoint.name, reason: reason, since: now, tellAt: .zero)
        add("endpoint.disabled", outage, at: now, source: "/carillon", moment: revision)
    }

    /// Appends what is to be told; what the stream does not take is told later.
    mutating func tell(by appender: (any StreamAppender)?, now: Duration, wall: Timestamp, _ logger: Logger) {
        guard !outages.isEmpty || !events.isEmpty else { return }
        for (lane, outage) in outages where !outage.isTold && outage.tellAt <= now {
            outages[lane]?.isTold = true
            add("endpoint.down", outage, at: wall)
        }
        guard let appender, !events.isEmpty else { return events.removeAll() }
        do throws(StreamError) {
            try appender.append(events)
            events.removeAll()
        } catch {
            logger.warning("an event about an endpoint waits: \(error)")
        }
    }

    private mutating func add(
        _ type: String, _ outage: Outage, at now: Timestamp, source: String? = nil, moment: Int64? = nil
    ) {
        guard events.count < Self.bound else { return }
        var json: [UInt8] = []
        func member(_ name: String, _ value: String) {
            json.append(contentsOf: (json.isEmpty ? "{\"" : ",\"").utf8)
            json.append(contentsOf: (name + "\":").utf8)
            JSON.append(quoted: value, to: &json)
        }
        let subject = outage.workspace + "/" + outage.name
        member("specversion", "1.0")
        member("id", "\(subject)/\(moment ?? outage.since.milliseconds)/\(type)")
        member("source", source ?? self.source)
        member("type", type)
        member("workspace", "_system")
        member("subject", subject)
        member("time", now.rfc3339)
        json.append(contentsOf: ",\"data\":".utf8)
        let data = json
        json = []
        member("workspace", outage.workspace)
        member("endpoint", outage.name)
        member("since", outage.since.rfc3339)
        member("reason", outage.reason)
        events.append(EncodedEvent(workspace: "_system", type: type, bytes: data + json + Array("}}".utf8)))
    }
}
