public import CarillonEvents

// The desk: what people and programs ask of the ledger or tell it. Apart from the worker's contract, because it is called
// from other processes, by hand, and never on the path. One thread uses one desk.

/// The state of a delivery, named the same in code, tables, listings and tests.
public enum DeliveryState: String, Sendable, CaseIterable, Codable {
    case pending, leased, delivered, dead, expired, withheld, cancelled
}

/// Which deliveries a command means; absent fields mean all.
public struct DeliveryFilter: Sendable {
    /// By identity.
    public var key: Key?
    /// By workspace, rule, subject, or the contact or endpoint.
    public var workspace, rule, subject, contact: String?
    /// By state.
    public var state: DeliveryState?
    /// By the class of the failure, or why nothing was sent.
    public var reason: String?
    /// Decided at this moment or later.
    public var since: Timestamp?
    /// At most this many, newest first.
    public var limit: Int
    /// Of this event alone, by its number (`DecidedEvent.number`).
    public var event: Int64?
    /// Makes one; without arguments it means the newest hundred of all.
    public init(
        key: Key? = nil, workspace: String? = nil, rule: String? = nil, subject: String? = nil, contact: String? = nil,
        state: DeliveryState? = nil, reason: String? = nil, since: Timestamp? = nil, limit: Int = 100
    ) {
        (self.key, self.workspace, self.rule, self.subject, self.contact) = (key, workspace, rule, subject, contact)
        (self.state, self.reason, self.since, self.limit) = (state, reason, since, limit)
    }
}

/// A delivery as people see it.
public struct DeliveryRow: Sendable, Codable {
    /// Its number.
    public var id: DeliveryID
    /// Its names.
    public var key, workspace, rule, target, type: String
    /// The event's subject.
    public var subject: String?
    /// Its state.
    public var state: DeliveryState
    /// Tries that failed.
    public var attempts: Int
    /// Why it is dead, expired, withheld or waiting to be tried again.
    public var reason: String
    /// Milliseconds since the epoch.
    public var decidedAt: Int64
    /// When it is tried next, and when it ended.
    public var dueAt, settledAt: Int64?
    /// The target that was told instead of its own.
    public var via: String?
    /// Makes one.
    public init(
        id: DeliveryID, key: String, workspace: String, rule: String, target: String, type: String, subject: String?,
        state: DeliveryState, attempts: Int, reason: String, decidedAt: Int64, dueAt: Int64?, settledAt: Int64?
    ) {
        (self.id, self.key, self.workspace, self.rule, self.target) = (id, key, workspace, rule, target)
        (self.type, self.subject, self.state, self.attempts) = (type, subject, state, attempts)
        (self.reason, self.decidedAt, self.dueAt, self.settledAt) = (reason, decidedAt, dueAt, settledAt)
    }
}

/// One failed try of a delivery, as people see it.
public struct AttemptRow: Sendable, Codable {
    /// Which try it was, from 1.
    public var number: Int
    /// When it ended, in milliseconds since the epoch.
    public var at: Int64
    /// The class of the failure.
    public var reason: String
    /// The HTTP status, 0 when there was none.
    public var status: Int
    /// The receiver's own words.
    public var words: String
    /// Makes one.
    public init(number: Int, at: Int64, reason: String, status: Int, words: String) {
        (self.number, self.at, self.reason, self.status, self.words) = (number, at, reason, status, words)
    }
}

/// A rule that selected an event and sends nothing for it, as people see it.
public struct SuppressedRow: Sendable, Codable {
    /// Whose event it is, the rule that selected it, and its type.
    public var workspace, rule, type: String
    /// What the event is about.
    public var subject: String?
    /// Why nothing is sent; one of `Suppression`.
    public var reason: String
    /// What suppressed it: the delivery whose window it fell into, a silence's number, a rule, an owner's name.
    public var by: String?
    /// The target that was not told; `nil` for the whole rule.
    public var target: String?
    /// When it was decided, in milliseconds since the epoch.
    public var decidedAt: Int64
    /// The event as it was published.
    public var event: [UInt8]
    /// Makes one.
    public init(
        workspace: String, rule: String, type: String, subject: String?, reason: String, by: String?,
        target: String? = nil, decidedAt: Int64, event: [UInt8]
    ) {
        (self.workspace, self.rule, self.type, self.subject) = (workspace, rule, type, subject)
        (self.reason, self.by, self.target, self.decidedAt, self.event) = (reason, by, target, decidedAt, event)
    }
}

/// A parked record, as people see it.
public struct ParkedRow: Sendable, Codable {
    /// Where it stands in the stream.
    public var stream: String
    /// Its partition.
    public var partition: Int32
    /// Its place in the partition.
    public var offset: Int64
    /// Why it could not be decided.
    public var reason: String
    /// When it was parked, in milliseconds since the epoch.
    public var at: Int64
    /// When it was mended and published anew; `nil` as long as it was not.
    public var retriedAt: Int64?
    /// The record as it was.
    public var bytes: [UInt8]
    /// Makes one.
    public init(
        stream: String, partition: Int32, offset: Int64, reason: String, at: Int64, retriedAt: Int64? = nil,
        bytes: [UInt8]
    ) {
        (self.stream, self.partition, self.offset) = (stream, partition, offset)
        (self.reason, self.at, self.retriedAt, self.bytes) = (reason, at, retriedAt, bytes)
    }
}

