import CSQLite

/// A prepared statement.
///
/// Belongs to its database and to one thread at a time.
///
/// Use: bind all parameters (numbered from 1), then `step` until it answers false, or `run` for a statement without rows.
/// Both reset the statement when they are through, so that it never keeps a snapshot open.
@safe public final class Statement {
    private let raw: OpaquePointer
    private let database: OpaquePointer
    private let sql: String

    init(_ sql: String, in database: OpaquePointer) throws(SQLiteFailure) {
        var prepared: OpaquePointer?
        let code = unsafe sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared = unsafe prepared else {
            throw unsafe SQLiteFailure(
                code: code, message: String(cString: sqlite3_errmsg(database)), doing: "prepare \(sql)")
        }
        (unsafe raw, unsafe self.database, self.sql) = unsafe (prepared, database, sql)
    }

    deinit { unsafe _ = sqlite3_finalize(raw) }

    /// Binds a number.
    public func bind(_ index: Int32, _ value: Int64) { unsafe _ = sqlite3_bind_int64(raw, index, value) }
    /// Binds a number, or NULL.
    public func bind(_ index: Int32, _ value: Int64?) {
        if let value { bind(index, value) } else { unsafe _ = sqlite3_bind_null(raw, index) }
    }
    /// Binds a text, or NULL; copied.
    public func bind(_ index: Int32, _ text: String?) {
        guard var text else { return unsafe _ = sqlite3_bind_null(raw, index) }
        text.withUTF8 { utf8 in
            unsafe utf8.withMemoryRebound(to: CChar.self) {
                unsafe _ = carillon_bind_text(raw, index, $0.baseAddress, Int32($0.count))
            }
        }
    }
    /// Binds bytes as a blob; copied.
    public func bind(_ index: Int32, blob: Span<UInt8>) {
        unsafe blob.withUnsafeBytes { unsafe _ = carillon_bind_blob(raw, index, $0.baseAddress, Int32($0.count)) }
    }
    /// Binds UTF-8 bytes as a text; copied.
    public func bind(_ index: Int32, text: Span<UInt8>) {
        unsafe text.withUnsafeBytes {
            unsafe _ = carillon_bind_text(
                raw, index, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count))
        }
    }
    /// Binds 16 bytes as a blob.
    public func bind(_ index: Int32, high: UInt64, low: UInt64) {
        var halves = (high.bigEndian, low.bigEndian)
        unsafe withUnsafeBytes(of: &halves) { unsafe _ = carillon_bind_blob(raw, index, $0.baseAddress, 16) }
    }

    /// Goes to the next row; false behind the last.
    public func step() throws(SQLiteFailure) -> Bool {
        let code = unsafe sqlite3_step(raw)
        if code == SQLITE_ROW { return true }
        let failure: SQLiteFailure? = code == SQLITE_DONE ? nil : failure(code)
        unsafe _ = sqlite3_reset(raw)
        if let failure { throw failure }
        return false
    }

    /// Runs to the end, ignoring rows.
    public func run() throws(SQLiteFailure) { while try step() {} }

    /// Ends an iteration before its last row.
    public func reset() { unsafe _ = sqlite3_reset(raw) }

    /// The column (from 0) as a number; 0 for NULL.
    public func int(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(raw, column) }
    /// The column as a number, `nil` for NULL.
    public func optionalInt(_ column: Int32) -> Int64? { isNull(column) ? nil : int(column) }
    /// Whether the column is NULL.
    public func isNull(_ column: Int32) -> Bool { unsafe sqlite3_column_type(raw, column) == SQLITE_NULL }
    /// The column as a text; empty for NULL.
    public func text(_ column: Int32) -> String {
        unsafe withBytes(column) { unsafe String(decoding: $0, as: UTF8.self) }
    }
    /// The column as a text, `nil` for NULL.
    public func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }
    /// The column as bytes.
    public func blob(_ column: Int32) -> [UInt8] { unsafe withBytes(column) { unsafe [UInt8]($0) } }
    /// The column as the two halves of 16 bytes; zeros when it is not that long.
    public func halves(_ column: Int32) -> (high: UInt64, low: UInt64) {
        unsafe withBytes(column) { bytes in
            guard bytes.count == 16 else { return (0, 0) }
            return unsafe (
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }
    /// The column's bytes as SQLite holds them, valid until the next step.
    public func withBytes<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let start = unsafe sqlite3_column_blob(raw, column)
        let count = unsafe Int(sqlite3_column_bytes(raw, column))
        return unsafe body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }

    private func failure(_ code: Int32) -> SQLiteFailure {
        unsafe SQLiteFailure(
            code: sqlite3_extended_errcode(database), message: String(cString: sqlite3_errmsg(database)),
            doing: "run \(sql)")
    }
}
