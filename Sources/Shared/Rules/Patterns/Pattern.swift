// Patterns, first form: EventBridge's with exact values. Nested mappings follow the event's objects; a leaf is a list,
// and the event's value has to equal one of its values. Where the event has a list, one element has to fit, and the
// same element for all keys below.

/// What a rule asks of an event's fields.
indirect enum Pattern: Sendable, Hashable {
    /// All of these members have to be there and fit. A key may stand more than once.
    case fields([Field])
    /// The value has to equal one of these.
    case anyOf([Value])

    struct Field: Sendable, Hashable {
        let key: String
        let pattern: Pattern
    }

    /// A value to equal.
    enum Value: Sendable, Hashable {
        case string(String)
        case number(CanonicalNumber)
        case bool(Bool)
        case null
    }

    /// The members, none for a leaf.
    var fields: [Field] { if case .fields(let fields) = self { fields } else { [] } }
}

extension Pattern {
    private static let operators: Set<String> = [
        "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr",
    ]

    /// Reads a pattern of a document; `nil` when something in it was reported.
    init?(_ tree: Tree, _ findings: inout Findings) {
        guard case .mapping(let pairs) = tree.content else {
            findings.report("a pattern is a mapping of the event's fields, not \(tree.kind)", at: tree.place)
            return nil
        }
        guard !pairs.isEmpty else {
            findings.report("an empty mapping in a pattern matches nothing", at: tree.place)
            return nil
        }
        var fields: [Field] = []
        for (key, value) in keyed(pairs, &findings) {
            if key.name == "$or" {
                findings.notYet("'$or' in patterns", at: key.place)
            } else if let pattern = Self.inner(value, &findings) {
                fields.append(Field(key: key.name, pattern: pattern))
            }
        }
        guard fields.count == pairs.count else { return nil }
        self = .fields(fields)
    }

    private static func inner(_ tree: Tree, _ findings: inout Findings) -> Pattern? {
        switch tree.content {
        case .mapping: return Pattern(tree, &findings)
        case .list(let items):
            guard !items.isEmpty else {
                findings.report("an empty list in a pattern matches nothing", at: tree.place)
                return nil
            }
            let values = items.compactMap { value($0, &findings) }
            return values.count == items.count ? .anyOf(values) : nil
        case .scalar(let scalar):
            let example = scalar.isNull ? "" : ": [\(scalar.text.shortened)]"
            findings.report("a pattern's values stand in a list\(example)", at: tree.place)
            return nil
        }
    }

    private static func value(_ tree: Tree, _ findings: inout Findings) -> Value? {
        switch tree.content {
        case .scalar(let scalar):
            switch scalar.meaning {
            case .text(let text): return .string(text)
            case .number(let number): return .number(number)
            case .bool(let bool): return .bool(bool)
            case .null: return .null
            case .notComparable:
                findings.report(
                    "'\(scalar.text.shortened)' cannot be compared as a number; put it in quotes if it is text",
                    at: tree.place)
            }
        case .mapping(let pairs):
            let name = pairs.first?.key.scalar?.text ?? ""
            if operators.contains(name) {
                findings.notYet("the pattern operator '\(name)'", at: tree.place)
            } else {
                let words = hint(name, operators)
                findings.report("unknown pattern operator '\(name.shortened)'\(words)", at: tree.place)
            }
        case .list: findings.report("a list in a pattern holds values, not lists", at: tree.place)
        }
        return nil
    }
}
