public import CarillonEvents

// What `explain`, `replay` and `verify` ask of the ledger beside the desk. Reads are bounded and their snapshots short, so
// that whoever asks never keeps workers from writing, nor the ledger from tidying up.
//
// Contract, held by `AnswersContract` in the tests over every backend:
// - An event is found by its name whatever the size of the ledger: no question about one event reads all rows.
// - A replay's row and what was done under it are one transaction: a replay that was killed goes on where it was.
// - A batch decided beside the position overlaps no batch that is there.

/// By what an event that was decided is found.
public enum EventName: Sendable, Hashable {
    /// The identity of one of these events.
    case keys(Set<Key>)
    /// What the events are about, whatever their workspace.
    case subject(String)
    /// A delivery of it.
    case delivery(Key)

    /// The event's identity.
    public static func key(_ key: Key) -> EventName { .keys([key]) }
}

/// An event that some rule selected, as the ledger keeps it.
public struct DecidedEvent: Sendable {
    /// Its number in this ledger; grows with each decision.
    public var number: Int64
    /// Its identity.
    public var key: Key
    /// Its place in the stream.
    public var partition: Int32
    /// Its place in the partition.
    public var offset: Int64
    /// When the stream took it.
    public var appended: Timestamp
    /// When it was decided, and by which rules; `nil` when retention took the batch.
    public var batch: DecidedRange?
    /// The event as it was published.
    public var bytes: [UInt8]
    /// Makes one.
    public init(
        number: Int64, key: Key, partition: Int32, offset: Int64, appended: Timestamp, batch: DecidedRange?,
        bytes: [UInt8]
    ) {
        (self.number, self.key, self.partition, self.offset) = (number, key, partition, offset)
        (self.appended, self.batch, self.bytes) = (appended, batch, bytes)
    }
}

/// A part of a partition that was decided in one go, or in goes of one hour and revision.
public struct DecidedRange: Sendable, Hashable {
    /// Its offsets.
    public var offsets: Range<Int64>
    /// The rules that decided it.
    public var revision: Revision
    /// When it was decided first.
    public var at: Timestamp
    /// Makes one.
    public init(offsets: Range<Int64>, revision: Revision, at: Timestamp) {
        (self.offsets, self.revision, self.at) = (offsets, revision, at)
    }

    /// Ranges in order, with those in one that follow each other within an hour and by the same rules.
    package static func joined(_ ranges: [DecidedRange]) -> [DecidedRange] {
        var joined: [DecidedRange] = []
        for next in ranges {
            if let last = joined.last, last.revision == next.revision,
                last.offsets.upperBound == next.offsets.lowerBound, next.at - last.at < .seconds(3600)
            {
                joined[joined.count - 1].offsets = last.offsets.lowerBound..<next.offsets.upperBound
            } else {
                joined.append(next)
            }
        }
        return joined
    }
}

/// Which deliveries a replay is about.
public struct OwedQuestion: Sendable, Hashable {
    /// Of events that the stream took at `since` or later and before `until`.
    public var since, until: Timestamp
    /// By workspace, rule and subject; `nil` means all.
    public var workspace, rule, subject: String?
    /// In one of these states.
    public var states: Set<DeliveryState>
    /// Also what is withheld and was told by a digest, or will be.
    public var includesDigested = false
    /// Makes one.
    public init(
        since: Timestamp, until: Timestamp, workspace: String? = nil, rule: String? = nil, subject: String? = nil,
        states: Set<DeliveryState>
    ) {
        (self.since, self.until, self.states) = (since, until, states)
        (self.workspace, self.rule, self.subject) = (workspace, rule, subject)
    }
}

/// Deliveries found by an `OwedQuestion`, a piece at a time.
public struct OwedPage: Sendable {
    /// One of them.
    public struct Row: Sendable {
        /// Its number.
        public var id: DeliveryID
        /// Its identity.
        public var key: Key
        /// Its workspace and target.
        public var workspace, target: String
        /// Its state.
        public var state: DeliveryState
        /// Makes one.
        public init(id: DeliveryID, key: Key, workspace: String, target: String, state: DeliveryState) {
            (self.id, self.key, self.workspace, self.target, self.state) = (id, key, workspace, target, state)
        }
    }
    /// Those found, the oldest first.
    public var rows: [Row]
    /// Behind which delivery to go on looking; `nil` when all were looked at.
    public var next: DeliveryID?
    /// Makes one.
    public init(rows: [Row], next: DeliveryID?) { (self.rows, self.next) = (rows, next) }
}

