import CarillonKit
import Foundation
import Glibc
import Testing

/// Python with the packages of `Scripts/test-requirements.txt`, which `Scripts/install-deps test` puts beside the build.
enum Peers {
    static let python: String? = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let own = root.appending(path: ".build/peers/bin/python3").path(percentEncoded: false)
        let list = root.appending(path: ".build/peers/installed.txt").path(percentEncoded: false)
        return FileManager.default.fileExists(atPath: list) ? own : nil
    }()

    /// Whether their absence is a failure.
    static let areNeeded = ProcessInfo.processInfo.environment["CI"] != nil
    static let words: Comment = "the peers are not here; Scripts/install-deps test brings them"
    static var mayRun: Bool { python != nil || areNeeded }
}

/// Authorities and certificates of a test's own, by openssl.
final class Certificates {
    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory("certificates")
        for authority in ["ca", "stranger"] {
            try openssl(
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=\(authority)", "-keyout", path(authority + ".key"), "-out", path(authority))
        }
        for (name, authority) in [("server", "ca"), ("client", "ca"), ("impostor", "stranger")] {
            let extensions = path(name + ".ext")
            try "subjectAltName=IP:127.0.0.1\n".write(toFile: extensions, atomically: true, encoding: .utf8)
            try openssl(
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)",
                "-keyout", path(name + ".key"), "-out", path(name + ".csr"))
            try openssl(
                "x509", "-req", "-in", path(name + ".csr"), "-CA", path(authority), "-CAkey", path(authority + ".key"),
                "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", path(name))
        }
    }

    func path(_ name: String) -> String { folder.file(name + ".pem") }

    /// The PEM of `ca`, `client`, `client.key` and so on.
    func pem(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path(name)))) }

    private func openssl(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments.joined(separator: " "))")
    }
}

/// `Peers/receiver.py`, running.
final class PeerReceiver {
    /// What it says of a request.
    struct Receipt: Decodable {
        let version, path, client: String
        let id: String?
        let verified: Verdict?

        /// Whether the signature held, and why not.
        enum Verdict: Decodable, Equatable {
            case yes
            case no(String)
            init(from decoder: any Decoder) throws {
                let value = try decoder.singleValueContainer()
                self = try (try? value.decode(Bool.self)) == true ? .yes : .no(value.decode(String.self))
            }
        }
    }

    let port: Int
    private let process = Process()
    private let output: FileHandle
    private var pending = Data()

    init(_ certificates: Certificates, _ more: String...) throws {
        let pipe = Pipe()
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Peers/receiver.py")
        process.executableURL = URL(filePath: try #require(Peers.python, Peers.words))
        process.arguments =
            [script.path(percentEncoded: false), certificates.path("server"), certificates.path("server.key")] + more
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        output = pipe.fileHandleForReading
        var first = ""
        while !first.contains("\n") {
            let more = output.availableData
            try #require(!more.isEmpty, "the receiver ended")
            first += String(decoding: more, as: UTF8.self)
        }
        port = try #require(Int(first.split(separator: "\n")[0]))
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)  // SIGTERM may be blocked in the thread that started it
        process.waitUntilExit()
    }

    func url(_ path: String = "/hook") -> String { "https://127.0.0.1:\(port)\(path)" }

    /// Waits for so many requests.
    func receipts(_ count: Int) throws -> [Receipt] {
        while pending.count(where: { $0 == UInt8(ascii: "\n") }) < count {
            let more = output.availableData
            try #require(!more.isEmpty, "the receiver ended")
            pending += more
        }
        return try pending.split(separator: UInt8(ascii: "\n")).map { try JSONDecoder().decode(Receipt.self, from: $0) }
    }
}
