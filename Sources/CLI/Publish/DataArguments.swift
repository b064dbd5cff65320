import CarillonEvents
import Foundation

/// The data of an event from `--data key=value` arguments, as JSON text.
struct DataArguments {
    /// A value: JSON as it will be written, or members in the order they were given.
    private indirect enum Node {
        case scalar(String)
        case members([(name: String, node: Node)])
    }
    private var root = Node.members([])

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
        guard let added = Self.adding(value, at: path[...], to: root) else {
            throw .usage("--data \(argument): \(path.joined(separator: ".")) has a value already; give each key once")
        }
        root = added
    }

    /// The scalar given for a key at the top, as text: a quoted one without its quotes.
    func text(_ key: String) -> String? {
        guard case .members(let members) = root,
            case .scalar(let json)? = members.first(where: { $0.name == key })?.node
        else { return nil }
        let bytes = Array(json.utf8)
        return bytes.first == UInt8(ascii: "\"") ? JSON.string(Slice(0, bytes.count), in: bytes.span) : json
    }

    /// The whole as JSON.
    var json: [UInt8] {
        var bytes: [UInt8] = []
        Self.write(root, to: &bytes)
        return bytes
    }

    private static func write(_ node: Node, to bytes: inout [UInt8]) {
        switch node {
        case .scalar(let json): bytes += json.utf8
        case .members(let members):
            for (place, member) in members.enumerated() {
                bytes.append(place == 0 ? UInt8(ascii: "{") : UInt8(ascii: ","))
                JSON.append(quoted: member.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                write(member.node, to: &bytes)
            }
            bytes += (members.isEmpty ? "{}" : "}").utf8
        }
    }

    private static func adding(_ json: String, at path: ArraySlice<String>, to parent: Node) -> Node? {
        guard let name = path.first, case .members(var members) = parent else { return nil }
        let rest = path.dropFirst()
        if let index = members.firstIndex(where: { $0.name == name }) {
            guard !rest.isEmpty, let deeper = adding(json, at: rest, to: members[index].node) else { return nil }
            members[index].node = deeper
        } else if rest.isEmpty {
            members.append((name, .scalar(json)))
        } else {
            guard let deeper = adding(json, at: rest, to: .members([])) else { return nil }
            members.append((name, deeper))
        }
        return .members(members)
    }

    /// A JSON scalar as it is spelled, so that a number keeps every digit; anything else as quoted text.
    static func scalar(_ text: String) -> String {
        let bytes = Array(text.utf8)
        let begins = bytes.first.map {
            $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0)
        }
        if ["true", "false", "null"].contains(text) || begins == true && (try? JSON.check(bytes.span)) != nil {
            // JSON allows space around a value; what is quoted or a number has none inside its ends here.
            if bytes.last.map({ $0 > 0x20 }) == true { return text }
        }
        var quoted: [UInt8] = []
        JSON.append(quoted: text, to: &quoted)
        return String(decoding: quoted, as: UTF8.self)
    }
}
