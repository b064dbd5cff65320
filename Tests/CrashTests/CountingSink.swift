import CarillonKit
import CarillonPlatform
import Glibc

// A webhook receiver inside the test, because the test has to know exactly what had arrived when a worker died: every
// connection has a thread, a request counts once its last byte is read, and the answer comes 20 ms later. When all
// connections of a dead worker have ended, nothing of it can arrive any more.

/// Counts webhooks.
final class CountingSink: Sendable {
    /// One webhook, by its id.
    struct Letter: Sendable {
        let body: [UInt8]
        /// Its place among all first arrivals.
        let place: Int
        var copies = 0
    }

    struct State {
        var letters: [String: Letter] = [:]
        var requests = 0
        var live = 0
        var markers = 0
        var faults: [String] = []
        /// Workers that have ended, by their process ids.
        var ended: Set<Int32> = []
    }

    let port: UInt16
    let state = Turnstile(State())
    private let listener: Int32
    private let delay: useconds_t

    init(delayMilliseconds: UInt32) throws {
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
                    state.change { isMarker ? $0.markers += 1 : $0.take(request) }
                    if isMarker { continue }
                    usleep(delay)
                    let answer = Array("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".utf8)
                    unsafe _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                }
                close(connection)
                state.change { $0.live -= 1 }
            }
        }
    }
}

extension CountingSink.State {
    mutating func take(_ request: RequestReader.Request) {
        requests += 1
        guard let id = request.header("webhook-id") else {
            faults.append("a request without webhook-id")
            return
        }
        if let known = letters[id] {
            if known.body != request.body { faults.append("a copy of \(id) has another body") }
            letters[id]?.copies += 1
        } else {
            letters[id] = CountingSink.Letter(body: request.body, place: letters.count)
        }
    }
}

/// Reads HTTP/1.1 requests off a connection, as far as this client speaks it.
struct RequestReader {
    struct Request {
        let head: String
        let body: [UInt8]

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
