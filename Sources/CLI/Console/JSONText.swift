import CarillonEvents

extension JSONValue {
    /// The value as JSON on one line, members in their order.
    var text: String {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value): bytes += String(value).utf8
        case .double(let value): bytes += (value.isFinite ? String(value) : "null").utf8
        case .string(let value): JSON.append(quoted: value, to: &bytes)
        case .array(let elements): JSON.append(array: elements, to: &bytes) { $0.write(to: &$1) }
        case .object(let members):
            JSON.append(object: members, name: \.name, to: &bytes) { $0.value.write(to: &$1) }
        }
    }

    static func string(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    static func time(_ milliseconds: Int64?) -> JSONValue {
        milliseconds.map { .string(Timestamp(milliseconds: $0).rfc3339) } ?? .null
    }
}

extension JSONValue.Member {
    static func string(_ name: String, _ text: String?) -> Self { Self(name, .string(text)) }
    static func integer(_ name: String, _ number: some BinaryInteger) -> Self { Self(name, .integer(Int64(number))) }
    static func time(_ name: String, _ milliseconds: Int64?) -> Self { Self(name, .time(milliseconds)) }
}