/// The state of the whole, for `status` and for metrics.
public struct LedgerStatus: Sendable, Codable {
    /// The revision of rules and secrets.
    public var revision: Revision
    /// How far each partition is decided.
    public var positions: [PositionRow]
    /// Deliveries by state.
    public var deliveries: [String: Int64]
    /// When the oldest open delivery began, in milliseconds since the epoch.
    public var oldestPending: Int64?
    /// Records that could not be decided.
    public var parked: Int64
    /// Suppressed decisions by reason.
    public var suppressed: [String: Int64]
    /// The sessions of workers.
    public var workers: [WorkerRow]
    /// The endpoints that something keeps from getting messages.
    public var endpoints: [EndpointRow]
    /// How far a partition is decided.
    public struct PositionRow: Sendable, Codable {
        /// The stream's name.
        public var stream: String
        /// The partition.
        public var partition: Int32
        /// The next offset to decide.
        public var next: Int64
        /// Makes one.
        public init(stream: String, partition: Int32, next: Int64) {
            (self.stream, self.partition, self.next) = (stream, partition, next)
        }
    }
    /// A worker's session.
    public struct WorkerRow: Sendable, Codable {
        /// Its number.
        public var session: SessionID
        /// How the worker calls itself.
        public var name: String
        /// When its leases end, in milliseconds since the epoch.
        public var until: Int64
        /// Whether the worker lives, as the platform can tell.
        public var alive: Bool
        /// What it holds.
        public var leased: Int64
        /// Makes one.
        public init(session: SessionID, name: String, until: Int64, alive: Bool, leased: Int64) {
            (self.session, self.name, self.until, self.alive, self.leased) = (session, name, until, alive, leased)
        }
    }
    /// Makes one.
    public init(
        revision: Revision, positions: [PositionRow], deliveries: [String: Int64], oldestPending: Int64?, parked: Int64,
        suppressed: [String: Int64], workers: [WorkerRow], endpoints: [EndpointRow] = []
    ) {
        self.endpoints = endpoints
        (self.revision, self.positions, self.deliveries) = (revision, positions, deliveries)
        (self.oldestPending, self.parked, self.suppressed, self.workers) = (oldestPending, parked, suppressed, workers)
    }
}

/// The conservation law, counted (P3).
///
/// `residue` names everything that does not add up; empty when the law holds.
public struct Conservation: Sendable, Codable {
    /// Records by what became of them.
    public var read, unmatched, matched, duplicate, parked, lost: Int64
    /// (event, rule) pairs selected, and what became of them.
    public var selected, notified, suppressed: Int64
    /// Those of them that joined a group.
    public var grouped: Int64 = 0
    /// Deliveries by state.
    public var deliveries: [String: Int64]
    /// Everything that does not add up.
    public var residue: [String]
    /// Makes one.
    public init(
        read: Int64, unmatched: Int64, matched: Int64, duplicate: Int64, parked: Int64, lost: Int64, selected: Int64,
        notified: Int64, suppressed: Int64, deliveries: [String: Int64], residue: [String]
    ) {
        (self.read, self.unmatched, self.matched) = (read, unmatched, matched)
        (self.duplicate, self.parked, self.lost) = (duplicate, parked, lost)
        (self.selected, self.notified, self.suppressed) = (selected, notified, suppressed)
        (self.deliveries, self.residue) = (deliveries, residue)
    }
}

/// One workspace's new documents, checked and compiled by the caller.
public struct RuleChange: Sendable {
    /// The workspace.
    public var workspace: String
    /// The documents; empty removes the workspace's rules.
    public var sources: [SourceText]
    /// The identities of the enabled rules, each with its targets: pending deliveries of all others end.
    public var living: [String: Set<String>]
    /// Makes one.
    public init(workspace: String, sources: [SourceText], living: [String: Set<String>]) {
        (self.workspace, self.sources, self.living) = (workspace, sources, living)
    }
}

