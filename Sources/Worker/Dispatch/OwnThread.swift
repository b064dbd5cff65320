import Glibc
import Synchronization

/// A thread for a loop that blocks, outside Swift's cooperative pool.
final class OwnThread: Sendable {
    private let handle: Mutex<pthread_t?>

    /// Starts the thread.
    ///
    /// Traps when the system has none left: a worker without its courier is of no use.
    init(_ body: @escaping @Sendable () -> Void) {
        final class Box {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let box = unsafe Unmanaged.passRetained(Box(body)).toOpaque()
        let code = unsafe pthread_create(
            &thread, nil,
            { box in
                if let box = unsafe box { unsafe Unmanaged<Box>.fromOpaque(box).takeRetainedValue().body() }
                return nil
            }, box)
        precondition(code == 0, "the system could not start a thread: errno \(code)")
        handle = Mutex(thread)
    }

    /// Waits until the loop has returned.
    ///
    /// The second call returns at once.
    func join() {
        let thread = handle.withLock { handle in
            defer { handle = nil }
            return handle
        }
        if let thread { pthread_join(thread, nil) }
    }

    /// Keeps SIGPIPE from ending the process when this thread, or one it starts, writes to a closed connection.
    static func blockBrokenPipes() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe _ = pthread_sigmask(SIG_BLOCK, &signals, nil)
    }
}
