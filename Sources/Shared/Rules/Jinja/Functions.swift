import CarillonEvents

// What may be called: three functions and a few methods of strings, lists and mappings. Nothing else is callable, so
// there is no way from a value to anything outside.

extension Run {
    mutating func call(
        _ function: NodeID, _ call: Int, at node: NodeID, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let value = try evaluate(function, text)
        let arguments = try arguments(call, text)
        current = node
        switch value {
        case .function(.range): return .range(try range(arguments))
        case .function(.dict): return try checked(try mapping(arguments, "dict", text))
        case .function(.namespace):
            namespaces.append(try mapping(arguments, "namespace", text))
            _ = try checked(namespaces[namespaces.count - 1])
            return .namespace(namespaces.count - 1)
        case .undefined(let node): throw undefined(node)
        default: throw failure("\(value.typeName) cannot be called; there are range(), dict() and namespace()")
        }
    }

    private func range(_ arguments: Arguments) throws(TemplateError) -> ValueRange {
        guard arguments.named.isEmpty, (1...3).contains(arguments.positional.count) else {
            throw failure("range takes stop, or start and stop, or start, stop and step")
        }
        var numbers: [Int] = []
        for value in arguments.positional {
            if case .whole = value { throw failure("the range is larger than \(TemplateLimit.range)", .limit) }
            guard let number = value.index else { throw failure("range takes whole numbers, not \(value.typeName)") }
            numbers.append(number)
        }
        let (start, stop) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
        let step = numbers.count == 3 ? numbers[2] : 1
        guard step != 0 else { throw failure("range takes no step of zero") }
        let (difference, overflows) =
            step > 0
            ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
        let isEmpty = step > 0 ? stop <= start : stop >= start
        let count = isEmpty ? 0 : overflows ? Int.max : Int((difference.magnitude - 1) / step.magnitude) + 1
        guard count <= TemplateLimit.range else {
            throw failure("the range is larger than \(TemplateLimit.range)", .limit)
        }
        return ValueRange(start: start, stop: stop, step: step, count: count)
    }

    private mutating func mapping(
        _ arguments: Arguments, _ what: String, _ text: Span<UInt8>
    ) throws(TemplateError) -> Dict {
        let dict = Dict()
        guard arguments.positional.count <= 1 else { throw failure("\(what) takes one mapping or list of pairs") }
        if let value = arguments.positional.first {
            let opened = try opened(value, text)
            if case .dict(let other) = opened {
                try charge(other.count)
                for (key, value) in zip(other.keys, other.values) { dict.set(key, try hashed(key, text), value) }
            } else {
                for pair in try elements(opened, text) {
                    let parts = try elements(pair, text)
                    guard parts.count == 2 else { throw failure("\(what) takes pairs of a key and a value") }
                    dict.set(parts[0], try hashed(parts[0], text), parts[1])
                }
            }
        }
        for (name, value) in arguments.named { dict.set(.text(name), .text(Array(name.utf8)), value) }
        return dict
    }
}

// MARK: - Methods

extension Run {
    mutating func method(
        _ object: NodeID, _ name: Int, _ call: Int, at node: NodeID, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let value = try evaluate(object, text)
        let arguments = try arguments(call, text)
        current = node
        let method = program.names[name].text
        switch value {
        case .undefined(let node): throw undefined(node)
        case .text, .quoted: return try stringMethod(method, value, arguments, text)
        case .json, .dict, .list:
            let opened = try opened(value, text)
            if case .dict(let dict) = opened { return try dictMethod(method, dict, arguments, text) }
            if case .list(let list) = opened { return try listMethod(method, list, arguments, text) }
        case .loop(let number): return try loopMethod(method, number, arguments, text)
        default: break
        }
        throw unknown(method, of: value)
    }

    private func unknown(_ method: String, of value: Value) -> TemplateError {
        let hint = Filter(rawValue: method) == nil ? "" : "; write '| \(method)'"
        return failure("\(value.typeName) has no method '\(method.shortened)' here\(hint)")
    }

    private mutating func loopMethod(
        _ method: String, _ number: Int, _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let values = arguments.positional
        guard arguments.named.isEmpty, number < loops.count else { throw failure("loop.\(method) takes no names") }
        switch method {
        case "cycle":
            guard !values.isEmpty else { throw failure("loop.cycle takes the values to take turns") }
            return values[loops[number].index % values.count]
        case "changed":
            if let before = loops[number].changed,
                try areEqual(.list(List(before)), .list(List(values)), text)
            {
                return .bool(false)
            }
            loops[number].changed = values
            return .bool(true)
        default: throw failure("the loop has no method '\(method.shortened)'; it has cycle and changed")
        }
    }

