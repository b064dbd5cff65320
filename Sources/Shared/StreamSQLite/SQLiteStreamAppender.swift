import CarillonEvents
import CarillonPlatform
import CarillonSQLite
import CarillonStream

// Group commit: callers put their batch into a queue and wait; the first of them becomes the leader and writes what is
// queued in one transaction with one fsync, for all. While it writes, the next group gathers.

/// Appends to the file; callers on several threads share one transaction.
final class SQLiteStreamAppender: StreamAppender, @unchecked Sendable {
    // SQLite's manual, "Using SQLite in multi-threaded applications": with SQLITE_OPEN_NOMUTEX a connection is safe "as
    // long as it is not used simultaneously in two or more threads"; only the leader uses it, and there is one at a time.
    private let database: Database
    private let inserts: [Statement]
    private let advance: Statement
    private let partitions: Partition
    private let bell: FileBell
    private let clock: any Clock
    private let path: String
    private let queue = Turnstile(Queue())

    private struct Queue {
        var waiting: [(ticket: Int, events: [EncodedEvent])] = []
        var answers: [Int: Result<Void, StreamError>] = [:]
        var nextTicket = 0
        var isLed = false
    }
    private enum Turn { case lead, answered(Result<Void, StreamError>) }

    init(_ stream: SQLiteStream) throws(StreamError) {
        let database = try stream.connect(.readWrite)
        (self.database, path, clock) = (database, stream.path, stream.clock)
        (partitions, inserts, advance) = try stream.attempting("open \(path) for append") { () throws(SQLiteFailure) in
            let tails = try SQLiteStream.tails(database)
            var inserts: [Statement] = []
            for (id, _) in tails {
                inserts.append(
                    try database.prepare(
                        "INSERT INTO record_\(id) (offset, appended, workspace, type, event) VALUES (?,?,?,?,?)"))
            }
            let advance = try database.prepare("UPDATE partition SET next = ?2, appended = ?3 WHERE id = ?1")
            return (Partition(tails.count), inserts, advance)
        }
        do { bell = try FileBell(path: stream.path + "-bell") } catch {
            throw StreamError(.missing, doing: error.doing, cause: error.cause)
        }
    }

    func append(_ events: [EncodedEvent]) throws(StreamError) {
        guard !events.isEmpty else { return }
        if let large = events.first(where: { $0.bytes.count > 1 << 20 }) {
            throw StreamError(.tooLarge, doing: "append \(large.bytes.count) bytes to \(path)", cause: "at most 1 MiB")
        }
        let ticket = queue.change { queue in
            queue.nextTicket += 1
            queue.waiting.append((queue.nextTicket, events))
            return queue.nextTicket
        }
        while true {
            let turn: Turn = queue.wait { queue in
                if let answer = queue.answers.removeValue(forKey: ticket) { return .answered(answer) }
                guard !queue.isLed else { return nil }
                queue.isLed = true
                return .lead
            }
            switch turn {
            case .answered(let result): return try result.get()
            case .lead: lead()
            }
        }
    }

    private func lead() {
        let group = queue.change { queue in
            defer { queue.waiting = [] }
            return queue.waiting
        }
        let answer: Result<Void, StreamError>
        do throws(StreamError) {
            try write(group.map(\.events))
            answer = .success(())
        } catch {
            answer = .failure(error)
        }
        queue.change { queue in
            for (ticket, _) in group { queue.answers[ticket] = answer }
            queue.isLed = false
        }
    }

    private func write(_ group: [[EncodedEvent]]) throws(StreamError) {
        try SQLiteStream.attempting("append to \(path)") { () throws(SQLiteFailure) in
            try database.write(.machine) { () throws(SQLiteFailure) in
                var tails = try Tails(database, now: clock.now())
                for events in group {
                    for event in events { try insert(event, &tails) }
                }
                for tail in tails.all where tail.moved {
                    advance.bind(1, Int64(tail.id))
                    advance.bind(2, tail.next)
                    advance.bind(3, tail.appended)
                    try advance.run()
                }
            }
        }
        bell.ring()
        // The events are durable by now; a checkpoint that fails is tried again with the next append.
        try? database.checkpoint(whenBeyond: walLimit)
    }

    private func insert(_ event: EncodedEvent, _ tails: inout Tails) throws(SQLiteFailure) {
        let partition = tails.partition(of: event.workspace, among: partitions)
        let insert = inserts[partition]
        insert.bind(1, tails.all[partition].next)
        insert.bind(2, tails.all[partition].appended)
        insert.bind(3, event.workspace)
        insert.bind(4, event.type)
        insert.bind(5, blob: event.bytes.span)
        try insert.run()
        tails.all[partition].next += 1
        tails.all[partition].moved = true
    }
}

/// The right ends of the partitions during one transaction.
private struct Tails {
    struct Tail {
        let id: Partition
        var next: Offset
        /// Never before the last append's, so that a search by time is a search in order.
        var appended: Int64
        var moved = false
    }
    var all: [Tail] = []
    private var known: (workspace: String, partition: Int)?

    init(_ database: Database, now: Timestamp) throws(SQLiteFailure) {
        let query = try database.fixed("SELECT id, next, appended FROM partition ORDER BY id")
        while try query.step() {
            all.append(
                Tail(id: Partition(query.int(0)), next: query.int(1), appended: max(query.int(2), now.milliseconds)))
        }
    }

    mutating func partition(of workspace: String, among count: Partition) -> Int {
        if let known, known.workspace == workspace { return known.partition }
        let partition = Int(Partitioner.partition(of: workspace.utf8, among: count))
        known = (workspace, partition)
        return partition
    }
}
