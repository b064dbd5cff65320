import ArgumentParser
import CarillonAnswers
import CarillonEvents
import CarillonLedger
import CarillonWorker
import Foundation

struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Sends what is still owed, and nothing that was sent.",
        discussion: """
            Reopens what was given up (dead; expired and withheld, also by a silence, only when asked) with a new round \
            of tries, then decides the records of the stream that nobody decided, because the ledger was lost or moved. The workers send \
            it, beside what is live. A second run finds nothing left; one that was killed goes on where it was. --all \
            sends again what was delivered, with the same ids and bodies.

              carillon replay --since 2h --dry-run
              carillon replay --since 2026-01-05T08:00:00Z --until 2026-01-05T09:00:00Z --workspace vision
              carillon replay --since 1d --all --rule failures --rate 100/s --wait
              carillon replay --since 1d --received sink.jsonl
            """)

    @Option(help: "Events the stream took since: RFC 3339, or how long ago, such as 2h.") var since: String
    @Option(help: "And before this; now, unless said.") var until: String?
    @Option(help: "Only of this workspace.") var workspace: String?
    @Option(help: "Only of this rule.") var rule: String?
    @Option(help: "Only about this job, pipeline or model.") var subject: String?
    @Option(help: "Only what is in this state, such as dead.", transform: Self.state) var state: DeliveryState?
    @Flag(help: "Also what was delivered, with the same ids and bodies.") var all = false
    @Flag(help: "Also what was withheld, by a quota or by a silence.") var includeWithheld = false
    @Flag(help: "Also what expired or was stale, and events that are too old by now.") var includeExpired = false
    @Option(
        help:
            "Whose rules decide: then, or now. Unless said, what was decided keeps its text and the rest is decided by the rules of now.",
        transform: Self.rules) var rules: ReplayQuestion.RulesOf?
    @Option(help: "A receiver's log, JSON lines of `carillon sink`: only what it lacks is sent.", completion: .file())
    var received: [String] = []
    @Flag(help: "Only count.") var dryRun = false
    @Option(
        help:
            "At most so many deliveries a second, such as 100/s. Unless said, few while workers read live, else as many as go."
    )
    var rate: Rate?
    @Flag(help: "Wait until the workers have sent it.") var wait = false
    @Flag(help: "Do not ask.") var yes = false
    @OptionGroup var listing: ListingOptions
    @OptionGroup var deployment: Deployment

    private static func state(_ text: String) throws -> DeliveryState {
        if let state = DeliveryState(rawValue: text), state != .pending, state != .leased { return state }
        throw ValidationError(
            "a replay reopens what is delivered, dead, expired, withheld or cancelled; what a silence held is sent with "
                + "--include-withheld, what was stale with --include-expired")
    }

    private static func rules(_ text: String) throws -> ReplayQuestion.RulesOf {
        if let rules = ReplayQuestion.RulesOf(rawValue: text) { return rules }
        throw ValidationError("--rules is then or now")
    }

    func run() throws {
        let configuration = try deployment.configuration()
        let question = try question()
        do throws(ReplayError) {
            try Replayer.check(question, horizon: configuration.ledger.dedupHorizon, now: clock.now())
        } catch { throw Failure(error.description, code: .usage) }
        let meter = ReplayMeter()
        let replayer = Replayer(
            ledger: try configuration.desk(), stream: try configuration.scanner(),
            configuration: try configuration.workerSettings(), clock: clock, logger: Log.logger("carillon.replay"),
            progress: meter.show)
        let asks = isatty(STDIN_FILENO) == 1 && !yes
        if dryRun || asks {
            let count = try replayer.preview(question)
            meter.end()
            show(count, isDone: false)
            if dryRun { return }
            guard count.deliveries + count.grouped + Int(count.undecided) + count.received > 0 else { return }
            Console.flush()
            Console.show("send them? [y/N] ")
            guard ["y", "yes"].contains((readLine() ?? "").lowercased()) else { throw Failure("nothing was sent") }
        }
        var pace = ReplayPace(rate: rate?.perSecond, clock: clock) {
            usleep(useconds_t(clamping: $0.milliseconds * 1_000))
        }
        let done = try replayer.run(question) { step throws(LedgerError) in try pace.wait(after: step) }
        meter.end()
        show(done, isDone: true)
        Console.flush()
        if wait { try waitUntilSent(replayer, question, meter) }
    }

    /// Looks again and again, but nine tenths of the time not.
    private func waitUntilSent(_ replayer: Replayer, _ question: ReplayQuestion, _ meter: ReplayMeter) throws {
        while true {
            let began = clock.uptime()
            let open = try replayer.open(question)
            guard open > 0 else { break }
            meter.show(open: open)
            let pause = max(.milliseconds(500), (clock.uptime() - began) * 9)
            usleep(useconds_t(clamping: pause.milliseconds * 1_000))
        }
        meter.end()
    }

    private func question() throws -> ReplayQuestion {
        func moment(_ text: String) throws -> Timestamp {
            guard let moment = Moment(argument: text) else {
                throw Failure.usage("\"\(printable(text))\" is no time; write RFC 3339, or how long ago, such as 2h")
            }
            return moment.timestamp
        }
        var question = ReplayQuestion(
            since: try moment(since), until: try until.map { try moment($0) } ?? clock.now())
        guard question.since < question.until else { throw Failure.usage("--until is not later than --since") }
        (question.workspace, question.rule, question.subject, question.state) = (workspace, rule, subject, state)
        (question.all, question.rules) = (all, rules)
        (question.includesWithheld, question.includesExpired) = (includeWithheld, includeExpired)
        question.window = "\(since) \(until ?? "")"
        if !received.isEmpty { question.received = try ReceivedLog(received) }
        return question
    }

    private func show(_ count: ReplayCount, isDone: Bool) {
        let rows = count.targets.map { target, number in
            let parts = target.target.split(separator: "/", maxSplits: 1).map(String.init)
            let (channel, contact) = parts.count == 2 ? (parts[0], parts[1]) : ("endpoint", target.target)
            return (workspace: target.workspace, channel: channel, contact: contact, number: number)
        }.sorted { ($0.workspace, $0.channel, $0.contact) < ($1.workspace, $1.channel, $1.contact) }
        if listing.format == .json {
            let targets = rows.map { row in
                JSONValue.object([
                    .string("workspace", row.workspace), .string("channel", row.channel),
                    .string("contact", row.contact), .integer("deliveries", row.number),
                ])
            }
            Console.out(
                JSONValue.object([
                    JSONValue.Member("done", .bool(isDone)), .integer("deliveries", count.deliveries),
                    .integer("reopened", count.reopened), .integer("suppressed", count.held),
                    .integer("grouped", count.grouped), .integer("received", count.received),
                    .integer("records", count.undecided), .integer("events", count.events),
                    JSONValue.Member("targets", .array(targets)),
                ]).text)
            return
        }
        for row in rows {
            Console.out(
                "\(printable(row.workspace))  \(printable(row.channel))  \(printable(row.contact))  \(row.number)")
        }
        let verb = isDone ? "on their way" : "would be sent"
        Console.out(
            "\(count.deliveries) deliveries \(verb): \(count.reopened) reopened, "
                + (count.held > 0 ? "\(count.held) that were suppressed, " : "")
                + "\(count.deliveries - count.reopened - count.held) of \(count.events) events in \(count.undecided) records nobody had decided"
        )
        if count.grouped > 0 {
            let verb = isDone ? "joined" : "would join"
            Console.out("\(count.grouped) events \(verb) a group, which tells them together")
        }
        if count.received > 0 {
            Console.out(
                "\(count.received) deliveries the receiver has already: \(isDone ? "now" : "would be") delivered")
        }
    }
}

