import CarillonAnswers
import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonRules
import CarillonStream
import CarillonStreamSQLite
import CarillonWorker
import Testing

@Suite("Replay: what is owed is sent, and nothing else", .timeLimit(.minutes(5)))
struct ReplayTests {
    private let house: House
    private let rule = "  - {name: failures, events: [job.failed], notify: [hook]}"

    init() throws { house = try House() }

    private func events(_ ids: Range<Int>) -> [SampleEvent] {
        ids.map { number in
            SampleEvent(
                workspace: ["vision", "vision"][number % 2], id: "e\(number)",
                type: number % 5 == 0 ? "job.running" : "job.failed", subject: "job-\(number % 7)", time: house.now)
        }
    }

    private func question() -> ReplayQuestion {
        ReplayQuestion(since: house.now - .seconds(7_200), until: house.now + .seconds(1))
    }

    private func replayer() throws -> Replayer {
        Replayer(
            ledger: try house.ledger(), stream: try house.stream().scanner(), configuration: Worker.Configuration(),
            clock: house.clock, logger: quiet)
    }

    private func residue() throws -> [String] { try house.ledger().verify(now: house.now).residue }

    @Test("what the receiver refused is sent once, with new tries; a second replay sends nothing")
    func dead() throws {
        try house.apply(rule)
        try house.publish(events(0..<20))
        house.receiver.answer { $0.notice.subject == "job-1" ? .refused(.clientError) : .delivered }
        try house.work()
        let before = house.receiver.received
        house.receiver.answer { _ in .delivered }
        let preview = try replayer().preview(question())
        let count = try replayer().run(question())
        #expect(preview.deliveries == count.deliveries && count.reopened == 16 - before.count && count.events == 0)
        try house.work()
        #expect(house.receiver.received.count == 16 && Set(house.receiver.received).count == 16)
        #expect(try replayer().run(question()).deliveries == 0)
        try house.work()
        #expect(house.receiver.received.count == 16)
        #expect(try residue() == [])
    }

