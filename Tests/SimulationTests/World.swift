import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonStream
import CarillonWorker

// The simulation: one thread, one seed, one virtual clock. Producers append, workers take turns, requests travel, people
// change rules, processes die between any two steps, and nothing else decides what happens next. When the seed has had its
// steps the world becomes calm, everything that is owed has to arrive, and the promises are checked.

/// One simulated deployment.
final class World {
    let clock = ManualClock()
    let stream: MemoryStream
    let ledger: SQLiteLedger
    let receiver = Receiver()
    let bug: PlantedBug?
    let concurrency: Int
    private(set) var isCalm = false

    private var random: SplitMix
    private let appender: MemoryAppender
    private var processes: [Process?]
    private var started = 0
    private var company = Company()
    private var crowd: Crowd
    /// Whether somebody puts the clock back; then nothing happens whose promises are about the events' own times.
    private let clockSteps: Bool
    /// Whether anything happens to the crowd, which has much to wait for.
    private let isCrowded: Bool
    private var published: [(event: SampleEvent, since: Int)] = []
    /// When each event was appended, which may be again and again.
    private var appends: [String: [Timestamp]] = [:]
    /// The variants in force, oldest first, one for each revision of the rules.
    private var history: [Int] = []
    private let rulesMove: Bool
    private(set) var outcomes = Outcomes()

    init(seed: UInt64, bug: PlantedBug? = nil) throws {
        random = SplitMix(seed: seed)
        crowd = Crowd(&random)
        clockSteps = random.once(in: 8)
        isCrowded = clockSteps || Bool.random(using: &random)
        self.bug = bug
        concurrency = [1, 2, 64].randomElement(using: &random) ?? 1
        stream = MemoryStream(partitions: 3, batch: Int.random(in: 1...12, using: &random), clock: clock)
        appender = stream.appender()
        ledger = try .inMemory()
        rulesMove = Bool.random(using: &random)
        processes = Array(repeating: nil, count: Int.random(in: 1...3, using: &random))
        try apply(Int.random(in: 0..<RuleVariant.all.count, using: &random))
        _ = try ledger.apply([Company.change], base: try ledger.revision(), keepPending: false, now: clock.now())
        try changeCrowd()
    }

    private func changeCrowd() throws {
        let change = crowd.change(&random)
        _ = try ledger.apply([change], base: try ledger.revision(), keepPending: false, now: clock.now())
        tell("the crowd has other rules")
    }

    /// Lives the seed's life and says what was wrong with it.
    func run(steps: Int = 120) -> Outcomes {
        do {
            for _ in 0..<steps { try step() }
            try settleDown()
            try check()
        } catch {
            violate("the world ended with: \(error)")
        }
        outcomes.violations += receiver.violations
        outcomes.copies = receiver.copies
        outcomes.story = outcomes.story.suffix(40)
        return outcomes
    }

    private func violate(_ words: String) { outcomes.violations.append(words) }
    private func tell(_ words: @autoclosure () -> String) { outcomes.story.append(words()) }

    // Steps

