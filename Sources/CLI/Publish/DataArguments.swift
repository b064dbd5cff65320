import CarillonEvents
import Foundation

/// The data of an event from `--data key=value` arguments.
struct DataArguments {
    private(set) var data: JSONValue = .object([])

    /// Adds `a.b=value`: nested by dots, the value as JSON where it is a number, true, false, null or a quoted text.
    mutating func add(_ argument: String) throws(Failure) {
        guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else {
            throw .usage("--data \(argument): write KEY=VALUE, such as --data exitCode=137")
        }
        let path = argument[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !path.contains(""), path.count <= 32 else {
            throw .usage("--data \(argument): a key is names with dots between them, such as labels.team")
        }
        let value = Self.scalar(String(argument[argument.index(after: equals)...]))
        guard let added = Self.adding(value, at: path[...], to: data) else {
            throw .usage("--data \(argument): \(path.joined(separator: ".")) has a value already; give each key once")
        }
        data = added
    }

    /// Where a value is given for a key.
    func value(_ key: String) -> JSONValue? {
        guard case .object(let members) = data else { return nil }
        return members.first { $0.name == key }?.value
    }

    private static func adding(_ value: JSONValue, at path: ArraySlice<String>, to parent: JSONValue) -> JSONValue? {
        guard let name = path.first else { return nil }
        guard case .object(var members) = parent else { return nil }
        let rest = path.dropFirst()
        if let index = members.firstIndex(where: { $0.name == name }) {
            guard !rest.isEmpty, let deeper = adding(value, at: rest, to: members[index].value) else { return nil }
            members[index].value = deeper
        } else if rest.isEmpty {
            members.append(JSONValue.Member(name, value))
        } else {
            guard let deeper = adding(value, at: rest, to: .object([])) else { return nil }
            members.append(JSONValue.Member(name, deeper))
        }
        return .object(members)
    }

    /// A JSON scalar as what it is, anything else as text.
    ///
    /// A number that Swift would change stays text.
    static func scalar(_ text: String) -> JSONValue {
        switch text {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        default: break
        }
        let bytes = Array(text.utf8)
        guard let first = bytes.first,
            first == UInt8(ascii: "\"") || first == UInt8(ascii: "-") || (0x30...0x39).contains(first),
            (try? JSON.check(bytes.span)) != nil
        else { return .string(text) }
        if first == UInt8(ascii: "\"") {
            return JSON.string(Slice(0, bytes.count), in: bytes.span).map { .string($0) } ?? .string(text)
        }
        if let integer = Int64(text) { return .integer(integer) }
        if text.contains(where: { ".eE".contains($0) }), let number = Double(text), number.isFinite {
            return .double(number)
        }
        return .string(text)
    }
}
