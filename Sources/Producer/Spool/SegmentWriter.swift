import CPlatform
import CarillonEvents
import CarillonPlatform
import Glibc

/// Writes one segment of the spool and holds the lock that says so.
///
/// One thread uses it.
///
/// The file is made under a passing name, locked, and only then renamed to the name that drainers look for: nobody ever
/// sees a segment that its writer has not locked yet.
final class SegmentWriter {
    let path: String
    private(set) var size: Int64
    private let descriptor: Int32

    /// Begins a segment.
    init(path: String) throws(PlatformError) {
        let passing = path + ".new"
        descriptor = unsafe carillon_open(passing, O_RDWR | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw PlatformError(errno, doing: "begin spool file \(path)") }
        self.path = path
        size = 0
        // One that throws is whole by now: `deinit` closes the file, and nobody else may, as its number may be another's.
        do throws(PlatformError) { try publish(from: passing) } catch {
            unsafe unlink(passing)
            throw error
        }
    }

    /// Unlocks before it closes: a child forked a moment ago may still hold the descriptor, and would hold the lock with it.
    deinit {
        _ = carillon_unlock(descriptor)
        Glibc.close(descriptor)
    }

    private func publish(from passing: String) throws(PlatformError) {
        let code = carillon_lock(descriptor, 0)
        guard code == 0 else { throw PlatformError(code, doing: "lock spool file \(path)") }
        try write(Frame.header)
        guard unsafe rename(passing, path) == 0 else { throw PlatformError(errno, doing: "name spool file \(path)") }
        try syncFolder()
    }

    /// Appends bytes; durable when it returns.
    ///
    /// When it throws the file ends where it did before, and is to be closed.
    func write(_ bytes: [UInt8]) throws(PlatformError) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe pwrite(
                    descriptor, buffer.baseAddress?.advanced(by: written), bytes.count - written, Int(size) + written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw undo(count == 0 ? ENOSPC : errno, doing: "write") }
            written += count
        }
        guard fdatasync(descriptor) == 0 else { throw undo(errno, doing: "sync") }
        size += Int64(bytes.count)
    }

    private func undo(_ number: Int32, doing: String) -> PlatformError {
        _ = ftruncate(descriptor, Int(size))
        return PlatformError(number, doing: "\(doing) spool file \(path)")
    }

    private func syncFolder() throws(PlatformError) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let handle = unsafe carillon_open(folder, O_RDONLY | O_DIRECTORY, 0)
        guard handle >= 0 else { throw PlatformError(errno, doing: "open spool folder \(folder)") }
        defer { Glibc.close(handle) }
        guard fsync(handle) == 0 else { throw PlatformError(errno, doing: "sync spool folder \(folder)") }
    }
}

/// A closed segment, opened to be drained.
///
/// Holding it keeps other drainers away.
final class SegmentReader {
    private let descriptor: Int32

    /// Opens a segment; `nil` when it is gone or its writer is alive and has not closed it.
    init?(path: String) {
        descriptor = unsafe carillon_open(path, O_RDWR, 0)
        guard descriptor >= 0 else { return nil }
        guard carillon_lock(descriptor, 0) == 0 else { return nil }
    }

    deinit {
        guard descriptor >= 0 else { return }
        _ = carillon_unlock(descriptor)
        Glibc.close(descriptor)
    }

    /// All its bytes.
    ///
    /// A segment is a few megabytes at most.
    func bytes(atMost limit: Int) throws(PlatformError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(clamping: min(fileSize(descriptor), Int64(limit))))
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe pread(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, done)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw PlatformError(errno, doing: "read a spool file") }
            guard count > 0 else { break }
            done += count
        }
        bytes.removeLast(bytes.count - done)
        return bytes
    }
}

/// The size of an open file in bytes; 0 when the system does not say.
func fileSize(_ descriptor: Int32) -> Int64 {
    var facts = stat()
    return unsafe fstat(descriptor, &facts) == 0 ? Int64(facts.st_size) : 0
}
