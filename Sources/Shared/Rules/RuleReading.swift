import CarillonEvents

// Reading `rules:`. A rule is read in two steps: alone here, and with its workspace in `RuleDocuments`, where the names
// of targets mean something.

/// A rule as its document has it, before its targets are looked up.
struct RuleDraft {
    /// The rule with no targets yet.
    let rule: Rule
    let place: Place
    let targets: [Target]

    struct Target {
        enum Kind {
            case endpoint(String)
            /// Names of contacts and groups, and `$owner`.
            case people(PeopleChannel, [(name: String, place: Place)])
        }
        let kind: Kind
        let place: Place
        /// What becomes of what finds no quota; `nil` for the standard.
        var overflow: Overflow?
    }
}

/// Reads the rules of one document, in its order.
func ruleDrafts(_ tree: Tree, _ findings: inout Findings) -> [RuleDraft] {
    guard let items = tree.list("'rules'", &findings) else { return [] }
    return items.compactMap { item in
        Fields(item, RuleReading.vocabulary, &findings).flatMap { RuleReading(fields: $0).draft(&findings) }
    }
}

struct RuleReading {
    let fields: Fields

    static let vocabulary = Vocabulary(
        "a rule",
        known: [
            "name", "id", "events", "scope", "pattern", "severity", "notify", "title", "message", "order",
            "expire_after", "enabled", "dedup", "after", "group", "condition", "on_error", "incident", "per_rule",
        ],
        later: [
            "for": "timers", "expect": "timers",
        ])
    private static let expiry = Duration.seconds(1)...Duration.seconds(365 * 86_400)

    func draft(_ findings: inout Findings) -> RuleDraft? {
        let name = fields.required("name", in: "a rule", &findings)?.name("a rule's name", &findings)
        let what = name.map { "rule '\($0.shortened)'" } ?? "a rule"
        let id = fields["id"].map { $0.name("a rule's id", &findings) }
        let events = fields.required("events", in: what, &findings).flatMap {
            self.events($0, "'events'", &findings)
        }
        let scope = fields["scope"].map { self.scope($0, for: events ?? [], &findings) }
        let pattern = fields["pattern"].map { Pattern($0, &findings) }
        let condition = fields["condition"].map { self.condition($0, &findings) }
        let onError = fields["on_error"].map { $0.word("'on_error'", as: OnError.self, &findings) } ?? .send
        let severity = fields["severity"].map { $0.word("'severity'", as: Severity.self, &findings) } ?? .warning
        let targets = fields.required("notify", in: what, &findings).flatMap { self.targets($0, &findings) }
        let title = fields["title"].map { template("the title", $0, &findings) }
        let message = fields["message"].map { template("the message", $0, &findings) }
        let order =
            fields["order"].map { $0.word("'order'", as: Order.self, &findings) } ?? .subject
        let expiry = fields["expire_after"].map { $0.duration("'expire_after'", in: Self.expiry, &findings) }
        let enabled = fields["enabled"].map { $0.bool("'enabled'", &findings) } ?? true
        let dedup = fields["dedup"].map { Dedup($0, &findings) }
        let after = fields["after"].map { Threshold($0, &findings) }
        let group = fields["group"].map { Grouping($0, &findings) }
        check(groupBeside: order, &findings)
        let perRule = fields["per_rule"].map { $0.bool("'per_rule'", &findings) } ?? false
        let incident = fields["incident"].map {
            IncidentRule($0, &findings) { tree, findings in
                self.events(tree, "'resolve_on'", &findings)?.map(\.selector)
            }
        }
        guard condition != .some(nil), incident != .some(nil), let onError, let perRule else { return nil }
        guard let name, let events, let severity, let targets, let order, let enabled,
            expiry != .some(nil), id != .some(nil), scope != .some(nil), pattern != .some(nil), title != .some(nil),
            message != .some(nil),
            dedup != .some(nil), after != .some(nil), group != .some(nil)
        else { return nil }
        let rule = Rule(
            name: name, identity: id.flatMap(\.self) ?? name, enabled: enabled, events: events.map(\.selector),
            scope: scope.flatMap(\.self), severity: severity, targets: [], condition: condition.flatMap(\.self),
            onError: onError, title: title.flatMap(\.self),
            message: message.flatMap(\.self), expireAfter: expiry.flatMap(\.self), order: order,
            file: fields.place.source.file,
            line: fields.place.line, dedup: dedup.flatMap(\.self), after: after.flatMap(\.self),
            group: group.flatMap(\.self), incident: incident.flatMap(\.self), pattern: pattern.flatMap(\.self),
            isPerRule: perRule)
        return RuleDraft(rule: rule, place: fields.place(of: "name"), targets: targets)
    }
}

