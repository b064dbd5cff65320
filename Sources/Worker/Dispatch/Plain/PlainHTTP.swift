import CCurl
import CPlatform
import CarillonEvents
import Glibc

// Requests of plain HTTP over connections that libcurl opens and leaves to us.
//
// libcurl finds the address, asks the guard, tries one address after another and says in its own words what went wrong.
// What is left on an open connection is to write a request and to read an answer, and that is done here, because libcurl
// takes more than twice what it costs (decision 0070). TLS, proxies, HTTP/2, mail, logins and what costs money stay with
// libcurl as a whole.

/// The connections of plain HTTP that are kept, and what they carry.
@safe final class PlainHTTP {
    /// What became of a request.
    enum End {
        case answered(Int, AnswerNotes)
        /// Whether any of it may have reached the receiver.
        case failed(CURLcode, begun: Bool)
        /// The kept connection died before any of the answer: the request goes over a new one, once.
        case connectionWasDead
    }

    /// A connection that has waited for so long is not trusted with a request; libcurl has the same rule.
    private static let longestRest: Int64 = 118_000

    /// So much memory is kept from one request for the next.
    private static let mostKept = 64 * 1024

    private let sockets: CurlSockets
    private let timeout: Int64
    private let mostIdle: Int
    private let hasProxy: Bool
    private var addresses = PlainAddresses()
    private var bySocket: [PlainConnection?] = []
    private var idleCount = 0
    private var wire: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    /// Requests on the wire.
    private(set) var inUse = 0
    /// No request runs out of time before this; of the sockets' clock.
    private var nextTimeout = Int64.max
    private var ends: [(carried: Carried, end: End)] = []

    init(_ configuration: CurlCourier.Configuration, sockets: CurlSockets) {
        (self.sockets, timeout) = (sockets, configuration.timeout.milliseconds)
        (mostIdle, hasProxy) = (configuration.concurrency, configuration.proxy != nil)
    }

    /// The request as one that travels here; `nil` for one that is libcurl's.
    func take(_ request: Request, under terms: WireTerms?) -> PlainRequest? {
        guard !hasProxy, terms?.offersHTTP2 != true, !request.isTrusted, !request.needsFreshConnection,
            case .http = request.transport, let address = addresses.address(request.url)
        else { return nil }
        return PlainRequest(address: address, request: request)
    }

    // Begin

    /// Sends over a kept connection; false when there is none, and then nothing was sent.
    func send(_ carried: Carried) -> Bool {
        guard let plain = carried.plain else { return false }
        while let connection = plain.address.origin.idle.popLast() {
            idleCount -= 1
            if CurlSockets.uptime() - connection.idleSince < Self.longestRest, connection.isQuiet,
                begin(carried, plain, on: connection)
            {
                return true
            }
            close(connection)
        }
        return false
    }

    /// Sends over a connection that was opened for this.
    func send(_ carried: Carried, over socket: Int32) {
        guard let plain = carried.plain else { return }
        let connection = PlainConnection(socket, to: plain.address.origin)
        while bySocket.count <= Int(socket) { bySocket.append(nil) }
        bySocket[Int(socket)] = connection
        if !begin(carried, plain, on: connection) {
            close(connection)
            ends.append((carried, .failed(CURLE_SEND_ERROR, begun: false)))
        }
    }

    private func begin(_ carried: Carried, _ plain: PlainRequest, on connection: PlainConnection) -> Bool {
        plain.address.write(plain.request, to: &wire)
        defer { if wire.capacity > Self.mostKept { wire = [] } }
        guard connection.begin(wire, for: carried) else { return false }
        inUse += 1
        nextTimeout = min(nextTimeout, carried.begunAt + timeout)
        sockets.watch(connection.socket, toSend: connection.isSending)
        return true
    }

    // Carry

