import Glibc

/// A line on standard output that holds up nobody: when its reader is slow, it is not written now.
enum ConsoleLine {
    /// What is said of a line that could not be written.
    static let fault = "standard output takes no more"

    /// Writes a line of at most 4096 bytes, which a pipe takes whole or not at all.
    static func write(_ line: [UInt8], to file: Int32) -> Bool {
        var look = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&look, 1, 0) == 1, look.revents & Int16(POLLOUT) != 0 else { return false }
        let written = unsafe line.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
        return written == line.count
    }
}