// MARK: - What it selects

extension RuleReading {
    private typealias Event = (selector: EventSelector, place: Place)

    private func events(_ tree: Tree, _ key: String, _ findings: inout Findings) -> [Event]? {
        guard let items = tree.list(key, &findings) else { return nil }
        guard !items.isEmpty else {
            findings.report("\(key) is empty; name an event type, such as job.failed", at: tree.place)
            return nil
        }
        let events = items.compactMap { item -> Event? in
            guard let text = item.text("an event type", &findings) else { return nil }
            guard text.utf8.count <= 256 else {
                findings.report("the event type '\(text.shortened)' is longer than 256 bytes", at: item.place)
                return nil
            }
            do throws(EventSelector.Fault) {
                return (try EventSelector(text), item.place)
            } catch {
                findings.report("the event type '\(text.shortened)' \(error.reason)", at: item.place)
                return nil
            }
        }
        return events.count == items.count ? events : nil
    }

    private func scope(_ tree: Tree, for events: [Event], _ findings: inout Findings) -> Scope? {
        let words = Vocabulary("a scope", known: ["pipeline", "owner", "model"])
        guard let fields = Fields(tree, words, &findings) else { return nil }
        let named = words.known.compactMap { key in fields[key].map { (key, $0) } }
        guard let (key, value) = named.first, named.count == 1 else {
            if named.count > 1 || !fields.meantOne(of: words.known) {
                findings.report("a scope names one of pipeline, owner and model", at: tree.place)
            }
            return nil
        }
        guard let name = value.name("the \(key) of a scope", &findings) else { return nil }
        let sources = key == "owner" ? ["job", "pipeline"] : [key]
        let strange = events.filter { event in
            !sources.contains { event.selector.text.hasPrefix("\($0).") }
        }
        for event in strange {
            let fitting = sources.map { "\($0).*" }.joined(separator: " and ")
            findings.report(
                "the scope '\(key)' does not fit '\(event.selector.text)': it is for \(fitting) events", at: event.place
            )
        }
        guard strange.isEmpty else { return nil }
        return key == "pipeline" ? .pipeline(name) : key == "owner" ? .owner(name) : .model(name)
    }
}

// MARK: - What it does

extension RuleReading {
    private func targets(_ tree: Tree, _ findings: inout Findings) -> [RuleDraft.Target]? {
        guard let items = tree.list("'notify'", &findings) else { return nil }
        guard !items.isEmpty else {
            findings.report("'notify' is empty; name an endpoint, or a channel with people", at: tree.place)
            return nil
        }
        let targets = items.compactMap { target($0, &findings) }
        return targets.count == items.count ? targets : nil
    }

    private func target(_ tree: Tree, _ findings: inout Findings) -> RuleDraft.Target? {
        switch tree.content {
        case .scalar:
            guard let name = tree.text("a target", &findings) else { return nil }
            if let fault = loneFault(name) {
                findings.report(fault, at: tree.place)
                return nil
            }
            return RuleDraft.Target(kind: .endpoint(name), place: tree.place)
        case .mapping(let pairs): return people(pairs, tree.place, &findings)
        case .list:
            findings.report("a target is an endpoint's name or a channel with people, not a list", at: tree.place)
            return nil
        }
    }

    /// What is wrong with a name that stands alone and is no endpoint's; `nil` when it may be one.
    private func loneFault(_ name: String) -> String? {
        if ChannelNames.people.contains(name) {
            return "the channel '\(name)' tells people; name them: - \(name): [$owner]"
        }
        return name.hasPrefix("$")
            ? "'\(name.shortened)' is told on a channel: - mail: [\(name.shortened)]" : nil
    }

