public import CarillonEvents
import CarillonLedger
import CarillonRules
import Crypto

/// Text messages by Alibaba Cloud's Dysmsapi, through a template the provider has approved.
///
/// A signature's nonce is used once: a second request with it is refused, so a try whose connection died is told,
/// not sent twice.
public struct AliyunSMSChannel: PersonalChannel {
    private static let host = "https://dysmsapi.aliyuncs.com"
    /// The longest value of a template's variable, in characters.
    private static let variable = 35

    let keyID, keySecret, signName, templateCode, region: String
    let parameters: Template?
    private let base: BaseAddress?
    /// What becomes of a message of which nobody knows whether it was taken.
    public let onAmbiguous: OnAmbiguous

    /// `sms`.
    public var name: String { "sms" }
    /// The key's secret.
    public var secrets: [String] { [keySecret] }

    /// Makes the channel from `channels.sms` with `provider: aliyun`.
    public static func make(_ settings: ChannelSettings) throws(ChannelSettingsError) -> AliyunSMSChannel {
        let reading = try SettingsReading(
            "sms", settings,
            known: [
                "access_key_id", "access_key_secret", "sign_name", "template_code", "template_param", "region",
                "base_url", "on_ambiguous",
            ])
        var parameters: Template?
        if let text = reading["template_param"] {
            do throws(TemplateError) { parameters = try Template(text, for: .body) } catch {
                throw reading.fault("template_param", "\(error)")
            }
        }
        return AliyunSMSChannel(
            keyID: try reading.required("access_key_id", "the access key's id"),
            keySecret: try reading.required("access_key_secret", "best as access_key_secret_file"),
            signName: try reading.required("sign_name", "the approved signature"),
            templateCode: try reading.required("template_code", "the approved template, SMS_…"),
            region: reading["region"] ?? "cn-hangzhou", parameters: parameters, base: try reading.base(),
            onAmbiguous: try reading.onAmbiguous(default: .skip))
    }

    /// The signed request; time, nonce and signature are the try's own.
    public func request(for outgoing: Outgoing, now: Timestamp) throws(Unsendable) -> Request {
        let notice = outgoing.notice
        var pairs = [
            ("AccessKeyId", keyID), ("Action", "SendSms"), ("Format", "JSON"), ("OutId", notice.key.description),
            ("PhoneNumbers", Self.domestic(try PhoneNumber.of(outgoing.endpoint))), ("RegionId", region),
            ("SignName", signName), ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "\(notice.key)-\(outgoing.epoch)-\(outgoing.attempt)"), ("SignatureVersion", "1.0"),
            ("TemplateCode", templateCode), ("TemplateParam", try parameters(of: notice)),
            ("Timestamp", String(now.rfc3339.prefix(19)) + "Z"), ("Version", "2017-05-25"),
        ]
        pairs.append(("Signature", Self.signature(of: pairs, method: "POST", secret: keySecret)))
        var request = Request.post(
            base.address(Self.host + "/"), body: Array(PercentCode.form(pairs).utf8),
            type: "application/x-www-form-urlencoded")
        request.needsFreshConnection = true
        return request
    }

    private func parameters(of notice: Notice) throws(Unsendable) -> String {
        guard let parameters else {
            let values: JSONBody = [
                "title": .text(notice.title.onOneLine.shortened(units: Self.variable)),
                "message": .text(notice.message.onOneLine.shortened(units: Self.variable)),
            ]
            return String(decoding: values.bytes, as: UTF8.self)
        }
        do throws(TemplateError) { return try parameters.render(object: notice.forTemplates.span) } catch {
            throw Unsendable("channels.sms.template_param: \(error)")
        }
    }

    /// Numbers of the mainland are written without their `+86`, others without the `+`.
    private static func domestic(_ number: String) -> String {
        String(number.dropFirst(number.hasPrefix("+861") && number.utf8.count == 14 ? 3 : 1))
    }

    /// The RPC signature, version 1.0: the sorted query, encoded once more, under the secret with `&` behind it.
    package static func signature(of pairs: [(String, String)], method: String, secret: String) -> String {
        let query = pairs.map { (PercentCode.encode($0.0), PercentCode.encode($0.1)) }
            .sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }.map { "\($0.0)=\($0.1)" }
            .joined(separator: "&")
        let text = "\(method)&%2F&\(PercentCode.encode(query))"
        let key = SymmetricKey(data: Array("\(secret)&".utf8))
        return Base64.text(Array(HMAC<Insecure.SHA1>.authenticationCode(for: Array(text.utf8), using: key)))
    }

    /// The table: the code decides, then the status.
    public func outcome(of answer: Response) -> Outcome {
        let body = AnswerBody(answer)
        let code = body.text("Code")
        switch code {
        case "": return .ofChat(answer)
        case "OK": return .delivered
        case "isv.BUSINESS_LIMIT_CONTROL": return .failed(.rateLimited, after: Self.rest(body.text("Message")))
        case "SignatureNonceUsed": return .ambiguous(.other)  // a request with this try's nonce was there before
        case "SignatureDoesNotMatch", "IncompleteSignature", "InvalidTimeStamp.Expired", "isp.RAM_PERMISSION_DENY":
            return .refused(.authError)
        default:
            if code.hasPrefix("Throttling") { return .rateLimited(after: answer.retryAfter) }
            if code.hasPrefix("InvalidAccessKey") || code.hasPrefix("Forbidden") { return .refused(.authError) }
            return code.hasPrefix("isv.") ? .refused(.clientError) : .failed(.serverError, after: answer.retryAfter)
        }
    }

    /// The limit is the number's, not the sender's: per minute, hour or day, as the words say.
    private static func rest(_ words: String) -> Duration {
        if words.contains("天级") || words.lowercased().contains("day") { return .seconds(86_400) }
        if words.contains("小时级") || words.lowercased().contains("hour") { return .seconds(3600) }
        return .seconds(60)
    }
}
