import CarillonEvents
import CarillonLedger
import CarillonRules
public import CarillonStream

// The ledger knows every event that a rule selected; those that none selected are only in the stream. So the ledger is
// asked first, and the stream is looked through where an answer needs it, as far back as was asked for.

/// Finds out why.
public final class Explainer {
    private let ledger: any AnsweringLedger
    /// Opened by the first question that the ledger cannot answer alone.
    private lazy var stream = Result { try opening() }
    private let opening: () throws -> any StreamScanner
    private var decided: [Place: [DecidedRange]] = [:]
    private var compiled: [String: WorkspaceRules?] = [:]
    private let newest: Revision
    /// Told now and then how many records were looked at, and how many there are.
    private let progress: (_ records: Int, _ all: Int64) -> Void

    /// Makes one that asks this ledger and this stream.
    public init(
        ledger: any AnsweringLedger, stream: @autoclosure @escaping () throws -> any StreamScanner,
        progress: @escaping (_ records: Int, _ all: Int64) -> Void = { _, _ in }
    ) throws {
        (self.ledger, opening, self.progress) = (ledger, stream, progress)
        newest = try ledger.revision()
    }

    /// Answers.
    public func explain(_ question: ExplainQuestion) throws -> Explanation {
        var explanation = Explanation()
        let known = try knownEvents(question)
        var places: [Record: EventAnswer] = [:]
        for event in known {
            guard let answer = try answer(event, question) else { continue }
            places[Record(partition: event.partition, offset: event.offset, key: event.key)] = answer
        }
        if needsStream(question, known) { try scan(question, &places, &explanation) }
        for answer in places.values { explanation.types[answer.type, default: 0] += 1 }
        explanation.events = places.values.sorted {
            ($0.appended, $0.partition, $0.offset) > ($1.appended, $1.partition, $1.offset)
        }
        explanation.events = Array(explanation.events.prefix(question.limit))
        for place in explanation.events.indices { try addRules(to: &explanation.events[place], question) }
        try addAbsences(to: &explanation, question)
        return explanation
    }

    /// A record, as far as the ledger knows its place: which topic's partition it is, its event says.
    private struct Record: Hashable {
        let partition: Partition
        let offset: Offset
        let key: Key
    }

    private func needsStream(_ question: ExplainQuestion, _ known: [DecidedEvent]) -> Bool {
        switch question.about {
        case .subject: true
        case .event: known.isEmpty
        case .delivery, .contact: false
        }
    }
}

// MARK: - From the ledger

extension Explainer {
    private func knownEvents(_ question: ExplainQuestion) throws -> [DecidedEvent] {
        switch question.about {
        case .delivery(let key): return try originals(ledger.events(.delivery(key), limit: question.limit))
        case .subject(let subject):
            return try originals(ledger.events(.subject(subject), limit: max(1_000, question.limit)))
        case .contact(let contact): return try events(for: contact, question)
        case .event(let source, let id):
            let workspaces = try question.workspace.map { [$0] } ?? ledger.workspaces()
            let keys = workspaces.map {
                Key.event(workspace: $0.utf8.span, source: source.utf8.span, id: id.utf8.span)
            }
            return try ledger.events(.keys(Set(keys)), limit: max(100, question.limit))
        }
    }

    /// Events that were decided first, in the place of those that a replay sent after all.
    private func originals(_ events: [DecidedEvent]) throws -> [DecidedEvent] {
        guard events.contains(where: { $0.partition == Replayed.partition }) else { return events }
        var originals = events.filter { $0.partition != Replayed.partition }
        for event in events where event.partition == Replayed.partition {
            let outline = try CloudEvents.outline(event.bytes.span)
            let key = EventAnswer(outline, in: event.bytes.span, event.partition, event.offset, event.appended).key
            guard !originals.contains(where: { $0.key == key }) else { continue }
            // Retention may have taken the first one, and then the later one speaks for it.
            originals += try ledger.events(.key(key), limit: 1).first.map { [$0] } ?? [event]
        }
        return originals
    }

