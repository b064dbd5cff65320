import CarillonEvents
import CarillonKit
import CarillonStream
import Synchronization
import Testing

@testable import CarillonServer

@Suite("Events in: what a request comes to", .timeLimit(.minutes(2)))
struct DoorSuite {
    private let stream = FlakyStream()

    @Test("binary, structured and batched requests are appended as they were sent")
    func modes() async throws {
        let door = stream.door()
        let binary = [
            ("CE-Id", "b"), ("ce-source", "/s"), ("ce-type", "job.failed"), ("ce-specversion", "1.0"),
            ("ce-workspace", "%E4%BB%BB%E5%8A%A1%E5%A4%B1%E8%B4%A5"), ("ce-title", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
            ("Content-Type", "application/json"),
        ]
        #expect(await door.post("{\"exitCode\":137}", binary) == .accepted(1))
        #expect(await door.post(line("s"), structured) == .accepted(1))
        #expect(await door.post("[\(line("1")), \(line("2"))]", batched) == .accepted(2))
        #expect(await door.post("[]", batched) == .accepted(0))
        #expect(stream.ids == ["b", "s", "1", "2"])
        let first = try #require(stream.state.withLock { $0.appended.first })
        #expect(first.workspace == "任务失败")
        let text = String(decoding: first.bytes, as: UTF8.self)
        #expect(text.contains("\"title\":\"Euro € 😀\"") && text.contains("\"data\":{\"exitCode\":137}"))
    }

    @Test("media types are told apart in any case; what is no CloudEvent, or in another format, is 415")
    func formats() async {
        let door = stream.door()
        #expect(
            await door.post(line("a"), [("Content-Type", "Application/CloudEvents+JSON; charset=\"utf-8\"")])
                == .accepted(1))
        for type in [
            "application/json", "text/plain", "application/cloudevents+xml", "application/cloudevents-batch",
            "application/cloudevents+json; charset=utf-16", "",
        ] { #expect(await door.post(line("b"), [("content-type", type)]).brief == .problem(415, "format"), "\(type)") }
        #expect(
            await door.post(line("b"), structured + [("content-encoding", "gzip")]).brief == .problem(415, "format"))
        #expect(stream.ids == ["a"])
    }

    @Test("one event that is not valid refuses its whole batch, with its index and its byte")
    func invalidInBatch() async {
        let outcome = await stream.door().post("[\(line("1")), {\"specversion\":\"1.0\",\"id\":5}, 7]", batched)
        #expect(outcome.brief == .problem(400, "invalid-event"))
        #expect(outcome.text.contains("\"index\":1,") && outcome.text.contains("\"index\":2,"), "\(outcome.text)")
        #expect(!outcome.text.contains("\"index\":0,") && outcome.text.contains("\"offset\":"))
        #expect(stream.ids == [])
    }

    @Test(
        "hostile bodies get an answer and append nothing",
        arguments: [
            "", " ", "{", "[", "nul", "[[[[", "{\"a\":1}", "\u{FEFF}[]", "[]]", "[1,]", "{\"specversion\":\"1.0\"}",
            String(repeating: "[", count: 100_000), "[" + String(repeating: "{\"a\":", count: 300) + "]", "\"\\ud800\"",
            line("a").replacing("\"id\":\"a\"", with: "\"id\":\"a\",\"id\":\"b\""), line("a\\u0000b"),
        ])
    func hostile(body: String) async {
        for headers in [structured, batched] where body != "{\"a\":1}" || headers[0].1 == structured[0].1 {
            let outcome = await stream.door().post(body, headers)
            #expect(outcome.status == 400, "\(body.prefix(40)): \(outcome)")
            let json = Array(outcome.text.utf8)
            #expect((try? JSON.check(json.span)) != nil, "\(outcome.text)")
        }
        #expect(stream.ids == [])
    }

