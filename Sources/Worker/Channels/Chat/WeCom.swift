public import CarillonEvents
public import CarillonRules

/// A robot in a WeCom group.
///
/// It takes 20 messages a minute. It has no way to recognise a copy.
public struct WeComChannel: EndpointChannel {
    private let base: BaseAddress?
    private var format = EndpointFormat.text
    private var mentions = Mentions()

    /// `wecom`.
    public var name: String { "wecom" }

    /// Makes the channel from `channels.wecom`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> WeComChannel {
        WeComChannel(base: try SettingsReading("wecom", settings, known: ["base_url"]).base())
    }

    /// The channel for one endpoint.
    public func adapted(to spec: EndpointSpec) -> WeComChannel {
        var channel = self
        (channel.format, channel.mentions) = (spec.format, spec.mentions)
        return channel
    }

    /// The request; the same for every copy.
    public func request(for outgoing: Outgoing, now: Timestamp) -> Request {
        let body = format == .markdown ? markdown(outgoing.notice) : text(outgoing.notice)
        return .post(base.address(outgoing.endpoint.url), body: body.bytes)
    }

    private func text(_ notice: Notice) -> JSONBody {
        let users = mentions.users + (mentions.all ? ["@all"] : [])
        let link = notice.linkLine(inMarkdown: false)
        var content: JSONBody = ["content": .text(notice.text.shortened(bytes: 2048 - link.utf8.count) + link)]
        if !users.isEmpty { content = content.with("mentioned_list", .list(users.map(JSONBody.text))) }
        if !mentions.mobiles.isEmpty {
            content = content.with("mentioned_mobile_list", .list(mentions.mobiles.map(JSONBody.text)))
        }
        return ["msgtype": "text", "text": content]
    }

    /// In Markdown `<@user>` calls somebody: one of the message is kept from it.
    private func markdown(_ notice: Notice) -> JSONBody {
        let called = mentions.users.map { "<@\($0)>" }.joined(separator: " ")
        let tail = notice.linkLine(inMarkdown: true) + (called.isEmpty ? "" : "\n" + called)
        let text = notice.text.replacing("<@", with: "<\u{200B}@").shortened(bytes: max(0, 4096 - tail.utf8.count))
        return ["msgtype": "markdown", "markdown": ["content": .text(text + tail)]]
    }

    /// The table.
    public func outcome(of answer: Response) -> Outcome {
        guard let code = AnswerBody(answer).number("errcode") else { return .ofChat(answer) }
        switch code {
        case 0: return .delivered
        case 45009, 45033: return .rateLimited(after: answer.retryAfter)  // too many in a minute, or at a time
        case 93000: return .gone(.authError)  // no such robot, or it was put out of the group
        case -1: return .failed(.serverError, after: answer.retryAfter)  // busy
        case 40000..<50000: return .refused(.clientError)  // the message itself
        default: return .failed(.other, after: answer.retryAfter)
        }
    }
}
