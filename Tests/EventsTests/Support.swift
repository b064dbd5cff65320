import CarillonEvents
import CarillonKit

/// 2026-01-05T08:00:00.250Z, which the tests take for now.
let now = Timestamp(milliseconds: 1_767_600_000_250)

/// A complete event; arguments are raw JSON members put in front of `data`.
func event(_ members: String = "", data: String = "{}") -> String {
    #"{"specversion":"1.0","id":"1","source":"/s","type":"job.failed","workspace":"vision","#
        + #""time":"2026-01-05T08:00:00.250Z",\#(members.isEmpty ? "" : members + ",")"data":\#(data)}"#
}

/// Why `text` is refused as JSON; `nil` when it is accepted.
func fault(_ text: [UInt8], refusingDuplicateKeys: Bool = false) -> JSONError? {
    do throws(JSONError) {
        try JSON.check(text.span, refusingDuplicateKeys: refusingDuplicateKeys)
        return nil
    } catch { return error }
}

/// Why `text` is refused as an event; `nil` when it is accepted.
func refusal(_ text: String) -> EventError? {
    let bytes = Array(text.utf8)
    do throws(EventError) {
        _ = try CloudEvents.outline(bytes.span)
        return nil
    } catch { return error }
}

/// The string at the top-level member `name` of an encoded event.
func string(_ name: String, of event: EncodedEvent) -> String? {
    let text = event.bytes.span
    return JSON.member(name, of: Slice(0, text.count), in: text).flatMap { JSON.string($0, in: text) }
}

extension EncodedEvent {
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// A random JSON value, written with every freedom the grammar leaves: white space, escapes, number forms.
struct RandomJSON {
    var random: SplitMix

    init(seed: UInt64) { random = SplitMix(seed: seed) }

    mutating func value(depth: Int = 4) -> String {
        let text =
            switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &random) {
            case 0: "null"
            case 1: Bool.random(using: &random) ? "true" : "false"
            case 2, 3: number()
            case 4, 5: string()
            case 6: "[" + list { $0.value(depth: depth - 1) } + space() + "]"
            default: object(depth: depth)
            }
        return space() + text + space()
    }

    mutating func object(depth: Int) -> String {
        "{" + list { $0.space() + $0.string() + $0.space() + ":" + $0.value(depth: depth - 1) } + space() + "}"
    }

    mutating func string() -> String {
        let pieces = [
            "a", "Z", "0", " ", "/", "\\/", "\\\"", "\\\\", "\\n", "\\u0000", "\\u00e9", "\\uD83D\\uDE00", "é", "作业",
            "😀",
            "\u{7f}", "{", "}", "[", "]", ":", ",", "job.failed", "the node has been drained",
        ]
        let count = Int.random(in: 0...6, using: &random)
        return "\"" + (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined() + "\""
    }

    private mutating func number() -> String {
        let forms = [
            "0", "-0", "1", "-17", "3.25", "1e5", "1E+5", "1e-5", "0.1e400", "123456789012345678901234567890", "1.0",
            "-0.0", "9007199254740993",
        ]
        return forms.randomElement(using: &random) ?? "0"
    }

    private mutating func space() -> String {
        let kinds = ["", "", "", " ", "\n", "\t", "\r\n", "  "]
        return kinds.randomElement(using: &random) ?? ""
    }

    private mutating func list(_ one: (inout Self) -> String) -> String {
        let count = Int.random(in: 0...4, using: &random)
        return (0..<count).map { _ in one(&self) }.joined(separator: ",")
    }
}
