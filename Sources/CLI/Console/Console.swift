import Foundation
import Synchronization

/// Standard output and standard error.
///
/// Output is buffered and written in large pieces; a reader that went away (`carillon deliveries list | head`) ends the
/// process quietly, as it has all it wanted.
enum Console {
    private static let pending = Mutex<[UInt8]>([])
    private static let flushAt = 1 << 16

    /// Makes broken pipes and a limit on file sizes an error instead of a signal, and gives closed standard handles a harmless file, so that no
    /// database is ever opened under the number of standard output.
    static func prepare() {
        _ = signal(SIGPIPE, SIG_IGN)
        _ = signal(SIGXFSZ, SIG_IGN)
        for handle in Int32(0)...2 where fcntl(handle, F_GETFD) == -1 {
            _ = unsafe open("/dev/null", handle == 0 ? O_RDONLY : O_WRONLY)
        }
        _ = atexit { Console.flush() }
    }

    /// Whether standard error is read by a person.
    static var hasTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// A line to standard output.
    static func out(_ line: String) {
        let full = pending.withLock { pending in
            pending += line.utf8
            pending.append(UInt8(ascii: "\n"))
            return pending.count >= flushAt
        }
        if full { flush() }
    }

    /// Lines to standard output, whose feeds are in them; the caller's memory is empty afterwards.
    static func out(_ lines: inout [UInt8]) {
        let full = pending.withLock { pending in
            pending += lines
            return pending.count >= flushAt
        }
        lines.removeAll(keepingCapacity: true)
        if full { flush() }
    }

    /// Writes what is buffered.
    static func flush() {
        let bytes = pending.withLock { pending in
            defer { pending = [] }
            return pending
        }
        guard !bytes.isEmpty else { return }
        guard !write(bytes, to: STDOUT_FILENO) else { return }
        if errno == EPIPE || errno == EBADF { _exit(0) }
        error("carillon: cannot write to standard output: \(systemWords(errno)); part of the answer is missing")
        _exit(1)
    }

    /// A line to standard error.
    static func error(_ line: String) { _ = write(Array((line + "\n").utf8), to: STDERR_FILENO) }

    /// Text to standard error as it is, for progress and prompts.
    static func show(_ text: String) { _ = write(Array(text.utf8), to: STDERR_FILENO) }

    /// Writes all bytes at once, as far as the system lets them through.
    ///
    /// False when it does not.
    static func write(_ bytes: [UInt8], to handle: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Foundation.write(handle, buffer.baseAddress?.advanced(by: done), bytes.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }
}

/// The system's words for an error number.
func systemWords(_ number: Int32) -> String {
    unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
}
