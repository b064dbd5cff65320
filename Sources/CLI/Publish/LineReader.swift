import Foundation

/// Reads a file or a pipe line by line in bounded memory: a line longer than the limit is counted and skipped.
struct LineReader: ~Copyable {
    /// What stands on a line.
    enum Line {
        /// Its bytes, without the line feed.
        case bytes([UInt8])
        /// It has more bytes than any event; none were kept.
        case tooLong(bytes: Int)
    }

    /// Where a line stands in the reader's memory, until the next one is asked for.
    enum Place {
        case at(Range<Int>)
        case tooLong(bytes: Int)
    }

    static let longest = 1 << 20
    private static let chunk = 1 << 18

    /// The number of the line last read, from 1.
    private(set) var number = 0
    private let handle: Int32
    private var buffer = [UInt8](repeating: 0, count: chunk)
    /// What was read and not handed out stands between these; up to `searched` it has no line feed.
    private var start = 0
    private var end = 0
    private var searched = 0
    private var isAtEnd = false

    /// Opens a file; `-` is standard input.
    init(_ path: String) throws(Failure) {
        handle = unsafe path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard handle >= 0 else { throw Failure("\(path): cannot be opened: \(systemWords(errno))") }
    }

    deinit { close(handle) }

    /// The next line; `nil` at the end, or when the process is asked to stop.
    ///
    /// - Throws: when reading fails, as on a folder.
    mutating func next() throws(Failure) -> Line? {
        switch try nextPlace() {
        case .at(let range)?: .bytes(Array(buffer[range]))
        case .tooLong(let bytes)?: .tooLong(bytes: bytes)
        case nil: nil
        }
    }

    /// The next line where it stands, for who reads it in place with `withBytes`; otherwise as `next`.
    mutating func nextPlace() throws(Failure) -> Place? {
        var skipped = 0
        while true {
            if let feed = lineFeed() {
                defer { (start, searched) = (feed + 1, feed + 1) }
                return line(upTo: feed, skipped)
            }
            if end - start > Self.longest {
                skipped += end - start
                (start, end, searched) = (0, 0, 0)
            }
            guard !isAtEnd, try fill() else {
                guard skipped > 0 || start < end, !Interruption.isRequested else { return nil }
                defer { (start, searched) = (end, end) }
                return line(upTo: end, skipped)
            }
        }
    }

    /// The bytes of the line last found, without the line feed.
    func withBytes<Result, Failure: Error>(
        at range: Range<Int>, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(buffer.span.extracting(range))
    }

    private mutating func line(upTo feed: Int, _ skipped: Int) -> Place {
        number += 1
        let size = skipped + feed - start
        guard size <= Self.longest else { return .tooLong(bytes: size) }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        if number == 1, buffer[start..<feed].starts(with: mark) { start += 3 }
        return .at(start..<feed)
    }

    private mutating func lineFeed() -> Int? {
        let (from, end) = (searched, end)
        searched = end
        return unsafe buffer.withUnsafeBytes { bytes in
            guard from < end, let base = bytes.baseAddress, let found = unsafe memchr(base + from, 0x0A, end - from)
            else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }

    /// Reads more; false at the end.
    ///
    /// What was answered so far is written first: who feeds a pipe line by line waits for it.
    private mutating func fill() throws(Failure) -> Bool {
        Console.flush()
        makeRoom()
        while true {
            let (from, room) = (end, buffer.count - end)
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe read(handle, $0.baseAddress?.advanced(by: from), room)
            }
            if count < 0, errno == EINTR, !Interruption.isRequested { continue }
            if count < 0, errno != EINTR { throw Failure("cannot be read: \(systemWords(errno))") }
            isAtEnd = count <= 0
            end += max(0, count)
            return count > 0
        }
    }

    /// Moves what is left to the front, and grows where a line fills everything.
    private mutating func makeRoom() {
        let (kept, start) = (end - start, start)
        if start > 0, kept > 0 {
            unsafe buffer.withUnsafeMutableBytes { bytes in
                // Both ends of the move are inside the buffer, whose first `end` bytes were read.
                guard let base = bytes.baseAddress else { return }
                unsafe memmove(base, base + start, kept)
            }
        }
        (self.start, end, searched) = (0, kept, searched - start)
        if buffer.count == end { buffer += repeatElement(0, count: Self.chunk) }
    }
}
