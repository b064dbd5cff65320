import CarillonRules
import CarillonWorker
import Testing

@Suite("Proxy: only one that is configured, and what the guard can still tell", .timeLimit(.minutes(5)))
struct ProxyTests {
    @Test("a configured proxy is asked for what lies outside, and its answer is the receiver's")
    func isAsked() async throws {
        let proxy = ScriptedServer { _, request in .answer(request.line.contains("/gone") ? 410 : 204) }
        defer { proxy.stop() }
        let rig = try CourierRig(exempt: [], proxy: "http://127.0.0.1:\(proxy.port)")
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint("http://ops.example.com/alerts")))?.outcome == .delivered)
        #expect(await rig.send(outgoing(endpoint("http://8.8.8.8/gone")))?.outcome == .gone(.clientError))
        #expect(
            proxy.received.map(\.line) == [
                "POST http://ops.example.com/alerts HTTP/1.1", "POST http://8.8.8.8/gone HTTP/1.1",
            ])
    }

    @Test("a proxy is not asked for this machine or the inside, however the host is spelled")
    func spellings() async throws {
        let proxy = ScriptedServer { _, _ in .answer(200) }
        defer { proxy.stop() }
        let rig = try CourierRig(exempt: [], proxy: "http://127.0.0.1:\(proxy.port)")
        defer { rig.courier.close() }
        for host in CanaryTests.spellings {
            let before = proxy.received.count
            let ending = try #require(await rig.send(outgoing(endpoint("http://\(host)/hook"))))
            guard proxy.received.count > before else {
                #expect(ending.outcome != .delivered, "\(host)")
                continue
            }
            // Some spellings are those of a host outside: octal numbers, or what looks like a user.
            let line = try #require(proxy.received.last?.line)
            let asked = line.dropFirst("POST http://".count).prefix { $0 != "/" && $0 != ":" && $0 != " " }
            let address = IPAddress(String(asked))
            #expect(asked == "example.com" || address.map { AddressGuard().allows($0) } == true, "\(host): \(line)")
        }
        for text in GuardTests.inside {
            let host = text.contains(":") ? "[\(text)]" : text
            let ending = try #require(await rig.send(outgoing(endpoint("http://\(host)/inside"))))
            #expect(ending.outcome == .refused(.blocked), "\(host)")
        }
        #expect(!proxy.received.contains { $0.line.contains("/inside") })
    }

    @Test("a proxy that refuses the tunnel has sent nothing, so the try failed and is not in doubt")
    func refusedTunnel() async throws {
        let proxy = ScriptedServer { _, _ in .answer(403) }
        defer { proxy.stop() }
        let rig = try CourierRig(exempt: [], proxy: "http://127.0.0.1:\(proxy.port)")
        defer { rig.courier.close() }
        let ending = try #require(await rig.send(outgoing(endpoint("https://ops.example.com/alerts"))))
        #expect(ending.outcome == .failed(.other, after: nil))
        #expect(proxy.received.map(\.line) == ["CONNECT ops.example.com:443 HTTP/1.1"])
    }

    @Test("what the deployment itself gives an address for goes there, past the proxy")
    func baseAddressIsDirect() async throws {
        let (proxy, double) = (ScriptedServer { _, _ in .answer(500) }, ScriptedServer { _, _ in .answer(200) })
        defer {
            proxy.stop()
            double.stop()
        }
        let settings = ["webhook": ChannelSettings(values: ["base_url": "http://127.0.0.1:\(double.port)"])]
        let make = try #require(try Channels.kinds(settings)["webhook"])
        let hook = Endpoint(
            name: "hook", url: "https://ops.example.com/alerts", secrets: [], headers: [],
            channel: make(.init(name: "hook", url: .text("https://ops.example.com/alerts"))))
        let rig = try CourierRig(exempt: [], proxy: "http://127.0.0.1:\(proxy.port)")
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(hook))?.outcome == .delivered)
        let other = await rig.send(outgoing(endpoint("http://ops.example.com/")))
        #expect(other?.outcome == .failed(.serverError, after: nil))
        #expect(double.received.count == 1 && proxy.received.count == 1)
    }
}

@Suite("Courier: an answer that trickles is cut", .timeLimit(.minutes(5)))
struct SlowAnswerTests {
    private static let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"

    @Test("a head that does not end leaves the outcome ambiguous long before the timeout")
    func head() async throws {
        let head = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 100_000)
        let server = ScriptedServer { _, _ in .trickle("", then: head) }
        defer { server.stop() }
        let rig = try CourierRig(timeout: .seconds(3000), answerTime: .milliseconds(200))
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint(server.url)))?.outcome == .ambiguous(.contextDeadlineExceeded))
    }

    @Test("a body that does not end is not waited for: its head has said it")
    func body() async throws {
        let server = ScriptedServer { _, _ in .trickle(Self.head, then: String(repeating: "x", count: 100_000)) }
        defer { server.stop() }
        let rig = try CourierRig(timeout: .seconds(3000), answerTime: .milliseconds(200))
        defer { rig.courier.close() }
        #expect(await rig.send(outgoing(endpoint(server.url)))?.outcome == .delivered)
    }

    @Test("a receiver that thinks before it answers has the whole timeout")
    func thinking() async throws {
        let gate = Gate()
        let server = ScriptedServer { number, _ in
            number == 0 ? .after(gate, .answer(200)) : .trickle("", then: Self.head + Self.head)
        }
        defer { server.stop() }
        let rig = try CourierRig(timeout: .seconds(3000), answerTime: .milliseconds(200))
        defer { rig.courier.close() }
        rig.courier.offer([outgoing(endpoint(server.url), id: 1)])
        await server.arrival(of: 1)
        // Once the one that trickles was cut, the one before it is older than the rule's time.
        rig.courier.offer([outgoing(endpoint(server.url), id: 2)])
        #expect(await rig.endings(1).map(\.delivery) == [2])
        gate.open()
        #expect(await rig.endings(1).map(\.outcome) == [.delivered])
    }
}
