public import CarillonEvents
public import CarillonLedger
public import CarillonStream
public import CarillonWorker
public import Logging

/// Replays.
public final class Replayer {
    private let ledger: any AnsweringLedger
    private let stream: any StreamScanner
    private let configuration: Worker.Configuration
    private let clock: any Clock
    private let logger: Logger
    /// Told now and then what was done so far, and how many records there are that nobody decided.
    private let progress: (_ done: ReplayCount, _ records: Int64) -> Void
    private static let batch = 2_000
    private static let chunk = 500

    /// Makes one over this ledger and this stream, with the workers' settings.
    public init(
        ledger: any AnsweringLedger, stream: any StreamScanner, configuration: Worker.Configuration, clock: any Clock,
        logger: Logger, progress: @escaping (_ done: ReplayCount, _ records: Int64) -> Void = { _, _ in }
    ) {
        self.progress = progress
        (self.ledger, self.stream, self.configuration) = (ledger, stream, configuration)
        (self.clock, self.logger) = (clock, logger)
    }

    /// Refuses what would send again what was sent already.
    ///
    /// - Parameter horizon: how long the ledger knows what it decided.
    public static func check(_ question: ReplayQuestion, horizon: Duration, now: Timestamp) throws(ReplayError) {
        guard question.since < now - horizon, !question.all else { return }
        throw ReplayError(
            kind: .beyondHorizon,
            description:
                "replay could not begin at \(question.since.rfc3339): beyondHorizon [what was sent before "
                + "\((now - horizon).rfc3339) is no longer known (ledger.dedup_horizon)]; begin later, or give --all")
    }

    /// Counts what a replay would send, and changes nothing.
    public func preview(_ question: ReplayQuestion) throws -> ReplayCount {
        var count = ReplayCount()
        var cursor: DeliveryID? = 0
        while let after = cursor {
            let page = try ledger.owed(
                question.owed(since: question.since, until: question.until), after: after, upTo: nil)
            let (reopened, received) = try sort(page.rows, question)
            count.received += received.count
            count.reopened += reopened.count
            for row in reopened { count.add(row) }
            cursor = page.next
            progress(count, 0)
        }
        let path = try path(question)
        defer { try? path.close() }
        try eachHeld(question, since: question.since, until: question.until) { rows in
            count.addHeld(try path.preview(rows))
            progress(count, 0)
        }
        let records = try undecided(question)
        try eachUndecided(question, since: question.since, until: question.until) { batch, _ in
            count.undecided += Int64(batch.records.count)
            count.add(try path.preview(batch))
            progress(count, records)
            return true
        }
        return count
    }

    /// Replays.
    ///
    /// - Parameters:
    ///   - question: what to do. The same question asked again after a kill goes on where it was.
    ///   - pace: called after each piece; may wait.
    /// - Returns: what was done in this run.
    public func run(
        _ question: ReplayQuestion, pace: (Step) throws(LedgerError) -> Void = { _ in }
    ) throws -> ReplayCount {
        var watch = try Watch(ledger)
        func step(_ sent: Int, movesPosition: Bool = false) throws(LedgerError) {
            let moved = try watch.moved(ledger)
            try pace(Step(sent: sent, live: movesPosition ? 0 : moved, open: openDeliveries))
        }
        let replay = try ledger.begin(
            replay: question.signature, since: question.since, until: question.until, now: clock.now())
        var count = ReplayCount()
        try reopen(question, replay, &count) { sent throws(LedgerError) in try step(sent) }
        let path = try path(question)
        defer { try? path.close() }
        try eachHeld(question, since: replay.since, until: replay.until) { rows in
            let decided = try path.decide(rows)
            count.addHeld(decided)
            progress(count, 0)
            try step(decided.deliveries.values.reduce(0, +))
        }
        let records = try undecided(question)
        try eachUndecided(question, since: replay.since, until: replay.until) { batch, isFirst in
            guard let decided = try path.decide(batch, isFirst: isFirst) else { return false }
            count.undecided += Int64(batch.records.count)
            count.add(decided)
            try ledger.note(replay: replay.id, decided: Int64(decided.events), ended: false, now: clock.now())
            progress(count, records)
            try step(decided.deliveries.values.reduce(0, +), movesPosition: isFirst)
            return true
        }
        try ledger.note(replay: replay.id, decided: 0, ended: true, now: clock.now())
        return count
    }

