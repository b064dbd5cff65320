import Glibc
import Synchronization

// A time zone of the IANA's database, read from the files every Linux has: no library is asked, as `localtime_r` has one
// zone for the whole process and Foundation's full zones weigh tens of megabytes. The format is RFC 9636.

/// The local time of a place.
public struct Zone: Sendable, Hashable {
    /// Its name in the IANA's database.
    public let name: String
    /// When the offset changed, in seconds since the epoch, and what it was from then on.
    private let changes: [Change]
    /// The offset before the first change.
    private let first: Int64
    /// What follows the last change; `nil` when nothing ever will.
    private let rule: PosixZone?

    private struct Change: Sendable, Hashable {
        let at, offset: Int64
    }

    /// The offset east of UTC at a moment, and when it may change next, in seconds; `.max` for never.
    func offset(at moment: Int64) -> (offset: Int64, until: Int64) {
        var (low, high) = (0, changes.count)
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].at <= moment { low = middle + 1 } else { high = middle }
        }
        if low < changes.count { return (low > 0 ? changes[low - 1].offset : first, changes[low].at) }
        return rule?.offset(at: moment) ?? (changes.last?.offset ?? first, .max)
    }

    /// Two zones of one name are the same.
    public static func == (a: Zone, b: Zone) -> Bool { a.name == b.name }
    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

// MARK: - Reading

extension Zone {
    /// Reads a file of the zone database; `nil` for what is none.
    init?(name: String, file: [UInt8]) {
        guard let old = ZoneHeader(file, at: 0), old.version >= UInt8(ascii: "2"),
            let header = ZoneHeader(file, at: old.end(timeSize: 4)), header.types > 0
        else { return nil }
        let times = header.start
        let indices = times + header.times * 8
        let types = indices + header.times
        let footer = header.end(timeSize: 8)
        guard footer < file.count, file[footer] == UInt8(ascii: "\n") else { return nil }
        func offset(_ type: Int) -> Int64 { Int64(Int32(truncatingIfNeeded: file.number(types + type * 6, size: 4))) }
        self.name = name
        first = offset(0)
        var changes: [Change] = []
        changes.reserveCapacity(header.times)
        for place in 0..<header.times {
            let type = Int(file[indices + place])
            guard type < header.types else { return nil }
            changes.append(Change(at: file.number(times + place * 8, size: 8), offset: offset(type)))
        }
        guard zip(changes, changes.dropFirst()).allSatisfy({ $0.at < $1.at }) else { return nil }
        self.changes = changes
        let last = file[(footer + 1)...]
        guard let end = last.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let text = String(decoding: last[..<end], as: UTF8.self)
        rule = PosixZone(text)
        if rule == nil, !text.isEmpty { return nil }
    }

    /// Where the system keeps the zone database.
    static let folder = "/usr/share/zoneinfo/"
    private static let largest = 1 << 16
    private static let known = Mutex<[String: Zone]>([:])

    /// The zone of a name such as `Asia/Shanghai`; `nil` when this machine's database has none.
    ///
    /// Reads the file once for a process.
    public static func named(_ name: String) -> Zone? {
        guard isName(name) else { return nil }
        if let zone = known.withLock({ $0[name] }) { return zone }
        guard let zone = read(folder + name).flatMap({ Zone(name: name, file: $0) }) else { return nil }
        known.withLock { $0[name] = zone }
        return zone
    }

    /// Whether the machine has a zone database at all.
    static var hasDatabase: Bool { named("UTC") != nil }

    /// Names that stay inside the folder.
    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                guard let first = part.utf8.first, (0x41...0x5A).contains(first & ~0x20) else { return false }
                return part.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "_+-".utf8.contains(byte)
                }
            }
    }

    private static func read(_ path: String) -> [UInt8]? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: largest)
        var count = 0
        while count < largest {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(file, buffer.baseAddress.map { unsafe $0 + count }, largest - count)
            }
            guard got > 0 else { break }
            count += got
        }
        return count < largest ? Array(bytes[..<count]) : nil
    }
}

/// The head of one of the two blocks of a zone's file, and how much follows it.
private struct ZoneHeader {
    let version: UInt8
    /// Where its data begin.
    let start: Int
    let times, types: Int
    private let letters, leaps, standards, universals: Int

    init?(_ file: [UInt8], at place: Int) {
        guard place + 44 <= file.count, file[place..<(place + 4)].elementsEqual("TZif".utf8) else { return nil }
        version = file[place + 4]
        start = place + 44
        let counts = (0..<6).map { Int(file.number(place + 20 + $0 * 4, size: 4)) }
        guard counts.allSatisfy({ $0 <= file.count }) else { return nil }
        (universals, standards, leaps, times, types, letters) = (
            counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]
        )
    }

    func end(timeSize: Int) -> Int {
        start + times * (timeSize + 1) + types * 6 + letters + leaps * (timeSize + 4) + standards + universals
    }
}

extension [UInt8] {
    /// A big-endian number.
    fileprivate func number(_ place: Int, size: Int) -> Int64 {
        Int64(bitPattern: self[place..<(place + size)].reduce(0 as UInt64) { $0 << 8 | UInt64($1) })
    }
}
