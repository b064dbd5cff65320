/// A small seeded generator: a seed means the same inputs for ever.
struct Seeded {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// A number in `0 ..< count`; 0 when there is none.
    mutating func below(_ count: Int) -> Int {
        count > 0 ? Int(next().multipliedFullWidth(by: UInt64(count)).high) : 0
    }
}

/// Makes inputs out of seeds, as a person would who wants to break things: words of the language in the wrong place,
/// halves of two inputs, a piece a thousand times over, a bit turned.
struct Mutation {
    /// No input is longer.
    static let longest = 1 << 14

    let seeds: [[UInt8]]
    let words: [[UInt8]]
    private var random: Seeded

    init(seeds: [[UInt8]], words: [[UInt8]], seed: UInt64) {
        (self.seeds, self.words, random) = (seeds.isEmpty ? [[]] : seeds, words.isEmpty ? [[0]] : words, Seeded(seed))
    }

    /// The next input.
    mutating func next() -> [UInt8] {
        var input = seeds[random.below(seeds.count)]
        for _ in 0...random.below(5) { change(&input) }
        if input.count > Self.longest { input.removeLast(input.count - Self.longest) }
        return input
    }

    private mutating func change(_ input: inout [UInt8]) {
        switch random.below(10) {
        case 0: turnBit(of: &input)
        case 1: overwrite(&input)
        case 2: input.removeSubrange(piece(of: input))
        case 3, 4: input.insert(contentsOf: words[random.below(words.count)], at: random.below(input.count + 1))
        case 5: replace(&input, words[random.below(words.count)])
        case 6: splice(&input)
        case 7: input.insert(contentsOf: input[piece(of: input)], at: random.below(input.count + 1))
        case 8: repeatPiece(of: &input)
        default: input.removeLast(random.below(input.count + 1))
        }
    }

    private mutating func turnBit(of input: inout [UInt8]) {
        guard !input.isEmpty else { return input.append(0) }
        input[random.below(input.count)] ^= 1 << UInt8(random.below(8))
    }

    private mutating func overwrite(_ input: inout [UInt8]) {
        guard !input.isEmpty else { return }
        input[random.below(input.count)] = UInt8(truncatingIfNeeded: random.next())
    }

    private mutating func replace(_ input: inout [UInt8], _ word: [UInt8]) {
        input.replaceSubrange(piece(of: input), with: word)
    }

    private mutating func splice(_ input: inout [UInt8]) {
        let other = seeds[random.below(seeds.count)]
        input = Array(input[..<random.below(input.count + 1)]) + other[random.below(other.count + 1)...]
    }

    private mutating func repeatPiece(of input: inout [UInt8]) {
        let piece = Array(input[piece(of: input)].prefix(64))
        let times = 1 << random.below(11)
        let room = max(0, Self.longest - input.count)
        let copies = Array(repeatElement(piece, count: times).joined().prefix(room))
        input.insert(contentsOf: copies, at: random.below(input.count + 1))
    }

    /// Mostly a short one.
    private mutating func piece(of input: [UInt8]) -> Range<Int> {
        let start = random.below(input.count + 1)
        let rest = input.count - start
        return start..<(start + min(rest, random.below(random.below(4) == 0 ? rest + 1 : 12)))
    }
}
