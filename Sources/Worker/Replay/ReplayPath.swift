public import CarillonEvents
public import CarillonLedger
import CarillonRules
public import CarillonStream
public import Logging

// In: records of a range that nobody decided. Out: their decisions, made by the same stages that decide live ones, and
// nothing sent: every delivery is born pending, for the workers. The position stays where it is, so live reading knows
// nothing of this; event keys keep what was decided elsewhere from being decided again. What survives a crash: each batch
// is one transaction with its batch row, so what is left to do is what has no batch row.

/// Decides ranges of the stream that have no batch row.
public final class ReplayPath {
    /// What is asked beside the range.
    public struct Options {
        /// Whether what is stale or expired is sent all the same.
        public var includesExpired = false
        /// Whether the rules of the time when an event was appended decide it; else those of now.
        public var byRulesOfThen = false
        /// Whether the rules of now decide what those of then had decided already.
        public var byRulesOfNow = false
        /// What the receivers are known to have; `nil` when it is not.
        public var received: (any ReceivedKeys)?
        /// The plain replay.
        public init() {}
    }
    /// What a batch came to.
    public struct Decided: Sendable {
        /// Events that were selected and decided here for the first time.
        public var events = 0
        /// Deliveries by target: whose, and the target's name.
        public var deliveries: [ReplayTarget: Int] = [:]
    }

    let path: Path
    let ledger: any Ledger & LedgerDesk & LedgerAnswers
    let options: Options
    let clock: any Clock
    private var booksOfThen: [Revision: RuleBook] = [:]
    /// The dedup windows that a preview has met, each by the time it covers.
    private var windows: [Key: [Range<Timestamp>]] = [:]

    /// Makes one for a stream, with the worker's settings.
    ///
    /// - Parameter place: what the ledger calls a partition of the stream.
    public init(
        ledger: any Ledger & LedgerDesk & LedgerAnswers, place: @escaping (Partition) -> Place,
        configuration: Worker.Configuration,
        options: Options, clock: any Clock, logger: Logger
    ) throws(LedgerError) {
        var configuration = configuration
        configuration.name = "replay"
        configuration.concurrency = 0  // nothing is leased to a replay
        (self.ledger, self.options, self.clock) = (ledger, options, clock)
        path = try Path(
            ledger: ledger, reader: NoReader(place: place), courier: NoCourier(), clock: clock,
            configuration: configuration, random: SystemRandomNumberGenerator(), logger: logger)
        path.ignoresAge = options.includesExpired
    }

    /// Ends the session.
    public func close() throws(LedgerError) { try ledger.end(path.session.id, now: clock.now()) }

    /// What a batch would come to, without deciding it; events that were decided elsewhere are counted too.
    public func preview(_ batch: RecordBatch) throws(LedgerError) -> Decided {
        var decided = Decided()
        for (part, book) in try parts(of: batch) {
            let matched = path.match(path.decode(part, wanted: book), at: clock.now())
            try decided.add(matched, births: nil, options.received, opens: opens)
        }
        return decided
    }

    /// Whether an event is the first of a window, as far as previews have come; windows of the ledger are not asked.
    func opens(_ window: Decisions.Window?, _ event: Decisions.Event) -> Bool {
        guard let window else { return true }
        let span = event.appended..<event.appended + max(window.length, .milliseconds(1))
        guard windows[window.key]?.contains(where: { $0.overlaps(span) }) != true else { return false }
        windows[window.key, default: []].append(span)
        return true
    }

    /// Decides a batch.
    ///
    /// - Parameter isFirst: whether nothing of the partition was ever decided: then the position moves behind the batch.
    /// - Returns: `nil` when somebody else decided some of the range: look again what is left.
    public func decide(_ batch: RecordBatch, isFirst: Bool) throws(LedgerError) -> Decided? {
        var decided = Decided()
        for (part, book) in try parts(of: batch) {
            var isDone = false
            while !isDone {
                let current = options.byRulesOfThen ? book : path.book.current
                var matched = path.match(path.decode(part, wanted: current), at: clock.now())
                try prepare(&matched.decisions, current.revision, isFirst)
                switch try ledger.decide(matched.decisions, for: path.session.id, now: clock.now()) {
                case .rulesMoved: try path.book.refresh(from: ledger)
                case .moved: return nil
                case .done(let births, _, _):
                    try decided.add(matched, births: births, options.received)
                    isDone = true
                }
            }
        }
        return decided
    }