    /// The newest events that some rule would have told a contact, or an endpoint, of.
    private func events(for contact: String, _ question: ExplainQuestion) throws -> [DecidedEvent] {
        let filter = DeliveryFilter(
            workspace: question.workspace, rule: question.rule, contact: contact, since: question.since,
            limit: question.limit)
        var found: [DecidedEvent] = []
        for row in try ledger.deliveries(filter) {
            guard let key = Key(row.key) else { continue }
            found += try ledger.events(.delivery(key), limit: 1)
        }
        for row in try ledger.suppressed(filter) {
            guard let outline = try? CloudEvents.outline(row.event.span) else { continue }
            let key = EventAnswer(outline, in: row.event.span, 0, 0, question.since).key
            found += try ledger.events(.key(key), limit: 1)
        }
        var seen: Set<Key> = []
        return try originals(found).filter { seen.insert($0.key).inserted }
    }

    private func answer(_ event: DecidedEvent, _ question: ExplainQuestion) throws -> EventAnswer? {
        guard let outline = try? CloudEvents.outline(event.bytes.span) else { return nil }
        var answer = EventAnswer(outline, in: event.bytes.span, event.partition, event.offset, event.appended)
        if let workspace = question.workspace, answer.workspace != workspace { return nil }
        switch question.about {
        case .subject, .contact: if event.appended < question.since { return nil }
        case .event, .delivery: break
        }
        answer.fate = .matched
        answer.batch = event.batch
        (answer.number, answer.bytes) = (event.number, event.bytes)
        return answer
    }
}

// MARK: - From the stream

extension Explainer {
    private func scan(
        _ question: ExplainQuestion, _ places: inout [Record: EventAnswer], _ explanation: inout Explanation
    ) throws {
        let filter = ScanFilter(question)
        let stream = try stream.get()
        var ranges: [(partition: Partition, range: Range<Offset>)] = []
        for (partition, ends) in try stream.ends().sorted(by: { $0.key < $1.key }) {
            let first = try stream.offset(in: partition, since: question.since)
            if first < ends.next { ranges.append((partition, first..<ends.next)) }
        }
        let all = ranges.reduce(Int64(0)) { $0 + Int64($1.range.count) }
        for (partition, range) in ranges {
            var from = range.lowerBound
            while from < range.upperBound {
                let batch = try stream.read(partition, from: from, to: range.upperBound, limit: 5_000)
                guard batch.next > from else { break }
                from = batch.next
                explanation.scanned += batch.records.count
                for record in batch.records where filter.mayBe(record, in: batch) {
                    try take(record, of: batch, at: stream.place(of: partition), filter, &places)
                }
                progress(explanation.scanned, all)
            }
        }
    }

    private func take(
        _ record: RecordBatch.Record, of batch: RecordBatch, at place: Place, _ filter: ScanFilter,
        _ places: inout [Record: EventAnswer]
    ) throws {
        let text = batch.bytes.span.extracting(record.value.range)
        guard let outline = try? CloudEvents.outline(text) else { return }
        var answer = EventAnswer(outline, in: text, place.partition, record.offset, record.appended)
        guard filter.means(answer) else { return }
        answer.stream = place.stream
        let key = answer.key
        let known = Record(partition: place.partition, offset: record.offset, key: key)
        guard places[known] == nil else {
            places[known]?.stream = place.stream
            return
        }
        answer.bytes = Array(batch.bytes[record.value.range])
        (answer.fate, answer.batch) = try fate(of: answer, at: place, key)
        places[known] = answer
    }

    /// What became of a record that the ledger did not name.
    private func fate(
        of answer: EventAnswer, at place: Place, _ key: Key
    ) throws(LedgerError) -> (EventAnswer.Fate, DecidedRange?) {
        let offset = answer.offset
        let ranges: [DecidedRange]
        if let known = decided[place] {
            ranges = known
        } else {
            ranges = try ledger.decided(place.stream, place.partition)
            decided[place] = ranges
        }
        guard let batch = ranges.first(where: { $0.offsets.contains(offset) }) else {
            let position = try ledger.position(place.stream, place.partition) ?? 0
            return (offset >= position ? .unread : .undecided, nil)
        }
        if let parked = try ledger.parked(place.stream, place.partition, offset) {
            return (.parked(reason: parked.reason), batch)
        }
        guard let known = try ledger.events(.key(key), limit: 1).first else { return (.unmatched, batch) }
        if known.partition == answer.partition, known.offset == offset { return (.matched, batch) }
        return (.duplicate(partition: known.partition, offset: known.offset), batch)
    }
}

