public import CarillonEvents

/// Text messages by Twilio.
///
/// Twilio knows no copies: a message that is posted twice is sent, and paid for, twice. So each try has a connection of
/// its own, and one whose answer was lost is not repeated unless the deployment says so. `201` means queued.
public struct TwilioChannel: PersonalChannel {
    private static let host = "https://api.twilio.com"

    let account, token, from: String
    let length: Int
    private let base: BaseAddress?
    /// What becomes of a message of which nobody knows whether it was queued.
    public let onAmbiguous: OnAmbiguous

    /// `sms`.
    public var name: String { "sms" }
    /// The token, as it is and as the request carries it.
    public var secrets: [String] { [token, credentials] }

    /// Makes the channel from `channels.sms` with `provider: twilio`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> TwilioChannel {
        let reading = try SettingsReading(
            "sms", settings, known: ["account", "token", "from", "length", "base_url", "on_ambiguous"])
        let account = try reading.required("account", "the account's SID, AC…")
        guard account.utf8.allSatisfy({ $0.isLetterOrDigit }) else {
            throw reading.fault("account", "an account's SID has letters and digits only")
        }
        return TwilioChannel(
            account: account, token: try reading.required("token", "the account's token, best as token_file"),
            from: try reading.required("from", "the number to send from, or a messaging service's SID, MG…"),
            length: try reading.number("length", default: 320, in: 20...1600), base: try reading.base(),
            onAmbiguous: try reading.onAmbiguous(default: .skip))
    }

    /// The request; the same for every copy.
    public func request(for outgoing: Outgoing, now: Timestamp) throws(Unsendable) -> Request {
        let number = try PhoneNumber.of(outgoing.endpoint)
        let form = PercentCode.form([
            ("To", number), (from.hasPrefix("MG") ? "MessagingServiceSid" : "From", from),
            ("Body", outgoing.notice.text.shortened(units: length)),
        ])
        var request = Request.post(
            base.address("\(Self.host)/2010-04-01/Accounts/\(account)/Messages.json"),
            body: Array(form.utf8), type: "application/x-www-form-urlencoded",
            headers: [("authorization", "Basic \(credentials)")])
        request.needsFreshConnection = true
        return request
    }

    private var credentials: String { Base64.text(Array("\(account):\(token)".utf8)) }

    /// The table: Twilio's code decides, then the status.
    public func outcome(of answer: Response) -> Outcome {
        if (200..<300).contains(answer.status) { return .delivered }
        switch AnswerBody(answer).number("code") {
        case 20429: return .rateLimited(after: answer.retryAfter)
        case 21611, 30001: return .rateLimited(after: answer.retryAfter)  // the sender's queue is full
        case 20003, 20005, 20006: return .refused(.authError)
        case 21211, 21212, 21214, 21408, 21601, 21602, 21606, 21608, 21610, 21612, 21614, 21617:
            return .refused(.clientError)  // the number, or what may be sent to it
        default: return Outcome(ofStatus: answer.status, retryAfter: answer.retryAfter)
        }
    }
}

/// A telephone number in E.164: `+`, and 7 to 15 digits of which the first is not 0.
enum PhoneNumber {
    static func isValid(_ text: String) -> Bool {
        let digits = text.utf8.dropFirst()
        return text.utf8.first == UInt8(ascii: "+") && (7...15).contains(digits.count)
            && digits.first != UInt8(ascii: "0") && digits.allSatisfy { (0x30...0x39).contains($0) }
    }

    static func of(_ endpoint: Endpoint) throws(Unsendable) -> String {
        guard let number = endpoint.recipient else { throw Unsendable("\(endpoint.name) has no telephone number") }
        guard isValid(number) else {
            throw Unsendable("the telephone number of \(endpoint.name) is not in E.164, such as +8613800000001")
        }
        return number
    }
}

extension UInt8 {
    var isLetterOrDigit: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self)
    }
}