    /// How many deliveries of the question's window are open.
    public func open(_ question: ReplayQuestion) throws -> Int {
        var owed = question.owed(since: question.since, until: question.until)
        owed.states = [.pending, .leased]
        var count = 0
        var cursor: DeliveryID? = 0
        while let after = cursor {
            let page = try ledger.owed(owed, after: after, upTo: nil)
            count += page.rows.count
            cursor = page.next
        }
        return count
    }

    private func openDeliveries() throws(LedgerError) -> Int64 {
        let tallies = try ledger.tallies()
        return [DeliveryState.pending, .leased].reduce(0) { $0 + (tallies["delivery.\($1.rawValue)"] ?? 0) }
    }

    private func path(_ question: ReplayQuestion) throws(LedgerError) -> ReplayPath {
        var options = ReplayPath.Options()
        options.includesExpired = question.sendsExpired
        options.byRulesOfThen = question.rules == .then
        options.byRulesOfNow = question.rules == .now
        options.received = question.received
        return try ReplayPath(
            ledger: ledger, place: { [stream] in stream.place(of: $0) }, configuration: configuration, options: options,
            clock: clock,
            logger: logger)
    }
}

extension Replayer {
    /// A piece of a replay was done.
    public struct Step {
        /// Deliveries that went on their way with it.
        public var sent: Int
        /// Records that workers have decided meanwhile; none where a lost ledger is rebuilt, as a replay moves positions then.
        public var live: Int64
        /// Says how many deliveries of the ledger are open now.
        public var open: () throws(LedgerError) -> Int64
        /// Makes one.
        public init(sent: Int, live: Int64, open: @escaping () throws(LedgerError) -> Int64) {
            (self.sent, self.live, self.open) = (sent, live, open)
        }
    }

    /// Sees how far workers are that read live.
    private struct Watch {
        private var position: Int64

        init(_ ledger: any AnsweringLedger) throws(LedgerError) { position = try Self.position(ledger) }

        mutating func moved(_ ledger: any AnsweringLedger) throws(LedgerError) -> Int64 {
            let now = try Self.position(ledger)
            defer { position = now }
            return max(0, now - position)
        }

        private static func position(_ ledger: any AnsweringLedger) throws(LedgerError) -> Int64 {
            try ledger.positions().filter { $0.stream != Replayed.stream }.reduce(0) { $0 + $1.next }
        }
    }
}

// MARK: - What the ledger has given up

extension Replayer {
    private func reopen(
        _ question: ReplayQuestion, _ replay: ReplayRow, _ count: inout ReplayCount, _ pace: (Int) throws -> Void
    ) throws {
        let owed = question.owed(since: replay.since, until: replay.until)
        let revision = question.rules == .now ? try ledger.revision() : nil
        var cursor: DeliveryID? = replay.cursor
        while let after = cursor {
            let page = try ledger.owed(owed, after: after, upTo: replay.last)
            var rows = page.rows[...]
            while !rows.isEmpty {
                let chunk = rows.prefix(Self.chunk)
                rows = rows.dropFirst(Self.chunk)
                let (reopened, received) = try sort(Array(chunk), question)
                let done = try ledger.reopen(
                    reopened.map(\.id), received: received.map(\.id), by: revision,
                    of: (id: replay.id, cursor: chunk.last?.id ?? after), now: clock.now())
                count.reopened += done
                count.received += received.count
                for row in reopened { count.add(row) }
                progress(count, 0)
                try pace(done)
            }
            cursor = page.next
        }
    }

    /// What is sent, and what the receiver has already.
    private func sort(
        _ rows: [OwedPage.Row], _ question: ReplayQuestion
    ) throws(LedgerError) -> (reopened: [OwedPage.Row], received: [OwedPage.Row]) {
        guard let known = question.received else { return (rows, []) }
        var (reopened, received): ([OwedPage.Row], [OwedPage.Row]) = ([], [])
        for row in rows {
            if try known.has(row.key) {
                if row.state != .delivered { received.append(row) }
            } else if row.state != .pending {
                reopened.append(row)
            }
        }
        return (reopened, received)
    }
}

