import CarillonEvents
import CarillonLedger
import CarillonLedgerSQLite

/// A fault in the ledger's code that the simulation has to find.
enum PlantedBug: String, CaseIterable, Sendable {
    /// A position that moves without the decisions of its batch.
    case positionWithoutDecisions
    /// A yes that is not written down.
    case forgottenYes
    /// Deliveries of a pair that do not wait for each other.
    case noOrder
    /// Events that are not recognised when they come again.
    case noMemory
    /// Deliveries of the dead that nobody takes over.
    case noReaping
    /// Windows that nothing falls into.
    case noWindows
    /// Decisions that are lost though their batch was counted.
    case lostDecisions
    /// Tries that may be the only ones and are not marked before they begin.
    case noStartMark
    /// Deliveries of a paused endpoint that are leased all the same.
    case noPause
    /// What has to wait for its receiver that is due at once.
    case noPostponing
    /// Older messages of a subject that do not give way to newer ones.
    case noSuperseding
    /// Events that join no group though their rule has one.
    case noGroups
    /// Groups that speak when they like.
    case hastyGroups
    /// Groups that are not told apart.
    case mixedGroups
    /// Thresholds that nothing falls short of.
    case noThresholds
    /// Deliveries that are judged by older rules than those that decided them.
    case staleRules
    /// Sends that are given back to the quotas they were charged to.
    case freeSends
    /// What should be told by a digest and is in none.
    case lostFolds
}

/// The ledger as one worker process sees it: any call may be its last, and a bug may be planted in it.
final class FaultyLedger: Ledger {
    private let inner: SQLiteLedger
    private let fate: Fate
    private let bug: PlantedBug?
    private var calls = 0
    /// The sessions this process began.
    private(set) var sessions: [SessionID] = []
    /// Hears which yes is durable and what is leased.
    private let receiver: Receiver
    private let process: Int

    init(_ inner: SQLiteLedger, _ fate: Fate, bug: PlantedBug?, _ receiver: Receiver, process: Int) {
        (self.inner, self.fate, self.bug, self.receiver, self.process) = (inner, fate, bug, receiver, process)
    }

    /// A planted bug shows now and then, as real ones do.
    private func shows(_ bug: PlantedBug) -> Bool {
        guard self.bug == bug else { return false }
        calls += 1
        return calls % 3 == 0
    }

    func begin(session worker: String, until: Timestamp, now: Timestamp) throws(LedgerError) -> SessionID {
        try fate.pass("begin") { () throws(LedgerError) in
            let session = try inner.begin(session: worker, until: until, now: now)
            sessions.append(session)
            receiver.began(session, process)
            return session
        }
    }
    func extend(_ session: SessionID, until: Timestamp) throws(LedgerError) -> Bool {
        try fate.pass("extend") { () throws(LedgerError) in try inner.extend(session, until: until) }
    }
    func end(_ session: SessionID, now: Timestamp) throws(LedgerError) {
        try fate.pass("end") { () throws(LedgerError) in
            let isOurs = try inner.status(now: now).workers.contains { $0.session == session }
            try inner.end(session, now: now)
            if isOurs { receiver.ended(session) }
        }
    }
    func reap(now: Timestamp) throws(LedgerError) -> Int {
        if bug == .noReaping { return 0 }
        return try fate.pass("reap") { () throws(LedgerError) in
            let reaped = try inner.reap(now: now)
            // A pause that outlived the lease: what those have a yes for may be sent by others from now on.
            receiver.excuse(allBut: Set(try inner.status(now: now).workers.map(\.session)))
            return reaped
        }
    }
    func position(_ stream: String, _ partition: Int32) throws(LedgerError) -> Int64? {
        try fate.pass("position") { () throws(LedgerError) in try inner.position(stream, partition) }
    }

