import Foundation
import Synchronization

/// Ctrl-C and SIGTERM for commands that finish what they began: the first asks, the second ends the process at once.
enum Interruption {
    private static let flag = Atomic<Bool>(false)

    static var isRequested: Bool { flag.load(ordering: .relaxed) }

    /// From now on the first signal only raises the flag; a read under way returns.
    static func listen() {
        for number in [SIGINT, SIGTERM] {
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_handler = { _ in Interruption.flag.store(true, ordering: .relaxed) }
            action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
            unsafe sigaction(number, &action, nil)
        }
    }
}
