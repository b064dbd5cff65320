// The tests of all leaves as words in one table: an operation, how many words belong to it, and those words. What a value
// is compared with lies in a second table, of bytes. Nothing is counted or copied when a value is tested.

/// Tests in a form that is run.
struct TestCode: Sendable {
    enum Operation: UInt32 {
        /// Is one of these atoms, in rising order.
        case atoms
        /// Meets none of the tests inside.
        case neither
        case begins, ends
        /// ASCII in any case: whole, beginning, end; then the same for other text.
        case sameLowered, beginsLowered, endsLowered, sameCaseless, beginsCaseless, endsCaseless
        /// For each piece: start and count of its bytes, and where its moves start.
        case wildcard
        /// Two comparable numbers, both included, low words first.
        case between
        /// Family, length, and the address as four words.
        case block
        case present
    }
    private(set) var words: [UInt32] = []
    private(set) var bytes: [UInt8] = []
    /// How far a search may move, for each piece of a wildcard between two holes.
    private(set) var moves: [UInt32] = []
}

// MARK: - Writing

extension TestCode {
    /// Appends tests of which one has to be met; `atom` numbers those that are single values.
    mutating func append(_ tests: [ValueTest], _ atom: (ValueTest) -> Int32?) {
        let atoms = tests.compactMap(atom).sorted()
        if !atoms.isEmpty { append(.atoms) { code in code.words += atoms.map { UInt32($0) } } }
        for test in tests { append(test, atom) }
    }

    private mutating func append(_ test: ValueTest, _ atom: (ValueTest) -> Int32?) {
        switch test {
        case .text, .number, .spelling, .bool, .null, .absent: break
        case .begins(let text): append(.begins) { $0.append(bytes: text.bytes) }
        case .ends(let text): append(.ends) { $0.append(bytes: text.bytes) }
        case .caseless(let text, let part): append(text, part)
        case .wildcard(let wildcard): append(wildcard)
        case .between(let low, let high):
            append(.between) { code in
                for bits in [low.bits, high.bits] {
                    code.words += [UInt32(truncatingIfNeeded: bits), UInt32(truncatingIfNeeded: bits >> 32)]
                }
            }
        case .block(let block):
            append(.block) { code in
                code.words += [UInt32(block.family.rawValue), UInt32(block.length)]
                for part in 0..<4 { code.words.append(UInt32(truncatingIfNeeded: block.value >> UInt128(32 * part))) }
            }
        case .present: append(.present) { _ in }
        case .none(let tests): append(.neither) { $0.append(tests, atom) }
        }
    }

    private mutating func append(_ operation: Operation, _ body: (inout TestCode) -> Void) {
        let place = words.count
        words.append(operation.rawValue)
        body(&self)
        words[place] |= UInt32(words.count - place - 1) << 8
    }

    private mutating func append(bytes more: [UInt8]) {
        words += [UInt32(bytes.count), UInt32(more.count)]
        bytes += more
    }

    private mutating func append(_ text: Caseless, _ part: ValueTest.Part) {
        let operation: Operation =
            switch part {
            case .whole: text.ascii != nil ? .sameLowered : .sameCaseless
            case .beginning: text.ascii != nil ? .beginsLowered : .beginsCaseless
            case .end: text.ascii != nil ? .endsLowered : .endsCaseless
            }
        append(operation) { $0.append(bytes: text.ascii ?? text.spellings) }
    }

    private mutating func append(_ wildcard: Wildcard) {
        append(.wildcard) { code in
            for (place, piece) in wildcard.pieces.enumerated() {
                code.append(bytes: piece)
                code.words.append(UInt32(code.moves.count))
                if place > 0, place < wildcard.pieces.count - 1 { code.moves += PieceTable.make(piece) }
            }
        }
    }
}

// MARK: - Running

extension TestCode {
    /// Whether a value meets one of the tests in a part of the words.
    ///
    /// - Parameters:
    ///   - text: the text without quotes.
    ///   - atom: the value's atom; -1 when no pattern names it.
    ///   - number: the number, when it is one that can be compared.
    func meets(
        _ range: Range<Int>, _ kind: Occurrence.Kind, _ text: Span<UInt8>, _ atom: Int32, _ number: ComparableNumber?
    ) -> Bool {
        var i = range.lowerBound
        while i < range.upperBound {
            let arguments = i + 1..<i + 1 + Int(words[i] >> 8)
            i = arguments.upperBound
            switch Operation(rawValue: words[arguments.lowerBound - 1] & 0xff) {
            case .atoms: if atom >= 0, holds(UInt32(atom), in: arguments) { return true }
            case .neither: if !meets(arguments, kind, text, atom, number) { return true }
            case .present: return true
            case .between: if let number, isBetween(number, arguments) { return true }
            case let operation?: if kind == .text, meets(operation, arguments, text) { return true }
            case nil: return false
            }
        }
        return false
    }

