import CarillonEvents
import CarillonLedger

/// What a receiver says it got: JSON lines as `carillon sink` writes them, each with the `id` of a delivery.
///
/// A line with a `status` other than 2xx was refused and does not count.
struct ReceivedLog {
    /// How many requests there were of each delivery.
    private(set) var counts: [Key: Int] = [:]

    /// Reads files; lines that are none are reported, and make it fail.
    init(_ files: [String]) throws {
        var lines = EventLines()
        for file in files {
            try lines.read(file, longest: 1 << 20) { (text, _) throws(ReceivedLineError) in
                if let key = try Self.key(text) { counts[key, default: 0] += 1 }
            }
        }
        if lines.bad > 0 { throw Failure("\(lines.bad) lines of the receiver's log are none; nothing was compared") }
    }

    private static func key(_ text: Span<UInt8>) throws(ReceivedLineError) -> Key? {
        do throws(JSONError) { try JSON.check(text) } catch { throw ReceivedLineError("\(error)") }
        guard let root = JSON.value(in: text, at: 0),
            let id = JSON.member("id", of: root, in: text).flatMap({ JSON.string($0, in: text) })
        else { throw ReceivedLineError("it has no \"id\"") }
        if let status = JSON.member("status", of: root, in: text) {
            guard status.count == 3, text[status.start] == UInt8(ascii: "2") else { return nil }
        }
        guard let key = Key(id) else { return nil }
        return key
    }
}

private struct ReceivedLineError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
