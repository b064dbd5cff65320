import CarillonEvents

// What a delivery is charged before it is leased, and what becomes of it when there is no room. The worker says it, from
// its rules and its deployment's limits; the ledger knows scopes and numbers and no channel.

/// A scope that one send is charged to.
public struct Charge: Sendable, Hashable {
    /// The scope's name; the same wherever it is charged.
    public var scope: String
    /// All of them hold.
    public var limits: [SendLimit]
    /// How much of them it uses.
    public var weight: Int
    /// Makes one.
    public init(_ scope: String, _ limits: [SendLimit], weight: Int = 1) {
        (self.scope, self.limits, self.weight) = (scope, limits, weight)
    }
}

/// What a delivery is charged, and its ladder.
public struct Toll: Sendable, Equatable {
    /// A way to tell.
    public struct Route: Sendable, Equatable {
        /// The target that is told instead of the delivery's own; `nil` for its own.
        public var target: String?
        /// What it is charged.
        public var charges: [Charge]
        /// Makes one.
        public init(to target: String?, _ charges: [Charge]) { (self.target, self.charges) = (target, charges) }
    }
    /// What becomes of a delivery when no route has room.
    public enum Last: Sendable, Equatable {
        /// It waits until one has.
        case waits
        /// It is withheld.
        case suppressed
        /// It is withheld, and told by the open digest of its rule and target.
        case digested(Digest)
    }
    /// What a digest says that one delivery opens.
    public struct Digest: Sendable, Equatable {
        /// What people call it.
        public var name: String
        /// How long its message is worth sending.
        public var life: Duration
        /// Makes one.
        public init(name: String, life: Duration) { (self.name, self.life) = (name, life) }
    }
    /// The routes in the order in which they are tried; the first is where it goes now.
    public var routes: [Route]
    /// What becomes of it when none has room.
    public var last: Last
    /// Whether it may use the reserve.
    public var isCritical: Bool
    /// Whether a route is used also when another rule's delivery of the event reaches its target.
    public var isPerRule: Bool
    /// Who is told how much was withheld: the target of an inbox, or of another channel; `nil` for nobody.
    public var notice: String?
    /// After how long a message about it is due; `nil` when it is a page of its target's inbox.
    public var noticeAfter: Duration?
    /// Makes one.
    public init(
        _ routes: [Route], last: Last = .waits, isCritical: Bool = false, isPerRule: Bool = false,
        notice: String? = nil, noticeAfter: Duration? = nil
    ) {
        (self.routes, self.last, self.isCritical) = (routes, last, isCritical)
        (self.isPerRule, self.notice, self.noticeAfter) = (isPerRule, notice, noticeAfter)
    }
}

extension Toll {
    /// What becomes of a delivery that tells of many events, or that a digest tells already: it waits for room, so that
    /// nothing is told by two digests, and no notice counts it once more.
    package var waiting: Toll {
        guard case .digested = last else { return self }
        var toll = self
        (toll.last, toll.notice) = (.waits, nil)
        return toll
    }

    /// All that it may be charged to.
    package var scopes: Set<String> { Set(routes.flatMap { $0.charges.map(\.scope) }) }
}

/// A pending delivery, before it is leased.
public struct Candidate: Sendable {
    /// Its row.
    public var delivery: DeliveryID
    /// Whose rule, which, and what it tells.
    public var workspace, rule, target: String
    /// The target that it was sent to instead, at its last try.
    public var via: String?
    /// The rules that decided it.
    public var revision: Revision
    /// Makes one.
    public init(
        delivery: DeliveryID, workspace: String, rule: String, target: String, via: String?, revision: Revision
    ) {
        (self.delivery, self.workspace, self.rule, self.target) = (delivery, workspace, rule, target)
        (self.via, self.revision) = (via, revision)
    }
}

extension Candidate {
    /// What people call the scope that it is charged to first.
    package var label: String { "\(workspace) \(target)" }
}

/// Says what deliveries are charged.
public protocol Tariff: AnyObject {
    /// Whether a delivery of a workspace's rule to a target may be charged anything; asked of each lane.
    func isCharged(_ target: String, of workspace: String) throws(LedgerError) -> Bool
    /// What a delivery is charged; `nil` when nothing, which is also what is said of one that will not be sent.
    ///
    /// Of a digest's message that is not there yet it is asked with the number 0.
    ///
    /// May read the ledger that asks.
    func toll(of candidate: Candidate) throws(LedgerError) -> Toll?
}

/// A delivery that a claim did not lease, as there was no room.
public struct Turned: Sendable, Hashable {
    /// What became of it.
    public enum Fate: String, Sendable {
        /// It waits.
        case deferred
        /// It is withheld.
        case withheld
        /// It is told by a digest.
        case digested
        /// It goes another way.
        case rerouted
    }
    /// Its workspace and target.
    public var workspace, target: String
    /// What became of it.
    public var fate: Fate
    /// Makes one.
    public init(workspace: String, target: String, _ fate: Fate) {
        (self.workspace, self.target, self.fate) = (workspace, target, fate)
    }
}

/// The words of reasons.
public enum QuotaReason {
    /// A delivery waits, or is withheld, as there was no room.
    public static let quota = "quota"
    /// It is withheld, as there was no room, and a digest tells it.
    public static let digest = "digest"
    /// It would have gone another way, and there its person is told already.
    public static let merged = "already_sent"
}