    func decide(_ batch: Decisions, for session: SessionID, now: Timestamp) throws(LedgerError) -> Decided {
        var asked: [(rule: String, delivery: Decisions.Delivery)] = []
        for selection in batch.selections {
            asked += batch.deliveries[selection.deliveries].map { (selection.rule, $0) }
        }
        let batch = tampered(batch)
        // Sometimes the process dies inside the transaction.
        inner.reach = { [fate] _ in
            fate.reach("in decision")
            return fate.isAlive
        }
        defer { inner.reach = nil }
        return try fate.pass("decide") { () throws(LedgerError) in
            let decided = try inner.decide(batch, for: session, now: now)
            if case .done(let births, _, _) = decided { receiver.decided(asked, births) }
            return decided
        }
    }

    private func tampered(_ batch: Decisions) -> Decisions {
        var batch = batch
        switch bug {
        case .positionWithoutDecisions where shows(.positionWithoutDecisions):
            batch.unmatched += batch.events.count
            (batch.events, batch.selections, batch.deliveries) = ([], [], [])
        case .lostDecisions where shows(.lostDecisions):
            (batch.events, batch.selections, batch.deliveries) = ([], [], [])
        case .noOrder:
            for index in batch.deliveries.indices { batch.deliveries[index].pair = nil }
        case .noWindows:
            for index in batch.selections.indices { batch.selections[index].window = nil }
        case .noThresholds:
            for index in batch.selections.indices { batch.selections[index].threshold = nil }
        case .noGroups where shows(.noGroups):
            for index in batch.selections.indices { batch.selections[index].group = nil }
        case .hastyGroups:
            for index in batch.groups.indices { batch.groups[index].every = .milliseconds(10) }
        case .mixedGroups:
            for index in batch.groups.indices { batch.groups[index].key = batch.groups[0].key }
        case .noSuperseding:
            for index in batch.deliveries.indices { batch.deliveries[index].supersedes = false }
        case .noMemory:
            for index in batch.events.indices {
                batch.events[index].key = Key(high: UInt64(batch.events[index].offset), low: UInt64(batch.partition))
            }
        default: break
        }
        return batch
    }

    func claim(
        for session: SessionID, room: Room, by tariff: (any Tariff)?, now: Timestamp
    ) throws(LedgerError) -> Claims {
        try fate.pass("claim") { () throws(LedgerError) in
            let suspended = try inner.suspended()
            var claims = try claimed(for: session, room: room, by: tariff, now: now)
            for claimed in claims.deliveries {
                receiver.leased(claimed, suspended: suspended, at: now)
                if let newer = receiver.replacement(of: claimed), try isOpen(newer) {
                    receiver.violate("\(claimed.delivery) was leased though \(newer) has taken its place")
                }
            }
            if bug == .staleRules {
                for index in claims.deliveries.indices { claims.deliveries[index].revision = 1 }
            }
            return claims
        }
    }

    private func isOpen(_ delivery: DeliveryID) throws(LedgerError) -> Bool {
        try inner.deliveries(DeliveryFilter(limit: 100_000)).contains {
            $0.id == delivery && ($0.state == .pending || $0.state == .leased)
        }
    }

    private func claimed(
        for session: SessionID, room: Room, by tariff: (any Tariff)?, now: Timestamp
    ) throws(LedgerError) -> Claims {
        // Sometimes the process dies inside the transactions, when it takes, folds or lets speak.
        inner.reach = { [fate] _ in
            fate.reach("in claim")
            return fate.isAlive
        }
        defer { inner.reach = nil }
        if bug == .lostFolds, let tariff {
            return try inner.claim(for: session, room: room, by: ForgetfulTariff(tariff), now: now)
        }
        guard bug == .noPause else { return try inner.claim(for: session, room: room, by: tariff, now: now) }
        let paused = try inner.endpoints(of: nil).filter { $0.state == .paused }
        for row in paused { _ = try inner.resume(row.name, of: row.workspace, now: now) }
        let claims = try inner.claim(for: session, room: room, by: tariff, now: now)
        for row in paused { _ = try inner.pause(row.name, of: row.workspace, reason: row.reason, now: now) }
        return claims
    }

    private func hurried(_ settlement: Settlement) -> Settlement {
        if shows(.freeSends) {
            var free = settlement
            free.isSpent = false
            return free
        }
        guard bug == .noPostponing, case .postponed = settlement.ending else { return settlement }
        var hurried = settlement
        (hurried.ending, hurried.notBefore) = (.released, nil)
        return hurried
    }

