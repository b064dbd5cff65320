public import CarillonEvents
public import CarillonLedger
public import CarillonRules

// The answer to "why did I, or did I not, get this?": each event that was asked about, what each rule said to it, and what
// became of what was selected.

/// A ledger that answers.
public typealias AnsweringLedger = Ledger & LedgerDesk & LedgerAnswers

/// What somebody wants to know.
public struct ExplainQuestion: Sendable {
    /// What it is about.
    public enum About: Sendable, Hashable {
        /// One event, by its source and id.
        case event(source: String, id: String)
        /// All events of a job, pipeline or model.
        case subject(String)
        /// The event behind a delivery.
        case delivery(Key)
        /// All events that rules tell a contact, or an endpoint, of.
        case contact(String)
    }
    /// What it is about.
    public var about: About
    /// Only events of this workspace, only this rule, only what goes to this contact or endpoint.
    public var workspace, rule, contact: String?
    /// How far back the stream is looked through.
    public var since: Timestamp
    /// The most events to answer for, the newest.
    public var limit: Int
    /// Makes one.
    public init(
        about: About, workspace: String? = nil, rule: String? = nil, contact: String? = nil, since: Timestamp,
        limit: Int = 10
    ) {
        (self.about, self.workspace, self.rule, self.contact) = (about, workspace, rule, contact)
        (self.since, self.limit) = (since, limit)
    }
}

/// The answer.
public struct Explanation: Sendable {
    /// The events it is about, the newest first.
    public var events: [EventAnswer] = []
    /// How many events of what was asked about there are by type, those beyond the limit too.
    public var types: [String: Int] = [:]
    /// How many records of the stream were looked at; zero when the ledger knew.
    public var scanned = 0
    /// Enabled rules that none of the events has the type for, with the types they want.
    public var absences: [(rule: String, types: [String])] = []
    /// Whether a rule that was asked for exists.
    public var isRuleKnown = true
}

/// What became of one event.
public struct EventAnswer: Sendable {
    /// How far it came.
    public enum Fate: Sendable, Hashable {
        /// A rule selected it.
        case matched
        /// No rule selected it.
        case unmatched
        /// An event of the same source and id was decided before, at this place.
        case duplicate(partition: Int32, offset: Int64)
        /// It was no event, and put aside.
        case parked(reason: String)
        /// No worker has read it yet.
        case unread
        /// It stands before the position, and nobody decided it: `replay` does.
        case undecided

        /// The word for it in listings.
        public var word: String {
            switch self {
            case .matched: "matched"
            case .unmatched: "unmatched"
            case .duplicate: "duplicate"
            case .parked: "parked"
            case .unread: "unread"
            case .undecided: "undecided"
            }
        }
    }
    /// Its names.
    public var workspace, source, id, type: String
    /// What it is about.
    public var subject: String?
    /// The stream or topic it stands in, by the ledger's name; `nil` when only the ledger was asked.
    public var stream: String?
    /// Its partition there.
    public var partition: Int32
    /// Its place in the partition.
    public var offset: Int64
    /// When the stream took it.
    public var appended: Timestamp
    /// How far it came.
    public var fate: Fate
    /// The rules that were asked, and when; `nil` when it is not decided.
    public var batch: DecidedRange?
    /// What each rule says to it, by the rules that decided it, or by those of now when nobody has.
    public var rules: [RuleLine] = []
    /// Its number in the ledger; `nil` when no rule selected it.
    var number: Int64?
    /// The event as it was published.
    var bytes: [UInt8] = []

    init(
        workspace: String, source: String, id: String, type: String, subject: String?, partition: Int32, offset: Int64,
        appended: Timestamp, fate: Fate
    ) {
        (self.workspace, self.source, self.id, self.type) = (workspace, source, id, type)
        (self.subject, self.partition, self.offset) = (subject, partition, offset)
        (self.appended, self.fate) = (appended, fate)
    }
}

/// What one rule did with one event.
public struct RuleLine: Sendable {
    /// Its name; with its workspace before it when that is not the event's.
    public var name: String
    /// What it says.
    public var answer: RuleAnswer
    /// What it made, with the tries that failed.
    public var deliveries: [(row: DeliveryRow, attempts: [AttemptRow])] = []
    /// The groups that the event joined, each with what was made of the notification that counts it.
    public var groups: [Membership] = []
    /// What kept it from making more.
    public var suppressed: [SuppressedRow] = []
    /// When a replay sent it although it had been suppressed; `nil` when none did.
    public var replayed: Timestamp?

    /// Whether it made nothing, and nothing kept it from that.
    var isEmpty: Bool { deliveries.isEmpty && suppressed.isEmpty && groups.isEmpty }
}