    @Test("bytes that are no text, and headers that stand twice or are badly encoded, are 400")
    func hostileHeaders() async {
        let good = [
            ("ce-id", "b"), ("ce-source", "/s"), ("ce-type", "t"), ("ce-specversion", "1.0"), ("ce-workspace", "v"),
        ]
        let door = stream.door()
        for more in [
            ("ce-id", "c"), ("ce-x", "%"), ("ce-x", "%zz"), ("ce-x", "%FF"), ("ce-x-y", "1"), ("ce-", "1"),
            ("ce-data", "1"), ("ce-x", "%00"),
        ] { #expect(await door.post("{}", good + [more]).brief == .problem(400, "invalid-event"), "\(more)") }
        #expect(await door.post(bytes: [0xFF, 0xFE], structured).status == 400)
        #expect(await door.post(bytes: [0xFF, 0xFE], good) == .accepted(1))  // bytes are data, whatever they are
    }

    @Test("256 KiB is the end of an event, a request's limit that of a request: 413")
    func sizes() async {
        var limits = EventDoor.Limits()
        limits.events = 3
        let door = stream.door(limits: limits)
        let empty = line("a").utf8.count + "\"time\":\"2026-01-05T08:00:00.000Z\",".utf8.count
        let fits = CloudEvents.maxBytes - empty
        #expect(await door.post(line("a", padding: fits), structured) == .accepted(1))
        #expect(await door.post(line("b", padding: fits + 1), structured).brief == .problem(413, "invalid-event"))
        #expect(await door.post("[\(line("c", padding: fits + 1))]", batched).brief == .problem(413, "invalid-event"))
        let four = (0..<4).map { line("\($0)") }.joined(separator: ",")
        #expect(await door.post("[\(four)]", batched).brief == .problem(413, "too-large"))
        let promised = structured + [("content-length", "\(limits.body + 1)")]
        #expect(await door.post(line("d"), promised).brief == .problem(413, "too-large"))
        #expect(stream.ids == ["a"])
    }

    @Test("the stream away is 503 with a time to try again, and it is opened again for the next request")
    func away() async {
        let door = stream.door()
        stream.state.withLock { $0.failure = .unreachable }
        let outcome = await door.post(line("a"), structured)
        #expect(outcome.brief == .problem(503, "stream-away") && outcome.text.contains("unreachable"))
        stream.state.withLock { $0.failure = nil }
        #expect(await door.post(line("a"), structured) == .accepted(1))
        #expect(stream.state.withLock { $0.opened } == 2)
    }

    @Test("requests that come while one is appended share the next append")
    func group() async {
        let door = stream.door()
        stream.gate.shut()
        await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await door.post(line("first"), structured) }
            await waitForSomebody()
            for number in 1...50 { group.addTask { await door.post(line("\(number)"), structured) } }
            // Opened when all have queued: the first is in the append, the rest waits behind it.
            while door.waiting < 50 { await Task.yield() }
            stream.gate.open()
            for await outcome in group { #expect(outcome == .accepted(1)) }
        }
        #expect(stream.state.withLock { $0.appends } == [1, 50])
    }

    @Test("an event the stream never takes refuses its own request and no other")
    func tooLargeForTheStream() async {
        let door = stream.door()
        stream.state.withLock { $0.largest = 1_000 }
        stream.gate.shut()
        var outcomes: [Outcome] = []
        await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await door.post(line("first"), structured) }
            await waitForSomebody()
            group.addTask { await door.post(line("large", padding: 2_000), structured) }
            group.addTask { await door.post(line("small"), structured) }
            while door.waiting < 2 { await Task.yield() }
            stream.gate.open()
            for await outcome in group { outcomes.append(outcome.brief) }
        }
        #expect(outcomes.filter { $0 == .accepted(1) }.count == 2)
        #expect(outcomes.contains(.problem(413, "too-large")))
        #expect(Set(stream.ids) == ["first", "small"])
    }

    /// Off the pool's threads, as it blocks.
    private func waitForSomebody() async {
        let gate = stream.gate
        await withCheckedContinuation { continuation in
            _ = OwnThread {
                gate.waitForSomebody()
                continuation.resume()
            }
        }
    }
}