    private func holds(_ atom: UInt32, in range: Range<Int>) -> Bool {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if words[middle] == atom { return true }
            if words[middle] < atom { low = middle + 1 } else { high = middle }
        }
        return false
    }

    private func isBetween(_ number: ComparableNumber, _ arguments: Range<Int>) -> Bool {
        func bits(_ place: Int) -> UInt64 {
            UInt64(words[arguments.lowerBound + place]) | UInt64(words[arguments.lowerBound + place + 1]) << 32
        }
        return bits(0) <= number.bits && number.bits <= bits(2)
    }

    private func meets(_ operation: Operation, _ arguments: Range<Int>, _ text: Span<UInt8>) -> Bool {
        let first = arguments.lowerBound
        switch operation {
        case .wildcard: return meetsWildcard(arguments, text)
        case .block: return IPAddress(text).map(block(first).contains) ?? false
        default: break
        }
        let wanted = bytes.span.extracting(piece(first))
        switch operation {
        case .begins: return text.begins(with: wanted)
        case .ends: return text.ends(with: wanted)
        case .sameLowered: return text.equalsLowered(wanted)
        case .beginsLowered:
            return text.count >= wanted.count && text.extracting(first: wanted.count).equalsLowered(wanted)
        case .endsLowered:
            return text.count >= wanted.count && text.extracting(last: wanted.count).equalsLowered(wanted)
        case .sameCaseless: return Caseless.end(of: wanted, in: text, from: 0) == text.count
        case .beginsCaseless: return Caseless.end(of: wanted, in: text, from: 0) != nil
        case .endsCaseless: return Caseless.isEnd(wanted, of: text)
        default: return false
        }
    }

    private func piece(_ place: Int) -> Range<Int> {
        let start = Int(words[place])
        return start..<start + Int(words[place + 1])
    }

    private func block(_ place: Int) -> AddressBlock {
        var value: UInt128 = 0
        for part in 0..<4 { value |= UInt128(words[place + 2 + part]) << UInt128(32 * part) }
        return AddressBlock(words[place] == 32 ? .v4 : .v6, Int(words[place + 1]), value)
    }
}

// MARK: - Wildcards

extension TestCode {
    private func meetsWildcard(_ arguments: Range<Int>, _ text: Span<UInt8>) -> Bool {
        let first = bytes.span.extracting(piece(arguments.lowerBound))
        let count = arguments.count / 3
        if count == 1 { return text.equals(first) }
        let last = bytes.span.extracting(piece(arguments.upperBound - 3))
        guard text.count >= first.count + last.count, text.begins(with: first), text.ends(with: last) else {
            return false
        }
        var start = first.count
        let end = text.count - last.count
        for place in stride(from: arguments.lowerBound + 3, to: arguments.upperBound - 3, by: 3) {
            guard let behind = find(place, in: text, start, end) else { return false }
            start = behind
        }
        return true
    }

    /// Where the first occurrence of a piece between two offsets ends.
    private func find(_ place: Int, in text: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
        let wanted = bytes.span.extracting(piece(place))
        let moves = Int(words[place + 2])
        var length = 0
        var i = start
        while i < end {
            while length > 0, text[i] != wanted[length] { length = Int(self.moves[moves + length - 1]) }
            if text[i] == wanted[length] { length += 1 }
            i += 1
            if length == wanted.count { return i }
        }
        return nil
    }
}

extension Span<UInt8> {
    /// Whether the first bytes are these.
    @inline(__always)
    func begins(with other: Span<UInt8>) -> Bool {
        guard count >= other.count else { return false }
        for i in 0..<other.count where self[i] != other[i] { return false }
        return true
    }

    /// Whether the last bytes are these.
    @inline(__always)
    func ends(with other: Span<UInt8>) -> Bool {
        let start = count - other.count
        guard start >= 0 else { return false }
        for i in 0..<other.count where self[start + i] != other[i] { return false }
        return true
    }
}
