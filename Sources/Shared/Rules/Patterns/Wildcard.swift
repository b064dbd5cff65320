// `*` stands for any text, also none; `\*` and `\\` for the signs themselves. The pieces between are found from the left,
// each as early as it can be, which is enough: a later place of one piece never helps the next. A piece is sought without
// going back in the text (Knuth, Morris, Pratt), so a value costs its length times one, whatever the tenant wrote.

/// A text with holes.
struct Wildcard: Hashable, Sendable {
    /// The texts around the holes, one more than there are holes: the first begins the value, the last ends it.
    let pieces: [[UInt8]]

    /// Why a text is no wildcard.
    struct Fault: Error { let reason: String }

    init(_ text: String) throws(Fault) {
        var pieces: [[UInt8]] = [[]]
        var bytes = Array(text.utf8)[...]
        var isStar = false
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "*"):
                if isStar { throw Fault(reason: "has two '*' side by side; one stands for any text") }
                pieces.append([])
                isStar = true
                continue
            case UInt8(ascii: "\\"):
                guard let escaped = bytes.popFirst(), escaped == UInt8(ascii: "*") || escaped == UInt8(ascii: "\\")
                else { throw Fault(reason: "has a '\\' that is not followed by '*' or '\\'") }
                pieces[pieces.count - 1].append(escaped)
            default: pieces[pieces.count - 1].append(byte)
            }
            isStar = false
        }
        self.pieces = pieces
    }

    /// How many holes it has.
    var holes: Int { pieces.count - 1 }
}

/// Where a piece fits next to itself: how far the search may move when it met something else.
struct PieceTable {
    /// For each length of a beginning of the piece: the length of the longest shorter beginning that also ends it.
    static func make(_ piece: [UInt8]) -> [UInt32] {
        var table = Array(repeating: UInt32(0), count: piece.count)
        var length = 0
        for i in piece.indices.dropFirst() {
            while length > 0, piece[i] != piece[length] { length = Int(table[length - 1]) }
            if piece[i] == piece[length] { length += 1 }
            table[i] = UInt32(length)
        }
        return table
    }
}
