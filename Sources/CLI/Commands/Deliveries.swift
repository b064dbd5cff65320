import ArgumentParser
import CarillonEvents
import CarillonLedger

struct Deliveries: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deliveries",
        abstract: "Lists, shows, retries and cancels deliveries.",
        discussion: """
            A delivery is one notification to one target; its key is the webhook-id the receiver sees.

              carillon deliveries list --workspace vision --state dead --since 2h
              carillon deliveries show KEY
              carillon deliveries retry --rule failures --state dead
              carillon deliveries cancel --subject dlc-7f3a
            """,
        subcommands: [List.self, Show.self, Retry.self, Cancel.self])

    /// Which deliveries a command is about.
    struct Choice: ParsableArguments {
        @Argument(help: "Keys of deliveries.") var keys: [String] = []
        @OptionGroup var filters: DeliveryFilters
        @Option(help: "Only in this state: \(states).", transform: Deliveries.state)
        var state: StateChoice?

        var isEverything: Bool { keys.isEmpty && filters.areAbsent && state == nil }

        /// One filter for each key, or one for all.
        func deliveries(limit: Int) throws(Failure) -> [DeliveryFilter] {
            guard state != .suppressed else {
                throw .usage(
                    "a suppressed event has no delivery; `carillon deliveries list --state suppressed` shows it")
            }
            return try filters.each(of: keys, state: state.flatMap(\.delivery), limit: limit)
        }
    }

    /// A state of deliveries, or what never became one.
    enum StateChoice: Equatable {
        case delivery(DeliveryState), suppressed
        var delivery: DeliveryState? { if case .delivery(let state) = self { state } else { nil } }
    }

    private static let states = (DeliveryState.allCases.map(\.rawValue) + ["suppressed"]).joined(separator: ", ")

    static func state(_ text: String) throws -> StateChoice {
        if text == "suppressed" { return .suppressed }
        guard let state = DeliveryState(rawValue: text) else { throw ValidationError("a state is one of \(states)") }
        return .delivery(state)
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
            commandName: "list",
            abstract: "Lists deliveries, newest first.",
            discussion: """
                Events that a rule selected and that were not sent (stale, expired; after: too few came; dedup: an \
                earlier event of the rule's window was; silence) never became a delivery, nor did single targets of \
                it (already_sent by another rule; no_contact: nobody knows the owner; no_address; channel: not \
                offered for the event). --state suppressed lists them, with a key those that this delivery stands for.

                  carillon deliveries list --workspace vision --state pending
                  carillon deliveries list --subject 123 -o json
                  carillon deliveries list --state suppressed --since 1d
                  carillon deliveries list --state suppressed KEY
                """)
        @OptionGroup var choice: Choice
        @Option(help: "At most this many.") var limit = 100
        @OptionGroup var listing: ListingOptions
        @OptionGroup var deployment: Deployment

        func validate() throws { if limit < 1 { throw ValidationError("--limit is at least 1") } }

        func run() throws {
            let desk = try deployment.configuration().desk()
            if choice.state == .suppressed { return try listSuppressed(desk) }
            var list = Listing(columns: [
                "delivery", "decided", "state", "failed", "workspace", "rule", "target", "type", "subject", "why",
            ])
            for filter in try choice.deliveries(limit: limit) {
                for row in try desk.deliveries(filter) { list.add(row.cells, row.members) }
            }
            list.print(listing.format, empty: "no such delivery")
        }

        private func listSuppressed(_ desk: any LedgerDesk) throws {
            var list = Listing(columns: [
                "decided", "workspace", "rule", "target", "type", "subject", "event", "source", "why", "by",
            ])
            for filter in try choice.filters.each(of: choice.keys, state: nil, limit: limit) {
                for row in try desk.suppressed(filter) { list.add(row.cells, row.members) }
            }
            list.print(listing.format, empty: "nothing is suppressed")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Shows one delivery: its state, its tries, its event.",
            discussion: "  carillon deliveries show KEY\n  carillon deliveries show KEY -o json")
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
            commandName: "retry",
            abstract: "Reopens deliveries that ended without success, and makes waiting ones due now.",
            discussion: "  carillon deliveries retry --state dead --since 1d\n  carillon deliveries retry KEY")
        @OptionGroup var choice: Choice
        @Flag(help: "Without any filter: all of them.") var all = false
        @OptionGroup var deployment: Deployment

        func run() throws {
            let configuration = try deployment.configuration()
            try Deliveries.check(choice.isEverything, all)
            let change = Change(desk: try configuration.desk(), isRetry: true)
            try change.run(choice.deliveries(limit: .max))
        }
    }

    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cancel",
            abstract: "Ends deliveries that wait; what is on its way goes on.",
            discussion: "  carillon deliveries cancel --rule nightly --workspace vision")
        @OptionGroup var choice: Choice
        @Flag(help: "Without any filter: all of them.") var all = false
        @OptionGroup var deployment: Deployment

        func run() throws {
            let configuration = try deployment.configuration()
            try Deliveries.check(choice.isEverything, all)
            let change = Change(desk: try configuration.desk(), isRetry: false)
            try change.run(choice.deliveries(limit: .max))
        }
    }

    /// Nothing said is nothing meant: everything has to be asked for.
    static func check(_ isEverything: Bool, _ all: Bool) throws(Failure) {
        guard all || !isEverything else {
            throw .usage("say which deliveries: keys, a filter such as --rule, or --all")
        }
    }

    /// What `retry` and `cancel` do.
    struct Change {
        let desk: any LedgerDesk
        let isRetry: Bool

        /// Changes what the filters mean.
        ///
        /// - Throws: when a delivery named by its key was not changed; why was said then.
        func run(_ filters: [DeliveryFilter]) throws {
            var count = 0
            var unchanged: [String] = []
            for filter in filters {
                let now = clock.now()
                let changed = try isRetry ? desk.retry(filter, now: now) : desk.cancel(filter, now: now)
                count += changed
                if changed == 0, let key = filter.key { unchanged.append(try why(key)) }
            }
            Console.out("\(count) deliveries are \(isRetry ? "due now" : "cancelled")")
            Console.flush()
            for line in unchanged { Console.error("carillon: " + line) }
            if !unchanged.isEmpty { throw Failure.said }
        }

        private func why(_ key: Key) throws -> String {
            guard let row = try desk.deliveries(DeliveryFilter(key: key, limit: 1)).first else {
                return "there is no delivery \(key); `carillon deliveries list` names them"
            }
            switch row.state {
            case .leased: return "\(key) is on its way; see how it ends, then try again"
            case .delivered: return "\(key) is delivered; nothing is owed"
            case .pending where isRetry && row.dueAt == nil:
                return "\(key) waits for an earlier delivery of its subject; retry or cancel that one"
            case .pending: return "\(key) is pending, and the other filters leave it out"
            case .dead, .expired, .withheld, .cancelled:
                return isRetry
                    ? "\(key) is \(row.state.rawValue), and the other filters leave it out"
                    : "\(key) is \(row.state.rawValue) already"
            }
        }
    }
}

