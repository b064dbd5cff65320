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
    /// What ended a wait.
    public struct Rung: Sendable {
        /// A file's bell, or this process's own.
        public var bell = false
        /// A file in a watched folder was closed by its writer.
        public var folder = false
        /// Nothing rang.
        public init() {}
        /// Whether anything rang at all.
        public var isAny: Bool { bell || folder }
    }

    private let watches: Int32
    private let own: Int32
    /// The watches that are on folders.
    private let folders: Set<Int32>

    /// Starts to watch; what rings from now on ends the next `wait`.
    ///
    /// - Parameters:
    ///   - files: bells of other processes.
    ///   - folders: woken when a file in one of them is closed by its writer, which is how a process's death shows.
    public init(files: [String], folders: [String] = []) throws(PlatformError) {
        watches = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        own = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard watches >= 0, own >= 0 else { throw PlatformError(errno, doing: "watch doorbells") }
        var watched: Set<Int32> = []
        for path in files { _ = try Self.add(path, UInt32(IN_MODIFY), to: watches) }
        for path in folders { watched.insert(try Self.add(path, UInt32(IN_CLOSE_WRITE), to: watches)) }
        self.folders = watched
    }

    deinit {
        close(watches)
        close(own)
    }

    private static func add(_ path: String, _ mask: UInt32, to watches: Int32) throws(PlatformError) -> Int32 {
        let watch = unsafe inotify_add_watch(watches, path, mask)
        guard watch >= 0 else { throw PlatformError(errno, doing: "watch \(path)") }
        return watch
    }

    /// Ends the wait under way, or the next one.
    public func ring() {
        var one: UInt64 = 1
        _ = unsafe write(own, &one, 8)
    }

    /// Waits until something rings, at most `milliseconds`, and says what rang.
    public func wait(milliseconds: Int64) -> Rung {
        var both = [
            pollfd(fd: watches, events: Int16(POLLIN), revents: 0), pollfd(fd: own, events: Int16(POLLIN), revents: 0),
        ]
        var rung = Rung()
        guard unsafe poll(&both, 2, Int32(clamping: max(0, milliseconds))) > 0 else { return rung }
        var count: UInt64 = 0
        rung.bell = unsafe read(own, &count, 8) == 8
        drain(into: &rung)
        return rung
    }

    /// Takes what inotify has queued: events of 16 bytes, each with the watch first and the length of a name last.
    private func drain(into rung: inout Rung) {
        unsafe withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { buffer in
            while true {
                let filled = unsafe read(watches, buffer.baseAddress, buffer.count)
                guard filled > 0 else { return }
                var at = 0
                while at + 16 <= filled {
                    let watch = unsafe buffer.loadUnaligned(fromByteOffset: at, as: Int32.self)
                    let name = unsafe buffer.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self)
                    if folders.contains(watch) { rung.folder = true } else { rung.bell = true }
                    at += 16 + Int(name)
                }
            }
        }
    }
}
