import CarillonAnswers
import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonRules
import CarillonStreamSQLite
import CarillonWorker
import Testing

@Suite("Explain: the answer is the truth", .timeLimit(.minutes(10)))
struct ExplainTests {
    /// Rules that ask for type, scope, pattern and condition, in two forms, of which the second holds later.
    static func rules(_ random: inout SplitMix) -> String {
        func pick(_ all: [String]) -> String { all.randomElement(using: &random) ?? "" }
        return (0..<6).map { number in
            var line =
                "  - {name: rule-\(number), events: [\(pick(["job.failed", "job.*", "job.ended", "job.running"]))]"
            if number % 2 == 0 { line += ", scope: {owner: \(pick(["alice", "bob", "wei"]))}" }
            if number % 3 == 0 {
                line +=
                    ", pattern: {data: {kind: [\(pick(["dlc", "batch, notebook"]))], attempt: [{numeric: ['>', \(number % 2)]}]}}"
            }
            if number > 2 {
                line += ", condition: \(pick(["data.priority > 4", "data.final", "data.exitCode == 137"]))"
            }
            if number == 4 { line += ", dedup: {by: [data.owner], within: 10m}" }
            if number == 5 { line += ", enabled: \(pick(["true", "false"]))" }
            return line + ", notify: [\(pick(["hook", "room", "hook, room"]))]}"
        }.joined(separator: "\n")
    }

    /// What the test knows of an event: the rules that decided it, `nil` while nobody did.
    private struct Known {
        let event: SampleEvent
        var rules: WorkspaceRules?
        var isDecided = false
    }

