/// A JSON value made in Swift: what an embedding program puts into an event's data.
public indirect enum JSONValue: Sendable, Hashable {
    /// One member of an object.
    public struct Member: Sendable, Hashable {
        /// The name.
        public var name: String
        /// The value.
        public var value: JSONValue
        /// Makes a member.
        public init(_ name: String, _ value: JSONValue) { (self.name, self.value) = (name, value) }
    }

    case null
    case bool(Bool)
    case integer(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    /// Members in the order they are written.
    case object([Member])
}

extension JSONValue {
    /// Appends the value as JSON.
    ///
    /// - Throws: when a number is not finite, an object names a member twice or the nesting is deeper than JSON's limit.
    func append(to bytes: inout [UInt8], path: String = "data", depth: Int = 1) throws(EventError) {
        switch self {
        case .null: bytes.append("null")
        case .bool(let value): bytes.append(value ? "true" : "false")
        case .integer(let value): bytes.append(String(value))
        case .double(let value):
            guard value.isFinite else { throw EventError(.notFinite(member: path)) }
            bytes.append(String(value))
        case .string(let value): JSON.append(quoted: value, to: &bytes)
        case .array(let elements): try Self.append(elements, to: &bytes, path, depth + 1)
        case .object(let members): try Self.append(members, to: &bytes, path, depth + 1)
        }
    }

    private static func append(
        _ elements: [JSONValue], to bytes: inout [UInt8], _ path: String, _ depth: Int
    ) throws(EventError) {
        try check(depth, at: bytes.count)
        try JSON.append(array: elements, to: &bytes) { element, bytes throws(EventError) in
            try element.append(to: &bytes, path: path, depth: depth)
        }
    }

    private static func append(
        _ members: [Member], to bytes: inout [UInt8], _ path: String, _ depth: Int
    ) throws(EventError) {
        try check(depth, at: bytes.count)
        var names: Set<String> = []
        for member in members where !names.insert(member.name).inserted {
            throw EventError(.duplicateKey(name: member.name))
        }
        try JSON.append(object: members, name: \.name, to: &bytes) { member, bytes throws(EventError) in
            try member.value.append(to: &bytes, path: member.name, depth: depth)
        }
    }

    private static func check(_ depth: Int, at offset: Int) throws(EventError) {
        if depth > JSON.maxDepth { throw EventError(JSONError(.depth, at: offset)) }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Makes a string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// Makes an integer.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// Makes a number with a fraction.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// Makes true or false.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Makes null.
    public init(nilLiteral: ()) { self = .null }
    /// Makes an array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// Makes an object whose members keep the order they are written in.
    public init(dictionaryLiteral members: (String, JSONValue)...) {
        self = .object(members.map { Member($0.0, $0.1) })
    }
}
