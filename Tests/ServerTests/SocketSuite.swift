import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonStream
import Glibc
import Logging
import Testing

@testable import CarillonServer

@Suite("Events in: what comes over a socket", .timeLimit(.minutes(2)))
struct SocketSuite {
    private let stream = FlakyStream()

    @Test("requests sent in one go are answered one after the other, in their order")
    func pipelined() async throws {
        try await serving(stream.door()) { port in
            let bodies = [line("1"), "{}", line("2")]
            let text = bodies.map { Self.request($0, close: $0 == bodies[2]) }.joined()
            let answers = try Wire(port: port).talk(text)
            let statuses = answers.matches(of: /HTTP\/1\.1 (\d+)/).map { String($0.output.1) }
            #expect(statuses == ["202", "400", "202"], "\(answers)")
        }
        #expect(stream.ids == ["1", "2"])
    }

    @Test("a chunked body is taken; one that grows beyond the limit is 413, whatever its sender promised")
    func chunked() async throws {
        var limits = EventDoor.Limits()
        limits.body = 4_000
        try await serving(stream.door(limits: limits)) { port in
            let chunked =
                "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
                + "content-type: application/cloudevents+json\r\ntransfer-encoding: chunked\r\n\r\n"
            let event = line("1")
            let size = String(event.utf8.count, radix: 16)
            let taken = try Wire(port: port).talk(chunked + "\(size)\r\n\(event)\r\n0\r\n\r\n")
            #expect(taken.contains(" 202 "))
            let part = "400\r\n" + String(repeating: " ", count: 1_024) + "\r\n"
            let large = String(repeating: part, count: 5) + "0\r\n\r\n"
            let refused = try Wire(port: port).talk(chunked + large)
            #expect(refused.contains(" 413 "))
        }
        #expect(stream.ids == ["1"])
    }

    @Test("what does not fit into the room that all requests share is 429, and fits once there is room")
    func full() async throws {
        var limits = EventDoor.Limits()
        limits.room = 8_000
        let door = stream.door(limits: limits)
        stream.gate.shut()
        let gate = stream.gate
        try await serving(door) { port in
            let first = try Wire(port: port)
            try first.send(Self.request(line("1", padding: 4_000), close: true))
            gate.waitForSomebody()
            let answer = try Wire(port: port).talk(Self.request(line("2", padding: 4_000), close: true))
            #expect(answer.contains(" 429 ") && answer.lowercased().contains("\r\nretry-after: 1\r\n"), "\(answer)")
            gate.open()
            #expect(first.rest().contains(" 202 "))
            let again = try Wire(port: port).talk(Self.request(line("2", padding: 4_000), close: true))
            #expect(again.contains(" 202 "))
        }
        #expect(stream.ids == ["1", "2"])
    }

    @Test("a sender that stops, or trickles for ever, loses its connection and appends nothing")
    func slow() async throws {
        try await serving(stream.door(), patience: .milliseconds(300)) { port in
            let silent = try Wire(port: port)
            try silent.send("POST /v1/events HTTP/1.1\r\nhost: loc")
            let trickling = try Wire(port: port)
            try trickling.send(
                "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cloudevents+json\r\n"
                    + "content-length: 100000\r\n\r\n")
            // Ends because the server closes; the suite's time limit ends it when the server does not.
            while (try? trickling.send(" ")) != nil { usleep(20_000) }
            #expect(!silent.rest().contains("202"))
        }
        #expect(stream.ids == [])
    }

    @Test("what is no HTTP is refused, and the next connection is served")
    func garbage() async throws {
        try await serving(stream.door()) { port in
            for text in [
                "\r\n\r\n\0\0\u{1}", "POST /v1/events HTTP/1.1\r\ncontent-length: -1\r\n\r\n", "GET / HTTP/9\r\n\r\n",
            ] {
                let wire = try Wire(port: port)
                try wire.send(text)
                wire.endSending()
                #expect(!wire.rest().contains(" 202 "))
            }
            let header =
                "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nce-x: " + String(repeating: "x", count: 200_000)
            let long = try Wire(port: port)
            try? long.send(header + "\r\n\r\n")
            #expect(!long.rest().contains(" 202 "))
            let served = try Wire(port: port).talk(Self.request(line("1"), close: true))
            #expect(served.contains(" 202 "))
        }
    }

    @Test("the handshake allows the origin that asks; other methods are told which there are")
    func handshake() async throws {
        try await serving(stream.door()) { port in
            let options = "OPTIONS /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            let answer = try Wire(port: port).talk(
                options + "WebHook-Request-Origin: a.example\r\nWebHook-Request-Rate: 120\r\n\r\n")
            let lines = answer.lowercased().split(separator: "\r\n")
            #expect(lines.contains("webhook-allowed-origin: a.example") && lines.contains("webhook-allowed-rate: *"))
            let without = try Wire(port: port).talk(options + "\r\n").lowercased()
            #expect(!without.contains("webhook-") && without.contains("allow: post, options"))
            let get = try Wire(port: port).talk(
                "GET /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            #expect(get.contains(" 405 ") && get.lowercased().contains("allow: post, options"))
        }
    }

    static func request(_ body: String, close: Bool) -> String {
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cloudevents+json\r\n"
            + "content-length: \(body.utf8.count)\r\n" + (close ? "connection: close\r\n" : "") + "\r\n" + body
    }

    /// A server around a door while `body` runs, off the pool's threads as it blocks.
    private func serving(
        _ door: EventDoor, patience: Duration = .seconds(60), _ body: @escaping @Sendable (Int) throws -> Void
    ) async throws {
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let server = Server(
            host: "127.0.0.1", port: 0, version: "test", registry: MetricsRegistry(),
            sources: Sources(
                desk: { throw LedgerError(.missing, doing: "open") },
                ends: { [StreamEnds(stream: "none", partitions: [:])] }),
            door: door, patience: patience, clock: ManualClock(), logger: Logger(label: "test"),
            reload: { Server.Reload(taken: [], needsRestart: []) }, isReloaded: { true },
            listening: { continuation.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            for await port in ports {
                try await withCheckedThrowingContinuation { done in
                    _ = OwnThread { done.resume(with: Result { try body(port) }) }
                }
                break
            }
            group.cancelAll()
        }
    }
}
