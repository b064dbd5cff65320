import CarillonPlatform
import Foundation
import Glibc
import Synchronization
import Testing

/// The built `carillon`, with a home of the test's own.
struct Tool: Sendable {
    let folder: Folder

    /// A folder that goes with the test.
    final class Folder: Sendable {
        let path: String
        init() throws {
            path = NSTemporaryDirectory() + "carillon-" + UUID().uuidString
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    struct Result {
        let code: Int32
        let out, error: String
        var lines: [String] { out.split(separator: "\n").map(String.init) }
        var errors: [String] { error.split(separator: "\n").map(String.init) }
    }

    init() throws { folder = try Folder() }

    var home: String { folder.path + "/home" }

    /// Beside the test bundle, where the package's build has put it.
    static var binary: String {
        let bundle =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (bundle as NSString).deletingLastPathComponent + "/carillon"
    }

    /// Writes a file into the test's folder and returns its path.
    func file(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        let path = folder.path + "/" + name
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Starts the tool; the caller ends it.
    func start(
        _ arguments: [String], environment: [String: String] = [:], input: Pipe? = nil, out: Pipe, error: Pipe
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.binary)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.environment = ["CARILLON_HOME": home, "PATH": "/usr/bin:/bin"].merging(environment) { $1 }
        process.standardInput = input ?? FileHandle.nullDevice
        process.standardOutput = out
        process.standardError = error
        try process.run()
        return process
    }

    /// Runs the tool to its end.
    func run(
        _ arguments: String..., input: [UInt8] = [], environment: [String: String] = [:]
    ) throws -> Result {
        try run(arguments, input: input, environment: environment)
    }

    func run(_ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]) throws -> Result {
        let (standardInput, out, error) = (Pipe(), Pipe(), Pipe())
        let process = try start(arguments, environment: environment, input: standardInput, out: out, error: error)
        let errors = Mutex<Data>(Data())
        let group = DispatchGroup()
        let handle = error.fileHandleForReading
        DispatchQueue.global().async(group: group) { errors.withLock { $0 = handle.readDataToEndOfFile() } }
        DispatchQueue.global().async(group: group) {
            try? standardInput.fileHandleForWriting.write(contentsOf: Data(input))
            try? standardInput.fileHandleForWriting.close()
        }
        let data = out.fileHandleForReading.readDataToEndOfFile()
        group.wait()
        process.waitUntilExit()
        return Result(
            code: process.terminationStatus, out: String(decoding: data, as: UTF8.self),
            error: String(decoding: errors.withLock { $0 }, as: UTF8.self))
    }

    /// Makes stream and ledger, as the first worker does.
    func makeDeployment() throws {
        let made = try run("worker", "--until-idle")
        try #require(made.code == 0, "\(made.error)")
    }

    /// Writes documents of one workspace with a rule for each name, all to one endpoint.
    func rules(
        _ names: [String], workspace: String = "vision", url: String = "http://127.0.0.1:9/",
        file: String = "rules.yaml"
    ) throws -> String {
        let rules = names.map { "  - {name: \($0), events: [job.failed], notify: [hook]}\n" }.joined()
        return try self.file(
            file,
            Array(
                "version: 1\nworkspace: \(workspace)\nendpoints:\n  hook: {kind: webhook, url: \"\(url)\"}\nrules:\n\(rules)"
                    .utf8))
    }
}

/// One event as a line of input, without a line feed.
func event(_ id: String, type: String = "job.failed", workspace: String = "vision") -> String {
    "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"/test\",\"type\":\"\(type)\",\"workspace\":\"\(workspace)\",\"subject\":\"s\"}"
}

/// A process that serves, with its address; killed at the end of the test unless it was stopped.
final class Serving {
    let process: Process
    let address: (host: String, port: Int)
    let out: Pipe
    /// What it has said on standard error so far.
    private let said = Said()

    /// Starts the tool and waits until it says where it listens, and that its worker is ready.
    init(_ tool: Tool, _ arguments: [String]) throws {
        let (out, error) = (Pipe(), Pipe())
        process = try tool.start(arguments, out: out, error: error)
        self.out = out
        let signs = ["serve": ["http://", "worker is ready"], "worker": ["worker is ready"]]
        let isAlone = arguments.contains("--without-worker")
        let awaited = isAlone ? ["http://"] : signs[arguments.first ?? ""] ?? ["http://"]
        var text = ""
        while !awaited.allSatisfy(text.contains) || !text.hasSuffix("\n") {
            let data = error.fileHandleForReading.availableData
            guard !data.isEmpty else { throw ToolError(words: "it ended: \(text)") }
            text += String(decoding: data, as: UTF8.self)
        }
        said.text.withLock { $0 = text }
        error.fileHandleForReading.readabilityHandler = { [said] handle in
            let data = handle.availableData
            said.text.withLock { $0 += String(decoding: data, as: UTF8.self) }
        }
        guard let start = text.range(of: "http://")?.upperBound else {
            address = ("", 0)
            return
        }
        let place = text[start...].prefix { !$0.isWhitespace }
        let colon = try #require(place.lastIndex(of: ":"))
        address = (String(place[..<colon]), try #require(Int(place[place.index(after: colon)...])))
    }

    private final class Said: Sendable { let text = Mutex("") }

    /// All it has said on standard error.
    var words: String { said.text.withLock { $0 } }

    /// Asks again and again until something holds; the suite's time limit ends what never does.
    func wait(until holds: (Serving) throws -> Bool) throws {
        while try !holds(self) {
            guard process.isRunning else { throw ToolError(words: "it ended: \(words)") }
            usleep(20_000)
        }
    }

    /// Waits for a line of `/metrics`.
    func wait(forMetric line: String) throws {
        try wait { try $0.request("GET", "/metrics").text.contains("\n\(line)\n") }
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// Asks it to end and waits.
    func stop(_ number: Int32 = SIGTERM) -> Int32 {
        kill(process.processIdentifier, number)
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// One HTTP request over a connection of its own: the answer's status and all its text.
    func request(_ method: String, _ path: String, headers: [String] = [], body: [UInt8] = []) throws -> (
        status: Int, text: String
    ) {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = in_port_t(UInt16(address.port)).bigEndian
        place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = unsafe withUnsafePointer(to: &place) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw ToolError(words: "nobody listens: \(words)") }
        let head =
            ["\(method) \(path) HTTP/1.1", "host: 127.0.0.1", "connection: close", "content-length: \(body.count)"]
            + headers
        let bytes = Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
        guard unsafe send(socket, bytes, bytes.count, 0) == bytes.count else { throw ToolError(words: "not sent") }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            answer += buffer[..<count]
        }
        let text = String(decoding: answer, as: UTF8.self)
        return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0, text)
    }
}

struct ToolError: Error { let words: String }
