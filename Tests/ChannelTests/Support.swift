import CarillonEvents
import CarillonLedger
import CarillonRules
import CarillonWorker
import Foundation
import Testing

/// The moment of V4 and V7, at which the doubles' clock stands.
let stillMoment = Timestamp(milliseconds: 1_700_000_000_000)

struct StillClock: CarillonEvents.Clock {
    func now() -> Timestamp { stillMoment }
    func uptime() -> Duration { .seconds(1000) }
}

let sampleEvent = #"""
    {"specversion":"1.0","id":"dlc-7f3a/2/failed","source":"/schedulers/volcano-a","type":"job.failed","subject":"dlc-7f3a","time":"2026-01-05T08:00:00.250Z","workspace":"vision","data":{"name":"resnet-50","reason":"OOMKilled","message":"container <exceeded> & died","url":"https://console.example.com/jobs/7","results":{"drift":0.25,"note":"a<b"}}}
    """#

func notice(
    _ number: UInt64 = 1, title: String = "resnet-50 failed", message: String = "dlc-7f3a job.failed: OOMKilled 任务失败",
    event: String = sampleEvent, subject: String? = "dlc-7f3a", severity: String = "critical",
    incident: Incident? = nil,
    links: Links? = nil
) -> Notice {
    Notice(
        key: Key(high: 7, low: number), workspace: "vision", rule: "failures", severity: severity, type: "job.failed",
        subject: subject, time: "2026-01-05T08:00:00.250Z", title: title, message: message,
        event: Array(event.utf8)[...], traceparent: nil, incident: incident, links: links)
}

func outgoing(_ endpoint: Endpoint, _ notice: Notice, attempt: Int = 1) -> Outgoing {
    Outgoing(
        delivery: Int64(notice.key.low), epoch: Int64(attempt), attempt: attempt, lane: 1, notice: notice,
        endpoint: endpoint, leaseEnds: .seconds(4600))
}

/// A courier with a bell, so that a test waits for endings and not for time.
struct Rig {
    let courier: CurlCourier
    private let bell: AsyncStream<Void>

    init(timeout: Duration = .seconds(15), console: Int32 = 1) {
        let (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.bell = bell
        var configuration = CurlCourier.Configuration(concurrency: 8, perLane: 8, timeout: timeout)
        configuration.console = console
        courier = CurlCourier(configuration: configuration, clock: StillClock(), onEnding: { ring.yield() })
    }

    func send(_ outgoing: Outgoing) async -> Ending? {
        courier.offer([outgoing])
        var rings = bell.makeAsyncIterator()
        while true {
            if let ending = courier.collect().first {
                courier.settled(1)
                return ending
            }
            guard await rings.next() != nil else { return nil }
        }
    }
}

/// A channel with all it needs, and what no text may show.
struct Sample: Sendable, CustomTestStringConvertible {
    let name: String
    let make: @Sendable (_ base: String?) throws -> Endpoint
    let secrets: [String]
    /// Members of the body, or of its form, that are a try's own.
    var ofTheTry: [String] = []
    var isHTTP = true
    var testDescription: String { name }

    private static func of(
        _ kind: String, _ url: String, credential: String? = nil, format: EndpointFormat = .standard,
        body: String? = nil, mentions: Mentions = Mentions(), secrets: [[UInt8]] = [],
        headers: [(name: String, value: String)] = [], method: String = "POST", base: String?
    ) throws -> Endpoint {
        let values = base.map { ["base_url": $0] } ?? [:]
        let template = try body.map { text throws(TemplateError) in try Template(text, for: .body) }
        let spec = EndpointSpec(
            name: "room", kind: kind, url: .text(url), format: format, body: template, mentions: mentions)
        let made = try #require(try Channels.kinds([kind: ChannelSettings(values: values)])[kind])
        let channel = made(spec)
        return Endpoint(
            name: "room", url: url, method: method, secrets: secrets, headers: headers, credential: credential,
            channel: channel)
    }

    private static func person(
        _ kind: String, _ recipient: String, _ values: [String: String], base: String?
    ) throws -> Endpoint {
        var values = values
        if let base { values["base_url"] = base }
        let channel = try #require(try Channels.people([kind: ChannelSettings(values: values)])[kind])
        return Endpoint(
            name: "\(kind)/alice", url: "", secrets: [], headers: [], recipient: recipient, channel: channel)
    }

    private static let called = Mentions(mobiles: ["13800000001"], users: ["u1"], all: true)
    private static let dingtalk = "https://oapi.dingtalk.com/robot/send?access_token=dingtalk-token"
    private static let feishu = "https://open.feishu.cn/open-apis/bot/v2/hook/feishu-hook-id"
    private static let wecom = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=wecom-key"
    private static let slack = "https://hooks.slack.com/services/T0/B0/slack-key"
    private static let hook = "https://ops.example.com/alerts/hook-key-1"

    static let all: [Sample] = [
        Sample(
            name: "webhook",
            make: {
                try of(
                    "webhook", hook, secrets: [Array("0123456789abcdef0123456789abcdef".utf8)],
                    headers: [("Authorization", "Bearer hook-bearer")], base: $0)
            }, secrets: ["hook-key-1", "hook-bearer", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]),
        Sample(
            name: "webhook-cloudevents", make: { try of("webhook", hook, format: .cloudevents, base: $0) },
            secrets: ["hook-key-1"]),
        Sample(
            name: "webhook-body",
            make: {
                try of(
                    "webhook", hook, format: .body,
                    body: #"{"id":{{ subject|tojson }},"say":{{ notice.message|tojson }}}"#, method: "PUT", base: $0)
            }, secrets: ["hook-key-1"]),
        Sample(
            name: "dingtalk",
            make: { try of("dingtalk", dingtalk, credential: "SEC000example", format: .text, base: $0) },
            secrets: ["dingtalk-token", "SEC000example"]),
        Sample(
            name: "dingtalk-markdown",
            make: {
                try of("dingtalk", dingtalk, credential: "SEC000example", format: .markdown, mentions: called, base: $0)
            }, secrets: ["dingtalk-token", "SEC000example"]),
        Sample(
            name: "feishu",
            make: { try of("feishu", feishu, credential: "feishu-demo-secret", format: .post, base: $0) },
            secrets: ["feishu-hook-id", "feishu-demo-secret"], ofTheTry: ["timestamp", "sign"]),
        Sample(
            name: "feishu-text",
            make: {
                try of("feishu", feishu, credential: "feishu-demo-secret", format: .text, mentions: called, base: $0)
            }, secrets: ["feishu-hook-id", "feishu-demo-secret"], ofTheTry: ["timestamp", "sign"]),
        Sample(
            name: "wecom", make: { try of("wecom", wecom, format: .text, mentions: called, base: $0) },
            secrets: ["wecom-key"]),
        Sample(
            name: "wecom-markdown", make: { try of("wecom", wecom, format: .markdown, base: $0) },
            secrets: ["wecom-key"]),
        Sample(name: "slack", make: { try of("slack", slack, base: $0) }, secrets: ["slack-key"]),
        Sample(
            name: "slack-mlrun", make: { try of("slack", slack, format: .mlrun, base: $0) }, secrets: ["slack-key"]),
        Sample(
            name: "pagerduty",
            make: { try of("pagerduty", "", credential: "0123456789abcdef0123456789abcdef", base: $0) },
            secrets: ["0123456789abcdef0123456789abcdef"]),
        Sample(
            name: "twilio",
            make: {
                try person(
                    "sms", "+8613800000001",
                    ["provider": "twilio", "account": "AC1", "token": "twilio-token", "from": "+15005550006"], base: $0)
            }, secrets: ["twilio-token", "QUMxOnR3aWxpby10b2tlbg=="]),
        Sample(
            name: "aliyun",
            make: {
                try person(
                    "sms", "+8613800000001",
                    [
                        "provider": "aliyun", "access_key_id": "testId", "access_key_secret": "testSecret",
                        "sign_name": "阿里云短信测试专用", "template_code": "SMS_71390007",
                        "template_param": #"{"customer":{{ data.name|tojson }}}"#,
                    ], base: $0)
            }, secrets: ["testSecret"], ofTheTry: ["SignatureNonce", "Signature", "Timestamp"]),
        Sample(
            name: "mail",
            make: { _ in
                try person(
                    "mail", "alice@example.com",
                    [
                        "url": "smtp://mail.example.com:587", "from": "Carillon <carillon@example.com>",
                        "username": "carillon", "password": "mail-password",
                    ], base: nil)
            }, secrets: ["mail-password"], isHTTP: false),
        Sample(name: "console", make: { _ in try of("console", "", base: nil) }, secrets: [], isHTTP: false),
        Sample(name: "inbox", make: { _ in try person("inbox", "", [:], base: nil) }, secrets: [], isHTTP: false),
    ]
}
