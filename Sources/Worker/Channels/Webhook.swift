public import CarillonEvents
import CarillonLedger
public import CarillonRules

/// Webhooks as Standard Webhooks 1.0.0 has them.
///
/// A request is repeated at once when a kept connection turns out to be dead before any answer came. For webhooks that is
/// allowed: the copy has the same id and the same body.
public struct WebhookChannel: EndpointChannel {
    private static let userAgent = "Carillon/\(CarillonVersion.current)"

    private var base: BaseAddress?
    private var format = EndpointFormat.standard
    private var template: Template?

    /// Makes the channel with its defaults.
    public init() {}

    /// Makes the channel from `channels.webhook`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> WebhookChannel {
        var channel = WebhookChannel()
        channel.base = try SettingsReading("webhook", settings, known: ["base_url"]).base()
        return channel
    }

    /// The channel for one endpoint.
    public func adapted(to spec: EndpointSpec) -> WebhookChannel {
        var channel = self
        (channel.format, channel.template) = (spec.format, spec.body)
        return channel
    }

    /// `webhook`.
    public var name: String { "webhook" }

    /// The signed request; only the timestamp, the signature and the attempt differ between two copies.
    ///
    /// - Throws: when the document's own template fails on the event.
    public func request(for outgoing: Outgoing, now: Timestamp) throws(Unsendable) -> Request {
        let id = outgoing.notice.key.description
        let body = try content(of: outgoing.notice, id: id)
        let seconds = String(now.seconds)
        var headers = HeaderLines()
        if let type = contentType(of: body, outgoing.endpoint) { headers.append(own: "content-type", type) }
        headers.append(own: "webhook-id", id)
        headers.append(own: "webhook-timestamp", seconds)
        if let signature = Self.signature(by: outgoing.endpoint.signers, id: id, timestamp: seconds, body: body) {
            headers.append(own: "webhook-signature", signature)
        }
        headers.append(own: "carillon-attempt", String(outgoing.attempt))
        headers.append(own: "user-agent", Self.userAgent)
        if let trace = outgoing.notice.traceparent { headers.append("traceparent", trace) }
        headers.append(document: outgoing.endpoint.headers, namesType: format == .body)
        let (url, isTrusted) = base.address(outgoing.endpoint.url)
        var request = Request(
            method: outgoing.endpoint.method, url: url, headers: headers, body: body,
            verifiesTLS: outgoing.endpoint.verifiesTLS)
        request.isTrusted = isTrusted
        return request
    }

    /// What is said, in the endpoint's format; the same for every copy.
    private func content(of notice: Notice, id: String) throws(Unsendable) -> [UInt8] {
        switch (format, template) {
        case (.cloudevents, _): return Array(notice.event)
        case (.body, let template?):
            do throws(TemplateError) { return Array(try template.render(object: notice.forTemplates.span).utf8) } catch
            {
                throw Unsendable("the body failed: \(error)")
            }
        default: return Self.body(of: notice, id: id)
        }
    }

    /// The type of a body; `nil` when the document says it itself.
    private func contentType(of body: [UInt8], _ endpoint: Endpoint) -> String? {
        switch format {
        case .cloudevents: return "application/cloudevents+json"
        case .body:
            if endpoint.headers.contains(where: { $0.name.lowercased() == "content-type" }) { return nil }
            return (try? JSON.check(body.span)) == nil ? "text/plain; charset=utf-8" : "application/json"
        default: return "application/json"
        }
    }

    /// What the status means; the answer's body decides nothing.
    public func outcome(of answer: Response) -> Outcome {
        Outcome(ofStatus: answer.status, retryAfter: answer.retryAfter)
    }

    /// The body: the same for every copy of a delivery, as nothing in it depends on the try.
    static func body(of notice: Notice, id: String) -> [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(
            320 + notice.title.utf8.count + notice.message.utf8.count + notice.event.count
                + (notice.group?.events.count ?? 0))
        func member(_ name: StaticString, _ value: String) {
            unsafe json.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
            JSON.append(quoted: value, to: &json)
        }
        member(#"{"type":"#, notice.type)
        member(#","timestamp":"#, notice.time)
        member(#","data":{"delivery":"#, id)
        member(#","workspace":"#, notice.workspace)
        member(#","rule":"#, notice.rule)
        member(#","severity":"#, notice.severity)
        if let subject = notice.subject {
            member(#","subject":"#, subject)
        } else {
            json.append(contentsOf: #","subject":null"#.utf8)
        }
        member(#","title":"#, notice.title)
        member(#","message":"#, notice.message)
        json.append(contentsOf: #","event":"#.utf8)
        json.append(contentsOf: notice.event)
        if let group = notice.group { group.append(to: &json) }
        json.append(contentsOf: "}}".utf8)
        return json
    }

    /// One signature for each secret, newest first; `nil` when there is none.
    package static func signature(by signers: [WebhookSigner], id: String, timestamp: String, body: [UInt8]) -> String?
    {
        guard !signers.isEmpty else { return nil }
        var signed: [UInt8] = []
        signed.reserveCapacity(96 + body.count)
        signed.append(contentsOf: id.utf8)
        signed.append(UInt8(ascii: "."))
        signed.append(contentsOf: timestamp.utf8)
        signed.append(UInt8(ascii: "."))
        signed.append(contentsOf: body)
        var header: [UInt8] = []
        header.reserveCapacity(48 * signers.count)
        for signer in signers {
            if !header.isEmpty { header.append(UInt8(ascii: " ")) }
            signer.append(to: &header, signing: signed)
        }
        return String(decoding: header, as: UTF8.self)
    }
}
