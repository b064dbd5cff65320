import Glibc

/// A connection of plain HTTP that libcurl has opened, with the request it carries.
///
/// It blocks nobody: what cannot be sent or read at once waits for the kernel's word.
@safe final class PlainConnection {
    /// How far a request has come.
    enum State: Equatable {
        /// It is not sent as a whole, or not answered.
        case waits
        /// The answer is there as far as it is read; whether the connection may carry another request.
        case answered(keeps: Bool)
        /// Nothing came, and nothing more will.
        case broken(NoAnswer)
    }
    /// Why there is no answer.
    enum NoAnswer { case hungUp, noHTTP }

    let socket: Int32
    let origin: PlainOrigin
    /// What it carries now; `nil` while it waits for work.
    var carried: Carried?
    private(set) var answer = AnswerReader()
    /// Whether it has carried a request before this one.
    private(set) var isUsed = false
    /// Whether a byte of this request has left, and one of its answer has come.
    private(set) var (hasBegun, hasHeard) = (false, false)
    /// Since when it waits for work, in milliseconds of the sockets' clock.
    var idleSince: Int64 = 0
    /// When something came last, and in how many looks it had.
    private(set) var (lastRead, looksWithMore): (Int64, Int) = (0, 0)
    /// What the kernel has not taken yet.
    private var unsent: [UInt8] = []
    private var sent = 0

    init(_ socket: Int32, to origin: PlainOrigin) { (self.socket, self.origin) = (socket, origin) }

    /// Whether a part of the request waits for the kernel.
    var isSending: Bool { sent < unsent.count }

    /// Whether nothing has come since its last answer, neither its end nor what nobody has asked for.
    ///
    /// What came would be read as the answer to what is sent next.
    var isQuiet: Bool {
        var byte: UInt8 = 0
        return unsafe recv(socket, &byte, 1, Int32(MSG_PEEK)) < 0 && Self.isPatience(errno)
    }

    /// Sends as much of a request as the kernel takes; false when the connection is dead.
    func begin(_ request: [UInt8], for carried: Carried) -> Bool {
        (self.carried, hasBegun, hasHeard, looksWithMore) = (carried, false, false, 0)
        answer.reset()
        let count = send(request, from: 0)
        guard count >= 0 else { return false }
        hasBegun = count > 0
        if count < request.count { (unsent, sent) = (request, count) }
        return true
    }

    /// Goes on sending; false when the connection is dead.
    private func goOn() -> Bool {
        let count = send(unsent, from: sent)
        guard count >= 0 else { return false }
        if count > 0 { hasBegun = true }
        sent += count
        if !isSending { (unsent, sent) = ([], 0) }
        return true
    }

    /// How many bytes the kernel took; -1 when the connection is dead.
    private func send(_ bytes: [UInt8], from start: Int) -> Int {
        let count = unsafe bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return unsafe Glibc.send(socket, base + start, bytes.count - start, Int32(MSG_NOSIGNAL))
        }
        return count >= 0 ? count : Self.isPatience(errno) ? 0 : -1
    }

    /// Does what the kernel says can be done.
    ///
    /// A receiver that hangs up while it is sent to may have said why, so that is read all the same.
    func act(canSend: Bool, buffer: inout [UInt8], now: Int64) -> State {
        let isDead = canSend && isSending && !goOn()
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(socket, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { return count < 0 && !isDead && Self.isPatience(errno) ? .waits : ended() }
        (lastRead, hasHeard) = (now, true)
        switch answer.take(buffer.span.extracting(first: count)) {
        case .more: return .waits
        case .ended(let keeps): return .answered(keeps: keeps && !isSending)
        case .broken: return .broken(.noHTTP)
        }
    }

    private static func isPatience(_ error: Int32) -> Bool { error == EAGAIN || error == EINTR }

    /// The other side has hung up.
    private func ended() -> State {
        answer.notes.headIsComplete ? .answered(keeps: false) : .broken(.hungUp)
    }

    /// Waits for work again.
    func rest(since now: Int64) {
        (carried, idleSince, isUsed) = (nil, now, true)
    }

    /// Looks whether more of an answer has come since the last look, and says in how many looks it had.
    func lookAtAnswer(since lastLook: Int64) -> Int {
        if let carried, lastRead > max(carried.begunAt, lastLook) { looksWithMore += 1 }
        return looksWithMore
    }
}
