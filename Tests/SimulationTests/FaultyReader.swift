import CarillonKit
import CarillonStream

/// The stream as one worker process sees it: any call may be its last.
///
/// A wait passes on the virtual clock.
final class FaultyReader: StreamReader {
    private let inner: MemoryReader
    private let fate: Fate
    private let clock: ManualClock

    init(_ inner: MemoryReader, _ fate: Fate, _ clock: ManualClock) {
        (self.inner, self.fate, self.clock) = (inner, fate, clock)
    }

    func place(of partition: Partition) -> Place { inner.place(of: partition) }
    func partitions() -> [Partition] { inner.partitions() }
    func keep(only filter: (any RecordFilter)?) { inner.keep(only: filter) }
    var doorbell: any Doorbell { inner.doorbell }

    func poll(wait: Duration, limit: Int) throws(StreamError) -> Polled {
        let polled = try fate.pass("poll") { () throws(StreamError) in try inner.poll(wait: .zero, limit: limit) }
        if case .nothing = polled, wait > .zero { clock.advance(by: wait) }
        return polled
    }
    func seek(_ partition: Partition, to offset: Offset?) throws(StreamError) {
        try fate.pass("seek") { () throws(StreamError) in try inner.seek(partition, to: offset) }
    }
    func commit(_ partition: Partition, next: Offset) throws(StreamError) {
        try fate.pass("commit") { () throws(StreamError) in try inner.commit(partition, next: next) }
    }
    func lag() throws(StreamError) -> Int64 { try inner.lag() }
    func isDrained(positions: [Partition: Offset]) throws(StreamError) -> Bool {
        try inner.isDrained(positions: positions)
    }
    func close() { if fate.isAlive { inner.close() } }

    /// What the operating system does for a process that died.
    func bury() { inner.close() }
    /// The group takes the process for dead; it does not know.
    func presumeDead() { inner.presumeDead() }
}
