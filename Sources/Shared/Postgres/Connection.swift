import CPostgres

// The one place that owns libpq's connections.
//
// Every statement is prepared once a connection, takes its values and gives its rows in binary. Several statements go to the
// server in one message (libpq's pipeline mode) and come back in one: a round trip, however many they are.

/// A statement with its values.
public struct Command: Sendable {
    let sql: String
    let values: Parameters
    /// Makes one.
    public init(_ sql: String, _ values: Parameters = Parameters()) { (self.sql, self.values) = (sql, values) }
}

/// A connection to one PostgreSQL database.
///
/// Belongs to one thread at a time. One that broke stays broken: make another.
@safe public final class Connection {
    private let raw: OpaquePointer
    /// The names of prepared statements, by their text.
    private var prepared: [String: String] = [:]
    private var named = 0
    private static let bound = 500
    /// Bytes of values from which on the server is worth an early start.
    private static let large = 32_768

    /// Connects.
    ///
    /// - Parameter url: a URL or `key=value` words, as libpq reads them, with every option it knows.
    /// - Throws: `.unreachable` or `.refused`; never with the password in its words.
    public init(_ url: String) throws(PostgresFailure) {
        do { unsafe raw = try Self.connected(url) } catch {
            // A server that just ended its recovery had refused us as one that will never let us in.
            guard error.kind == .refused else { throw error }
            unsafe raw = try Self.connected(url)
        }
    }

    private static func connected(_ url: String) throws(PostgresFailure) -> OpaquePointer {
        let password = try ConnectionURL.password(in: url)
        // What stands before `dbname` gives way to what the URL says.
        let keys = [
            "fallback_application_name", "connect_timeout", "keepalives_idle", "keepalives_interval",
            "keepalives_count", "tcp_user_timeout", "dbname",
        ]
        let values = ["carillon", "10", "30", "10", "3", "30000", url]
        let opened = unsafe Self.withCStrings(keys) { keys in
            unsafe Self.withCStrings(values) { values in unsafe PQconnectdbParams(keys, values, 1) }
        }
        guard let opened = unsafe opened else { throw PostgresFailure(.other, cause: "out of memory") }
        guard unsafe PQstatus(opened) == CONNECTION_OK else {
            var words = unsafe Self.line(String(cString: PQerrorMessage(opened)))
            if let password, !password.isEmpty { words = words.split(separator: password).joined(separator: "***") }
            let isThere = unsafe url.withCString { unsafe PQping($0) } == PQPING_OK
            unsafe PQfinish(opened)
            throw PostgresFailure(isThere ? .refused : .unreachable, cause: words)
        }
        return unsafe opened
    }

    deinit { unsafe PQfinish(raw) }

    /// Whether the connection can still be used, as far as was noticed.
    public var isWhole: Bool { unsafe PQstatus(raw) == CONNECTION_OK }
    /// Whether a transaction is open.
    public var isInTransaction: Bool { unsafe PQtransactionStatus(raw) != PQTRANS_IDLE }
    /// The process that serves this connection.
    public var server: Int64 { unsafe Int64(PQbackendPID(raw)) }
    /// What to wait for with `poll` before `notices` has news.
    public var socket: Int32 { unsafe PQsocket(raw) }

    /// Runs statements without values.
    public func execute(_ sql: String) throws(PostgresFailure) {
        guard let result = unsafe PQexec(raw, sql) else { throw broken() }
        defer { unsafe PQclear(result) }
        if let failure = unsafe failure(result) { throw failure }
    }

    /// Runs one statement.
    @discardableResult
    public func run(_ sql: String, _ values: Parameters = Parameters()) throws(PostgresFailure) -> Rows {
        try run([Command(sql, values)])[0]
    }

    /// Runs statements one after the other in one round trip; the first that fails ends it, the rest is not run.
    ///
    /// The server is at the first ones while the others are made, if the sequence makes them when they are asked for.
    @discardableResult
    public func run(_ commands: some Sequence<Command>) throws(PostgresFailure) -> [Rows] {
        if prepared.count > Self.bound { try forgetStatements() }
        guard unsafe PQenterPipelineMode(raw) == 1 else { throw broken() }
        var sent: [(sql: String, fresh: String?)] = []
        var isSent = true
        for command in commands where isSent { isSent = send(command, &sent) }
        isSent = unsafe isSent && PQpipelineSync(raw) == 1
        guard isSent else { throw broken() }
        var all: [Rows] = []
        var first: PostgresFailure?
        for (sql, name) in sent {
            if let name {
                let failure = take(&all, keep: false)
                if failure == nil, first == nil { prepared[sql] = name }
                first = first ?? failure
            }
            let failure = take(&all, keep: true)
            first = first ?? failure
        }
        try endPipeline(&first)
        if let first { throw first }
        return all
    }

