import CarillonEvents

// One walk over an event, along the paths that some pattern names; everything else is stepped over as it stands. What is
// met on the way is written down: values at tested paths, and the frames they stand in. A frame is an element of a list
// that is an object or a list itself: values in two elements of one list may not fit a branch together.
//
// Of members with one name all count, as if the field had all their values; so do `{"a.b": …}` and `{"a": {"b": …}}`.

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
            walk(value, at: node, Visit(frame: 0, depth: 1), text, &scratch)
        }
        guard extensions > 0, let event = JSON.value(in: text, at: 0) else { return }
        JSON.members(of: event, in: text) { key, value in
            guard let node = self.node(named: key, below: 0, text, &scratch),
                !attributes.contains(where: { $0.node == node })
            else { return true }
            walk(value, at: node, Visit(frame: 0, depth: 1), text, &scratch)
            return true
        }
    }

    /// Walks the members of an object whose path is a node.
    func walkMembers(
        of object: Slice, at node: Int32, _ visit: Visit, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) {
        guard visit.depth < JSON.maxDepth else { return }
        JSON.members(of: object, in: text) { key, value in
            guard let child = self.node(named: key, below: node, text, &scratch) else { return true }
            walk(value, at: child, Visit(frame: visit.frame, depth: visit.depth + 1), text, &scratch)
            return true
        }
    }

    private func walk(
        _ value: Slice, at node: Int32, _ visit: Visit, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) {
        switch JSON.kind(of: value, in: text) {
        case .object:
            if nodes[Int(node)].children > 0 { walkMembers(of: value, at: node, visit, text, &scratch) }
        case .array: walkElements(of: value, at: node, visit, text, &scratch)
        case .string: note(text: value, at: node, visit.frame, text, &scratch)
        case .number: note(value, .number, at: node, visit.frame, &scratch)
        case .bool:
            let isTrue = text[value.start] == UInt8(ascii: "t")
            note(value, isTrue ? .yes : .no, at: node, visit.frame, &scratch)
        case .null: note(value, .null, at: node, visit.frame, &scratch)
        }
    }

    private func walkElements(
        of array: Slice, at node: Int32, _ visit: Visit, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) {
        guard visit.depth < JSON.maxDepth else { return }
        let list = scratch.lists
        scratch.lists += 1
        JSON.elements(of: array, in: text) { element in
            switch JSON.kind(of: element, in: text) {
            case .object where nodes[Int(node)].children == 0: break
            case .object, .array:
                let frame = Int32(scratch.frames.count)
                scratch.frames.append(.init(parent: visit.frame, list: list, end: 0))
                walk(element, at: node, Visit(frame: frame, depth: visit.depth + 1), text, &scratch)
                scratch.frames[Int(frame)].end = Int32(scratch.frames.count)
            default: walk(element, at: node, visit, text, &scratch)
            }
            return true
        }
    }
}

// MARK: - Names

extension PatternMatcher {
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
        if nodes[Int(node)].lengths & PatternPlan.lengthBit(name.count) != 0,
            let found = names.find(Int(node), name)
        {
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
        text value: Slice, at node: Int32, _ frame: Int32, _ text: Span<UInt8>, _ scratch: inout MatchScratch
    ) {
        guard nodes[Int(node)].isTested else { return }
        if let plain = JSON.plain(value, in: text) { return note(plain, .text, at: node, frame, &scratch) }
        let start = scratch.copies.count
        guard JSON.unescape(value, in: text, into: &scratch.copies) else { return }
        note(Slice(start, scratch.copies.count), .text, at: node, frame, &scratch)
        scratch.occurrences[scratch.occurrences.count - 1].isCopy = true
    }

    private func note(
        _ value: Slice, _ kind: Occurrence.Kind, at node: Int32, _ frame: Int32, _ scratch: inout MatchScratch
    ) {
        guard nodes[Int(node)].isTested else { return }
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
