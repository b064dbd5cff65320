import CarillonEvents

// The spool's file format, version 1. A segment is a header and frames, nothing else:
//
//     header   16 bytes   "CARILLON-SPOOL-1"
//     frame     4 bytes   F7 'C' 'S' '1'
//               4 bytes   length of the payload, little-endian
//               4 bytes   CRC-32C of the length's four bytes and the payload, little-endian
//               payload:  4 bytes length of the workspace · 4 bytes length of the type · workspace · type · event
//
// A process or machine that dies while writing leaves a torn tail: bytes that are no whole frame. What was acknowledged
// stands before it, as the acknowledgement follows the fsync, so the tail is cut. Should a disk have damaged a frame in
// the middle, reading finds the next frame by its first four bytes and its checksum, and says that something is missing.

enum Frame {
    static let header = Array("CARILLON-SPOOL-1".utf8)
    static let mark: [UInt8] = [0xF7, 0x43, 0x53, 0x31]
    static let overhead = 12
    static let largest = 16 << 20

    /// Appends one event's frame to a buffer.
    static func write(_ event: EncodedEvent, to buffer: inout [UInt8]) {
        let workspace = Array(event.workspace.utf8)
        let type = Array(event.type.utf8)
        let start = buffer.count
        buffer += mark
        append(UInt32(8 + workspace.count + type.count + event.bytes.count), to: &buffer)
        append(0, to: &buffer)
        append(UInt32(workspace.count), to: &buffer)
        append(UInt32(type.count), to: &buffer)
        buffer += workspace
        buffer += type
        buffer += event.bytes
        let sum = checksum(buffer, frameAt: start)
        for byte in 0..<4 { buffer[start + 8 + byte] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * byte)) }
    }

    /// Reads all whole frames of a segment.
    static func read(_ bytes: [UInt8]) -> Contents {
        guard bytes.starts(with: header) else { return Contents(isForeign: bytes.count >= header.count) }
        var contents = Contents(isForeign: false)
        var at = header.count
        while at < bytes.count {
            if let (event, next) = event(in: bytes, at: at) {
                contents.isDamaged = contents.isDamaged || contents.torn > 0
                contents.events.append(event)
                at = next
            } else {
                let next = nextMark(in: bytes, after: at)
                contents.torn += next - at
                at = next
            }
        }
        return contents
    }

    private static func event(in bytes: [UInt8], at start: Int) -> (EncodedEvent, next: Int)? {
        guard start + overhead + 8 <= bytes.count, bytes[start..<start + 4].elementsEqual(mark) else { return nil }
        let length = Int(number(bytes, at: start + 4))
        let payload = start + overhead
        guard length >= 8, length <= largest, payload + length <= bytes.count,
            number(bytes, at: start + 8) == checksum(bytes, frameAt: start)
        else { return nil }
        let workspace = payload + 8
        let type = workspace + Int(number(bytes, at: payload))
        let event = type + Int(number(bytes, at: payload + 4))
        guard type <= event, event <= payload + length else { return nil }
        let encoded = EncodedEvent(
            workspace: String(decoding: bytes[workspace..<type], as: UTF8.self),
            type: String(decoding: bytes[type..<event], as: UTF8.self), bytes: Array(bytes[event..<payload + length]))
        return (encoded, payload + length)
    }

    private static func nextMark(in bytes: [UInt8], after start: Int) -> Int {
        var at = start + 1
        while at + 4 <= bytes.count {
            if bytes[at] == mark[0], bytes[at..<at + 4].elementsEqual(mark) { return at }
            at += 1
        }
        return bytes.count
    }

    private static func checksum(_ bytes: [UInt8], frameAt start: Int) -> UInt32 {
        var sum = CRC32C()
        let length = Int(number(bytes, at: start + 4))
        sum.add(bytes[start + 4..<start + 8])
        sum.add(bytes[start + overhead..<start + overhead + length])
        return sum.value
    }

    private static func append(_ number: UInt32, to buffer: inout [UInt8]) {
        for byte in 0..<4 { buffer.append(UInt8(truncatingIfNeeded: number >> UInt32(8 * byte))) }
    }

    private static func number(_ bytes: [UInt8], at start: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
    }

    /// What stands in a segment.
    struct Contents {
        /// It does not begin as a segment does: another program's file, or a newer version's.
        var isForeign: Bool
        /// Its events in order.
        var events: [EncodedEvent] = []
        /// Bytes that are no frame.
        var torn = 0
        /// Whole frames stand behind bytes that are none: more than a torn tail.
        var isDamaged = false
    }
}

/// CRC-32C (Castagnoli), as in iSCSI and ext4.
struct CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? 0x82F6_3B78 ^ (value >> 1) : value >> 1 }
    }
    private var state: UInt32 = 0xFFFF_FFFF

    var value: UInt32 { ~state }

    mutating func add(_ bytes: ArraySlice<UInt8>) {
        var state = state
        let table = Self.table
        for byte in bytes { state = table[Int((state ^ UInt32(byte)) & 0xFF)] ^ (state >> 8) }
        self.state = state
    }
}
