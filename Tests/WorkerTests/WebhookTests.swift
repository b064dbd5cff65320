import CarillonEvents
import CarillonLedger
import CarillonWorker
import Testing

/// Secrets, id, timestamp, body and the header they make; the first is the standard's own example.
struct Signed: Sendable, CustomTestStringConvertible {
    var secrets: [String]
    var id: String
    var timestamp: String
    var body: String
    var header: String
    var testDescription: String { "\(id) at \(timestamp)" }

    static let first = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    static let second = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    static let body =
        #"{"type":"job.failed","timestamp":"2026-01-05T08:00:00Z","data":{"job_id":"dlc-1","workspace":"ws-7"}}"#

    static let all: [Signed] = [
        Signed(
            secrets: [first], id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: "1614265330",
            body: #"{"test": 2432232314}"#,
            header: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        Signed(
            secrets: [first], id: "msg_0001", timestamp: "1767600000", body: body,
            header: "v1,CVF4k5b5fPRvl59VaJQIdNDamsHHb7+DU2woCK2Jr08="),
        Signed(
            secrets: [first], id: "msg_0001", timestamp: "1767600000",
            body: body.replacing(#""data":"#, with: #""data": "#),
            header: "v1,Cwwpen3n7o6kkugut+2R5TlT4NJoOlZrDB1f68GSYrY="),
        Signed(
            secrets: [first, second], id: "msg_0001", timestamp: "1767600000", body: body,
            header: "v1,CVF4k5b5fPRvl59VaJQIdNDamsHHb7+DU2woCK2Jr08= v1,F0Q+UfHGTXcZPz15eG1gIhE+m/xbSuAGxbO/aUpqdEE="),
        Signed(
            secrets: [first], id: "msg_0001", timestamp: "1767600005", body: body,
            header: "v1,KJc1CF7U31OQ4Rs/iMZuFtMPsKaxgfxi7tC54xRKLsw="),
        Signed(
            secrets: [second], id: "evt-42", timestamp: "1700000000", body: "{}",
            header: "v1,9E+L3D1MZtWgyyIAj/LO52asejWeal4l1hm35MsC7Ow="),
    ]
}

@Suite("Webhook: Standard Webhooks 1.0.0, the same bytes for every copy", .timeLimit(.minutes(5)))
struct WebhookTests {
    @Test("a signature is the one other implementations make", arguments: Signed.all)
    func vector(signed: Signed) throws {
        let secrets = try signed.secrets.map { text throws(WebhookSecretError) in try WebhookSecret.parse(text) }
        let made = WebhookChannel.signature(
            by: secrets.map(WebhookSigner.init), id: signed.id, timestamp: signed.timestamp,
            body: Array(signed.body.utf8))
        #expect(made == signed.header)
        let now = Timestamp(milliseconds: (try #require(Int64(signed.timestamp))) * 1000)
        for secret in secrets {
            #expect(
                WebhookSignature.verify(
                    signed.header, id: signed.id, timestamp: signed.timestamp, body: Array(signed.body.utf8),
                    secrets: [secret], now: now))
        }
    }

    @Test(
        "a receiver refuses another body, another secret, and a timestamp more than five minutes away",
        arguments: [
            ("{}", Signed.second, 1_700_000_299, true), ("{}", Signed.second, 1_700_000_300, true),
            ("{}", Signed.second, 1_700_000_301, false),
            ("{}", Signed.second, 1_699_999_699, false), ("{} ", Signed.second, 1_700_000_000, false),
            ("{}", Signed.first, 1_700_000_000, false),
        ] as [(String, String, Int64, Bool)])
    func verification(body: String, secret: String, now: Int64, holds: Bool) throws {
        #expect(
            WebhookSignature.verify(
                "v0,x v1,?? v1,9E+L3D1MZtWgyyIAj/LO52asejWeal4l1hm35MsC7Ow=", id: "evt-42", timestamp: "1700000000",
                body: Array(body.utf8), secrets: [try WebhookSecret.parse(secret)],
                now: Timestamp(milliseconds: now * 1000))
                == holds)
    }

    @Test("a secret is whsec_ and base64 of 24 to 64 bytes, and its error shows none of it")
    func secrets() throws {
        #expect(try WebhookSecret.parse(Signed.second) == Array("0123456789abcdef0123456789abcdef".utf8))
        #expect(try WebhookSecret.parse(" \(Signed.second)\r\n") == Array("0123456789abcdef0123456789abcdef".utf8))
        #expect(try WebhookSecret.parse("whsec_" + String(repeating: "A", count: 86)).count == 64)
        for bad in [
            "", "whsec_", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=",
            "whsec_MfKQ-r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqr TwjUPD8ILPZIo2LaLaSw", "whsec_" + String(repeating: "A", count: 88),
            "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZ=",
        ] {
            do {
                _ = try WebhookSecret.parse(bad)
                Issue.record("\(bad) was read as a secret")
            } catch {
                #expect(!error.description.contains("MfKQ") && !error.description.contains("AAAA"))
            }
        }
    }

    @Test("the body is the documented one, with the event as it was published")
    func body() throws {
        let event = Array(#"{ "id" : "a\u002Fb" , "data":{"n":1e400} }"#.utf8)
        let notice = Notice(
            key: Key(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210), workspace: "vision", rule: "failures",
            severity: "critical", type: "job.failed", subject: "dlc-7f3a", time: "2026-01-05T08:00:00.250Z",
            title: "résumé \"x\"", message: "a\\b\n\u{1}\u{7f}😀</script>", event: event[...], traceparent: nil)
        let hook = endpoint("http://127.0.0.1/")
        func request(_ notice: Notice, attempt: Int, at milliseconds: Int64) throws -> Request {
            let outgoing = Outgoing(
                delivery: 1, epoch: 1, attempt: attempt, lane: 1, notice: notice, endpoint: hook, leaseEnds: .zero)
            return try WebhookChannel().request(for: outgoing, now: Timestamp(milliseconds: milliseconds))
        }
        let first = try request(notice, attempt: 1, at: 1_767_600_000_999)
        #expect(
            String(decoding: first.body, as: UTF8.self)
                == #"{"type":"job.failed","timestamp":"2026-01-05T08:00:00.250Z","data":"#
                + #"{"delivery":"0123456789abcdeffedcba9876543210","workspace":"vision","rule":"failures","#
                + #""severity":"critical","subject":"dlc-7f3a","title":"résumé \"x\"","#
                + #""message":"a\\b\n\u0001"# + "\u{7f}"
                + #"😀</script>","event":{ "id" : "a\u002Fb" , "data":{"n":1e400} }}}"#)
        #expect(
            first.headers.lines == [
                "content-type: application/json", "webhook-id: 0123456789abcdeffedcba9876543210",
                "webhook-timestamp: 1767600000", "carillon-attempt: 1",
                "user-agent: Carillon/\(CarillonVersion.current)",
            ])
        #expect(try request(notice, attempt: 9, at: 1_767_700_000_000).body == first.body)
        let bare = Notice(
            key: notice.key, workspace: "vision", rule: "failures", severity: "info", type: "job.failed", subject: nil,
            time: "", title: "", message: "", event: event[...],
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        let second = try request(bare, attempt: 1, at: 0)
        #expect(String(decoding: second.body, as: UTF8.self).contains(#""severity":"info","subject":null,"title":"","#))
        #expect(second.headers.lines.contains("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
    }

    @Test("the table of statuses holds for every number a receiver can send")
    func statuses() {
        let wish = Duration.seconds(9)
        for status in 200...999 {
            let expected: Outcome =
                switch status {
                case 200...299: .delivered
                case 300...399: .failed(.clientError, after: wish)
                case 401, 403: .refused(.authError)
                case 408, 425: .failed(.serverError, after: wish)
                case 429: .rateLimited(after: wish)
                case 410: .gone(.clientError)
                case 400...499: .refused(.clientError)
                default: .failed(.serverError, after: wish)
                }
            #expect(WebhookChannel().outcome(of: Response(status: status, retryAfter: wish)) == expected, "\(status)")
        }
        #expect(WebhookChannel().outcome(of: Response(status: 410)) == .gone(.clientError))
    }

    @Test(
        "all three forms of a date in Retry-After are read, and nothing else",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 37), ("Sunday, 06-Nov-94 08:49:37 GMT", 37),
            ("Sun Nov  6 08:49:37 1994", 37),
            ("Sun, 06 Nov 1994 08:48:37 GMT", 0), ("Sun, 06 Nov 1994 18:49:37 GMT", 3600), ("12", 12), ("\t12  ", 12),
            ("1.5", nil), ("+3", nil), ("0x10", nil), ("Sun, 06 Nov 1994 08:49:37", nil),
            ("Sun, 06 Now 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 25:49:37 GMT", nil), ("Sun, 99 Nov 1994 08:49:37 GMT", nil), ("é", nil), (" ", nil),
        ] as [(String, Int64?)])
    func dates(text: String, seconds: Int64?) {
        let now = Timestamp(milliseconds: 784_111_740_000)  // Sun, 06 Nov 1994 08:49:00 GMT
        #expect(RetryAfter.parse(text, now: now) == seconds.map { .seconds($0) })
    }

    @Test("a header's problem is told without its value")
    func headerProblems() {
        #expect(HeaderLines.problem("Authorization", "Bearer x") == nil)
        #expect(HeaderLines.problem("webhook-ID", "x")?.contains("Carillon") == true)
        #expect(HeaderLines.problem("x y", "x") != nil)
        #expect(HeaderLines.problem("x", "s3cret\n")?.contains("s3cret") == false)
        #expect(HeaderLines.problem("x", "") != nil)
    }
}