    /// Sends one statement, preparing it first when it is new to this connection; notes the name it then gets.
    private func send(_ command: Command, _ sent: inout [(sql: String, fresh: String?)]) -> Bool {
        let values = command.values
        var name = prepared[command.sql]
        if name == nil {
            named += 1
            name = "c\(named)"
            sent.append((command.sql, name))
            guard
                unsafe PQsendPrepare(raw, name, command.sql, Int32(values.types.count), values.types.map { Oid($0) })
                    == 1
            else { return false }
        } else {
            sent.append((command.sql, nil))
        }
        return unsafe values.bytes.withUnsafeBytes { bytes in
            var pointers: [UnsafePointer<CChar>?] = unsafe []
            for place in values.places {
                // No address means NULL; a value of no bytes has one.
                unsafe pointers.append(
                    place.flatMap { place in
                        unsafe bytes.baseAddress.map {
                            unsafe ($0 + place.lowerBound).assumingMemoryBound(to: CChar.self)
                        }
                    })
            }
            let lengths = values.places.map { Int32($0?.count ?? 0) }
            let formats = values.places.map { _ in 1 as Int32 }
            guard unsafe PQsendQueryPrepared(raw, name, Int32(lengths.count), pointers, lengths, formats, 1) == 1 else {
                return false
            }
            // The end of a large statement must not wait for what follows: the server begins with it now.
            return unsafe bytes.count < Self.large || PQflush(raw) == 0
        }
    }

    /// Takes the answer to one message and the end mark behind it.
    private func take(_ all: inout [Rows], keep: Bool) -> PostgresFailure? {
        guard let result = unsafe PQgetResult(raw) else { return broken() }
        let failure = unsafe failure(result)
        if failure == nil, keep { unsafe all.append(Rows(taking: result)) } else { unsafe PQclear(result) }
        while let more = unsafe PQgetResult(raw) { unsafe PQclear(more) }
        return failure
    }

    private func endPipeline(_ first: inout PostgresFailure?) throws(PostgresFailure) {
        while isWhole, let result = unsafe PQgetResult(raw) {
            let isSync = unsafe PQresultStatus(result) == PGRES_PIPELINE_SYNC
            unsafe PQclear(result)
            if isSync { break }
        }
        guard isWhole, unsafe PQexitPipelineMode(raw) == 1 else {
            throw first?.kind == .unreachable ? first ?? broken() : broken(first)
        }
    }

    /// A bounded number of texts is kept: those made by hand, such as listings, come and go.
    private func forgetStatements() throws(PostgresFailure) {
        prepared = [:]
        try execute("DEALLOCATE ALL")
    }

    /// What came over `LISTEN` since the last look: the channels' names.
    public func notices() -> [String] {
        unsafe _ = PQconsumeInput(raw)
        var channels: [String] = []
        while let notice = unsafe PQnotifies(raw) {
            unsafe channels.append(String(cString: notice.pointee.relname))
            unsafe PQfreemem(notice)
        }
        return channels
    }

    private func failure(_ result: OpaquePointer) -> PostgresFailure? {
        switch unsafe PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY, PGRES_PIPELINE_SYNC: return nil
        case PGRES_PIPELINE_ABORTED: return PostgresFailure(.other, cause: "not run: one before it failed")
        default:
            guard let state = unsafe carillon_pg_sqlstate(result) else { return broken() }
            let words = unsafe carillon_pg_message(result).map { unsafe String(cString: $0) } ?? ""
            return unsafe PostgresFailure(state: String(cString: state), cause: Self.line(words))
        }
    }

    private func broken(_ first: PostgresFailure? = nil) -> PostgresFailure {
        let words = unsafe Self.line(String(cString: PQerrorMessage(raw)))
        return PostgresFailure(.unreachable, cause: first?.cause ?? (words.isEmpty ? "the connection broke" : words))
    }

    private static func line(_ words: String) -> String {
        words.split(whereSeparator: \.isNewline).map { $0.trimmed }.joined(separator: "; ")
    }

    private static func withCStrings<Result>(
        _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        var copies = unsafe texts.map { text in
            let utf8 = text.utf8CString
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: utf8.count)
            for (index, byte) in utf8.enumerated() { unsafe copy[index] = byte }
            return unsafe UnsafePointer<CChar>?(copy)
        }
        unsafe copies.append(nil)
        defer { for index in unsafe copies.indices { unsafe copies[index]?.deallocate() } }
        return unsafe copies.withUnsafeBufferPointer { list in
            guard let base = list.baseAddress else { preconditionFailure("an array with an end mark is not empty") }
            return unsafe body(base)
        }
    }
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
