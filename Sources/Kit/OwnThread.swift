import Foundation

/// Runs a body that may block on a thread of its own, so that the test's other tasks keep theirs.
///
/// - Returns: what the body returned, once it has.
public func onOwnThread<Value: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () throws(Failure) -> sending Value
) async throws(Failure) -> Value {
    let result = await withCheckedContinuation { (waiting: CheckedContinuation<Result<Value, Failure>, Never>) in
        let thread = Thread {
            do throws(Failure) {
                waiting.resume(returning: .success(try body()))
            } catch {
                waiting.resume(returning: .failure(error))
            }
        }
        thread.stackSize = 4 << 20
        thread.start()
    }
    return try result.get()
}