/// Tells a person how far a replay is.
private final class ReplayMeter {
    private let start = clock.uptime()
    private var last = Duration.zero
    private var isShown = false

    /// Shows what was done so far and the rate, a few times a second, to a terminal.
    func show(_ done: ReplayCount, _ records: Int64) {
        let spent = clock.uptime() - start
        guard Console.hasTerminal, spent - last > .milliseconds(200), spent > .milliseconds(500) else { return }
        (last, isShown) = (spent, true)
        let read = records > 0 ? "\(done.undecided) of \(records) records, " : ""
        let rate = (Int64(done.deliveries) + done.undecided) * 1_000 / max(1, spent.milliseconds)
        Console.show("\r\u{1B}[K\(read)\(done.deliveries) deliveries, \(rate)/s ")
    }

    /// Shows how many are not sent yet.
    func show(open: Int) {
        guard Console.hasTerminal else { return }
        isShown = true
        Console.show("\r\u{1B}[K\(open) deliveries on their way ")
    }

    /// Clears the line.
    func end() {
        if isShown { Console.show("\r\u{1B}[K") }
        isShown = false
    }
}

/// So many a second.
struct Rate: ExpressibleByArgument {
    let perSecond: Double

    init?(argument: String) {
        let text = argument.hasSuffix("/s") ? String(argument.dropLast(2)) : argument
        guard let number = Double(text), number > 0, number.isFinite else { return nil }
        perSecond = number
    }
}