/// Which records of the stream a question is about.
private struct ScanFilter {
    private let about: ExplainQuestion.About
    private let workspace: String?
    /// What the record's bytes contain, unless they are escaped.
    private let needle: [UInt8]

    init(_ question: ExplainQuestion) {
        (about, workspace) = (question.about, question.workspace)
        var quoted: [UInt8] = []
        switch question.about {
        case .event(_, let id): JSON.append(quoted: id, to: &quoted)
        case .subject(let subject): JSON.append(quoted: subject, to: &quoted)
        case .delivery, .contact: break
        }
        needle = quoted
    }

    /// A quick look at the bytes.
    func mayBe(_ record: RecordBatch.Record, in batch: RecordBatch) -> Bool {
        let text = batch.bytes.span.extracting(record.value.range)
        guard let first = needle.first, text.count >= needle.count else { return false }
        let needle = needle.span
        var hasEscape = false
        var i = 0
        while i < text.count {
            let byte = text[i]
            if byte == UInt8(ascii: "\\") { hasEscape = true }
            if byte == first, i + needle.count <= text.count {
                var length = 1
                while length < needle.count, text[i + length] == needle[length] { length += 1 }
                if length == needle.count { return true }
            }
            i += 1
        }
        return hasEscape
    }

    func means(_ answer: EventAnswer) -> Bool {
        if let workspace, answer.workspace != workspace { return false }
        return switch about {
        case .event(let source, let id): answer.source == source && answer.id == id
        case .subject(let subject): answer.subject == subject
        case .delivery, .contact: false
        }
    }
}

// MARK: - Rules

extension Explainer {
    private func addRules(to answer: inout EventAnswer, _ question: ExplainQuestion) throws {
        let bytes = answer.bytes
        guard let outline = try? CloudEvents.outline(bytes.span) else { return }
        let revision = answer.batch?.revision ?? newest
        var deliveries: [DeliveryRow] = []
        var suppressed: [SuppressedRow] = []
        if let number = answer.number {
            var filter = DeliveryFilter(limit: 10_000)
            filter.event = number
            deliveries = try ledger.deliveries(filter)
            suppressed = try ledger.suppressed(filter)
        }
        let memberships =
            try answer.number.map { number throws(LedgerError) in try ledger.memberships(of: number) } ?? []
        for told in memberships.compactMap(\.told) where told.event != answer.number {
            var filter = DeliveryFilter(limit: 10_000)
            filter.event = told.event
            deliveries += try ledger.deliveries(filter)
        }
        for workspace in [answer.workspace, RuleBook.everywhereName] {
            guard let rules = try rules(of: workspace, at: revision) else { continue }
            for said in rules.explain(bytes.span, outline) {
                let isOwn = workspace == answer.workspace
                var line = RuleLine(name: isOwn ? said.rule.name : "\(workspace)/\(said.rule.name)", answer: said)
                let identity = isOwn ? said.rule.identity : "\(workspace)/\(said.rule.identity)"
                if let rule = question.rule, rule != line.name, rule != said.rule.name { continue }
                for row in deliveries where row.rule == identity && question.means(row.target) {
                    line.deliveries.append((row, try ledger.attempts(of: row.id)))
                }
                line.suppressed = suppressed.filter { $0.rule == identity && question.means($0) }.reversed()
                try addReplayed(to: &line, of: answer, workspace, said.rule.identity, question)
                line.deliveries.sort { $0.row.id < $1.row.id }
                line.groups = memberships.filter { $0.rule == identity }
                // What a group says is said by its rule alone.
                if answer.partition < 0, line.groups.isEmpty { continue }
                // Of a contact nothing is asked but what rules make for it.
                if case .contact(let contact) = question.about, line.isEmpty, !said.rule.tells(contact) { continue }
                answer.rules.append(line)
            }
        }
    }