// MARK: - What was suppressed

extension Replayer {
    /// Goes through the selections that were suppressed for one of the question's reasons.
    private func eachHeld(
        _ question: ReplayQuestion, since: Timestamp, until: Timestamp, _ body: ([HeldPage.Row]) throws -> Void
    ) throws {
        guard !question.reasons.isEmpty else { return }
        var cursor: Int64? = 0
        while let after = cursor {
            let page = try ledger.held(
                question.owed(since: since, until: until), for: question.reasons, after: after)
            if !page.rows.isEmpty { try body(page.rows) }
            cursor = page.next
        }
    }
}

// MARK: - What nobody decided

extension Replayer {
    /// How many records of the window have no batch row.
    public func undecided(_ question: ReplayQuestion) throws -> Int64 {
        guard !question.isFiltered else { return 0 }
        return try stream.ends().reduce(Int64(0)) { sum, partition in
            try sum
                + ranges(of: partition.key, partition.value.next, question.since, question.until).reduce(0) {
                    $0 + Int64($1.range.count)
                }
        }
    }

    /// Reads the ranges of the window that have no batch row; `body` says false when somebody decided some of one.
    ///
    /// A question about some deliveries reads none: an event is decided for all rules at once.
    private func eachUndecided(
        _ question: ReplayQuestion, since: Timestamp, until: Timestamp,
        _ body: (RecordBatch, _ isFirst: Bool) throws -> Bool
    ) throws {
        guard !question.isFiltered else { return }
        for (partition, ends) in try stream.ends().sorted(by: { $0.key < $1.key }) {
            var isWhole = false
            while !isWhole {
                isWhole = true
                for (range, isFirst) in try ranges(of: partition, ends.next, since, until) where isWhole {
                    isWhole = try each(partition, range, isFirst, body)
                }
            }
        }
    }

    private func each(
        _ partition: Partition, _ range: Range<Offset>, _ isFirst: Bool,
        _ body: (RecordBatch, _ isFirst: Bool) throws -> Bool
    ) throws -> Bool {
        var from = range.lowerBound
        while from < range.upperBound {
            let batch = try stream.read(partition, from: from, to: range.upperBound, limit: Self.batch)
            guard batch.next > from else { return true }
            guard try body(batch, isFirst) else { return false }
            from = batch.next
        }
        return true
    }

    /// The ranges of a partition in the window that have no batch row, up to where the workers are.
    private func ranges(
        of partition: Partition, _ end: Offset, _ since: Timestamp, _ until: Timestamp
    ) throws -> [(range: Range<Offset>, isFirst: Bool)] {
        let first = try stream.offset(in: partition, since: since)
        let last = min(end, try stream.offset(in: partition, since: until))
        let place = stream.place(of: partition)
        guard let position = try ledger.position(place.stream, place.partition) else {
            return first < last ? [(first..<last, true)] : []
        }
        var ranges: [(range: Range<Offset>, isFirst: Bool)] = []
        var from = first
        let stop = min(last, position)
        for decided in try ledger.decided(place.stream, place.partition) where decided.offsets.upperBound > from {
            if decided.offsets.lowerBound >= stop { break }
            if decided.offsets.lowerBound > from { ranges.append((from..<decided.offsets.lowerBound, false)) }
            from = decided.offsets.upperBound
        }
        if from < stop { ranges.append((from..<stop, false)) }
        return ranges
    }
}

extension ReplayCount {
    fileprivate mutating func add(_ row: OwedPage.Row) {
        targets[ReplayTarget(workspace: row.workspace, target: row.target), default: 0] += 1
    }
}

extension ReplayQuestion {
    /// What makes it the same replay when it is asked again: everything but the moment it is asked at.
    package var signature: String {
        let names = [workspace, rule, subject, state?.rawValue, rules?.rawValue].map { $0.map { "=" + $0 } ?? "-" }
        let signs = [all, includesWithheld, includesExpired, received != nil].map { $0 ? "1" : "0" }
        return (names + signs).joined(separator: "\u{1F}") + "\u{1F}" + window
    }
}
