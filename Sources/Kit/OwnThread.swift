import Foundation
import Synchronization

/// A body that may block, on a thread of its own that starts at once.
///
/// Blocking calls do not belong on the threads that run a test's tasks: there are as many as the machine has cores.
public final class OwnThread<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let ended = DispatchSemaphore(value: 0)

    /// Starts the body.
    public init(_ body: @escaping @Sendable () throws -> Value) {
        let thread = Thread { [self] in
            let ending = Result { try body() }
            result.withLock { $0 = ending }
            ended.signal()
        }
        thread.stackSize = 4 << 20
        thread.start()
    }

    /// Waits for the body's end.
    ///
    /// - Returns: what it returned. Throws what it threw. May be called once or often.
    public func join() throws -> Value {
        ended.wait()
        defer { ended.signal() }
        guard let ending = result.withLock({ $0 }) else { preconditionFailure("signalled before the body ended") }
        return try ending.get()
    }
}
