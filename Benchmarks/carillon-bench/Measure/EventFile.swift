import CarillonEvents
import Glibc

/// A generated file in memory, ready to append: only for measuring the stream alone, as nothing is checked.
struct EventFile {
    private(set) var events: [EncodedEvent] = []

    init(path: String, atMost limit: Int = .max) throws {
        let bytes = try Self.read(path)
        for line in bytes.split(separator: UInt8(ascii: "\n")).prefix(limit) {
            guard let workspace = Self.member("\"workspace\":\"", of: line), let type = Self.member("\"type\":\"", of: line)
            else { throw NotGenerated(path: path) }
            events.append(EncodedEvent(workspace: workspace, type: type, bytes: Array(line)))
        }
    }

    /// A file that `generate` did not write.
    struct NotGenerated: Error, CustomStringConvertible {
        let path: String
        var description: String { "\(path) has a line without workspace or type; measure with what `generate` wrote" }
    }

    private static func read(_ path: String) throws -> [UInt8] {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SystemFailure("open \(path)") }
        defer { close(file) }
        let size = Int(lseek(file, 0, SEEK_END))
        lseek(file, 0, SEEK_SET)
        return try unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            while filled < size {
                let count = unsafe Glibc.read(file, buffer.baseAddress?.advanced(by: filled), size - filled)
                guard count > 0 else { throw SystemFailure("read \(path)") }
                filled += count
            }
        }
    }

    private static func member(_ name: StaticString, of line: ArraySlice<UInt8>) -> String? {
        let key = name.withUTF8Buffer { unsafe Array($0) }
        guard let at = line.firstRange(of: key) else { return nil }
        return String(decoding: line[at.upperBound...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    }
}

extension EncodedEvent {
    /// The same event with a mark in its data, by which the limits' sink measures the way from here to there.
    func stamped(sent nanoseconds: Int64) -> EncodedEvent {
        guard let data = bytes.firstRange(of: Array("\"data\":{".utf8)) else { return self }
        let mark = Array("\"sentNs\":\(nanoseconds),".utf8)
        return EncodedEvent(
            workspace: workspace, type: type, bytes: Array(bytes[..<data.upperBound]) + mark + bytes[data.upperBound...])
    }
}
