import CarillonEvents
import Glibc

/// A generated file in memory, ready to append: only for measuring the stream alone, as nothing is checked.
struct EventFile {
    private(set) var events: [EncodedEvent] = []

    init(path: String, atMost limit: Int = .max) throws {
        let bytes = try Input.read(path)
        for line in bytes.split(separator: UInt8(ascii: "\n")).prefix(limit) {
            guard let workspace = Self.member("\"workspace\":\"", of: line),
                let type = Self.member("\"type\":\"", of: line)
            else { throw NotGenerated(path: path) }
            events.append(EncodedEvent(workspace: workspace, type: type, bytes: Array(line)))
        }
    }

    /// A file that `generate` did not write.
    struct NotGenerated: Error, CustomStringConvertible {
        let path: String
        var description: String { "\(path) has a line without workspace or type; measure with what `generate` wrote" }
    }

    fileprivate static func member(_ name: StaticString, of line: ArraySlice<UInt8>) -> String? {
        guard let at = line.end(of: name) else { return nil }
        return String(decoding: line[at...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    }
}

extension ArraySlice<UInt8> {
    /// Where the first occurrence of `word` ends.
    ///
    /// The standard library's search is generic to the bone: 30 µs a line.
    fileprivate func end(of word: StaticString) -> Int? {
        unsafe withUnsafeBytes { bytes in
            let size = word.utf8CodeUnitCount
            guard let start = bytes.baseAddress, bytes.count >= size else { return nil }
            for at in 0...bytes.count - size where unsafe bytes[at] == word.utf8Start[0] {
                if unsafe memcmp(start + at, word.utf8Start, size) == 0 { return startIndex + at + size }
            }
            return nil
        }
    }
}

extension ArraySlice<UInt8> {
    /// When a stamped event was sent; `nil` for one without a stamp.
    var sent: Int64? {
        guard let at = end(of: "\"sentNs\":") else { return nil }
        return Int64(String(decoding: self[at...].prefix { (0x30...0x39).contains($0) }, as: UTF8.self))
    }
}

extension EncodedEvent {
    /// The text behind `name`, which is the member's name with its quotes, colon and the value's first quote.
    func member(_ name: StaticString) -> String? { EventFile.member(name, of: bytes[...]) }

    /// The same event with a mark in its data, by which the limits' sink measures the way from here to there.
    func stamped(sent nanoseconds: Int64) -> EncodedEvent {
        guard let data = bytes[...].end(of: "\"data\":{") else { return self }
        let mark = Array("\"sentNs\":\(nanoseconds),".utf8)
        return EncodedEvent(workspace: workspace, type: type, bytes: Array(bytes[..<data]) + mark + bytes[data...])
    }
}
