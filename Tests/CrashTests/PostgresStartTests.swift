import CarillonKit
import CarillonPlatform
import CarillonPostgres
import Foundation
import PostgresServer
import Testing

// Whatever starts a worker may start it before its database, or while that recovers from a crash.

@Suite("Starting before PostgreSQL is there: a worker waits and says so", .timeLimit(.minutes(3)))
struct PostgresStartTests {
    private static var mayBeAbsent: Bool { ProcessInfo.processInfo.environment["CI"] != "true" }
    private static var hasPostgres: Bool { (try? PostgresServer.shared.get()) != nil || !mayBeAbsent }

    @Test("a worker that finds no server waits for it, then delivers", .enabled(if: hasPostgres))
    func waits() throws {
        // One of its own: others use the shared one at the same time.
        let server = try PostgresServer()
        defer { server.stop() }
        let deployment = try Deployment(seed: 31, events: 200, ledgerURL: server.freshURL())
        #expect(try deployment.told("publish", "-", input: deployment.lines(0..<200)).isFine)
        var early: Process?
        try server.crash {
            let worker = try deployment.start(["worker"], words: "early.log")
            early = worker
            while worker.isRunning, !deployment.hasSaid("trying again", in: "early.log") { sched_yield() }
            #expect(
                worker.isRunning, "it gave up: \(String(decoding: deployment.words(in: "early.log"), as: UTF8.self))")
        }
        let worker = try #require(early)
        #expect(
            deployment.sink.wait(requests: deployment.required().count, worker: worker.processIdentifier),
            "it gave up: \(String(decoding: deployment.words(in: "early.log"), as: UTF8.self))")
        Foundation.kill(worker.processIdentifier, SIGTERM)
        worker.waitUntilExit()
        #expect(worker.terminationReason == .exit && worker.terminationStatus == 0)
    }

    @Test("a server whose recovery ends between two looks is not one that refuses us", .enabled(if: hasPostgres))
    func recoversBetweenLooks() throws {
        let server = try PostgresServer.shared.get()
        let keeper = try DoorKeeper(socket: server.socketPath, recovering: 1)
        let connection = try Connection(keeper.url(schema: server.freshSchema()))
        #expect(try connection.run("SELECT 1::int8").int(0, 0) == 1)
    }

    @Test("a server in recovery is away, not one that refuses us", .enabled(if: hasPostgres))
    func isAway() throws {
        let server = try PostgresServer.shared.get()
        let keeper = try DoorKeeper(socket: server.socketPath, recovering: .max)
        let error = #expect(throws: PostgresFailure.self) { _ = try Connection(keeper.url(schema: "public")) }
        #expect(error?.kind == .unreachable)
        #expect(error?.cause.contains("in recovery mode") == true)
    }
}

extension Deployment {
    fileprivate func hasSaid(_ text: String, in file: String) -> Bool {
        String(decoding: words(in: file), as: UTF8.self).contains(text)
    }
}

/// Stands before PostgreSQL and says to the first who come that it recovers from a crash.
private final class DoorKeeper: Sendable {
    private let listener: Int32
    private let port: UInt16

    /// - Parameter count: to how many.
    init(socket path: String, recovering count: Int) throws {
        let (listener, port) = try CutWire.listen(at: "127.0.0.1", port: 0)
        (self.listener, self.port) = (listener, port)
        _ = OwnThread {
            var refused = 0
            while true {
                let near = accept(listener, nil, nil)
                guard near >= 0 else {
                    close(listener)
                    return
                }
                refused += 1
                if refused <= count {
                    Self.refuse(near)
                } else {
                    _ = OwnThread { CutWire.join(near, CutWire.dial(path: path)) }
                }
            }
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    func url(schema: String) -> String {
        "postgresql://postgres@127.0.0.1:\(port)/postgres?sslmode=disable&gssencmode=disable&options=-csearch_path%3D\(schema)"
    }

    /// What the server says while it recovers, in the protocol's words, to who has said hello.
    private static func refuse(_ near: Int32) {
        var hello = [UInt8](repeating: 0, count: 1 << 12)
        unsafe _ = recv(near, &hello, hello.count, 0)
        let fields = "SFATAL\0VFATAL\0C57P03\0Mthe database system is in recovery mode\0\0"
        let size = UInt32(fields.utf8.count + 4)
        let words =
            [UInt8(ascii: "E"), UInt8(size >> 24), UInt8(size >> 16 & 255), UInt8(size >> 8 & 255), UInt8(size & 255)]
            + Array(fields.utf8)
        unsafe _ = send(near, words, words.count, Int32(MSG_NOSIGNAL))
        close(near)
    }
}
