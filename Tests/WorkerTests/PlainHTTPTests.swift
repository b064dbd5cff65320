import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonWorker
import Testing

@Suite("Plain HTTP: what travels over connections that are kept from libcurl", .timeLimit(.minutes(5)))
struct PlainHTTPTests {
    private static func answering(_ answers: [String]) -> ScriptedServer {
        ScriptedServer { number, _ in .raw(answers[min(number, answers.count - 1)]) }
    }

    @Test(
        "the request is the one that libcurl would send",
        arguments: ["/a/../b?x=1%20y&z=a+b#there", "", "?q", "/%2e%2e/c", "/a//b;p=1", "/?", "/x?a=b?c#d?e"])
    func sameAsLibcurls(path: String) async throws {
        let server = ScriptedServer { _, _ in .answer(200) }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        // With a login in its address a request is libcurl's from its first byte to its last.
        for (login, accept) in [("", nil), ("me:pw@", nil), ("", "a/b"), ("me:pw@", "a/b")] as [(String, String?)] {
            let headers = [("x-a", "1")] + (accept.map { [("aCCept", $0)] } ?? [])
            let to = endpoint("http://\(login)127.0.0.1:\(server.port)\(path)", headers: headers)
            #expect(await rig.send(outgoing(to))?.outcome == .delivered)
        }
        let received = server.received
        try #require(received.count == 4)
        for (ours, libcurls) in [(received[0], received[1]), (received[2], received[3])] {
            #expect(ours.line == libcurls.line && ours.body == libcurls.body)
            #expect(libcurls.header("authorization") == "Basic bWU6cHc=")
            let theirs = libcurls.headers.filter { $0.name.lowercased() != "authorization" }
            #expect(lines(ours.headers) == lines(theirs))
        }
    }

    private func lines(_ headers: [(name: String, value: String)]) -> [String] {
        headers.map { "\($0.name.lowercased()): \($0.value)" }.sorted()
    }

    @Test("a body larger than the kernel takes at once arrives as a whole")
    func largeBody() async throws {
        let server = ScriptedServer { _, _ in .answer(200) }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let message = String(repeating: "0123456789abcdef", count: 1 << 20)
        for id in 1...2 as ClosedRange<Int64> {
            let ending = await rig.send(outgoing(endpoint(server.url), id: id, message: message))
            #expect(ending?.outcome == .delivered)
        }
        #expect(server.received.allSatisfy { String(decoding: $0.body, as: UTF8.self).contains(message) })
        #expect(server.received.count == 2 && server.connections == 1)
    }

    @Test("a receiver that answers a large body before its end and hangs up is understood")
    func earlyAnswer() async throws {
        let server = ScriptedServer(greeting: "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig") { _, _ in
            .hangUp
        }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let message = String(repeating: "0123456789abcdef", count: 1 << 20)
        let ending = try #require(await rig.send(outgoing(endpoint(server.url), message: message)))
        #expect(ending.status == 413 && ending.words.contains("big"))
    }

