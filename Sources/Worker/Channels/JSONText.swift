enum JSONText {
    static func append(quoted text: String, to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): json.append(UInt8(ascii: "\\")); json.append(byte)
            case 0..<0x20:
                json.append(contentsOf: "\\u00".utf8)
                json.append(byte >> 4 + 0x30)
                json.append(byte & 15 < 10 ? byte & 15 + 0x30 : byte & 15 + 0x57)
            default: json.append(byte)
            }
        }
        json.append(UInt8(ascii: "\""))
    }
}
