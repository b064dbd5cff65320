import CPlatform
import Glibc

/// A lock on a whole file, held by this handle until it is unlocked, closed, or its process dies.
///
/// It is an open-file-description lock: two handles of one process exclude each other too, and the kernel frees it
/// when the holder dies, however it dies. One thread at a time uses one value.
public final class FileLock {
    /// The file the lock is on.
    public let path: String
    private let descriptor: Int32

    /// Opens the lock's file, making it when it is not there; takes no lock yet.
    ///
    /// - Throws: `PlatformError` with the system's error number.
    public init(path: String) throws(PlatformError) {
        descriptor = unsafe carillon_open(path, O_RDWR | O_CREAT, 0o600)
        guard descriptor >= 0 else { throw PlatformError(errno, doing: "open lock file \(path)") }
        self.path = path
    }

    deinit { close(descriptor) }

    /// Waits for the lock.
    public func lock() throws(PlatformError) {
        let code = carillon_lock(descriptor, 1)
        guard code == 0 else { throw PlatformError(code, doing: "lock \(path)") }
    }

    /// Takes the lock if it is free.
    public func tryLock() throws(PlatformError) -> Bool {
        let code = carillon_lock(descriptor, 0)
        guard code == 0 || code == EAGAIN || code == EACCES else { throw PlatformError(code, doing: "lock \(path)") }
        return code == 0
    }

    /// Gives the lock back.
    public func unlock() { _ = carillon_unlock(descriptor) }

    /// Whether some other handle holds the lock on this file; false when there is no such file.
    ///
    /// Looks without touching: the file is opened for reading, which wakes no watcher of closed writers.
    public static func isHeld(path: String) -> Bool {
        let probe = unsafe carillon_open(path, O_RDONLY, 0)
        // What cannot be looked at may well be held: to take the living for dead is the worse mistake.
        guard probe >= 0 else { return errno != ENOENT }
        defer { close(probe) }
        return carillon_is_locked(probe) != 0
    }
}

/// A system call that did not do what it should.
public struct PlatformError: Error, Sendable, CustomStringConvertible {
    /// The system's error number.
    public let number: Int32
    /// What was attempted, in the caller's words.
    public let doing: String
    /// Makes one.
    public init(_ number: Int32, doing: String) { (self.number, self.doing) = (number, doing) }
    /// The system's own words for the number.
    public var cause: String { unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)" }
    /// One line: what was attempted, and why it did not happen.
    public var description: String { "platform could not \(doing): [\(cause)]" }
}
