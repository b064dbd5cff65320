import CarillonEvents

// Patterns come as a part of a YAML document, where every value has a place, and as JSON text, where none has. Both become
// this small tree, which is then read in one way.

/// A value of a pattern as it was written.
struct PatternForm {
    enum Content {
        case object([Member])
        case list([PatternForm])
        case text(String)
        /// A number with its spelling.
        case number(String)
        case bool(Bool)
        case null
        /// What looks like a number and is none that can be compared.
        case incomparable(String)
    }
    struct Member {
        let key: String
        let place: Place?
        let value: PatternForm
    }
    let content: Content
    let place: Place?
}

// MARK: - From YAML

extension PatternForm {
    /// Takes a part of a document; `nil` when a key of it is no text or stands twice, which was reported.
    init?(_ tree: Tree, _ findings: inout Findings) {
        place = tree.place
        switch tree.content {
        case .scalar(let scalar): content = Self.content(scalar)
        case .list(let items):
            let forms = items.compactMap { PatternForm($0, &findings) }
            guard forms.count == items.count else { return nil }
            content = .list(forms)
        case .mapping(let pairs):
            let members = keyed(pairs, &findings).compactMap { key, value in
                PatternForm(value, &findings).map { Member(key: key.name, place: key.place, value: $0) }
            }
            guard members.count == pairs.count else { return nil }
            content = .object(members)
        }
    }

    private static func content(_ scalar: Scalar) -> Content {
        switch scalar.meaning {
        case .text(let text): .text(text)
        case .number: .number(scalar.spelling ?? scalar.text)
        case .bool(let bool): .bool(bool)
        case .null: .null
        case .notComparable: .incomparable(scalar.text)
        }
    }
}

// MARK: - From JSON

extension PatternForm {
    /// Takes JSON text that has been checked.
    init(_ value: Slice, in text: Span<UInt8>) {
        place = nil
        switch JSON.kind(of: value, in: text) {
        case .object:
            var members: [Member] = []
            JSON.members(of: value, in: text) { key, value in
                members.append(
                    Member(key: JSON.string(key, in: text) ?? "", place: nil, value: PatternForm(value, in: text)))
                return true
            }
            content = .object(members)
        case .array:
            var items: [PatternForm] = []
            JSON.elements(of: value, in: text) { item in
                items.append(PatternForm(item, in: text))
                return true
            }
            content = .list(items)
        case .string: content = .text(JSON.string(value, in: text) ?? "")
        case .number: content = .number(String(decoding: Array(copying: text.extracting(value.range)), as: UTF8.self))
        case .bool: content = .bool(text[value.start] == UInt8(ascii: "t"))
        case .null: content = .null
        }
    }
}

extension [UInt8] {
    /// The bytes of a span.
    init(copying span: Span<UInt8>) {
        self.init()
        reserveCapacity(span.count)
        for i in span.indices { append(span[i]) }
    }
}
