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
        /// `nil` until somebody needs it.
        let outline: EventOutline?
        let rules: WorkspaceRules
    }
    let batch: RecordBatch
    var events: [Event] = []
    var unmatched = 0
    /// Events whose partitionkey names another workspace than `workspace`, which wins; of those looked at.
    var mismatched = 0
    var poison: [(record: Int, reason: String)] = []

    fileprivate init(batch: RecordBatch) { self.batch = batch }
}

extension Path {
    /// Finds the events in a batch that are worth matching.
    func decode(_ batch: RecordBatch, wanted book: RuleBook) -> Decoded {
        var decoded = Decoded(batch: batch)
        let bytes = batch.bytes.span
        for (index, record) in batch.records.enumerated() {
            if record.key.count > 0, record.type.count > 0 {
                guard let rules = book.rules(of: bytes.extracting(record.key.range)),
                    rules.wants(type: bytes.extracting(record.type.range))
                else {
                    decoded.unmatched += 1
                    continue
                }
                if batch.isChecked {
                    decoded.events.append(Decoded.Event(record: index, outline: nil, rules: rules))
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
                JSON.string(outline.workspace, in: text).flatMap { book.rules(of: $0) }
            }
        if CloudEvents.workspaceMismatch(outline, in: text) { mismatched += 1 }
        if let rules {
            events.append(Event(record: record, outline: outline, rules: rules))
        } else {
            unmatched += 1
        }
    }
}