/// Selections that were suppressed and that a replay may send after all, a piece at a time.
public struct HeldPage: Sendable {
    /// One of them: an event for a rule.
    public struct Row: Sendable {
        /// The event.
        public var event: DecidedEvent
        /// The rule's workspace and its identity there.
        public var workspace, rule: String
        /// Why nothing was sent.
        public var reason: String
        /// Makes one.
        public init(event: DecidedEvent, workspace: String, rule: String, reason: String) {
            (self.event, self.workspace, self.rule, self.reason) = (event, workspace, rule, reason)
        }
    }
    /// Those found, the oldest first.
    public var rows: [Row]
    /// Behind which to go on looking; `nil` when all were looked at.
    public var next: Int64?
    /// Makes one.
    public init(rows: [Row], next: Int64?) { (self.rows, self.next) = (rows, next) }
}

/// Where the ledger keeps selections that were suppressed and that a replay has sent after all.
///
/// Each is an event of its own in a partition of its own, decided in an ordinary batch, so that the law counts them as it
/// counts all others; the suppression stays what it was. Their identity keeps them from being sent twice.
public enum Replayed {
    /// The name of their stream, and the partition, which no stream has.
    public static let stream = "replay", partition: Int32 = -2
}

extension Key {
    /// An event that is sent after all for a rule that was suppressed.
    ///
    /// - Parameters:
    ///   - event: the event as it was decided first.
    ///   - workspace: the rule's.
    ///   - rule: its identity there.
    public static func replayed(event: Key, workspace: String, rule: String) -> Key {
        var hasher = KeyHasher("replayed")
        hasher.add(event)
        hasher.add(workspace)
        hasher.add(rule)
        return hasher.key()
    }
}

/// A replay under way, or one that has ended.
public struct ReplayRow: Sendable, Hashable {
    /// Its number.
    public var id: Int64
    /// What it was asked to do.
    public var question: String
    /// The window it is about, fixed when it began.
    public var since, until: Timestamp
    /// Behind which delivery it goes on, and the newest there was when it began.
    public var cursor, last: DeliveryID
    /// When it began and when it ended.
    public var began: Timestamp
    /// When it ended; `nil` while there is more to do.
    public var ended: Timestamp?
    /// Deliveries it has reopened and events it has decided.
    public var reopened, decided: Int64
    /// Makes one.
    public init(
        id: Int64, question: String, since: Timestamp, until: Timestamp, cursor: DeliveryID, last: DeliveryID,
        began: Timestamp, ended: Timestamp?, reopened: Int64, decided: Int64
    ) {
        (self.id, self.question, self.since, self.until) = (id, question, since, until)
        (self.cursor, self.last) = (cursor, last)
        (self.began, self.ended, self.reopened, self.decided) = (began, ended, reopened, decided)
    }
}

/// A piece of the conservation law over a window, counted in one short snapshot.
public struct AuditPage: Sendable {
    /// The deliveries of the piece by state, and how many of them are the first of their notification.
    public var states: [DeliveryState: Int64]
    /// How many notifications of one event they are.
    public var notified: Int64
    /// What is wrong with single rows, each named.
    public var residue: [String]
    /// The identities of the deliveries that are delivered.
    public var delivered: [Key]
    /// Behind which delivery to go on; `nil` at the end.
    public var next: DeliveryID?
    /// Behind which delivery it began: further on than asked when retention has overtaken.
    public var behind: DeliveryID
    /// The running counts as of this snapshot.
    public var tallies: [String: Int64] = [:]
    /// Makes one.
    public init(
        behind: DeliveryID,
        states: [DeliveryState: Int64], notified: Int64, residue: [String], delivered: [Key], next: DeliveryID?
    ) {
        self.behind = behind
        (self.states, self.notified, self.residue) = (states, notified, residue)
        (self.delivered, self.next) = (delivered, next)
    }

    /// What can be wrong with a delivery, in the order of the backends' columns.
    package enum Fault: Int, CaseIterable {
        case noEvent, noRule, noSession, beyondSession, asleep, stray

        var words: String {
            switch self {
            case .noEvent: "its event is gone"
            case .noRule: "its rule is gone"
            case .noSession: "it is leased, and its session is gone"
            case .beyondSession: "it is leased, and a death of its worker would not free it"
            case .asleep: "it is pending, and nothing will wake it"
            case .stray: "it is not pending, and has a time at which it is due"
            }
        }
    }

    /// Adds one delivery.
    package mutating func add(_ key: Key, _ state: DeliveryState, isFirst: Bool, faults: [Fault]) {
        states[state, default: 0] += 1
        if isFirst { notified += 1 }
        if state == .delivered { delivered.append(key) }
        for fault in faults { residue.append("delivery \(key): \(fault.words)") }
    }
}

/// A window of time by the hours it touches: batches grow for an hour at most.
package struct AuditWindow {
    /// The first moment of it, and the first behind it.
    package let first, end: Int64
    /// Makes one.
    package init(_ since: Timestamp, _ until: Timestamp) {
        let hour: Int64 = 3_600_000
        first = since.milliseconds / hour * hour
        end = until.milliseconds > .max - hour ? until.milliseconds : (until.milliseconds + hour - 1) / hour * hour
    }
}

