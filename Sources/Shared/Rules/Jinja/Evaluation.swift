import CarillonEvents

extension Run {
    /// The value of an expression.
    mutating func evaluate(_ node: NodeID, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        try charge(1)
        switch program.nodes[node] {
        case .constant(let index): return constant(index)
        case .name(let name): return try variable(name, at: node, text)
        case .attribute(let object, let name):
            let value = try evaluate(object, text)
            current = node
            return try attribute(program.names[name].bytes, of: value, text)
        case .item(let object, let key):
            let value = try evaluate(object, text)
            let key = try evaluate(key, text)
            current = node
            return try item(key, of: value, text)
        case .compare(let first, let links): return try compare(first, links, at: node, text)
        case .and(let left, let right):
            let value = try evaluate(left, text)
            return try isTrue(value, text) ? try evaluate(right, text) : value
        case .or(let left, let right):
            let value = try evaluate(left, text)
            return try isTrue(value, text) ? value : try evaluate(right, text)
        case .not(let inner):
            let value = try evaluate(inner, text)
            return .bool(try !isTrue(value, text))
        case .test(let test, let value, let call): return .bool(try self.test(test, value, call, at: node, text))
        case .filter(let filter, let value, let call): return try self.filter(filter, value, call, at: node, text)
        default: return try evaluateRare(node, text)
        }
    }

    private mutating func evaluateRare(_ node: NodeID, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        switch program.nodes[node] {
        case .arithmetic(let operation, let left, let right):
            let (left, right) = (try evaluate(left, text), try evaluate(right, text))
            current = node
            return try arithmetic(operation, left, right, text)
        case .negative(let inner):
            let value = try evaluate(inner, text)
            current = node
            return try sign(value, isNegative: true)
        case .positive(let inner):
            let value = try evaluate(inner, text)
            current = node
            return try sign(value, isNegative: false)
        case .concat(let links): return try concat(links, at: node, text)
        case .choice(let test, let value, let other):
            let test = try evaluate(test, text)
            if try isTrue(test, text) { return try evaluate(value, text) }
            return other < 0 ? .undefined(node) : try evaluate(other, text)
        case .list(let links): return try list(try values(links, text))
        case .tuple(let links): return try list(try values(links, text), .tuple)
        case .dict(let links): return try dictionary(links, at: node, text)
        case .slice(let object, let links): return try slice(of: object, links, at: node, text)
        case .method(let object, let name, let call): return try method(object, name, call, at: node, text)
        case .call(let function, let call): return try self.call(function, call, at: node, text)
        default: return .undefined(node)
        }
    }

    private func constant(_ index: Int) -> Value {
        switch program.constants[index] {
        case .none: .none
        case .bool(let value): .bool(value)
        case .integer(let value): .integer(value)
        case .whole(let value): .whole(value)
        case .float(let value): .float(value)
        case .text(let bytes): .text(Text(bytes))
        }
    }

    private mutating func values(_ links: Links, _ text: Span<UInt8>) throws(TemplateError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(links.count)
        for link in links.range { values.append(try evaluate(program.links[link], text)) }
        return values
    }

    private mutating func dictionary(
        _ links: Links, at node: NodeID, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let dict = Dict()
        for link in stride(from: links.start, to: links.start + links.count, by: 2) {
            let key = try evaluate(program.links[link], text)
            let value = try evaluate(program.links[link + 1], text)
            current = node
            dict.set(key, try hashed(key, text), value)
        }
        return try checked(dict)
    }

    private mutating func concat(_ links: Links, at node: NodeID, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        let parts = try values(links, text)
        current = node
        let isSafe = style.escapes && parts.contains { $0.isSafe }
        var result: [UInt8] = []
        for part in parts {
            let start = result.count
            try append(part, text, to: &result)
            if isSafe, !part.isSafe {
                result.replaceSubrange(start..., with: PythonText.escaped(Array(result[start...])))
            }
            try charge(grown: result, by: result.count - start)
        }
        return .text(Text(result, isSafe: isSafe))
    }