    private mutating func dictMethod(
        _ method: String, _ dict: Dict, _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        switch method {
        case "items":
            _ = try arguments.bound(to: [], of: "items", in: self)
            return try pairs(of: dict, .pairs)
        case "keys":
            _ = try arguments.bound(to: [], of: "keys", in: self)
            try charge(dict.count)
            return .list(List(dict.keys, .keys))
        case "values":
            _ = try arguments.bound(to: [], of: "values", in: self)
            try charge(dict.count)
            return .list(List(dict.values, .values))
        case "get":
            guard arguments.named.isEmpty, let key = arguments.positional.first, arguments.positional.count <= 2 else {
                throw failure("get takes a key and what to give without it")
            }
            if let place = dict.place(of: try hashed(key, text)) { return dict.values[place] }
            return arguments.positional.count == 2 ? arguments.positional[1] : .none
        default: throw unknown(method, of: .dict(dict))
        }
    }

    /// The keys with their values.
    mutating func pairs(of dict: Dict, _ kind: List.Kind) throws(TemplateError) -> Value {
        try charge(dict.count * 2)
        return try list(zip(dict.keys, dict.values).map { .list(List([$0, $1], .tuple)) }, kind)
    }

    private mutating func listMethod(
        _ method: String, _ list: List, _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard list.kind == .list || list.kind == .tuple, method == "count" || method == "index" else {
            throw unknown(method, of: .list(list))
        }
        let bound = try arguments.bound(to: ["value"], of: method, in: self)
        guard arguments.named.isEmpty, let wanted = bound[0] else { throw failure("\(method) takes a value") }
        try charge(list.items.count)
        var count = 0
        for (i, item) in list.items.enumerated() where try areEqual(item, wanted, text) {
            if method == "index" { return .integer(i) }
            count += 1
        }
        if method == "index" { throw failure("the value is not in the list") }
        return .integer(count)
    }
}

// MARK: - Methods of strings

extension Run {
    private mutating func stringMethod(
        _ method: String, _ value: Value, _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let string = try soft(value, text)
        try charge(bytes: string.bytes.count)
        func made(_ bytes: [UInt8]) -> Value { .text(Text(bytes, isSafe: string.isSafe)) }
        switch method {
        case "lower", "upper", "capitalize", "isdigit":
            _ = try arguments.bound(to: [], of: method, in: self)
            switch method {
            case "lower": return made(PythonText.lower(string.bytes))
            case "upper": return made(PythonText.upper(string.bytes))
            case "capitalize": return made(PythonText.capitalized(string.bytes))
            default: return .bool(!string.bytes.isEmpty && string.bytes.allSatisfy { (0x30...0x39).contains($0) })
            }
        case "strip", "lstrip", "rstrip":
            let chars = try arguments.bound(to: ["chars"], of: method, in: self)[0]
            return made(
                try stripped(string.bytes, chars, leading: method != "rstrip", trailing: method != "lstrip", text))
        case "startswith", "endswith": return .bool(try hasEnd(method, string.bytes, arguments, text))
        case "replace": return try replaceMethod(string, arguments, text)
        case "split", "rsplit": return try split(string, arguments, fromEnd: method == "rsplit", text)
        case "join": return try joinMethod(string, arguments, text)
        case "count", "find":
            guard arguments.named.isEmpty, arguments.positional.count == 1,
                let part = bytes(arguments.positional[0], text)
            else { throw failure("\(method) takes a string") }
            return .integer(Self.found(method, part, string.bytes))
        default: throw unknown(method, of: value)
        }
    }

    private static func found(_ method: String, _ part: [UInt8], _ bytes: [UInt8]) -> Int {
        if method == "find" {
            return PythonText.find(part, in: bytes).map { PythonText.count(bytes[..<$0]) } ?? -1
        }
        if part.isEmpty { return PythonText.count(bytes) + 1 }
        var (count, i) = (0, 0)
        while let place = PythonText.find(part, in: bytes, from: i) {
            count += 1
            i = place + part.count
        }
        return count
    }

    /// A text without certain characters, or white space, at its ends.
    mutating func stripped(
        _ bytes: [UInt8], _ chars: Value?, leading: Bool = true, trailing: Bool = true, _ text: Span<UInt8>
    ) throws(TemplateError) -> [UInt8] {
        if case .none? = chars { return Array(PythonText.stripped(bytes[...], leading: leading, trailing: trailing)) }
        guard let chars else { return Array(PythonText.stripped(bytes[...], leading: leading, trailing: trailing)) }
        guard let gone = self.bytes(chars, text) else { throw failure("the characters to strip are a string") }
        let set = Set(PythonText.scalars(gone))
        return Array(PythonText.stripped(bytes[...], of: set.contains, leading: leading, trailing: trailing))
    }

