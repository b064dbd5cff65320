import CarillonEvents
import CarillonLedger
import CarillonWorker
import Testing

@Suite("Courier: every delivery ends once, with what the wire showed", .timeLimit(.minutes(5)))
struct CourierTests {
    @Test("a delivered request carries the signature its receiver can check")
    func delivers() async throws {
        let server = ScriptedServer { _, _ in .answer(204) }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let secret = [UInt8](repeating: 7, count: 24)
        let ending = await rig.send(
            outgoing(endpoint(server.url, secrets: [secret], headers: [("authorization", "Bearer t0k")]), attempt: 3))
        #expect(ending?.outcome == .delivered)
        #expect(ending?.status == 204)
        let request = try #require(server.received.first)
        #expect(request.line == "POST /hook HTTP/1.1")
        #expect(request.header("authorization") == "Bearer t0k")
        #expect(request.header("carillon-attempt") == "3")
        #expect(request.header("content-type") == "application/json")
        #expect(request.header("user-agent") == "Carillon/\(CarillonVersion.current)")
        #expect(request.header("expect") == nil)
        #expect(
            WebhookSignature.verify(
                try #require(request.header("webhook-signature")), id: try #require(request.header("webhook-id")),
                timestamp: try #require(request.header("webhook-timestamp")), body: request.body, secrets: [secret],
                now: StillClock().now()))
    }

    @Test("every copy of a delivery has the same id and body, and the connection is kept")
    func copiesAreIdentical() async throws {
        let server = ScriptedServer { number, _ in number < 2 ? .answer(503) : .answer(200) }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let hook = endpoint(server.url)
        var outcomes: [Outcome?] = []
        for attempt in 1...3 { outcomes.append(await rig.send(outgoing(hook, attempt: attempt))?.outcome) }
        #expect(outcomes == [.failed(.serverError, after: nil), .failed(.serverError, after: nil), .delivered])
        let received = server.received
        #expect(Set(received.map(\.body)).count == 1)
        #expect(Set(received.map { $0.header("webhook-id") }).count == 1)
        #expect(received.map { $0.header("carillon-attempt") } == ["1", "2", "3"])
        #expect(server.connections == 1)
    }

    @Test("a batch to one endpoint opens no more connections than its lane may use")
    func connectionsAreReused() async throws {
        let server = ScriptedServer { _, _ in .answer(200, body: "ok") }
        defer { server.stop() }
        let rig = try CourierRig(concurrency: 8, perLane: 4)
        defer { rig.courier.close() }
        let hook = endpoint(server.url)
        rig.courier.offer((1...200).map { outgoing(hook, id: $0) })
        let endings = await rig.endings(200)
        #expect(Set(endings.map(\.delivery)) == Set(1...200))
        #expect(endings.allSatisfy { $0.outcome == .delivered })
        #expect(server.connections <= 4)
    }

    @Test(
        "Retry-After reaches the schedule, in seconds or as a date, within bounds",
        arguments: [
            ("30", 30), (" 0 ", 0), ("86400", 3600), ("Mon, 05 Jan 2026 08:00:42 GMT", 42),
            ("99999999999999999999", 3600),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("soon", nil), ("-5", nil), ("", nil),
        ] as [(String, Int64?)])
    func retryAfter(text: String, seconds: Int64?) async throws {
        let server = ScriptedServer { _, _ in .answer(429, headers: ["rEtRy-AfTeR: \(text)"]) }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let ending = await rig.send(outgoing(endpoint(server.url)))
        #expect(ending?.outcome == .rateLimited(after: seconds.map { .seconds($0) }))
    }

    @Test("a try keeps its place until its ending is written down, so a kill leaves no more copies than places")
    func unsettledKeepsItsPlace() async throws {
        let server = ScriptedServer { _, _ in .answer(200) }
        defer { server.stop() }
        let rig = try CourierRig(concurrency: 2, perLane: 2)
        defer { rig.courier.close() }
        let hook = endpoint(server.url)
        rig.courier.offer((1...5).map { outgoing(hook, id: $0) })
        #expect(await rig.unsettledEndings(2).count == 2)
        #expect(server.received.count == 2)
        rig.courier.settled(2)
        #expect(await rig.unsettledEndings(2).count == 2)
        #expect(server.received.count == 4)
        rig.courier.settled(2)
        #expect(await rig.endings(1).count == 1)
    }

    @Test("a redirect is a failure and is not followed")
    func redirectIsNotFollowed() async throws {
        let elsewhere = ScriptedServer { _, _ in .answer(200) }
        let target = elsewhere.url
        let server = ScriptedServer { _, _ in .answer(302, headers: ["Location: \(target)"]) }
        defer {
            server.stop()
            elsewhere.stop()
        }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let ending = await rig.send(outgoing(endpoint(server.url)))
        #expect(ending?.outcome == .failed(.clientError, after: nil))
        #expect(ending?.status == 302)
        #expect(elsewhere.connections == 0)
    }

    @Test("a hung endpoint takes no more than its share, and the others go on")
    func hungLaneLeavesRoom() async throws {
        let gate = Gate()
        let hung = ScriptedServer { _, _ in .after(gate, .answer(200)) }
        let quick = ScriptedServer { _, _ in .answer(200) }
        defer {
            hung.stop()
            quick.stop()
        }
        let rig = try CourierRig(concurrency: 4, perLane: 3)
        defer { rig.courier.close() }
        defer { gate.open() }
        let (slow, fast) = (endpoint(hung.url), endpoint(quick.url))
        rig.courier.offer(
            (1...20).map { outgoing(slow, id: $0, lane: 1) } + (21...60).map { outgoing(fast, id: $0, lane: 2) })
        let first = await rig.endings(40)
        #expect(Set(first.map(\.delivery)) == Set(21...60))
        await hung.arrival(of: 3)
        #expect(hung.received.count == 3)
        gate.open()
        #expect(Set(await rig.endings(20).map(\.delivery)) == Set(1...20))
    }

    @Test("drain ends what was not begun as unsent and lets what is on the wire finish")
    func drains() async throws {
        let gate = Gate()
        let server = ScriptedServer { _, _ in .after(gate, .answer(200)) }
        defer { server.stop() }
        let rig = try CourierRig(concurrency: 2, perLane: 2)
        defer { rig.courier.close() }
        defer { gate.open() }
        let hook = endpoint(server.url)
        rig.courier.offer((1...5).map { outgoing(hook, id: $0) })
        await server.arrival(of: 2)
        rig.courier.drain()
        let unsent = await rig.endings(3)
        #expect(unsent.map(\.outcome) == [.unsent, .unsent, .unsent])
        rig.courier.offer([outgoing(hook, id: 6)])
        #expect(await rig.endings(1).first?.outcome == .unsent)
        gate.open()
        #expect(await rig.endings(2).map(\.outcome) == [.delivered, .delivered])
        #expect(server.received.count == 2)
    }

    @Test("close gives up what is on the wire as ambiguous, the rest as unsent, and later offers too")
    func closes() async throws {
        let gate = Gate()
        let server = ScriptedServer { _, _ in .after(gate, .answer(200)) }
        defer { server.stop() }
        defer { gate.open() }
        let rig = try CourierRig(concurrency: 2, perLane: 2)
        let hook = endpoint(server.url)
        rig.courier.offer((1...5).map { outgoing(hook, id: $0) })
        await server.arrival(of: 2)
        rig.courier.close()
        rig.courier.close()
        let endings = rig.courier.collect()
        #expect(endings.count == 5)
        #expect(endings.filter { $0.outcome == .ambiguous(.other) }.count == 2)
        #expect(endings.filter { $0.outcome == .unsent }.count == 3)
        rig.courier.offer([outgoing(hook, id: 6)])
        #expect(rig.courier.collect().map(\.outcome) == [.unsent])
    }

    @Test("nothing is sent under a lease that would end before the timeout")
    func shortLease() async throws {
        let server = ScriptedServer { _, _ in .answer(200) }
        defer { server.stop() }
        let rig = try CourierRig(timeout: .seconds(15))
        defer { rig.courier.close() }
        let uptime = StillClock().uptime()
        #expect(await rig.send(outgoing(endpoint(server.url), leaseEnds: uptime + .seconds(15)))?.outcome == .unsent)
        #expect(server.connections == 0)
        let enough = outgoing(endpoint(server.url), leaseEnds: uptime + .milliseconds(15_001))
        #expect(await rig.send(enough)?.outcome == .delivered)
    }

    @Test("an endpoint that hangs up before its answer leaves the outcome ambiguous")
    func hangUpIsAmbiguous() async throws {
        let server = ScriptedServer { _, _ in .hangUp }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint(server.url)))?.outcome == .ambiguous(.other))
    }

    @Test("a kept connection that the receiver closed costs a second copy at most, with the same id and body")
    func keptConnectionBreaks() async throws {
        let server = ScriptedServer { number, _ in number == 1 ? .hangUp : .answer(200) }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let hook = endpoint(server.url)
        #expect(await rig.send(outgoing(hook, id: 1))?.outcome == .delivered)
        #expect(await rig.send(outgoing(hook, id: 2))?.outcome == .delivered)
        let copies = server.received.dropFirst()
        #expect(copies.count == 2)
        #expect(Set(copies.map { $0.header("webhook-id") }).count == 1)
        #expect(Set(copies.map(\.body)).count == 1)
    }

    @Test("an endpoint that does not answer in time leaves the outcome ambiguous")
    func silenceIsAmbiguous() async throws {
        let gate = Gate()
        let server = ScriptedServer { _, _ in .after(gate, .hangUp) }
        defer { server.stop() }
        defer { gate.open() }
        let rig = try CourierRig(timeout: .milliseconds(200))
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint(server.url)))?.outcome == .ambiguous(.contextDeadlineExceeded))
    }

    @Test(
        "an answer that is no HTTP leaves the outcome ambiguous",
        arguments: [
            "hello\r\n\r\n", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nX: y\r\n", "\0\0\0\0", "HTTP/1.1 100 Continue\r\n\r\n",
        ])
    func garbageIsAmbiguous(answer: String) async throws {
        let server = ScriptedServer { _, _ in .raw(answer) }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint(server.url)))?.outcome == .ambiguous(.other))
    }

    @Test("a complete head counts even when the body breaks off")
    func cutBodyCounts() async throws {
        let server = ScriptedServer { number, _ in
            .raw("HTTP/1.1 \(number == 0 ? 200 : 503) OK\r\nContent-Length: 100\r\nRetry-After: 7\r\n\r\nhalf")
        }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let hook = endpoint(server.url)
        #expect(await rig.send(outgoing(hook))?.outcome == .delivered)
        #expect(await rig.send(outgoing(hook))?.outcome == .failed(.serverError, after: .seconds(7)))
    }

    @Test("a huge answer is cut, its status counts, and its words are bounded")
    func hugeAnswerIsCut() async throws {
        let server = ScriptedServer { _, _ in .answer(400, body: String(repeating: "é\u{1b}[31m", count: 500_000)) }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let ending = try #require(await rig.send(outgoing(endpoint(server.url))))
        #expect(ending.outcome == .refused(.clientError))
        #expect(ending.words.utf8.count <= Words.limit)
        #expect(!ending.words.unicodeScalars.contains("\u{1b}"))
    }

    @Test("an endpoint where nobody listens fails and is tried again, also on a handle that was used before")
    func refusedConnection() async throws {
        let gone = ScriptedServer { _, _ in .answer(200) }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint(gone.url)))?.outcome == .delivered)
        let empty = endpoint("http://127.0.0.1:1/hook")
        let ending = try #require(await rig.send(outgoing(empty)))
        #expect(ending.outcome == .failed(.other, after: nil))
        #expect(ending.words.contains("Connection refused"))
        gone.stop()
    }

    @Test("a name that does not resolve fails for its name and is tried again")
    func unknownName() async throws {
        let rig = try CourierRig()
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint("http://nobody.invalid/hook")))?.outcome == .failed(.dns, after: nil))
    }

    @Test("a receiver that speaks no TLS fails for its TLS")
    func noTLS() async throws {
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let plain = ScriptedServer(greeting: "220 this is mail\r\n\r\n") { _, _ in .hangUp }
        defer { plain.stop() }
        let secure = endpoint("https://127.0.0.1:\(plain.port)/hook")
        #expect(await rig.send(outgoing(secure))?.outcome == .failed(.tls, after: nil))
    }

    @Test(
        "an address that is no web address is refused",
        arguments: [
            "file:///etc/passwd", "gopher://127.0.0.1/", "http://", "not a url", "", "http://a b/", "smtp://127.0.0.1",
        ])
    func badAddress(url: String) async throws {
        let rig = try CourierRig()
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint(url)))?.outcome == .refused(.clientError))
    }

    @Test("no header of a document can end its line or frame the request anew")
    func noInjection() async throws {
        let server = ScriptedServer { _, _ in .answer(200) }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let hostile: [(name: String, value: String)] = [
            ("x-a", "1\r\nx-evil: 1"), ("x-b\r\nx-evil", "1"), ("x-c", "a\nx-evil: 1"), ("x-d", "\0x"), ("x e", "1"),
            ("Content-Length", "0"), ("Transfer-Encoding", "chunked"), ("Webhook-Id", "other"), ("Host", "evil"),
            ("", "1"), ("x-f:", "1"), ("x-fine", "yes"),
        ]
        #expect(await rig.send(outgoing(endpoint(server.url, headers: hostile)))?.outcome == .delivered)
        let request = try #require(server.received.first)
        let names = Set(request.headers.map { $0.name.lowercased() })
        #expect(
            names == [
                "host", "accept", "content-type", "webhook-id", "webhook-timestamp", "carillon-attempt", "user-agent",
                "x-fine", "content-length",
            ])
        #expect(request.headers.count == names.count)
    }

    @Test("words never repeat the endpoint's secrets, whoever echoes them")
    func wordsHideSecrets() async throws {
        let server = ScriptedServer { _, request in
            .answer(500, body: "no \(request.line) for \(request.header("authorization") ?? "")")
        }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let hook = endpoint(
            "http://user:p4ssw0rd@127.0.0.1:\(server.port)/services/T0B0XYZ9/k3y?token=s3cr3t-token",
            headers: [("authorization", "Bearer abcdef")])
        let answered = try #require(await rig.send(outgoing(hook)))
        server.stop()
        let broken = try #require(await rig.send(outgoing(hook)))
        #expect(answered.words.hasPrefix("no POST"))
        for secret in ["T0B0XYZ9", "s3cr3t-token", "p4ssw0rd", "abcdef", "k3y?"] {
            #expect(!answered.words.contains(secret))
            #expect(!broken.words.contains(secret))
        }
        #expect(!broken.words.isEmpty)
    }

    @Test("the courier passes its crash points in order, once for each delivery")
    func crashPoints() async throws {
        let passed = CourierLog<CrashPoint>()
        let server = ScriptedServer { _, _ in .answer(200) }
        defer { server.stop() }
        let rig = try CourierRig(crash: CrashPoints { passed.append($0) })
        defer { rig.courier.close() }
        for id in 1...2 { _ = await rig.send(outgoing(endpoint(server.url), id: Int64(id))) }
        #expect(passed.all == [.beforeSend, .onWire, .afterAnswer, .beforeSend, .onWire, .afterAnswer])
    }

    @Test("a crash point acts the n-th time it is reached, and not again")
    func crashPointCounts() throws {
        let acted = CourierLog<Int>()
        let points = CrashPoints(.onWire, times: 3) { acted.append(1) }
        for _ in 1...5 {
            points.reach(.onWire)
            points.reach(.beforeSend)
        }
        #expect(acted.all == [1])
        #expect(try CrashPoints.parse("in_settle:12") == (.inSettle, 12))
        #expect(try CrashPoints.parse("after_read") == (.afterRead, 1))
        for bad in ["", "on-wire", "on_wire:", "on_wire:0", "on_wire:x", "on_wire:1:2"] {
            #expect(throws: CrashPointsError.self) { try CrashPoints.parse(bad) }
        }
    }
}
