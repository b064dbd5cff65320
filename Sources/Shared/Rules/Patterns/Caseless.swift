// Text whatever its case: each character of the pattern stands for itself, its lower and its upper case, as Unicode's full
// mappings have them (`ß` is also `SS`, `ⱥ` has two bytes more than `Ⱥ`). That is what event-ruler does, but for all of
// Unicode and not only for its first plane. It reads from the pattern: `straße` fits `STRASSE`, `strasse` does not fit
// `Straße`.

/// A text to be met in any case.
struct Caseless: Hashable, Sendable {
    /// The text in small letters where it is ASCII: then only ASCII can equal it.
    let ascii: [UInt8]?
    /// Otherwise for each character how many spellings it has, and each with its length before it.
    let spellings: [UInt8]

    init(_ text: String) {
        guard !text.utf8.allSatisfy({ $0 < 0x80 }) else {
            (ascii, spellings) = (text.utf8.map(Self.lowered), [])
            return
        }
        var spellings: [UInt8] = []
        for scalar in text.unicodeScalars {
            let all = Set(
                [String(scalar), scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping].map {
                    Array($0.utf8)
                })
            spellings.append(UInt8(all.count))
            for one in all.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                spellings.append(UInt8(one.count))
                spellings += one
            }
        }
        (ascii, self.spellings) = (nil, spellings)
    }

    /// The small letter of an ASCII capital; every other byte as it is.
    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// Whether `text` reads as these spellings from `start`; where it ends then.
    ///
    /// No spelling of a character begins with another one, so there is nothing to try twice.
    static func end(of spellings: Span<UInt8>, in text: Span<UInt8>, from start: Int) -> Int? {
        var (i, place) = (0, start)
        while i < spellings.count {
            let count = Int(spellings[i])
            var found: Int?
            i += 1
            for _ in 0..<count {
                let length = Int(spellings[i])
                if found == nil, place + length <= text.count,
                    text.extracting(place..<place + length).equals(spellings.extracting(i + 1..<i + 1 + length))
                {
                    found = place + length
                }
                i += 1 + length
            }
            guard let found else { return nil }
            place = found
        }
        return place
    }
}

extension Caseless {
    /// Whether the text ends with these spellings.
    static func isEnd(_ spellings: Span<UInt8>, of text: Span<UInt8>) -> Bool {
        // Between one byte a character and the longest of its spellings.
        var (i, least, most) = (0, 0, 0)
        while i < spellings.count {
            let count = Int(spellings[i])
            var lengths: (least: Int, most: Int) = (.max, 0)
            i += 1
            for _ in 0..<count {
                let length = Int(spellings[i])
                lengths = (min(lengths.least, length), max(lengths.most, length))
                i += 1 + length
            }
            least += lengths.least
            most += lengths.most
        }
        guard least <= text.count else { return false }
        for length in least...min(most, text.count) {
            let start = text.count - length
            if end(of: spellings, in: text, from: start) == text.count { return true }
        }
        return false
    }
}

extension Span<UInt8> {
    /// Whether both have the same bytes.
    @inline(__always)
    func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        // The bytes are only read, and only here.
        return unsafe withUnsafeBytes { own in
            unsafe other.withUnsafeBytes { others in
                var i = 0
                while own.count - i >= 8 {
                    let words = unsafe (
                        own.loadUnaligned(fromByteOffset: i, as: UInt64.self),
                        others.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                    )
                    guard words.0 == words.1 else { return false }
                    i += 8
                }
                while i < own.count {
                    guard unsafe own[i] == others[i] else { return false }
                    i += 1
                }
                return true
            }
        }
    }

    /// Whether both have the same bytes but for the case of ASCII letters; `other` is in small letters.
    func equalsLowered(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for i in 0..<count where Caseless.lowered(self[i]) != other[i] { return false }
        return true
    }
}
