import CarillonEvents
import CarillonLedger

/// What a ledger must know, in the simplest form that can be right: dictionaries and linear searches.
struct LedgerModel {
    struct Row {
        let id: DeliveryID
        let pair: Key?
        let rule, target, subject: String
        var state: DeliveryState
        var epoch: Int64 = 0
        var session: SessionID?
        var attempts = 0
        /// Whether it gives way to newer ones of its rule.
        var supersedes = false
        /// The claim that was marked as begun, for what may be sent only once.
        var started: Int64 = 0
        var isOpen: Bool { state == .pending || state == .leased }
    }
    /// By number, which is the order of decision.
    var rows: [Row] = []
    var seen: Set<Key> = []
    /// Dedup windows by key: when each opened and when it ends.
    var windows: [Key: [(opened: Timestamp, ends: Timestamp)]] = [:]
    var suppressed: [Suppression: Int] = [:]
    var position: Int64 = 0
    var duplicates = 0
    var revision: Revision = 0
    var sessions: [SessionID] = []
    /// Targets of which nothing is leased.
    var paused: Set<String> = []

    func index(of id: DeliveryID) -> Int? { rows.firstIndex { $0.id == id } }
    func open(_ pair: Key?) -> [Row] { pair == nil ? [] : rows.filter { $0.pair == pair && $0.isOpen } }

    /// What is leased behind a delivery that went back to pending goes with it.
    mutating func releaseFollowers(of row: Row) {
        guard let pair = row.pair else { return }
        let followers = rows.indices.filter {
            rows[$0].pair == pair && rows[$0].id > row.id && rows[$0].state == .leased
        }
        for index in followers { (rows[index].state, rows[index].session) = (.pending, nil) }
        endSuperseded(followers)
    }

    /// Whether a younger one of its pair and rule has taken its place.
    func isSuperseded(_ row: Row) -> Bool {
        row.supersedes && open(row.pair).contains { $0.id > row.id && $0.rule == row.rule }
    }

    /// What came back to wait ends when a newer one is there.
    private mutating func endSuperseded(_ returned: [Int]) {
        for index in returned where rows[index].state == .pending && isSuperseded(rows[index]) {
            rows[index].state = .expired
        }
    }

    /// What waits in a pair of the same rule gives way.
    mutating func supersede(_ pair: Key?, rule: String) {
        guard let pair else { return }
        for index in rows.indices where rows[index].pair == pair && rows[index].rule == rule {
            if rows[index].state == .pending { rows[index].state = .expired }
        }
    }

    /// Whether an event falls into a window that is there, or opens one.
    mutating func falls(into window: Decisions.Window?, at appended: Timestamp) -> Bool {
        guard let window else { return false }
        let end = appended + window.length
        if windows[window.key, default: []].contains(where: { $0.opened < end && $0.ends > appended }) { return true }
        windows[window.key, default: []].append((appended, end))
        return false
    }

    /// Gives back what a session held, but for what it may have sent and is not to be sent twice.
    mutating func release(_ session: SessionID) {
        sessions.removeAll { $0 == session }
        let held = rows.indices.filter { rows[$0].session == session && rows[$0].state == .leased }
        for index in held {
            let isBegun = rows[index].started == rows[index].epoch
            rows[index].state = isBegun ? .dead : .pending
            if isBegun { rows[index].attempts += 1 }
            rows[index].session = nil
        }
        endSuperseded(held)
    }
}
