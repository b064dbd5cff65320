import CarillonEvents

// One walk over an event, along the paths that some pattern names; everything else is stepped over as it stands. What is
// met on the way is written down: values at tested paths, and the frames they stand in. A frame is an element of a list
// that is an object or a list itself: values in two elements of one list may not fit a branch together.
//
// Of members with one name all count, as if the field had all their values; so do `{"a.b": …}` and `{"a": {"b": …}}`.

/// What a name has that has to be looked at.
private enum NameSigns { case none, points, escapes }

/// Where a walk is.
struct Visit {
    /// The frame.
    var frame: Int32
    /// How many objects and lists are around it.
    var depth: Int
}

extension PatternMatcher {
    /// Walks a CloudEvent: its attributes stand in the outline.
    func walk(_ text: Span<UInt8>, _ outline: EventOutline, _ scratch: inout MatchScratch) {
        for (attribute, node) in attributes {
            guard let value = outline[attribute] else { continue }
            _ = walk(value.start, at: node, Visit(frame: 0, depth: 1), text, &scratch)
        }
        guard extensions > 0, let event = JSON.value(in: text, at: 0) else { return }
        JSON.members(of: event, in: text) { key, value in
            guard let node = self.node(named: key, below: 0, text, &scratch),
                !attributes.contains(where: { $0.node == node })
            else { return true }
            _ = walk(value.start, at: node, Visit(frame: 0, depth: 1), text, &scratch)
            return true
        }
    }

    /// Walks any JSON object; does nothing when it is none.
    func walk(_ text: Span<UInt8>, _ scratch: inout MatchScratch) {
        let start = text.behindSpace(0)
        guard start < text.count, text[start] == UInt8(ascii: "{") else { return }
        _ = walk(start, at: 0, Visit(frame: 0, depth: 0), text, &scratch)
    }

    /// Walks the value that begins at `start` and whose path is a node.
    ///
    /// - Returns: the offset behind it; `nil` where the text is not what it should be.
    private func walk(
        _ start: Int, at node: Int32, _ visit: Visit, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) -> Int? {
        switch text[start] {
        case UInt8(ascii: "{") where nodes[Int(node)].children > 0 && visit.depth < JSON.maxDepth:
            return walkMembers(start, at: node, visit, text, &scratch)
        case UInt8(ascii: "[") where visit.depth < JSON.maxDepth:
            return walkElements(start, at: node, visit, text, &scratch)
        default: break
        }
        guard let value = JSON.value(in: text, at: start) else { return nil }
        if nodes[Int(node)].isTested { note(value, at: node, visit.frame, text, &scratch) }
        return value.end
    }

    private func walkMembers(
        _ start: Int, at node: Int32, _ visit: Visit, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) -> Int? {
        var i = text.behindSpace(start + 1)
        if i < text.count, text[i] == UInt8(ascii: "}") { return i + 1 }
        while i < text.count, text[i] == UInt8(ascii: "\"") {
            guard let (key, signs) = text.name(i) else { return nil }
            i = text.behindSpace(key.end)
            guard i < text.count, text[i] == UInt8(ascii: ":") else { return nil }
            i = text.behindSpace(i + 1)
            guard i < text.count else { return nil }
            if let child = child(named: key, signs, below: node, text, &scratch) {
                let inner = Visit(frame: visit.frame, depth: visit.depth + 1)
                guard let end = walk(i, at: child, inner, text, &scratch) else { return nil }
                i = end
            } else {
                guard let end = JSON.value(in: text, at: i)?.end else { return nil }
                i = end
            }
            i = text.behindSpace(i)
            guard i < text.count, text[i] == UInt8(ascii: ",") else { break }
            i = text.behindSpace(i + 1)
        }
        return i < text.count && text[i] == UInt8(ascii: "}") ? i + 1 : nil
    }

    private func walkElements(
        _ start: Int, at node: Int32, _ visit: Visit, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) -> Int? {
        let list = scratch.lists
        scratch.lists += 1
        var i = text.behindSpace(start + 1)
        if i < text.count, text[i] == UInt8(ascii: "]") { return i + 1 }
        while i < text.count {
            guard let end = walkElement(i, at: node, list, visit, text, &scratch) else { return nil }
            i = text.behindSpace(end)
            guard i < text.count, text[i] == UInt8(ascii: ",") else { break }
            i = text.behindSpace(i + 1)
        }
        return i < text.count && text[i] == UInt8(ascii: "]") ? i + 1 : nil
    }

    private func walkElement(
        _ start: Int, at node: Int32, _ list: Int32, _ visit: Visit, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) -> Int? {
        let isObject = text[start] == UInt8(ascii: "{")
        guard isObject ? nodes[Int(node)].children > 0 : text[start] == UInt8(ascii: "[") else {
            return walk(start, at: node, visit, text, &scratch)
        }
        let frame = Int32(scratch.frames.count)
        scratch.frames.append(.init(parent: visit.frame, list: list, end: 0))
        let end = walk(start, at: node, Visit(frame: frame, depth: visit.depth + 1), text, &scratch)
        scratch.frames[Int(frame)].end = Int32(scratch.frames.count)
        return end
    }
}

