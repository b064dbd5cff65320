public import CarillonEvents
public import CarillonLedger
public import CarillonWorker

// Replay: what is owed and not on its way goes on its way. First what the ledger has given up is reopened, oldest first,
// with the place where it is in the same transaction; then the ranges of the stream that have no batch row are decided. A
// second run finds nothing left of either, so it sends nothing; one that was killed goes on where it was.

/// What a replay is asked to do.
public struct ReplayQuestion {
    /// Whose rules decide.
    public enum RulesOf: String, Sendable, CaseIterable {
        /// Those in force when the event was appended; what is reopened keeps its text.
        case then
        /// Those of now, also for the text of what is reopened.
        case now
    }
    /// Events that the stream took at `since` or later and before `until`.
    public var since, until: Timestamp
    /// Only of this workspace, rule, subject.
    public var workspace, rule, subject: String?
    /// Only what is in this state.
    public var state: DeliveryState?
    /// Also what was delivered, with the same ids and bodies.
    public var all = false
    /// Also what was withheld, by a quota or by a silence; also what expired or was too old.
    public var includesWithheld = false, includesExpired = false
    /// Whose rules; `nil` for the rules of now where nothing was decided, and the old text where something was.
    public var rules: RulesOf?
    /// What the receivers have, when it is known: only what they lack is sent.
    ///
    /// What the ledger knows to be delivered is sent again only with `all`, as a log may be older than the delivery.
    public var received: (any ReceivedKeys)?
    /// The window as it was asked for, such as `2h`: a replay that was killed is known again by it.
    public var window = ""
    /// Makes the plain one.
    public init(since: Timestamp, until: Timestamp) { (self.since, self.until) = (since, until) }

    /// Whether it names some of the deliveries, and not a span of time.
    public var isFiltered: Bool { workspace != nil || rule != nil || subject != nil || state != nil }

    /// Whether what expired or is too old is sent.
    var sendsExpired: Bool { includesExpired || state == .expired }

    /// Why the selections were suppressed that it sends after all.
    var reasons: Set<Suppression> {
        let sendsSilenced = state.map { $0 == .withheld } ?? includesWithheld
        let sendsOld = state.map { $0 == .expired } ?? includesExpired
        return Set(sendsSilenced ? [.silence] : []).union(sendsOld ? [.stale, .expired] : [])
    }

    /// The states of what it reopens.
    var states: Set<DeliveryState> {
        if let state { return [state] }
        var states: Set<DeliveryState> = [.dead]
        if all { states.insert(.delivered) }
        if received != nil { states.insert(.pending) }
        if includesWithheld { states.insert(.withheld) }
        if includesExpired { states.insert(.expired) }
        return states
    }

    package func owed(since: Timestamp, until: Timestamp) -> OwedQuestion {
        var owed = OwedQuestion(
            since: since, until: until, workspace: workspace, rule: rule, subject: subject, states: states)
        // What a digest tells is told.
        owed.includesDigested = all
        return owed
    }
}

/// What a replay came to, or would.
public struct ReplayCount: Sendable {
    /// Deliveries by target.
    public var targets: [ReplayTarget: Int] = [:]
    /// Those of them that are reopened.
    public var reopened = 0
    /// Those of them that were suppressed for their whole rule: by a silence, or because they were too old.
    public var held = 0
    /// Events that join a group, which tells them together.
    public var grouped = 0
    /// Deliveries that the receiver turned out to have.
    public var received = 0
    /// Records that nobody had decided, and events of them that rules selected.
    public var undecided: Int64 = 0
    /// Events that rules selected among the records nobody had decided.
    public var events = 0
    /// All deliveries.
    public var deliveries: Int { targets.values.reduce(0, +) }

    mutating func addHeld(_ decided: ReplayPath.Decided) {
        grouped += decided.grouped
        for (target, count) in decided.deliveries {
            targets[target, default: 0] += count
            held += count
        }
    }

    mutating func add(_ decided: ReplayPath.Decided) {
        events += decided.events
        grouped += decided.grouped
        for (target, count) in decided.deliveries { targets[target, default: 0] += count }
    }
}

/// Why a replay was not begun.
public struct ReplayError: Error, Sendable, CustomStringConvertible {
    /// The class of the failure.
    public enum Kind: Sendable {
        /// It begins before the dedup horizon: what was sent then is not known any more.
        case beyondHorizon
    }
    /// The class of the failure.
    public let kind: Kind
    /// One line, with what to do.
    public let description: String
}
