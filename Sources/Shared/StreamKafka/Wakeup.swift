import CKafka
import CarillonStream

// One file descriptor is written by librdkafka when a queue that was empty gets something, another by `ring`: a wait ends
// at once for either, and says which it was.

/// What a reader waits at.
final class Wakeup: Doorbell {
    /// What librdkafka writes to.
    let library: Int32
    private let own: Int32

    init() throws(StreamError) {
        library = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        own = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard library >= 0, own >= 0 else {
            throw StreamError(.other, doing: "make a doorbell", cause: "too many open files")
        }
    }

    deinit {
        _ = CKafka.close(library)
        _ = CKafka.close(own)
    }

    func ring() {
        var one: UInt64 = 1
        _ = unsafe write(own, &one, 8)
    }

    /// Has librdkafka ring when `queue` is no longer empty.
    func watch(_ queue: OpaquePointer) {
        var one: UInt64 = 1
        unsafe rd_kafka_queue_io_event_enable(queue, library, &one, 8)
    }

    /// Waits until something rings, at most `milliseconds`; true when it was `ring`.
    func wait(milliseconds: Int64) -> Bool {
        var both = [
            pollfd(fd: library, events: Int16(POLLIN), revents: 0), pollfd(fd: own, events: Int16(POLLIN), revents: 0),
        ]
        guard unsafe poll(&both, 2, Int32(clamping: max(0, milliseconds))) > 0 else { return false }
        var count: UInt64 = 0
        _ = unsafe read(library, &count, 8)
        return unsafe read(own, &count, 8) == 8
    }
}
