package import CarillonEvents

/// The scopes that one transaction of a ledger charges: read before, changed here, written back after.
///
/// Pure; both ledgers decide by it.
package struct QuotaBook {
    /// A scope as its row has it.
    package struct Page {
        /// Its name.
        package let scope: String
        /// What was sent.
        package var log: SendLog
        /// The workspace and target of the last charge, for people, who are shown no address.
        package var label: String
        /// Whether it has a row.
        package fileprivate(set) var isKnown = true
        fileprivate var isChanged = false
        /// A page as its row has it.
        package init(_ scope: String, log: SendLog, label: String) {
            (self.scope, self.log, self.label) = (scope, log, label)
        }
    }
    /// What becomes of a delivery that asks to be leased.
    package enum Fate: Equatable {
        /// Leased: sent to `via` when that is not its own target, charged to the scopes.
        case leased(via: String?, scopes: [String])
        /// It waits until a moment.
        case deferred(Timestamp)
        /// It is withheld for a reason.
        case withheld(String)
        /// It is withheld and told by a digest.
        case digested
    }
    /// The scopes that were read or made, and where each stands there.
    private var pages: [Page] = []
    private var places: [String: Int] = [:]

    /// An empty book.
    package init() {}

    /// Whether a scope is here.
    package func has(_ scope: String) -> Bool { places[scope] != nil }

    /// Adds a scope as its row has it.
    package mutating func add(_ page: Page) {
        places[page.scope] = pages.count
        pages.append(page)
    }

    /// The scopes to write back.
    package var changes: [Page] { pages.filter(\.isChanged) }

    /// Charges the first route that has room.
    ///
    /// - Parameters:
    ///   - claim: the claim that will be, if there is room.
    ///   - expires: it is not told to wait longer than this.
    ///   - label: its workspace and target.
    ///   - isTold: whether the event's person is told on a target already.
    package mutating func charge<Failure: Error>(
        _ toll: Toll, _ claim: SendLog.Open, expires: Timestamp, label: String, now: Timestamp,
        isTold: (String) throws(Failure) -> Bool
    ) throws(Failure) -> Fate {
        for route in toll.routes {
            if let target = route.target, try isTold(target) { return .withheld(QuotaReason.merged) }
            guard hasRoom(route.charges, toll.isCritical, now) else { continue }
            for charge in route.charges {
                var claim = claim
                claim.weight = max(1, charge.weight)
                pages[touch(charge.scope, label)].log.begin(claim, charge.limits, now: now)
            }
            return .leased(via: route.target, scopes: route.charges.map(\.scope))
        }
        switch toll.last {
        case .waits: return .deferred(min(turn(of: toll, label: label, now: now), max(expires, now)))
        case .suppressed: return .withheld(QuotaReason.quota)
        case .digested: return .digested
        }
    }

    /// Whether some route has room.
    package func hasRoom(_ toll: Toll, now: Timestamp) -> Bool {
        toll.routes.contains { hasRoom($0.charges, toll.isCritical, now) }
    }

    /// Ends the send of a claim in the scopes it was charged to; those that are not here are passed over.
    package mutating func settle(
        _ scopes: [String], _ delivery: DeliveryID, epoch: Int64, counts: Bool, now: Timestamp
    ) {
        for place in scopes.compactMap({ places[$0] }) {
            pages[place].log.settle(delivery, epoch: epoch, counts: counts, now: now)
            pages[place].isChanged = true
        }
    }

    /// Ends what a session left open, in all scopes that are here.
    package mutating func end(
        _ session: SessionID, where isChosen: (SendLog.Open) -> Bool = { _ in true }, counts: Bool, now: Timestamp
    ) {
        for place in pages.indices
        where pages[place].log.open.contains(where: { $0.session == session && isChosen($0) }) {
            pages[place].log.end(session, where: isChosen, counts: counts, now: now)
            pages[place].isChanged = true
        }
    }

    private func hasRoom(_ charges: [Charge], _ isCritical: Bool, _ now: Timestamp) -> Bool {
        charges.allSatisfy { charge in
            room(charge, isCritical, now) == .free
        }
    }

    private func room(_ charge: Charge, _ isCritical: Bool, _ now: Timestamp) -> SendLog.Room {
        guard let place = places[charge.scope] else {
            return SendLog().room(charge.limits, weight: charge.weight, isCritical: isCritical, now: now)
        }
        return pages[place].log.room(charge.limits, weight: charge.weight, isCritical: isCritical, now: now)
    }

    /// When something comes back that found no room: when the route that has room soonest has it.
    ///
    /// Each full scope of that route gives it a turn; the latest counts.
    package mutating func turn(of toll: Toll, label: String, now: Timestamp) -> Timestamp {
        func moment(_ charge: Charge) -> Timestamp? {
            switch room(charge, toll.isCritical, now) {
            case .full(let until): until ?? now
            case .free: nil
            }
        }
        let soonest = toll.routes.min { a, b in
            (a.charges.compactMap(moment).max() ?? now) < (b.charges.compactMap(moment).max() ?? now)
        }
        var wait = now
        for charge in soonest?.charges ?? [] {
            guard case .full(let until) = room(charge, toll.isCritical, now) else { continue }
            let turn = pages[touch(charge.scope, label)].log.promise(
                until, charge.limits, weight: charge.weight, isCritical: toll.isCritical, now: now)
            wait = max(wait, turn)
        }
        return wait
    }

    /// Where the page of a scope stands that is changed now; a new one when it has none.
    private mutating func touch(_ scope: String, _ label: String) -> Int {
        let place = places[scope] ?? pages.count
        if place == pages.count {
            var page = Page(scope, log: SendLog(), label: label)
            page.isKnown = false
            add(page)
        }
        pages[place].label = label
        pages[place].isChanged = true
        return place
    }
}
