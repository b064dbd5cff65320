import CarillonEvents

// Filters that visit, order and choose.

extension Run {
    /// `nil` for a filter of another kind.
    mutating func applyToList(
        _ filter: Filter, _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value? {
        switch filter {
        case .min: return try extreme(value, bound, isLeast: true, text)
        case .max: return try extreme(value, bound, isLeast: false, text)
        case .sort: return try sorted(value, bound, text)
        case .dictsort: return try dictSorted(value, bound, text)
        case .unique: return try unique(value, bound, text)
        case .sum: return try sum(value, bound, text)
        case .batch: return try batches(value, bound, text)
        case .slice: return try slices(value, bound, text)
        case .groupby: return try groups(value, bound, text)
        default: return nil
        }
    }

    /// How many elements or characters.
    mutating func length(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> Int {
        switch value {
        case .undefined: return 0
        case .text(let text): return PythonText.count(text.bytes)
        case .quoted(let slice):
            try charge(slice.count / 64)
            var count = 0
            for i in slice.range where text[i] & 0xC0 != 0x80 { count += 1 }
            return count
        case .list(let list): return list.items.count
        case .dict(let dict): return dict.count
        case .range(let range): return range.count
        case .loop(let number): return loops[number].items.count
        case .json(let slice, let isObject):
            if isObject { return try length(try opened(value, text), text) }
            try charge(1 + slice.count / 64)
            var count = 0
            JSON.elements(of: slice, in: text) { _ in
                count += 1
                return true
            }
            return count
        case .iterator: throw failure("what is read once has no length; write '| list | length'")
        default: throw failure("\(value.typeName) has no length")
        }
    }

    mutating func first(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        if case .iterator(let iterator) = value { return try iterator.pop() ?? .undefined(-1) }
        return try elements(value, text).first ?? .undefined(-1)
    }

    mutating func last(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        if case .iterator = value { throw failure("what is read once has no last element; write '| list | last'") }
        guard let last = try elements(value, text).last else { return .undefined(-1) }
        if value.isSafe, case .text(let text) = last { return .text(Text(text.bytes, isSafe: true)) }
        return last
    }

    mutating func reversed(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        if let bytes = bytes(value, text) {
            try charge(bytes: bytes.count * 2)
            return .text(Text(PythonText.bytes(PythonText.scalars(bytes).reversed()), isSafe: value.isSafe))
        }
        let items: [Value] = try elements(value, text).reversed()
        if case .iterator = value { return .list(List(items)) }
        return .iterator(ValueIterator(items))
    }

    mutating func itemPairs(_ value: Value, _ text: Span<UInt8>) throws(TemplateError) -> Value {
        switch try opened(value, text) {
        case .undefined: return .iterator(ValueIterator([]))
        case .dict(let dict):
            guard case .list(let list) = try pairs(of: dict, .list) else { return .undefined(-1) }
            return .iterator(ValueIterator(list.items))
        default: throw failure("'items' is for mappings, not \(value.typeName)")
        }
    }
}

// MARK: - Ordering

extension Run {
    /// What an element is ordered by: a field of it when one is named, strings in small letters unless case counts.
    private mutating func key(
        _ item: Value, _ attribute: Value?, caseCounts: Bool, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let found = try attribute.map { (path) throws(TemplateError) in try self.path(path, of: item, text) } ?? item
        guard !caseCounts, found.isString else { return found }
        let bytes = bytes(found, text) ?? []
        try charge(1 + bytes.count / 32)
        return .text(Text(PythonText.lower(bytes)))
    }

    private mutating func extreme(
        _ value: Value, _ bound: [Value?], isLeast: Bool, _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let items = try elements(value, text)
        guard var best = items.first else { return .undefined(-1) }
        let (caseCounts, attribute) = (try flag(bound[0], text), Self.given(bound[1]))
        var bestKey = try key(best, attribute, caseCounts: caseCounts, text)
        for item in items.dropFirst() {
            try charge(1)
            let key = try key(item, attribute, caseCounts: caseCounts, text)
            let isBetter = try isLeast ? isLess(key, bestKey, text) : holds(.greater, key, bestKey, text)
            if isBetter { (best, bestKey) = (item, key) }
        }
        return best
    }

    private mutating func sorted(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let items = try elements(value, text)
        let (caseCounts, attribute) = (try flag(bound[1], text), Self.given(bound[2]))
        var keys: [Value] = []
        for item in items {
            keys.append(.list(List(try sortKeys(item, attribute, caseCounts: caseCounts, text), .list)))
        }
        let places = try order(keys, reverse: try flag(bound[0], text), text)
        return .list(List(places.map { items[$0] }))
    }

    /// One key for each attribute named with commas between.
    private mutating func sortKeys(
        _ item: Value, _ attribute: Value?, caseCounts: Bool, _ text: Span<UInt8>
    ) throws(TemplateError) -> [Value] {
        guard let attribute, let names = bytes(attribute, text) else {
            return [try key(item, attribute, caseCounts: caseCounts, text)]
        }
        var keys: [Value] = []
        for name in names.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            keys.append(try key(item, .text(Array(name)), caseCounts: caseCounts, text))
        }
        return keys
    }

    private mutating func dictSorted(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard case .dict(let dict) = try opened(value, text) else {
            throw failure("'dictsort' is for mappings, not \(value.typeName)")
        }
        let by = bound[1].map { bytes($0, text) ?? [] } ?? Array("key".utf8)
        guard by == Array("key".utf8) || by == Array("value".utf8) else {
            throw failure("'dictsort' sorts by 'key' or by 'value'")
        }
        let caseCounts = try flag(bound[0], text)
        var keys: [Value] = []
        for item in by == Array("key".utf8) ? dict.keys : dict.values {
            keys.append(try key(item, nil, caseCounts: caseCounts, text))
        }
        let places = try order(keys, reverse: try flag(bound[2], text), text)
        return try list(places.map { .list(List([dict.keys[$0], dict.values[$0]], .tuple)) })
    }

    /// The places of the keys in their order; equal keys keep theirs, also in reverse.
    private mutating func order(
        _ keys: [Value], reverse: Bool, _ text: Span<UInt8>
    ) throws(TemplateError) -> [Int] {
        var places = Array(keys.indices)
        var merged = places
        var width = 1
        while width < places.count {
            try charge(places.count)
            for start in stride(from: 0, to: places.count, by: width * 2) {
                var (i, j, k) = (start, min(start + width, places.count), start)
                let (middle, end) = (j, min(start + width * 2, places.count))
                while i < middle || j < end {
                    let takesRight: Bool
                    if i < middle, j < end {
                        let (a, b) = (keys[places[i]], keys[places[j]])
                        takesRight = try reverse ? isLess(a, b, text) : isLess(b, a, text)
                        try charge(1)
                    } else {
                        takesRight = i >= middle
                    }
                    merged[k] = takesRight ? places[j] : places[i]
                    if takesRight { j += 1 } else { i += 1 }
                    k += 1
                }
            }
            swap(&places, &merged)
            width *= 2
        }
        return places
    }
}

// MARK: - Choosing and grouping

extension Run {
    private mutating func unique(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        let (caseCounts, attribute) = (try flag(bound[0], text), Self.given(bound[1]))
        var seen: Set<DictKey> = []
        return try made(from: value, text) { (run, item) throws(TemplateError) in
            let key = try run.key(item, attribute, caseCounts: caseCounts, text)
            return seen.insert(try run.hashed(key, text)).inserted ? item : nil
        }
    }

