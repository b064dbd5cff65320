import CarillonEvents
import CarillonKit
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
        let workspace: String
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
        /// The newest delivery of each pair and rule that wants no older ones.
        var replaced: [Place: DeliveryID] = [:]
        /// Those that give way to newer ones.
        var givingWay: Set<DeliveryID> = []
        /// Until when a claim of a delivery was asked to be left alone.
        var wishes: [DeliveryID: (epoch: Int64, until: Timestamp)] = [:]
        /// When anything arrived, by (workspace, target), on the clock that nobody steps.
        var moments: [[String]: [Duration]] = [:]
        /// What messages said of many events: how many, and how many of them by name.
        var said: [Key: (size: Int64, listed: Int64)] = [:]
    }
    fileprivate struct Place: Hashable {
        let pair: Int64
        let rule: String
    }
    private let state = Mutex(State())

    var violations: [String] { state.withLock { $0.violations } }
    var copies: Int { state.withLock { $0.letters.values.reduce(0) { $0 + $1.arrivals.count - 1 } } }
    func arrivals(of key: Key) -> Int { state.withLock { $0.letters[key]?.arrivals.count ?? 0 } }
    func said(_ key: Key) -> (size: Int64, listed: Int64)? { state.withLock { $0.said[key] } }
    /// The most that some targets of a workspace together got in any span shorter than this.
    func most(within span: Duration, at targets: [String], of workspace: String) -> Int {
        let moments = state.withLock { state in targets.flatMap { state.moments[[workspace, $0]] ?? [] } }.sorted()
        var (most, first) = (0, 0)
        for (place, moment) in moments.enumerated() {
            while moment - moments[first] >= span { first += 1 }
            most = max(most, place - first + 1)
        }
        return most
    }
    func keys(of workspace: String) -> Set<Key> {
        state.withLock { Set($0.letters.filter { $0.value.workspace == workspace }.keys) }
    }

    /// The ledger knows for ever that this one was delivered.
    func wrote(_ delivery: DeliveryID) { state.withLock { _ = $0.durableYes.insert(delivery) } }
    /// These were decided; which of them take the place of older ones is the rules' word.
    func decided(_ deliveries: [(rule: String, delivery: Decisions.Delivery)], _ births: [Birth]) {
        state.withLock { state in
            for ((rule, delivery), birth) in zip(deliveries, births) where delivery.supersedes {
                guard let pair = delivery.pair?.number else { continue }
                switch birth {
                case .leased(let id, _, _, _), .pending(let id):
                    state.replaced[Place(pair: pair, rule: rule)] = id
                    state.givingWay.insert(id)
                case .duplicate, .suppressed, .grouped: break
                }
            }
        }
    }
    /// What the receiver of a try asked for is durable.
    func asked(_ settlement: Settlement) {
        guard let until = settlement.notBefore else { return }
        state.withLock { $0.wishes[settlement.delivery] = (settlement.epoch, until) }
    }
    /// A worker may send it from now on.
    func leased(_ claimed: Claimed, suspended: Set<Int64>, at now: Timestamp) {
        state.withLock { state in
            let delivery = claimed.delivery
            if state.durableYes.contains(delivery) {
                state.violations.append("\(delivery) was leased again after the ledger knew that it was delivered")
            }
            if suspended.contains(claimed.lane) {
                state.violations.append("\(delivery) was leased though its endpoint is suspended")
            }
            if let wish = state.wishes[delivery], wish.epoch == claimed.epoch - 1, now < wish.until {
                state.violations.append("\(delivery) was leased before its receiver wants it")
            }
        }
    }
    /// The newer delivery that took its place when it was decided; it may have ended since.
    func replacement(of claimed: Claimed) -> DeliveryID? {
        guard let pair = claimed.pair else { return nil }
        return state.withLock { state in
            guard state.givingWay.contains(claimed.delivery),
                let newest = state.replaced[Place(pair: pair, rule: claimed.rule)], newest > claimed.delivery
            else { return nil }
            return newest
        }
    }
    func violate(_ words: String) { state.withLock { $0.violations.append(words) } }
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

    func receive(_ outgoing: Outgoing, from process: Int, isAnswered: Bool, at clock: ManualClock) {
        let built = Result { () throws(Unsendable) in
            try outgoing.endpoint.channel.request(for: outgoing, now: clock.now())
        }
        let uptime = clock.uptime()
        state.withLock { state in
            let notice = outgoing.notice
            state.moments[[notice.workspace, outgoing.endpoint.name], default: []].append(uptime)
            if let group = notice.group {
                state.said[notice.key] = (group.size, Int64(notice.message.split(separator: "\n- ").count - 1))
            }
            guard case .success(let request) = built else { return state.violations.append("a request was not built") }
            let body = request.body
            let key = outgoing.notice.key
            if let known = state.letters[key] {
                if known.body != body { state.violations.append("a copy of \(outgoing.delivery) has another body") }
                if known.delivery != outgoing.delivery { state.violations.append("\(key) was decided twice") }
            } else {
                state.letters[key] = Letter(
                    delivery: outgoing.delivery, workspace: outgoing.notice.workspace, body: body)
                // What goes another way, or is told by a digest, is in no order with the rest of its receiver's.
                if outgoing.notice.workspace != Crowd.workspace { state.checkOrder(outgoing) }
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
