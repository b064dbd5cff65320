import CarillonEvents

// Tests as people write them: the pattern language's own JSON. What reading made equal (an operator's long form, a number's
// spelling) is written in one way.

extension [ValueTest] {
    /// A field's tests as the list a pattern has there.
    var words: String { "[" + map(\.words).joined(separator: ",") + "]" }
}

extension ValueTest {
    /// The test as a pattern has it.
    var words: String {
        switch self {
        case .text(let text): text.text.quoted
        case .number(let number): number.words
        case .spelling(let text): text.text
        case .bool(let bool): "\(bool)"
        case .null: "null"
        case .begins(let text): #"{"prefix":\#(text.text.quoted)}"#
        case .ends(let text): #"{"suffix":\#(text.text.quoted)}"#
        case .caseless(let text, let part): text.words(part)
        case .wildcard(let wildcard): #"{"wildcard":\#(wildcard.words.quoted)}"#
        case .between(let low, let high): #"{"numeric":[\#(Self.bounds(low, high))]}"#
        case .block(let block): #"{"cidr":"\#(block.words)"}"#
        case .present: #"{"exists":true}"#
        case .absent: #"{"exists":false}"#
        case .none(let tests): #"{"anything-but":\#(tests.words)}"#
        }
    }

    /// Bounds include themselves; one that excluded its number is the next number there is, whose digits are longer.
    private static func bounds(_ low: ComparableNumber, _ high: ComparableNumber) -> String {
        var bounds: [String] = []
        if low.bits > 0 {
            let before = ComparableNumber(bits: low.bits - 1)
            bounds.append(before.isShorter(than: low) ? #"">",\#(before.words)"# : #"">=",\#(low.words)"#)
        }
        if high.bits < .max {
            let behind = ComparableNumber(bits: high.bits + 1)
            bounds.append(behind.isShorter(than: high) ? #""<",\#(behind.words)"# : #""<=",\#(high.words)"#)
        }
        return bounds.joined(separator: ",")
    }
}

extension ComparableNumber {
    /// The number as JSON.
    fileprivate var words: String {
        value.rounded() == value && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }

    fileprivate func isShorter(than other: ComparableNumber) -> Bool { words.utf8.count < other.words.utf8.count }
}

extension Caseless {
    fileprivate func words(_ part: ValueTest.Part) -> String {
        let test = #"{"equals-ignore-case":\#(String(decoding: ascii ?? firstSpelling, as: UTF8.self).quoted)}"#
        return switch part {
        case .whole: test
        case .beginning: #"{"prefix":\#(test)}"#
        case .end: #"{"suffix":\#(test)}"#
        }
    }

    /// One spelling of each character.
    private var firstSpelling: [UInt8] {
        var bytes: [UInt8] = []
        var i = 0
        while i < spellings.count {
            let count = spellings[i]
            i += 1
            for place in 0..<count {
                let end = i + 1 + Int(spellings[i])
                if place == 0 { bytes += spellings[i + 1..<end] }
                i = end
            }
        }
        return bytes
    }
}

extension Wildcard {
    fileprivate var words: String {
        pieces.map { piece in
            String(decoding: piece, as: UTF8.self).reduce(into: "") { text, sign in
                if sign == "*" || sign == "\\" { text.append("\\") }
                text.append(sign)
            }
        }.joined(separator: "*")
    }
}

extension AddressBlock {
    fileprivate var words: String {
        func part(_ shift: Int, _ bits: UInt128) -> UInt64 {
            UInt64(truncatingIfNeeded: value >> UInt128(shift) & bits)
        }
        let address =
            family == .v4
            ? stride(from: 24, through: 0, by: -8).map { String(part($0, 0xff)) }.joined(separator: ".")
            : stride(from: 112, through: 0, by: -16).map { String(part($0, 0xffff), radix: 16) }.joined(separator: ":")
        return "\(address)/\(length)"
    }
}

extension String {
    /// The text as JSON.
    fileprivate var quoted: String {
        var bytes: [UInt8] = []
        JSON.append(quoted: self, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
