import CarillonEvents
import CarillonRules
import CarillonStream

// In: records as bytes. Out: the events some rule may want, with the places of their attributes; the rest only counted.
// The stream's key and type decide first, so that what no rule wants is dropped without a look at its body. Of a stream
// that checks what it takes, the others are not looked at here either: they are matched as they stand, and checked again
// only when a rule selects them.
// What can go wrong: a record that is no event. It is parked with its reason and holds up nothing.

/// Records of a batch, sorted by what is to be done with them.
struct Decoded {
    struct Event {
        let record: Int
        /// Its workspace's rules; `nil` when only those for every workspace want it.
        let rules: WorkspaceRules?
        let reading: Reading
    }
    /// How far an event was read.
    enum Reading {
        /// As far as its outline, by its place in `outlines`.
        case outline(Int)
        /// Not at all, but the stream said its type, and the rules what they think of it.
        case type(own: WorkspaceRules.Interest?, everywhere: WorkspaceRules.Interest?)
    }
    let batch: RecordBatch
    /// The rules for every workspace.
    let everywhere: WorkspaceRules?
    var events: [Event] = []
    var outlines: [EventOutline] = []
    var unmatched = 0
    /// Events whose partitionkey names another workspace than `workspace`, which wins; of those looked at.
    var mismatched = 0
    var poison: [(record: Int, reason: String)] = []

    fileprivate init(batch: RecordBatch, everywhere: WorkspaceRules?) {
        (self.batch, self.everywhere) = (batch, everywhere)
    }
}

/// Lets a stream that knows types without parsing leave behind what no rule wants.
struct WantedByRules: RecordFilter {
    let book: RuleBook
    func wants(workspace: Span<UInt8>, type: Span<UInt8>) -> Bool { book.wants(workspace: workspace, type: type) }
}

extension Path {
    /// Finds the events in a batch that are worth matching.
    func decode(_ batch: RecordBatch, wanted book: RuleBook) -> Decoded {
        var decoded = Decoded(batch: batch, everywhere: book.everywhere)
        let bytes = batch.bytes.span
        var refused = batch.refused[...]
        for (index, record) in batch.records.enumerated() {
            if let first = refused.first, first.record == index {
                decoded.poison.append(refused.removeFirst())
                continue
            }
            if record.key.count > 0, record.type.count > 0 {
                let type = bytes.extracting(record.type.range)
                let rules = book.rules(of: bytes.extracting(record.key.range))
                let own = rules?.interest(inType: type)
                let everywhere = book.everywhere?.interest(inType: type)
                guard own != nil || everywhere != nil else {
                    decoded.unmatched += 1
                    continue
                }
                if batch.isChecked {
                    decoded.events.append(
                        Decoded.Event(
                            record: index, rules: own == nil ? nil : rules,
                            reading: .type(own: own, everywhere: everywhere)))
                    continue
                }
            }
            do throws(EventError) {
                let outline = try CloudEvents.outline(bytes.extracting(record.value.range))
                decoded.add(index, outline, in: bytes.extracting(record.value.range), book)
            } catch {
                decoded.poison.append((index, error.description))
            }
        }
        return decoded
    }
}

extension Decoded {
    fileprivate mutating func add(_ record: Int, _ outline: EventOutline, in text: Span<UInt8>, _ book: RuleBook) {
        let rules =
            if let plain = JSON.plain(outline.workspace, in: text) {
                book.rules(of: text.extracting(plain.range))
            } else {
                JSON.string(outline.workspace, in: text).flatMap { book.rules(of: $0.utf8.span) }
            }
        if CloudEvents.workspaceMismatch(outline, in: text) { mismatched += 1 }
        if rules != nil || everywhere != nil {
            events.append(Event(record: record, rules: rules, reading: .outline(outlines.count)))
            outlines.append(outline)
        } else {
            unmatched += 1
        }
    }
}
