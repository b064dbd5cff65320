import CarillonEvents
import CarillonKit
import Testing

@Suite("Outline: one pass checks an event and finds its attributes", .timeLimit(.minutes(1)))
struct OutlineTests {
    static let sample = #"""
        {"specversion":"1.0","id":"dlc-7f3a/2/failed","source":"/schedulers/volcano-a","type":"job.failed",
         "subject":"dlc-7f3a","time":"2026-01-05T08:00:00.250Z","workspace":"vision","datacontenttype":"application/json",
         "data":{"kind":"dlc","name":"resnet-50","owner":"alice","attempt":2,"maxAttempts":3,"final":true,"queue":"a100",
         "priority":5,"node":"gpu-17","reason":"OOMKilled","message":"container \"x\" exceeded memory limit","exitCode":137,
         "labels":{"team":"vision"},"results":{"drift":0.25}}}
        """#

    @Test("every attribute is found where it stands")
    func finds() throws {
        let bytes = Array(Self.sample.utf8)
        let outline = try CloudEvents.outline(bytes.span)
        func text(_ slice: Slice?) -> String? { slice.flatMap { JSON.string($0, in: bytes.span) } }
        #expect(text(outline.id) == "dlc-7f3a/2/failed")
        #expect(text(outline.source) == "/schedulers/volcano-a")
        #expect(text(outline.type) == "job.failed")
        #expect(text(outline.workspace) == "vision")
        #expect(text(outline.subject) == "dlc-7f3a")
        #expect(CloudEvents.time(of: outline, in: bytes.span) == now)
        let data = try #require(outline.data)
        let message = JSON.member("message", of: data, in: bytes.span)
        #expect(text(message) == "container \"x\" exceeded memory limit")
    }

    @Test("attributes are found by what their names say, not by how they are written")
    func escapedNames() throws {
        let bytes = Array(
            #"{"specversion":"1.\u0030","i\u0064":"1","source":"s","type":"t","\u0077orkspace":"v"}"#.utf8)
        let outline = try CloudEvents.outline(bytes.span)
        let workspace = JSON.string(outline.workspace, in: bytes.span)
        #expect(workspace == "v")
        #expect(outline.subject == nil && outline.time == nil && outline.data == nil)
    }

    typealias Refused = (text: String, kind: EventError.Kind)
    static let refused: [Refused] = [
        ("", .json(JSONError(.noValue, at: 0))), ("[]", .notAnObject(found: "an array")),
        ("\"a\"", .notAnObject(found: "a string")),
        ("17", .notAnObject(found: "a number")), ("null", .notAnObject(found: "null")),
        ("true", .notAnObject(found: "true or false")),
        ("[", .json(JSONError(.truncated, at: 1))), ("{}", .missing(attribute: "specversion")),
        (event() + "x", .json(JSONError(.trailing, at: event().utf8.count))),
        (#"{"specversion":"1.0"}"#, .missing(attribute: "id")),
        (#"{"specversion":"1.0","id":"1"}"#, .missing(attribute: "source")),
        (#"{"specversion":"1.0","id":"1","source":"s"}"#, .missing(attribute: "type")),
        (#"{"specversion":"1.0","id":"1","source":"s","type":"t"}"#, .missing(attribute: "workspace")),
        (#"{"specversion":"1.0","id":null}"#, .missing(attribute: "id")),
        (#"{"specversion":"0.3"}"#, .specversion(found: "\"0.3\"")),
        (#"{"specversion":1.0}"#, .wrongType(attribute: "specversion", expected: "a string")),
        (#"{"id":7}"#, .wrongType(attribute: "id", expected: "a string")),
        (#"{"id":""}"#, .empty(attribute: "id")), (#"{"source":""}"#, .empty(attribute: "source")),
        (#"{"type":""}"#, .empty(attribute: "type")), (#"{"workspace":""}"#, .empty(attribute: "workspace")),
        (#"{"partitionkey":""}"#, .empty(attribute: "partitionkey")),
        (#"{"subject":""}"#, .empty(attribute: "subject")),
        (#"{"workspace":["a"]}"#, .wrongType(attribute: "workspace", expected: "a string")),
        (#"{"workspace":"a\u0000b"}"#, .nul(attribute: "workspace")),
        (#"{"traceparent":"\u0000"}"#, .nul(attribute: "traceparent")),
        (#"{"time":"yesterday"}"#, .badTime(found: "\"yesterday\"")),
        (#"{"time":17}"#, .wrongType(attribute: "time", expected: "a string")),
        (#"{"time":"2026-02-30T00:00:00Z"}"#, .badTime(found: "\"2026-02-30T00:00:00Z\"")),
        (#"{"Job":1}"#, .badAttributeName("Job")), (#"{"job_id":1}"#, .badAttributeName("job_id")),
        (#"{"":1}"#, .badAttributeName("")),
        (#"{"jöb":1}"#, .badAttributeName("jöb")), (#"{"\u004aob":1}"#, .badAttributeName("Job")),
        (
            #"{"labels":{}}"#,
            .wrongType(attribute: "labels", expected: "a string, a number or a boolean; put structure into data")
        ),
        (#"{"id":"1","id":"1"}"#, .duplicateKey(name: "id")), (#"{"id":"1","\u0069d":"1"}"#, .duplicateKey(name: "id")),
        (#"{"\u0069d":"1","id":"1"}"#, .duplicateKey(name: "id")),
        (#"{"x":1,"data":{"x":2},"x":3}"#, .duplicateKey(name: "x")),
        (#"{"id":null,"id":"1"}"#, .duplicateKey(name: "id")),
        (event(#""data_base64":"AA==""#), .dataTwice),
        (#"{"data_base64":1}"#, .wrongType(attribute: "data_base64", expected: "a string")),
        (#"{"data_base64":"A"}"#, .badBase64), (#"{"data_base64":"AA=A"}"#, .badBase64),
        (#"{"data_base64":"A==="}"#, .badBase64),
        (#"{"data_base64":"AA-_"}"#, .badBase64),
        (event(data: "{\"a\":\"\\uD800\"}"), .json(JSONError(.loneSurrogate, at: 132))),
    ]

    @Test("what is no complete CloudEvent is refused, with the attribute at fault", arguments: refused)
    func refuses(text: String, kind: EventError.Kind) {
        #expect(refusal(text)?.kind == kind)
    }

    @Test("a refusal says what is wrong, where, and what to do")
    func descriptions() {
        #expect(
            refusal(event(#""time2":{}"#))?.description
                == "event could not be accepted: 'time2' has to be a string, a number or a boolean; put structure into data (at byte 127)"
        )
        #expect(
            refusal(#"{"a":tru}"#)?.description
                == "event could not be accepted: not JSON: this is not true, false or null at byte 5")
        #expect(
            refusal(#"{"a":1,"a":2}"#)?.description
                == "event could not be accepted: 'a' stands twice; keep one (at byte 7)")
    }

    @Test("a refusal shows no control characters and no more than a line of what came in")
    func hostileDescriptions() throws {
        let name = String(repeating: "\\u001b[2J", count: 10_000)
        let words = try #require(refusal("{\"\(name)\":1}")?.description)
        #expect(words.count < 250)
        #expect(!words.unicodeScalars.contains("\u{1b}"))
    }

    @Test(
        "extensions may be strings, numbers, booleans or null, in any number",
        arguments: [
            #""x":"é""#, #""x":"""#, #""x":-1.5e300"#, #""x":true"#, #""x":null"#, #""0":0"#,
            #""traceparent":"00-1-1-00""#,
        ])
    func extensions(member: String) {
        #expect(refusal(event(member)) == nil)
    }

    @Test("names may repeat inside data, which is carried as it is")
    func duplicatesInData() throws {
        let text = event(data: #"{"a":1,"a":2,"id":"x","id":"y"}"#)
        #expect(refusal(text) == nil)
    }

    @Test("of many attributes the one that repeats is found", arguments: [2, 31, 32, 33, 34, 64, 1000, 15_000])
    func manyAttributes(count: Int) {
        let members = (0..<count).map { #""x\#($0)":\#($0)"# }.joined(separator: ",")
        #expect(refusal(event(members)) == nil)
        for repeated in [0, count / 2, count - 1] {
            #expect(refusal(event(members + #","x\#(repeated)":1"#))?.kind == .duplicateKey(name: "x\(repeated)"))
            #expect(refusal(event(members + #","\u0078\#(repeated)":1"#))?.kind == .duplicateKey(name: "x\(repeated)"))
        }
    }

    @Test("an event of exactly 256 KiB is accepted and one more byte is refused")
    func size() {
        let room = CloudEvents.maxBytes - event(data: #""""#).utf8.count
        let full = event(data: "\"" + String(repeating: "x", count: room) + "\"")
        #expect(refusal(full) == nil)
        #expect(refusal(full + " ")?.kind == .tooLarge(bytes: CloudEvents.maxBytes + 1, limit: CloudEvents.maxBytes))
    }

    @Test("the envelope counts as a level of nesting")
    func nesting() {
        func nested(_ depth: Int) -> String {
            event(data: String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
        }
        #expect(refusal(nested(255)) == nil)
        #expect(refusal(nested(256))?.kind == .json(JSONError(.depth, at: 126 + 255)))
    }

    @Test(
        "partitionkey stands in for workspace, and a mismatch is told",
        arguments: [
            (#""workspace":"a""#, "a", false), (#""partitionkey":"a""#, "a", false),
            (#""partitionkey":"a","workspace":"a""#, "a", false),
            (#""partitionkey":"\u0061","workspace":"a""#, "a", false),
            (#""partitionkey":"b","workspace":"a""#, "a", true), (#""partitionkey":null,"workspace":"a""#, "a", false),
            (#""workspace":null,"partitionkey":"b""#, "b", false),
        ])
    func partitionkey(members: String, workspace: String, mismatch: Bool) throws {
        let bytes = Array(#"{"specversion":"1.0","id":"1","source":"s","type":"t",\#(members)}"#.utf8)
        let outline = try CloudEvents.outline(bytes.span)
        #expect(JSON.string(outline.workspace, in: bytes.span) == workspace)
        #expect(CloudEvents.workspaceMismatch(outline, in: bytes.span) == mismatch)
    }

    @Test("an event cut at any byte is refused")
    func truncated() {
        let text = Array(Self.sample.utf8)
        for end in 0..<text.count {
            #expect(refusal(String(decoding: text[..<end], as: UTF8.self)) != nil, "cut at \(end)")
        }
    }

    @Test(
        "random changes of bytes never crash, and what is accepted has its attributes inside",
        arguments: UInt64(1)...300)
    func mutations(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var bytes = Array(Self.sample.utf8)
        for _ in 0..<30 {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.remove(at: place)
            case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
            case 2: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            default: bytes[place] = Array(#"{}[]":,\u0"#.utf8).randomElement(using: &random) ?? 0
            }
            let copy = bytes
            guard let outline = try? CloudEvents.outline(copy.span) else {
                _ = try? CloudEvents.prepare(copy.span, defaultWorkspace: "w", now: now)
                continue
            }
            for slice in [outline.id, outline.source, outline.type, outline.workspace] {
                #expect(JSON.string(slice, in: copy.span)?.isEmpty == false, "seed \(seed)")
            }
        }
    }
}
