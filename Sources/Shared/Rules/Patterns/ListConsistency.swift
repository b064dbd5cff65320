// Lists of objects. Of each list one element has to fit a branch alone: two values that fit two of its leaves may not
// stand in two elements of one list. That is a choice of one element for each list, and is made list by list: the leaves
// whose values stand in one list are a group, and one of the list's elements has to fit all of the group. Lists beside
// each other do not meddle, so nothing is tried twice, and an event costs its values times the leaves, however large its
// lists are.
//
// A leaf that allows absence has it where no value of its path is left within the elements that the leaves before it (in
// the order of paths) chose. So {a: {b: [1], c: [{exists: false}]}} asks for an element with b = 1 and no c.
//
// Only events in which one path leads to one list through two ways ({"a.b": [{…}], "a": {"b": [{…}]}}, members that repeat,
// lists that mix values and lists) need the plain search, whose steps are counted.

/// What a group of leaves is to an element.
private enum Verdict {
    case fits, fails
    /// A path leads to two lists: ask the search.
    case tangled
}

extension PatternMatcher {
    /// The most steps a search takes; beyond, the branch does not fit.
    static let searchLimit = 100_000

    /// Whether values that stand together fit a branch.
    func isConsistent(_ branch: PatternPlan.Branch, _ text: Span<UInt8>, _ scratch: inout MatchScratch) -> Bool {
        for leaf in branch.leaves.range { mark(branchLeaves[leaf], text, &scratch) }
        switch judge(branch.leaves.range, in: 0, isCommitted: false, &scratch) {
        case .fits: return true
        case .fails: return false
        case .tangled:
            scratch.chosen.removeAll(keepingCapacity: true)
            scratch.steps = Self.searchLimit
            return search(branch.leaves.range, &scratch)
        }
    }

    /// Writes down in which frames a leaf's values stand and which of them meet it.
    private func mark(_ leaf: Int32, _ text: Span<UInt8>, _ scratch: inout MatchScratch) {
        guard scratch.marksOfLeaves[Int(leaf)].event != scratch.event else { return }
        let node = leaves[Int(leaf)].node
        let start = scratch.marks.count
        var isSorted = true
        var place = scratch.values[Int(node)].event == scratch.event ? scratch.values[Int(node)].first : -1
        while place >= 0 {
            let frame = scratch.occurrences[Int(place)].frame
            if scratch.marks.count > start, scratch.marks[scratch.marks.count - 1].frame > frame { isSorted = false }
            let isMet = meets(leaf, Int(place), text, &scratch)
            scratch.marks.append(.init(frame: frame, isMet: isMet))
            place = scratch.occurrences[Int(place)].next
        }
        if !isSorted { scratch.marks[start...].sort { $0.frame < $1.frame } }
        scratch.marksOfLeaves[Int(leaf)] = .init(
            event: scratch.event, start: Int32(start), count: Int32(scratch.marks.count - start))
    }
}

// MARK: - List by list

extension PatternMatcher {
    /// Whether leaves fit inside a frame.
    ///
    /// - Parameter isCommitted: the frame was chosen for the first of the leaves, which has to be met inside it.
    private func judge(
        _ group: Range<Int>, in frame: Int32, isCommitted: Bool, _ scratch: inout MatchScratch
    ) -> Verdict {
        var place = group.lowerBound
        while place < group.upperBound {
            let leaf = branchLeaves[place]
            let marks = marks(of: leaf, in: frame, scratch)
            guard let list = list(of: marks, in: frame, scratch) else { return .tangled }
            switch list {
            case -1:
                let isNeeded = isCommitted && place == group.lowerBound
                guard !isNeeded, leaves[Int(leaf)].allowsAbsence else { return .fails }
                place += 1
            case -2:
                guard marks.contains(where: { scratch.marks[$0].isMet }) else { return .fails }
                place += 1
            default:
                guard let rest = rest(of: group, from: place, in: frame, list, scratch) else { return .tangled }
                let verdict = choose(from: marks, place..<rest, in: frame, &scratch)
                guard verdict == .fits else { return verdict }
                place = rest
            }
        }
        return .fits
    }

