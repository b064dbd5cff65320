import ArgumentParser
import CarillonAnswers
import CarillonEvents
import CarillonLedger
import CarillonLedgerPostgres
import CarillonLedgerSQLite
import CarillonStream

struct Ask: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks a ledger about events it has decided, and says how long an answer takes.",
        discussion: """
            The questions of `carillon explain` that the ledger answers alone, in turns: an event by its names, with and \
            without its workspace, a delivery by its key, a delivery that is none, the newest of an endpoint, and the \
            ledger's part of a subject. Each is asked by a new explainer, as a command would. Prints one JSON line with \
            milliseconds.
            """)

    @Argument(help: "JSON lines of the events, as `generate` writes them.")
    var events: String
    @Option(help: "The ledger's file, or the URL of a PostgreSQL database.")
    var ledger: String
    @Option(help: "How many questions of each kind.")
    var questions = 1_000
    @Option(help: "Which events are asked about.")
    var seed: UInt64 = 1
    @Option(help: "The rule and the target of the deliveries that are asked about.")
    var rule = "all"
    @Option(help: "Their target.")
    var target = "hook"

    func validate() throws { if questions < 1 { throw ValidationError("--questions is at least 1") } }

    private struct Asked {
        let workspace, source, id, subject: String
        var key: Key { .event(workspace: workspace.utf8.span, source: source.utf8.span, id: id.utf8.span) }
    }

    func run() throws {
        let file = try EventFile(path: events)
        let opened: any AnsweringLedger =
            ledger.hasPrefix("postgres") ? try PostgresLedger.open(at: ledger) : try SQLiteLedger.open(at: ledger)
        var random = SplitMix(seed: seed)
        var times: [String: [Double]] = [:]
        var unanswered = 0
        for _ in 0..<questions {
            let event = file.events[Int(random.next() % UInt64(file.events.count))]
            let asked = Asked(
                workspace: event.workspace, source: event.member("\"source\":\"") ?? "",
                id: event.member("\"id\":\"") ?? "", subject: event.member("\"subject\":\"") ?? "")
            for (name, about, isKnown) in about(asked, random.next()) {
                let began = ContinuousClock.now
                let question = ExplainQuestion(
                    about: about, workspace: name == "event" ? asked.workspace : nil,
                    since: Timestamp(milliseconds: 0))
                let found = try Explainer(ledger: opened, stream: try nothing()).explain(question).events.count
                times[name, default: []].append((ContinuousClock.now - began) / .milliseconds(1))
                if isKnown != (found > 0) { unanswered += 1 }
            }
            let began = ContinuousClock.now
            if try opened.events(.subject(asked.subject), limit: 1_000).isEmpty { unanswered += 1 }
            times["subject", default: []].append((ContinuousClock.now - began) / .milliseconds(1))
        }
        let parts = times.keys.sorted().map { name in
            let sorted = (times[name] ?? []).sorted()
            func at(_ share: Double) -> Double { sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] }
            return "\"\(name)\":{\"p50\":\(at(0.5)),\"p99\":\(at(0.99)),\"max\":\(at(1))}"
        }
        try StandardOutput.say("{\"questions\":\(questions),\"wrong\":\(unanswered),\(parts.joined(separator: ","))}")
    }

    private func about(_ asked: Asked, _ number: UInt64) -> [(String, ExplainQuestion.About, isKnown: Bool)] {
        [
            ("event", .event(source: asked.source, id: asked.id), true),
            ("event_of_any_workspace", .event(source: asked.source, id: asked.id), true),
            ("delivery", .delivery(.delivery(event: asked.key, rule: rule, target: target)), true),
            ("absent_delivery", .delivery(Key(high: number, low: number &* 3)), false),
            ("contact", .contact(target), true),
        ]
    }

    /// What is asked here needs no stream.
    private func nothing() throws -> any StreamScanner { throw ValidationError("a question asked for the stream") }
}
