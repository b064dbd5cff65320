import CarillonKit
import CarillonLedger
import CarillonLedgerSQLite
import CarillonSQLite
import FoundationEssentials
import Testing

@Suite("SQLite ledger: what stands at its path", .timeLimit(.minutes(1)))
struct LedgerFileTests {
    private let folder: TemporaryDirectory
    private let path: String

    init() throws {
        folder = try TemporaryDirectory("ledger")
        path = folder.file("ledger.db")
    }

    @Test("what was decided is there when the file is opened again")
    func reopened() throws {
        let bed = try Backend.file.make()
        let first = try bed.worker("first")
        try bed.decide(first, Draft("a"), Draft("b", subject: "job-2"))
        try bed.settle(first, 1, .delivered)
        first.die()
        let second = try bed.worker("second")
        #expect(try second.live.reap(now: bed.now) == 1)
        #expect(try second.live.position("s", 0) == 2)
        #expect(try bed.states() == [.delivered, .pending])
        let again = try second.live.decide(Decisions([Draft("a")], from: 2), for: second.session, now: bed.now)
        #expect(again.duplicates == 1, "an event is known across processes")
    }

    @Test("in idle time the WAL is begun anew in the same file, not while events come")
    func idleWAL() throws {
        let bed = try Backend.file.make()
        let worker = try bed.worker()
        func walBytes() throws -> Int {
            try FileManager.default.attributesOfItem(atPath: bed.path + "-wal")[.size] as? Int ?? 0
        }
        /// What SQLite itself says is in use.
        func walPages() throws -> Int64 {
            let look = try Database(path: bed.path, access: .readWrite).prepare("PRAGMA wal_checkpoint(PASSIVE)")
            return try look.step() ? look.int(1) : -1
        }
        func decide(_ round: Int) throws {
            let drafts = (0..<8_000).map { Draft("\(round)/\($0)", subject: "job-\($0)") }
            _ = try worker.live.decide(
                Decisions(drafts, from: Int64(round) * 8_000), for: worker.session, now: bed.now)
        }
        for round in 0..<2 {
            try decide(round)
            _ = try worker.live.tend(now: bed.now)
            #expect(try walPages() > 256)
        }
        let size = try walBytes()
        for _ in 0..<2 { while try worker.live.tend(now: bed.now) {} }
        #expect(try (1..<16).contains(walPages()))
        #expect(try walBytes() == size)
        #expect(try bed.residue() == [])
    }

