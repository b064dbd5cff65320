import CarillonEvents
import CarillonRules
import CarillonStream

// In: records as bytes. Out: the events some rule may want, with the places of their attributes; the rest only counted.
// The stream's key and type decide first, so that what no rule wants is dropped without a look at its body.
// What can go wrong: a record that is no event. It is parked with its reason and holds up nothing.

/// Records of a batch, sorted by what is to be done with them.
struct Decoded {
    struct Event {
        let record: Int
        let outline: EventOutline
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
            let known = record.key.count > 0 && record.type.count > 0
            if known, !book.wants(bytes.extracting(record.key.range), bytes.extracting(record.type.range)) {
                decoded.unmatched += 1
                continue
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

extension RuleBook {
    /// Whether a workspace has a rule for this type of event.
    fileprivate func wants(_ workspace: Span<UInt8>, _ type: Span<UInt8>) -> Bool {
        rules(of: workspace)?.wants(type: type) ?? false
    }
}
