import CarillonEvents

// Values as text: as Python's `str` has it, and inside lists and mappings as `repr` has it.

extension Run {
    /// Puts out what `{{ }}` holds.
    mutating func put(_ node: NodeID, _ text: Span<UInt8>) throws(TemplateError) {
        let value = try evaluate(node, text)
        current = node
        guard style.escapes, !value.isSafe else {
            if case .quoted(let slice) = value {
                try charge(slice.count / 64)
                return Self.append(slice, text, to: &output)
            }
            // Taken out while it grows, so that it is not copied.
            var taken: [UInt8] = []
            swap(&taken, &output)
            defer { swap(&taken, &output) }
            return try append(value, text, to: &taken)
        }
        var plain: [UInt8] = []
        try append(value, text, to: &plain)
        let escaped = PythonText.escaped(plain)
        try charge(bytes: escaped.count)
        output += escaped
    }

    /// A value's text.
    mutating func string(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> [UInt8] {
        if case .text(let text) = value { return text.bytes }
        var result: [UInt8] = []
        try append(value, text, to: &result)
        return result
    }

    /// A value's text, which stays safe when it is.
    mutating func soft(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> Text {
        if case .text(let text) = value { return text }
        return Text(try string(value, text))
    }

    mutating func append(_ value: Value, _ text: Span<UInt8>, to result: inout [UInt8]) throws(TemplateError) {
        switch value {
        case .quoted(let slice):
            try charge(slice.count / 64)
            Self.append(slice, text, to: &result)
        case .text(let text):
            try charge(text.bytes.count / 64)
            result += text.bytes
        case .undefined: if style.dash { result.append(UInt8(ascii: "-")) }
        case .none: if style.dash { result.append(UInt8(ascii: "-")) } else { result += Self.none }
        default: try appendRepr(value, text, to: &result, depth: 0)
        }
    }

    private static let none = Array("None".utf8)
    private static let yes = Array("True".utf8)
    private static let no = Array("False".utf8)

    /// A value as Python shows it inside a list.
    mutating func appendRepr(
        _ value: Value, _ text: Span<UInt8>, to result: inout [UInt8], depth: Int
    ) throws(TemplateError) {
        switch value {
        case .integer(let value): Self.append(value, to: &result)
        case .whole(let value):
            guard value.bits <= TemplateLimit.bits else {
                throw failure("the number has more than 4300 digits", .limit)
            }
            try charge(value.limbs.count * value.limbs.count / 16)
            result += value.decimal.utf8
        case .float(let value): result += FloatText.repr(value).utf8
        case .bool(let value): result += value ? Self.yes : Self.no
        case .none: result += Self.none
        case .undefined: result += "Undefined".utf8
        case .text, .quoted:
            let bytes = bytes(value, text) ?? []
            try charge(bytes.count / 16)
            if value.isSafe { result += "Markup(".utf8 }
            PythonText.repr(bytes, to: &result)
            if value.isSafe { result.append(UInt8(ascii: ")")) }
        case .range(let range):
            result += "range(\(range.start), \(range.stop)\(range.step == 1 ? "" : ", \(range.step)"))".utf8
        case .namespace(let index):
            result += "<Namespace ".utf8
            try appendParts(.dict(namespaces[index]), text, to: &result, depth: depth)
            result.append(UInt8(ascii: ">"))
        case .loop(let index):
            result += "<LoopContext \(loops[index].index + 1)/\(loops[index].items.count)>".utf8
        case .function(let function): result += "<function \(function.rawValue)>".utf8
        case .iterator(let iterator): try appendParts(.list(List(try iterator.rest())), text, to: &result, depth: depth)
        case .json, .list, .dict: try appendParts(value, text, to: &result, depth: depth)
        }
    }

    /// Lists, mappings and what they hold.
    private mutating func appendParts(
        _ value: Value, _ text: Span<UInt8>, to result: inout [UInt8], depth: Int
    ) throws(TemplateError) {
        guard depth <= JSON.maxDepth + TemplateLimit.valueDepth else {
            throw failure("the value holds itself", .limit)
        }
        switch try opened(value, text) {
        case .list(let list):
            let (open, close) = list.kind.brackets
            result += open.utf8
            for (i, item) in list.items.enumerated() {
                if i > 0 { result += ", ".utf8 }
                try appendRepr(item, text, to: &result, depth: depth + 1)
                try charge(grown: result, by: 0)
            }
            if list.kind == .tuple, list.items.count == 1 { result.append(UInt8(ascii: ",")) }
            result += close.utf8
        case .dict(let dict):
            result.append(UInt8(ascii: "{"))
            for (i, (key, member)) in zip(dict.keys, dict.values).enumerated() {
                if i > 0 { result += ", ".utf8 }
                try appendRepr(key, text, to: &result, depth: depth + 1)
                result += ": ".utf8
                try appendRepr(member, text, to: &result, depth: depth + 1)
                try charge(grown: result, by: 0)
            }
            result.append(UInt8(ascii: "}"))
        default: break
        }
    }

    @inline(__always)
    private static func append(_ value: Int, to result: inout [UInt8]) {
        if value >= 0, value < 10 { return result.append(UInt8(ascii: "0") + UInt8(value)) }
        result += String(value).utf8
    }
}

extension List.Kind {
    fileprivate var brackets: (open: String, close: String) {
        switch self {
        case .list: ("[", "]")
        case .tuple: ("(", ")")
        case .keys: ("dict_keys([", "])")
        case .values: ("dict_values([", "])")
        case .pairs: ("dict_items([", "])")
        }
    }
}
