import CarillonEvents
import CarillonKit
import CarillonStream
import Synchronization

@testable import CarillonServer

/// A stream in memory that fails when a test says so and can be held shut.
final class FlakyStream: StreamAppender {
    struct State {
        var appended: [EncodedEvent] = []
        var appends: [Int] = []
        var failure: StreamError.Kind?
        var largest = Int.max
        var opened = 0
    }
    let state = Mutex(State())
    /// While it is locked nothing is appended.
    let gate = Gate()

    func append(_ events: [EncodedEvent]) throws(StreamError) {
        gate.pass()
        let failure: StreamError.Kind? = state.withLock { state in
            if let failure = state.failure { return failure }
            if events.contains(where: { $0.bytes.count > state.largest }) { return .tooLarge }
            state.appended += events
            state.appends.append(events.count)
            return nil
        }
        if let failure { throw StreamError(failure, doing: "append \(events.count) events") }
    }

    var ids: [String] {
        state.withLock { $0.appended }.compactMap { event in
            let text = event.bytes.span
            return (try? CloudEvents.outline(text)).flatMap { JSON.string($0.id, in: text) }
        }
    }

    func door(_ access: Access = .loopback, limits: EventDoor.Limits = .init()) -> EventDoor {
        EventDoor(
            access: access, limits: limits, clock: ManualClock(), registry: MetricsRegistry(),
            appender: { [self] () throws(StreamError) in
                state.withLock { $0.opened += 1 }
                return self
            })
    }
}

/// What one request came to.
struct Outcome: Equatable {
    var status: Int
    var kind = ""
    var count = 0
    var text = ""

    static func accepted(_ count: Int) -> Outcome { Outcome(status: 202, count: count) }
    /// Without its words.
    var brief: Outcome { Outcome(status: status, kind: kind, count: count) }
    static func problem(_ status: Int, _ kind: String) -> Outcome { Outcome(status: status, kind: kind) }
}

extension EventDoor {
    /// One request, as the routes bring it here.
    func post(
        _ body: String = "", authority: String? = "127.0.0.1:8420", _ headers: [(String, String)]
    ) async -> Outcome {
        await post(bytes: Array(body.utf8), authority: authority, headers)
    }

    func post(
        bytes: [UInt8], authority: String? = "127.0.0.1:8420", _ headers: [(String, String)]
    ) async -> Outcome {
        let head = RequestHead(headers: headers.map { (name: $0.0, value: $0.1) }, authority: authority)
        do throws(Problem) {
            let pass = try enter(head)
            return .accepted(try await take(head, bytes, pass))
        } catch {
            return Outcome(
                status: error.status.rawValue, kind: error.kind.name, text: String(decoding: error.json, as: UTF8.self))
        }
    }
}

let structured = [("content-type", "application/cloudevents+json")]
let batched = [("content-type", "application/cloudevents-batch+json; charset=UTF-8")]

func line(_ id: String, workspace: String = "vision", source: String = "/s", padding: Int = 0) -> String {
    """
    {"specversion":"1.0","id":"\(id)","source":"\(source)","type":"job.failed","workspace":"\(workspace)",\
    "data":"\(String(repeating: "x", count: padding))"}
    """
}
