import CarillonEvents
import CarillonKit
import CarillonLedger

/// A sentence about what went wrong.
struct Disagreement: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Does the same random things to a ledger and to the model, and compares them after each.
struct LedgerWalk {
    private var random: SplitMix
    private let ledger: any WholeLedger
    private let die: (SessionID) throws -> Void
    private let clock = ManualClock()
    private var model = LedgerModel()
    private var story: [String] = []
    private var drafted = 0

    /// - Parameter die: makes a session's worker die without a word.
    init(_ ledger: any WholeLedger, seed: UInt64, die: @escaping (SessionID) throws -> Void) throws {
        random = SplitMix(seed: seed)
        (self.ledger, self.die) = (ledger, die)
        try begin()
        try begin()
    }

    /// Takes steps, then brings everything home.
    mutating func run(steps: Int) throws {
        do {
            for _ in 0..<steps {
                try step()
                try compare()
            }
            try bringHome()
        } catch {
            throw Disagreement("\(error), after:\n" + story.suffix(12).joined(separator: "\n"))
        }
    }

    private mutating func step() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: try decide()
        case 30..<55: try claim()
        case 55..<80: try settle()
        case 80..<84: try lose()
        case 84..<87: try begin()
        case 87..<90: try cancel()
        case 90..<94: try retry()
        case 94..<95: try apply()
        case 95..<97: try pauseOrResume()
        case 97..<98: try start()
        default: clock.advance(by: .seconds(Int.random(in: 1...60, using: &random)))
        }
    }

    private func demand(_ holds: Bool, _ words: @autoclosure () -> String) throws {
        guard holds else { throw Disagreement(words()) }
    }

    private mutating func pick<Element>(_ from: [Element]) -> Element? { from.randomElement(using: &random) }

    // Steps

    private mutating func begin() throws {
        guard model.sessions.count < 4 else { return }
        let session = try ledger.begin(session: "w", until: clock.now() + .seconds(1_000_000), now: clock.now())
        story.append("begin \(session)")
        model.sessions.append(session)
    }

    private mutating func draft() -> Draft {
        // A small world, so that pairs meet and ids repeat.
        drafted += 1
        let id = random.once(in: 4) ? Int.random(in: 0..<drafted, using: &random) : drafted
        return Draft(
            "e\(id)", subject: "s\(Int.random(in: 0..<3, using: &random))",
            rule: "r\(Int.random(in: 0..<2, using: &random))",
            to: random.once(in: 3) ? ["hook", "room"] : ["hook"], suppressed: random.once(in: 10) ? .stale : nil,
            window: random.once(in: 4) ? window() : nil, wanted: Bool.random(using: &random),
            ordered: !random.once(in: 5), supersedes: random.once(in: 3))
    }

    private mutating func window() -> Decisions.Window {
        let value = UInt8.random(in: 0..<3, using: &random)
        return Decisions.Window(
            key: .window(workspace: "vision", rule: "r0", values: [("subject", [value])]),
            length: .seconds(Int.random(in: 1...100, using: &random)))
    }

    private mutating func decide() throws {
        guard let session = pick(model.sessions) else { return }
        let drafts = (0..<Int.random(in: 0...4, using: &random)).map { _ in draft() }
        let wrong: Int64 = model.position > 0 && random.once(in: 8) ? [-1, 1].randomElement(using: &random) ?? 1 : 0
        let stale: Revision = random.once(in: 10) ? 1 : 0
        let batch = Decisions(
            drafts, from: model.position + wrong, revision: model.revision - stale,
            unmatched: Int.random(in: 0...2, using: &random), parked: random.once(in: 9) ? ["x"] : [], now: clock.now())
        story.append("decide \(batch.from) r\(batch.revision) for \(session): \(drafts.map(\.id))")
        switch try ledger.decide(batch, for: session, now: clock.now()) {
        case .rulesMoved: try demand(stale != 0, "the rules did not move")
        case .moved(let position):
            try demand(
                wrong != 0 && stale == 0 && position == model.position, "moved to \(String(describing: position))")
        case .done(let births, let duplicates, let suppressed):
            try demand((wrong == 0 || model.position == 0) && stale == 0, "decided what it should refuse")
            try born(births, duplicates, of: batch, drafts, session)
            for (reason, count) in suppressed { model.suppressed[reason, default: 0] -= count }
            try demand(model.suppressed.values.allSatisfy { $0 == 0 }, "suppressed \(suppressed)")
        }
    }

    private mutating func born(
        _ births: [Birth], _ duplicates: Int, of batch: Decisions, _ drafts: [Draft], _ session: SessionID
    ) throws {
        var births = births[...]
        var doubled = 0
        for (event, draft) in zip(batch.events, drafts) {
            let isNew = model.seen.insert(event.key).inserted
            doubled += isNew ? 0 : 1
            for selection in batch.selections[event.selections] {
                let falls =
                    isNew && selection.suppressed == nil && model.falls(into: selection.window, at: event.appended)
                if isNew, let reason = falls ? .dedup : selection.suppressed {
                    model.suppressed[reason, default: 0] += 1
                }
                for delivery in batch.deliveries[selection.deliveries] {
                    let birth = births.popFirst()
                    if falls {
                        try demand(birth == .suppressed, "\(draft.id) was sent, and its window was open")
                    } else if isNew {
                        try add(birth, delivery, selection.rule, draft, session)
                    } else {
                        try demand(birth == .duplicate, "\(draft.id) was decided twice")
                    }
                }
            }
        }
        try demand(births.isEmpty && doubled == duplicates, "\(duplicates) duplicates, \(doubled) expected")
        model.position = batch.next
    }

    private mutating func add(
        _ birth: Birth?, _ delivery: Decisions.Delivery, _ rule: String, _ draft: Draft, _ session: SessionID
    ) throws {
        if delivery.supersedes { model.supersede(delivery.pair, rule: rule) }
        let open = model.open(delivery.pair)
        let isWanted = delivery.wanted && !model.paused.contains(delivery.target)
        let isHead = open.isEmpty
        let follows = !isHead && [open.first, open.last].allSatisfy { $0?.state == .leased && $0?.session == session }
        guard let birth, let id = birth.id else { throw Disagreement("no birth for \(draft.id)") }
        try demand(
            birth.isLeased == ((isHead || follows) && isWanted), "\(draft.id) born \(birth), head: \(isHead)")
        try demand(birth.follows == (follows && isWanted), "\(draft.id) born \(birth), follows: \(follows)")
        model.rows.append(
            LedgerModel.Row(
                id: id, pair: delivery.pair, rule: rule, target: delivery.target, subject: draft.subject ?? "",
                state: birth.isLeased ? .leased : .pending, epoch: birth.isLeased ? 1 : 0,
                session: birth.isLeased ? session : nil, supersedes: delivery.supersedes && delivery.pair != nil))
    }

    private mutating func claim() throws {
        guard let session = pick(model.sessions) else { return }
        let isWide = Bool.random(using: &random)
        let total = isWide ? 1000 : Int.random(in: 0...4, using: &random)
        let perLane = isWide ? 1000 : Int.random(in: 1...3, using: &random)
        let listed = try ledger.deliveries(DeliveryFilter(state: .pending, limit: 100_000))
            .filter { !model.paused.contains($0.target) }
        let now = clock.now().milliseconds
        let claims = try ledger.claim(for: session, room: Room(total: total, perLane: perLane), now: clock.now())
        story.append("claim \(total)/\(perLane) for \(session): \(claims.deliveries.map(\.delivery))")
        for claimed in claims.deliveries { try take(claimed, for: session) }
        let lanes = Dictionary(grouping: claims.deliveries, by: \.lane).values.map(\.count)
        try demand(
            claims.deliveries.count <= total && lanes.allSatisfy { $0 <= perLane }, "more than there is room for")
        let due = listed.filter { $0.dueAt.map { $0 <= now } ?? false }
        if isWide {
            try demand(Set(claims.deliveries.map(\.delivery)) == Set(due.map(\.id)), "\(due.map(\.id)) were due")
        }
        let next = listed.compactMap(\.dueAt).filter { $0 > now }.min()
        let mayNotSay = claims.nextDue == nil && claims.leftBehind && !claims.deliveries.isEmpty
        try demand(
            claims.nextDue?.milliseconds == next || mayNotSay, "next due is \(String(describing: next)), said \(claims)"
        )
    }

    private mutating func take(_ claimed: Claimed, for session: SessionID) throws {
        guard let index = model.index(of: claimed.delivery) else {
            throw Disagreement("\(claimed.delivery) is unknown")
        }
        let row = model.rows[index]
        try demand(row.state == .pending, "claimed \(row)")
        if row.pair != nil {
            try demand(model.open(row.pair).first?.id == row.id, "claimed \(row.id) before an earlier one")
        }
        try demand(claimed.epoch == row.epoch + 1 && claimed.attempts == row.attempts, "epoch or attempts of \(row)")
        model.rows[index].state = .leased
        model.rows[index].epoch += 1
        model.rows[index].session = session
    }

    private mutating func settle() throws {
        guard
            let row = pick(model.rows.filter { $0.epoch > 0 && $0.state == .leased })
                ?? pick(model.rows.filter { $0.epoch > 0 }),
            let index = model.index(of: row.id), let any = pick(model.sessions)
        else { return }
        let isStale = random.once(in: 6)
        let epoch = isStale && row.epoch > 1 ? row.epoch - 1 : row.epoch
        let session = random.once(in: 10) ? any : row.session ?? any
        let now = clock.now()
        let endings: [Settlement.Ending] = [
            .delivered, .delivered, .retry(at: now + .seconds(Int.random(in: 0...90, using: &random))), .dead, .expired,
            .released, .postponed(until: now + .seconds(Int.random(in: 0...90, using: &random))),
        ]
        guard let ending = pick(endings) else { return }
        story.append("settle \(row.id)#\(epoch) by \(session): \(ending)")
        try ledger.settle(
            [Settlement(delivery: row.id, epoch: epoch, ending: ending, reason: "x")], for: session, now: now)
        if ending == .delivered {
            model.rows[index].state = .delivered
        } else if row.state == .leased, epoch == row.epoch, session == row.session {
            end(index, ending)
        }
    }

    private mutating func end(_ index: Int, _ ending: Settlement.Ending) {
        let row = model.rows[index]
        model.rows[index].session = nil
        switch ending {
        case .delivered: model.rows[index].state = .delivered
        case .dead: (model.rows[index].state, model.rows[index].attempts) = (.dead, row.attempts + 1)
        case .expired: model.rows[index].state = .expired
        case .retry, .released, .postponed:
            guard !model.isSuperseded(row) else { return model.rows[index].state = .expired }
            model.rows[index].state = .pending
            if case .retry = ending { model.rows[index].attempts += 1 }
            model.releaseFollowers(of: row)
        }
    }

    private mutating func pauseOrResume() throws {
        guard let target = pick(model.rows.map(\.target)) else { return }
        if model.paused.contains(target) {
            try demand(try ledger.resume(target, of: "vision", now: clock.now()), "\(target) was not paused")
            model.paused.remove(target)
        } else {
            try demand(
                try ledger.pause(target, of: "vision", reason: "by hand", now: clock.now()), "\(target) was paused")
            model.paused.insert(target)
        }
        story.append("paused: \(model.paused)")
        model.revision += 1
    }

    /// What may be sent only once is marked; of what is another's, or waits, nothing is.
    private mutating func start() throws {
        guard let session = pick(model.sessions) else { return }
        let chosen = model.rows.filter { _ in Bool.random(using: &random) }
        let marked = try ledger.start(chosen.map(\.id), for: session, now: clock.now())
        let own = chosen.filter { $0.state == .leased && $0.session == session }
        story.append("start \(own.map(\.id)) of \(session)")
        try demand(marked == Set(own.map(\.id)), "started \(marked)")
        for row in own { if let index = model.index(of: row.id) { model.rows[index].started = row.epoch } }
    }

    /// A worker dies, or leaves.
    private mutating func lose() throws {
        guard let session = pick(model.sessions) else { return }
        // What was begun and may be sent only once is not given back.
        let held = model.rows.filter { $0.session == session && $0.state == .leased && $0.started != $0.epoch }.count
        if Bool.random(using: &random) {
            story.append("end \(session)")
            try ledger.end(session, now: clock.now())
        } else {
            story.append("die \(session)")
            try die(session)
            let reaped = try ledger.reap(now: clock.now())
            try demand(reaped == held, "reaped \(reaped) of \(held)")
        }
        model.release(session)
        if model.sessions.isEmpty { try begin() }
    }

    private mutating func cancel() throws {
        let subject = "s\(Int.random(in: 0..<3, using: &random))"
        story.append("cancel \(subject)")
        let count = try ledger.cancel(DeliveryFilter(subject: subject, limit: 100_000), now: clock.now())
        let hit = model.rows.indices.filter { model.rows[$0].subject == subject && model.rows[$0].state == .pending }
        try demand(count == hit.count, "cancelled \(count) of \(hit.count)")
        for index in hit { model.rows[index].state = .cancelled }
    }

    private mutating func retry() throws {
        guard let state = pick([.dead, .expired, .cancelled] as [DeliveryState]) else { return }
        story.append("retry \(state)")
        let count = try ledger.retry(DeliveryFilter(state: state, limit: 100_000), now: clock.now())
        let hit = model.rows.indices.filter { model.rows[$0].state == state }
        try demand(count == hit.count, "reopened \(count) of \(hit.count)")
        for index in hit { model.rows[index].state = .pending }
    }

    private mutating func apply() throws {
        let living: [String: Set<String>] = ["r0": ["hook", "room"], "r1": random.once(in: 2) ? ["hook"] : []]
        let keeps = random.once(in: 3)
        story.append("apply \(living), keep pending: \(keeps)")
        let change = RuleChange(
            workspace: "vision", sources: [SourceText(file: "f", text: "\(model.revision)")], living: living)
        let applied = try ledger.apply([change], base: model.revision, keepPending: keeps, now: clock.now())
        let hit = model.rows.indices.filter { index in
            let row = model.rows[index]
            return !keeps && row.state == .pending && living[row.rule]?.contains(row.target) != true
        }
        try demand(applied?.expired == hit.count, "expired \(String(describing: applied)) of \(hit.count)")
        model.revision += 1
        for index in hit { model.rows[index].state = .expired }
    }

    // Comparison

    private func compare() throws {
        let listed = try ledger.deliveries(DeliveryFilter(limit: 100_000)).reversed()
        try demand(listed.count == model.rows.count, "\(listed.count) rows, not \(model.rows.count)")
        for (row, expected) in zip(listed, model.rows) {
            try demand(
                row.id == expected.id && row.state == expected.state && row.attempts == expected.attempts,
                "\(row.id) is \(row.state) after \(row.attempts) attempts, not \(expected.state) after \(expected.attempts)"
            )
        }
        for (_, leased) in Dictionary(grouping: model.rows.filter { $0.state == .leased && $0.pair != nil }, by: \.pair)
        {
            try demand(Set(leased.map(\.session)).count == 1, "two sessions hold leases of one pair")
        }
        try demand(try ledger.position("s", 0) ?? 0 == model.position, "the position")
        let residue = try ledger.verify(now: clock.now()).residue
        try demand(residue.isEmpty, "\(residue)")
    }

    /// Everybody is well again: all that is open has to arrive.
    private mutating func bringHome() throws {
        clock.advance(by: .seconds(10_000))
        for target in model.paused { _ = try ledger.resume(target, of: "vision", now: clock.now()) }
        model.paused = []
        for session in model.sessions { try ledger.end(session, now: clock.now()) }
        for session in model.sessions { model.release(session) }
        try begin()
        while true {
            let claims = try ledger.claim(
                for: model.sessions[0], room: Room(total: 100, perLane: 100), now: clock.now())
            guard !claims.deliveries.isEmpty else { break }
            for claimed in claims.deliveries {
                try take(claimed, for: model.sessions[0])
                let yes = Settlement(delivery: claimed.delivery, epoch: claimed.epoch, ending: .delivered)
                try ledger.settle([yes], for: model.sessions[0], now: clock.now())
                if let index = model.index(of: claimed.delivery) { model.rows[index].state = .delivered }
            }
        }
        try compare()
        let left = model.rows.filter(\.isOpen).map(\.id)
        try demand(left.isEmpty, "\(left) wait for ever")
    }
}
