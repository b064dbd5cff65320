public import CarillonEvents
public import CarillonLedger
import CarillonRules
public import CarillonStream
public import Logging

/// The worker's one thread of decisions: reads, decides, claims, settles, in turns.
///
/// One thread because the ledger has one writer anyway; the courier works beside it. Nothing here survives a crash and
/// nothing needs to: the stream and the ledger hold all state. Not `Sendable`: whoever made it drives it, which is also how
/// the simulation steps through it.
public final class Path {
    let ledger: any Ledger
    let reader: any StreamReader
    /// Where the worker's own events go; `nil` for nowhere.
    let appender: (any StreamAppender)?
    let courier: any Courier
    let clock: any Clock
    let configuration: Worker.Configuration
    let crash: CrashPoints
    let logger: Logger
    let meters: Meters
    let capacity: LaneRoom.Capacity

    var random: any RandomNumberGenerator & Sendable
    var session: Session
    var book: CurrentRules
    var addresses: Addresses
    var lanes = LaneRoom()
    /// Endpoints that fail or complain.
    var troubles: TroubledLanes
    /// Those of which the ledger leases nothing, as it was last heard.
    var suspended: Set<Int64>
    /// The revision at which it was heard.
    var suspendedAt: Revision = -1
    /// What was found out about endpoints and is not written.
    var endpointNotes: [(lane: Int64, state: EndpointState?, reason: String)] = []
    var announcements: Announcements
    /// When more of a lane in trouble may be claimed than at the last look.
    var nextLook: Duration?
    /// What is leased to us and not settled.
    var held: [ClaimName: Held] = [:]
    /// Those of it that wait for another of their pair.
    var followers = Followers()
    /// Pairs of which one ended for good; the next goes when that is written.
    var settledPairs: [Int64] = []
    /// What ended and is not written.
    var settlements: [Settlement] = []
    /// Tries among them that the courier keeps places for.
    var triesToSettle = 0
    var settleBy: Duration = .zero
    /// The partitions that are ours.
    var assigned: Set<Partition> = []
    /// Where each partition of ours is decided up to.
    var positions: [Partition: Offset] = [:]
    var pace: Pace
    /// Whether something may be claimable that was not at the last look.
    var hasWaiting = true
    var nextDue: Timestamp?
    var nextReap: Duration = .zero
    var nextTend: Duration = .zero
    var hasMoreToTend = false
    /// Whether what is stale or has expired is sent all the same, as a replay may ask for.
    var ignoresAge = false
    /// Whether silences hold nothing back, as a replay of what they held asks for.
    var ignoresSilences = false
    /// What deliveries are charged.
    private(set) lazy var tariff = PathTariff(self, configuration.quotas)
    /// Reused by every match.
    var selected: [Int] = []
    /// The same of the rules for every workspace.
    var selectedEverywhere: [Int] = []
    var scratch = MatchScratch()

    /// Begins a session in the ledger and reads the rules.
    public init(
        ledger: any Ledger, reader: any StreamReader, courier: any Courier, clock: any Clock,
        configuration: Worker.Configuration, random: any RandomNumberGenerator & Sendable, logger: Logger,
        crash: CrashPoints = .none, appender: (any StreamAppender)? = nil
    ) throws(LedgerError) {
        self.appender = appender
        (self.ledger, self.reader, self.courier, self.clock) = (ledger, reader, courier, clock)
        (self.configuration, self.random, self.logger, self.crash) = (configuration, random, logger, crash)
        meters = Meters()
        pace = Pace(most: configuration.batch)
        capacity = LaneRoom.Capacity(concurrency: configuration.concurrency)
        troubles = TroubledLanes(Breaker.Policy(), fullRoom: capacity.perLane)
        announcements = Announcements(worker: configuration.name)
        addresses = Addresses(
            channels: configuration.channels, people: configuration.people, vault: configuration.secrets,
            retry: configuration.retry)
        book = CurrentRules(clock: clock, logger: logger)
        suspended = try ledger.suspended()
        session = try Session(in: ledger, lease: configuration.lease, name: configuration.name, clock: clock)
        try book.refresh(from: ledger)
    }
}

/// This worker's life in the ledger: a lease that one heartbeat renews for everything the worker holds.
struct Session {
    let id: SessionID
    /// On the worker's own monotonic clock; nothing is sent that could end behind it.
    private(set) var ends: Duration
    private var nextBeat: Duration

    init(in ledger: any Ledger, lease: Duration, name: String, clock: any Clock) throws(LedgerError) {
        let start = clock.uptime()
        let now = clock.now()
        id = try ledger.begin(session: name, until: now + lease, now: now)
        ends = start + lease
        nextBeat = start + lease / 6
    }

    /// Renews the lease when it is time.
    ///
    /// False when the ledger has given it up: begin a new session.
    mutating func beat(in ledger: any Ledger, lease: Duration, clock: any Clock) throws(LedgerError) -> Bool {
        let start = clock.uptime()
        guard start >= nextBeat else { return true }
        guard try ledger.extend(id, until: clock.now() + lease) else { return false }
        ends = start + lease
        nextBeat = start + lease / 6
        return true
    }

    func untilBeat(_ now: Duration) -> Duration { max(.zero, nextBeat - now) }
}

/// How many records to read so that what they make has room, learned from what batches made so far.
struct Pace {
    private static let least = 256
    /// Deliveries to decide in one go: while they are decided nothing is settled, and tries wait for that.
    private static let deliveries = 512
    let most: Int
    private var perRecord = 1.0
    private var lastRead: Duration = .zero

    init(most: Int) { self.most = most }

    mutating func learn(records: Int, deliveries: Int) {
        guard records > 0 else { return }
        perRecord = perRecord * 0.7 + Double(deliveries) / Double(records) * 0.3
    }

    /// Zero while memory is full, but never for longer than a tenth of a second: neighbours of a storm want to be decided.
    mutating func limit(room: Int, now: Duration) -> Int {
        guard room >= Self.least || now - lastRead >= .milliseconds(100) else { return 0 }
        lastRead = now
        // Some batches make more than others: what is born without room is claimed later, at thrice the cost, and so are those
        // of its pair that come after it.
        let planned = min(room - room / 4, Self.deliveries)
        return min(most, max(Self.least, Int(Double(planned) / max(perRecord, 0.001))))
    }
}