/// What people and programs do with the ledger.
public protocol LedgerDesk: AnyObject {
    /// The documents in force.
    func rules() throws(LedgerError) -> RuleSources
    /// Replaces the documents of these workspaces in one transaction, provided the rules still stand at `base`.
    ///
    /// - Returns: the new revision and how many pending deliveries ended as `expired(rule_removed)`;
    ///   `nil` when somebody else changed the rules since `base`: read, compare and try again.
    func apply(_ changes: [RuleChange], base: Revision, keepPending: Bool, now: Timestamp) throws(LedgerError)
        -> (revision: Revision, expired: Int)?
    /// Holds back what a workspace's rules select and the pattern fits, until a time; a new revision.
    ///
    /// - Returns: the silence's number.
    func add(_ silence: NewSilence, now: Timestamp) throws(LedgerError) -> SilenceID
    /// All silences that are kept, those that are over too, oldest first.
    func silences() throws(LedgerError) -> [Silence]
    /// Ends a silence now; a new revision.
    ///
    /// - Returns: false when there is none of that number or it is over.
    func endSilence(_ id: SilenceID, now: Timestamp) throws(LedgerError) -> Bool
    /// Sets a secret: opaque bytes, sealed by who sets it (`SecretKeyring`).
    func setSecret(_ name: String, of workspace: String, to value: [UInt8], now: Timestamp) throws(LedgerError)
    /// Forgets a secret; false when there was none.
    func removeSecret(_ name: String, of workspace: String, now: Timestamp) throws(LedgerError) -> Bool
    /// The names of a workspace's secrets with the time each was set.
    func secrets(of workspace: String) throws(LedgerError) -> [(name: String, set: Timestamp)]
    /// Every workspace's secrets as they are kept, by workspace and name.
    func storedSecrets() throws(LedgerError) -> [StoredSecret]
    /// Keeps the same secret in other bytes, provided it is still kept as it was; false when it is not.
    ///
    /// Its value is what it was, so this is no new revision and no new time of setting. The old bytes are wiped where the
    /// backend can.
    func replaceSecret(_ old: StoredSecret, with value: [UInt8]) throws(LedgerError) -> Bool
    /// Lists deliveries, newest first.
    func deliveries(_ filter: DeliveryFilter) throws(LedgerError) -> [DeliveryRow]
    /// Lists what was suppressed, newest first.
    ///
    /// Suppressed is an event for a rule, most often before there is a target: a filter by contact finds the targets that
    /// were suppressed by themselves, a filter by state nothing. A filter by key finds what fell into the dedup window that
    /// this delivery opened.
    func suppressed(_ filter: DeliveryFilter) throws(LedgerError) -> [SuppressedRow]
    /// The failed tries of a delivery, oldest first.
    func attempts(of delivery: DeliveryID) throws(LedgerError) -> [AttemptRow]
    /// The pages of one reader's inbox, newest first, at most `limit`.
    ///
    /// - Parameters:
    ///   - target: the deliveries' target, such as `inbox/alice`.
    ///   - workspace: whose rules wrote to it.
    func inbox(of target: String, in workspace: String, limit: Int) throws(LedgerError) -> [InboxRow]
    /// The event behind a delivery, as it was published.
    func event(of delivery: DeliveryID) throws(LedgerError) -> [UInt8]?
    /// Reopens dead, expired and cancelled deliveries: pending, due now, with a new round; or makes waiting ones due now.
    func retry(_ filter: DeliveryFilter, now: Timestamp) throws(LedgerError) -> Int
    /// Ends open deliveries that are not on their way as `cancelled`.
    func cancel(_ filter: DeliveryFilter, now: Timestamp) throws(LedgerError) -> Int
    /// The endpoints that something keeps from getting messages, and, with a workspace, all of its that ever had a
    /// delivery.
    func endpoints(of workspace: String?) throws(LedgerError) -> [EndpointRow]
    /// Suspends an endpoint until it is resumed; a new revision. False when it was already.
    func pause(_ endpoint: String, of workspace: String, reason: String, now: Timestamp) throws(LedgerError) -> Bool
    /// Lets an endpoint have messages again, whoever suspended it; a new revision. False when nothing did.
    func resume(_ endpoint: String, of workspace: String, now: Timestamp) throws(LedgerError) -> Bool
    /// The scopes of quotas that were ever charged, by name.
    func quotas() throws(LedgerError) -> [QuotaRow]
    /// What was withheld from contacts in the windows that are kept, the newest first.
    func quotaNotices(of workspace: String?, limit: Int) throws(LedgerError) -> [QuotaNotice]
    /// Forgets what counts in scopes, but for what is open, and makes deliveries that wait for quota due now.
    ///
    /// - Parameters:
    ///   - scopes: which; `nil` for all.
    ///   - waking: the lanes whose deliveries are made due; `nil` for all.
    ///   - author: who, kept with the scopes.
    /// - Returns: how many scopes and how many waiting deliveries.
    func resetQuotas(_ scopes: Set<String>?, waking: Set<LaneName>?, by author: String, now: Timestamp)
        throws(LedgerError) -> (scopes: Int, woken: Int)
    /// Parked records, newest first.
    func parked(limit: Int) throws(LedgerError) -> [ParkedRow]
    /// Writes a mark of no meaning, to prove that the ledger can be written.
    ///
    /// - Throws: what a worker would meet, such as `full`.
    func touch(now: Timestamp) throws(LedgerError)
    /// How it stands.
    func status(now: Timestamp) throws(LedgerError) -> LedgerStatus
}