    private mutating func hasEnd(
        _ method: String, _ string: [UInt8], _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Bool {
        guard arguments.named.isEmpty, arguments.positional.count == 1 else {
            throw failure("\(method) takes a string")
        }
        var wanted = arguments.positional
        if case .list(let list) = wanted[0], list.kind == .tuple { wanted = list.items }
        for value in wanted {
            guard let end = bytes(value, text) else { throw failure("\(method) takes a string, not \(value.typeName)") }
            let isThere =
                method == "startswith" ? string.starts(with: end) : string.reversed().starts(with: end.reversed())
            if isThere { return true }
        }
        return false
    }

    private mutating func replaceMethod(
        _ string: Text, _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard arguments.named.isEmpty, (2...3).contains(arguments.positional.count),
            let old = bytes(arguments.positional[0], text), let new = bytes(arguments.positional[1], text)
        else { throw failure("replace takes what is old, what is new and how often") }
        let limit = arguments.positional.count == 3 ? arguments.positional[2].index : -1
        guard let limit else { throw failure("replace takes how often as a whole number") }
        let fresh = string.isSafe && !arguments.positional[1].isSafe ? PythonText.escaped(new) : new
        return .text(Text(try replaced(string.bytes, old, fresh, limit), isSafe: string.isSafe))
    }

    /// A text with another in place of each of a part.
    mutating func replaced(
        _ bytes: [UInt8], _ old: [UInt8], _ new: [UInt8], _ limit: Int
    ) throws(TemplateError) -> [UInt8] {
        let longest = style.limit.text
        guard let result = PythonText.replacing(old, with: new, in: bytes, limit: limit, longest: longest) else {
            throw failure("makes a text longer than \(longest >> 10) KiB", .limit)
        }
        try charge(bytes: result.count + bytes.count / 4)
        return result
    }

    private mutating func split(
        _ string: Text, _ arguments: Arguments, fromEnd: Bool, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let bound = try arguments.bound(to: ["sep", "maxsplit"], of: "split", in: self)
        let limit = bound[1].map(\.index) ?? -1
        guard let limit else { throw failure("split takes how often as a whole number") }
        var separator: [UInt8]?
        if let given = bound[0] {
            if case .none = given {
            } else {
                guard let bytes = bytes(given, text), !bytes.isEmpty else {
                    throw failure("split takes a separator that is a string and not empty")
                }
                separator = bytes
            }
        }
        let most = limit < 0 ? Int.max : limit
        let parts: [[UInt8]]
        if let separator {
            parts = Self.turned(string.bytes, fromEnd) {
                Self.split($0, by: fromEnd ? separator.reversed() : separator, most)
            }
        } else {
            parts = Self.turned(PythonText.scalars(string.bytes), fromEnd) {
                Self.cutAtSpace($0, most, isSpace: PythonText.isSpace)
            }
            .map { PythonText.bytes($0) }
        }
        try charge(parts.count * 4)
        return .list(List(parts.map { .text(Text($0, isSafe: string.isSafe)) }))
    }

    /// The parts that `cut` makes of a text, or of the text read backwards.
    private static func turned<Element>(
        _ text: [Element], _ fromEnd: Bool, _ cut: ([Element]) -> [[Element]]
    ) -> [[Element]] {
        fromEnd ? cut(text.reversed()).reversed().map { $0.reversed() } : cut(text)
    }

    private static func split(_ bytes: [UInt8], by separator: [UInt8], _ most: Int) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var i = 0
        while parts.count < most, let found = PythonText.find(separator, in: bytes, from: i) {
            parts.append(Array(bytes[i..<found]))
            i = found + separator.count
        }
        return parts + [Array(bytes[i...])]
    }

    /// The words between white space; with the last of so many goes what stands behind it.
    private static func cutAtSpace<Element>(
        _ text: [Element], _ most: Int, isSpace: (Element) -> Bool
    ) -> [[Element]] {
        var parts: [[Element]] = []
        var rest = text.drop(while: isSpace)
        while !rest.isEmpty, parts.count < most {
            let word = rest.prefix { !isSpace($0) }
            parts.append(Array(word))
            rest = rest[word.endIndex...].drop(while: isSpace)
        }
        return rest.isEmpty ? parts : parts + [Array(rest)]
    }

    private mutating func joinMethod(
        _ string: Text, _ arguments: Arguments, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard arguments.named.isEmpty, arguments.positional.count == 1 else { throw failure("join takes a list") }
        var result: [UInt8] = []
        for (i, item) in try elements(arguments.positional[0], text).enumerated() {
            guard let part = bytes(item, text) else { throw failure("join takes strings, not \(item.typeName)") }
            let start = result.count
            if i > 0 { result += string.bytes }
            result += string.isSafe && !item.isSafe ? PythonText.escaped(part) : part
            try charge(grown: result, by: result.count - start)
        }
        return .text(Text(result, isSafe: string.isSafe))
    }
}
