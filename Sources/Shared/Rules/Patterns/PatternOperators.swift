// Reading the values of a field: single values to equal, and mappings of one operator.

extension PatternReader {
    /// The operators by their names; `exactly` is the long form of a text.
    private static let operators = [
        "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr", "exactly",
    ]

    /// Reads an item of a field's list; `nil` when a fault was reported.
    mutating func test(_ form: PatternForm) -> ValueTest? {
        switch form.content {
        case .text(let text): return .text(ByteText(text))
        case .number(let text):
            return ComparableNumber(text).map(ValueTest.number) ?? .spelling(ByteText(text))
        case .bool(let bool): return .bool(bool)
        case .null: return .null
        case .incomparable(let text):
            report("'\(text.shortened)' cannot be compared as a number; put it in quotes if it is text", form.place)
        case .list: report("a list in a pattern holds values, not lists", form.place)
        case .object(let members): return operation(members, form)
        }
        return nil
    }

    private mutating func operation(_ members: [PatternForm.Member], _ form: PatternForm) -> ValueTest? {
        guard let member = members.first, members.count == 1 else {
            let words = members.isEmpty ? "an empty mapping" : "'\(members[1].key.shortened)' beside it"
            report(
                "an operator stands alone in its mapping; here is \(words)",
                members.dropFirst().first?.place ?? form.place)
            return nil
        }
        return inside(.name(member.key)) { reader in
            switch member.key {
            case "prefix": reader.text(member, orCaseless: .beginning) { .begins($0) }
            case "suffix": reader.text(member, orCaseless: .end) { .ends($0) }
            case "equals-ignore-case": reader.text(member).map { .caseless(Caseless($0), .whole) }
            case "exactly": reader.text(member).map { .text(ByteText($0)) }
            case "wildcard": reader.text(member).flatMap { reader.wildcard($0, member.value) }
            case "anything-but": reader.exclusion(member.value)
            case "numeric": reader.range(member.value)
            case "exists": reader.presence(member.value)
            case "cidr": reader.text(member).flatMap { reader.block($0, member.value) }
            default: reader.unknown(member, form)
            }
        }
    }

    private mutating func unknown(_ member: PatternForm.Member, _ form: PatternForm) -> ValueTest? {
        let words = hint(member.key, Self.operators)
        report("unknown pattern operator '\(member.key.shortened)'\(words)", form.place)
        return nil
    }
}

// MARK: - Texts

extension PatternReader {
    private mutating func text(_ member: PatternForm.Member) -> String? { text(member.value, of: member.key) }

    private mutating func text(_ form: PatternForm, of name: String) -> String? {
        if case .text(let text) = form.content { return text }
        let found = form.example.map { "'\($0)', which is none" } ?? form.kind
        report("'\(name)' takes a text, not \(found)", form.place)
        return nil
    }

    /// A text, or `{equals-ignore-case: text}`.
    private mutating func text(
        _ member: PatternForm.Member, orCaseless part: ValueTest.Part, _ make: (ByteText) -> ValueTest
    ) -> ValueTest? {
        guard case .object(let inner) = member.value.content else {
            return text(member).map { make(ByteText($0)) }
        }
        guard let only = inner.first, inner.count == 1, only.key == "equals-ignore-case" else {
            report("'\(member.key)' takes a text or {equals-ignore-case: a text}", member.value.place)
            return nil
        }
        return inside(.name(only.key)) { $0.text(only) }.map { .caseless(Caseless($0), part) }
    }

    private mutating func wildcard(_ text: String, _ form: PatternForm) -> ValueTest? {
        do throws(Wildcard.Fault) {
            return .wildcard(try Wildcard(text))
        } catch {
            report("the wildcard '\(text.shortened)' \(error.reason)", form.place)
            return nil
        }
    }

    private mutating func block(_ text: String, _ form: PatternForm) -> ValueTest? {
        do throws(AddressBlock.Fault) {
            return .block(try AddressBlock(text))
        } catch {
            report("'\(text.shortened)' \(error.reason)", form.place)
            return nil
        }
    }

    private mutating func presence(_ form: PatternForm) -> ValueTest? {
        if case .bool(let isPresent) = form.content { return isPresent ? .present : .absent }
        report("'exists' is true or false", form.place)
        return nil
    }
}

// MARK: - anything-but

