public import CarillonEvents

// P3, counted over all there is, beside workers that go on. One snapshot of the whole would have to live as long as the
// count takes, and keep the WAL from being reset or dead rows from being removed meanwhile. So it is counted in pieces, and
// what makes the pieces fit together is this:
//
// - At the start everything that is decided stands still for a moment: sums of batches, running counts, and the last number
//   of each table are of one snapshot that no decision is half in.
// - What is counted of a row up to that number never changes: that it is there, and whether it is the first of its
//   notification. Rows come only behind that number, and go only at the old end, where retention counts what it takes in the
//   same transaction. When retention has overtaken the count, what it has taken since the start *is* the count so far.
// - States do change meanwhile. Their sum is compared always; one by one they are compared when nothing moved.
// - Each row's own faults are looked for within its piece, which is a snapshot.
//
// A difference is told only when it shows three times, or nothing moved.

/// Where a count of everything begins.
public struct VerificationStart: Sendable {
    /// What one snapshot says of records and decisions, retention's sums included.
    public var law: Conservation
    /// The running counts by name.
    public var tallies: [String: Int64]
    /// By table, in front of which row it begins and up to which it is counted.
    public var ends: [Table: (before: Int64, last: Int64)]

    /// A table that is counted, in the words of the running counts of retention.
    public enum Table: String, Sendable, CaseIterable {
        case matched, suppressed, grouped, parked, notified
    }
    /// Makes one.
    public init(law: Conservation, tallies: [String: Int64], ends: [Table: (before: Int64, last: Int64)]) {
        (self.law, self.tallies, self.ends) = (law, tallies, ends)
    }
}

/// A number of rows of a table, counted in one snapshot.
public struct CountedPiece: Sendable {
    /// How many there are.
    public var count: Int64
    /// Behind which row it began: further on than asked when retention has overtaken.
    public var behind: Int64
    /// How many of the table retention has ever taken, as of this snapshot.
    public var retired: Int64
    /// Behind which to go on; `nil` at the end.
    public var next: Int64?
    /// Makes one.
    public init(count: Int64, behind: Int64, retired: Int64, next: Int64?) {
        (self.count, self.behind, self.retired, self.next) = (count, behind, retired, next)
    }
}

extension LedgerAnswers {
    /// Counts the conservation law over all there is, a piece at a time.
    public func verify(now: Timestamp) throws(LedgerError) -> Conservation {
        var known: Set<String>?
        var tries = 0
        while true {
            var pass = VerificationPass(try beginVerification(now: now))
            try pass.run(over: self, now: now)
            tries += 1
            let told = known.map { $0.intersection(pass.names) } ?? pass.names
            if tries == 3 || told.isEmpty || pass.isStill { return pass.law(telling: told) }
            known = told
        }
    }
}

/// One count of everything.
private struct VerificationPass {
    /// How many lines name single rows.
    private static let named = 100

    private let start: VerificationStart
    private var law: Conservation
    private(set) var isStill = true
    /// What does not add up: by a name that is the same when it is found again, in words.
    private var found: [(name: String, words: String)] = []
    private var rows: [String] = []
    private var unnamed = 0
    private var states: [DeliveryState: Int64] = [:]
    private var totals: [VerificationStart.Table: Int64] = [:]
    private var deliveries: Int64 = 0

    init(_ start: VerificationStart) {
        (self.start, law) = (start, start.law)
        for line in law.residue { found.append((line, line)) }
    }

    /// The names of what does not add up.
    var names: Set<String> { Set(found.map(\.name)).union(rows) }

    mutating func run(over ledger: some LedgerAnswers, now: Timestamp) throws(LedgerError) {
        for table in VerificationStart.Table.allCases where table != .notified { try count(table, ledger) }
        try countDeliveries(ledger, now)
        var cursor: [Int64]? = []
        while let after = cursor {
            let (residue, next) = try ledger.verifyRest(after: after)
            add(residue)
            cursor = next
        }
        let end = try ledger.tallies()
        isStill = end == start.tallies
        balance(end)
    }

    private mutating func count(
        _ table: VerificationStart.Table, _ ledger: some LedgerAnswers
    ) throws(LedgerError) {
        let retired = retired(table.rawValue)
        guard let ends = start.ends[table], ends.last > ends.before else {
            totals[table] = retired
            return
        }
        var counted: Int64 = 0
        var cursor: Int64? = ends.before
        while let after = cursor {
            let piece = try ledger.count(table, after: after, upTo: ends.last)
            if piece.behind > after { counted = piece.retired - retired }
            counted += piece.count
            cursor = piece.next
        }
        totals[table] = retired + counted
    }