extension Span<UInt8> {
    /// The name whose opening quote is at `start`, with its quotes.
    ///
    /// Most names end within eight bytes: one look at these, then byte by byte.
    @inline(__always)
    fileprivate func name(_ start: Int) -> (name: Slice, signs: NameSigns)? {
        if let end = JSON.shortNameEnd(self, start) { return (Slice(start, end), .none) }
        var i = start + 1
        var signs = NameSigns.none
        while i < count {
            let byte = self[i]
            if byte == UInt8(ascii: "\"") { return (Slice(start, i + 1), signs) }
            if byte == UInt8(ascii: "\\") { return JSON.value(in: self, at: start).map { ($0, .escapes) } }
            if byte == UInt8(ascii: ".") { signs = .points }
            i += 1
        }
        return nil
    }

    /// The offset of the first byte from `start` that is no white space.
    @inline(__always)
    fileprivate func behindSpace(_ start: Int) -> Int {
        var i = start
        while i < count, self[i] <= 0x20, self[i] == 0x20 || self[i] == 0x0a || self[i] == 0x0d || self[i] == 0x09 {
            i += 1
        }
        return i
    }
}

// MARK: - Names

extension PatternMatcher {
    /// The node of a member below another node; `nil` when no pattern names it.
    @inline(__always)
    private func child(
        named key: Slice, _ signs: NameSigns, below node: Int32, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) -> Int32? {
        switch signs {
        case .none where nodes[Int(node)].names & PatternPlan.bit(key.count - 2, text[key.start + 1]) == 0: nil
        case .none, .points: self.node(text.extracting(key.start + 1..<key.end - 1), below: node)
        case .escapes: self.node(named: key, below: node, text, &scratch)
        }
    }

    /// The node of a member below another node; `nil` when no pattern names it.
    private func node(
        named key: Slice, below node: Int32, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) -> Int32? {
        if let plain = JSON.plain(key, in: text) { return self.node(text.extracting(plain.range), below: node) }
        let start = scratch.copies.count
        guard JSON.unescape(key, in: text, into: &scratch.copies) else { return nil }
        let found = self.node(scratch.copies.span.extracting(start..<scratch.copies.count), below: node)
        scratch.copies.removeLast(scratch.copies.count - start)
        return found
    }

    private func node(_ name: Span<UInt8>, below node: Int32) -> Int32? {
        let first = name.isEmpty ? UInt8(ascii: "\"") : name[0]
        if nodes[Int(node)].names & PatternPlan.bit(name.count, first) != 0, let found = names.find(Int(node), name) {
            return Int32(found)
        }
        // No name of a pattern has a point: these were split.
        var (node, start) = (node, 0)
        for i in name.indices where name[i] == UInt8(ascii: ".") {
            guard let next = names.find(Int(node), name.extracting(start..<i)) else { return nil }
            (node, start) = (Int32(next), i + 1)
        }
        return start == 0 ? nil : names.find(Int(node), name.extracting(start..<name.count)).map { Int32($0) }
    }
}

// MARK: - Values

extension PatternMatcher {
    private func note(
        _ value: Slice, at node: Int32, _ frame: Int32, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) {
        switch text[value.start] {
        case UInt8(ascii: "\""):
            if let plain = JSON.plain(value, in: text) { return note(plain, .text, at: node, frame, &scratch) }
            let start = scratch.copies.count
            guard JSON.unescape(value, in: text, into: &scratch.copies) else { return }
            note(Slice(start, scratch.copies.count), .text, at: node, frame, &scratch)
            scratch.occurrences[scratch.occurrences.count - 1].isCopy = true
        case UInt8(ascii: "t"): note(value, .yes, at: node, frame, &scratch)
        case UInt8(ascii: "f"): note(value, .no, at: node, frame, &scratch)
        case UInt8(ascii: "n"): note(value, .null, at: node, frame, &scratch)
        case UInt8(ascii: "{"), UInt8(ascii: "["): break
        default: note(value, .number, at: node, frame, &scratch)
        }
    }

    private func note(
        _ value: Slice, _ kind: Occurrence.Kind, at node: Int32, _ frame: Int32, _ scratch: inout MatchScratch
    ) {
        let place = Int32(scratch.occurrences.count)
        scratch.occurrences.append(
            Occurrence(start: Int32(value.start), end: Int32(value.end), frame: frame, kind: kind))
        if scratch.values[Int(node)].event == scratch.event {
            scratch.occurrences[Int(scratch.values[Int(node)].last)].next = place
            scratch.values[Int(node)].last = place
        } else {
            scratch.values[Int(node)] = .init(event: scratch.event, first: place, last: place)
            scratch.met.append(node)
        }
    }
}

extension EventOutline {
    /// Where an attribute stands; `nil` when the event lacks it.
    subscript(_ attribute: EventAttribute) -> Slice? {
        switch attribute {
        case .id: id
        case .source: source
        case .type: type
        case .workspace: workspace
        case .subject: subject
        case .time: time
        case .data: data
        }
    }
}