    @Test(
        "of random questions, absent ones included, every verdict is the matcher's and the ledger's",
        arguments: UInt64(1)...20)
    func oracle(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let house = try House()
        house.receiver.answer { $0.attempt % 3 == 1 ? .refused(.clientError) : .delivered }
        var story = SampleEvents(seed: seed, workspaces: ["vision", "speech"], from: house.now)
        var known: [Known] = []
        for phase in 0..<3 {
            let text = Self.rules(&random)
            try house.apply(text)
            let compiled = try Self.compiled(text)
            let events = story.take(60)
            try house.publish(events)
            house.clock.advance(by: .seconds(60))
            known += events.map { Known(event: $0) }
            guard phase < 2 else { break }
            try house.work()
            for place in known.indices where !known[place].isDecided {
                known[place].isDecided = true
                known[place].rules = compiled
            }
        }
        let latest = try Self.compiled(
            try #require(house.ledger().rules().workspaces["vision"]?.first?.text), isWhole: true)
        let explainer = try Explainer(ledger: house.ledger(), stream: house.stream().scanner())
        for _ in 0..<500 {
            var one = try #require(known.randomElement(using: &random))
            if !one.isDecided { one.rules = latest }
            try ask(explainer, house, one, &random, seed)
        }
    }

    private func ask(
        _ explainer: Explainer, _ house: House, _ one: Known, _ random: inout SplitMix, _ seed: UInt64
    ) throws {
        let isAbsent = Int.random(in: 0..<8, using: &random) == 0
        let id = isAbsent ? one.event.id + "/none" : one.event.id
        let since = house.now - .seconds(3_600)
        let answer = try explainer.explain(
            ExplainQuestion(
                about: .event(source: one.event.source, id: id), workspace: one.event.workspace, since: since))
        let place: Comment = "seed \(seed), event \(id)"
        guard !isAbsent else {
            #expect(answer.events.isEmpty, place)
            return
        }
        let event = try #require(answer.events.first, place)
        #expect(answer.events.count == 1 && event.id == id, place)
        let text = one.event.encoded.bytes
        let outline = try CloudEvents.outline(text.span)
        let rules = one.event.workspace == "vision" ? one.rules : nil
        var selected: [Int] = []
        rules?.match(text.span, outline, into: &selected)
        if let rules { _ = rules.judge(text.span, outline, &selected) }
        let names = selected.compactMap { rules?.rules[$0].name }
        #expect(event.rules.filter(\.answer.isSelected).map(\.name) == names, place)
        #expect(event.rules.count == rules?.rules.count ?? 0, place)
        let fate: EventAnswer.Fate = !one.isDecided ? .unread : names.isEmpty ? .unmatched : .matched
        #expect(event.fate == fate, place)
        guard one.isDecided else { return }
        let key = Key.event(
            workspace: one.event.workspace.utf8.span, source: one.event.source.utf8.span, id: id.utf8.span)
        let desk = try house.ledger()
        for line in event.rules where line.answer.isSelected {
            let told = Set(line.deliveries.map { "\($0.row.key) \($0.row.state)" })
            var known: Set<String> = []
            for target in line.answer.rule.targets {
                let delivery = Key.delivery(event: key, rule: line.answer.rule.identity, target: target)
                for row in try desk.deliveries(DeliveryFilter(key: delivery)) {
                    known.insert("\(row.key) \(row.state)")
                }
            }
            #expect(told == known, "\(place), \(line.name)")
            #expect(line.deliveries.isEmpty != line.suppressed.isEmpty, "\(place), \(line.name)")
            #expect(line.deliveries.allSatisfy { $0.row.state != .dead || !$0.attempts.isEmpty }, place)
        }
    }

    private static func compiled(_ rules: String, isWhole: Bool = false) throws -> WorkspaceRules {
        let endpoints =
            "endpoints: {hook: {webhook: \"http://hook.example.com/\"}, room: {webhook: \"http://room.example.com/\"}}"
        let text = isWhole ? rules : "version: 1\nworkspace: vision\n\(endpoints)\nrules:\n\(rules)\n"
        let loaded = RuleDocuments.load([(file: "rules.yaml", text: text)], limits: RuleLimits())
        return try #require(loaded.workspaces.first, "\(loaded.problems)")
    }

    @Test("a subject's events are told whatever became of them, and which types never came")
    func subject() throws {
        let house = try House()
        try house.apply("  - {name: failures, events: [job.failed], notify: [hook]}")
        let events = ["job.queued", "job.running", "job.queued"].enumerated().map { number, type in
            SampleEvent(workspace: "vision", id: "7/\(number)", type: type, subject: "dlc-7", time: house.now)
        }
        try house.publish(events)
        try house.work()
        try house.publish([SampleEvent(workspace: "vision", id: "8/0", subject: "dlc-8", time: house.now)])
        let question = ExplainQuestion(about: .subject("dlc-7"), since: house.now - .seconds(60))
        let answer = try house.explain(question)
        #expect(answer.events.map(\.fate) == [.unmatched, .unmatched, .unmatched])
        #expect(answer.types == ["job.queued": 2, "job.running": 1])
        #expect(answer.absences.map(\.rule) == ["failures"])
        let unread = try house.explain(ExplainQuestion(about: .subject("dlc-8"), since: house.now - .seconds(60)))
        #expect(unread.events.map(\.fate) == [.unread] && unread.absences.isEmpty)
        try house.publish([SampleEvent(workspace: "vision", id: "8/0", subject: "dlc-8", time: house.now)])
        try house.work()
        let both = try house.explain(ExplainQuestion(about: .subject("dlc-8"), since: house.now - .seconds(60)))
        #expect(both.events.map(\.fate.word).sorted() == ["duplicate", "matched"])
    }

    @Test(
        "a contact's question is answered with what rules made for it, and with those that would tell it of other types"
    )
    func contact() throws {
        let house = try House()
        try house.apply(
            """
              - {name: failures, events: [job.failed], notify: [hook]}
              - {name: ends, events: [job.*], notify: [room]}
              - {name: stops, events: [job.stopped], notify: [hook]}
            """)
        try house.publish(
            ["job.failed", "job.running", "job.failed"].enumerated().map { number, type in
                SampleEvent(workspace: "vision", id: "7/\(number)", type: type, subject: "dlc-7", time: house.now)
            })
        try house.work()
        var question = ExplainQuestion(about: .contact("hook"), since: house.now - .seconds(60))
        let told = try house.explain(question)
        #expect(told.events.map(\.id).sorted() == ["7/0", "7/2"] && told.scanned == 0)
        #expect(told.events.allSatisfy { $0.rules.map(\.name) == ["failures", "stops"] })
        #expect(told.absences.map(\.rule) == ["stops"])
        question.limit = 1
        #expect(try house.explain(question).events.map(\.id) == ["7/2"])
        question.about = .contact("nobody")
        #expect(try house.explain(question).events.isEmpty && house.explain(question).absences.isEmpty)
    }

    @Test("what the ledger answers alone needs no stream, and an event is found in whichever workspace it is")
    func withoutStream() throws {
        struct Away: Error {}
        let house = try House()
        try house.apply("  - {name: failures, events: [job.failed], notify: [hook]}")
        try house.apply("  - {name: all, events: [job.*], notify: [room]}", workspace: "speech")
        try house.publish([SampleEvent(workspace: "speech", id: "9/0", subject: "dlc-9", time: house.now)])
        try house.work()
        let explainer = try Explainer(ledger: house.ledger(), stream: { throw Away() }())
        let source = SampleEvent(workspace: "speech", id: "9/0", subject: "dlc-9", time: house.now).source
        let answer = try explainer.explain(
            ExplainQuestion(about: .event(source: source, id: "9/0"), since: house.now - .seconds(60)))
        #expect(answer.events.map(\.workspace) == ["speech"] && answer.events.map(\.fate) == [.matched])
        let key = try #require(answer.events.first?.rules.flatMap(\.deliveries).first?.row.key)
        let about = ExplainQuestion.About.delivery(try #require(Key(key)))
        #expect(try explainer.explain(ExplainQuestion(about: about, since: house.now)).events.count == 1)
        #expect(throws: Away.self) {
            try explainer.explain(ExplainQuestion(about: .subject("dlc-9"), since: house.now - .seconds(60)))
        }
    }
}
