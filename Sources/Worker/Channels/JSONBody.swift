import CarillonEvents

/// A small JSON document that a channel builds: members in the order they are given, compact.
///
/// `Sendable` is said, as the compiler goes in circles where it has to find it out.
indirect enum JSONBody: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral, Sendable
{
    case text(String)
    case flag(Bool)
    case list([JSONBody])
    case object([(name: String, value: JSONBody)])
    /// JSON that is written already.
    case raw(ArraySlice<UInt8>)

    init(stringLiteral value: String) { self = .text(value) }
    init(booleanLiteral value: Bool) { self = .flag(value) }
    init(arrayLiteral elements: JSONBody...) { self = .list(elements) }
    init(dictionaryLiteral members: (String, JSONBody)...) {
        self = .object(members.map { (name: $0.0, value: $0.1) })
    }

    /// The same with one more member; traps on what is no object, which is our own mistake.
    func with(_ name: String, _ value: JSONBody?) -> JSONBody {
        guard case .object(let members) = self else { preconditionFailure("a member for what is no object") }
        guard let value else { return self }
        return .object(members + [(name: name, value: value)])
    }

    /// The document's text.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    private func append(to bytes: inout [UInt8]) {
        switch self {
        case .text(let text): JSON.append(quoted: text, to: &bytes)
        case .flag(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        case .raw(let raw): bytes.append(contentsOf: raw)
        case .list(let elements): JSON.append(array: elements, to: &bytes) { $0.append(to: &$1) }
        case .object(let members):
            JSON.append(object: members, name: \.name, to: &bytes) { $0.value.append(to: &$1) }
        }
    }
}

/// What a provider says in the body of its answer.
struct AnswerBody {
    private let bytes: [UInt8]
    private let root: Slice?

    init(_ answer: Response) {
        let text = answer.body
        let isJSON = (try? JSON.check(text.span)) != nil
        (bytes, root) = (text, isJSON ? JSON.value(in: text.span, at: 0) : nil)
    }

    /// A whole number, also one that stands in quotes.
    func number(_ name: String) -> Int? { member(name).flatMap { Int($0) } }

    /// A text, or what else stands there as it is written.
    func text(_ name: String) -> String { member(name) ?? "" }

    private func member(_ name: String) -> String? {
        guard let root, JSON.kind(of: root, in: bytes.span) == .object,
            let found = JSON.member(name, of: root, in: bytes.span)
        else { return nil }
        if JSON.kind(of: found, in: bytes.span) == .string { return JSON.string(found, in: bytes.span) }
        return String(decoding: bytes[found.range], as: UTF8.self)
    }
}
