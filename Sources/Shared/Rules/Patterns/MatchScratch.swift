/// Memory for matching, kept by whoever matches, so that an event costs no allocation.
///
/// It grows to what the largest rules and events need. Not for two threads at once.
public struct MatchScratch: Sendable {
    /// Which event this is; what carries another number is of an earlier one.
    var event: UInt32 = 0
    /// By node: the values there.
    var values: [Values] = []
    /// All values of the event at tested nodes.
    var occurrences: [Occurrence] = []
    /// The nodes that have values.
    var met: [Int32] = []
    /// The objects and lists that are elements of lists, in their order; the first is the event.
    var frames: [Frame] = []
    var lists: Int32 = 0
    /// Texts and names whose escapes were undone.
    var copies: [UInt8] = []
    /// By leaf: whether it is met, four times the event's number and one of `LeafState`.
    var leaves: [UInt32] = []
    /// By branch: the event in which it was tried.
    var branches: [UInt32] = []
    /// By leaf: where its marks stand.
    var marksOfLeaves: [MarkExtent] = []
    var marks: [Mark] = []
    /// Leaves that the keys of a value lead to.
    var found: [Int32] = []
    /// The frames chosen so far, and how many steps the search may still take.
    var chosen: [Int32] = []
    var steps = 0
    /// The rules that fit.
    var hits: [Int32] = []

    /// Makes an empty one.
    public init() {}

    struct Values: Sendable {
        var event: UInt32 = 0
        var first: Int32 = 0
        var last: Int32 = 0
    }
    struct Frame: Sendable {
        /// The frame around it.
        var parent: Int32
        /// The list it is an element of.
        var list: Int32
        /// The number behind the last frame inside it.
        var end: Int32
    }
    struct MarkExtent: Sendable {
        var event: UInt32 = 0
        var start: Int32 = 0
        var count: Int32 = 0
    }
    /// A value of a leaf's node: in which frame, and whether it meets the leaf.
    struct Mark: Sendable {
        var frame: Int32
        var isMet: Bool
    }

    /// Forgets the last event, and has room for these tables.
    mutating func begin(nodes: Int, leaves leafCount: Int, branches branchCount: Int) {
        if event == 1 << 30 - 1 { forget() }
        event += 1
        if values.count < nodes { values += Array(repeating: Values(), count: nodes - values.count) }
        if leaves.count < leafCount {
            leaves += Array(repeating: 0, count: leafCount - leaves.count)
            marksOfLeaves += Array(repeating: MarkExtent(), count: leafCount - marksOfLeaves.count)
        }
        if branches.count < branchCount { branches += Array(repeating: 0, count: branchCount - branches.count) }
        occurrences.removeAll(keepingCapacity: true)
        met.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
        copies.removeAll(keepingCapacity: true)
        marks.removeAll(keepingCapacity: true)
        lists = 0
        frames.append(Frame(parent: -1, list: -1, end: .max))
    }

    /// Begins to count events anew.
    private mutating func forget() {
        event = 0
        for place in values.indices { values[place].event = 0 }
        for place in leaves.indices { leaves[place] = 0 }
        for place in branches.indices { branches[place] = 0 }
        for place in marksOfLeaves.indices { marksOfLeaves[place].event = 0 }
    }
}

extension MatchScratch {
    /// Appends the rules that fit, in rising order, each once.
    func collect(into hits: inout [Int]) {
        let before = hits.count
        for rule in self.hits { hits.append(Int(rule)) }
        if hits.count > before + 1 { hits.settle(from: before) }
    }
}

extension [Int] {
    /// Sorts the tail in place and leaves of equal numbers one.
    mutating func settle(from start: Int) {
        unsafe withUnsafeMutableBufferPointer { all in
            // The slice stays inside this call.
            var tail = unsafe UnsafeMutableBufferPointer(rebasing: all[start...])
            unsafe tail.sort()
        }
        var kept = start + 1
        for i in (start + 1)..<count where self[i] != self[kept - 1] {
            self[kept] = self[i]
            kept += 1
        }
        removeLast(count - kept)
    }
}

/// A value of the event at a path that some pattern tests.
struct Occurrence: Sendable {
    enum Kind: UInt8, Sendable { case text, number, yes, no, null }
    /// Where it stands: of a text what is between the quotes.
    var start, end: Int32
    /// The object or list it stands in, as far as lists tell objects apart.
    var frame: Int32
    /// The next value at the same path; -1 when there is none.
    var next: Int32 = -1
    /// Its atom; -1 when no pattern names the value, -2 while nobody looked.
    var atom: Int32 = -2
    var kind: Kind
    /// Whether it stands in the scratch's copies and not in the event.
    var isCopy = false
    var reading = Reading.unread
    var bits: UInt64 = 0

    enum Reading: UInt8, Sendable { case unread, comparable, incomparable }

    /// The number, once it was read.
    var number: ComparableNumber? { reading == .comparable ? ComparableNumber(bits: bits) : nil }
}
