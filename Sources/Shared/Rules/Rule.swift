public import CarillonEvents

/// How much a notification matters.
public enum Severity: String, Sendable, CaseIterable, Comparable {
    case info, warning, critical

    /// Whether the first matters less.
    public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
    private var rank: Int {
        switch self {
        case .info: 0
        case .warning: 1
        case .critical: 2
        }
    }
}

/// Whether the messages of one subject keep the stream's order at each target.
public enum Order: String, Sendable, CaseIterable {
    case subject, none
    /// As `subject`, and a newer message of the rule takes the place of older ones that wait.
    case supersede
}

/// What becomes of an event on which a rule's condition cannot be judged.
public enum OnError: String, Sendable, CaseIterable {
    /// It is sent, and the message tells the failure.
    case send
    /// The rule does not select it.
    case skip
}

/// What of a workspace a rule is about.
public enum Scope: Sendable, Hashable {
    case pipeline(String), owner(String), model(String)
}

/// A rule of a workspace: which events it selects and what becomes of them.
///
/// Never changes. A class, because every event that is selected hands it through several stages, and it has a score of parts.
public final class Rule: Sendable {
    /// How long a notification is worth sending unless the rule says otherwise.
    public static let defaultExpiry = Duration.seconds(24 * 3600)
    /// The same on a phone, which tells of what is now.
    public static let defaultExpiryOnPhones = Duration.seconds(2 * 3600)

    /// Its name, unique in the workspace.
    public let name: String
    /// What makes it the same rule over revisions: its `id` where it has one, its name otherwise.
    public let identity: String
    /// Whether it selects anything.
    public let enabled: Bool
    /// The event types it selects, at least one.
    public let events: [EventSelector]
    /// What of the workspace it is about; `nil` for all of it.
    public let scope: Scope?
    /// Its severity; `warning` unless the document says otherwise.
    public let severity: Severity
    /// The targets it notifies, each once, in the document's order: names of endpoints, and `channel/contact`.
    public let targets: [String]
    /// The channels on which it tells the owner that the event names.
    public let ownerChannels: [PeopleChannel]
    /// What becomes of messages whose quota is used up, by target, the owner as `channel/$owner`; else `Overflow.standard`.
    public let overflow: [String: Overflow]
    /// Whether people get it also when another rule tells them of the same event.
    public let isPerRule: Bool
    /// What has to be true of an event beside the pattern; `nil` for nothing.
    public let condition: Condition?
    /// What becomes of an event on which the condition fails.
    public let onError: OnError
    /// The title it was given.
    public let title: Template?
    /// The message it was given.
    public let message: Template?
    /// After how long a notification is no longer worth sending, as it was written; `nil` when that is the channel's matter.
    public let statedExpiry: Duration?
    /// Whether order is kept.
    public let order: Order
    /// Where it stands.
    public let file: String
    /// Its line in `file`, from 1.
    public let line: Int
    /// When it hears of the same thing again; `nil` for every time.
    public let dedup: Dedup?
    /// How many events it takes before it says anything; `nil` for one.
    public let after: Threshold?
    /// Which of its events make one message; `nil` when each makes its own.
    public let group: Grouping?
    /// What its notifications are to a pager.
    public let incident: IncidentRule?
    /// After how long a notification is no longer worth sending, but for what a channel makes shorter.
    public var expireAfter: Duration { statedExpiry ?? Self.defaultExpiry }
    /// The same on a person's channel; `nil` for an endpoint.
    public func expireAfter(on channel: PeopleChannel?) -> Duration {
        statedExpiry ?? (channel == .sms || channel == .voice ? Self.defaultExpiryOnPhones : Self.defaultExpiry)
    }
    /// How much of the target quota it uses: each endpoint, and each contact once on each channel.
    public var units: Int { targets.count + ownerChannels.count }
    /// Everything it notifies, for lists; the owner as `channel/$owner`.
    public var notifies: [String] { targets + ownerChannels.map { "\($0)/\(Self.ownerName)" } }
    /// How `notify` calls the contact that the event names as its owner.
    public static let ownerName = "$owner"

    let pattern: Pattern?

    init(
        name: String, identity: String, enabled: Bool, events: [EventSelector], scope: Scope?, severity: Severity,
        targets: [String], owner ownerChannels: [PeopleChannel] = [], condition: Condition?, onError: OnError,
        title: Template?, message: Template?, expireAfter statedExpiry: Duration?, order: Order, file: String,
        line: Int,
        dedup: Dedup?, after: Threshold? = nil, group: Grouping? = nil,
        incident: IncidentRule? = nil, pattern: Pattern?, isPerRule: Bool = false, overflow: [String: Overflow] = [:]
    ) {
        (self.overflow, self.after) = (overflow, after)
        (self.name, self.identity, self.enabled, self.events, self.scope) = (name, identity, enabled, events, scope)
        (self.severity, self.targets, self.condition, self.onError) = (severity, targets, condition, onError)
        (self.title, self.message, self.statedExpiry, self.order) = (title, message, statedExpiry, order)
        (self.file, self.line, self.dedup, self.pattern, self.isPerRule) = (file, line, dedup, pattern, isPerRule)
        (self.ownerChannels, self.incident, self.group) = (ownerChannels, incident, group)
    }

