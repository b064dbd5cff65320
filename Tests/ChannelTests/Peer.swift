import CarillonKit
import Foundation
import Glibc
import Testing

/// A double of a provider: another process, which says its port first and then every request as a JSON line.
final class Peer {
    let port: Int
    private let process = Process()
    private let output: FileHandle
    private var buffer: [UInt8] = []

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    /// Where `Scripts/install-deps test` puts the real peers.
    static let python = root.appending(path: ".build/peers/bin/python3").path(percentEncoded: false)
    static var hasPeers: Bool { FileManager.default.isExecutableFile(atPath: python) }

    init(_ script: String, _ arguments: [String], python: String = "/usr/bin/env") throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Doubles/\(script)")
        let pipe = Pipe()
        process.executableURL = URL(filePath: python)
        let own = python == "/usr/bin/env" ? ["python3"] : []
        process.arguments = own + [file.path(percentEncoded: false)] + arguments
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        output = pipe.fileHandleForReading
        var first: [UInt8] = []
        while !first.contains(10) {
            let more = output.availableData
            try #require(!more.isEmpty, "\(script) did not start")
            first += more
        }
        struct Greeting: Decodable { let port: Int }
        port = try JSONDecoder().decode(Greeting.self, from: Data(first)).port
    }

    /// Waits for the next request.
    func next<Seen: Decodable>(_: Seen.Type) throws -> Seen {
        while !buffer.contains(10) {
            let more = output.availableData
            try #require(!more.isEmpty, "the double ended")
            buffer += more
        }
        let end = buffer.firstIndex(of: 10) ?? buffer.endIndex
        defer { buffer.removeFirst(end + 1) }
        return try JSONDecoder().decode(Seen.self, from: Data(buffer[..<end]))
    }

    func stop() {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

/// A request as the double saw it.
struct Seen: Decodable {
    let method, path, body: String
    let headers: [String: String]
    let port: Int
}

/// An authority of our own and a server's certificate that it vouches for.
struct PrivateAuthority {
    let authority, certificate, key: String
    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory("authority")
        (authority, certificate, key) = (folder.file("ca.pem"), folder.file("server.pem"), folder.file("server.key"))
        let subject = "subjectAltName=IP:127.0.0.1"
        let (authorityKey, request) = (folder.file("ca.key"), folder.file("server.csr"))
        try Self.run([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Our own", "-keyout",
            authorityKey, "-out", authority,
        ])
        try Self.run([
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request,
        ])
        try subject.write(toFile: folder.file("names"), atomically: true, encoding: .utf8)
        try Self.run([
            "x509", "-req", "-in", request, "-CA", authority, "-CAkey", authorityKey, "-CAcreateserial", "-days", "2",
            "-extfile", folder.file("names"), "-out", certificate,
        ])
    }

    private static func run(_ arguments: [String]) throws {
        let openssl = Process()
        openssl.executableURL = URL(filePath: "/usr/bin/env")
        openssl.arguments = ["openssl"] + arguments
        openssl.standardError = FileHandle.nullDevice
        openssl.standardOutput = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
    }
}
