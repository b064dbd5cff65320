public import CarillonEvents

// The ledger: the one store of what was decided, what is owed and what was sent.
//
// Three levels: a *decision* is about (event, rule); a selected decision makes a *notification* (here of one event);
// a *delivery* is (notification, target). A notification of one event is not a row of its own: its deliveries name the
// event and the rule. Everything that waits for a time stands in one due-time table.
//
// Contract, held by `LedgerContract` in the tests over every backend:
// - `decide` writes a batch's decisions and moves its position in one durable transaction, or changes nothing.
// - A decided event is never decided again within the dedup horizon.
// - Of the events of one dedup window exactly one is sent, whoever decides them and in whatever order.
// - An event of a grouped selection joins exactly one group, and is counted by exactly one of the group's notifications.
// - A delivery is leased by one session at a time, and so are all leased ones of a (target, subject) pair: the head, and
//   behind it those the same session decided meanwhile, for it to send one after the other. When one of them goes back
//   to pending, those behind it do so with it.
// - `delivered` is final, from whichever claim it comes; a failure counts only from the newest claim.
// - What a dead session held is pending again as soon as its death is known, but for what it had marked as started.
// - Nothing of a suspended endpoint is leased.
// - What is charged to a scope is leased only while every limit of the scope holds, and counts from then on until a window
//   after it was settled.
//
// All calls may block and none is async; one thread uses one `Ledger` value. `decide` survives the machine's crash;
// `settle` may lose its last moments then (P4 counts the copies), never at a process's.

/// The number of a delivery in this ledger; grows with time.
public typealias DeliveryID = Int64
/// The number of a worker's session.
public typealias SessionID = Int64
/// The number of a change of the rules, the secrets or which endpoints are suspended; grows by one with each.
public typealias Revision = Int64

/// What a worker does with the ledger.
public protocol Ledger: AnyObject {
    // Sessions

    /// Registers a worker; its leases hold until `until` or until its death is noticed.
    func begin(session worker: String, until: Timestamp, now: Timestamp) throws(LedgerError) -> SessionID
    /// Prolongs the session. False when others have already ended it: its leases are gone.
    func extend(_ session: SessionID, until: Timestamp) throws(LedgerError) -> Bool
    /// Ends the session; what it still held is pending, due now.
    func end(_ session: SessionID, now: Timestamp) throws(LedgerError)
    /// Ends every session that died or ran out, as `end` does. Returns how many deliveries are pending again.
    func reap(now: Timestamp) throws(LedgerError) -> Int

    // Position and decisions

    /// The next offset to decide, `nil` when nothing was ever decided.
    func position(_ stream: String, _ partition: Int32) throws(LedgerError) -> Int64?
    /// Decides a batch. See `Decided` for what can come of it.
    func decide(_ batch: Decisions, for session: SessionID, now: Timestamp) throws(LedgerError) -> Decided

    // Deliveries

    /// Leases pending deliveries that are due, as many as there is room for, fair by lane.
    ///
    /// - Parameter tariff: what deliveries are charged, in the transaction that leases them; `nil` when nothing is
    ///   charged. What finds no room goes the way of its toll instead.
    func claim(for session: SessionID, room: Room, by tariff: (any Tariff)?, now: Timestamp) throws(LedgerError)
        -> Claims
    /// Writes how tries ended and frees the next of each pair.
    func settle(_ settlements: [Settlement], for session: SessionID, now: Timestamp) throws(LedgerError)
    /// Notes durably that deliveries leased to the session are about to be sent, and may be sent only once.
    ///
    /// Whichever of them is not settled when the session dies is `dead(ambiguous)`: nobody knows whether it arrived.
    ///
    /// - Returns: those of them that are the session's still and may be sent.
    func start(_ deliveries: [DeliveryID], for session: SessionID, now: Timestamp) throws(LedgerError)
        -> Set<DeliveryID>
    /// Makes deliveries of a lane that wait for a later time due now, the earliest first, but none before what its
    /// receiver asked for.
    ///
    /// - Returns: how many; fewer than `count` when there are no more.
    func hasten(_ lane: Int64, atMost count: Int, now: Timestamp) throws(LedgerError) -> Int

    // Endpoints

    /// The lanes of endpoints that are paused or disabled: nothing of them is leased until a person resumes them.
    func suspended() throws(LedgerError) -> Set<Int64>
    /// Says what a worker found out about the endpoint of a lane.
    ///
    /// `disabled` stays until a person resumes it, and is a new revision; `down` is this session's view and goes with
    /// it; `nil` takes `down` back.
    func note(_ state: EndpointState?, of lane: Int64, reason: String, for session: SessionID, now: Timestamp)
        throws(LedgerError)

    // Quotas

    /// What contacts were not sent and are due to be told in a message, the oldest first.
    func untoldNotices(limit: Int, now: Timestamp) throws(LedgerError) -> [QuotaNotice]
    /// Says that the message about each was decided.
    ///
    /// Its event is the same whoever decides it, so a death before this call makes a duplicate and no second message.
    func told(_ notices: [QuotaNotice]) throws(LedgerError)

