// What a value must have for a test to be worth asking. Tests that are no single values to equal are found through these:
// a wildcard through the text around its holes, `equals-ignore-case` through its letters in small. A key may let through
// more than its test, never less, so what it finds is still tested.

/// How a test is found when it is no single value to equal.
enum EntryKey: Hashable {
    /// Texts that begin or end with these bytes.
    case text([UInt8], EntryPart)
    /// Comparable numbers between these, both included.
    case numbers(UInt64, UInt64)
    /// Addresses of a block.
    case block(AddressBlock)
    /// Every value: no table would tell who meets the test.
    case any
}

/// Which part of a text a key is, and whether it is compared in small letters.
enum EntryPart: Int, CaseIterable {
    case beginning, end, loweredBeginning, loweredEnd

    var isEnd: Bool { self == .end || self == .loweredEnd }
    var isLowered: Bool { self == .loweredBeginning || self == .loweredEnd }
}

extension ValueTest {
    /// What finds the test; `nil` for single values to equal, which are found as they are, and for absence.
    var entry: EntryKey? {
        switch self {
        case .text, .number, .spelling, .bool, .null, .absent: nil
        case .present, .none: .any
        case .begins(let text): .text(text.bytes, .beginning)
        case .ends(let text): .text(text.bytes, .end)
        case .between(let low, let high): .numbers(low.bits, high.bits)
        case .block(let block): .block(block)
        case .wildcard(let wildcard): Self.entry(of: wildcard)
        case .caseless(let text, let part): Self.entry(of: text, part)
        }
    }

    private static func entry(of wildcard: Wildcard) -> EntryKey {
        let (first, last) = (wildcard.pieces[0], wildcard.pieces[wildcard.holes])
        return last.count > first.count ? .text(last, .end) : .text(first, .beginning)
    }

    private static func entry(of text: Caseless, _ part: Part) -> EntryKey {
        let beginning = part == .end ? [] : text.plain(fromEnd: false)
        let end = part == .beginning ? [] : text.plain(fromEnd: true)
        return end.count > beginning.count ? .text(end, .loweredEnd) : .text(beginning, .loweredBeginning)
    }
}

extension Caseless {
    /// The characters at one end that are ASCII or have no case, in small letters.
    fileprivate func plain(fromEnd: Bool) -> [UInt8] {
        if let ascii { return ascii }
        var plain: [UInt8] = []
        var i = 0
        while i < spellings.count {
            let count = Int(spellings[i])
            let first = Array(spellings[(i + 2)..<(i + 2 + Int(spellings[i + 1]))])
            var isASCII = true
            i += 1
            for _ in 0..<count {
                isASCII = isASCII && spellings[i] == 1 && spellings[i + 1] < 0x80
                i += 1 + Int(spellings[i])
            }
            if isASCII || count == 1 {
                plain += first.map(Self.lowered)
            } else if fromEnd {
                plain = []
            } else {
                break
            }
        }
        return plain
    }
}