    /// A call's arguments, evaluated.
    mutating func arguments(_ call: Int, _ text: Span<UInt8>) throws(TemplateError) -> Arguments {
        if call == 0 { return Arguments() }
        let site = program.calls[call]
        var arguments = Arguments()
        for node in site.positional { arguments.positional.append(try evaluate(node, text)) }
        for (name, node) in site.named { arguments.named.append((name, try evaluate(node, text))) }
        return arguments
    }
}

/// What a call was given.
struct Arguments {
    var positional: [Value] = []
    var named: [(name: String, value: Value)] = []

    /// Puts the arguments in the order of the parameters.
    ///
    /// - Throws: when there is one too many or of a strange name.
    func bound(to parameters: [String], of what: String, in run: Run) throws(TemplateError) -> [Value?] {
        guard positional.count <= parameters.count else {
            throw run.failure(
                parameters.isEmpty
                    ? "\(what) takes no arguments"
                    : "\(what) takes at most \(parameters.count) arguments: \(parameters.joined(separator: ", "))")
        }
        var bound = positional.map(Optional.some) + Array(repeating: nil, count: parameters.count - positional.count)
        for (name, value) in named {
            guard let place = parameters.firstIndex(of: name) else {
                let known = parameters.isEmpty ? "takes no arguments" : "takes \(parameters.joined(separator: ", "))"
                throw run.failure("\(what) has no argument '\(name.shortened)'; it \(known)")
            }
            guard bound[place] == nil else { throw run.failure("\(what) is given '\(name)' twice") }
            bound[place] = value
        }
        return bound
    }
}

// MARK: - Attributes and items

extension Run {
    /// A field by its name, as `a.name` asks for it.
    mutating func attribute(
        _ name: [UInt8], of value: Value, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        switch value {
        case .json(let slice, isObject: true):
            return try member(name, of: slice, text).map { self.value(of: $0, text) } ?? .undefined(current)
        case .dict(let dict): return dict.place(of: .text(name)).map { dict.values[$0] } ?? .undefined(current)
        case .namespace(let index):
            let dict = namespaces[index]
            return dict.place(of: .text(name)).map { dict.values[$0] } ?? .undefined(current)
        case .loop(let index): return try loopField(name, loops[index])
        case .undefined(let node):
            if style.chains { return value }
            throw undefined(node)
        default: return .undefined(current)
        }
    }

    private func loopField(_ name: [UInt8], _ loop: LoopState) throws(TemplateError) -> Value {
        let count = loop.items.count
        switch String(decoding: name, as: UTF8.self) {
        case "index": return .integer(loop.index + 1)
        case "index0": return .integer(loop.index)
        case "revindex": return .integer(count - loop.index)
        case "revindex0": return .integer(count - loop.index - 1)
        case "first": return .bool(loop.index == 0)
        case "last": return .bool(loop.index == count - 1)
        case "length": return .integer(count)
        case "depth": return .integer(1)
        case "depth0": return .integer(0)
        case "previtem": return loop.index > 0 ? loop.items[loop.index - 1] : .undefined(-1)
        case "nextitem": return loop.index + 1 < count ? loop.items[loop.index + 1] : .undefined(-1)
        default: return .undefined(current)
        }
    }

    /// An item by its key or number, as `a[key]` asks for it.
    mutating func item(_ key: Value, of value: Value, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        if case .json(let slice, let isObject) = value {
            if isObject, let name = bytes(key, text) {
                return try member(name, of: slice, text).map { self.value(of: $0, text) } ?? .undefined(current)
            }
            return try item(key, of: try opened(value, text), text)
        }
        switch value {
        case .undefined(let node):
            if style.chains { return value }
            throw undefined(node)
        case .dict(let dict):
            if case .list(let list) = key, list.kind != .tuple { return .undefined(current) }
            guard let hashed = try? hashed(key, text), let place = dict.place(of: hashed) else {
                return .undefined(current)
            }
            return dict.values[place]
        case .list(let list) where list.kind == .list || list.kind == .tuple:
            return place(key, in: list.items.count).map { list.items[$0] } ?? .undefined(current)
        case .range(let range):
            return place(key, in: range.count).map { .integer(range[$0]) } ?? .undefined(current)
        case .text, .quoted:
            guard key.index != nil else { return .undefined(current) }
            let bytes = bytes(value, text) ?? []
            try charge(bytes: bytes.count)
            if PythonText.isASCII(bytes) {
                return place(key, in: bytes.count).map { .text([bytes[$0]], isSafe: value.isSafe) }
                    ?? .undefined(current)
            }
            let scalars = PythonText.scalars(bytes)
            return place(key, in: scalars.count).map {
                .text(PythonText.bytes(CollectionOfOne(scalars[$0])), isSafe: value.isSafe)
            } ?? .undefined(current)
        case .loop, .namespace:
            guard let name = bytes(key, text) else { return .undefined(current) }
            return try attribute(name, of: value, text)
        default: return .undefined(current)
        }
    }

