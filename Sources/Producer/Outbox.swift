import CarillonEvents

/// Events that were accepted and are not durable yet, in order, bounded by number and by bytes.
///
/// A value: no lock, no clock. They stand in chunks, so that neither taking nor forgetting an event ever moves the others:
/// a caller waits for at most one chunk to be made, however many wait.
struct Outbox {
    private static let chunk = 1_024

    /// The oldest chunk first; `head` events of it are forgotten.
    private var chunks: [[EncodedEvent]] = []
    private var firstChunk = 0
    private var head = 0
    private(set) var count = 0
    private(set) var bytes = 0
    /// The ticket of the oldest event here: everything below it is settled.
    private(set) var first: Ticket = 0
    private let limits: Producer.Limits

    init(limits: Producer.Limits) { self.limits = limits }

    var isEmpty: Bool { count == 0 }
    /// The ticket the next event gets.
    var next: Ticket { first + Ticket(count) }

    /// Takes an event if there is room.
    ///
    /// An event that would never fit is refused as too large.
    mutating func push(_ event: EncodedEvent) -> Admission {
        let weight = event.weight
        guard weight <= limits.bytes else { return .refused(.tooLarge) }
        guard count < limits.events, bytes + weight <= limits.bytes else { return .refused(.full) }
        let ticket = next
        if firstChunk == chunks.count || chunks[chunks.count - 1].count == Self.chunk {
            chunks.append([])
            chunks[chunks.count - 1].reserveCapacity(Self.chunk)
        }
        chunks[chunks.count - 1].append(event)
        count += 1
        bytes += weight
        return .accepted(ticket)
    }

    /// The oldest events, as many as one append takes; they stay here until `remove`.
    func batch() -> [EncodedEvent] {
        var batch: [EncodedEvent] = []
        batch.reserveCapacity(min(count, limits.batchEvents))
        var size = 0
        for index in firstChunk..<chunks.count {
            for event in chunks[index].dropFirst(index == firstChunk ? head : 0) {
                size += event.bytes.count
                guard batch.count < limits.batchEvents, batch.isEmpty || size <= limits.batchBytes else { return batch }
                batch.append(event)
            }
        }
        return batch
    }

    /// Forgets the oldest events.
    mutating func remove(_ count: Int) {
        precondition(count <= self.count, "the producer settled events it does not hold")
        for _ in 0..<count {
            bytes -= chunks[firstChunk][head].weight
            head += 1
            if head == chunks[firstChunk].count { forgetChunk() }
        }
        self.count -= count
        first += Ticket(count)
    }

    /// The oldest chunk is done: its memory goes, its place when many have gone.
    private mutating func forgetChunk() {
        chunks[firstChunk] = []
        (firstChunk, head) = (firstChunk + 1, 0)
        if firstChunk == chunks.count || firstChunk >= 64 {
            chunks.removeFirst(firstChunk)
            firstChunk = 0
        }
    }
}
