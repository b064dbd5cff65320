import CarillonEvents

/// The filters a template may use.
enum Filter: String, Sendable, CaseIterable {
    case abs, attr, batch, capitalize, center, count, d, `default`, dictsort, e, escape, filesizeformat, first, float
    case forceescape, format, groupby, indent, int, items, join, last, length, list, lower, map, max, min, reject
    case rejectattr, replace, reverse, round, safe, select, selectattr, slice, sort, string, striptags, sum, title
    case tojson, trim, truncate, unique, upper, urlencode, wordcount

    /// Why a filter's name is refused, with the nearest known one.
    static func unknown(_ name: String) -> String {
        let hint = nearest(name, allCases.map(\.rawValue))
        return "there is no filter '\(name.shortened)'" + (hint.map { "; did you mean '\($0)'?" } ?? "")
    }

    /// The parameters in their order, the value left out; `nil` for those that take what they please.
    var parameters: [String]? {
        switch self {
        case .abs, .capitalize, .count, .e, .escape, .first, .forceescape, .items, .last, .length, .list, .lower,
            .reverse, .safe, .string, .striptags, .title, .upper, .urlencode, .wordcount:
            []
        case .attr: ["name"]
        case .batch: ["linecount", "fill_with"]
        case .center: ["width"]
        case .d, .default: ["default_value", "boolean"]
        case .dictsort: ["case_sensitive", "by", "reverse"]
        case .filesizeformat: ["binary"]
        case .float: ["default"]
        case .groupby: ["attribute", "default", "case_sensitive"]
        case .indent: ["width", "first", "blank"]
        case .int: ["default", "base"]
        case .join: ["d", "attribute"]
        case .max, .min, .unique: ["case_sensitive", "attribute"]
        case .replace: ["old", "new", "count"]
        case .round: ["precision", "method"]
        case .slice: ["slices", "fill_with"]
        case .sort: ["reverse", "case_sensitive", "attribute"]
        case .sum: ["attribute", "start"]
        case .tojson: ["indent"]
        case .trim: ["chars"]
        case .truncate: ["length", "killwords", "end", "leeway"]
        case .format, .map, .select, .reject, .selectattr, .rejectattr: nil
        }
    }
}

extension Run {
    mutating func filter(
        _ filter: Filter, _ value: NodeID, _ call: Int, at node: NodeID, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let value = value < 0 ? .text(captured[captured.count - 1]) : try evaluate(value, text)
        let arguments = try arguments(call, text)
        current = node
        return try apply(filter, value, arguments, text)
    }

    /// Applies a filter; its node is the current one.
    mutating func apply(
        _ filter: Filter, _ value: Value, _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        try charge(1)
        guard let parameters = filter.parameters else {
            return try applyFree(filter, value, arguments, text)
        }
        if call(isPlain: arguments), let result = try applyPlain(filter, value, text) { return result }
        let bound = try arguments.bound(to: parameters, of: "'\(filter.rawValue)'", in: self)
        if let result = try applyToText(filter, value, bound, text) { return result }
        if let result = try applyToNumber(filter, value, bound, text) { return result }
        if let result = try applyToList(filter, value, bound, text) { return result }
        if let result = try applyPlain(filter, value, text) { return result }
        throw failure("'\(filter.rawValue)' is not for \(value.typeName)")
    }

    private func call(isPlain arguments: Arguments) -> Bool {
        arguments.positional.isEmpty && arguments.named.isEmpty
    }

