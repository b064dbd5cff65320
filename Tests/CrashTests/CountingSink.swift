import CarillonEvents
import CarillonKit
import CarillonPlatform
import Glibc
import Synchronization

// A webhook receiver inside the test, because the test has to know exactly what had arrived when a worker died: every
// connection has a thread, a request counts once its last byte is read, and the answer comes 20 ms later. When all
// connections of a dead worker have ended, nothing of it can arrive any more.

/// Counts webhooks.
final class CountingSink: Sendable {
    /// One try of a webhook.
    struct Visit: Sendable {
        let at: Duration
        let isTaken: Bool
    }

    /// One webhook, by its id.
    struct Letter: Sendable {
        let body: [UInt8]
        /// Its place among all first arrivals.
        let place: Int
        /// Whose it is: the path it came to.
        let path: String
        var visits: [Visit] = []
        /// Answers that nobody was there to read.
        var lost = 0

        /// How often it came although the try before had been taken; a copy that is refused is retried as anything is.
        var copies: Int { zip(visits, visits.dropFirst()).count { before, _ in before.isTaken } }
        var isTaken: Bool { visits.contains { $0.isTaken } }
    }

    /// Which tries are refused: one in so many, by a seed, but never more than two of the last five of a path, which would
    /// look like a receiver that is down.
    struct Refusals: Sendable {
        let oneIn: UInt64, seed: UInt64
        private var latest: [String: [Bool]] = [:]

        init(oneIn: UInt64, seed: UInt64) { (self.oneIn, self.seed) = (oneIn, seed) }

        mutating func refuses(_ id: String, visit: Int, path: String) -> Bool {
            var random = SplitMix(seed: id.utf8.reduce(seed &+ UInt64(visit)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
            let isRefused = random.once(in: Int(oneIn)) && latest[path, default: []].filter { $0 }.count < 2
            latest[path, default: []].append(isRefused)
            if latest[path, default: []].count > 4 { latest[path]?.removeFirst() }
            return isRefused
        }
    }

    struct State {
        var letters: [String: Letter] = [:]
        var requests = 0
        var live = 0
        var markers = 0
        var faults: [String] = []
        /// Workers that have ended, by their process ids.
        var ended: Set<Int32> = []
        /// Requests whose answer is not sent yet.
        var open = 0
        var refusals: Refusals?
        /// Looked at by those who wait for no longer than a while.
        var now = Duration.zero
    }

    let port: UInt16
    let state = Turnstile(State())
    private let listener: Int32
    private let delay: useconds_t

    init(delayMilliseconds: UInt32, refusals: Refusals? = nil) throws {
        state.change { $0.refusals = refusals }
        delay = delayMilliseconds * 1000
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = Self.loopback(port: 0)
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listener, $0, Self.addressSize)
            }
        }
        guard listener >= 0, bound == 0, listen(listener, 1024) == 0 else {
            throw PlatformError(errno, doing: "listen on loopback")
        }
        var size = Self.addressSize
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe _ = getsockname(listener, $0, &size)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        _ = OwnThread { [listener, state, delay] in Self.accept(on: listener, state, delay) }
    }

    deinit { close(listener) }

    /// What has arrived so far.
    var now: State { state.change { $0 } }

    /// Waits until so many requests have come in all, or the worker has ended: then false.
    func wait(requests: Int, worker: Int32) -> Bool {
        state.wait { state in
            if state.requests >= requests { return true }
            return state.ended.contains(worker) ? false : nil
        }
    }

    /// Waits until something holds, or no longer than so many seconds: then false.
    func wait(seconds: Int64, for condition: @escaping (State) -> Bool) -> Bool {
        let deadline = SystemClock().uptime() + .seconds(seconds)
        let isOver = Mutex(false)
        // Nothing else would wake the wait when nothing arrives.
        let pulse = OwnThread { [state] in
            while !isOver.withLock({ $0 }) {
                usleep(50_000)
                state.change { $0.now = SystemClock().uptime() }
            }
        }
        defer {
            isOver.withLock { $0 = true }
            try? pulse.join()
        }
        return state.wait { state in condition(state) ? true : state.now > deadline ? false : nil }
    }

    /// Waits until everything that reached this machine has been read and every connection is gone.
    func becomeQuiet() {
        // Connections are accepted in their order, so behind this one there is nothing of a dead worker.
        let before = now.markers
        let marker = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(port: port)
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe _ = connect(marker, $0, Self.addressSize)
            }
        }
        let mark = Array("MARK / HTTP/1.1\r\ncontent-length: 0\r\n\r\n".utf8)
        unsafe _ = send(marker, mark, mark.count, Int32(MSG_NOSIGNAL))
        state.wait { $0.markers > before ? () : nil }
        close(marker)
        state.wait { $0.live == 0 ? () : nil }
    }

    private static let addressSize = socklen_t(MemoryLayout<sockaddr_in>.size)

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func accept(on listener: Int32, _ state: Turnstile<State>, _ delay: useconds_t) {
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            guard connection >= 0 else { return }
            state.change { $0.live += 1 }
            _ = OwnThread {
                var requests = RequestReader(connection: connection)
                while let request = requests.next() {
                    let isMarker = request.head.hasPrefix("MARK")
                    if isMarker {
                        state.change { $0.markers += 1 }
                        continue
                    }
                    let isTaken = state.change { $0.take(request) }
                    usleep(delay)
                    let words = isTaken ? "200 OK" : "500 Internal Server Error"
                    let answer = Array("HTTP/1.1 \(words)\r\ncontent-length: 0\r\n\r\n".utf8)
                    let isHeard = isOpen(connection)
                    unsafe _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                    state.change { $0.answer(request, isHeard: isHeard) }
                }
                close(connection)
                state.change { $0.live -= 1 }
            }
        }
    }
}

