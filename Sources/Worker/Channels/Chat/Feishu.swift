public import CarillonEvents
public import CarillonRules
import Crypto

/// A robot in a Feishu or Lark group.
///
/// It takes 100 messages a minute and 5 a second. It has no way to recognise a copy.
public struct FeishuChannel: EndpointChannel {
    /// More than this is refused (20 KB), some room left.
    private static let limit = 19_000

    private let base: BaseAddress?
    private var format = EndpointFormat.post
    private var mentions = Mentions()

    /// `feishu`.
    public var name: String { "feishu" }

    /// Makes the channel from `channels.feishu`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> FeishuChannel {
        FeishuChannel(base: try SettingsReading("feishu", settings, known: ["base_url"]).base())
    }

    /// The channel for one endpoint.
    public func adapted(to spec: EndpointSpec) -> FeishuChannel {
        var channel = self
        (channel.format, channel.mentions) = (spec.format, spec.mentions)
        return channel
    }

    /// The request; the time and its signature stand in the body, so two copies differ there and nowhere else.
    public func request(for outgoing: Outgoing, now: Timestamp) -> Request {
        let link = outgoing.notice.linkLine(inMarkdown: false)
        let body = outgoing.notice.message.fitting(Self.limit) { message in
            var body: JSONBody = [:]
            if let secret = outgoing.endpoint.credential {
                let seconds = String(now.seconds)
                body = ["timestamp": .text(seconds), "sign": .text(Self.signature(at: seconds, secret: secret))]
            }
            let title = outgoing.notice.title.onOneLine.shortened(units: 256)
            let content = format == .text ? text(title, message, link) : post(title, message, outgoing.notice.link)
            return body.with("msg_type", format == .text ? "text" : "post").with("content", content).bytes
        }
        return .post(base.address(outgoing.endpoint.url), body: body)
    }

    /// Rich text: what stands in it is shown as it is, so no event can call anybody.
    private func post(_ title: String, _ message: String, _ link: String?) -> JSONBody {
        var lines: [JSONBody] = message.split(separator: "\n", omittingEmptySubsequences: false).map {
            [["tag": "text", "text": .text(String($0))]]
        }
        if let link { lines.append([["tag": "a", "text": .text(link), "href": .text(link)]]) }
        let called = (mentions.users + (mentions.all ? ["all"] : [])).map { user -> JSONBody in
            ["tag": "at", "user_id": .text(user)]
        }
        if !called.isEmpty { lines.append(.list(called)) }
        return ["post": ["zh_cn": ["title": .text(title), "content": .list(lines)]]]
    }

    /// Plain text, in which Feishu reads tags: a `<` of the message is kept from beginning one.
    private func text(_ title: String, _ message: String, _ link: String) -> JSONBody {
        var text = title.isEmpty || title == message ? message : title + "\n" + message
        text.replace("<", with: "<\u{200B}")
        text += link
        let called = (mentions.users + (mentions.all ? ["all"] : [])).map {
            "<at user_id=\"\($0.replacing("\"", with: ""))\"></at>"
        }
        return ["text": .text(([text] + called).joined(separator: "\n"))]
    }

    /// Base64 of the HMAC of nothing under the key `seconds\nsecret`.
    package static func signature(at seconds: String, secret: String) -> String {
        let key = SymmetricKey(data: Array("\(seconds)\n\(secret)".utf8))
        return Base64.text(Array(HMAC<SHA256>.authenticationCode(for: [UInt8](), using: key)))
    }

    /// The table; `StatusCode` is what robots of the first version say.
    public func outcome(of answer: Response) -> Outcome {
        let body = AnswerBody(answer)
        guard let code = body.number("code") ?? body.number("StatusCode") else { return .ofChat(answer) }
        switch code {
        case 0: return .delivered
        case 11232: return .rateLimited(after: answer.retryAfter)
        case 19001: return .gone(.authError)  // no such robot
        case 19021, 19022: return .refused(.authError)  // signature or time; address not allowed
        case 19024, 9499, 19002, 19003: return .refused(.clientError)  // no keyword; a message it cannot read
        default: return .failed(.other, after: answer.retryAfter)
        }
    }
}
