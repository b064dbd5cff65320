import CPostgres

/// What a statement brought, in binary.
///
/// Rows and columns are counted from 0.
@safe public final class Rows {
    private let raw: OpaquePointer
    /// How many rows there are.
    public let count: Int

    init(taking raw: OpaquePointer) {
        unsafe self.raw = raw
        count = unsafe Int(PQntuples(raw))
    }

    deinit { unsafe PQclear(raw) }

    /// How many rows the statement wrote.
    public var affected: Int { unsafe Int(String(cString: PQcmdTuples(raw))) ?? 0 }
    /// Whether it brought nothing.
    public var isEmpty: Bool { count == 0 }
    /// The numbers of all rows.
    public var indices: Range<Int> { 0..<count }

    /// Whether a value is NULL.
    public func isNull(_ row: Int, _ column: Int) -> Bool { unsafe PQgetisnull(raw, Int32(row), Int32(column)) != 0 }

    /// A whole number of any width, or a boolean; 0 for NULL.
    public func int(_ row: Int, _ column: Int) -> Int64 {
        unsafe withBytes(row, column) { bytes in
            guard let first = unsafe bytes.first, bytes.count <= 8 else { return 0 }
            var number = bytes.count > 1 && first & 0x80 != 0 ? -1 as Int64 : 0
            for index in bytes.indices { number = unsafe number << 8 | Int64(bytes[index]) }
            return number
        }
    }
    /// A whole number, `nil` for NULL.
    public func optionalInt(_ row: Int, _ column: Int) -> Int64? { isNull(row, column) ? nil : int(row, column) }
    /// A text; empty for NULL.
    public func text(_ row: Int, _ column: Int) -> String {
        unsafe withBytes(row, column) { unsafe PlainText.decode($0) }
    }
    /// A text, `nil` for NULL.
    public func optionalText(_ row: Int, _ column: Int) -> String? { isNull(row, column) ? nil : text(row, column) }
    /// Bytes.
    public func blob(_ row: Int, _ column: Int) -> [UInt8] { unsafe withBytes(row, column) { unsafe [UInt8]($0) } }
    /// The two halves of a `uuid`; zeros for anything else.
    public func halves(_ row: Int, _ column: Int) -> (high: UInt64, low: UInt64) {
        unsafe withBytes(row, column) { bytes in
            guard bytes.count == 16 else { return (0, 0) }
            return unsafe (
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }

    private func withBytes<Result>(_ row: Int, _ column: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let start = unsafe PQgetvalue(raw, Int32(row), Int32(column))
        let count = unsafe Int(PQgetlength(raw, Int32(row), Int32(column)))
        return unsafe body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }
}