    /// Adds what a replay has sent after all of what was suppressed.
    private func addReplayed(
        to line: inout RuleLine, of answer: EventAnswer, _ workspace: String, _ rule: String,
        _ question: ExplainQuestion
    ) throws {
        guard line.suppressed.contains(where: { $0.target == nil }) else { return }
        let key = Key.replayed(event: answer.key, workspace: workspace, rule: rule)
        guard let event = try ledger.events(.key(key), limit: 1).first else { return }
        line.replayed = event.batch?.at ?? event.appended
        var filter = DeliveryFilter(limit: 10_000)
        filter.event = event.number
        for row in try ledger.deliveries(filter) where question.means(row.target) {
            line.deliveries.append((row, try ledger.attempts(of: row.id)))
        }
        line.suppressed += try ledger.suppressed(filter).filter(question.means).reversed()
    }

    private func rules(of workspace: String, at revision: Revision) throws(LedgerError) -> WorkspaceRules? {
        let name = "\(revision)/\(workspace)"
        if let known = compiled[name] { return known }
        let texts = try ledger.rules(of: workspace, at: revision)
        let loaded = RuleDocuments.load(
            texts.map { (file: $0.file, text: $0.text) }, limits: .inForce)
        let rules = loaded.workspaces.first { $0.workspace == workspace }
        compiled[name] = .some(rules)
        return rules
    }

    private func addAbsences(to explanation: inout Explanation, _ question: ExplainQuestion) throws {
        var workspaces = Set(explanation.events.map(\.workspace)).union([question.workspace].compactMap(\.self))
        if case .contact = question.about, workspaces.isEmpty { workspaces = Set(try ledger.workspaces()) }
        workspaces.remove(RuleBook.everywhereName)
        var isKnown = question.rule == nil
        for workspace in workspaces.sorted() + [RuleBook.everywhereName] {
            guard let rules = try rules(of: workspace, at: newest) else { continue }
            for rule in rules.rules {
                let name = workspace == RuleBook.everywhereName ? "\(workspace)/\(rule.name)" : rule.name
                if let asked = question.rule, asked != name, asked != rule.name { continue }
                isKnown = true
                if case .contact(let contact) = question.about, !rule.tells(contact) { continue }
                guard rule.enabled,
                    !explanation.types.keys.contains(where: { type in rule.events.contains { $0.selects(type) } })
                else { continue }
                explanation.absences.append((name, rule.events.map(\.text)))
            }
        }
        explanation.isRuleKnown = isKnown
    }
}

extension ExplainQuestion {
    /// Whether a target is the contact that was asked for.
    fileprivate func means(_ target: String) -> Bool {
        let asked: String? = if case .contact(let contact) = about { contact } else { contact }
        return asked.map { target == $0 || target.hasSuffix("/" + $0) } ?? true
    }

    /// Whether what was suppressed may have been for the contact that was asked for: what has no target was for all.
    fileprivate func means(_ row: SuppressedRow) -> Bool { row.target.map(means) ?? true }
}

extension Rule {
    /// Whether a contact or an endpoint is among those it tells, other than as an event's owner.
    fileprivate func tells(_ contact: String) -> Bool {
        targets.contains { $0 == contact || $0.hasSuffix("/" + contact) }
    }
}

extension EventAnswer {
    /// Its identity.
    fileprivate var key: Key {
        .event(workspace: workspace.utf8.span, source: source.utf8.span, id: id.utf8.span)
    }
}

extension EventAnswer {
    fileprivate init(
        _ outline: EventOutline, in text: Span<UInt8>, _ partition: Int32, _ offset: Int64, _ appended: Timestamp
    ) {
        self.init(
            workspace: JSON.string(outline.workspace, in: text) ?? "",
            source: JSON.string(outline.source, in: text) ?? "",
            id: JSON.string(outline.id, in: text) ?? "", type: JSON.string(outline.type, in: text) ?? "",
            subject: outline.subject.flatMap { JSON.string($0, in: text) }, partition: partition, offset: offset,
            appended: appended, fate: .unread)
    }
}
