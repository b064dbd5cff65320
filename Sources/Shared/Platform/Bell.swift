import CPlatform
import Glibc

// The doorbell between processes is a file: ringing writes one byte to it, waiting is inotify. Nothing polls, nothing is
// lost when nobody waits (the watch queues it), and a process that dies leaves nothing behind.

/// Rings the doorbell of every process that watches a file.
///
/// Any thread may ring.
public final class FileBell: Sendable {
    private let descriptor: Int32

    /// Opens the bell's file, making it when it is not there.
    public init(path: String) throws(PlatformError) {
        descriptor = unsafe carillon_open(path, O_WRONLY | O_CREAT, 0o600)
        guard descriptor >= 0 else { throw PlatformError(errno, doing: "open doorbell \(path)") }
    }

    deinit { close(descriptor) }

    /// Wakes all who watch.
    ///
    /// Cannot fail in a way that matters: a waiter also looks by itself once a second.
    public func ring() {
        var one: UInt8 = 1
        _ = unsafe pwrite(descriptor, &one, 1, 0)
    }
}

/// Waits for bells of files and of folders, and for a call from this process.
///
/// One thread waits; any thread may call `ring`.
public final class BellWatch: Sendable {
    private let watches: Int32
    private let own: Int32

    /// Starts to watch; what rings from now on ends the next `wait`.
    ///
    /// - Parameters:
    ///   - files: bells of other processes.
    ///   - folders: woken when a file in one of them is closed by its writer, which is how a process's death shows.
    public init(files: [String], folders: [String] = []) throws(PlatformError) {
        watches = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        own = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard watches >= 0, own >= 0 else { throw PlatformError(errno, doing: "watch doorbells") }
        for path in files { try add(path, UInt32(IN_MODIFY)) }
        for path in folders { try add(path, UInt32(IN_CLOSE_WRITE)) }
    }

    deinit {
        close(watches)
        close(own)
    }

    private func add(_ path: String, _ mask: UInt32) throws(PlatformError) {
        guard unsafe inotify_add_watch(watches, path, mask) >= 0 else {
            throw PlatformError(errno, doing: "watch \(path)")
        }
    }

    /// Ends the wait under way, or the next one.
    public func ring() {
        var one: UInt64 = 1
        _ = unsafe write(own, &one, 8)
    }

    /// Waits until something rings, at most `milliseconds`.
    ///
    /// True when something rang.
    public func wait(milliseconds: Int64) -> Bool {
        var both = [
            pollfd(fd: watches, events: Int16(POLLIN), revents: 0), pollfd(fd: own, events: Int16(POLLIN), revents: 0),
        ]
        let ready = unsafe poll(&both, 2, Int32(clamping: max(0, milliseconds)))
        if ready > 0 { drain() }
        return ready > 0
    }

    private func drain() {
        var count: UInt64 = 0
        _ = unsafe read(own, &count, 8)
        unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            while unsafe read(watches, buffer.baseAddress, buffer.count) > 0 {}
        }
    }
}
