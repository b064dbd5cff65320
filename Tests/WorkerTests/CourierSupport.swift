import CarillonEvents
import CarillonLedger
import CarillonWorker
import Dispatch
import Foundation
import Glibc
import Synchronization

/// A door that stays open once opened; threads wait in front of it.
final class Gate: Sendable {
    private let group = DispatchGroup()
    private let isOpen = Mutex(false)
    init() { group.enter() }
    func open() {
        let first = isOpen.withLock { isOpen in
            defer { isOpen = true }
            return !isOpen
        }
        if first { group.leave() }
    }
    func wait() { group.wait() }
}

/// A request as it came over the wire.
struct Received: Sendable {
    var connection: Int
    var line: String
    var headers: [(name: String, value: String)]
    var body: [UInt8]
    func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
}

/// What a scripted server does with a request.
indirect enum Reply: Sendable {
    case answer(Int, headers: [String] = [], body: String = "")
    /// These bytes as they are.
    case bytes(String)
    /// These bytes and then the end of the connection.
    case raw(String)
    case hangUp
    /// These bytes and the end of what is said; what is asked is read all the same.
    case lastWords(String, said: Gate)
    /// The first text at once, then a byte now and then, until nobody takes them any more.
    case trickle(String, then: String)
    /// These bytes, then something.
    case first(String, then: Reply)
    /// Nothing until the gate opens, then something.
    case after(Gate, Reply)
}

/// A small HTTP/1.1 server on loopback: plain sockets, a thread per connection, every request written down.
final class ScriptedServer: Sendable {
    private struct State {
        var received: [Received] = []
        var connections: [Int32] = []
        var waiting: [(count: Int, resume: CheckedContinuation<Void, Never>)] = []
        var isResetting = false
    }
    let port: UInt16
    private let listener: Int32
    private let state = Mutex(State())
    private let script: @Sendable (Int, Received) -> Reply

    private let greeting: String?

    /// `script` gets the number of the request, from 0, and the request.
    ///
    /// A `greeting` is sent before any request is read.
    init(greeting: String? = nil, _ script: @escaping @Sendable (Int, Received) -> Reply) {
        (self.script, self.greeting) = (script, greeting)
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = self.listener
        unsafe withUnsafeMutableBytes(of: &address) { bytes in
            guard let base = unsafe bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return }
            unsafe _ = bind(listener, base, size)
            unsafe _ = getsockname(listener, base, &size)
        }
        listen(listener, 512)
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in acceptAll() }
    }

    var url: String { "http://127.0.0.1:\(port)/hook" }
    var received: [Received] { state.withLock { $0.received } }
    var connections: Int { state.withLock { $0.connections.count } }

    /// Returns once so many requests have arrived in all.
    func arrival(of count: Int) async {
        await withCheckedContinuation { resume in
            state.withLock { state in
                if state.received.count >= count { resume.resume() } else { state.waiting.append((count, resume)) }
            }
        }
    }

    /// Takes no more connections; those there are go on.
    func refuse() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// Resets each connection from now on as soon as it is there.
    func reset() { state.withLock { $0.isResetting = true } }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        for connection in state.withLock({ $0.connections }) { shutdown(connection, Int32(SHUT_RDWR)) }
    }

    private func acceptAll() {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            if state.withLock({ $0.isResetting }) {
                var now = linger(l_onoff: 1, l_linger: 0)
                unsafe setsockopt(connection, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
                Glibc.close(connection)
                continue
            }
            let number = state.withLock { state in
                state.connections.append(connection)
                return state.connections.count
            }
            Thread.detachNewThread { [self] in serve(connection, number) }
        }
        Glibc.close(listener)
    }

    private func serve(_ connection: Int32, _ number: Int) {
        if let greeting { _ = write(greeting, to: connection) }
        var buffer: [UInt8] = []
        while let request = read(connection, number, &buffer) {
            let index = state.withLock { state in
                state.received.append(request)
                let count = state.received.count
                for wait in state.waiting where wait.count <= count { wait.resume.resume() }
                state.waiting.removeAll { $0.count <= count }
                return count - 1
            }
            guard send(script(index, request), on: connection) else { break }
        }
        shutdown(connection, Int32(SHUT_RDWR))  // not closed: the number must not be given to another before `stop`
    }

    private func send(_ reply: Reply, on connection: Int32) -> Bool {
        switch reply {
        case .answer(let status, let headers, let body):
            let head = (["HTTP/1.1 \(status) Word", "Content-Length: \(body.utf8.count)"] + headers).joined(
                separator: "\r\n")
            return write(head + "\r\n\r\n" + body, to: connection)
        case .raw(let text):
            _ = write(text, to: connection)
            return false
        case .bytes(let text): return write(text, to: connection)
        case .hangUp: return false
        case .lastWords(let text, let said):
            defer { said.open() }
            return write(text, to: connection) && shutdown(connection, Int32(SHUT_WR)) == 0
        case .first(let text, let reply): return write(text, to: connection) && send(reply, on: connection)
        case .trickle(let first, let text):
            guard write(first, to: connection) else { return false }
            for byte in text {
                guard write(String(byte), to: connection) else { return false }
                usleep(20_000)
            }
            return false
        case .after(let gate, let reply):
            gate.wait()
            return send(reply, on: connection)
        }
    }

    private func write(_ text: String, to connection: Int32) -> Bool {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private func read(_ connection: Int32, _ number: Int, _ buffer: inout [UInt8]) -> Received? {
        var length: Int?
        var head = 0
        while true {
            if length == nil, let end = buffer.firstRange(of: Array("\r\n\r\n".utf8)) {
                head = end.upperBound
                length = Self.length(in: buffer[..<end.lowerBound])
            }
            if let length, buffer.count >= head + length { break }
            var piece = [UInt8](repeating: 0, count: 65536)
            let count = unsafe piece.withUnsafeMutableBytes { unsafe recv(connection, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { return nil }
            buffer.append(contentsOf: piece[..<count])
        }
        let end = head + (length ?? 0)
        defer { buffer.removeFirst(end) }
        let lines = String(decoding: buffer[..<(head - 4)], as: UTF8.self).components(separatedBy: "\r\n")
        return Received(
            connection: number, line: lines[0], headers: lines.dropFirst().map(Self.pair),
            body: Array(buffer[head..<end]))
    }

    private static func length(in head: ArraySlice<UInt8>) -> Int {
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n").map(pair)
        return lines.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) } ?? 0
    }

    private static func pair(_ line: String) -> (name: String, value: String) {
        let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
        return (parts.first ?? "", parts.count == 2 ? parts[1] : "")
    }
}

