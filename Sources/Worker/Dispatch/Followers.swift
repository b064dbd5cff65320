import CarillonEvents
import CarillonLedger
import CarillonRules
import DequeModule

// Order per (target, subject), while all of a pair is in one worker's hands: the head is with the courier, the later ones
// wait here, leased as well, and go one after the other as the one before is settled for good. Nothing of that is written
// down, as the ledger would hand them out in the same order. When one has to wait for its next try, the later ones go
// back to the ledger with it.

/// A leased delivery that waits for another of its pair.
struct Follower {
    let claim: ClaimName
    let notice: Notice
    let target: String
    let rules: WorkspaceRules
    /// The rules' revision it was decided by.
    let revision: Revision
    let expires: Timestamp
    /// Whether it takes the place of its rule's older ones.
    let supersedes: Bool
}

/// The followers of each pair that has a delivery with the courier, in their order.
struct Followers {
    private var pairs: [Int64: Deque<Follower>] = [:]

    /// Notes that a delivery of the pair is with the courier.
    mutating func lead(_ pair: Int64) {
        if pairs[pair] == nil { pairs[pair] = [] }
    }

    /// Puts a delivery behind those of its pair; false when none of them is here any more.
    mutating func add(_ follower: Follower, to pair: Int64) -> Bool {
        guard pairs[pair] != nil else { return false }
        pairs[pair]?.append(follower)
        return true
    }

    /// Takes the one whose turn it is, as the one before it is settled; `nil` when nobody waits.
    mutating func next(of pair: Int64) -> Follower? {
        guard let next = pairs[pair]?.popFirst() else {
            pairs[pair] = nil
            return nil
        }
        return next
    }

    /// Takes all that wait in a pair.
    mutating func leave(_ pair: Int64) -> [Follower] {
        pairs.removeValue(forKey: pair).map(Array.init) ?? []
    }

    /// Takes those of a pair that a newer one of their rule takes the place of.
    mutating func leave(_ pair: Int64, supersededBy newer: Follower) -> [Follower] {
        guard newer.supersedes else { return [] }
        return take(of: pair) { $0.supersedes && $0.notice.rule == newer.notice.rule }
    }

    /// Takes all that wait in the pairs that a test is true of.
    mutating func leave(where isChosen: (Follower) -> Bool) -> [Follower] {
        pairs.keys.sorted().flatMap { take(of: $0, where: isChosen) }
    }

    private mutating func take(of pair: Int64, where isChosen: (Follower) -> Bool) -> [Follower] {
        let taken = pairs[pair]?.filter(isChosen) ?? []
        if !taken.isEmpty { pairs[pair]?.removeAll(where: isChosen) }
        return taken
    }

    /// Takes all that wait.
    mutating func leaveAll() -> [Follower] { pairs.keys.sorted().flatMap { leave($0) } }
}

extension Path {
    /// Keeps a delivery until it is its turn.
    func keep(_ follower: Follower, _ held: Held) {
        self.held[follower.claim] = held
        guard let pair = held.pair else { return giveBack(follower) }
        for older in followers.leave(pair, supersededBy: follower) { giveBack(older, .expired, reason: "superseded") }
        guard followers.add(follower, to: pair) else { return giveBack(follower) }
    }

    /// Notes how a delivery of ours ends, for those behind it.
    func note(_ ending: Settlement.Ending, of held: Held) {
        guard let pair = held.pair else { return }
        switch ending {
        case .delivered, .dead, .expired: settledPairs.append(pair)
        case .retry, .released, .postponed: for follower in followers.leave(pair) { giveBack(follower) }
        }
    }

    /// Sends what waited for deliveries that are settled now.
    func sendFollowers() {
        var batch: [Outgoing] = []
        for pair in settledPairs {
            if let next = followers.next(of: pair) { sendInTurn(next, into: &batch) }
        }
        settledPairs.removeAll(keepingCapacity: true)
        offer(batch)
    }

    private func sendInTurn(_ follower: Follower, into batch: inout [Outgoing]) {
        guard let held = held.removeValue(forKey: follower.claim) else { return }
        let (id, epoch) = (follower.claim.delivery, follower.claim.epoch)
        if follower.revision != book.current.revision {
            // Its rule or target may be gone: the ledger knows.
            return end(id, epoch, held, .released, reason: "")
        }
        guard follower.expires > clock.now() else { return end(id, epoch, held, .expired, reason: "expire_after") }
        send(id, epoch, held, follower.notice, to: follower.target, follower.rules, into: &batch)
    }

    /// Gives a delivery back that never was with the courier.
    func giveBack(_ follower: Follower, _ ending: Settlement.Ending = .released, reason: String = "") {
        guard let held = held.removeValue(forKey: follower.claim) else { return }
        lanes.free(held.lane)
        settlements.append(
            Settlement(
                delivery: follower.claim.delivery, epoch: follower.claim.epoch, ending: ending, reason: reason))
    }
}
