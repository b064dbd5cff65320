import ArgumentParser
import CarillonAnswers
import CarillonEvents
import CarillonLedger

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Says why a notification came, or why it did not.",
        discussion: """
            Asks each rule what it said to the event, by the rules that were in force when it was decided: selected, or \
            the first thing that kept it from it (✗); and of what was selected, what became of it (✓ delivered, … on its \
            way, – held back or given up), with every try that failed. Events that no rule selected are only in the \
            stream, which is looked through as far back as --since says.

              carillon explain --subject dlc-7f3a
              carillon explain --subject dlc-7f3a --rule failures --since 2d
              carillon explain --event /schedulers/volcano-a dlc-7f3a/2/failed
              carillon explain --contact alice --since 2h
              carillon explain --delivery 4c1f0d2e9a7b45c68d0e1f2a3b4c5d6e -o json
            """)

    @Option(parsing: .upToNextOption, help: ArgumentHelp("One event: its source and its id.", valueName: "source> <id"))
    var event: [String] = []
    @Option(help: "All events of this job, pipeline or model.") var subject: String?
    @Option(help: "The event behind this delivery.") var delivery: String?
    @Option(help: "Only in this workspace.") var workspace: String?
    @Option(help: "Only what goes to this contact or endpoint; without an event or a subject, the newest of that.")
    var contact: String?
    @Option(help: "Only this rule.") var rule: String?
    @Option(help: "Look through the stream since: RFC 3339, or how long ago, such as 2h.") var since: Moment?
    @Option(help: "At most this many events, the newest.") var limit = 10
    @OptionGroup var listing: ListingOptions
    @OptionGroup var deployment: Deployment

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit is at least 1") }
        if !event.isEmpty, event.count != 2 {
            throw ValidationError("--event takes two values, the event's source and its id")
        }
        let count = [!event.isEmpty, subject != nil, delivery != nil].count { $0 }
        if count > 1 || count == 0 && contact == nil {
            throw ValidationError("give one of --event SOURCE ID, --subject S and --delivery KEY, or --contact C")
        }
    }

    private var about: ExplainQuestion.About {
        get throws {
            if let delivery { return .delivery(try Deliveries.key(delivery)) }
            if let subject { return .subject(subject) }
            if event.isEmpty, let contact { return .contact(contact) }
            return .event(source: event[0], id: event[1])
        }
    }

    func run() throws {
        let configuration = try deployment.configuration()
        let meter = ScanMeter()
        let explainer = try Explainer(
            ledger: try configuration.desk(), stream: try configuration.scanner(), progress: meter.show)
        let question = ExplainQuestion(
            about: try about, workspace: workspace, rule: rule, contact: contact,
            since: since?.timestamp ?? clock.now() - .seconds(86_400), limit: limit)
        let explanation = try explainer.explain(question)
        meter.end()
        switch listing.format {
        case .json: Console.out(explanation.json.text)
        case .table: for line in explanation.lines(for: question) { Console.out(line) }
        }
    }
}

/// Tells a person how far a scan of the stream is.
final class ScanMeter {
    private let start = clock.uptime()
    private var last = Duration.zero
    private var isShown = false

    /// Shows the count and the rate, a few times a second, to a terminal.
    func show(_ records: Int, _ all: Int64) {
        let spent = clock.uptime() - start
        guard Console.hasTerminal, spent - last > .milliseconds(200), spent > .milliseconds(500) else { return }
        (last, isShown) = (spent, true)
        let rate = Int64(records) * 1_000 / max(1, spent.milliseconds)
        Console.show("\r\(records) of \(all) records, \(rate)/s ")
    }

    /// Clears the line.
    func end() { if isShown { Console.show("\r\u{1B}[K") } }
}