    /// Acts on what the kernel said of a socket.
    func act(on socket: Int32, _ bits: UInt32, now: Int64) {
        guard let connection = bySocket[Int(socket)] else { return }
        guard connection.carried != nil else { return drop(connection) }
        let canSend = bits & ~EPOLLIN.rawValue != 0
        switch connection.act(canSend: canSend, buffer: &buffer, now: now) {
        case .waits: sockets.watch(socket, toSend: connection.isSending)
        case .answered(let keeps): end(connection, connection.answered, keeps: keeps, now: now)
        case .broken(let reason):
            let mayRepeat = connection.isUsed && !connection.hasHeard && connection.carried?.isRepeated == false
            let code = reason == .noHTTP ? CURLE_WEIRD_SERVER_REPLY : CURLE_GOT_NOTHING
            end(connection, mayRepeat ? .connectionWasDead : .failed(code, begun: connection.hasBegun), now: now)
        }
    }

    /// How long nothing runs out of time, in milliseconds; `nil` when nothing is on the wire.
    var patience: Int64? { inUse > 0 ? max(0, nextTimeout - CurlSockets.uptime()) : nil }

    /// Ends requests that have run out of time.
    func endLate() {
        guard inUse > 0 else { return }
        let now = CurlSockets.uptime()
        guard now >= nextTimeout else { return }
        nextTimeout = .max
        for connection in bySocket {
            guard let connection, let carried = connection.carried else { continue }
            if now - carried.begunAt >= timeout {
                cut(connection, now: now)
            } else {
                nextTimeout = min(nextTimeout, carried.begunAt + timeout)
            }
        }
    }

    /// Ends requests whose answer has come in bits and pieces in so many looks.
    func cutSlowAnswers(since lastLook: Int64, looks: Int) {
        guard inUse > 0 else { return }
        let now = CurlSockets.uptime()
        for connection in bySocket {
            guard let connection, connection.carried != nil, connection.lookAtAnswer(since: lastLook) >= looks
            else { continue }
            cut(connection, now: now)
        }
    }

    private func cut(_ connection: PlainConnection, now: Int64) {
        let end: End =
            connection.answer.notes.headIsComplete
            ? connection.answered : .failed(CURLE_OPERATION_TIMEDOUT, begun: connection.hasBegun)
        self.end(connection, end, now: now)
    }

    // End

    private func end(_ connection: PlainConnection, _ end: End, keeps: Bool = false, now: Int64) {
        if let carried = connection.carried { ends.append((carried, end)) }
        inUse -= 1
        guard keeps else { return close(connection) }
        if idleCount >= mostIdle { closeOldest() }
        connection.rest(since: now)
        connection.origin.idle.append(connection)
        idleCount += 1
    }

    /// What has ended since the last call.
    func takeEnds() -> [(carried: Carried, end: End)] {
        defer { ends.removeAll(keepingCapacity: true) }
        return ends
    }

    /// Ends everything at once and says what was on the wire, and whether any of it has left.
    func giveUp() -> [(carried: Carried, begun: Bool)] {
        var left: [(Carried, Bool)] = []
        for connection in bySocket {
            guard let connection else { continue }
            if let carried = connection.carried { left.append((carried, connection.hasBegun)) }
            close(connection)
        }
        return left
    }

    /// Closes a connection that has no work and on which something came: its end, or what nobody has asked for.
    private func drop(_ connection: PlainConnection) {
        if let place = connection.origin.idle.firstIndex(where: { $0 === connection }) {
            connection.origin.idle.remove(at: place)
            idleCount -= 1
        }
        close(connection)
    }

    private func closeOldest() {
        let idle = bySocket.compactMap { $0?.carried == nil ? $0 : nil }
        if let oldest = idle.min(by: { $0.idleSince < $1.idleSince }) { drop(oldest) }
    }

    private func close(_ connection: PlainConnection) {
        // A number that is another's by now must not be written to, nor closed.
        precondition(bySocket[Int(connection.socket)] === connection, "a connection is closed once")
        bySocket[Int(connection.socket)] = nil
        connection.carried = nil
        sockets.close(kept: connection.socket)
    }
}

extension PlainConnection {
    fileprivate var answered: PlainHTTP.End { .answered(answer.status, answer.notes) }
}
