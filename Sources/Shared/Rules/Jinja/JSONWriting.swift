import CarillonEvents

// The filter `tojson`: JSON as Python writes it, names sorted, everything beyond ASCII escaped, and the signs that mean
// something in HTML escaped too.

extension Run {
    mutating func json(_ value: Value, _ indent: Value?, _ text: Span<UInt8>) throws(TemplateError) -> [UInt8] {
        var layout = JSONLayout()
        if let indent = Self.given(indent) {
            if let margin = bytes(indent, text) {
                layout.margin = margin
            } else {
                let width = try number(indent, or: 0, "the indent")
                guard width <= 100 else { throw failure("the indent is at most 100") }
                layout.margin = Array(repeating: UInt8(ascii: " "), count: max(0, width))
            }
        }
        var result: [UInt8] = []
        try appendJSON(value, layout, text, to: &result)
        return result
    }

    private mutating func appendJSON(
        _ value: Value, _ layout: JSONLayout, _ text: Span<UInt8>, to result: inout [UInt8]
    ) throws(TemplateError) {
        let start = result.count
        switch value {
        case .none: result += "null".utf8
        case .bool(let value): result += (value ? "true" : "false").utf8
        case .integer(let value): result += String(value).utf8
        case .whole(let value): result += value.decimal.utf8
        case .float(let value): result += JSONLayout.text(value).utf8
        case .text, .quoted: JSONLayout.append(quoted: bytes(value, text) ?? [], to: &result)
        case .json, .list, .dict: try appendParts(value, layout, text, to: &result)
        default:
            throw failure("\(value.typeName) is no JSON" + (value.isUndefined ? "; write '| default(none)' first" : ""))
        }
        try charge(grown: result, by: result.count - start)
    }

    private mutating func appendParts(
        _ value: Value, _ layout: JSONLayout, _ text: Span<UInt8>, to result: inout [UInt8]
    ) throws(TemplateError) {
        let inner = layout.deeper
        switch try opened(value, text) {
        case .list(let list):
            guard list.kind == .list || list.kind == .tuple else { throw failure("\(value.typeName) is no JSON") }
            result.append(UInt8(ascii: "["))
            for (i, item) in list.items.enumerated() {
                inner.separate(i, to: &result)
                try appendJSON(item, inner, text, to: &result)
            }
            if !list.items.isEmpty { layout.breakLine(to: &result) }
            result.append(UInt8(ascii: "]"))
        case .dict(let dict):
            result.append(UInt8(ascii: "{"))
            for (i, place) in try sortedPlaces(dict, text).enumerated() {
                inner.separate(i, to: &result)
                JSONLayout.append(quoted: try name(dict.keys[place], text), to: &result)
                result += ": ".utf8
                try appendJSON(dict.values[place], inner, text, to: &result)
            }
            if dict.count > 0 { layout.breakLine(to: &result) }
            result.append(UInt8(ascii: "}"))
        default: break
        }
    }

    private mutating func sortedPlaces(_ dict: Dict, _ text: Span<UInt8>) throws(TemplateError) -> [Int] {
        guard dict.count > 1 else { return Array(0..<dict.count) }
        try charge(dict.count * (Int.bitWidth - dict.count.leadingZeroBitCount))
        if dict.keys.allSatisfy({ $0.isString }) {
            let names = dict.keys.map { bytes($0, text) ?? [] }
            return names.indices.sorted { names[$0].lexicographicallyPrecedes(names[$1]) }
        }
        var places: [Int] = []
        for i in dict.keys.indices {
            var place = places.count
            while place > 0, try isLess(dict.keys[i], dict.keys[places[place - 1]], text) {
                place -= 1
                try charge(1)
            }
            if place > 0 { _ = try isLess(dict.keys[places[place - 1]], dict.keys[i], text) }
            places.insert(i, at: place)
        }
        return places
    }

    /// A key as JSON names it.
    private mutating func name(_ key: Value, _ text: Span<UInt8>) throws(TemplateError) -> [UInt8] {
        switch key {
        case .text, .quoted: return bytes(key, text) ?? []
        case .none: return Array("null".utf8)
        case .bool(let value): return Array((value ? "true" : "false").utf8)
        case .integer(let value): return Array(String(value).utf8)
        case .whole(let value): return Array(value.decimal.utf8)
        case .float(let value): return Array(JSONLayout.text(value).utf8)
        default: throw failure("\(key.typeName) cannot name a member of JSON")
        }
    }
}

/// Where lines break; without a margin they do not.
private struct JSONLayout {
    var margin: [UInt8]?
    var depth = 0

    var deeper: JSONLayout { JSONLayout(margin: margin, depth: depth + 1) }

    func breakLine(to result: inout [UInt8]) {
        guard let margin else { return }
        result.append(UInt8(ascii: "\n"))
        for _ in 0..<depth { result += margin }
    }

    /// What stands before the element with this number.
    func separate(_ index: Int, to result: inout [UInt8]) {
        if index > 0 { result += (margin == nil ? ", " : ",").utf8 }
        breakLine(to: &result)
    }

    static func text(_ value: Double) -> String {
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : FloatText.repr(value)
    }

    static func append(quoted bytes: [UInt8], to result: inout [UInt8]) {
        result.append(UInt8(ascii: "\""))
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\"": result += "\\\"".utf8
            case "\\": result += "\\\\".utf8
            case "\n": result += "\\n".utf8
            case "\r": result += "\\r".utf8
            case "\t": result += "\\t".utf8
            case "\u{8}": result += "\\b".utf8
            case "\u{C}": result += "\\f".utf8
            case "<", ">", "&", "'": append(escaped: UInt16(scalar.value), to: &result)
            case " "..."~": result.append(UInt8(scalar.value))
            default: for unit in UTF16.encode(scalar) ?? .init() { append(escaped: unit, to: &result) }
            }
        }
        result.append(UInt8(ascii: "\""))
    }

    private static func append(escaped unit: UInt16, to result: inout [UInt8]) {
        let code = String(unit, radix: 16)
        result += ("\\u" + String(repeating: "0", count: 4 - code.utf8.count) + code).utf8
    }
}
