import Glibc

/// The wall clock.
enum WallClock {
    /// Nanoseconds since 1970.
    static func nanoseconds() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Milliseconds since 1970.
    static func milliseconds() -> Int64 { nanoseconds() / 1_000_000 }
}

/// Where messages for people go, so that standard output stays data.
enum StandardError {
    static func say(_ line: String) {
        try? Output(descriptor: STDERR_FILENO, name: "standard error").write(Array((line + "\n").utf8))
    }
}

/// Where results go.
enum StandardOutput {
    static func say(_ line: String) throws {
        try Output(path: nil).write(Array((line + "\n").utf8))
    }
}

/// What the system said no to.
struct SystemFailure: Error, CustomStringConvertible {
    let doing: String
    let code: Int32
    init(_ doing: String) { (self.doing, code) = (doing, errno) }
    var description: String { unsafe "carillon-bench could not \(doing): \(String(cString: strerror(code)))" }
}

/// A file to write, or standard output.
struct Output {
    private let descriptor: Int32
    private let name: String

    init(descriptor: Int32, name: String) { (self.descriptor, self.name) = (descriptor, name) }

    init(path: String?) throws {
        guard let path, path != "-" else {
            self.init(descriptor: STDOUT_FILENO, name: "standard output")
            return
        }
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SystemFailure("open \(path)") }
        self.init(descriptor: descriptor, name: path)
    }

    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count >= 0 || errno == EINTR else { throw SystemFailure("write \(name)") }
            rest = rest.dropFirst(max(count, 0))
        }
    }
}

/// A file to read whole.
enum Input {
    static func read(_ path: String) throws -> [UInt8] {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SystemFailure("open \(path)") }
        defer { close(file) }
        let size = Int(lseek(file, 0, SEEK_END))
        lseek(file, 0, SEEK_SET)
        return try unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            while filled < size {
                let count = unsafe Glibc.read(file, buffer.baseAddress?.advanced(by: filled), size - filled)
                guard count > 0 else { throw SystemFailure("read \(path)") }
                filled += count
            }
        }
    }
}