/// A clock that stands still where it was put.
struct StillClock: CarillonEvents.Clock {
    var moment = Timestamp(milliseconds: 1_767_600_000_000)
    func now() -> Timestamp { moment }
    func uptime() -> Duration { .seconds(1000) }
}

/// A courier with a bell, so that a test waits for endings and not for time.
struct CourierRig {
    let courier: CurlCourier
    private let bell: AsyncStream<Void>

    init(
        concurrency: Int = 16, perLane: Int = 8, timeout: Duration = .seconds(15), exempt: [String] = ["127.0.0.0/8"],
        crash: CrashPoints = .none, clock: any CarillonEvents.Clock = StillClock(),
        proxy: String? = nil, answerTime: Duration = .seconds(5),
        resolver: (@Sendable (_ host: String) -> [String])? = nil
    ) throws {
        let (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.bell = bell
        let exemptions = try exempt.map { text throws(CIDRError) in try CIDR(text) }
        var configuration = CurlCourier.Configuration(
            concurrency: concurrency, perLane: perLane, timeout: timeout, exemptions: exemptions)
        (configuration.resolver, configuration.proxy, configuration.answerTime) = (resolver, proxy, answerTime)
        courier = CurlCourier(configuration: configuration, clock: clock, onEnding: { ring.yield() }, crash: crash)
    }

    /// Waits for so many endings, and settles each as a worker does.
    func endings(_ count: Int) async -> [Ending] {
        var endings = collect()
        var rings = bell.makeAsyncIterator()
        while endings.count < count, await rings.next() != nil { endings += collect() }
        return endings
    }

    private func collect() -> [Ending] {
        let endings = courier.collect()
        courier.settled(endings.count { $0.outcome != .unsent })
        return endings
    }

    /// Waits for so many endings and settles none.
    func unsettledEndings(_ count: Int) async -> [Ending] {
        var endings = courier.collect()
        var rings = bell.makeAsyncIterator()
        while endings.count < count, await rings.next() != nil { endings += courier.collect() }
        return endings
    }

    /// Sends one delivery and waits for its ending.
    func send(_ outgoing: Outgoing) async -> Ending? {
        courier.offer([outgoing])
        return await endings(1).first
    }
}

/// The time a test's lease lasts: longer than any timeout.
let longLease = Duration.seconds(4600)

func endpoint(
    _ url: String, secrets: [[UInt8]] = [], headers: [(name: String, value: String)] = []
) -> Endpoint {
    Endpoint(name: "hook", url: url, secrets: secrets, headers: headers, channel: WebhookChannel())
}

func outgoing(
    _ endpoint: Endpoint, id: Int64 = 1, attempt: Int = 1, lane: Int64 = 1, message: String = "dlc-7f3a job.failed",
    leaseEnds: Duration = longLease
) -> Outgoing {
    let event = Array(#"{"specversion":"1.0","id":"dlc-7f3a/2/failed"}"#.utf8)
    let notice = Notice(
        key: Key(high: 7, low: UInt64(id)), workspace: "vision", rule: "failures", severity: "critical",
        type: "job.failed", subject: "dlc-7f3a", time: "2026-01-05T08:00:00.250Z", title: "lost", message: message,
        event: event[...], traceparent: nil)
    return Outgoing(
        delivery: id, epoch: 1, attempt: attempt, lane: lane, notice: notice, endpoint: endpoint, leaseEnds: leaseEnds)
}

/// A list that several threads append to.
final class CourierLog<Element: Sendable>: Sendable {
    private let items = Mutex<[Element]>([])
    func append(_ item: Element) { items.withLock { $0.append(item) } }
    var all: [Element] { items.withLock { $0 } }
}