    /// The same rule with targets that exist.
    func with(targets: [String], owner: [PeopleChannel], overflow: [String: Overflow]) -> Rule {
        Rule(
            name: name, identity: identity, enabled: enabled, events: events, scope: scope, severity: severity,
            targets: targets, owner: owner, condition: condition, onError: onError, title: title, message: message,
            expireAfter: statedExpiry, order: order, file: file, line: line, dedup: dedup, after: after, group: group,
            incident: incident, pattern: pattern, isPerRule: isPerRule, overflow: overflow)
    }

    /// The scope as a pattern; `nil` for the whole workspace.
    var scopePattern: Pattern? {
        scope.map { scope in
            Pattern(branches: scope.fields.map { Pattern.Branch(fields: [$0]) })
        }
    }

    /// The pattern and the scope as one pattern; `nil` when every event of its types is selected.
    var selection: Pattern? {
        guard let scope else { return pattern }
        // Beside the pattern: the scope asks no less when the pattern names the same field.
        let fields = scope.fields
        let branches = (pattern ?? Pattern(branches: [.init()])).branches.flatMap { branch in
            fields.map { field in
                var branch = branch
                branch.insert(field)
                return branch
            }
        }
        return Pattern(branches: branches)
    }
}

extension Scope {
    /// What it asks, one field of which has to fit.
    fileprivate var fields: [Pattern.Field] {
        asked.paths.map { Pattern.Field(path: ByteText($0), tests: [.text(ByteText(asked.name))]) }
    }

    /// The paths of which one has to say the name.
    ///
    /// The subject of a pipeline's or model's event is its id, so a scope may name either.
    private var asked: (paths: [String], name: String) {
        switch self {
        case .pipeline(let name): (["data.pipeline", "subject"], name)
        case .owner(let name): (["data.owner"], name)
        case .model(let name): (["data.model", "subject"], name)
        }
    }
}

extension Rule {
    private static let named = try? Template("{{ data.name }} {{ type }}")
    private static let bySubject = try? Template("{{ subject }} {{ type }}")
    private static let reasoned = try? Template("{{ subject }} {{ type }}: {{ data.reason }}")

    /// The title for an event that has been checked: the rule's own, else the job's name (or its id) and the type.
    ///
    /// A title that fails gives way to that too; `message` tells why.
    public func title(for text: Span<UInt8>, _ outline: EventOutline) -> String {
        if let title, let own = try? title.render(text, outline) { return own }
        let name = outline.data.flatMap { JSON.member("name", of: $0, in: text) }
        return Self.words([name ?? outline.subject, outline.type], in: text)
            ?? Self.standard(name == nil ? Self.bySubject : Self.named, text, outline)
    }

    /// The message for an event that has been checked: the rule's own, else subject, type and the reason if there is
    /// one.
    ///
    /// What failed on this event, be it the condition, the title or the message itself, is told at its end.
    public func message(for text: Span<UInt8>, _ outline: EventOutline) -> String {
        var (body, faults) = ("", [String]())
        do throws(TemplateError) {
            _ = try condition?.holds(text, outline)
        } catch { faults.append("the condition failed: \(error)") }
        do throws(TemplateError) {
            _ = try title?.render(text, outline)
        } catch { faults.append("the title failed: \(error)") }
        do throws(TemplateError) {
            body = try message?.render(text, outline) ?? Self.standardMessage(text, outline)
        } catch {
            body = Self.standardMessage(text, outline)
            faults.append("the message failed: \(error)")
        }
        return faults.isEmpty ? body : body + faults.map { "\n[rule \(name): \($0)]" }.joined()
    }

    private static func standardMessage(_ text: Span<UInt8>, _ outline: EventOutline) -> String {
        let reason = outline.data.flatMap { JSON.member("reason", of: $0, in: text) }
        return words([outline.subject, outline.type] + (reason.map { [$0] } ?? []), in: text)
            ?? standard(reason == nil ? bySubject : reasoned, text, outline)
    }

    /// What the standard templates make of plain strings, as nearly all are: one after the other, a colon before the third.
    ///
    /// `nil` when one is missing, is no string or has escapes, or when all together are longer than a line.
    private static func words(_ parts: [Slice?], in text: Span<UInt8>) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        for (place, part) in parts.enumerated() {
            guard let plain = part.flatMap({ JSON.plain($0, in: text) }), plain.count <= 256 else { return nil }
            if place > 0 { bytes.append(contentsOf: (place == 2 ? ": " : " ").utf8) }
            for index in plain.range { bytes.append(text[index]) }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// These name fields only, so that none fails.
    private static func standard(_ template: Template?, _ text: Span<UInt8>, _ outline: EventOutline) -> String {
        guard let template, let words = try? template.render(text, outline) else { return "" }
        return words
    }
}