    /// Reads a channel with whom it tells, and what may stand beside it.
    private func people(
        _ pairs: [(key: Tree, value: Tree)], _ place: Place, _ findings: inout Findings
    ) -> RuleDraft.Target? {
        var target: RuleDraft.Target?
        var ladder: (tree: Tree, place: Place)?
        var isFine = true
        for (key, value) in keyed(pairs, &findings) {
            if let channel = PeopleChannel(rawValue: key.name), PeopleChannel.built.contains(channel) {
                let names = self.names(value, on: channel, &findings)
                if target != nil {
                    findings.report(
                        "one channel an item; write '- \(key.name): …' as an item of its own", at: key.place)
                    isFine = false
                }
                isFine = isFine && names != nil
                target = RuleDraft.Target(kind: .people(channel, names ?? []), place: key.place)
                continue
            }
            if key.name == "overflow" {
                ladder = (value, key.place)
                continue
            }
            isFine = false
            if ChannelNames.people.contains(key.name) {
                findings.notYet("the channel '\(key.name)'", at: key.place)
            } else {
                let channels = PeopleChannel.built.map(\.rawValue)
                let meant = nearest(key.name, channels).map { "; did you mean '\($0)'?" }
                findings.report(
                    meant.map { "unknown channel '\(key.name.shortened)'\($0)" }
                        ?? "an endpoint stands alone in 'notify': - \(key.name.shortened)", at: key.place)
            }
        }
        if let ladder {
            guard case .people(let channel, _)? = target?.kind else {
                findings.report(
                    "'overflow' stands beside a channel with people: - sms: [$owner]; an endpoint always waits",
                    at: ladder.place)
                return nil
            }
            target?.overflow = Overflow(ladder.tree, on: channel, &findings)
            isFine = isFine && target?.overflow != nil
        }
        if pairs.isEmpty { findings.report("a target is an endpoint's name, not an empty mapping", at: place) }
        return isFine ? target : nil
    }

    private func names(
        _ tree: Tree, on channel: PeopleChannel, _ findings: inout Findings
    ) -> [(name: String, place: Place)]? {
        guard let items = tree.list("whom \(channel) tells", &findings) else { return nil }
        guard !items.isEmpty else {
            findings.report("'\(channel)' tells nobody; name contacts, groups or $owner", at: tree.place)
            return nil
        }
        let names = items.compactMap { item in
            item.text("a contact or group", &findings).map { (name: $0, place: item.place) }
        }
        return names.count == items.count ? names : nil
    }

    private func template(_ what: String, _ tree: Tree, _ findings: inout Findings) -> Template? {
        tree.jinja(what, &findings) { (text) throws(TemplateError) in try Template(text) }
    }

    private func condition(_ tree: Tree, _ findings: inout Findings) -> Condition? {
        tree.jinja("the condition", &findings) { (text) throws(TemplateError) in try Condition(text) }
    }
}

extension Tree {
    /// Reads a text of Jinja; what is wrong is reported where it stands, as far as the file's quoting lets one say.
    func jinja<T>(
        _ what: String, _ findings: inout Findings, _ read: (String) throws(TemplateError) -> T
    ) -> T? {
        guard let text = text(what, &findings) else { return nil }
        do throws(TemplateError) {
            return try read(text)
        } catch {
            if let place = place(ofScalar: error.offset, in: text) {
                findings.report("\(what): \(error.reason)", at: place)
            } else {
                findings.report("\(what): \(error)", at: place)
            }
            return nil
        }
    }
}

extension Tree {
    /// Where a character of a scalar stands in the file; `nil` where escapes or folding leave no certain place.
    fileprivate func place(ofScalar offset: Int, in text: String) -> Place? {
        guard let style = scalar?.style else { return nil }
        let before = text.unicodeScalars.prefix(offset)
        let row = before.count { $0 == "\n" }
        let column = before.reversed().prefix { $0 != "\n" }.count
        let line = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)[row]
        var found = place
        switch style {
        case .plain, .quoted:
            found.column += style == .quoted ? 1 : 0
            let source = place.source.line(found.line).dropFirst(found.column - 1)
            guard source.starts(with: line), row == 0 else { return nil }
            found.column += column
        case .literal:
            found.line += 1 + row
            let source = place.source.line(found.line)
            guard source.count >= line.count, source.suffix(line.count).elementsEqual(line) else { return nil }
            found.column = source.count - line.count + column + 1
        case .folded: return nil
        }
        return found
    }
}