    /// Where the leaves end that have all their values in the list, or none; `nil` when another follows later.
    private func rest(
        of group: Range<Int>, from place: Int, in frame: Int32, _ list: Int32, _ scratch: MatchScratch
    ) -> Int? {
        var rest = place + 1
        var isBehind = false
        for next in place + 1..<group.upperBound {
            let marks = marks(of: branchLeaves[next], in: frame, scratch)
            guard let other = self.list(of: marks, in: frame, scratch) else { return nil }
            if other == list {
                if isBehind { return nil }
                rest = next + 1
            } else if other != -1 {
                isBehind = true
            }
        }
        return rest
    }

    /// Finds an element, among those in which the first leaf is met, that fits all leaves.
    private func choose(
        from marks: Range<Int>, _ group: Range<Int>, in frame: Int32, _ scratch: inout MatchScratch
    ) -> Verdict {
        var last: Int32 = -1
        for mark in marks where scratch.marks[mark].isMet {
            let element = element(of: scratch.marks[mark].frame, in: frame, scratch)
            guard element != last else { continue }
            last = element
            let verdict = judge(group, in: element, isCommitted: true, &scratch)
            guard verdict == .fails else { return verdict }
        }
        return .fails
    }

    /// A leaf's marks in a frame and in the frames inside it.
    private func marks(of leaf: Int32, in frame: Int32, _ scratch: MatchScratch) -> Range<Int> {
        let extent = scratch.marksOfLeaves[Int(leaf)]
        let (start, end) = (Int(extent.start), Int(extent.start + extent.count))
        guard frame > 0 else { return start..<end }
        func first(from frame: Int32) -> Int {
            var (low, high) = (start, end)
            while low < high {
                let middle = (low + high) / 2
                if scratch.marks[middle].frame < frame { low = middle + 1 } else { high = middle }
            }
            return low
        }
        return first(from: frame)..<first(from: scratch.frames[Int(frame)].end)
    }

    /// The one list of a frame that the marks stand in; -1 without marks, -2 when all stand in the frame itself, `nil`
    /// when they stand in two places.
    private func list(of marks: Range<Int>, in frame: Int32, _ scratch: MatchScratch) -> Int32? {
        guard let first = marks.first, let last = marks.last else { return -1 }
        let frames = (scratch.marks[first].frame, scratch.marks[last].frame)
        if frames.0 == frame { return frames.1 == frame ? -2 : nil }
        let list = scratch.frames[Int(element(of: frames.0, in: frame, scratch))].list
        return scratch.frames[Int(element(of: frames.1, in: frame, scratch))].list == list ? list : nil
    }

    /// The frame directly inside `frame` that `inner` is or stands in.
    private func element(of inner: Int32, in frame: Int32, _ scratch: MatchScratch) -> Int32 {
        var inner = inner
        while scratch.frames[Int(inner)].parent != frame { inner = scratch.frames[Int(inner)].parent }
        return inner
    }
}

// MARK: - Search

extension PatternMatcher {
    /// Tries value by value.
    private func search(_ leaves: Range<Int>, _ scratch: inout MatchScratch) -> Bool {
        guard let place = leaves.first else { return true }
        let leaf = branchLeaves[place]
        let extent = scratch.marksOfLeaves[Int(leaf)]
        var isThere = false
        for mark in Int(extent.start)..<Int(extent.start + extent.count) {
            guard scratch.steps > 0 else { return false }
            scratch.steps -= 1
            let (frame, isMet) = (scratch.marks[mark].frame, scratch.marks[mark].isMet)
            guard isConsistent(frame, scratch) else { continue }
            isThere = true
            guard isMet else { continue }
            scratch.chosen.append(frame)
            if search(place + 1..<leaves.upperBound, &scratch) { return true }
            scratch.chosen.removeLast()
        }
        return !isThere && self.leaves[Int(leaf)].allowsAbsence && search(place + 1..<leaves.upperBound, &scratch)
    }

    /// Whether a frame stands in no other element of a list than the chosen ones.
    private func isConsistent(_ frame: Int32, _ scratch: MatchScratch) -> Bool {
        for other in scratch.chosen {
            var (a, b) = (frame, other)
            var (belowA, belowB): (Int32, Int32) = (-1, -1)
            // A frame's number is larger than its parent's.
            while a != b {
                if a > b {
                    (belowA, a) = (a, scratch.frames[Int(a)].parent)
                } else {
                    (belowB, b) = (b, scratch.frames[Int(b)].parent)
                }
            }
            guard belowA >= 0, belowB >= 0 else { continue }
            if scratch.frames[Int(belowA)].list == scratch.frames[Int(belowB)].list { return false }
        }
        return true
    }
}
