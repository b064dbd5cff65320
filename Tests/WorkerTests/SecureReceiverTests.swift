import CarillonKit
import CarillonWorker
import Foundation
import Glibc
import Testing

@Suite("Courier: a receiver behind TLS", .timeLimit(.minutes(5)))
struct SecureReceiverTests {
    @Test(
        "a delivery arrives over TLS, and one whose certificate nobody vouches for only when the document allows it",
        .enabled(if: SecureReceiver.isPossible, "needs openssl and python3"))
    func certificate() async throws {
        let receiver = try SecureReceiver()
        defer { receiver.stop() }
        let rig = try CourierRig()
        defer { rig.courier.close() }
        let strict = Endpoint(name: "hook", url: receiver.url, secrets: [], headers: [], channel: WebhookChannel())
        let ending = try #require(await rig.send(outgoing(strict)))
        #expect(ending.outcome == .failed(.tls, after: nil))
        #expect(ending.words.contains("certificate"))
        let lenient = Endpoint(
            name: "hook", url: receiver.url, secrets: [], headers: [], verifiesTLS: false, channel: WebhookChannel())
        #expect(await rig.send(outgoing(lenient, id: 2))?.outcome == .delivered)
        #expect(await rig.send(outgoing(lenient, id: 3))?.outcome == .delivered, "over the kept connection")
        #expect(await rig.send(outgoing(strict, id: 4))?.outcome == .failed(.tls, after: nil), "not over that one")
        #expect(try receiver.received(2).allSatisfy { $0.hasPrefix("POST /hook ") && $0.contains("dlc-7f3a") })
    }
}

/// An HTTPS server with a certificate of its own making.
private final class SecureReceiver {
    private static let server = """
        import http.server, ssl, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                print(self.command, self.path, body.decode(), flush=True)
                self.send_response(204)
                self.end_headers()
            def log_message(self, *_): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """

    static var isPossible: Bool { tool("openssl") != nil && tool("python3") != nil }

    private static func tool(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/\(name)" }.first(where: FileManager.default.isExecutableFile)
    }

    let url: String
    private let folder: TemporaryDirectory
    private let process = Process()
    private let output: FileHandle
    private var pending = ""

    init() throws {
        folder = try TemporaryDirectory("tls")
        let (certificate, key) = (folder.file("certificate.pem"), folder.file("key.pem"))
        let openssl = Process()
        openssl.executableURL = URL(filePath: try #require(Self.tool("openssl")))
        openssl.arguments = [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
        let pipe = Pipe()
        process.executableURL = URL(filePath: try #require(Self.tool("python3")))
        process.arguments = ["-c", Self.server, certificate, key]
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        output = pipe.fileHandleForReading
        var first = ""
        while !first.contains("\n") { first += String(decoding: output.availableData, as: UTF8.self) }
        url = "https://127.0.0.1:\(first.split(separator: "\n")[0])/hook"
    }

    /// Waits for so many requests: verb, path and body of each.
    func received(_ count: Int) throws -> [String] {
        while pending.count(where: { $0 == "\n" }) < count {
            let more = output.availableData
            try #require(!more.isEmpty, "the receiver ended")
            pending += String(decoding: more, as: UTF8.self)
        }
        return pending.split(separator: "\n").map(String.init)
    }

    func stop() {
        kill(process.processIdentifier, SIGKILL)  // SIGTERM may be blocked in the thread that started it
        process.waitUntilExit()
    }
}
