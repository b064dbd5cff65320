import ArgumentParser
import CarillonEvents
import CarillonLedger

struct Deliveries: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists, shows, retries and cancels deliveries.",
        discussion: """
            A delivery is one notification to one target; its key is the webhook-id the receiver sees.

              carillon deliveries list --workspace vision --state dead --since 2h
              carillon deliveries show 3f1c…
              carillon deliveries retry --rule failures --state dead
              carillon deliveries cancel --subject dlc-7f3a
            """,
        subcommands: [List.self, Show.self, Retry.self, Cancel.self])

    /// Which deliveries a command is about.
    struct Choice: ParsableArguments {
        @Argument(help: "Keys of deliveries.") var keys: [String] = []
        @Option(help: "Only of this workspace.") var workspace: String?
        @Option(help: "Only of this rule.") var rule: String?
        @Option(help: "Only in this state: \(states).", transform: Deliveries.state)
        var state: DeliveryState?
        @Option(help: "Only about this job, pipeline or model.") var subject: String?
        @Option(help: "Only to this contact or endpoint.") var contact: String?
        @Option(help: "Only decided since: RFC 3339, or how long ago, such as 2h.") var since: Moment?

        var isEverything: Bool {
            keys.isEmpty && workspace == nil && rule == nil && state == nil && subject == nil && contact == nil
                && since == nil
        }

        /// One filter for each key, or one for all.
        func filters(limit: Int) throws(Failure) -> [DeliveryFilter] {
            let filter = DeliveryFilter(
                workspace: workspace, rule: rule, subject: subject, contact: contact, state: state,
                since: since?.timestamp, limit: limit)
            guard !keys.isEmpty else { return [filter] }
            return try keys.map { text throws(Failure) in
                var filter = filter
                filter.key = try key(text)
                return filter
            }
        }
    }

    private static let states = DeliveryState.allCases.map(\.rawValue).joined(separator: ", ")

    static func state(_ text: String) throws -> DeliveryState {
        guard let state = DeliveryState(rawValue: text) else { throw ValidationError("a state is one of \(states)") }
        return state
    }

    static func key(_ text: String) throws(Failure) -> Key {
        guard let key = Key(text) else {
            throw .usage(
                "\"\(printable(text))\" is no delivery; a key has 32 hexadecimal digits, see `carillon deliveries list`"
            )
        }
        return key
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists deliveries, newest first.",
            discussion:
                "  carillon deliveries list --workspace vision --state pending\n  carillon deliveries list --subject 123 -o json"
        )
        @OptionGroup var choice: Choice
        @Option(help: "At most this many.") var limit = 100
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func validate() throws { if limit < 1 { throw ValidationError("--limit is at least 1") } }

        func run() throws {
            let desk = try deployment.configuration().desk()
            var list = Listing(columns: [
                "delivery", "decided", "state", "failed", "workspace", "rule", "target", "type", "subject", "why",
            ])
            for filter in try choice.filters(limit: limit) {
                for row in try desk.deliveries(filter) { list.add(row.cells, row.members) }
            }
            list.print(listing.format, empty: "no such delivery")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows one delivery: its state, its tries, its event.",
            discussion: "  carillon deliveries show 3f1c0d…\n  carillon deliveries show 3f1c0d… -o json")
        @Argument(help: "The delivery's key.") var key: String
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func run() throws {
            let desk = try deployment.configuration().desk()
            guard let row = try desk.deliveries(DeliveryFilter(key: try Deliveries.key(key), limit: 1)).first else {
                throw Failure("there is no delivery \(key); `carillon deliveries list` names them")
            }
            let attempts = try desk.attempts(of: row.id)
            let event = try desk.event(of: row.id)
            switch listing.format {
            case .json: showJSON(row, attempts, event)
            case .table: showText(row, attempts, event)
            }
        }

        private func showText(_ row: DeliveryRow, _ attempts: [AttemptRow], _ event: [UInt8]?) {
            for member in row.members {
                if case .string(let text) = member.value { Console.out("\(member.name): \(printable(text))") }
                if case .integer(let number) = member.value { Console.out("\(member.name): \(number)") }
            }
            for attempt in attempts {
                Console.out(
                    "try \(attempt.number) at \(Timestamp(milliseconds: attempt.at).rfc3339): \(attempt.reason)"
                        + (attempt.status > 0 ? " (HTTP \(attempt.status))" : "")
                        + (attempt.words.isEmpty ? "" : ": \(printable(attempt.words))"))
            }
            if let event { Console.out("event: \(printable(String(decoding: event, as: UTF8.self), limit: 100_000))") }
        }

        private func showJSON(_ row: DeliveryRow, _ attempts: [AttemptRow], _ event: [UInt8]?) {
            let tries = attempts.map { attempt in
                JSONValue.object([
                    .integer("number", attempt.number), .time("at", attempt.at), .string("reason", attempt.reason),
                    .integer("status", attempt.status), .string("words", attempt.words),
                ])
            }
            let head = JSONValue.object(row.members + [JSONValue.Member("tries", .array(tries))]).text
            let shown = event.map { String(decoding: $0, as: UTF8.self) } ?? "null"
            Console.out(head.dropLast() + ",\"event\":\(shown)}")
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reopens deliveries that ended without success, and makes waiting ones due now.",
            discussion: "  carillon deliveries retry --state dead --since 1d\n  carillon deliveries retry 3f1c0d…")
        @OptionGroup var choice: Choice
        @Flag(help: "Without any filter: all of them.") var all = false
        @OptionGroup var deployment: Deployment

        func run() throws {
            let desk = try deployment.configuration().desk()
            let count = try change(choice, all) { try desk.retry($0, now: clock.now()) }
            Console.out("\(count) deliveries are due now")
        }
    }

    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends deliveries that wait; what is on its way goes on.",
            discussion: "  carillon deliveries cancel --rule nightly --workspace vision")
        @OptionGroup var choice: Choice
        @Flag(help: "Without any filter: all of them.") var all = false
        @OptionGroup var deployment: Deployment

        func run() throws {
            let desk = try deployment.configuration().desk()
            let count = try change(choice, all) { try desk.cancel($0, now: clock.now()) }
            Console.out("\(count) deliveries are cancelled")
        }
    }

    private static func change(_ choice: Choice, _ all: Bool, _ act: (DeliveryFilter) throws -> Int) throws -> Int {
        guard all || !choice.isEverything else {
            throw Failure.usage("say which deliveries: keys, a filter such as --rule, or --all")
        }
        var count = 0
        for filter in try choice.filters(limit: .max) {
            let changed = try act(filter)
            if changed == 0, let key = filter.key { Console.error("carillon: \(key) is not in a state for that") }
            count += changed
        }
        return count
    }
}

extension DeliveryRow {
    /// For people.
    fileprivate var cells: [String] {
        [
            key, Timestamp(milliseconds: decidedAt).rfc3339, state.rawValue, String(attempts), printable(workspace),
            printable(rule), printable(target), printable(type), printable(subject ?? ""), printable(reason),
        ]
    }

    /// For programs.
    fileprivate var members: [JSONValue.Member] {
        [
            .string("delivery", key), .string("state", state.rawValue), .integer("failed_tries", attempts),
            .string("workspace", workspace), .string("rule", rule), .string("target", target), .string("type", type),
            .string("subject", subject), .string("reason", reason), .time("decided", decidedAt), .time("due", dueAt),
            .time("settled", settledAt),
        ]
    }
}