    private func prepare(
        _ decisions: inout Decisions, _ revision: Revision, _ isFirst: Bool
    ) throws(LedgerError) {
        decisions.revision = revision
        decisions.isByRulesOfThen = options.byRulesOfThen
        decisions.isBeside = !isFirst
        let now = clock.now()
        for event in decisions.events {
            for selection in decisions.selections[event.selections] {
                for place in selection.deliveries {
                    decisions.deliveries[place].wanted = false
                    decisions.deliveries[place].isReceived =
                        try options.received?.has(decisions.deliveries[place].key) ?? false
                    let expires = decisions.deliveries[place].expires
                    if options.includesExpired { decisions.deliveries[place].expires = now + (expires - event.time) }
                }
            }
        }
    }

    /// The batch in parts that one book of rules decides each.
    private func parts(of batch: RecordBatch) throws(LedgerError) -> [(RecordBatch, RuleBook)] {
        guard options.byRulesOfThen, !batch.records.isEmpty else {
            try path.book.refresh(from: ledger)
            return [(batch, path.book.current)]
        }
        var parts: [(RecordBatch, RuleBook)] = []
        var start = 0
        var revision = try ledger.revision(at: batch.records[0].appended)
        var expected = batch.expected
        func close(_ end: Int) throws(LedgerError) {
            var part = RecordBatch(partition: batch.partition, expected: expected)
            part.isChecked = batch.isChecked
            part.bytes = batch.bytes
            part.records = Array(batch.records[start..<end])
            (start, expected) = (end, part.next)
            parts.append((part, try bookOfThen(revision)))
        }
        for (place, record) in batch.records.enumerated() {
            let next = try ledger.revision(at: record.appended)
            if next != revision { try close(place) }
            revision = next
        }
        try close(batch.records.count)
        return parts
    }

    private func bookOfThen(_ revision: Revision) throws(LedgerError) -> RuleBook {
        if let known = booksOfThen[revision] { return known }
        var workspaces: [WorkspaceRules] = []
        for name in try ledger.rules().workspaces.keys {
            if let rules = try path.book.rules(of: name, at: revision, from: ledger) { workspaces.append(rules) }
        }
        let book = RuleBook(revision: revision, workspaces: workspaces)
        booksOfThen[revision] = book
        return book
    }
}

/// Whom a replayed delivery goes to.
public struct ReplayTarget: Sendable, Hashable {
    /// Its workspace, and its name there.
    public var workspace, target: String
    /// Makes one.
    public init(workspace: String, target: String) { (self.workspace, self.target) = (workspace, target) }
}

extension ReplayPath.Decided {
    /// Counts what was born; all of it when nothing was decided yet.
    fileprivate mutating func add(
        _ matched: Matched, births: [Birth]?, _ received: (any ReceivedKeys)?,
        opens: (Decisions.Window?, Decisions.Event) -> Bool = { _, _ in true }
    ) throws(LedgerError) {
        for event in matched.decisions.events {
            var isNew = births == nil
            for selection in matched.decisions.selections[event.selections] {
                if selection.suppressed == nil, !opens(selection.window, event) { continue }
                for place in selection.deliveries {
                    if let births, births[place] == .duplicate { continue }
                    isNew = true
                    if let births, births[place] == .suppressed { continue }
                    let delivery = matched.decisions.deliveries[place]
                    guard try !(received?.has(delivery.key) ?? false) else { continue }
                    let target = ReplayTarget(
                        workspace: selection.workspace ?? event.workspace, target: delivery.target)
                    deliveries[target, default: 0] += 1
                }
                if selection.deliveries.isEmpty, births != nil { isNew = true }
            }
            if isNew { events += 1 }
        }
    }
}

/// A replay is handed its batches.
private final class NoReader: StreamReader {
    private let place: (Partition) -> Place
    init(place: @escaping (Partition) -> Place) { self.place = place }
    func partitions() -> [Partition] { [] }
    func place(of partition: Partition) -> Place { place(partition) }
    var doorbell: any Doorbell { NoBell() }
    func poll(wait: Duration, limit: Int) throws(StreamError) -> Polled { .nothing }
    func seek(_ partition: Partition, to offset: Offset?) throws(StreamError) {}
    func commit(_ partition: Partition, next: Offset) throws(StreamError) {}
    func lag() throws(StreamError) -> Int64 { 0 }
    func isDrained(positions: [Partition: Offset]) throws(StreamError) -> Bool { true }
    func close() {}
}

private struct NoBell: Doorbell { func ring() {} }

/// A replay sends nothing.
private final class NoCourier: Courier {
    func offer(_ deliveries: [Outgoing]) {}
    func collect() -> [Ending] { [] }
    func settled(_ tries: Int) {}
    func withdraw(_ lane: Int64) {}
    func drain() {}
    func close() {}
}