    private func step() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<15: try publish()
        case 15..<60: try turn()
        case 60..<85: travel()
        case 85..<94: passTime()
        case 94..<96: pause()
        case 96..<97: if rulesMove { try changeRules() }
        case 97..<98: makeZombie()
        case 98..<99: try changeEndpoint()
        default: try leave()
        }
    }

    private func passTime() {
        clock.advance(by: .milliseconds(Int.random(in: 1...4000, using: &random)))
        guard clockSteps, random.once(in: 4) else { return }
        clock.set(now: clock.now() - .milliseconds(Int.random(in: 1...15_000, using: &random)))
        tell("the clock is put back")
    }

    private func changeRules() throws {
        guard Bool.random(using: &random) else { return try changeCrowd() }
        try apply(Int.random(in: 0..<RuleVariant.all.count, using: &random))
    }

    private func publish() throws {
        if clockSteps || isCrowded && random.once(in: 3) {
            return try appender.append(crowd.batch(&random, at: clock.now()))
        }
        guard !random.once(in: 3) else { return try appender.append(company.batch(&random, at: clock.now())) }
        var batch: [EncodedEvent] = []
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            if !published.isEmpty, random.once(in: 5) {
                let again = published[Int.random(in: 0..<published.count, using: &random)].event
                appends[again.id, default: []].append(clock.now())
                batch.append(again.encoded)
                continue
            }
            let number = published.count
            let event = SampleEvent(
                workspace: "vision", id: "e\(number)",
                type: ["job.failed", "job.succeeded", "job.running"].randomElement(using: &random) ?? "job.failed",
                subject: "job-\(Int.random(in: 0..<4, using: &random))", time: clock.now(), data: #""n":\#(number)"#)
            published.append((event, since: history.count - 1))
            appends[event.id, default: []].append(clock.now())
            batch.append(event.encoded)
        }
        try appender.append(batch)
        tell("published up to e\(published.count - 1)")
    }

    /// One process takes a turn, or starts.
    private func turn() throws {
        let place = Int.random(in: 0..<processes.count, using: &random)
        guard let process = processes[place] else { return try start(place) }
        _ = try process.turn()
        if !process.fate.isAlive { bury(place) }
    }

    private func start(_ place: Int) throws {
        started += 1
        processes[place] = try Process(started, in: self, seed: random.next())
        tell("process \(started) starts\(processes[place] == nil ? " and dies" : "")")
    }

    private func travel() {
        guard let process = processes.compactMap({ $0 }).randomElement(using: &random) else { return }
        for _ in 0..<Int.random(in: 1...4, using: &random) { process.courier.step() }
    }

    /// Everybody sleeps so long that leases run out.
    private func pause() {
        outcomes.pauses += 1
        tell("all sleep")
        clock.advance(by: .seconds(Int.random(in: 20...90, using: &random)))
    }

    private func makeZombie() {
        guard let process = processes.compactMap({ $0 }).randomElement(using: &random) else { return }
        tell("process \(process.number) is taken for dead by its group")
        process.isZombie = true
        process.reader.presumeDead()
    }

    private func apply(_ variant: Int) throws {
        let change = RuleVariant.all[variant].change(of: "vision")
        _ = try ledger.apply([change], base: try ledger.revision(), keepPending: false, now: clock.now())
        history.append(variant)
        tell("rules \(variant) apply")
    }

    /// A person pauses an endpoint, or resumes whatever is suspended.
    private func changeEndpoint() throws {
        if random.once(in: 3) {
            let name = ["hook", "room"].randomElement(using: &random) ?? "hook"
            _ = try ledger.pause(name, of: "vision", reason: "by hand", now: clock.now())
            tell("\(name) is paused")
        } else {
            try resumeAll()
        }
    }

    private func resumeAll() throws {
        for row in try ledger.endpoints(of: nil) where row.state?.isSuspended == true {
            _ = try ledger.resume(row.name, of: row.workspace, now: clock.now())
            tell("\(row.name) is resumed")
        }
    }

    /// A process is stopped by its operator: it drains, and leaves nothing leased.
    private func leave() throws {
        let place = Int.random(in: 0..<processes.count, using: &random)
        guard let process = processes[place] else { return }
        tell("process \(process.number) drains")
        guard try process.drain() else { return bury(place) }
        let left = try ledger.status(now: clock.now()).workers.filter { process.ledger.sessions.contains($0.session) }
        if !left.isEmpty {
            violate("process \(process.number) drained and left a session with \(left.map(\.leased)) leased")
        }
        processes[place] = nil
    }

    private func bury(_ place: Int) {
        guard let process = processes[place] else { return }
        bury(process.ledger, process.reader, process.courier, process.number)
        tell("process \(process.number) died \(process.fate.lastDoor)")
        processes[place] = nil
    }

    /// What the operating system and the network do when a process is gone.
    func bury(_ ledger: FaultyLedger, _ reader: FaultyReader, _ courier: ManualCourier, _ number: Int) {
        outcomes.deaths += 1
        receiver.excuse(number)
        courier.bury()
        reader.bury()
        for session in ledger.sessions { self.ledger.die(session) }
    }

    // The end

    /// No more faults: processes run until nothing is left to do.
    private func settleDown() throws {
        isCalm = true
        try resumeAll()
        for place in processes.indices {
            processes[place]?.calm()
            if let process = processes[place], process.isZombie {
                process.fate.kill(at: "as a zombie")
                bury(place)
            }
        }
        for _ in 0..<600 {
            var moved = false
            for place in processes.indices {
                if processes[place] == nil { try start(place) }
                for _ in 0..<4 { moved = try processes[place]?.turn() == true || moved }
            }
            clock.advance(by: moved ? .milliseconds(110) : .seconds(5))
            // An answer that was on its way may have disabled one meanwhile.
            try resumeAll()
            if try !moved && isAtRest() { return try goHome() }
        }
        violate("it never comes to rest: \(try openOnes())")
    }

    private func isAtRest() throws -> Bool {
        let ends = stream.ends()
        for (partition, end) in ends where end > 0 {
            guard try ledger.position(stream.name, partition) == end else { return false }
        }
        return try openOnes().isEmpty && company.isTold(ledger) && crowd.isTold(ledger)
    }

    private func openOnes() throws -> [String] {
        try ledger.deliveries(DeliveryFilter(limit: 100_000)).filter { $0.state == .pending || $0.state == .leased }
            .map { "\($0.id) \($0.state) \($0.reason)" }
    }

    private func goHome() throws {
        for place in processes.indices {
            guard let process = processes[place] else { continue }
            if try !process.isIdle() { violate("process \(process.number) is not idle though nothing is left to do") }
            if try !process.drain() { violate("process \(process.number) did not drain") }
        }
    }

    // Checks

    private func check() throws {
        let rows = try ledger.deliveries(DeliveryFilter(workspace: "vision", limit: 100_000))
        outcomes.violations += try company.violations(ledger)
        let (violations, digests) = try crowd.violations(ledger, receiver)
        outcomes.violations += violations
        outcomes.digests = digests
        outcomes.events = published.count
        outcomes.deliveries = rows.count
        let law = try ledger.verify(now: clock.now())
        outcomes.violations += law.residue.map { "verify: \($0)" }
        let decided = Set(rows.compactMap { Key($0.key) })
        if decided.count != rows.count { violate("\(rows.count) deliveries of \(decided.count) keys") }
        let silenced = try ledger.suppressed(DeliveryFilter(workspace: "vision", limit: 100_000))
        outcomes.silenced = silenced.count
        checkDecisions(decided, silenced)
        checkWindows(decided, silenced)
        for row in rows { check(row, among: rows) }
        receiver.checkCopies()
        if !rulesMove { checkStreamOrder(rows) }
    }

    /// Every event made just the deliveries that some rules in force since its publication ask for.
    private func checkDecisions(_ decided: Set<Key>, _ suppressed: [SuppressedRow]) {
        var explained: Set<Key> = []
        var silenced: [String: Set<String>] = [:]
        for row in suppressed { silenced[row.eventID, default: []].insert(row.rule) }
        for (event, since) in published {
            let variants = history[since...].map { RuleVariant.all[$0] }
            let asked = variants.compactMap { $0.keys(of: event, without: silenced[event.id] ?? []) }
            let made = variants.reduce(into: Set()) { $0.formUnion($1.keys(of: event)) }.intersection(decided)
            if !asked.contains(made) {
                violate("\(event.id) \(event.type) made \(made.count) deliveries, which no rules asked for")
            }
            explained.formUnion(made)
        }
        if explained != decided { violate("\(decided.subtracting(explained).count) deliveries of no event") }
        if !receiver.keys(of: "vision").isSubset(of: decided) { violate("something arrived that was never decided") }
    }

    /// Of the events of a window one was sent, and what was not sent names a delivery of its window.
    private func checkWindows(_ decided: Set<Key>, _ suppressed: [SuppressedRow]) {
        let events = Dictionary(published.map { ($0.event.id, $0.event) }, uniquingKeysWith: { first, _ in first })
        var openers: [Key: SampleEvent] = [:]
        for (event, _) in published {
            for variant in RuleVariant.all { for key in variant.keys(of: event) { openers[key] = event } }
        }
        let longest = Duration.seconds(30)
        for row in suppressed {
            guard row.reason == "dedup", let event = events[row.eventID], let by = row.by.flatMap({ Key($0) }),
                let opener = openers[by], decided.contains(by)
            else { return violate("\(row.eventID) is suppressed by nothing: \(row.reason)") }
            let (times, others) = (appends[event.id] ?? [], appends[opener.id] ?? [])
            let areNear = times.contains { time in others.contains { time < $0 + longest && $0 < time + longest } }
            if opener.subject != event.subject || !areNear {
                violate("\(event.id) is suppressed by \(opener.id), which is not of its window")
            }
        }
        guard history.count == 1 else { return }
        for rule in RuleVariant.all[history[0]].rules {
            guard let window = rule.window else { continue }
            var last: [String: Timestamp] = [:]
            for (event, _) in published where event.type == rule.type {
                guard RuleVariant.all[history[0]].keys(of: event).isSubset(of: decided) else { continue }
                if let before = last.updateValue(event.time, forKey: event.subject),
                    event.time < before + .seconds(window)
                {
                    violate("\(event.id) was sent, and its window was open")
                }
            }
        }
    }

    private func hasNewer(_ row: DeliveryRow, _ rows: [DeliveryRow]) -> Bool {
        rows.contains { $0.id > row.id && ($0.rule, $0.target, $0.subject) == (row.rule, row.target, row.subject) }
    }

    private func check(_ row: DeliveryRow, among rows: [DeliveryRow]) {
        guard let key = Key(row.key) else { return violate("\(row.id) has no key") }
        if row.target == OnceChannel.endpoint, receiver.arrivals(of: key) > 1 {
            violate("\(row.id) arrived \(receiver.arrivals(of: key)) times and may only once")
        }
        switch row.state {
        case .delivered:
            if receiver.arrivals(of: key) == 0 { violate("\(row.id) is delivered but never arrived") }
        case .dead:
            let isOnce = row.target == OnceChannel.endpoint && row.reason == Settlement.ambiguous
            if !isOnce, !ManualCourier.isRefusal(row.reason) { violate("\(row.id) is dead: \(row.reason)") }
        case .expired where row.reason == "superseded":
            if !RuleVariant.mayBeSuperseded(row.rule) || !hasNewer(row, rows) {
                violate("\(row.id) of \(row.rule) is superseded by nothing")
            }
        case .expired:
            if row.reason != "rule_removed" { violate("\(row.id) expired: \(row.reason)") }
            if !wasRemoved(row, key) { violate("\(row.id) expired, and its rule and target were there all the time") }
        default: violate("\(row.id) is \(row.state) at the end")
        }
    }

    /// Whether rules that lack the delivery's rule or target came after rules that may have decided it.
    private func wasRemoved(_ row: DeliveryRow, _ key: Key) -> Bool {
        guard let since = published.first(where: { RuleVariant.everyKey(of: $0.event).contains(key) }) else {
            return false
        }
        let first = history.indices.first { place in
            place >= since.since && RuleVariant.all[history[place]].keys(of: since.event).contains(key)
        }
        guard let first else { return false }
        return history[first...].contains { !RuleVariant.all[$0].has(row.rule, row.target) }
    }

    /// Deliveries of a subject are numbered in the order in which their events were published.
    private func checkStreamOrder(_ rows: [DeliveryRow]) {
        var places: [Key: Int] = [:]
        for (place, entry) in published.enumerated() {
            for variant in RuleVariant.all {
                for key in variant.keys(of: entry.event) { places[key] = place }
            }
        }
        let pairs = Dictionary(grouping: rows) { [$0.target, $0.subject ?? ""] }
        for (pair, rows) in pairs {
            let order = rows.sorted { $0.id < $1.id }.compactMap { Key($0.key).flatMap { places[$0] } }
            if order != order.sorted() { violate("\(pair) was decided out of order") }
        }
    }
}
