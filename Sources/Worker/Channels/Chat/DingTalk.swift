public import CarillonEvents
import CarillonLedger
public import CarillonRules
import Crypto

/// A robot in a DingTalk group.
///
/// The robot takes 20 messages a minute and is shut for ten minutes when it gets more. A copy with the same `msgUuid`, the
/// delivery's key, is shown once.
public struct DingTalkChannel: EndpointChannel {
    /// More than this is refused by the robot (20,000 bytes), some room left.
    private static let limit = 19_000
    /// How long the robot is shut when it got too many.
    private static let block = Duration.seconds(600)

    private let base: BaseAddress?
    private var format = EndpointFormat.text
    private var mentions = Mentions()

    /// `dingtalk`.
    public var name: String { "dingtalk" }

    /// Makes the channel from `channels.dingtalk`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> DingTalkChannel {
        DingTalkChannel(base: try SettingsReading("dingtalk", settings, known: ["base_url"]).base())
    }

    /// The channel for one endpoint.
    public func adapted(to spec: EndpointSpec) -> DingTalkChannel {
        var channel = self
        (channel.format, channel.mentions) = (spec.format, spec.mentions)
        return channel
    }

    /// The signed request; timestamp and signature are the try's own, the body is that of every copy.
    public func request(for outgoing: Outgoing, now: Timestamp) -> Request {
        let url = Self.signed(outgoing.endpoint.url, by: outgoing.endpoint.credential, at: now)
        return .post(base.address(url), body: body(of: outgoing.notice))
    }

    private func body(of notice: Notice) -> [UInt8] {
        let called = (mentions.mobiles + mentions.users).map { "@\($0)" }.joined(separator: " ")
        let at: JSONBody = [
            "atMobiles": .list(mentions.mobiles.map(JSONBody.text)),
            "atUserIds": .list(mentions.users.map(JSONBody.text)), "isAtAll": .flag(mentions.all),
        ]
        let link = notice.linkLine(inMarkdown: format == .markdown)
        return notice.text.fitting(Self.limit) { text in
            // Who is called must stand in the text too.
            let text = text + link + (called.isEmpty ? "" : "\n" + called)
            let content: JSONBody =
                format == .markdown
                ? [
                    "msgtype": "markdown",
                    "markdown": ["title": .text(notice.title.onOneLine.shortened(units: 64)), "text": .text(text)],
                ] : ["msgtype": "text", "text": ["content": .text(text)]]
            return content.with("at", mentions.isEmpty ? nil : at).with("msgUuid", .text(notice.key.description)).bytes
        }
    }

    /// The address with the time and its signature: the base64 is percent-encoded once, and by nobody else after.
    static func signed(_ url: String, by secret: String?, at now: Timestamp) -> String {
        guard let secret else { return url }
        let joint = url.utf8.contains(UInt8(ascii: "?")) ? "&" : "?"
        let sign = PercentCode.encode(signature(at: now, secret: secret))
        return "\(url)\(joint)timestamp=\(now.milliseconds)&sign=\(sign)"
    }

    /// Base64 of the HMAC of `milliseconds\nsecret` under the secret.
    package static func signature(at now: Timestamp, secret: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(
            for: Array("\(now.milliseconds)\n\(secret)".utf8), using: SymmetricKey(data: Array(secret.utf8)))
        return Base64.text(Array(code))
    }

    /// The table.
    ///
    /// `310000` has several meanings, told apart by the words beside it.
    public func outcome(of answer: Response) -> Outcome {
        let body = AnswerBody(answer)
        guard let code = body.number("errcode") else { return .ofChat(answer) }
        let words = body.text("errmsg").lowercased()
        switch code {
        case 0: return .delivered
        case 130101, 410100: return .rateLimited(after: Self.block)  // too many in a minute
        case 310000: return .refused(words.contains("keyword") ? .clientError : .authError)  // sign, time, keyword, IP
        case 300001, 300005, 400013, 400101, 400102, 400106: return .gone(.authError)  // no such token, robot or group
        case -1: return .failed(.serverError, after: answer.retryAfter)  // busy
        case 40000..<50000, 400000..<440000: return .refused(.clientError)  // the message itself
        default: return .failed(.other, after: answer.retryAfter)
        }
    }
}
