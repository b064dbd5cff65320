/// The members of an event that Carillon reads; everything else is carried.
enum KnownAttribute: String {
    case id, source, type, workspace, specversion, subject, time, data, partitionkey, datacontenttype, dataschema
    case traceparent
    case dataBase64 = "data_base64"

    /// The attribute whose name stands at `name`.
    ///
    /// The length decides first, so that most names cost one comparison.
    init?(_ name: Slice, in text: Span<UInt8>) {
        let found: Self? =
            switch name.count {
            case 2: name.spells("id", in: text) ? .id : nil
            case 4:
                if name.spells("type", in: text) {
                    .type
                } else if name.spells("time", in: text) {
                    .time
                } else if name.spells("data", in: text) {
                    .data
                } else {
                    nil
                }
            case 6: name.spells("source", in: text) ? .source : nil
            case 7: name.spells("subject", in: text) ? .subject : nil
            case 9: name.spells("workspace", in: text) ? .workspace : nil
            case 10: name.spells("dataschema", in: text) ? .dataschema : nil
            case 11:
                if name.spells("specversion", in: text) {
                    .specversion
                } else if name.spells("data_base64", in: text) {
                    .dataBase64
                } else if name.spells("traceparent", in: text) {
                    .traceparent
                } else {
                    nil
                }
            case 12: name.spells("partitionkey", in: text) ? .partitionkey : nil
            case 15: name.spells("datacontenttype", in: text) ? .datacontenttype : nil
            default: nil
            }
        guard let found else { return nil }
        self = found
    }
}

/// The names of an object so far, to refuse one that repeats.
///
/// Up to 32 names nothing is allocated: 64 bits remember which hashes were seen, and only where they collide are the
/// names before read again. From then on a set holds them, so that an object of 40,000 names costs no square of that.
struct NamesSeen {
    private let object: Int
    private var hashes: UInt64 = 0
    private var count = 0
    private var many: Set<[UInt8]> = []

    init(object: Int) { self.object = object }

    /// Adds the name at `name` (quotes included).
    mutating func insert(_ name: Slice, escaped: Bool, in text: Span<UInt8>) throws(EventError) {
        defer { count += 1 }
        let isNew: Bool
        if count >= 32 {
            if many.isEmpty { collect(before: name, in: text) }
            isNew = many.insert(JSON.unescaped(name, in: text)).inserted
        } else {
            let bit = escaped ? ~0 : bit(name, text)  // a name with escapes may equal any other
            isNew = hashes & bit == 0 || !stands(name, in: text)
            hashes |= bit
        }
        guard isNew else {
            throw EventError(.duplicateKey(name: JSON.string(name, in: text) ?? ""), at: name.start)
        }
    }

    @inline(__always)
    private func bit(_ name: Slice, _ text: Span<UInt8>) -> UInt64 {
        // These three bytes and the length tell the usual attributes apart.
        let first = Int(text[name.start + 1])
        let second = Int(text[name.start + 2])  // of a name this short, its quote or colon
        let last = Int(text[max(name.start, name.end - 2)])
        return 1 << UInt64((first &* 1 &+ second &* 1 &+ last &* 1 &+ (name.count - 2) &* 2) & 63)
    }

    /// Whether a member before `name` has its name.
    private func stands(_ name: Slice, in text: Span<UInt8>) -> Bool {
        if let plain = JSON.plain(name, in: text) {
            return stands(text.extracting(plain.range), before: name, in: text)
        }
        return stands(JSON.unescaped(name, in: text).span, before: name, in: text)
    }

    private func stands(_ wanted: Span<UInt8>, before name: Slice, in text: Span<UInt8>) -> Bool {
        var found = false
        JSON.members(of: Slice(object, name.start), in: text) { member, _ in
            found = JSON.equals(member, in: text, wanted)
            return !found
        }
        return found
    }

    private mutating func collect(before name: Slice, in text: Span<UInt8>) {
        var names: Set<[UInt8]> = []
        JSON.members(of: Slice(object, name.start), in: text) { member, _ in
            names.insert(JSON.unescaped(member, in: text))
            return true
        }
        many = names
    }
}
