import CarillonEvents
import Testing

@Suite("Binary mode: attributes travel as headers, data as the body", .timeLimit(.minutes(1)))
struct BinaryModeTests {
    typealias Headers = [(name: String, value: String)]

    private func kafka(_ more: Headers = [], contentType: String? = "application/json") -> Headers {
        let base: Headers = [
            ("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_source", "/s"), ("ce_type", "job.failed"),
            ("ce_workspace", "ws-7"),
            ("ce_time", "2026-01-05T08:00:00Z"),
        ]
        return base + (contentType.map { [("content-type", $0)] } ?? []) + more
    }

    private func kind(_ headers: Headers, _ data: [UInt8]? = nil, http: Bool = false) -> EventError.Kind? {
        do throws(EventError) {
            _ = try CloudEvents.prepare(headers: headers, data: data, http: http, now: now)
            return nil
        } catch { return error.kind }
    }

    private func value(_ name: String, in headers: Headers) -> String? { headers.first { $0.name == name }?.value }

    @Test(
        "HTTP header values are percent-encoded as the binding asks, and Kafka's are UTF-8",
        arguments: [
            ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"), ("任务失败", "%E4%BB%BB%E5%8A%A1%E5%A4%B1%E8%B4%A5"),
            (#"a"b%c\d"#, #"a%22b%25c\d"#), ("line\r\nx-evil: 1", "line%0D%0Ax-evil:%201"), ("plain/!~", "plain/!~"),
        ])
    func encoding(text: String, encoded: String) throws {
        let event = try JobEvent(id: "1", source: "/s", type: "t", workspace: "w", subject: text).encoded(now: now)
        let http = try CloudEvents.binaryHeaders(of: event, http: true).headers
        let kafka = try CloudEvents.binaryHeaders(of: event, http: false).headers
        #expect(value("ce-subject", in: http) == encoded)
        #expect(value("ce_subject", in: kafka) == text)
        #expect(string("subject", of: try CloudEvents.prepare(headers: http, data: nil, http: true, now: now)) == text)
        #expect(
            string("subject", of: try CloudEvents.prepare(headers: kafka, data: nil, http: false, now: now)) == text)
    }

    @Test(
        "structured mode is told by its content type, in any case and with parameters",
        arguments: [
            "Application/CloudEvents+json; charset=UTF-8", "application/cloudevents", "application/cloudevents+json",
        ])
    func structured(contentType: String) throws {
        let body = Array(OutlineTests.sample.utf8)
        let event = try CloudEvents.prepare(headers: [("Content-Type", contentType)], data: body, http: false, now: now)
        #expect(event.bytes == body)
    }

    @Test("batches and other structured formats are refused with what to do")
    func otherFormats() {
        #expect(kind([("content-type", "application/cloudevents-batch+json")], Array("[]".utf8), http: true) == .batch)
        guard case .badHeader(name: "content-type", _) = kind([("content-type", "application/cloudevents+avro")]) else {
            return #expect(Bool(false), "avro was accepted")
        }
        #expect(kind([("content-type", "application/cloudevents+json")]) == .json(JSONError(.noValue, at: 0)))
    }

    @Test("in binary mode partitionkey stands in for workspace, stays an attribute, and data stays as it came")
    func partitionkey() throws {
        let headers: Headers = [
            ("ce_id", "1"), ("ce_source", "/s"), ("ce_type", "t"), ("ce_specversion", "1.0"),
            ("content-type", "application/json"),
            ("ce_partitionkey", "ws-7"), ("other", "kept out"),
        ]
        let body = Array(" {\"a\":1, \"a\":2}\n".utf8)
        let event = try CloudEvents.prepare(headers: headers, data: body, http: false, now: now)
        #expect(event.workspace == "ws-7")
        #expect(event.text.contains(#""data": {"a":1, "a":2}"#) && !event.text.contains("kept out"))
        let back = try CloudEvents.binaryHeaders(of: event, http: false)
        #expect(value("ce_partitionkey", in: back.headers) == "ws-7")
        #expect(value("ce_workspace", in: back.headers) == "ws-7")
        #expect(value("content-type", in: back.headers) == "application/json")
        #expect(back.data == Array(#"{"a":1, "a":2}"#.utf8))
    }

