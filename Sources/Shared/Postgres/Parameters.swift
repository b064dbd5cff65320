// PostgreSQL's binary format: numbers big-endian, texts and bytes as they are, an array as its dimensions and then each
// element with its length.

/// The values of a statement's `$1`, `$2`, …, in binary.
public struct Parameters: Sendable {
    /// Types by their number in PostgreSQL's catalogue, which never changes.
    private enum Kind {
        static let bytea: UInt32 = 17
        static let int8: UInt32 = 20
        static let text: UInt32 = 25
        static let uuid: UInt32 = 2950
        static let byteas: UInt32 = 1001
        static let int8s: UInt32 = 1016
        static let texts: UInt32 = 1009
        static let uuids: UInt32 = 2951
    }
    /// All values, one behind the other; never empty, so that a value of no bytes has an address too.
    private(set) var bytes: [UInt8] = [0]
    /// The type of each value.
    private(set) var types: [UInt32] = []
    /// Where each stands in `bytes`; `nil` for NULL.
    private(set) var places: [Range<Int>?] = []

    /// No values yet.
    public init() {}
    /// Numbers alone.
    public init(_ numbers: Int64...) { for number in numbers { add(number) } }

    /// Adds a number, or NULL.
    public mutating func add(_ number: Int64?) {
        value(Kind.int8, isNull: number == nil) { bytes in if let number { Self.append(number, to: &bytes) } }
    }
    /// Adds a text, or NULL.
    public mutating func add(_ text: String?) {
        value(Kind.text, isNull: text == nil) { bytes in if let text { PlainText.append(text, to: &bytes) } }
    }
    /// Adds bytes.
    public mutating func add(blob: [UInt8]) { value(Kind.bytea) { $0 += blob } }
    /// Adds 16 bytes as a `uuid`.
    public mutating func add(high: UInt64, low: UInt64) {
        value(Kind.uuid) { bytes in
            Self.append(high, to: &bytes)
            Self.append(low, to: &bytes)
        }
    }

    /// Adds an array of numbers.
    public mutating func add(_ numbers: some Collection<Int64>) {
        let numbers = Array(numbers)  // of one type, as a loop over any collection asks it for each element
        array(Kind.int8s, of: Kind.int8, numbers.count) { bytes in
            unsafe Self.append(12, for: numbers, to: &bytes) { number, element in
                unsafe element.storeBytes(of: (8 as Int32).bigEndian, as: Int32.self)
                unsafe element.storeBytes(of: number.bigEndian, toByteOffset: 4, as: Int64.self)
            }
        }
    }
    /// Adds an array of numbers and NULLs.
    public mutating func add(_ numbers: some Collection<Int64?>) {
        let numbers = Array(numbers)
        array(Kind.int8s, of: Kind.int8, numbers.count, mayHaveNull: true) { bytes in
            for number in numbers {
                Self.append(number == nil ? -1 : 8 as Int32, to: &bytes)
                if let number { Self.append(number, to: &bytes) }
            }
        }
    }
    /// Adds an array of texts and NULLs.
    public mutating func add(_ texts: some Collection<String?>) {
        let texts = Array(texts)
        array(Kind.texts, of: Kind.text, texts.count, mayHaveNull: true) { bytes in
            for text in texts {
                guard let text else {
                    Self.append(-1 as Int32, to: &bytes)
                    continue
                }
                let start = bytes.count
                Self.append(0 as Int32, to: &bytes)
                PlainText.append(text, to: &bytes)
                Self.write(Int32(bytes.count - start - 4), at: start, in: &bytes)
            }
        }
    }
    /// Adds an array of 16 bytes each, as `uuid`.
    public mutating func add(_ halves: some Collection<(high: UInt64, low: UInt64)>) {
        let halves = Array(halves)
        array(Kind.uuids, of: Kind.uuid, halves.count) { bytes in
            unsafe Self.append(20, for: halves, to: &bytes) { halves, element in
                unsafe element.storeBytes(of: (16 as Int32).bigEndian, as: Int32.self)
                unsafe element.storeBytes(of: halves.high.bigEndian, toByteOffset: 4, as: UInt64.self)
                unsafe element.storeBytes(of: halves.low.bigEndian, toByteOffset: 12, as: UInt64.self)
            }
        }
    }
    /// Adds an array of pieces of a buffer.
    public mutating func add(pieces: some Collection<Range<Int>>, of buffer: [UInt8]) {
        let pieces = Array(pieces)
        array(Kind.byteas, of: Kind.bytea, pieces.count) { bytes in
            for piece in pieces {
                Self.append(Int32(piece.count), to: &bytes)
                bytes += buffer[piece]
            }
        }
    }

    private mutating func value(_ type: UInt32, isNull: Bool = false, _ write: (inout [UInt8]) -> Void) {
        let start = bytes.count
        write(&bytes)
        types.append(type)
        places.append(isNull ? nil : start..<bytes.count)
    }

    private mutating func array(
        _ type: UInt32, of element: UInt32, _ count: Int, mayHaveNull: Bool = false, _ write: (inout [UInt8]) -> Void
    ) {
        value(type) { bytes in
            Self.append((count == 0 ? 0 : 1) as Int32, to: &bytes)
            Self.append((mayHaveNull ? 1 : 0) as Int32, to: &bytes)
            Self.append(element, to: &bytes)
            guard count > 0 else { return }
            Self.append(Int32(count), to: &bytes)
            Self.append(1 as Int32, to: &bytes)
            write(&bytes)
        }
    }

    /// Appends elements that all take the same number of bytes; thousands of them, so in one piece.
    @inline(__always)
    private static func append<Element>(
        _ size: Int, for elements: [Element], to bytes: inout [UInt8],
        _ store: (Element, UnsafeMutableRawBufferPointer) -> Void
    ) {
        unsafe bytes += [UInt8](unsafeUninitializedCapacity: elements.count * size) { room, filled in
            let room = UnsafeMutableRawBufferPointer(room)
            for element in elements {
                unsafe store(element, UnsafeMutableRawBufferPointer(rebasing: room[filled..<filled + size]))
                filled += size
            }
        }
    }

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        unsafe withUnsafeBytes(of: number.bigEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    private static func write(_ number: Int32, at place: Int, in bytes: inout [UInt8]) {
        for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: number >> (24 - 8 * Int32(index))) }
    }
}

/// Texts as PostgreSQL can keep them: it knows no NUL, and names may hold one.
///
/// NUL is written as U+001A and `0`, U+001A as two of it; a text without either, as good as every one, as it is.
enum PlainText {
    private static let mark: UInt8 = 0x1a

    static func append(_ text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { utf8 in
            guard unsafe utf8.contains(where: { $0 == 0 || $0 == mark }) else {
                return unsafe bytes.append(contentsOf: utf8)
            }
            for index in utf8.indices {
                let byte = unsafe utf8[index]
                switch byte {
                case 0: bytes += [mark, 0x30]
                case mark: bytes += [mark, mark]
                default: bytes.append(byte)
                }
            }
        }
    }

    static func decode(_ bytes: UnsafeRawBufferPointer) -> String {
        guard unsafe bytes.contains(mark) else { return unsafe String(decoding: bytes, as: UTF8.self) }
        var plain: [UInt8] = []
        var isMarked = false
        for index in bytes.indices {
            let byte = unsafe bytes[index]
            if isMarked {
                plain.append(byte == 0x30 ? 0 : byte)
                isMarked = false
            } else if byte == mark {
                isMarked = true
            } else {
                plain.append(byte)
            }
        }
        return String(decoding: plain, as: UTF8.self)
    }
}
