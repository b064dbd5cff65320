import CarillonKit
import Foundation
import Synchronization

/// The `noida-db` broker, where it is installed.
public enum KafkaBroker {
    /// Where it is looked for.
    public static let program =
        ProcessInfo.processInfo.environment["CARILLON_TEST_NOIDA"] ?? ".build/kafka/bin/noida-db"
    /// Whether it can be started.
    public static let isThere = FileManager.default.isExecutableFile(atPath: program)
    /// One for the whole run.
    public static let shared = Result { try RunningBroker(program: program) }
}

/// A broker in a process and a folder of its own.
public final class RunningBroker: @unchecked Sendable {
    // Written once, before it is shared.
    private let process = Process()
    private let input = Pipe()
    private let folder: TemporaryDirectory
    private let topics = Mutex(0)
    /// What clients are told as `bootstrap.servers`.
    public let servers: String

    /// Starts it in an empty folder.
    public init(program: String) throws {
        folder = try TemporaryDirectory("kafka")
        let port = try Self.freePort()
        servers = "127.0.0.1:\(port)"
        // The shell ends the broker with all it started when this process is gone, however it went.
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = [
            "-c", #"setsid "$@" </dev/null & cat; kill -9 -$!; rm -rf "$8""#, "sh", program, "start", "--only", "kafka",
            "--kafka-port", "\(port)", "--data-dir", folder.path,
        ]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit { process.terminate() }

    /// The name of a topic that is not there yet.
    public func freshTopic() -> String {
        let number = topics.withLock { count in
            count += 1
            return count
        }
        return "topic-\(number)"
    }

    private static func freePort() throws -> UInt16 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                unsafe bind(socket, raw, size) == 0 ? getsockname(socket, raw, &size) : -1
            }
        }
        guard code == 0 else { throw CocoaError(.fileReadUnknown) }
        return UInt16(bigEndian: address.sin_port)
    }
}