    // Rules and secrets

    /// The newest revision of rules, secrets and suspended endpoints.
    func revision() throws(LedgerError) -> Revision
    /// Every workspace's documents as of now, with the revision they make.
    func rules() throws(LedgerError) -> RuleSources
    /// The documents of the workspaces that changed after a revision, as of now; a workspace that has none any more is
    /// there without.
    ///
    /// Costs what changed, not what there is.
    func rules(changedSince revision: Revision) throws(LedgerError) -> RuleSources
    /// A workspace's documents as they were when `revision` decided.
    func rules(of workspace: String, at revision: Revision) throws(LedgerError) -> [SourceText]
    /// The silences that are not over at a moment, oldest first.
    ///
    /// Adding one and ending one early are new revisions, as changes of the rules are; running out is none.
    func silences(at moment: Timestamp) throws(LedgerError) -> [Silence]
    /// A secret by name, as it is kept: open it with `SecretVault`; `nil` when it was never set.
    func secret(_ name: String, of workspace: String) throws(LedgerError) -> [UInt8]?

    /// Housekeeping in small steps: checkpoints, retention. Returns true when there is more to do.
    func tend(now: Timestamp) throws(LedgerError) -> Bool
}

extension Ledger {
    /// Leases pending deliveries that are due, charging nothing.
    public func claim(for session: SessionID, room: Room, now: Timestamp) throws(LedgerError) -> Claims {
        try claim(for: session, room: room, by: nil, now: now)
    }
}