    private mutating func sum(_ value: Value, _ bound: [Value?], _ text: Span<UInt8>) throws(TemplateError) -> Value {
        var sum = bound[1] ?? .integer(0)
        if sum.isString { throw failure("'sum' is not for strings; write '| join'") }
        for item in try elements(value, text) {
            let term = try Self.given(bound[0]).map { (path) throws(TemplateError) in
                try self.path(path, of: item, text)
            }
            sum = try arithmetic(.add, sum, term ?? item, text)
            try charge(1)
        }
        return sum
    }

    private mutating func batches(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard let given = bound[0] else { throw failure("'batch' takes how many elements a batch has") }
        let count = try number(given, or: 1, "the size of a batch")
        let filler = Self.given(bound[1])
        var batches: [[Value]] = []
        for item in try elements(value, text) {
            if batches.isEmpty || batches[batches.count - 1].count == count { batches.append([]) }
            batches[batches.count - 1].append(item)
        }
        if let filler, let last = batches.last, last.count < count {
            try charge(min(count, fuel + 1))
            batches[batches.count - 1] += Array(repeating: filler, count: count - last.count)
        }
        return .iterator(ValueIterator(batches.map { .list(List($0)) }))
    }

    private mutating func slices(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard let given = bound[0] else { throw failure("'slice' takes how many slices to cut") }
        let count = try number(given, or: 1, "the number of slices")
        guard count != 0 else { throw failure("'slice' cuts at least one slice") }
        let items = try elements(value, text)
        try charge(max(0, min(count, fuel + 1)))
        let (size, longer) = items.count.quotientAndRemainder(dividingBy: max(count, 1))
        var slices: [Value] = []
        var start = 0
        for number in 0..<max(0, count) {
            let end = start + size + (number < longer ? 1 : 0)
            var slice = Array(items[start..<end])
            if let filler = Self.given(bound[1]), number >= longer { slice.append(filler) }
            slices.append(.list(List(slice)))
            start = end
        }
        return .iterator(ValueIterator(slices))
    }

    private mutating func groups(
        _ value: Value, _ bound: [Value?], _ text: Span<UInt8>
    ) throws(TemplateError) -> Value {
        guard let attribute = bound[0] else { throw failure("'groupby' takes the attribute to group by") }
        let caseCounts = try flag(bound[2], text)
        let items = try elements(value, text)
        var keys: [Value] = []
        for item in items {
            let found = try path(attribute, of: item, or: Self.given(bound[1]), text)
            keys.append(try key(found, nil, caseCounts: caseCounts, text))
        }
        var groups: [(key: Int, members: [Value])] = []
        for place in try order(keys, reverse: false, text) {
            if let last = groups.last, try areEqual(keys[last.key], keys[place], text) {
                groups[groups.count - 1].members.append(items[place])
            } else {
                groups.append((place, [items[place]]))
            }
        }
        var results: [Value] = []
        for group in groups {
            let key = try path(attribute, of: group.members[0], or: Self.given(bound[1]), text)
            results.append(.list(List([caseCounts ? keys[group.key] : key, .list(List(group.members))], .tuple)))
        }
        return try list(results)
    }
}
