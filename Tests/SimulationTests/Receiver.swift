import CarillonEvents
import CarillonLedger
import CarillonWorker
import Synchronization

/// Everything that arrived, and the promises that can be checked at the receiver's door.
final class Receiver: Sendable {
    /// One arrival of one request.
    fileprivate struct Arrival {
        let process: Int
        let isAnswered: Bool
    }
    fileprivate struct Letter {
        let delivery: DeliveryID
        let body: [UInt8]
        var arrivals: [Arrival] = []
    }
    fileprivate struct State {
        var letters: [Key: Letter] = [:]
        /// The newest delivery that arrived first of each (workspace, target, subject).
        var newest: [[String]: DeliveryID] = [:]
        var durableYes: Set<DeliveryID> = []
        /// Processes that died or lost their session: their answers may not have been written.
        var excused: Set<Int> = []
        var owners: [SessionID: Int] = [:]
        var violations: [String] = []
    }
    private let state = Mutex(State())

    var violations: [String] { state.withLock { $0.violations } }
    var copies: Int { state.withLock { $0.letters.values.reduce(0) { $0 + $1.arrivals.count - 1 } } }
    func arrivals(of key: Key) -> Int { state.withLock { $0.letters[key]?.arrivals.count ?? 0 } }
    var keys: Set<Key> { state.withLock { Set($0.letters.keys) } }

    /// The ledger knows for ever that this one was delivered.
    func wrote(_ delivery: DeliveryID) { state.withLock { _ = $0.durableYes.insert(delivery) } }
    /// A worker may send it from now on.
    func leased(_ delivery: DeliveryID) {
        state.withLock { state in
            guard state.durableYes.contains(delivery) else { return }
            state.violations.append("\(delivery) was leased again after the ledger knew that it was delivered")
        }
    }
    /// A process began a session.
    func began(_ session: SessionID, _ process: Int) { state.withLock { $0.owners[session] = process } }
    /// It ended as it should: nothing excuses what it has left undone.
    func ended(_ session: SessionID) { state.withLock { $0.owners[session] = nil } }
    /// The processes of all other sessions have lost what they held.
    func excuse(allBut living: Set<SessionID>) {
        state.withLock { state in
            for (session, process) in state.owners where !living.contains(session) { state.excused.insert(process) }
        }
    }
    func excuse(_ process: Int) { state.withLock { _ = $0.excused.insert(process) } }

    func receive(_ outgoing: Outgoing, from process: Int, isAnswered: Bool, at now: Timestamp) {
        let built = Result { () throws(Unsendable) in try outgoing.endpoint.channel.request(for: outgoing, now: now) }
        state.withLock { state in
            guard case .success(let request) = built else { return state.violations.append("a request was not built") }
            let body = request.body
            let key = outgoing.notice.key
            if let known = state.letters[key] {
                if known.body != body { state.violations.append("a copy of \(outgoing.delivery) has another body") }
                if known.delivery != outgoing.delivery { state.violations.append("\(key) was decided twice") }
            } else {
                state.letters[key] = Letter(delivery: outgoing.delivery, body: body)
                state.checkOrder(outgoing)
            }
            state.letters[key]?.arrivals.append(Arrival(process: process, isAnswered: isAnswered))
        }
    }

    /// After the end: every copy must follow an answer that could not reach the ledger.
    func checkCopies() {
        state.withLock { state in
            for (_, letter) in state.letters {
                for arrival in letter.arrivals.dropLast()
                where arrival.isAnswered && !state.excused.contains(arrival.process) {
                    state.violations.append("\(letter.delivery) was sent again though its worker had a yes and lived")
                }
            }
        }
    }
}

extension Receiver.State {
    fileprivate mutating func checkOrder(_ outgoing: Outgoing) {
        let pair = [outgoing.notice.workspace, outgoing.endpoint.name, outgoing.notice.subject ?? ""]
        if let newest = newest[pair], newest > outgoing.delivery {
            violations.append("\(outgoing.delivery) arrived behind \(newest) of its pair")
        }
        newest[pair] = max(newest[pair] ?? 0, outgoing.delivery)
    }
}
