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

    static let longest = 1 << 20
    private static let chunk = 1 << 18

    /// The number of the line last read, from 1.
    private(set) var number = 0
    private let handle: Int32
    private var buffer: [UInt8] = []
    private var start = 0
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
        var skipped = 0
        while true {
            if let end = lineEnd() {
                defer { start = end + 1 }
                return line(upTo: end, skipped)
            }
            if buffer.count - start > Self.longest {
                skipped += buffer.count - start
                (buffer, start) = ([], 0)
            }
            guard !isAtEnd, try fill() else {
                guard skipped > 0 || start < buffer.count, !Interruption.isRequested else { return nil }
                defer { start = buffer.count }
                return line(upTo: buffer.count, skipped)
            }
        }
    }

    private mutating func line(upTo end: Int, _ skipped: Int) -> Line {
        number += 1
        let size = skipped + end - start
        guard size <= Self.longest else { return .tooLong(bytes: size) }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        if number == 1, buffer[start..<end].starts(with: mark) { start += 3 }
        return .bytes(Array(buffer[start..<end]))
    }

    private func lineEnd() -> Int? {
        unsafe buffer.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, start < bytes.count,
                let found = unsafe memchr(base + start, 0x0A, bytes.count - start)
            else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }

    private mutating func fill() throws(Failure) -> Bool {
        buffer.removeFirst(start)
        start = 0
        let kept = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: Self.chunk))
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe read(handle, $0.baseAddress?.advanced(by: kept), Self.chunk)
            }
            if count < 0, errno == EINTR, !Interruption.isRequested { continue }
            buffer.removeLast(Self.chunk - max(0, count))
            if count < 0, errno != EINTR { throw Failure("cannot be read: \(systemWords(errno))") }
            isAtEnd = count <= 0
            return count > 0
        }
    }
}
