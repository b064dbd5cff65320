import CarillonEvents

/// Events that were accepted and are not durable yet, in order, bounded by number and by bytes.
///
/// A value: no lock, no clock.
struct Outbox {
    private var events: [EncodedEvent] = []
    private var head = 0
    private(set) var bytes = 0
    /// The ticket of the oldest event here: everything below it is settled.
    private(set) var first: Ticket = 0
    private let limits: Producer.Limits

    init(limits: Producer.Limits) { self.limits = limits }

    var count: Int { events.count - head }
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
        events.append(event)
        bytes += weight
        return .accepted(ticket)
    }

    /// The oldest events, as many as one append takes; they stay here until `remove`.
    func batch() -> [EncodedEvent] {
        var end = head
        var size = 0
        while end < events.count, end - head < limits.batchEvents {
            size += events[end].bytes.count
            guard end == head || size <= limits.batchBytes else { break }
            end += 1
        }
        return Array(events[head..<end])
    }

    /// Forgets the oldest events.
    mutating func remove(_ count: Int) {
        precondition(count <= self.count, "the producer settled events it does not hold")
        for index in head..<head + count { bytes -= events[index].weight }
        head += count
        first += Ticket(count)
        if head == events.count || head >= 4 * limits.batchEvents {
            events.removeFirst(head)
            head = 0
        }
    }
}