    @Test("a ledger that is not there is missing, and looking for it makes none")
    func missing() throws {
        let error = #expect(throws: LedgerError.self) { try SQLiteLedger.open(at: path) }
        #expect(error?.kind == .missing)
        #expect(error?.description.contains(path) == true)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test("a file that is no database is refused and left as it was")
    func noDatabase() throws {
        let text = Data(String(repeating: "not a database\n", count: 100).utf8)
        try text.write(to: URL(filePath: path))
        for open in [{ try SQLiteLedger.open(at: path) }, { try SQLiteLedger.create(at: path) }] {
            #expect(#expect(throws: LedgerError.self) { try open() }?.kind == .corrupt)
        }
        #expect(try Data(contentsOf: URL(filePath: path)) == text)
    }

    @Test("another program's database is refused and left as it was")
    func foreign() throws {
        let other = try Database(path: path, access: .create)
        try other.execute("CREATE TABLE theirs (x)")
        for open in [{ try SQLiteLedger.open(at: path) }, { try SQLiteLedger.create(at: path) }] {
            #expect(#expect(throws: LedgerError.self) { try open() }?.kind == .corrupt)
        }
        #expect(try other.int("SELECT count(*) FROM sqlite_master") == 1)
    }

    @Test("a ledger of a newer Carillon is refused with both versions")
    func newer() throws {
        _ = try SQLiteLedger.create(at: path)
        let raw = try Database(path: path, access: .readWrite)
        let known = Int(try raw.int("PRAGMA user_version") ?? 0)
        #expect(known >= 1)
        try raw.execute("PRAGMA user_version=4000")
        for open in [{ try SQLiteLedger.open(at: path) }, { try SQLiteLedger.create(at: path) }] {
            #expect(#expect(throws: LedgerError.self) { try open() }?.kind == .schema(found: 4000, known: known))
        }
    }

    @Test(
        "an empty file, as a crash while making a ledger leaves it, becomes a ledger; who only looks is told its version"
    )
    func versionZero() throws {
        try Data().write(to: URL(filePath: path))
        let error = #expect(throws: LedgerError.self) { try SQLiteLedger.open(at: path) }
        guard case .schema(found: 0, known: 1...)? = error?.kind else {
            Issue.record("told \(String(describing: error))")
            return
        }
        let made = try SQLiteLedger.create(at: path)
        #expect(try made.revision() == 0)
        #expect(try SQLiteLedger.open(at: path).revision() == 0)
    }

    @Test("a ledger of the first version is brought up to date with all it holds; who only looks is told its version")
    func migrated() throws {
        let bed = try Backend.file.make()
        let first = try bed.worker("first")
        try bed.decide(first, Draft("a"), Draft("old", suppressed: .stale))
        first.die()
        let raw = try Database(path: bed.path, access: .readWrite)
        try raw.execute(
            """
            CREATE TABLE seen_1 (key BLOB PRIMARY KEY) WITHOUT ROWID;
            INSERT INTO segment SELECT 1, count(*), 0 FROM fresh; INSERT INTO seen_1 SELECT key FROM fresh;
            DROP INDEX delivery_behind; DROP TABLE fresh; DELETE FROM meta WHERE name = 'segments';
            DROP TABLE dedup; DROP TABLE dedup_clock; ALTER TABLE suppressed DROP COLUMN earlier;
            ALTER TABLE session DROP COLUMN lowest; CREATE INDEX delivery_leased ON delivery (session) WHERE state = 1;
            DROP INDEX ruleset_change; DROP TABLE silence; DROP TABLE lookup; DROP TABLE lookup_run;
            DROP TABLE replay; DROP TABLE resend; ALTER TABLE parked DROP COLUMN retried;
            ALTER TABLE suppressed DROP COLUMN by; ALTER TABLE suppressed DROP COLUMN target;
            DROP TABLE inbox; DROP TABLE endpoint_state; DROP TABLE quota; DROP TABLE quota_notice;
            DROP INDEX delivery_digest; DROP TABLE digest; ALTER TABLE delivery DROP COLUMN digest;
            DROP TABLE grp; DROP TABLE member; DROP TABLE notice; DROP TABLE threshold;
            ALTER TABLE delivery DROP COLUMN via; ALTER TABLE batch DROP COLUMN holes;
            ALTER TABLE delivery DROP COLUMN started; ALTER TABLE delivery DROP COLUMN supersedes; PRAGMA user_version=1
            """)
        let error = #expect(throws: LedgerError.self) { try bed.open() }
        guard case .schema(found: 1, known: 2...)? = error?.kind else {
            Issue.record("told \(String(describing: error))")
            return
        }
        _ = try SQLiteLedger.create(at: bed.path)
        let second = try bed.worker("second")
        #expect(try bed.open().suppressed(DeliveryFilter()).map(\.by) == [nil])
        let again = Decisions([Draft("a")], from: try bed.open().position("s", 0) ?? 0, now: bed.now)
        #expect(try second.live.decide(again, for: second.session, now: bed.now).duplicates == 1)
        let window = Decisions.Window(key: .window(workspace: "vision", rule: "r", values: []), length: .seconds(60))
        try bed.decide(second, Draft("b", window: window), Draft("c", window: window))
        #expect(try bed.open().suppressed(DeliveryFilter()).count == 2)
        #expect(try bed.residue() == [])
    }

    @Test("a damaged ledger is corrupt, not missing and not a crash")
    func damaged() throws {
        let bed = try Backend.file.make()
        let worker = try bed.worker()
        for index in 0..<200 { try bed.decide(worker, Draft("e\(index)", subject: "s\(index)")) }
        worker.die()
        try bed.tamper("PRAGMA wal_checkpoint(TRUNCATE)")
        var bytes = try Data(contentsOf: URL(filePath: bed.path))
        for index in stride(from: 4096, to: bytes.count, by: 1) {
            bytes[index] = UInt8(truncatingIfNeeded: index &* 131)
        }
        try bytes.write(to: URL(filePath: bed.path))
        let error = #expect(throws: LedgerError.self) { try bed.open().verify(now: bed.now) }
        #expect(error?.kind == .corrupt)
    }
}
