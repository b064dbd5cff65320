public import CarillonEvents
import CarillonLedger
public import CarillonRules

/// A service of PagerDuty, by its Events API v2.
///
/// The `dedup_key` makes copies harmless: all of an incident have the same.
public struct PagerDutyChannel: EndpointChannel {
    private static let host = "https://events.pagerduty.com"
    /// The API takes 512 KB; the event itself has at most half of that.
    private static let summary = 1024

    private let base: BaseAddress?

    /// `pagerduty`.
    public var name: String { "pagerduty" }

    /// Makes the channel from `channels.pagerduty`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> PagerDutyChannel {
        PagerDutyChannel(base: try SettingsReading("pagerduty", settings, known: ["base_url"]).base())
    }

    /// The channel for one endpoint: the same, as its routing key is the endpoint's.
    public func adapted(to spec: EndpointSpec) -> PagerDutyChannel { self }

    /// The request; the same for every copy.
    public func request(for outgoing: Outgoing, now: Timestamp) -> Request {
        let notice = outgoing.notice
        let title = notice.title.isEmpty ? notice.message : notice.title
        let summary = title.onOneLine.shortened(units: Self.summary)
        let resolves = notice.incident?.resolves ?? false
        var payload: JSONBody = [
            "summary": .text(summary.isEmpty ? notice.type : summary),
            "source": .text((notice.subject ?? notice.workspace).shortened(units: 255)),
            "severity": .text(["critical", "warning", "info"].contains(notice.severity) ? notice.severity : "error"),
        ]
        if Timestamp(rfc3339: notice.time) != nil { payload = payload.with("timestamp", .text(notice.time)) }
        payload = payload.with("class", .text(notice.type)).with("group", .text(notice.workspace)).with(
            "custom_details",
            ["message": .text(notice.message), "rule": .text(notice.rule), "event": .raw(notice.event)])
        var body: JSONBody = [
            "routing_key": .text(outgoing.endpoint.credential ?? ""),
            "event_action": .text(resolves ? "resolve" : "trigger"),
            "dedup_key": .text(Self.incident(of: notice).description),
        ]
        if !resolves {
            body = body.with("payload", payload).with("client", "Carillon")
            if let link = notice.link { body = body.with("client_url", .text(link)) }
        }
        return .post(base.address(Self.host + "/v2/enqueue"), body: body.bytes)
    }

    /// The rule's incident; without one in the rule the subject makes it, so that what befalls one job is one.
    static func incident(of notice: Notice) -> Key {
        if let incident = notice.incident { return incident.key }
        guard let subject = notice.subject else { return notice.key }
        return .incident(
            workspace: notice.workspace, rule: notice.rule, values: [("subject", Array(subject.utf8))])
    }

    /// The table: the status decides.
    public func outcome(of answer: Response) -> Outcome {
        Outcome(ofStatus: answer.status, retryAfter: answer.retryAfter)
    }
}