    @Test(
        "a connection whose answer leaves a doubt carries nothing more",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ])
    func doubtfulAnswer(answer: String) async throws {
        // The connection stays open on the receiver's side: whether it is used again is ours to decide.
        let gate = Gate()
        let server = ScriptedServer { _, _ in .first(answer, then: .after(gate, .hangUp)) }
        defer { server.stop() }
        defer { gate.open() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        for id in 1...3 as ClosedRange<Int64> {
            #expect(await rig.send(outgoing(endpoint(server.url), id: id))?.outcome == .delivered)
        }
        #expect(server.connections == 3 && server.received.count == 3)
    }

    @Test("a request that a dying connection carried is in doubt when it cannot be repeated")
    func repeatedInVain() async throws {
        let server = ScriptedServer { number, _ in number == 0 ? .answer(200) : .hangUp }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let hook = endpoint(server.url)
        #expect(await rig.send(outgoing(hook, id: 1))?.outcome == .delivered)
        server.refuse()
        #expect(await rig.send(outgoing(hook, id: 2))?.outcome == .ambiguous(.other))
        #expect(server.received.count == 2)
    }

    @Test("a request is repeated once and no more")
    func repeatedOnce() async throws {
        let server = ScriptedServer { number, _ in number == 0 ? .answer(200) : .hangUp }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let hook = endpoint(server.url)
        #expect(await rig.send(outgoing(hook, id: 1))?.outcome == .delivered)
        #expect(await rig.send(outgoing(hook, id: 2))?.outcome == .ambiguous(.other))
        #expect(server.received.count == 3)
    }

    @Test("a request that is repeated over a connection that dies at once is in doubt")
    func repeatedOverAReset() async throws {
        // Whether libcurl or our first send meets the reset is the kernel's to say; both have to see the doubt.
        for _ in 1...20 {
            let server = ScriptedServer { number, _ in number == 0 ? .answer(200) : .hangUp }
            defer { server.stop() }
            let rig = try CourierRig()
            defer { rig.courier.close() }
            let hook = endpoint(server.url)
            #expect(await rig.send(outgoing(hook, id: 1))?.outcome == .delivered)
            server.reset()
            #expect(await rig.send(outgoing(hook, id: 2))?.outcome == .ambiguous(.other))
        }
    }

    @Test("nothing is sent over a connection that its receiver has closed in silence")
    func closedWhileIdle() async throws {
        let said = (1...5).map { _ in Gate() }
        let server = ScriptedServer { number, _ in .lastWords("HTTP/1.1 204 None\r\n\r\n", said: said[min(number, 4)]) }
        defer { server.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        for id in 1...5 as ClosedRange<Int64> {
            #expect(await rig.send(outgoing(endpoint(server.url), id: id))?.outcome == .delivered)
            said[Int(id) - 1].wait()
        }
        // The receiver goes on reading: a request that was tried there and repeated would be seen.
        #expect(server.connections == 5)
        #expect(server.received.map { $0.header("webhook-id") }.count == 5)
    }

    @Test("what comes behind an answer is not the answer to what is asked next")
    func behindAnAnswer() async throws {
        // As much as is read at a time, so that nothing tells of the rest; the next request waits for the connection.
        let body = String(repeating: "x", count: 16_342)
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body
        try #require(answer.utf8.count == 16 * 1024)
        let server = ScriptedServer { number, _ in
            number == 0 ? .bytes(answer + "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") : .answer(200)
        }
        defer { server.stop() }
        let rig = try CourierRig(perLane: 1)
        defer { rig.courier.close() }
        rig.courier.offer((1...3 as ClosedRange<Int64>).map { outgoing(endpoint(server.url), id: $0) })
        #expect(await rig.endings(3).allSatisfy { $0.outcome == .delivered && $0.status == 200 })
        #expect(server.received.map(\.connection) == [1, 2, 2])
    }

    @Test("no more connections are kept than requests may be on the wire, the oldest going first")
    func fewAreKept() async throws {
        let servers = (0..<6).map { _ in ScriptedServer { _, _ in .answer(200) } }
        defer { for server in servers { server.stop() } }
        let rig = try CourierRig(concurrency: 3, perLane: 3)
        defer { rig.courier.close() }
        for server in servers + servers.suffix(3) + servers.prefix(1) {
            #expect(await rig.send(outgoing(endpoint(server.url)))?.outcome == .delivered)
        }
        #expect(servers.map(\.connections) == [2, 1, 1, 1, 1, 1])
    }

    @Test("where one connection is kept, it is never taken for another, however fast they follow each other")
    func oneIsKept() async throws {
        let servers = (0..<4).map { number in
            ScriptedServer { _, request in .answer(request.line.contains("/to-\(number) ") ? 200 : 500) }
        }
        defer { for server in servers { server.stop() } }
        let rig = try CourierRig(concurrency: 1, perLane: 1)
        defer { rig.courier.close() }
        var random = SplitMix(seed: 70)
        var sent = [0, 0, 0, 0]
        for id in 1...1000 as ClosedRange<Int64> {
            let number = Int.random(in: 0..<4, using: &random)
            sent[number] += 1
            let to = endpoint("http://127.0.0.1:\(servers[number].port)/to-\(number)")
            #expect(await rig.send(outgoing(to, id: id))?.status == 200)
        }
        #expect(servers.map(\.received.count) == sent)
    }

    @Test("more addresses than are remembered share the connections of their host")
    func manyAddresses() async throws {
        let server = ScriptedServer { _, _ in .answer(200) }
        defer { server.stop() }
        let rig = try CourierRig(concurrency: 4)
        defer { rig.courier.close() }
        let ids = 1...5000 as ClosedRange<Int64>
        rig.courier.offer(
            ids.map { outgoing(endpoint("http://127.0.0.1:\(server.port)/\($0)"), id: $0, lane: $0 % 8) })
        #expect(await rig.endings(ids.count).allSatisfy { $0.outcome == .delivered })
        #expect(Set(server.received.map(\.line)).count == ids.count && server.connections <= 4)
    }
}