extension Conservation {
    /// Compares what became of records, and those parked with the rows there are.
    package mutating func compareRecords(parkedKept kept: Int64) {
        if read != unmatched + matched + duplicate + parked {
            residue.append(
                "records read = unmatched + matched + duplicate + parked: \(read) ≠ \(unmatched) + \(matched) + "
                    + "\(duplicate) + \(parked)")
        }
        if parked != kept { residue.append("parked = records kept: \(parked) ≠ \(kept)") }
    }
}

/// What questions and replays need of the ledger.
public protocol LedgerAnswers: AnyObject {
    // Explaining

    /// Decided events of a name, the newest first, at most `limit`.
    func events(_ name: EventName, limit: Int) throws(LedgerError) -> [DecidedEvent]
    /// The groups that an event joined, by its number; of a notification's own number, the group that it tells of.
    func memberships(of event: Int64) throws(LedgerError) -> [Membership]
    /// The workspaces whose rules ever selected an event.
    func workspaces() throws(LedgerError) -> [String]
    /// How far each partition is decided.
    func positions() throws(LedgerError) -> [LedgerStatus.PositionRow]
    /// The ranges of a partition that are decided, in order.
    func decided(_ stream: String, _ partition: Int32) throws(LedgerError) -> [DecidedRange]
    /// The revision of the rules that was in force at a moment; zero before the first.
    func revision(at moment: Timestamp) throws(LedgerError) -> Revision
    /// A parked record; `nil` when it was not parked or retention took it.
    ///
    /// - Parameter stream: whose partition it is; `nil` when only one has it.
    func parked(_ stream: String?, _ partition: Int32, _ offset: Int64) throws(LedgerError) -> ParkedRow?
    /// Notes that a parked record was mended and published anew, so that listings say so. It stays a parked record.
    func noteRetried(_ stream: String, _ partition: Int32, _ offset: Int64, now: Timestamp) throws(LedgerError)

    // Replaying

    /// The replay that was asked the same and has not ended, or a new one.
    func begin(replay question: String, since: Timestamp, until: Timestamp, now: Timestamp) throws(LedgerError)
        -> ReplayRow
    /// Looks for deliveries behind one and up to another (`nil`: all there are), through a bounded number of rows.
    func owed(_ question: OwedQuestion, after cursor: DeliveryID, upTo last: DeliveryID?) throws(LedgerError)
        -> OwedPage
    /// Looks for whole selections that were suppressed for one of these reasons, behind one of them, through a bounded
    /// number of rows. The question's states mean nothing here; what a replay has sent of them already is found too.
    func held(_ question: OwedQuestion, for reasons: Set<Suppression>, after cursor: Int64) throws(LedgerError)
        -> HeldPage
    /// Reopens deliveries and moves the replay's cursor behind `next`: pending, due now, with a new round.
    ///
    /// One that was delivered stays delivered whatever becomes of the new try. What is open is left alone.
    ///
    /// - Parameters:
    ///   - deliveries: their numbers.
    ///   - received: those of which the receiver is known to have a copy: they end as delivered instead.
    ///   - revision: the rules their text comes from; `nil` for those that decided them.
    ///   - replay: the replay, and where its cursor stands afterwards.
    /// - Returns: how many were reopened.
    func reopen(
        _ deliveries: [DeliveryID], received: [DeliveryID], by revision: Revision?,
        of replay: (id: Int64, cursor: DeliveryID), now: Timestamp
    ) throws(LedgerError) -> Int
    /// Notes how many events a replay has decided, and that it has ended.
    func note(replay id: Int64, decided: Int64, ended: Bool, now: Timestamp) throws(LedgerError)

    // Verifying

    /// Sums the batches decided in a window, as `verify` has them; its ends are those of hours.
    func batches(since: Timestamp, until: Timestamp) throws(LedgerError) -> Conservation
    /// Looks at deliveries decided in a window behind one and up to another (`nil`: all there are), a bounded number in one
    /// snapshot.
    func audit(since: Timestamp, until: Timestamp, after cursor: DeliveryID, upTo last: DeliveryID?, now: Timestamp)
        throws(LedgerError) -> AuditPage
    /// What `verify` begins with: a moment in which no decision is half done. Waits for those under way, no longer.
    func beginVerification(now: Timestamp) throws(LedgerError) -> VerificationStart
    /// Counts rows of a table behind one and up to another, a bounded number in one snapshot.
    func count(_ table: VerificationStart.Table, after cursor: Int64, upTo last: Int64) throws(LedgerError)
        -> CountedPiece
    /// Looks for what is wrong beside these rows, a bounded piece in one snapshot.
    ///
    /// - Parameter cursor: where to go on, as the call before said; empty at first.
    func verifyRest(after cursor: [Int64]) throws(LedgerError) -> (residue: [String], next: [Int64]?)
    /// The running counts by name.
    func tallies() throws(LedgerError) -> [String: Int64]
}
