/// Base64 as RFC 4648 has it: padded, no line breaks, nothing but the alphabet.
enum Base64 {
    /// The six bits behind a character, 64 for what is none.
    private static func bits(_ byte: UInt8) -> UInt32 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte) - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte) + 4
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: 64
        }
    }

    /// Whether the raw JSON string slice (quotes included) is base64.
    static func isValid(_ raw: Slice, in text: Span<UInt8>) -> Bool {
        guard let plain = JSON.plain(raw, in: text) else {
            let bytes = JSON.unescaped(raw, in: text)
            return isValid(bytes.span, Slice(0, bytes.count))
        }
        return isValid(text, plain)
    }

    private static func isValid(_ text: Span<UInt8>, _ slice: Slice) -> Bool {
        guard slice.count % 4 == 0 else { return false }
        for i in slice.start..<slice.end - padding(text, slice) where bits(text[i]) == 64 { return false }
        return true
    }

    private static func padding(_ text: Span<UInt8>, _ slice: Slice) -> Int {
        guard slice.count >= 4, text[slice.end - 1] == UInt8(ascii: "=") else { return 0 }
        return text[slice.end - 2] == UInt8(ascii: "=") ? 2 : 1
    }

    /// The bytes behind a raw JSON string slice that is base64.
    static func decode(_ raw: Slice, in text: Span<UInt8>) -> [UInt8] {
        let characters = JSON.unescaped(raw, in: text)
        let padding = padding(characters.span, Slice(0, characters.count))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 4 * 3)
        for start in stride(from: 0, to: characters.count - characters.count % 4, by: 4) {
            let group = characters[start..<start + 4].reduce(UInt32(0)) { $0 << 6 | bits($1) & 63 }
            bytes.append(UInt8(truncatingIfNeeded: group >> 16))
            bytes.append(UInt8(truncatingIfNeeded: group >> 8))
            bytes.append(UInt8(truncatingIfNeeded: group))
        }
        bytes.removeLast(min(padding, bytes.count))
        return bytes
    }

    /// Appends `data` as base64.
    static func append(_ data: [UInt8], to bytes: inout [UInt8]) {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        for start in stride(from: 0, to: data.count, by: 3) {
            let part = data[start..<min(start + 3, data.count)]
            let group = part.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - part.count))
            for place in 0..<4 {
                let character = alphabet[Int(group >> UInt32(18 - 6 * place) & 63)]
                bytes.append(place <= part.count ? character : UInt8(ascii: "="))
            }
        }
    }
}
