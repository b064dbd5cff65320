import CarillonEvents
import CarillonStream
import Dispatch
import Synchronization

/// Appends what many requests bring at the same time together, on a thread of its own, so that they share an fsync.
///
/// Its length is bounded by the door's room: each request that waits holds its part of it.
final class AppendQueue: Sendable {
    private struct Request {
        let events: [EncodedEvent]
        let answer: CheckedContinuation<StreamError?, Never>
    }
    private struct State {
        var waiting: [Request] = []
        var isRunning = false
    }

    /// Events in one append, but for a single request that has more.
    private static let most = 5_000

    private let state = Mutex(State())
    private let thread = DispatchQueue(label: "carillon.server.events")
    private let stream: OpenedStream

    init(open: @escaping @Sendable () throws(StreamError) -> any StreamAppender) { stream = OpenedStream(open) }

    /// How many requests wait; those being appended are not among them.
    var count: Int { state.withLock { $0.waiting.count } }

    /// Appends events, all or none.
    ///
    /// - Returns: why they are not durable; `nil` when they are.
    func append(_ events: [EncodedEvent]) async -> StreamError? {
        await withCheckedContinuation { continuation in
            let starts = state.withLock { state in
                state.waiting.append(Request(events: events, answer: continuation))
                defer { state.isRunning = true }
                return !state.isRunning
            }
            if starts { thread.async { self.run() } }
        }
    }

    private func run() {
        while let group = next() {
            guard let error = stream.append(group.flatMap(\.events)) else {
                for request in group { request.answer.resume(returning: nil) }
                continue
            }
            if error.kind == .tooLarge, group.count > 1 {
                for request in group { request.answer.resume(returning: stream.append(request.events)) }
            } else {
                // Who came meanwhile would wait for the same answer.
                for request in group + rest() { request.answer.resume(returning: error) }
            }
        }
    }

    /// The oldest requests that fit into one append; `nil` when none waits, and then the thread is free.
    private func next() -> [Request]? {
        state.withLock { state in
            var (requests, events) = (0, 0)
            for request in state.waiting {
                events += request.events.count
                if requests > 0, events > Self.most { break }
                requests += 1
            }
            guard requests > 0 else {
                state.isRunning = false
                return nil
            }
            defer { state.waiting.removeFirst(requests) }
            return Array(state.waiting[..<requests])
        }
    }

    private func rest() -> [Request] {
        state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
    }
}

/// The stream, opened when it is first needed and again after it failed.
private final class OpenedStream: Sendable {
    private let open: @Sendable () throws(StreamError) -> any StreamAppender
    private let appender = Mutex<(any StreamAppender)?>(nil)

    init(_ open: @escaping @Sendable () throws(StreamError) -> any StreamAppender) { self.open = open }

    func append(_ events: [EncodedEvent]) -> StreamError? {
        do throws(StreamError) {
            try opened().append(events)
            return nil
        } catch {
            if error.kind != .busy, error.kind != .tooLarge { appender.withLock { $0 = nil } }
            return error
        }
    }

    private func opened() throws(StreamError) -> any StreamAppender {
        if let appender = appender.withLock({ $0 }) { return appender }
        let fresh = try open()
        appender.withLock { $0 = fresh }
        return fresh
    }
}
