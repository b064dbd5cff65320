import CarillonPostgres
import PostgresServer
import Testing

@Suite(
    "PostgreSQL statements: many rows at once, and the server is at the first while the next are made",
    .timeLimit(.minutes(2)), .enabled(if: Backend.available.contains(.postgres)))
struct PostgresStatementTests {
    private let connection: Connection
    private let watcher: Connection

    init() throws {
        let bed = try Backend.postgres.make()
        (connection, watcher) = (try Connection(bed.path), try Connection(bed.path))
        try connection.execute(
            """
            CREATE TEMP TABLE pebble (id bigint GENERATED ALWAYS AS IDENTITY, key uuid, a bigint, b bigint, t text, u text,
                bytes bytea, small int)
            """)
    }

    private func write(
        keys: [UInt64], a: [Int64?], t: [String], u: [String?], bytes: [Range<Int>]
    ) throws -> [String] {
        var columns = Columns()
        columns.add("key", keys.map { (high: $0, low: ~$0) })
        columns.add("a", mostlyOne: a)
        columns.add("b", all: nil)
        columns.add("t", mostlyOne: t)
        columns.add("u", u)
        columns.add("bytes", pieces: bytes, of: [1, 2, 3])
        columns.add("small", keys.map { Int64($0) })
        let numbers = try connection.run([columns.insert(into: "pebble", returning: "id")])[0]
        let rows = try connection.run("SELECT id, key, a, b, t, u, bytes, small FROM pebble ORDER BY id")
        #expect(numbers.indices.map { numbers.int($0, 0) } == rows.indices.map { rows.int($0, 0) })
        return rows.indices.map { row in
            let key = rows.halves(row, 1)
            let isKey = key.low == ~key.high && rows.int(row, 7) == Int64(key.high) && rows.isNull(row, 3)
            let a = rows.optionalInt(row, 2).map(String.init) ?? "-"
            let (t, u) = (rows.text(row, 4), rows.optionalText(row, 5) ?? "-")
            return isKey ? "\(key.high) \(a) '\(t)' \(u) \(rows.blob(row, 6))" : "?"
        }
    }

    @Test("rows come out as they went in, in their order, whatever differs among them")
    func differing() throws {
        let rows = try write(
            keys: [9, 4, 7], a: [5, nil, -6], t: ["", "x\0", "y"], u: [nil, "", "z"], bytes: [0..<3, 1..<1, 2..<3])
        #expect(rows == ["9 5 '' - [1, 2, 3]", "4 - 'x\0'  []", "7 -6 'y' z [3]"])
    }

    @Test(
        "what is the same in all rows stands in each of them",
        arguments: [(nil, ""), (0, "x"), (-1, "\u{1a}")] as [(Int64?, String)])
    func same(a: Int64?, t: String) throws {
        let rows = try write(
            keys: [2, 1], a: [a, a], t: [t, t], u: ["q", "q"], bytes: [0..<1, 0..<1])
        let number = a.map(String.init) ?? "-"
        #expect(rows == ["2 \(number) '\(t)' q [1]", "1 \(number) '\(t)' q [1]"])
    }

    @Test("one row is one row, and none is none")
    func few() throws {
        #expect(try write(keys: [], a: [], t: [], u: [], bytes: []) == [])
        #expect(try write(keys: [3], a: [1], t: ["t"], u: ["u"], bytes: [0..<1]) == ["3 1 't' u [1]"])
    }

    @Test("the server is done with a large statement while the one behind it is made")
    func early() throws {
        try connection.run("SELECT pg_advisory_lock($1)", Parameters(71))
        try watcher.execute("SET lock_timeout = '60s'")
        var large = Parameters(71)
        large.add(blob: [UInt8](repeating: 7, count: 1_000_000))
        var wasFree = false
        let rows = try connection.run(
            ["SELECT pg_advisory_unlock($1), length($2)", "SELECT 5::int8"].enumerated().lazy.map { place, sql in
                // Waits for the lock that the first statement lets go.
                if place == 1 { wasFree = (try? watcher.run("SELECT pg_advisory_lock($1)", Parameters(71))) != nil }
                return Command(sql, place == 0 ? large : Parameters())
            })
        #expect(wasFree)
        #expect(rows[0].int(0, 1) == 1_000_000 && rows[1].int(0, 0) == 5)
    }

    @Test("after a large statement that fails the rest is not run and the connection goes on")
    func failing() throws {
        var large = Parameters()
        large.add(blob: [UInt8](repeating: 7, count: 1_000_000))
        #expect(throws: PostgresFailure.self) {
            try connection.run(
                [
                    ("SELECT 1 / (length($1) - 1000000)", large),
                    ("INSERT INTO pebble (t) VALUES ('x')", Parameters()), ("SELECT length($1)", large),
                ].lazy.map { Command($0, $1) })
        }
        #expect(try connection.run("SELECT count(*) FROM pebble").int(0, 0) == 0)
    }
}
