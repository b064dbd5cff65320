public import CarillonEvents
public import CarillonRules

/// An incoming webhook of Slack.
///
/// It takes about a message a second, with bursts. It has no way to recognise a copy.
public struct SlackChannel: EndpointChannel {
    /// Slack's own limits of a header and a section, in characters.
    static let header = 150
    static let section = 3000

    private let base: BaseAddress?
    private var format = EndpointFormat.standard

    /// `slack`.
    public var name: String { "slack" }

    /// Makes the channel from `channels.slack`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> SlackChannel {
        SlackChannel(base: try SettingsReading("slack", settings, known: ["base_url"]).base())
    }

    /// The channel for one endpoint.
    public func adapted(to spec: EndpointSpec) -> SlackChannel {
        var channel = self
        channel.format = spec.format
        return channel
    }

    /// The request; the same for every copy.
    public func request(for outgoing: Outgoing, now: Timestamp) -> Request {
        let body = format == .mlrun ? MLRunBlocks(outgoing.notice).body : Self.body(of: outgoing.notice)
        return .post(base.address(outgoing.endpoint.url), body: body.bytes)
    }

    /// A coloured bar by severity, the title (a link when there is one), the message, and where it comes from.
    private static func body(of notice: Notice) -> JSONBody {
        let title = notice.title.isEmpty ? notice.type : notice.title
        let plain = title.onOneLine.shortened(units: header)
        var blocks: [JSONBody] = [["type": "header", "text": ["type": "plain_text", "text": .text(plain)]]]
        if !notice.message.isEmpty, notice.message != notice.title {
            blocks.append(["type": "section", "text": ["type": "mrkdwn", "text": .text(escaped(notice.message))]])
        }
        let origin = [notice.workspace, notice.rule, notice.severity, notice.type].filter { !$0.isEmpty }
        var context = escaped(origin.joined(separator: " · "), to: 1500)
        if let link = notice.link, !link.contains(where: { "<>|".contains($0) }) { context += " · <\(link)|open>" }
        blocks.append(["type": "context", "elements": [["type": "mrkdwn", "text": .text(context)]]])
        return [
            "text": .text(escaped(title.onOneLine, to: section)),  // what notifications on a phone show
            "attachments": [["color": .text(colour(notice.severity)), "blocks": .list(blocks)]],
        ]
    }

    private static func colour(_ severity: String) -> String {
        switch severity {
        case "critical": "#d50200"
        case "warning": "#de9e31"
        default: "#2eb886"
        }
    }

    /// Text in which Slack finds no link, no person and no channel to call, in at most so many characters.
    static func escaped(_ text: String, to limit: Int = section) -> String {
        var room = limit
        while true {
            let escaped = text.shortened(units: room).replacing("&", with: "&amp;").replacing("<", with: "&lt;")
                .replacing(">", with: "&gt;")
            let excess = escaped.utf16.count - limit
            if excess <= 0 { return escaped }
            room -= (excess + 4) / 5  // a character becomes five at most
        }
    }

    /// The table: Slack's word decides, then the status.
    public func outcome(of answer: Response) -> Outcome {
        let word = String(decoding: answer.body.prefix(64), as: UTF8.self).onOneLine
        switch word {
        case "ok": return .delivered
        case "channel_is_archived": return .gone(.clientError)
        case "invalid_payload", "invalid_blocks", "invalid_attachments", "no_text", "too_many_attachments",
            "user_not_found", "channel_not_found", "no_service", "no_active_hooks", "no_team", "team_disabled":
            return .refused(.clientError)
        case "action_prohibited", "posting_to_general_channel_denied", "invalid_token": return .refused(.authError)
        case "rollup_error": return .failed(.serverError, after: answer.retryAfter)
        default: return .ofChat(answer)
        }
    }
}
