import CarillonEvents

// Which rules want a type. Exact types are one hash lookup; patterns of segments are a trie of their own, walked along
// the type's segments, so that neither costs more with more rules.

/// An index from event types to what was filed under the selectors that want them.
struct TypeIndex: Sendable {
    private var exact = ByteTable()
    /// (node, literal segment) → node; the `*` has an edge of its own.
    private var edges = ByteTable()
    private var nodes: [Node] = [Node()]
    /// How many files there are: their numbers are 0 ..< count.
    private(set) var count = 0
    /// The exact types with their files.
    private(set) var exactTypes: [(type: String, file: Int)] = []
    /// Files of exact types that hold what the patterns want as well, so that these need not be asked.
    private var complete: [Bool] = []

    private struct Node: Sendable {
        var star = -1
        /// What is filed under the pattern that ends here.
        var file = -1
    }

    /// The numbers of the files a selector's rules belong in, new ones made where there is none.
    mutating func files(for selector: EventSelector) -> [Int] {
        guard let types = selector.types else { return [file(ofPattern: selector.text)] }
        return types.map { type in
            let key = Array(type.utf8)
            if let file = exact.find(0, key.span) { return file }
            exact.insert(0, key, count)
            exactTypes.append((type, count))
            count += 1
            return count - 1
        }
    }

    private mutating func file(ofPattern text: String) -> Int {
        var node = 0
        for segment in text.split(separator: ".", omittingEmptySubsequences: false) {
            node = segment == "*" ? star(below: node) : edge(Array(segment.utf8), below: node)
        }
        if nodes[node].file < 0 {
            nodes[node].file = count
            count += 1
        }
        return nodes[node].file
    }

    private mutating func star(below node: Int) -> Int {
        if nodes[node].star < 0 {
            nodes[node].star = nodes.count
            nodes.append(Node())
        }
        return nodes[node].star
    }

    private mutating func edge(_ segment: [UInt8], below node: Int) -> Int {
        if let next = edges.find(node, segment.span) { return next }
        edges.insert(node, segment, nodes.count)
        nodes.append(Node())
        return nodes.count - 1
    }

    /// Visits the numbers of the files whose selectors want the type; stops when `body` returns false.
    ///
    /// Allocates nothing.
    func visit(_ type: Span<UInt8>, _ body: (Int) -> Bool) {
        if let file = exact.find(0, type), !body(file) || (file < complete.count && complete[file]) { return }
        visitPatterns(type, body)
    }

    /// Visits the files of patterns only.
    func visitPatterns(_ type: Span<UInt8>, _ body: (Int) -> Bool) {
        if nodes.count > 1 { _ = walk(type, from: 0, at: 0, body) }
    }

    /// Says that the file of an exact type holds what the patterns want of that type, too.
    mutating func completed(_ file: Int) {
        complete += Array(repeating: false, count: max(0, file + 1 - complete.count))
        complete[file] = true
    }

    /// Follows the segments from offset `start`; false when `body` has had enough.
    ///
    /// As deep as the longest pattern.
    private func walk(_ type: Span<UInt8>, from start: Int, at node: Int, _ body: (Int) -> Bool) -> Bool {
        guard start <= type.count else { return nodes[node].file < 0 || body(nodes[node].file) }
        var end = start
        while end < type.count, type[end] != UInt8(ascii: ".") { end += 1 }
        guard end > start else { return true }
        if nodes[node].star >= 0, !walk(type, from: end + 1, at: nodes[node].star, body) { return false }
        if let next = edges.find(node, type.extracting(start..<end)) {
            return walk(type, from: end + 1, at: next, body)
        }
        return true
    }
}