/// The filters that every command about deliveries takes.
struct DeliveryFilters: ParsableArguments {
    @Option(help: "Only of this workspace.") var workspace: String?
    @Option(help: "Only of this rule.") var rule: String?
    @Option(help: "Only about this job, pipeline or model.") var subject: String?
    @Option(help: "Only to this contact or endpoint.") var contact: String?
    @Option(help: "Only for this reason, such as serverError.") var reason: String?
    @Option(help: "Only decided since: RFC 3339, or how long ago, such as 2h.") var since: Moment?

    var areAbsent: Bool {
        workspace == nil && rule == nil && subject == nil && contact == nil && reason == nil && since == nil
    }

    func filter(state: DeliveryState? = nil, limit: Int) -> DeliveryFilter {
        DeliveryFilter(
            workspace: workspace, rule: rule, subject: subject, contact: contact, state: state, reason: reason,
            since: since?.timestamp, limit: limit)
    }

    /// One filter for each key, or one for all when no key is named.
    func each(of keys: [String], state: DeliveryState?, limit: Int) throws(Failure) -> [DeliveryFilter] {
        let filter = filter(state: state, limit: limit)
        guard !keys.isEmpty else { return [filter] }
        return try keys.map { text throws(Failure) in
            var filter = filter
            filter.key = try Deliveries.key(text)
            return filter
        }
    }
}

extension SuppressedRow {
    private var names: (id: String?, source: String?) {
        let text = event.span
        guard let outline = try? CloudEvents.outline(text) else { return (nil, nil) }
        return (JSON.string(outline.id, in: text), JSON.string(outline.source, in: text))
    }

    /// For people.
    fileprivate var cells: [String] {
        let (id, source) = names
        return [
            Timestamp(milliseconds: decidedAt).rfc3339, printable(workspace), printable(rule),
            printable(target ?? ""), printable(type), printable(subject ?? ""), printable(id ?? ""),
            printable(source ?? ""), printable(reason),
            printable(by ?? ""),
        ]
    }

    /// For programs.
    fileprivate var members: [JSONValue.Member] {
        let (id, source) = names
        return [
            .string("state", "suppressed"), .string("workspace", workspace), .string("rule", rule),
            .string("type", type), .string("subject", subject), .string("event", id), .string("source", source),
            .string("reason", reason), .string("by", by), .string("target", target), .time("decided", decidedAt),
        ]
    }
}

extension DeliveryRow {
    /// For people.
    var cells: [String] {
        [
            key, Timestamp(milliseconds: decidedAt).rfc3339, state.rawValue, String(attempts), printable(workspace),
            printable(rule), printable(target), printable(type), printable(subject ?? ""), printable(reason),
        ]
    }

    /// For programs.
    var members: [JSONValue.Member] {
        [
            .string("delivery", key), .string("state", state.rawValue), .integer("failed_tries", attempts),
            .string("workspace", workspace), .string("rule", rule), .string("target", target), .string("type", type),
            .string("subject", subject), .string("reason", reason), .time("decided", decidedAt), .time("due", dueAt),
            .time("settled", settledAt), .string("via", via),
        ]
    }
}
