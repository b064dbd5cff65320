import Foundation

/// Another process that uses a stream; see `Tests/Tools/StreamProbe`.
final class Probe {
    private let process = Process()
    private let output = Pipe()
    private var rest = Data()

    /// Starts it.
    ///
    /// The tool stands beside the test's own executable.
    init(_ arguments: String...) throws {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process.executableURL = URL(filePath: tests).deletingLastPathComponent().appending(path: "stream-probe")
        process.arguments = arguments
        process.standardOutput = output
        try process.run()
    }

    deinit { kill() }

    /// The next line it prints, `nil` when it has ended.
    func line() -> String? {
        while true {
            if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                defer { rest = Data(rest[(end + 1)...]) }
                return String(decoding: rest[..<end], as: UTF8.self)
            }
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { return nil }
            rest.append(more)
        }
    }

    /// All lines it still prints.
    func lines() -> [String] {
        var lines: [String] = []
        while let line = line() { lines.append(line) }
        return lines
    }

    /// Ends it as the kernel would: no handler runs, nothing is flushed.
    ///
    /// Waits until it is gone.
    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Waits for its own end; 0 when it went well.
    func join() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }
}
