import CarillonEvents
import CarillonRules
import CarillonWorker
import Foundation
import Testing

@Suite("Channels: signatures and bodies that others have published", .timeLimit(.minutes(5)))
struct VectorTests {
    @Test(
        "DingTalk's signature",
        arguments: [
            (1_700_000_000_000, "SEC000example", "xyAXnOeEx8mcnUUlZoyxvRe%2FLa8u0eqZaWsTXunfdkQ%3D"),
            (1_599_360_473_000, "this is secret", "hXZTWifRGHclNuZSKxoXc%2F%2Fsh51SWfVfRIhcdeKs63I%3D"),
            (
                1_735_689_600_000, "SEC7c1f0a9b4e2d4c55a1d3e8f60b9a7712",
                "tdJlbtSNjs9SUHVEGXG6OER%2Bs%2BHHCxUDmIoBfzzXG68%3D"
            ),
        ])
    func dingtalk(milliseconds: Int64, secret: String, query: String) throws {
        let channel = try DingTalkChannel.make(ChannelSettings())
        let endpoint = Endpoint(
            name: "room", url: "https://oapi.dingtalk.com/robot/send?access_token=t", secrets: [], headers: [],
            credential: secret, channel: channel)
        let now = Timestamp(milliseconds: milliseconds)
        let request = channel.request(for: outgoing(endpoint, notice()), now: now)
        #expect(
            request.url
                == "https://oapi.dingtalk.com/robot/send?access_token=t&timestamp=\(milliseconds)&sign=\(query)")
    }

    @Test(
        "Feishu's signature",
        arguments: [
            ("1700000000", "feishu-demo-secret", "LJ3PlcwviZMXQxiZQ4Jou4SlI9YJEmjE2SI9xcS1EG0="),
            ("1599360473", "demo", "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="),
            ("1735689600", "kV3nQ9xYp0", "lnZ6ky379uWtI5+8r6mFQyt72nB1rfu+8GklHydzsQI="),
        ])
    func feishu(seconds: String, secret: String, sign: String) {
        #expect(FeishuChannel.signature(at: seconds, secret: secret) == sign)
    }

    @Test("Alibaba Cloud's RPC signature, of GET and POST")
    func aliyun() {
        let regions = [
            ("AccessKeyId", "testid"), ("Action", "DescribeRegions"), ("Format", "XML"),
            ("SignatureMethod", "HMAC-SHA1"), ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
            ("SignatureVersion", "1.0"), ("Timestamp", "2016-02-23T12:46:24Z"), ("Version", "2014-05-26"),
        ]
        #expect(
            AliyunSMSChannel.signature(of: regions, method: "GET", secret: "testsecret")
                == "OLeaidS1JvxuMvnyHOwuJ+uX5qY=")
        let sms = [
            ("AccessKeyId", "testId"), ("Timestamp", "2017-07-12T02:42:19Z"), ("Format", "XML"),
            ("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0"),
            ("SignatureNonce", "45e25e9b-0a6f-4070-8c85-2956eda1b466"), ("Action", "SendSms"),
            ("Version", "2017-05-25"), ("RegionId", "cn-hangzhou"), ("PhoneNumbers", "15300000001"),
            ("SignName", "阿里云短信测试专用"), ("TemplateParam", #"{"customer":"test"}"#),
            ("TemplateCode", "SMS_71390007"), ("OutId", "123"),
        ]
        #expect(
            AliyunSMSChannel.signature(of: sms, method: "GET", secret: "testSecret") == "zJDF+Lrzhj/ThnlvIToysFRq6t4=")
        let voice = [
            ("AccessKeyId", "AKexample"), ("Timestamp", "2026-01-05T08:00:00Z"), ("Format", "JSON"),
            ("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0"), ("SignatureNonce", "nonce-0001"),
            ("Action", "SingleCallByTts"), ("Version", "2017-05-25"), ("RegionId", "cn-hangzhou"),
            ("CalledNumber", "13800000000"), ("TtsCode", "TTS_0001"), ("TtsParam", #"{"job":"dlc-1"}"#),
        ]
        #expect(
            AliyunSMSChannel.signature(of: voice, method: "POST", secret: "SKexample") == "scyR+ha4GXGBtcrl1kyIqUQHGZk="
        )
    }

    // MARK: - MLRun's blocks

    private func blocks(_ blocks: MLRunBlocks) throws -> [[String: Any]] {
        let object = try JSONSerialization.jsonObject(with: Data(blocks.bytes)) as? [String: Any]
        return try #require(object?["blocks"] as? [[String: Any]])
    }
    private func text(_ block: [String: Any]) -> String? { (block["text"] as? [String: Any])?["text"] as? String }
    private func fields(_ block: [String: Any]) -> [String] {
        (block["fields"] as? [[String: Any]] ?? []).compactMap { $0["text"] as? String }
    }

    @Test("MLRun's blocks: header, runs, results and errors")
    func mlrun() throws {
        let plain = MLRunBlocks(severity: "info", message: "test-message")
        #expect(
            String(decoding: plain.bytes, as: UTF8.self)
                == #"{"blocks":[{"type":"header","text":{"type":"plain_text","text":"[info] test-message"}}]}"#)
        func run(_ run: MLRunBlocks.Run) throws -> [String] {
            let all = try blocks(MLRunBlocks(severity: "info", message: "test-message", runs: [run]))
            #expect(all.count == 2)
            return fields(all[1])
        }
        #expect(
            try run(.init(name: "test-run", state: "completed"))
                == ["*Runs*", "*Results*", ":smiley:  test-run", "completed"])
        #expect(try run(.init(name: "test-run", state: "error")).suffix(2) == [":x:  test-run", "*error*"])
        #expect(
            try run(
                .init(name: "r", state: "completed", results: [("accuracy", "0.91"), ("loss", "0.2")])
            ).last
                == "accuracy=0.91, loss=0.2")
        let linked = try run(.init(name: "r", state: "completed", url: "https://x.example/r"))
        #expect(linked[2] == ":smiley:  <https://x.example/r|*r*>")
    }

    @Test("MLRun's blocks: a long message is cut at the comma, else at 150")
    func mlrunHeader() throws {
        let comma = try blocks(
            MLRunBlocks(severity: "error", message: "job failed, " + String(repeating: "y", count: 200)))
        #expect(text(comma[0]) == "[error] job failed")
        #expect(text(comma[1]) == String(repeating: "y", count: 200))
        let long = try blocks(MLRunBlocks(severity: "info", message: String(repeating: "x", count: 144)))
        #expect(text(long[0])?.count == 150 && text(long[1]) == "x" || text(long[0])?.count == 150 && long.count == 2)
        let exact = try blocks(MLRunBlocks(severity: "info", message: String(repeating: "x", count: 143)))
        #expect(text(exact[0])?.count == 150 && exact.count == 1)
    }

    @Test("MLRun's blocks: 8 fields a section, and nothing of an event is taken for markup")
    func mlrunSections() throws {
        let runs = (0..<5).map { MLRunBlocks.Run(name: "run-\($0) <!channel>", state: "completed") }
        let all = try blocks(MLRunBlocks(severity: "info", message: "m", runs: runs))
        #expect(all.dropFirst().map { fields($0).count } == [8, 4])
        #expect(!all.flatMap(fields).contains { $0.contains("<!channel>") })
    }

    // MARK: - Bodies of MLRun's webhooks, as templates

    private func body(_ template: String, event: String = sampleEvent, message: String = "m") throws -> String {
        let spec = EndpointSpec(
            name: "hook", url: .text("https://x.example"), format: .body, body: try Template(template, for: .body))
        let channel = WebhookChannel().adapted(to: spec)
        let endpoint = Endpoint(name: "hook", url: "https://x.example", secrets: [], headers: [], channel: channel)
        let request = try channel.request(
            for: outgoing(endpoint, notice(message: message, event: event)), now: stillMoment)
        #expect(request.headers.lines.contains("content-type: application/json"))
        return String(decoding: request.body, as: UTF8.self)
    }

    @Test("a body of one's own says what MLRun's webhooks say")
    func mlrunBodies() throws {
        #expect(
            try body(
                #"{"message":{{ notice.message|tojson }},"severity":"info"}"#, message: "Run completed in project p1")
                == #"{"message":"Run completed in project p1","severity":"info"}"#)
        let run = #"""
            {"specversion":"1.0","id":"1","source":"/s","type":"job.failed","workspace":"p1","data":{"runs":[{"project":"p1","name":"train","status":{"state":"error","error":"boom"}}]}}
            """#
        let runs = #"""
            {"specversion":"1.0","id":"1","source":"/s","type":"job.failed","workspace":"p1","data":{"runs":[{"metadata":{"name":"train","project":"p1","uid":"u1"},"status":{"error":"boom","state":"error"}}]}}
            """#
        #expect(
            try body(
                #"{"message":{{ notice.message|tojson }},"runs":{{ data.runs|tojson }},"severity":"error"}"#,
                event: runs, message: "Run failed in project p1: nightly"
            ).replacing(": ", with: ":")
                .replacing(", ", with: ",")
                == #"{"message":"Run failed in project p1:nightly","runs":[{"metadata":{"name":"train","project":"p1","uid":"u1"},"status":{"error":"boom","state":"error"}}],"severity":"error"}"#
        )
        let list = "[{'project': 'p1', 'name': 'train', 'status': {'state': 'error', 'error': 'boom'}}]"
        #expect(try body(#"{"m":{{ data.runs|string|tojson }}}"#, event: run) == json(["m": list]))
        #expect(
            try body(#"{"message":{{ ("Run Completed " ~ data.runs)|tojson }}}"#, event: run)
                == json(["message": "Run Completed " + list]))
        #expect(try body(#"{"m":{{ (data.none or [])|string|tojson }}}"#, event: run) == #"{"m":"[]"}"#)
        #expect(try body(#"{"m":{"n":"x"},"k":5}"#, event: run) == #"{"m":{"n":"x"},"k":5}"#)
    }

    /// Jinja's `tojson` writes `'` as an escape.
    private func json(_ object: [String: String]) -> String {
        let text = String(decoding: (try? JSONEncoder().encode(object)) ?? Data(), as: UTF8.self)
        return text.replacing("'", with: "\\u0027")
    }

    @Test("an escape sequence in an error is delivered, and no run is left of the one before")
    func mlrunEscapes() throws {
        func event(_ error: String) throws -> String {
            let quoted = String(decoding: try JSONEncoder().encode(error), as: UTF8.self)
            return
                #"{"specversion":"1.0","id":"1","source":"/s","type":"job.failed","workspace":"p1","data":{"error":\#(quoted)}}"#
        }
        for error in ["\u{1b}[31mCUDA OOM\u{1b}[0m", #"back\slash \x \g<1>"#, "zero\u{200b}width"] {
            let sent = try body(#"{"m":{{ data.error|tojson }}}"#, event: try event(error))
            let object = try JSONDecoder().decode([String: String].self, from: Data(sent.utf8))
            #expect(object == ["m": error])
        }
    }
}