    func settle(_ settlements: [Settlement], for session: SessionID, now: Timestamp) throws(LedgerError) {
        let kept = settlements.filter { !($0.ending == .delivered && shows(.forgottenYes)) }.map(hurried)
        inner.reach = { [fate] _ in
            fate.reach("in settle")
            return fate.isAlive
        }
        defer { inner.reach = nil }
        try fate.pass("settle") { () throws(LedgerError) in
            try inner.settle(kept, for: session, now: now)
            for one in settlements where one.ending == .delivered { receiver.wrote(one.delivery) }
            for one in settlements { receiver.asked(one) }
        }
    }

    func start(_ deliveries: [DeliveryID], for session: SessionID, now: Timestamp) throws(LedgerError)
        -> Set<DeliveryID>
    {
        if bug == .noStartMark { return Set(deliveries) }
        return try fate.pass("start") { () throws(LedgerError) in
            try inner.start(deliveries, for: session, now: now)
        }
    }
    func hasten(_ lane: Int64, atMost count: Int, now: Timestamp) throws(LedgerError) -> Int {
        try fate.pass("hasten") { () throws(LedgerError) in try inner.hasten(lane, atMost: count, now: now) }
    }
    func untoldNotices(limit: Int, now: Timestamp) throws(LedgerError) -> [QuotaNotice] {
        try fate.pass("untold") { () throws(LedgerError) in try inner.untoldNotices(limit: limit, now: now) }
    }
    func told(_ notices: [QuotaNotice]) throws(LedgerError) {
        try fate.pass("told") { () throws(LedgerError) in try inner.told(notices) }
    }
    func suspended() throws(LedgerError) -> Set<Int64> {
        try fate.pass("suspended") { () throws(LedgerError) in try inner.suspended() }
    }
    func note(
        _ state: EndpointState?, of lane: Int64, reason: String, for session: SessionID, now: Timestamp
    ) throws(LedgerError) {
        try fate.pass("note") { () throws(LedgerError) in
            try inner.note(state, of: lane, reason: reason, for: session, now: now)
        }
    }

    func revision() throws(LedgerError) -> Revision {
        try fate.pass("revision") { () throws(LedgerError) in try inner.revision() }
    }
    func rules() throws(LedgerError) -> RuleSources {
        try fate.pass("rules") { () throws(LedgerError) in try inner.rules() }
    }

    func rules(changedSince revision: Revision) throws(LedgerError) -> RuleSources {
        try fate.pass("rules since") { () throws(LedgerError) in try inner.rules(changedSince: revision) }
    }
    func rules(of workspace: String, at revision: Revision) throws(LedgerError) -> [SourceText] {
        try fate.pass("rules at") { () throws(LedgerError) in try inner.rules(of: workspace, at: revision) }
    }
    func silences(at moment: Timestamp) throws(LedgerError) -> [Silence] {
        try fate.pass("silences") { () throws(LedgerError) in try inner.silences(at: moment) }
    }
    func secret(_ name: String, of workspace: String) throws(LedgerError) -> [UInt8]? {
        try fate.pass("secret") { () throws(LedgerError) in try inner.secret(name, of: workspace) }
    }
    func tend(now: Timestamp) throws(LedgerError) -> Bool {
        try fate.pass("tend") { () throws(LedgerError) in try inner.tend(now: now) }
    }
}

/// A tariff that knows of no digests.
private final class ForgetfulTariff: Tariff {
    private let inner: any Tariff
    init(_ inner: any Tariff) { self.inner = inner }
    func isCharged(_ target: String, of workspace: String) throws(LedgerError) -> Bool {
        try inner.isCharged(target, of: workspace)
    }
    func toll(of candidate: Candidate) throws(LedgerError) -> Toll? {
        var toll = try inner.toll(of: candidate)
        if case .digested = toll?.last, candidate.delivery % 3 == 0 { toll?.last = .suppressed }
        return toll
    }
}
