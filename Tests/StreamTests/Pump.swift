import CarillonEvents
import CarillonStream
import Foundation
import Testing

/// A record as the tests compare it.
struct Seen: Hashable, Sendable, CustomTestStringConvertible {
    let partition: Partition
    let offset: Offset
    let appended: Timestamp
    let workspace, type, value: [UInt8]
    /// What `event` was given.
    var text: String {
        let event = try? JSONSerialization.jsonObject(with: Data(value)) as? [String: Any]
        return event?["data"] as? String ?? String(decoding: value, as: UTF8.self)
    }
    var key: String { String(decoding: workspace, as: UTF8.self) }
    var testDescription: String { "\(partition):\(offset) \(key) \(text.prefix(40))" }
}

/// Reads as a worker does: seeks what it is given to the group's position, keeps the position, commits.
final class Pump {
    let reader: any StreamReader
    /// What the ledger would know; shared by the group's pumps.
    let ledger: Positions
    private(set) var seen: [Seen] = []
    private(set) var owned: Set<Partition> = []
    private(set) var gaps: [Partition: Int64] = [:]
    private(set) var batches = 0

    /// The positions of a group, as its ledger holds them.
    final class Positions {
        var next: [Partition: Offset] = [:]
    }

    /// Kept, because its files live as long as it does.
    private let stream: any StreamBed

    /// Joins a group of `stream`.
    init(_ stream: any StreamBed, group: String = "g", _ ledger: Positions = Positions()) throws {
        (self.stream, self.ledger) = (stream, ledger)
        reader = try stream.reader(group: group)
    }

    /// One poll; false when nothing came.
    @discardableResult
    func step(wait: Duration = .zero) throws -> Bool {
        switch try reader.poll(wait: wait) {
        case .assigned(let partitions):
            #expect(owned.isDisjoint(with: partitions), "given a partition that it has")
            owned.formUnion(partitions)
            for partition in partitions { try reader.seek(partition, to: ledger.next[partition]) }
        case .revoked(let partitions):
            #expect(owned.isSuperset(of: partitions), "told to give back what it does not have")
            owned.subtract(partitions)
        case .records(let batch): try take(batch)
        case .nothing: return false
        }
        return true
    }

    private func take(_ batch: RecordBatch) throws {
        batches += 1
        #expect(owned.contains(batch.partition), "a record of a partition that is not ours")
        #expect(batch.gap >= 0)
        gaps[batch.partition, default: 0] += batch.gap
        for record in batch.records {
            seen.append(
                Seen(
                    partition: batch.partition, offset: record.offset, appended: record.appended,
                    workspace: Array(batch.bytes[record.key.range]), type: Array(batch.bytes[record.type.range]),
                    value: Array(batch.bytes[record.value.range])))
        }
        ledger.next[batch.partition] = batch.next
        try reader.commit(batch.partition, next: batch.next)
    }

    /// Polls until `isDone`; gives up when nothing came for so long that something must be lost.
    func run(until isDone: (Pump) throws -> Bool) throws {
        var patience = Patience()
        while try !isDone(self) {
            guard patience.lasts(moved: try step(wait: .milliseconds(200))) else {
                Issue.record("the reader waits for something that does not come; it saw \(seen.count) records")
                return
            }
        }
    }

    /// Polls until every partition is read to its end.
    func drain() throws { try run { try $0.reader.isDrained(positions: $0.ledger.next) } }
}

/// Polls several members of one group in turn until all of them together are done.
func turns(_ pumps: [Pump], until isDone: () throws -> Bool) throws {
    var patience = Patience()
    while try !isDone() {
        var moved = false
        for pump in pumps { moved = try pump.step(wait: .milliseconds(30)) || moved }
        guard patience.lasts(moved: moved) else {
            Issue.record("the group waits for something that does not come; owned: \(pumps.map(\.owned))")
            return
        }
    }
}

/// How long a test waits for something before it says that it is lost.
///
/// Never decides whether a test passes in time.
private struct Patience {
    private var since = ContinuousClock.now

    mutating func lasts(moved: Bool) -> Bool {
        if moved { since = .now }
        return ContinuousClock.now - since < .seconds(20)
    }
}

/// An event whose data is a text.
func event(_ workspace: String, _ value: String, type: String = "job.failed") -> EncodedEvent {
    let quoted = value.replacing("\"", with: "\\\"")
    let text =
        #"{"specversion":"1.0","id":"\#(quoted)","source":"/tests","type":"\#(type)","workspace":"\#(workspace)","#
        + #""datacontenttype":"text/plain","data":"\#(quoted)"}"#
    return EncodedEvent(workspace: workspace, type: type, bytes: Array(text.utf8))
}
