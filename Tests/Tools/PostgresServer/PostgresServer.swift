import CarillonKit
import CarillonPostgres
import Foundation
import Synchronization

/// A PostgreSQL server of the tests' own, in a temporary folder, reached over a socket in it.
///
/// It runs as a user that is not root and ends with the process that started it, however that ends: what keeps it is a pipe.
public final class PostgresServer: Sendable {
    /// Why none can be started.
    public struct Absent: Error, CustomStringConvertible {
        /// In words.
        public let description: String
    }

    /// The server of this process, started by the first who asks; `nil` where PostgreSQL is not installed.
    public static let shared: Result<PostgresServer, Absent> = Result { () throws(Absent) in try PostgresServer() }

    private let folder: TemporaryDirectory
    private let programs: String
    private let keeper: Pipe
    private let schemas = Mutex(0)

    /// Makes a cluster and starts it.
    public init() throws(Absent) {
        guard let programs = Self.findPrograms() else {
            throw Absent(description: "PostgreSQL's programs are not installed: Scripts/install-deps test")
        }
        self.programs = programs
        do {
            folder = try TemporaryDirectory("postgres")
            keeper = Pipe()
            // No other process may hold this end, or nobody would notice ours.
            _ = fcntl(keeper.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
            try start()
        } catch { throw Absent(description: "PostgreSQL could not be started: \(error)") }
    }

    private static func findPrograms() -> String? {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        let folders = versions.sorted { (Double($0) ?? 0) > (Double($1) ?? 0) }.map { "/usr/lib/postgresql/\($0)/bin" }
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (folders + path).first { folder in
            ["initdb", "pg_ctl"].allSatisfy { FileManager.default.isExecutableFile(atPath: folder + "/" + $0) }
        }
    }

    /// Who runs it: ourselves, or, as root may not, the user that Debian's package makes.
    private var prefix: [String] { geteuid() == 0 ? ["runuser", "-u", "postgres", "--"] : [] }
    private var data: String { folder.file("data") }

    private func start() throws {
        if geteuid() == 0 { try shell(["chown", "-R", "postgres", folder.path]) }
        try shell(
            prefix + [
                programs + "/initdb", "--no-sync", "--auth=trust", "--username=postgres", "-E", "UTF8",
                "--locale=C", "-D", data,
            ])
        let settings = """
            listen_addresses = ''
            unix_socket_directories = '\(folder.path)'
            fsync = off
            max_connections = 200
            shared_buffers = 64MB
            autovacuum_naptime = 5s

            """
        let file = FileHandle(forWritingAtPath: data + "/postgresql.conf")
        try file?.seekToEnd()
        try file?.write(contentsOf: Data(settings.utf8))
        try control("start")
        // Reads until nobody holds the other end any more, which is when this process has ended.
        let guardian = Process()
        guardian.executableURL = URL(filePath: "/bin/sh")
        guardian.arguments =
            [
                "-c", #"read end; shift; "$@" -m immediate stop >/dev/null 2>&1; rm -rf "$0""#, folder.path, "--",
            ] + prefix + [programs + "/pg_ctl", "-D", data]
        guardian.standardInput = keeper
        guardian.standardOutput = FileHandle.nullDevice
        guardian.standardError = FileHandle.nullDevice
        try guardian.run()
        try keeper.fileHandleForReading.close()
    }

    /// Stops it as a power cut does, and starts it again: all connections break.
    ///
    /// - Parameter meanwhile: is run while it is down.
    public func crash(meanwhile: () throws -> Void = {}) throws {
        try control("stop", "-m", "immediate")
        try meanwhile()
        try control("start")
    }

    /// Ends it before its folder goes, which a server would only notice within a minute.
    ///
    /// For one that is not shared.
    public func stop() { try? control("stop", "-m", "immediate") }

    private func control(_ words: String...) throws {
        try shell(prefix + [programs + "/pg_ctl", "-D", data, "-w", "-l", folder.path + "/log"] + words)
    }

    private func shell(_ words: [String]) throws {
        let process = Process()
        // A daemon that inherited what Foundation waits on would seem to be this process, and never end.
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments =
            [
                "-c",
                #"(for f in /proc/$BASHPID/fd/*; do n=${f##*/}; if ((n > 2)); then exec {n}>&-; fi; done; exec "$@"); exit $?"#,
                "--",
            ] + words
        let output = folder.file("words-\(schemas.withLock { $0 += 1; return $0 })")
        _ = FileManager.default.createFile(atPath: output, contents: nil)
        let words = try FileHandle(forWritingTo: URL(filePath: output))
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = words
        process.standardError = words
        process.currentDirectoryURL = URL(filePath: "/")
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Absent(description: (try? String(contentsOfFile: output, encoding: .utf8)) ?? "no words")
        }
    }

    /// A URL of an empty schema of its own.
    public func freshURL() throws -> String { url(schema: try freshSchema()) }

    /// The name of an empty schema.
    public func freshSchema() throws -> String {
        let name = "s\(schemas.withLock { $0 += 1; return $0 })"
        try Connection(url(schema: "public")).execute("CREATE SCHEMA \(name)")
        return name
    }

    /// Where it listens: a socket in the file system.
    public var socketPath: String { folder.path + "/.s.PGSQL.5432" }

    /// A URL that looks into one schema.
    public func url(schema: String) -> String {
        "postgresql:///postgres?host=\(folder.path)&user=postgres&options=-csearch_path%3D\(schema)"
    }
}