extension CountingSink.State {
    /// Notes a try and says whether it is taken.
    mutating func take(_ request: RequestReader.Request) -> Bool {
        requests += 1
        open += 1
        guard let id = request.id else {
            faults.append("a request without webhook-id")
            return true
        }
        if let known = letters[id] {
            if known.body != request.body { faults.append("a copy of \(id) has another body") }
        } else {
            letters[id] = CountingSink.Letter(body: request.body, place: letters.count, path: request.path)
        }
        let visit = letters[id]?.visits.count ?? 0
        let isRefused = refusals?.refuses(id, visit: visit, path: request.path) ?? false
        letters[id]?.visits.append(CountingSink.Visit(at: SystemClock().uptime(), isTaken: !isRefused))
        return !isRefused
    }

    mutating func answer(_ request: RequestReader.Request, isHeard: Bool) {
        open -= 1
        if !isHeard, let id = request.id { letters[id]?.lost += 1 }
    }
}

/// Whether the other side of a connection is there still, as far as it has told.
private func isOpen(_ connection: Int32) -> Bool {
    var byte: UInt8 = 0
    let count = unsafe recv(connection, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    return count > 0 || count < 0 && errno == EAGAIN
}

/// Reads HTTP/1.1 requests off a connection, as far as this client speaks it.
struct RequestReader {
    struct Request {
        let head: String
        let body: [UInt8]

        /// What it asks for.
        var path: String { head.split(separator: " ").dropFirst().first.map(String.init) ?? "" }

        /// What copies of a message have in common: its id, or of a text message, which has none, all it says.
        var id: String? {
            header("webhook-id") ?? (path.hasSuffix("/Messages.json") ? String(decoding: body, as: UTF8.self) : nil)
        }

        func header(_ name: String) -> String? {
            for line in head.split(separator: "\r\n").dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2, parts[0].lowercased() == name else { continue }
                return parts[1].trimmingPrefix { $0 == " " }.description
            }
            return nil
        }
    }
    let connection: Int32
    private var buffer: [UInt8] = []

    init(connection: Int32) { self.connection = connection }

    /// The next whole request; `nil` when the other side is gone.
    mutating func next() -> Request? {
        while true {
            if let end = buffer.firstRange(of: Array("\r\n\r\n".utf8)) {
                let request = Request(head: String(decoding: buffer[..<end.lowerBound], as: UTF8.self), body: [])
                let size = request.header("content-length").flatMap { Int($0) } ?? 0
                if buffer.count >= end.upperBound + size {
                    defer { buffer.removeFirst(end.upperBound + size) }
                    return Request(head: request.head, body: Array(buffer[end.upperBound..<end.upperBound + size]))
                }
            }
            guard more() else { return nil }
        }
    }

    private mutating func more() -> Bool {
        var piece = [UInt8](repeating: 0, count: 16 << 10)
        let count = unsafe recv(connection, &piece, piece.count, 0)
        guard count > 0 else { return false }
        buffer += piece[..<count]
        return true
    }
}
