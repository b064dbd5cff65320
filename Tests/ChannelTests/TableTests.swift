import CarillonWorker
import Testing

/// An answer and what it means.
struct Row: Sendable, CustomTestStringConvertible {
    let channel, body: String
    let status: Int
    let outcome: Outcome
    var retryAfter: Duration?
    init(_ channel: String, _ status: Int, _ body: String, _ outcome: Outcome, retryAfter: Duration? = nil) {
        (self.channel, self.status, self.body, self.outcome) = (channel, status, body, outcome)
        self.retryAfter = retryAfter
    }
    var testDescription: String { "\(channel) \(status) \(body)" }

    static let thirty = Duration.seconds(30)
    static let chat: [Row] = [
        Row("dingtalk", 200, #"{"errcode":0,"errmsg":"ok"}"#, .delivered),
        Row("dingtalk", 200, #"{"errcode":130101}"#, .rateLimited(after: .seconds(600))),
        Row("dingtalk", 200, #"{"errcode":410100}"#, .rateLimited(after: .seconds(600))),
        Row("dingtalk", 200, #"{"errcode":310000,"errmsg":"keywords not in content"}"#, .refused(.clientError)),
        Row("dingtalk", 200, #"{"errcode":310000,"errmsg":"sign not match"}"#, .refused(.authError)),
        Row("dingtalk", 200, #"{"errcode":300001,"errmsg":"token is not exist"}"#, .gone(.authError)),
        Row("dingtalk", 200, #"{"errcode":300005}"#, .gone(.authError)),
        Row("dingtalk", 200, #"{"errcode":-1}"#, .failed(.serverError, after: nil)),
        Row("dingtalk", 200, #"{"errcode":40035}"#, .refused(.clientError)),
        Row("dingtalk", 200, "<html>", .failed(.other, after: nil)),
        Row("dingtalk", 502, "", .failed(.serverError, after: nil)),
        Row("dingtalk", 500, #"{"errcode":0}"#, .delivered),
        Row("dingtalk", 429, "", .rateLimited(after: thirty), retryAfter: thirty),
        Row("feishu", 200, #"{"code":0}"#, .delivered),
        Row("feishu", 200, #"{"StatusCode":0}"#, .delivered),
        Row("feishu", 200, #"{"code":11232}"#, .rateLimited(after: nil)),
        Row("feishu", 200, #"{"code":19021}"#, .refused(.authError)),
        Row("feishu", 200, #"{"code":19022}"#, .refused(.authError)),
        Row("feishu", 200, #"{"code":19024}"#, .refused(.clientError)),
        Row("feishu", 400, #"{"code":9499}"#, .refused(.clientError)),
        Row("feishu", 200, #"{"code":19001}"#, .gone(.authError)),
        Row("feishu", 200, #"{"code":77}"#, .failed(.other, after: nil)),
        Row("feishu", 200, "", .failed(.other, after: nil)),
        Row("wecom", 200, #"{"errcode":0}"#, .delivered),
        Row("wecom", 200, #"{"errcode":45009}"#, .rateLimited(after: nil)),
        Row("wecom", 200, #"{"errcode":93000}"#, .gone(.authError)),
        Row("wecom", 200, #"{"errcode":40008}"#, .refused(.clientError)),
        Row("wecom", 200, "[]", .failed(.other, after: nil)),
        Row("slack", 200, "ok", .delivered),
        Row("slack", 200, "something", .failed(.other, after: nil)),
        Row("slack", 400, "invalid_payload", .refused(.clientError)),
        Row("slack", 403, "action_prohibited", .refused(.authError)),
        Row("slack", 404, "no_service", .refused(.clientError)),
        Row("slack", 404, "channel_not_found", .refused(.clientError)),
        Row("slack", 410, "channel_is_archived", .gone(.clientError)),
        Row("slack", 429, "", .rateLimited(after: thirty), retryAfter: thirty),
        Row("slack", 500, "rollup_error", .failed(.serverError, after: nil)),
    ]
    static let others: [Row] = [
        Row("pagerduty", 202, "{}", .delivered),
        Row("pagerduty", 400, "{}", .refused(.clientError)),
        Row("pagerduty", 429, "{}", .rateLimited(after: nil)),
        Row("pagerduty", 500, "", .failed(.serverError, after: nil)),
        Row("webhook", 204, "", .delivered),
        Row("webhook", 302, "", .failed(.clientError, after: nil)),
        Row("webhook", 410, "", .gone(.clientError)),
        Row("twilio", 201, #"{"status":"queued"}"#, .delivered),
        Row("twilio", 400, #"{"code":21211}"#, .refused(.clientError)),
        Row("twilio", 400, #"{"code":21610}"#, .refused(.clientError)),
        Row("twilio", 401, #"{"code":20003}"#, .refused(.authError)),
        Row("twilio", 429, #"{"code":20429}"#, .rateLimited(after: thirty), retryAfter: thirty),
        Row("twilio", 400, #"{"code":21611}"#, .rateLimited(after: nil)),
        Row("twilio", 503, "", .failed(.serverError, after: nil)),
        Row("aliyun", 200, #"{"Code":"OK"}"#, .delivered),
        Row(
            "aliyun", 200, #"{"Code":"isv.BUSINESS_LIMIT_CONTROL","Message":"触发小时级流控Permits:5"}"#,
            .failed(.rateLimited, after: .seconds(3600))),
        Row(
            "aliyun", 200, #"{"Code":"isv.BUSINESS_LIMIT_CONTROL","Message":"触发天级流控Permits:10"}"#,
            .failed(.rateLimited, after: .seconds(86_400))),
        Row(
            "aliyun", 200, #"{"Code":"isv.BUSINESS_LIMIT_CONTROL","Message":"触发分钟级流控Permits:1"}"#,
            .failed(.rateLimited, after: .seconds(60))),
        Row("aliyun", 200, #"{"Code":"isv.MOBILE_NUMBER_ILLEGAL"}"#, .refused(.clientError)),
        Row("aliyun", 200, #"{"Code":"isv.AMOUNT_NOT_ENOUGH"}"#, .refused(.clientError)),
        Row("aliyun", 200, #"{"Code":"isp.SYSTEM_ERROR"}"#, .failed(.serverError, after: nil)),
        Row("aliyun", 400, #"{"Code":"SignatureDoesNotMatch"}"#, .refused(.authError)),
        Row("aliyun", 400, #"{"Code":"SignatureNonceUsed"}"#, .ambiguous(.other)),
        Row("aliyun", 400, #"{"Code":"Throttling.User"}"#, .rateLimited(after: nil)),
        Row("aliyun", 502, "", .failed(.serverError, after: nil)),
        Row("mail", 250, "", .delivered),
        Row("mail", 421, "", .failed(.serverError, after: nil)),
        Row("mail", 451, "", .failed(.serverError, after: nil)),
        Row("mail", 454, "", .failed(.authError, after: nil)),
        Row("mail", 535, "", .refused(.authError)),
        Row("mail", 550, "", .refused(.clientError)),
    ]
}

@Suite("Channels: what an answer means", .timeLimit(.minutes(5)))
struct TableTests {
    @Test("each row of the tables holds", arguments: Row.chat + Row.others)
    func row(row: Row) throws {
        let sample = try #require(Sample.all.first { $0.name == row.channel })
        let answer = Response(status: row.status, retryAfter: row.retryAfter, body: Array(row.body.utf8))
        #expect(try sample.make(nil).channel.outcome(of: answer) == row.outcome)
    }

    @Test("no answer of any status and any body is more than one outcome, and none traps", arguments: Sample.all)
    func every(sample: Sample) throws {
        let channel = try sample.make(nil).channel
        for status in [0, 100, 199, 200, 250, 302, 400, 404, 410, 429, 500, 599, 999] {
            for body in ["", "{", "null", "[1]", #"{"errcode":"x"}"#, #"{"code":99999999999999999999}"#, "\u{0}"] {
                let answer = Response(status: status, body: Array(body.utf8))
                #expect(channel.outcome(of: answer) == channel.outcome(of: answer))
            }
        }
    }
}
