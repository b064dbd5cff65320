/// Reads one answer of HTTP/1.1 out of bytes as they come.
///
/// The status counts as soon as the head is complete. What is odd behind that costs the connection and not the answer:
/// a connection is kept only after an answer whose end is beyond doubt (RFC 9112, section 6.3), so that nobody's answer
/// is ever read as another's.
package struct AnswerReader {
    /// What the bytes so far make.
    package enum Progress: Equatable {
        /// A part of an answer.
        case more
        /// A whole one, or all of it that is read; whether the connection may carry another.
        case ended(keeps: Bool)
        /// Nothing that HTTP/1.1 allows.
        case broken
    }

    /// A longer head, with all before it, is no answer.
    package static let headLimit = 64 * 1024

    /// What the next bytes are.
    private enum Part {
        case statusLine, headerLine
        case counted(left: Int)
        case chunkSize, chunkEnd, trailer
        case chunk(left: Int)
        case untilClose
    }
    /// How the head says the body ends.
    private enum Framing { case none, length(Int), chunks, unclear }

    /// What of the answer is kept.
    package private(set) var notes = AnswerNotes()
    /// The status of the last head.
    package private(set) var status = 0
    private var part = Part.statusLine
    private var framing = Framing.none
    private var keeps = true
    /// A line that has not ended yet.
    private var begunLine: [UInt8] = []
    /// Bytes of all lines so far.
    private var inLines = 0

    /// A reader at the beginning of an answer.
    package init() {}

    /// Begins anew for another answer, in the same memory.
    package mutating func reset() {
        notes.reset()
        (part, framing, keeps, inLines) = (.statusLine, .none, true, 0)
        begunLine.removeAll(keepingCapacity: true)
    }

    /// Reads the next bytes.
    package mutating func take(_ bytes: Span<UInt8>) -> Progress {
        var next = 0
        while next < bytes.count {
            var progress: Progress?
            switch part {
            case .counted(let left): progress = take(body: bytes, &next, of: left) { left in .counted(left: left) }
            case .chunk(let left):
                progress = take(body: bytes, &next, of: left) { left in
                    left == 0 ? .chunkEnd : .chunk(left: left)
                }
            case .untilClose: progress = take(body: bytes, &next, of: .max) { _ in .untilClose }
            default: progress = take(lineIn: bytes, &next)
            }
            if case .counted(left: 0) = part, progress == nil { progress = .ended(keeps: keeps) }
            guard let progress else { continue }
            // What stands behind an answer nobody has asked for.
            return next < bytes.count && progress == .ended(keeps: true) ? .ended(keeps: false) : progress
        }
        return .more
    }

    // Bodies

    private mutating func take(
        body bytes: Span<UInt8>, _ next: inout Int, of left: Int, _ then: (Int) -> Part
    ) -> Progress? {
        let count = min(left, bytes.count - next)
        let isWithin = notes.take(body: bytes.extracting(next..<(next + count)))
        next += count
        part = then(left - count)
        return isWithin ? nil : .ended(keeps: false)
    }

    // Lines

    private mutating func take(lineIn bytes: Span<UInt8>, _ next: inout Int) -> Progress? {
        var end = next
        while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        inLines += end - next
        guard inLines <= Self.headLimit else { return oddity }
        guard end < bytes.count else {
            for index in next..<end { begunLine.append(bytes[index]) }
            next = end
            return nil
        }
        defer { next = end + 1 }
        guard !begunLine.isEmpty else {
            let hasReturn = end > next && bytes[end - 1] == UInt8(ascii: "\r")
            return take(line: bytes.extracting(next..<(hasReturn ? end - 1 : end)))
        }
        for index in next..<end { begunLine.append(bytes[index]) }
        if begunLine.last == UInt8(ascii: "\r") { begunLine.removeLast() }
        let line = begunLine
        begunLine.removeAll(keepingCapacity: true)
        return take(line: line.span)
    }

    /// Behind a complete head the answer is what it is; without one there is none.
    private var oddity: Progress { notes.headIsComplete ? .ended(keeps: false) : .broken }

    private mutating func take(line: Span<UInt8>) -> Progress? {
        switch part {
        case .statusLine: return take(statusLine: line)
        case .headerLine: return line.isEmpty ? endHead() : take(header: line)
        case .chunkSize: return take(chunkSize: line)
        case .chunkEnd:
            part = .chunkSize
            return line.isEmpty ? nil : oddity
        case .trailer: return line.isEmpty ? .ended(keeps: keeps) : nil
        case .counted, .chunk, .untilClose: return oddity
        }
    }

    private mutating func take(statusLine line: Span<UInt8>) -> Progress? {
        guard line.count >= 12, line.extracting(first: 7).isText("http/1."), line[8] == UInt8(ascii: " "),
            line[7] == UInt8(ascii: "0") || line[7] == UInt8(ascii: "1"),
            line.count == 12 || line[12] == UInt8(ascii: " "),
            let status = line.extracting(9..<12).number, (100..<1000).contains(status), status != 101
        else { return .broken }
        notes.begin()
        self.status = status
        (part, framing, keeps) = (.headerLine, .none, line[7] == UInt8(ascii: "1"))
        return nil
    }

    private mutating func take(header line: Span<UInt8>) -> Progress? {
        var colon = 0
        while colon < line.count, line[colon] != UInt8(ascii: ":") { colon += 1 }
        guard colon > 0, colon < line.count, line[0] > UInt8(ascii: " ") else {
            keeps = false  // no name, or a line that goes on from the one before
            return nil
        }
        let name = line.extracting(first: colon)
        let whole = line.extracting(droppingFirst: colon + 1)
        let value = whole.extracting(whole.inner)
        if name.isText("content-length") {
            take(length: value.number)
        } else if name.isText("transfer-encoding") {
            take(encoding: value.isText("chunked") ? .chunks : .unclear)
        } else if name.isText("connection") {
            if !value.isText("keep-alive") { keeps = false }
        } else if name.isText("retry-after") {
            notes.take(retryAfter: value)
        } else if name[name.count - 1] <= UInt8(ascii: " ") {
            keeps = false
        }
        return nil
    }

    private mutating func take(length: Int?) {
        switch (framing, length) {
        case (.none, let length?): framing = .length(length)
        case (.length(let known), let length?) where known == length: break  // said twice
        default: framing = .unclear
        }
    }

    private mutating func take(encoding: Framing) {
        if case .none = framing { framing = encoding } else { framing = .unclear }
    }

    private mutating func endHead() -> Progress? {
        if status < 200 {  // a word in advance
            part = .statusLine
            return nil
        }
        notes.headIsComplete = true
        if status == 204 || status == 304 { return .ended(keeps: keeps && isSurelyEmpty) }
        switch framing {
        case .length(0): return .ended(keeps: keeps)
        case .length(let count): part = .counted(left: count)
        case .chunks: part = .chunkSize
        case .unclear: return oddity
        case .none:
            keeps = false
            part = .untilClose
        }
        return nil
    }

    /// Whether whoever sends 204 sends nothing behind it; a 304 was asked for by nobody, so it means anything.
    private var isSurelyEmpty: Bool {
        switch framing {
        case .none, .length(0): status == 204
        case .length, .chunks, .unclear: false
        }
    }

    private mutating func take(chunkSize line: Span<UInt8>) -> Progress? {
        var (size, digits) = (0, 0)
        while digits < line.count, let digit = line[digits].hexDigit {
            guard digits < 15 else { return oddity }
            size = size << 4 | digit
            digits += 1
        }
        let rest = line.extracting(droppingFirst: digits)
        let inner = rest.inner
        guard digits > 0, inner.isEmpty || rest[inner.lowerBound] == UInt8(ascii: ";") else { return oddity }
        part = size == 0 ? .trailer : .chunk(left: size)
        return nil
    }
}

extension Span<UInt8> {
    /// Whether it is a text of lower-case ASCII letters, digits, `-`, `/` and `.`, in whatever case.
    fileprivate func isText(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let wanted = unsafe UnsafeBufferPointer(start: text.utf8Start, count: count)
        for index in 0..<count {
            let byte = self[index]
            let lowered = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            guard unsafe lowered == wanted[index] else { return false }
        }
        return true
    }

    /// Where it is without the spaces and tabs around it.
    fileprivate var inner: Range<Int> {
        var (start, end) = (0, count)
        while start < end, self[start] == 0x20 || self[start] == 0x09 { start += 1 }
        while end > start, self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }

    /// The number that it is in decimal digits and nothing else.
    fileprivate var number: Int? {
        guard (1...18).contains(count) else { return nil }
        var number = 0
        for index in 0..<count {
            guard (0x30...0x39).contains(self[index]) else { return nil }
            number = number * 10 + Int(self[index] - 0x30)
        }
        return number
    }
}

extension UInt8 {
    fileprivate var hexDigit: Int? {
        switch self {
        case 0x30...0x39: Int(self - 0x30)
        case 0x41...0x46, 0x61...0x66: Int(self & 0xdf) - 0x41 + 10
        default: nil
        }
    }
}