    /// The place a number names among so many, counted from the end when it is negative.
    private func place(_ key: Value, in count: Int) -> Int? {
        guard let index = key.index else { return nil }
        let place = index < 0 ? index &+ count : index
        return place >= 0 && place < count ? place : nil
    }

    private mutating func slice(
        of object: NodeID, _ links: Int, at node: NodeID, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let value = try evaluate(object, text)
        var bounds: [Int?] = []
        for link in links..<links + 3 {
            let bound = program.links[link] < 0 ? Value.none : try evaluate(program.links[link], text)
            current = node
            switch bound {
            case .none: bounds.append(nil)
            case .whole(let whole): bounds.append(whole.isNegative ? Int.min / 4 : Int.max / 4)
            default:
                guard let index = bound.index else {
                    throw failure("a slice's bounds are whole numbers, not \(bound.typeName)")
                }
                bounds.append(min(max(index, Int.min / 4), Int.max / 4))
            }
        }
        current = node
        return try slice(value, bounds[0], bounds[1], bounds[2] ?? 1, text)
    }

    private mutating func slice(
        _ value: Value, _ start: Int?, _ stop: Int?, _ step: Int, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        switch try opened(value, text) {
        case .undefined(let node):
            if style.chains { return value }
            throw undefined(node)
        case .text, .quoted:
            let scalars = PythonText.scalars(bytes(value, text) ?? [])
            try charge(1 + scalars.count / 16)
            let places = try places(start, stop, step, in: scalars.count)
            return .text(PythonText.bytes(places.map { scalars[$0] }), isSafe: value.isSafe)
        case .list(let list) where list.kind == .list || list.kind == .tuple:
            let places = try places(start, stop, step, in: list.items.count)
            try charge(places.count)
            return .list(List(places.map { list.items[$0] }, list.kind))
        case .range(let range):
            let places = try places(start, stop, step, in: range.count)
            let (first, next) = (range.start + places.start * range.step, range.step * step)
            return .range(
                ValueRange(
                    start: first, stop: range.start + places.stop * range.step, step: next, count: places.count))
        default: throw failure("\(value.typeName) cannot be sliced")
        }
    }

    private func places(_ start: Int?, _ stop: Int?, _ step: Int, in count: Int) throws(TemplateError) -> Places {
        guard step != 0 else { throw failure("a slice's step is not zero") }
        func clamped(_ bound: Int, _ low: Int, _ high: Int) -> Int {
            min(max(bound < 0 ? bound + count : bound, low), high)
        }
        let (low, high) = step > 0 ? (0, count) : (-1, count - 1)
        let first = start.map { clamped($0, low, high) } ?? (step > 0 ? 0 : count - 1)
        let last = stop.map { clamped($0, low, high) } ?? (step > 0 ? count : -1)
        let span = step > 0 ? last - first : first - last
        return Places(start: first, stop: last, step: step, count: span > 0 ? (span - 1) / abs(step) + 1 : 0)
    }
}

/// The places a slice takes.
private struct Places: Sequence {
    let start, stop, step, count: Int
    func map<T>(_ transform: (Int) -> T) -> [T] { (0..<count).map { transform(start + $0 * step) } }
    func makeIterator() -> StrideTo<Int>.Iterator {
        stride(from: start, to: start + count * step, by: step).makeIterator()
    }
}