    private mutating func countDeliveries(_ ledger: some LedgerAnswers, _ now: Timestamp) throws(LedgerError) {
        var notified: Int64 = 0
        let before = (notified: retired("notified"), all: allRetired(start.tallies))
        let ends = start.ends[.notified] ?? (0, 0)
        var cursor: DeliveryID? = ends.last > ends.before ? ends.before : nil
        while let after = cursor {
            let page = try ledger.audit(
                since: Timestamp(milliseconds: 0), until: Timestamp(milliseconds: .max), after: after, upTo: ends.last,
                now: now)
            if page.behind > after {
                notified = (page.tallies["retired.notified"] ?? 0) - before.notified
                deliveries = allRetired(page.tallies) - before.all
            }
            for (state, count) in page.states {
                states[state, default: 0] += count
                deliveries += count
            }
            notified += page.notified
            add(page.residue)
            cursor = page.next
        }
        totals[.notified] = before.notified + notified
        deliveries += before.all
    }

    private func retired(_ name: String) -> Int64 { start.tallies["retired.\(name)"] ?? 0 }

    private func allRetired(_ tallies: [String: Int64]) -> Int64 {
        DeliveryState.allCases.reduce(0) { $0 + (tallies["retired.delivery.\($1.rawValue)"] ?? 0) }
    }

    private mutating func add(_ lines: [String]) {
        let room = max(0, Self.named - rows.count)
        rows += lines.prefix(room)
        unnamed += max(0, lines.count - room)
    }

    private mutating func demand(_ left: Int64, _ right: Int64, _ words: String) {
        if left != right { found.append((words, "\(words): \(left) ≠ \(right)")) }
    }

    private mutating func balance(_ end: [String: Int64]) {
        law.notified = totals[.notified] ?? 0
        law.suppressed = totals[.suppressed] ?? 0
        law.grouped = totals[.grouped] ?? 0
        for (state, count) in states { law.deliveries[state.rawValue] = count }
        demand(
            law.read, law.unmatched + law.matched + law.duplicate + law.parked,
            "records read = unmatched + matched + duplicate + parked")
        demand(law.matched, totals[.matched] ?? 0, "matched = events kept")
        demand(law.parked, totals[.parked] ?? 0, "parked = records kept")
        demand(
            law.selected, law.notified + law.grouped + law.suppressed, "selected = notified + grouped + suppressed")
        demand(start.tallies["grouped"] ?? 0, law.grouped, "tally of grouped = rows")
        demand(start.tallies["suppressed"] ?? 0, law.suppressed, "tally of suppressed = rows")
        let reasons = start.tallies.filter { $0.key.hasPrefix("suppressed.") }.values.reduce(0, +)
        demand(start.tallies["suppressed"] ?? 0, reasons, "suppressed = the sum of its reasons")
        let all = DeliveryState.allCases.reduce(Int64(0)) { $0 + (start.tallies["delivery.\($1.rawValue)"] ?? 0) }
        demand(all, deliveries, "tally of all deliveries = rows")
        guard isStill else { return }
        for state in DeliveryState.allCases {
            demand(
                end["delivery.\(state.rawValue)"] ?? 0,
                (end["retired.delivery.\(state.rawValue)"] ?? 0) + (states[state] ?? 0),
                "tally of \(state.rawValue) deliveries = rows")
        }
    }

    /// The law, and of what does not add up that which has one of these names.
    func law(telling names: Set<String>) -> Conservation {
        var law = law
        law.residue = found.filter { names.contains($0.name) }.map(\.words) + rows.filter(names.contains)
        if unnamed > 0 { law.residue.append("and \(unnamed) rows more") }
        return law
    }
}

/// What does not add up about digests: each is counted by itself, by its message, and by the deliveries that name it.
package struct DigestCheck {
    /// What was found.
    package var residue: [String] = []
    /// Makes one.
    package init() {}

    /// Adds a digest.
    ///
    /// - Parameters:
    ///   - isWhole: whether retention has removed none of its deliveries.
    ///   - said: the sizes of its messages; `nil` when there is none.
    package mutating func add(
        _ id: Int64, size: Int64, deliveries: Int64, isWhole: Bool, said: String?, isOver: Bool
    ) {
        if isWhole || !isOver, size != deliveries {
            residue.append("digest \(id): \(size) counted ≠ \(deliveries) deliveries that it tells")
        }
        if let said, said != String(size) { residue.append("digest \(id): \(size) counted ≠ \(said) told") }
        if !isOver, said != nil { residue.append("digest \(id): it is open, and has spoken") }
    }
}
