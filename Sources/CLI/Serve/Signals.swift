import Dispatch
import Foundation
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Reloads whenever the process gets SIGHUP.
struct HangupSignal: Service {
    let reloading: Reloading

    /// From now on SIGHUP ends this process at no moment, also before the service runs and after it has ended.
    static func survive() { _ = signal(SIGHUP, SIG_IGN) }

    func run() async throws {
        let reloading = reloading
        await cancelWhenGracefulShutdown {
            // What came of it stands in the log.
            for await _ in await UnixSignalsSequence(trapping: .sighup) {
                try? await offPool { _ = try reloading.run() }
            }
        }
    }
}

/// Ends the process at the second Ctrl-C: the first one drains, and whoever types again does not want to wait for that.
struct SecondInterrupt {
    private static let count = Atomic<Int>(0)
    private let source: any DispatchSourceSignal

    /// Counts from now on, until it is cancelled.
    init() {
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            guard Self.count.add(1, ordering: .relaxed).newValue > 1 else { return }
            Console.flush()
            Console.error("carillon: ended at once; what was on the wire is sent again with the same id")
            _exit(128 + SIGINT)
        }
        source.activate()
    }

    /// Counts no more.
    func cancel() { source.cancel() }
}
