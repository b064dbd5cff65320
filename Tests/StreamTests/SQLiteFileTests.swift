import CarillonKit
import CarillonSQLite
import CarillonStream
import CarillonStreamSQLite
import FoundationEssentials
import Testing

@Suite("SQLite stream: what stands at its path", .timeLimit(.minutes(1)))
struct SQLiteFileTests {
    private let folder: TemporaryDirectory
    private let path: String

    init() throws {
        folder = try TemporaryDirectory("stream")
        path = folder.file("stream.db")
    }

    @Test("what was appended is there when the file is opened again, and offsets go on")
    func reopened() throws {
        try SQLiteStream.create(at: path, partitions: 1).appender().append([event("w", "0"), event("w", "1")])
        let again = try SQLiteStream.open(at: path)
        try again.appender().append([event("w", "2")])
        #expect(try again.ends().partitions[0]?.next == 3)
        let pump = try Pump(SQLiteBed(folder: folder, stream: again, clock: WallByHand()))
        try pump.drain()
        #expect(pump.seen.map(\.text) == ["0", "1", "2"])
        #expect(pump.seen.map(\.offset) == [0, 1, 2])
    }

    @Test("making a stream that is there keeps its partitions and its records")
    func madeTwice() throws {
        try SQLiteStream.create(at: path, partitions: 3).appender().append([event("w", "0")])
        let again = try SQLiteStream.create(at: path, partitions: 8)
        let ends = try again.ends().partitions
        #expect(ends.count == 3)
        #expect(ends.values.reduce(0) { $0 + $1.next } == 1)
    }

    @Test("a stream that is not there is missing, and looking for it makes none")
    func missing() throws {
        let error = #expect(throws: StreamError.self) { try SQLiteStream.open(at: path) }
        #expect(error?.kind == .missing)
        #expect(error?.description.contains(path) == true)
        #expect(!FileManager.default.fileExists(atPath: path))
        let nowhere = folder.file("no/such/folder/stream.db")
        #expect(throws: StreamError.self) { try SQLiteStream.create(at: nowhere, partitions: 1) }
    }

    @Test("a file that is no database is refused and left as it was")
    func noDatabase() throws {
        let text = Data(String(repeating: "not a database\n", count: 100).utf8)
        try text.write(to: URL(filePath: path))
        let opened = #expect(throws: StreamError.self) { try SQLiteStream.open(at: path) }
        #expect(opened?.kind == .corrupt)
        let made = #expect(throws: StreamError.self) { try SQLiteStream.create(at: path, partitions: 1) }
        #expect(made?.kind == .corrupt)
        #expect(try Data(contentsOf: URL(filePath: path)) == text)
    }

    @Test("another program's database is refused and left as it was")
    func foreign() throws {
        let other = try Database(path: path, access: .create)
        try other.execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        let made = #expect(throws: StreamError.self) { try SQLiteStream.create(at: path, partitions: 1) }
        #expect(made?.kind == .corrupt)
        #expect(try other.int("SELECT count(*) FROM sqlite_master") == 1)
    }

    @Test("a stream of a newer Carillon is refused with both versions")
    func newer() throws {
        _ = try SQLiteStream.create(at: path, partitions: 1)
        let raw = try Database(path: path, access: .readWrite)
        let known = Int(try raw.int("PRAGMA user_version") ?? 0)
        try raw.execute("PRAGMA user_version=4000")
        for open in [{ try SQLiteStream.open(at: path) }, { try SQLiteStream.create(at: path, partitions: 1) }] {
            let error = #expect(throws: StreamError.self) { try open() }
            #expect(error?.kind == .schema(found: 4000, known: known))
        }
    }

    @Test("an empty file becomes a stream, as a crash while making one leaves it")
    func emptyFile() throws {
        try Data().write(to: URL(filePath: path))
        let stream = try SQLiteStream.create(at: path, partitions: 2)
        #expect(try stream.ends().partitions.count == 2)
    }
}

@Suite("SQLite stream: one file is not another", .timeLimit(.minutes(1)))
struct SQLiteIdentityTests {
    @Test("a new stream at an old path has another name, so nothing of it counts as decided")
    func newFileNewName() throws {
        let folder = try TemporaryDirectory()
        let first = try SQLiteStream.create(at: folder.path + "/a.db", partitions: 1).name
        let second = try SQLiteStream.create(at: folder.path + "/b.db", partitions: 1).name
        #expect(first != second)
        #expect(try SQLiteStream.open(at: folder.path + "/a.db").name == first)
    }

    @Test("a position behind the stream's end is refused: an older copy was restored")
    func olderCopy() throws {
        let folder = try TemporaryDirectory()
        let reader = try SQLiteStream.create(at: folder.path + "/s.db", partitions: 1).reader(group: "g")
        defer { reader.close() }
        guard case .assigned([0]) = try reader.poll(wait: .zero) else {
            Issue.record("the only reader has no partition")
            return
        }
        #expect(throws: StreamError.self) { try reader.seek(0, to: 7) }
    }
}