/// What one batch of the stream comes to, as arrays that point into each other, so that a batch costs a few allocations.
public struct Decisions: Sendable {
    /// An event some rule selected.
    public struct Event: Sendable {
        /// Its identity.
        public var key: Key
        /// Its workspace.
        public var workspace: String
        /// Its type.
        public var type: String
        /// Its subject, when it has one.
        public var subject: String?
        /// The event's own time, or the stream's where it had none.
        public var time: Timestamp
        /// When the stream took it.
        public var appended: Timestamp
        /// Its place in the partition.
        public var offset: Int64
        /// Where it stands in `bytes`.
        public var value: Range<Int>
        /// Its selections in `selections`.
        public var selections: Range<Int>
        /// Makes one.
        public init(
            key: Key, workspace: String, type: String, subject: String?, time: Timestamp, appended: Timestamp,
            offset: Int64, value: Range<Int>, selections: Range<Int>
        ) {
            (self.key, self.workspace, self.type, self.subject) = (key, workspace, type, subject)
            (self.time, self.appended, self.offset) = (time, appended, offset)
            (self.value, self.selections) = (value, selections)
        }
    }
    /// A rule that selected an event: suppressed for a reason, or with deliveries.
    ///
    /// One selection for each rule, and one more for each target of it that is suppressed by itself.
    public struct Selection: Sendable {
        /// The rule's identity.
        public var rule: String
        /// The workspace of the rule and its targets, when it is not the event's.
        public var workspace: String?
        /// Why nothing is sent; `nil` when something is.
        public var suppressed: Suppression?
        /// What suppressed it, in words a person can look up: a silence's number, an owner's name.
        public var by: String?
        /// The target that is not told, when the rule's other targets are another selection; `nil` for the whole rule.
        public var target: String?
        /// Its deliveries in `deliveries`.
        public var deliveries: Range<Int>
        /// The window it has to be the first of; `nil` when it is sent in any case.
        public var window: Window?
        /// What has to be reached before it is sent, in `thresholds`; `nil` for nothing.
        public var threshold: Int?
        /// The group that it joins instead of making a notification of its own, in `groups`; `nil` for none.
        public var group: Int?
        /// Makes one.
        public init(
            rule: String, of workspace: String? = nil, suppressed: Suppression?, by: String? = nil,
            target: String? = nil, deliveries: Range<Int>, window: Window? = nil, threshold: Int? = nil,
            group: Int? = nil
        ) {
            (self.threshold, self.group) = (threshold, group)
            (self.rule, self.workspace, self.suppressed) = (rule, workspace, suppressed)
            (self.by, self.target, self.deliveries, self.window) = (by, target, deliveries, window)
        }
    }
    /// A target of a notification.
    public struct Delivery: Sendable {
        /// Its identity: the id receivers deduplicate on.
        public var key: Key
        /// The target's name: an endpoint, or `channel/contact`.
        public var target: String
        /// What is kept in order; `nil` when the rule wants no order.
        public var pair: Key?
        /// When it is not worth sending any more.
        public var expires: Timestamp
        /// Whether the worker has room to send it at once.
        public var wanted: Bool
        /// Whether the receiver is known to have a copy: it is born delivered.
        ///
        /// For replays.
        public var isReceived = false
        /// What it waits for although there is room; `nil` for nothing.
        public var wait: Wait?
        /// The address it reaches, the same for all that reach it; `nil` when it is sent whatever else reaches it.
        ///
        /// Of an event's deliveries to one address the first is sent, in the order of the selections and leaving out what
        /// falls into a window. Each other one is suppressed by itself (`alreadySent`, by that one's rule).
        public var copy: String?
        /// Whether it takes the place of older ones of its pair and rule: those that wait end as
        /// `expired(superseded)`.
        public var supersedes: Bool
        /// Makes one.
        public init(
            key: Key, target: String, pair: Key?, expires: Timestamp, wanted: Bool, wait: Wait? = nil,
            copy: String? = nil, supersedes: Bool = false
        ) {
            (self.key, self.target, self.pair, self.expires, self.wanted) = (key, target, pair, expires, wanted)
            (self.wait, self.copy, self.supersedes) = (wait, copy, supersedes)
        }
    }
    /// A delivery's time has not come: it is pending until then, and nothing but a person's hand pulls it forward.
    public struct Wait: Sendable, Hashable {
        /// When it is due.
        public var until: Timestamp
        /// Why, as the delivery's reason says until it is sent.
        public var reason: String
        /// Makes one.
        public init(until: Timestamp, reason: String) { (self.until, self.reason) = (until, reason) }
    }
    /// A rule's dedup window: the first event of it is sent, and the others by it are suppressed.
    ///
    /// A window opens when its first event was appended and lasts `length` from there, on the stream's time alone. An
    /// event that is decided late, from another partition, and was appended up to `length` before a window opened falls
    /// into that window too: one of the two is sent either way.
    public struct Window: Sendable, Hashable {
        /// The rule, and what the events of the window have in common.
        public var key: Key
        /// How long the window lasts if this event opens it.
        public var length: Duration
        /// Makes one.
        public init(key: Key, length: Duration) { (self.key, self.length) = (key, length) }
    }
    /// A record that cannot be decided: what it was and why.
    public struct Parked: Sendable {
        /// Its place in the partition.
        public var offset: Int64
        /// Why it cannot be decided.
        public var reason: String
        /// Where it stands in `bytes`.
        public var value: Range<Int>
        /// Makes one.
        public init(offset: Int64, reason: String, value: Range<Int>) {
            (self.offset, self.reason, self.value) = (offset, reason, value)
        }
    }
    /// The stream and the partition.
    public var stream: String
    /// The partition.
    public var partition: Int32
    /// Where the batch begins; the ledger's position must stand here.
    public var from: Int64
    /// The position afterwards.
    public var next: Int64
    /// The rules it was matched against.
    public var revision: Revision
    /// Records read, records lost to retention before `from + gap`, and records no rule selected.
    public var read = 0
    /// Records lost to retention before `from + gap`.
    public var gap: Int64 = 0
    /// Offsets that never had a record.
    public var holes: Int64 = 0
    /// Records no rule selected.
    public var unmatched = 0
    /// The buffer the values stand in.
    public var bytes: [UInt8]
    /// What rules selected.
    public var events: [Event] = []
    /// Which rules did.
    public var selections: [Selection] = []
    /// What that makes to deliver.
    public var deliveries: [Delivery] = []
    /// What selections have to reach.
    public var thresholds: [Threshold] = []
    /// The groups that selections join.
    public var groups: [Group] = []
    /// What could not be decided.
    public var parked: [Parked] = []
    /// Whether it is decided beside the position, in a range that no batch has.
    ///
    /// The position stays where it is, and when some of the range is decided the answer is `moved`. For replays.
    public var isBeside = false
    /// Whether it was matched against the rules of an earlier revision on purpose.
    ///
    /// For replays.
    public var isByRulesOfThen = false

    /// An empty batch, to fill.
    public init(
        stream: String, partition: Int32, from: Int64, next: Int64, revision: Revision, bytes: [UInt8]
    ) {
        (self.stream, self.partition, self.from, self.next) = (stream, partition, from, next)
        (self.revision, self.bytes) = (revision, bytes)
    }
}

/// What came of deciding a batch.
public enum Decided: Sendable {
    /// Done. One answer for each delivery of the batch, in order; how many events were duplicates; how many selections
    /// of the others were suppressed, by reason.
    case done([Birth], duplicates: Int, suppressed: [Suppression: Int])
    /// Another reader decided part of it: nothing changed, go on from the ledger's position.
    case moved(Int64?)
    /// The rules changed since the batch was matched: nothing changed, match again.
    case rulesMoved
}

/// How a delivery began.
public enum Birth: Sendable, Equatable {
    /// Leased to the worker that decided it. The lane is the target's, for fairness.
    ///
    /// Send it; but when `follows`, only after the one before it, leased to the same session, is settled for good.
    case leased(DeliveryID, epoch: Int64, lane: Int64, follows: Bool)
    /// It waits in the ledger: no room, its time has not come, or an earlier one of its pair waits there or is leased to
    /// another session.
    case pending(DeliveryID)
    /// Its event was decided before.
    case duplicate
    /// Its event joined a group, and is told with the others of it.
    case grouped
    /// Nothing is sent: its selection fell into a window that was open, or another delivery reaches the same address.
    case suppressed
}
