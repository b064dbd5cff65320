import CarillonEvents
import Testing

@Suite("Prepare: what is missing is filled in, every other byte stays", .timeLimit(.minutes(1)))
struct PrepareTests {
    private func prepare(_ text: String, defaultWorkspace: String? = nil) throws(EventError) -> EncodedEvent {
        let bytes = Array(text.utf8)
        return try CloudEvents.prepare(bytes.span, defaultWorkspace: defaultWorkspace, now: now)
    }

    @Test("a complete event stays as it came, without what surrounds it")
    func complete() throws {
        let prepared = try prepare(" \t" + OutlineTests.sample + "\r\n")
        #expect(prepared.text == OutlineTests.sample)
        #expect(prepared.workspace == "vision")
        #expect(prepared.type == "job.failed")
    }

    static let base = #""specversion":"1.0","id":"1","source":"s","type":"t""#
    static let filled: [(members: String, workspace: String?, expected: String)] = [
        (#""workspace":"a""#, nil, #"{"time":"2026-01-05T08:00:00.250Z",BASE,"workspace":"a"}"#),
        (
            #""partitionkey":"\u0061\"","time":"2020-01-01T00:00:00Z""#, nil,
            #"{"workspace":"\u0061\"",BASE,"partitionkey":"\u0061\"","time":"2020-01-01T00:00:00Z"}"#
        ),
        (#""x":1"#, "w\"1", #"{"workspace":"w\"1","time":"2026-01-05T08:00:00.250Z",BASE,"x":1}"#),
        (#""partitionkey":"k""#, "w", #"{"workspace":"k","time":"2026-01-05T08:00:00.250Z",BASE,"partitionkey":"k"}"#),
        (
            #""workspace":"a","partitionkey":"k""#, "w",
            #"{"time":"2026-01-05T08:00:00.250Z",BASE,"workspace":"a","partitionkey":"k"}"#
        ),
        (
            #""time" : null , "workspace":null"#, "w",
            #"{BASE,"time" : "2026-01-05T08:00:00.250Z" , "workspace":"w"}"#
        ),
        (
            #""workspace":null,"time":null,"x":"\u00e9""#, "w",
            #"{BASE,"workspace":"w","time":"2026-01-05T08:00:00.250Z","x":"\u00e9"}"#
        ),
        (#""workspace":"a","time":null"#, nil, #"{BASE,"workspace":"a","time":"2026-01-05T08:00:00.250Z"}"#),
    ]

    @Test("a missing workspace and time are written where they belong", arguments: filled)
    func fills(members: String, workspace: String?, expected: String) throws {
        let prepared = try prepare("{\(Self.base),\(members)}", defaultWorkspace: workspace)
        #expect(prepared.text == expected.replacing("BASE", with: Self.base))
        #expect(prepared.workspace == string("workspace", of: prepared))
        #expect(refusal(prepared.text) == nil)
    }

    @Test("a default workspace has to say something", arguments: ["", "a\u{0}"])
    func badDefault(workspace: String) {
        #expect(throws: EventError.self) { try prepare("{\(Self.base)}", defaultWorkspace: workspace) }
    }

    @Test("without any workspace the event is refused")
    func noWorkspace() {
        #expect(throws: EventError(.missing(attribute: "workspace"))) { try prepare("{\(Self.base)}") }
    }

    @Test("an event that only fits without its stamp is refused with its size")
    func stampedTooLarge() {
        let text = #"{\#(Self.base),"workspace":"a","data":""}"#
        let room = CloudEvents.maxBytes - text.utf8.count
        let full = text.replacing(#""""#, with: "\"" + String(repeating: "x", count: room) + "\"")
        #expect(throws: EventError(.tooLarge(bytes: CloudEvents.maxBytes + 34, limit: CloudEvents.maxBytes))) {
            try prepare(full)
        }
    }

    @Test("any JSON as data survives byte for byte", arguments: UInt64(1)...400)
    func survives(seed: UInt64) throws {
        var json = RandomJSON(seed: seed)
        let data = json.value()
        let text = #"{\#(Self.base),"workspace":"a","data":\#(data)}"#
        let prepared = try prepare(text)
        #expect(prepared.text == #"{"time":"2026-01-05T08:00:00.250Z","# + text.dropFirst(), "seed \(seed)")
        let outline = try CloudEvents.outline(prepared.bytes.span)
        let kept = try #require(outline.data)
        let wanted = Array(data.utf8).drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()
        #expect(Array(prepared.bytes[kept.range]) == Array(wanted), "seed \(seed)")
        #expect(try prepare(prepared.text) == prepared, "seed \(seed)")
    }

    @Test("every random JSON document is checked and walked alike", arguments: UInt64(1)...400)
    func walks(seed: UInt64) throws {
        var json = RandomJSON(seed: seed)
        let text = Array(json.value(depth: 6).utf8)
        #expect(fault(text) == nil, "seed \(seed): \(String(decoding: text, as: UTF8.self))")
        let found = JSON.value(in: text.span, at: 0)
        let value = try #require(found)
        #expect(text[..<value.start].allSatisfy { $0 <= 0x20 } && text[value.end...].allSatisfy { $0 <= 0x20 })
    }
}

@Suite("A job event made in Swift becomes a CloudEvent", .timeLimit(.minutes(1)))
struct JobEventTests {
    @Test("members keep their order, and data its values")
    func golden() throws {
        let event = JobEvent(
            id: "dlc-7f3a/2/failed", source: "/schedulers/volcano-a", type: Lifecycle.Job.failed, workspace: "vision",
            subject: "dlc-7f3a",
            data: [
                "owner": "alice", "attempt": 2, "final": true, "drift": 0.25, "note": nil, "tags": ["a", 1],
                "labels": ["team": "vi\"sion\n"],
            ])
        let encoded = try event.encoded(now: now)
        #expect(
            encoded.text
                == #"{"specversion":"1.0","id":"dlc-7f3a/2/failed","source":"/schedulers/volcano-a","type":"job.failed","#
                + #""subject":"dlc-7f3a","time":"2026-01-05T08:00:00.250Z","workspace":"vision","#
                + #""datacontenttype":"application/json","data":{"owner":"alice","attempt":2,"final":true,"drift":0.25,"#
                + #""note":null,"tags":["a",1],"labels":{"team":"vi\"sion\n"}}}"#)
        #expect(encoded.workspace == "vision" && encoded.type == "job.failed")
    }

    @Test("an event without data, subject and time is complete")
    func minimal() throws {
        let event = JobEvent(id: "1", source: "s", type: "t", workspace: "w")
        #expect(
            try event.encoded(now: now).text
                == #"{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-01-05T08:00:00.250Z","workspace":"w"}"#
        )
    }

    @Test("its own time is kept")
    func time() throws {
        let event = JobEvent(id: "1", source: "s", type: "t", workspace: "w", time: Timestamp(milliseconds: 0))
        #expect(string("time", of: try event.encoded(now: now)) == "1970-01-01T00:00:00.000Z")
    }

    @Test("numbers JSON cannot write are refused by name", arguments: [Double.nan, .infinity, -.infinity])
    func notFinite(number: Double) {
        let event = JobEvent(id: "1", source: "s", type: "t", workspace: "w", data: ["loss": .double(number)])
        #expect(throws: EventError(.notFinite(member: "loss"))) { try event.encoded(now: now) }
    }

    @Test("empty names and members that repeat are refused")
    func refused() {
        #expect(throws: EventError.self) {
            try JobEvent(id: "", source: "s", type: "t", workspace: "w").encoded(now: now)
        }
        #expect(throws: EventError(.duplicateKey(name: "a"))) {
            try JobEvent(id: "1", source: "s", type: "t", workspace: "w", data: ["a": 1, "a": 2]).encoded(now: now)
        }
    }

    @Test("data nested deeper than JSON allows here is refused, not overflowed", arguments: [254, 255, 256, 2000])
    func deep(levels: Int) throws {
        let nested = (0..<levels).reduce(JSONValue.array([])) { inner, _ in .array([inner]) }
        let event = JobEvent(id: "1", source: "s", type: "t", workspace: "w", data: nested)
        #expect(((try? event.encoded(now: now)) != nil) == (levels + 1 <= 255))
    }

    @Test(
        "extreme numbers are written as JSON",
        arguments: [
            Double.greatestFiniteMagnitude, .leastNonzeroMagnitude, -0.0, 1e21, 1e-7, 0.1, 123456789.125,
        ])
    func numbers(number: Double) throws {
        let event = JobEvent(
            id: "1", source: "s", type: "t", workspace: "w", data: .array([.double(number), .integer(.min)]))
        let encoded = try event.encoded(now: now)
        #expect(encoded.text.hasSuffix(#""data":[\#(number),-9223372036854775808]}"#))
    }
}