extension PatternReader {
    private mutating func exclusion(_ form: PatternForm) -> ValueTest? {
        guard case .object(let members) = form.content else { return excludedValues(form) }
        let known = ["prefix", "suffix", "equals-ignore-case", "wildcard"]
        guard let member = members.first, members.count == 1, known.contains(member.key) else {
            let words = members.first.map { hint($0.key, known) } ?? ""
            report("'anything-but' takes values, or one of \(known.joined(separator: ", "))\(words)", form.place)
            return nil
        }
        return inside(.name(member.key)) { reader in
            guard case .list(let items) = member.value.content else {
                return reader.excluded(member.value, member.key).map { .none(of: [$0]) }
            }
            if items.isEmpty { reader.report("'\(member.key)' has an empty list", member.value.place) }
            let tests = items.enumerated().compactMap { place, item in
                reader.inside(.item(place)) { $0.excluded(item, member.key) }
            }
            return tests.isEmpty || tests.count < items.count ? nil : .none(of: tests)
        }
    }

    private mutating func excluded(_ form: PatternForm, _ name: String) -> ValueTest? {
        guard let text = text(form, of: name) else { return nil }
        switch name {
        case "equals-ignore-case": return .caseless(Caseless(text), .whole)
        case "wildcard": return wildcard(text, form)
        default:
            if text.isEmpty {
                report("an empty \(name) would exclude every text", form.place)
                return nil
            }
            return name == "prefix" ? .begins(ByteText(text)) : .ends(ByteText(text))
        }
    }

    /// A text, a number, or a list of either.
    private mutating func excludedValues(_ form: PatternForm) -> ValueTest? {
        guard case .list(let items) = form.content else { return excludedValue(form).map { .none(of: [$0]) } }
        if items.isEmpty { report("'anything-but' has an empty list", form.place) }
        let tests = items.enumerated().compactMap { place, item in inside(.item(place)) { $0.excludedValue(item) } }
        guard !tests.isEmpty, tests.count == items.count else { return nil }
        let texts = tests.count { if case .text = $0 { true } else { false } }
        if texts > 0, texts < tests.count {
            report("'anything-but' takes texts or numbers, not both in one list", form.place)
            return nil
        }
        return .none(of: tests)
    }

    private mutating func excludedValue(_ form: PatternForm) -> ValueTest? {
        switch form.content {
        case .text(let text): return .text(ByteText(text))
        case .number(let text): return number(text, form).map(ValueTest.number)
        default:
            let found = form.example.map { "'\($0)'" } ?? form.kind
            report("'anything-but' takes texts and numbers, not \(found)", form.place)
            return nil
        }
    }
}

// MARK: - Numbers

extension PatternReader {
    private mutating func number(_ text: String, _ form: PatternForm) -> ComparableNumber? {
        if let number = ComparableNumber(text) { return number }
        report("the number \(text.shortened) is none that a double says exactly, so it cannot be compared", form.place)
        return nil
    }

    /// `["=", 3]`, `[">", 0]`, `[">=", 0, "<", 5]`.
    private mutating func range(_ form: PatternForm) -> ValueTest? {
        let usage = "'numeric' takes a comparison such as [\"=\", 3], [\">\", 0] or [\">=\", 0, \"<\", 5]"
        guard case .list(let items) = form.content, items.count == 2 || items.count == 4 else {
            report(usage, form.place)
            return nil
        }
        var bounds: [(sign: String, number: ComparableNumber)] = []
        for place in stride(from: 0, to: items.count, by: 2) {
            guard case .text(let sign) = items[place].content, ["=", "<", "<=", ">", ">="].contains(sign),
                case .number(let text) = items[place + 1].content
            else {
                report(usage, items[place].place)
                return nil
            }
            guard let number = inside(.item(place + 1), { $0.number(text, items[place + 1]) }) else { return nil }
            bounds.append((sign, number))
        }
        guard bounds.count == 2 else { return bounds.first.map { Self.range($0.sign, $0.number) } }
        guard bounds[0].sign.hasPrefix(">"), bounds[1].sign.hasPrefix("<") else {
            report("two bounds are a lower one with '>' or '>=', then an upper one with '<' or '<='", form.place)
            return nil
        }
        guard bounds[0].number < bounds[1].number else {
            report("the lower bound is not below the upper one", form.place)
            return nil
        }
        return .between(
            Self.bounds(bounds[0].sign, bounds[0].number).0, Self.bounds(bounds[1].sign, bounds[1].number).1)
    }

    private static func range(_ sign: String, _ number: ComparableNumber) -> ValueTest {
        if sign == "=" { return .number(number) }
        let (low, high) = bounds(sign, number)
        return .between(low, high)
    }

    /// The smallest and the largest number that the comparison lets through; the order of numbers has no gaps.
    private static func bounds(_ sign: String, _ number: ComparableNumber) -> (ComparableNumber, ComparableNumber) {
        let (least, most) = (ComparableNumber(bits: 0), ComparableNumber(bits: .max))
        return switch sign {
        case "<": (least, ComparableNumber(bits: number.bits - 1))
        case "<=": (least, number)
        case ">": (ComparableNumber(bits: number.bits + 1), most)
        default: (number, most)
        }
    }
}