    /// Filters that take nothing but the value; `nil` for others.
    private mutating func applyPlain(
        _ filter: Filter, _ value: Value, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value? {
        switch filter {
        case .lower: return try mapped(value, text, PythonText.lower)
        case .upper: return try mapped(value, text, PythonText.upper)
        case .capitalize: return try mapped(value, text, PythonText.capitalized)
        case .title: return .text(Text(PythonText.title(try string(value, text))))
        case .string: return .text(try soft(value, text))
        case .safe: return .text(Text(try string(value, text), isSafe: true))
        case .e, .escape: return value.isSafe ? value : .text(Text(try escaped(value, text), isSafe: true))
        case .forceescape: return .text(Text(try escaped(value, text), isSafe: true))
        case .striptags: return .text(Text(try withoutTags(value, text)))
        case .wordcount: return .integer(Self.words(try string(value, text)))
        case .urlencode: return .text(Text(try urlEncoded(value, text)))
        case .length, .count: return .integer(try length(value, text))
        case .list: return try list(try elements(value, text))
        case .first: return try first(value, text)
        case .last: return try last(value, text)
        case .reverse: return try reversed(value, text)
        case .items: return try itemPairs(value, text)
        case .abs: return try absolute(value)
        default: return nil
        }
    }

    private mutating func mapped(
        _ value: Value, _ text: Span<UInt8>, _ transform: ([UInt8]) -> [UInt8]
    ) throws(TemplateError) -> Value {
        let string = try soft(value, text)
        try charge(bytes: string.bytes.count * 2)
        return .text(Text(transform(string.bytes), isSafe: string.isSafe))
    }

    private mutating func escaped(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> [UInt8] {
        let escaped = PythonText.escaped(try string(value, text))
        try charge(bytes: escaped.count)
        return escaped
    }
}

// MARK: - Filters that call others

extension Run {
    private mutating func applyFree(
        _ filter: Filter, _ value: Value, _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        switch filter {
        case .format:
            guard arguments.named.isEmpty || arguments.positional.isEmpty else {
                throw failure("'format' takes values with names or without, not both")
            }
            let string = Value.text(try soft(value, text))
            guard arguments.named.isEmpty else {
                let dict = Dict()
                for (name, value) in arguments.named { dict.set(.text(name), .text(Array(name.utf8)), value) }
                return try formatted(string, .dict(dict), text)
            }
            return try formatted(string, .list(List(arguments.positional, .tuple)), text)
        case .map: return try map(value, arguments, text)
        default:
            let isAttribute = filter == .selectattr || filter == .rejectattr
            let keeps = filter == .select || filter == .selectattr
            return try selected(value, arguments, byAttribute: isAttribute, keeps: keeps, text)
        }
    }

    /// What a function makes of each element; what it makes nothing of is left out.
    mutating func made(
        from value: Value, _ text: Span<UInt8>, by make: (inout Run, Value) throws(TemplateError) -> Value?
    ) throws(TemplateError) -> Value {
        var results: [Value] = []
        do throws(TemplateError) {
            for item in try elements(value, text) {
                try charge(1)
                if let result = try make(&self, item) { results.append(result) }
            }
        } catch {
            guard error.kind == .value else { throw error }
            return .iterator(ValueIterator(results, failure: error))
        }
        let iterator = ValueIterator(results)
        guard iterator.depth <= TemplateLimit.valueDepth else {
            throw failure("makes lists nested deeper than \(TemplateLimit.valueDepth)", .limit)
        }
        return .iterator(iterator)
    }

    private mutating func map(
        _ value: Value, _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard try isTrue(value, text) else { return .iterator(ValueIterator([])) }
        if arguments.positional.isEmpty, arguments.named.contains(where: { $0.name == "attribute" }) {
            let bound = try arguments.bound(to: ["attribute", "default"], of: "'map'", in: self)
            return try made(from: value, text) { (run, item) throws(TemplateError) in
                try run.path(bound[0] ?? .none, of: item, or: Self.given(bound[1]), text)
            }
        }
        var rest = arguments
        guard !rest.positional.isEmpty, let name = bytes(rest.positional.removeFirst(), text),
            let filter = Filter(rawValue: String(decoding: name, as: UTF8.self))
        else { throw failure("'map' takes a filter's name or attribute='…'") }
        let others = rest
        return try made(from: value, text) { (run, item) throws(TemplateError) in
            try run.apply(filter, item, others, text)
        }
    }

    private mutating func selected(
        _ value: Value, _ arguments: Arguments, byAttribute: Bool, keeps: Bool, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard try isTrue(value, text) else { return .iterator(ValueIterator([])) }
        var rest = arguments
        var attribute: Value?
        if byAttribute {
            guard !rest.positional.isEmpty else { throw failure("the attribute to look at is missing") }
            attribute = rest.positional.removeFirst()
        }
        var wanted: JinjaTest?
        if !rest.positional.isEmpty {
            let name = bytes(rest.positional.removeFirst(), text) ?? []
            wanted = JinjaTest(rawValue: String(decoding: name, as: UTF8.self))
            guard wanted != nil else { throw failure(JinjaTest.unknown(String(decoding: name, as: UTF8.self))) }
        }
        let (path, test, others) = (attribute, wanted, rest)
        return try made(from: value, text) { (run, item) throws(TemplateError) in
            var subject = item
            if let path { subject = try run.path(path, of: item, text) }
            let holds: Bool
            if let test {
                holds = try run.holds(test, subject, others, text)
            } else {
                holds = try run.isTrue(subject, text)
            }
            return holds == keeps ? item : nil
        }
    }

    /// What an argument gives, none counting as not given.
    static func given(_ argument: Value?) -> Value? {
        if case .none? = argument { return nil }
        return argument
    }

    /// A field by a path such as `a.b.0`, or by a number; at each step that leads nowhere, what stands for it.
    mutating func path(
        _ path: Value, of value: Value, or standard: Value? = nil, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard let name = bytes(path, text) else {
            if case .none = path { return value }
            let found = try item(path, of: value, text)
            return found.isUndefined ? standard ?? found : found
        }
        var found = value
        for part in name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            try charge(1)
            let isNumber = !part.isEmpty && part.allSatisfy { (0x30...0x39).contains($0) }
            let index = isNumber ? Int(String(decoding: part, as: UTF8.self)).map(Value.integer) : nil
            found = try item(index ?? .text(Array(part)), of: found, text)
            if found.isUndefined, let standard { found = standard }
        }
        return found
    }
}