    @Test("a record's key stands in where headers name no workspace")
    func recordKey() throws {
        let headers: Headers = [("ce_id", "1"), ("ce_source", "/s"), ("ce_type", "t"), ("ce_specversion", "1.0")]
        let event = try CloudEvents.prepare(headers: headers, data: nil, http: false, defaultWorkspace: "key", now: now)
        #expect(event.workspace == "key")
        #expect(kind(headers) == .missing(attribute: "workspace"))
    }

    static let bodies: [(contentType: String?, body: [UInt8], member: String)] = [
        ("application/json", Array("[1,2]".utf8), #""data":[1,2]"#), (nil, Array("17".utf8), #""data":17"#),
        ("text/json; charset=utf-8", Array("null".utf8), #""data":null"#),
        ("application/problem+json", Array("{}".utf8), #""data":{}"#),
        ("application/json", Array("{oops".utf8), #""data_base64":"e29vcHM=""#),
        (nil, Array("oops".utf8), #""data_base64":"b29wcw==""#),
        ("text/plain", Array("a \"b\"\n\u{0}é".utf8), #""data":"a \"b\"\n\u0000é""#),
        ("application/xml", Array("<a/>".utf8), #""data":"<a/>""#),
        ("text/plain", [0xff, 0x00], #""data_base64":"/wA=""#),
        ("application/octet-stream", [0xde, 0xad, 0xbe, 0xef], #""data_base64":"3q2+7w==""#),
        ("text/plain", Array("{}".utf8), #""data":"{}""#),
    ]

    @Test(
        "every body is carried by the member its content type asks for and comes back as it was", arguments: bodies,
        [true, false])
    func data(body: (contentType: String?, body: [UInt8], member: String), http: Bool) throws {
        let headers = kafka(contentType: body.contentType).map {
            (name: http ? $0.name.replacing("_", with: "-") : $0.name, value: $0.value)
        }
        let event = try CloudEvents.prepare(headers: headers, data: body.body, http: http, now: now)
        #expect(event.text.hasSuffix("," + body.member + "}"))
        let back = try CloudEvents.binaryHeaders(of: event, http: http)
        #expect(back.data == body.body)
        if let contentType = body.contentType { #expect(value("content-type", in: back.headers) == contentType) }
    }

    @Test(
        "a body that would go on with the event it stands in brings it nothing",
        arguments: [
            #"1,"subject":"theirs""#, #"{},"workspace":"theirs""#, #""a","data":"b""#, "1}", "1},{", "1,", " ",
            "\u{feff}{}",
            #"{"a":1}} "#, #"null,"time":"2020-01-01T00:00:00Z""#, #"1,"data_base64":"AA==""#,
        ])
    func goingOn(body: String) throws {
        let event = try CloudEvents.prepare(headers: kafka(), data: Array(body.utf8), http: false, now: now)
        #expect(event.workspace == "ws-7" && string("subject", of: event) == nil && !event.text.contains("\"data\""))
        #expect(try CloudEvents.binaryHeaders(of: event, http: false).data == Array(body.utf8))
    }

    @Test("a body is nested as deep as an event's data may be, or told", arguments: [255, 256, 257])
    func depth(levels: Int) {
        let body =
            Array(repeating: UInt8(ascii: "["), count: levels) + Array(repeating: UInt8(ascii: "]"), count: levels)
        switch (levels, kind(kafka(), body)) {
        case (255, nil), (257, nil): break  // deeper than any JSON: bytes
        case (256, .json(let fault)?): #expect(fault.fault == .depth)
        case (_, let other): Issue.record("\(levels) levels: \(String(describing: other))")
        }
    }

    @Test("an empty body is no data")
    func empty() throws {
        for body in [nil, []] as [[UInt8]?] {
            let event = try CloudEvents.prepare(headers: kafka(), data: body, http: false, now: now)
            #expect(!event.text.contains("\"data\""))
            #expect(try CloudEvents.binaryHeaders(of: event, http: false).data == nil)
        }
    }

    @Test("HTTP header names may have any case, and values may be quoted")
    func httpForms() throws {
        let headers: Headers = [
            ("CE-ID", "\"a\\\"b%20c\""), ("Ce-Source", "/s"), ("ce-Type", "t"), ("cE-SpecVersion", "1.0"),
            ("CE-WORKSPACE", "v%c3%a9"),
        ]
        let event = try CloudEvents.prepare(headers: headers, data: nil, http: true, now: now)
        #expect(string("id", of: event) == "a\"b c")
        #expect(event.workspace == "vé")
    }

    @Test(
        "a header that cannot become an attribute is refused by its name",
        arguments: [
            ("ce-subject", "100%"), ("ce-subject", "%4"), ("ce-subject", "%zz"), ("ce-subject", "%ff"),
            ("ce-my_name", "1"),
            ("ce-", "1"), ("ce-data", "1"), ("ce-datacontenttype", "text/plain"),
        ])
    func badHeaders(name: String, value: String) {
        let headers = kafka([(name, value)]).map { (name: $0.name.replacing("ce_", with: "ce-"), value: $0.value) }
        guard case .badHeader(name, _) = kind(headers, http: true) else {
            return #expect(Bool(false), "\(name): \(value) was accepted")
        }
    }

    @Test(
        "headers are held to what attributes are held to",
        arguments: [
            (("ce_id", "2"), EventError.Kind.duplicateKey(name: "id")),
            (("ce_subject", ""), .empty(attribute: "subject")),
            (("ce_subject", "a\u{0}"), .nul(attribute: "subject")),
        ])
    func attributes(header: (String, String), expected: EventError.Kind) {
        #expect(kind(kafka([(header.0, header.1)])) == expected)
    }

    @Test("an event of another version or with a bad time is refused")
    func values() {
        let old = kafka().map { (name: $0.name, value: $0.name == "ce_specversion" ? "0.3" : $0.value) }
        #expect(kind(old) == .specversion(found: "\"0.3\""))
        let late = kafka().map { (name: $0.name, value: $0.name == "ce_time" ? "soon" : $0.value) }
        #expect(kind(late) == .badTime(found: "\"soon\""))
    }

    @Test("numbers and booleans become text, null is left out")
    func extensionTypes() throws {
        let bytes = Array(event(#""attempts":3,"final":true,"note":null"#).utf8)
        let encoded = try CloudEvents.prepare(bytes.span, now: now)
        let headers = try CloudEvents.binaryHeaders(of: encoded, http: true).headers
        #expect(value("ce-attempts", in: headers) == "3")
        #expect(value("ce-final", in: headers) == "true")
        #expect(value("ce-note", in: headers) == nil)
    }

    @Test("an event goes through headers and back with the same attributes and data", arguments: UInt64(1)...200)
    func roundTrip(seed: UInt64) throws {
        var json = RandomJSON(seed: seed)
        let subject = json.string().replacing("\\u0000", with: "0")
        let members = subject == "\"\"" ? "" : "\"subject\":\(subject)"
        let bytes = Array(event(members, data: json.value()).utf8)
        let first = try CloudEvents.prepare(bytes.span, now: now)
        for http in [true, false] {
            let (headers, data) = try CloudEvents.binaryHeaders(of: first, http: http)
            let second = try CloudEvents.prepare(headers: headers, data: data, http: http, now: now)
            let again = try CloudEvents.binaryHeaders(of: second, http: http)
            #expect(string("subject", of: second) == string("subject", of: first), "seed \(seed)")
            #expect(
                again.data == data && second.type == first.type && second.workspace == first.workspace, "seed \(seed)")
        }
    }
}