    @Test("beside live load, after an outage of the receiver and one of the workers: the exact set, none twice")
    func window() throws {
        try house.apply(rule)
        try house.publish(events(0..<20))
        try house.work()
        // The receiver refuses for a window; some of it may be tried again, and is pending.
        house.receiver.answer { outgoing in
            outgoing.notice.subject == "job-1" ? .failed(.serverError, after: .seconds(3_600)) : .refused(.clientError)
        }
        try house.publish(events(20..<40))
        try house.work()
        house.receiver.answer { _ in .delivered }
        // No worker for another; live load comes while the replay runs.
        try house.publish(events(40..<60))
        var next = 60
        func live() throws {
            try house.publish(events(next..<next + 5))
            next += 5
            try house.work()
        }
        let replayer = try replayer()
        let count = try replayer.run(question()) { _ in #expect(throws: Never.self) { try live() } }
        #expect(count.reopened > 0 && count.reopened < 16 && count.events == 0)
        try house.work()
        house.clock.advance(by: .seconds(4_000))
        try house.work()
        let expected = (0..<next).count { $0 % 5 != 0 }
        #expect(house.receiver.received.count == expected && Set(house.receiver.received).count == expected)
        #expect(try replayer.run(question()).deliveries == 0)
        try house.work()
        #expect(house.receiver.received.count == expected)
        #expect(try residue() == [])
    }

    @Test("what expired or was withheld goes again only when it is asked for", arguments: [false, true])
    func expired(isAsked: Bool) throws {
        try house.apply(rule)
        try house.publish(events(0..<10))
        house.receiver.answer { _ in .failed(.serverError, after: .seconds(7_000)) }
        try house.work()
        let ledger = try house.ledger()
        let change = RuleChange(workspace: "vision", sources: [], living: [:])
        _ = try ledger.apply([change], base: try ledger.revision(), keepPending: false, now: house.now)
        try house.apply(rule)
        #expect(Set(try ledger.deliveries(DeliveryFilter()).map(\.reason)) == ["rule_removed"])
        house.receiver.answer { _ in .delivered }
        var question = question()
        question.includesExpired = isAsked
        #expect(try replayer().run(question).reopened == (isAsked ? 8 : 0))
        try house.work()
        #expect(house.receiver.received.count == (isAsked ? 8 : 0))
        #expect(try residue() == [])
    }

    private func silence(_ pattern: String = #"{"type":["job.failed"]}"#) throws {
        _ = try house.ledger().add(
            NewSilence(workspace: "vision", pattern: pattern, comment: "rack moves", until: house.now + .seconds(600)),
            now: house.now)
    }

    private func reasons() throws -> [String: Int] {
        Dictionary(grouping: try house.ledger().suppressed(DeliveryFilter(limit: 1_000)), by: \.reason)
            .mapValues(\.count)
    }

    /// Replays, works, and replays again, which has to find nothing.
    private func replay(_ question: ReplayQuestion, sends count: Int) throws {
        let before = house.receiver.received.count
        #expect(try replayer().preview(question).deliveries == count)
        let done = try replayer().run(question)
        #expect(done.deliveries == count && done.held + done.reopened == count && done.events == 0)
        try house.work()
        #expect(house.receiver.received.count == before + count)
        let again = try replayer().run(question)
        #expect(again.deliveries == 0 && again.held == 0)
        #expect(try replayer().preview(question).deliveries == 0)
        try house.work()
        #expect(house.receiver.received.count == before + count)
        #expect(try residue() == [])
    }

    @Test(
        "what a silence held is sent when it is asked for, also while it still holds, by the rules of then or of now",
        arguments: [nil, ReplayQuestion.RulesOf.then, .now])
    func silenced(rules: ReplayQuestion.RulesOf?) throws {
        try house.apply(rule)
        try silence()
        try house.publish(events(0..<20))
        try house.work()
        #expect(house.receiver.received.isEmpty)
        #expect(try reasons() == ["silence": 16])
        try house.apply("  - {name: failures, events: [job.failed], notify: [hook, room]}")
        try replay(question(), sends: 0)
        var question = question()
        (question.includesWithheld, question.rules, question.subject) = (true, rules, "job-1")
        try replay(question, sends: rules == .now ? 4 : 2)
        question.subject = nil
        try replay(question, sends: rules == .now ? 28 : 14)
        let keys = events(0..<20).filter { $0.type == "job.failed" }.map { event in
            Key.delivery(
                event: .event(
                    workspace: event.workspace.utf8.span, source: event.source.utf8.span, id: event.id.utf8.span),
                rule: "failures", target: "hook")
        }
        #expect(Set(keys.map(\.description)).isSubset(of: house.receiver.received), "the keys are those of the events")
        #expect(try reasons() == ["silence": 16], "what was decided stays what it was")
        let told = try house.explain(ExplainQuestion(about: .subject("job-1"), since: house.now - .seconds(60)))
        let lines = told.events.flatMap(\.rules).filter(\.answer.isSelected)
        #expect(lines.count == 2 && told.events.count == 3)
        #expect(lines.allSatisfy { $0.replayed != nil && $0.deliveries.allSatisfy { $0.row.state == .delivered } })
        let delivery = try #require(Key(house.receiver.received[0]))
        let asked = try house.explain(ExplainQuestion(about: .delivery(delivery), since: house.now))
        #expect(asked.events.map(\.fate) == [.matched] && asked.events[0].partition >= 0)
    }

    @Test("a silence's replay tells nobody of an event whom a rule that was not silenced has told")
    func silencedAndTold() throws {
        for workspace in ["vision", "*"] {
            let document = """
                version: 1
                workspace: "\(workspace)"
                contacts: {alice: {mail: alice@example.com}, wei: {mail: wei@example.com}}
                rules:
                  - {name: failures, events: [job.failed], notify: [{mail: [\(workspace == "*" ? "alice" : "alice, wei")]}]}
                """
            try house.apply(document: document, workspace: workspace)
        }
        try silence()
        try house.publish(events(0..<20))
        try house.work()
        var question = question()
        question.includesWithheld = true
        for sent in [16, 0] {
            #expect(try replayer().preview(question).deliveries == sent)
            #expect(try replayer().run(question).held == sent)
        }
        #expect(try residue() == [])
        let targets = Dictionary(
            grouping: try house.ledger().deliveries(DeliveryFilter(limit: 100)), by: { "\($0.rule) \($0.target)" })
        #expect(targets.mapValues(\.count) == ["*/failures mail/alice": 16, "failures mail/wei": 16])
    }

    @Test("what a silence held of a rule that groups joins a group when it is replayed, once, and is explained with it")
    func silencedAndGrouped() throws {
        try house.apply("  - {name: failures, events: [job.failed], group: {by: [workspace]}, notify: [hook]}")
        try silence()
        try house.publish(events(0..<20))
        try house.work()
        var question = question()
        question.includesWithheld = true
        for joined in [16, 0] {
            #expect(try replayer().preview(question).grouped == joined)
            let done = try replayer().run(question)
            #expect(done.grouped == joined && done.deliveries == 0)
        }
        house.clock.advance(by: .seconds(61))
        try house.work()
        #expect(house.receiver.received.count == 1)
        let told = try house.explain(ExplainQuestion(about: .subject("job-1"), since: house.now - .seconds(120)))
        let line = try #require(told.events.flatMap(\.rules).first { $0.answer.isSelected })
        #expect(line.groups.map(\.told?.size) == [16] && line.deliveries.map(\.row.state) == [.delivered])
        #expect(try residue() == [])
    }

    @Test("a silence's replay keeps to dedup windows")
    func silencedWithWindows() throws {
        try house.apply("  - {name: once, events: [job.failed], dedup: {by: [subject], within: 10m}, notify: [hook]}")
        try silence()
        try house.publish(events(0..<20))
        try house.work()
        var question = question()
        question.includesWithheld = true
        try replay(question, sends: 7)
        #expect(try reasons() == ["silence": 16, "dedup": 9])
    }

    @Test("what was too old goes when expired is asked for, with a time of its own to be worth sending")
    func stale() throws {
        try house.apply(rule + "\n  - {name: brief, events: [job.failed], expire_after: 1m, notify: [room]}")
        try house.publish(events(0..<10))
        house.clock.advance(by: .seconds(3_600))
        try house.work()
        #expect(try reasons() == ["expired": 8])
        var question = question()
        question.includesWithheld = true
        try replay(question, sends: 0)
        try house.publish(events(10..<12))
        house.clock.advance(by: .seconds(100_000))
        try house.work()
        question.since = house.now - .seconds(200_000)
        question.until = house.now
        #expect(try reasons() == ["expired": 8, "stale": 2])
        (question.includesWithheld, question.state) = (false, .expired)
        try replay(question, sends: 10)
        (question.includesExpired, question.state) = (true, nil)
        try replay(question, sends: 0)
    }

    @Test("killed between pieces, a replay of what a silence held sends each once")
    func silencedAndKilled() throws {
        try house.apply(rule)
        try silence()
        try house.publish(events(0..<30))
        try house.work()
        var question = question()
        question.includesWithheld = true
        // The piece is decided; the process dies before it can say so.
        let replay = try house.ledger().begin(
            replay: question.signature, since: question.since, until: question.until, now: house.now)
        let path = try ReplayPath(
            ledger: house.ledger(), place: { Place(stream: "s", partition: $0) }, configuration: Worker.Configuration(),
            options: .init(), clock: house.clock, logger: quiet)
        let page = try house.ledger().held(
            question.owed(since: replay.since, until: replay.until), for: [.silence], after: 0)
        let some = Array(page.rows.prefix(10))
        #expect(try path.decide(some).deliveries.values.reduce(0, +) == 10)
        #expect(try path.decide(some).deliveries.isEmpty, "they are sent already")
        #expect(try replayer().run(question).deliveries == 14)
        try house.work()
        #expect(house.receiver.received.count == 24 && Set(house.receiver.received).count == 24)
        #expect(try residue() == [])
    }

    @Test("--all sends again with the same ids; what fails then stays delivered")
    func all() throws {
        try house.apply(rule)
        try house.publish(events(0..<10))
        try house.work()
        let first = house.receiver.received
        var question = question()
        question.all = true
        house.receiver.answer { $0.notice.subject == "job-1" ? .refused(.clientError) : .delivered }
        #expect(try replayer().run(question).reopened == first.count)
        try house.work()
        #expect(Set(house.receiver.received) == Set(first) && house.receiver.received.count > first.count)
        let states = try house.ledger().deliveries(DeliveryFilter()).map(\.state)
        #expect(states == Array(repeating: .delivered, count: first.count))
        #expect(try residue() == [])
    }

    @Test("the ledger is lost: with the receiver's log only what it lacks is sent, and the law holds")
    func lost() throws {
        try house.apply(rule)
        try house.publish(events(0..<40))
        try house.work()
        try house.publish(events(40..<60))
        let received = Set(house.receiver.received.compactMap { Key($0) })
        try house.loseLedger()
        try house.apply(rule)
        house.receiver.forget()
        var question = question()
        question.received = ReceivedCounts(Dictionary(uniqueKeysWithValues: received.map { ($0, 1) }))
        let count = try replayer().run(question)
        #expect(count.undecided == 60 && count.events == 48 && count.deliveries == 16)
        try house.work()
        #expect(house.receiver.received.count == 16)
        #expect(Set(house.receiver.received).isDisjoint(with: received.map(\.description)))
        #expect(try replayer().run(question).deliveries == 0)
        #expect(try residue() == [])
        let law = try house.ledger().verify(now: house.now)
        #expect(law.read == 60 && law.deliveries == ["delivered": 48])
    }

    @Test(
        "a range without a batch is decided beside the position, by the rules of then or of now",
        arguments: [nil, ReplayQuestion.RulesOf.then, .now])
    func hole(rules: ReplayQuestion.RulesOf?) throws {
        try house.apply(rule)
        house.clock.advance(by: .seconds(1))
        try house.publish(events(0..<10))
        house.clock.advance(by: .seconds(60))
        try house.apply("  - {name: later, events: [job.failed], notify: [room]}")
        house.clock.advance(by: .seconds(60))
        let edge = house.now
        try house.publish(events(10..<20))
        // Workers that began behind the first ten, as after a restore.
        var first = ReplayQuestion(since: edge, until: house.now + .seconds(1))
        first.received = ReceivedCounts([:])
        #expect(try replayer().run(first).undecided == 10)
        var question = question()
        question.rules = rules
        #expect(try replayer().preview(question).undecided == 10)
        let count = try replayer().run(question)
        #expect(count.undecided == 10 && count.deliveries == 8)
        let target = rules == .then ? "hook" : "room"
        #expect(count.targets == [ReplayTarget(workspace: "vision", target: target): 8])
        try house.work()
        #expect(house.receiver.received.count == 16 && Set(house.receiver.received).count == 16)
        #expect(try replayer().run(question).undecided == 0)
        #expect(try residue() == [])
    }

    @Test("killed at any step it goes on, and each is sent once", arguments: 0..<6)
    func killed(steps: Int) throws {
        try house.apply(rule)
        try house.publish(events(0..<30))
        house.receiver.answer { _ in .refused(.clientError) }
        try house.work()
        house.receiver.answer { _ in .delivered }
        try house.loseLedger()
        try house.apply(rule)
        struct Kill: Error {}
        for _ in 0..<3 {
            let ledger = try house.ledger()
            let replayer = Replayer(
                ledger: ledger, stream: Dying(try house.stream().scanner(), after: steps),
                configuration: Worker.Configuration(), clock: house.clock, logger: quiet)
            _ = try? replayer.run(question())
        }
        _ = try replayer().run(question())
        try house.work()
        #expect(house.receiver.received.count == 24 && Set(house.receiver.received).count == 24)
        #expect(try residue() == [])
    }

    @Test("a start beyond the horizon is refused unless all is asked for")
    func horizon() throws {
        var question = question()
        question.since = house.now - .seconds(10 * 86_400)
        #expect(throws: ReplayError.self) {
            try Replayer.check(question, horizon: .seconds(7 * 86_400), now: house.now)
        }
        question.all = true
        try Replayer.check(question, horizon: .seconds(7 * 86_400), now: house.now)
    }
}

/// A scanner that fails after some reads of one record each.
private final class Dying: StreamScanner {
    private let scanner: any StreamScanner
    private var left: Int
    init(_ scanner: any StreamScanner, after left: Int) { (self.scanner, self.left) = (scanner, left) }
    func place(of partition: Partition) -> Place { scanner.place(of: partition) }
    func ends() throws(StreamError) -> [Partition: StreamEnds.Ends] { try scanner.ends() }
    func offset(in partition: Partition, since moment: Timestamp) throws(StreamError) -> Offset {
        try scanner.offset(in: partition, since: moment)
    }
    func read(_ partition: Partition, from: Offset, to: Offset, limit: Int) throws(StreamError) -> RecordBatch {
        if left == 0 { throw StreamError(.other, doing: "die") }
        left -= 1
        return try scanner.read(partition, from: from, to: to, limit: 1)
    }
}
