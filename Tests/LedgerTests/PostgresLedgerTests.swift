import CarillonEvents
import CarillonKit
import CarillonLedger
import CarillonLedgerPostgres
import CarillonLedgerSQLite
import CarillonPostgres
import Dispatch
import PostgresServer
import Testing

@Suite(
    "PostgreSQL ledger: connections break, workers start together, secrets stay", .timeLimit(.minutes(2)),
    .enabled(if: Backend.available.contains(.postgres)))
struct PostgresLedgerTests {
    /// Ends every other connection to a bed's ledger, as an operator or a network does.
    private func cut(_ bed: Bed) throws {
        try bed.tamper(
            """
            SELECT pg_terminate_backend(l.pid, 10000) FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 2
                AND l.classid = current_schema()::regnamespace::oid AND l.pid <> pg_backend_pid()
            """)
    }

    @Test("a broken connection is unreachable once, transient, and the session goes on behind it")
    func reconnects() throws {
        let bed = try Backend.postgres.make()
        let worker = try bed.worker(lease: .seconds(3600))
        let ids = try bed.decide(worker, Draft("a"), Draft("b", subject: "job-2", wanted: false)).compactMap(\.id)
        try cut(bed)
        let error = #expect(throws: LedgerError.self) { try worker.live.position("s", 0) }
        #expect(error?.kind == .unreachable && error?.isTransient == true)
        #expect(try worker.live.position("s", 0) == 2)
        #expect(try worker.live.extend(worker.session, until: bed.now + .seconds(3600)))
        #expect(try bed.open().reap(now: bed.now) == 0, "its lock is held again")
        #expect(try bed.states() == [.leased, .pending], "what it knows of is still leased to it")
        try bed.settle(worker, ids[0], .delivered)
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [ids[1]])
        #expect(try bed.residue() == [])
    }

    @Test("a change of the rules is told when it is committed, also after a broken connection; a stop ends the wait")
    func news() throws {
        let bed = try Backend.postgres.make()
        let news = try PostgresNews(at: bed.path)
        let told = OwnThread { [path = bed.path, now = bed.now] in
            var told = [news.wait()]  // it listens from now on
            let ledger = try PostgresLedger.open(at: path)
            let change = RuleChange(workspace: "vision", sources: [SourceText(file: "a", text: "x")], living: [:])
            _ = try ledger.apply([change], base: 0, keepPending: true, now: now)
            told.append(news.wait())
            try Connection(path).execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE query LIKE 'LISTEN carillon_' || "
                    + "((current_schema()::regnamespace::oid::int8) & 2147483647)")
            told.append(news.wait())  // what was missed meanwhile
            try ledger.setSecret("key", of: "vision", to: [1], now: now)
            told.append(news.wait())
            news.stop()
            return told + [news.wait()]
        }
        #expect(try told.join() == [true, true, true, true, false])
    }

    @Test("what the ledger leased in a commit whose answer was lost goes back when the worker connects anew")
    func lostAnswer() throws {
        let bed = try Backend.postgres.make()
        let worker = try bed.worker(lease: .seconds(3600))
        try bed.decide(worker, Draft("a"), Draft("b"), Draft("c", subject: "job-2"))
        // As if the answers about these had been lost: a stranger leases them to the session behind its back.
        try bed.decide(worker, Draft("d", subject: "job-3", wanted: false))
        try bed.tamper(
            """
            UPDATE delivery SET state = 1, due = NULL, epoch = epoch + 1, session = \(worker.session) WHERE id = 4;
            UPDATE tally SET n = n - 1 WHERE name = 'delivery.pending';
            UPDATE tally SET n = n + 1 WHERE name = 'delivery.leased';
            """)
        try cut(bed)
        #expect(throws: LedgerError.self) { try worker.live.revision() }
        #expect(try worker.live.revision() == 0)
        #expect(try bed.states() == [.leased, .leased, .leased, .pending])
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [4])
        #expect(try bed.residue() == [])
    }

    @Test("a heartbeat raises the lowest lease of its session, for who ends it and for who looks")
    func lowest() throws {
        let bed = try Backend.postgres.make()
        let (worker, other) = (try bed.worker(lease: .seconds(3600)), try bed.worker("other", lease: .seconds(3600)))
        let ids = try bed.decide(
            worker, Draft("a"), Draft("b", subject: "job-2"), Draft("c", subject: "job-3", wanted: false)
        ).compactMap(\.id)
        func lowest() throws -> Int64 {
            #expect(try worker.live.extend(worker.session, until: bed.now + .seconds(3600)))
            return try Connection(bed.path).run("SELECT lowest FROM session WHERE id = \(worker.session)").int(0, 0)
        }
        #expect(try lowest() == ids[0])
        #expect(try bed.open().status(now: bed.now).workers.map(\.leased) == [2, 0])
        try bed.settle(worker, ids[0], .delivered)
        #expect(try lowest() == ids[1])
        try bed.settle(worker, ids[1], .delivered)
        #expect(try lowest() == ids[2] + 1)
        #expect(try bed.claim(worker).deliveries.map(\.delivery) == [ids[2]])
        #expect(try lowest() == ids[2])
        #expect(try bed.open().status(now: bed.now).workers.map(\.leased) == [1, 0])
        #expect(try bed.residue() == [])
        _ = other
    }

    @Test("an event that another decides at this moment is a duplicate once that commits", arguments: [true, false])
    func sameMoment(commits: Bool) throws {
        let bed = try Backend.postgres.make()
        let worker = try bed.worker(lease: .seconds(3600))
        try bed.decide(worker, Draft("a"))
        let isWritten = DispatchSemaphore(value: 0)
        // Another has written the key and not committed; it ends once a decision waits for it.
        let stranger = OwnThread { [path = bed.path, isWritten] in
            let (stranger, watcher) = (try Connection(path), try Connection(path))
            try stranger.execute("CREATE TEMP TABLE known AS SELECT segment, key FROM seen; DELETE FROM seen")
            try stranger.execute("BEGIN; INSERT INTO seen SELECT * FROM known")
            isWritten.signal()
            let waiting = "SELECT pid FROM pg_stat_activity WHERE \(stranger.server) = ANY(pg_blocking_pids(pid))"
            while try watcher.run(waiting).isEmpty {}
            try stranger.execute(commits ? "COMMIT" : "ROLLBACK")
        }
        isWritten.wait()
        let births = try bed.decide(worker, Draft("a"), Draft("b", subject: "job-2"))
        #expect(births.map { $0 == .duplicate } == [commits, false])
        try stranger.join()
    }

    @Test("many workers that start at once make one ledger")
    func startTogether() throws {
        let url = try PostgresServer.shared.get().freshURL()
        let threads = (0..<6).map { _ in OwnThread { try PostgresLedger.create(at: url).revision() } }
        for thread in threads { #expect(try thread.join() == 0) }
    }

    @Test(
        "of many workers that decide, claim and settle side by side nothing is lost, doubled or left",
        arguments: [3, 6], [false, true])
    func sideBySide(workers: Int, supersedes: Bool) throws {
        let bed = try Backend.postgres.make()
        let (url, now) = (bed.path, bed.now)
        let threads = (0..<workers).map { number in
            OwnThread {
                let ledger = try PostgresLedger.open(at: url)
                let session = try ledger.begin(session: "w\(number)", until: now + .seconds(3600), now: now)
                for round in 0..<15 {
                    // All share events, subjects and lanes, each in a partition of its own.
                    let drafts = (0..<8).map { index in
                        Draft(
                            "e\((round * 5 + index * (number + 1)) % 97)", subject: "s\(index % 3)",
                            wanted: index % 2 == 0, supersedes: supersedes && index % 3 != 0)
                    }
                    let from = try ledger.position("s", Int32(number)) ?? 0
                    let batch = Decisions(drafts, from: from, partition: Int32(number), now: now)
                    let births = try ledger.decide(batch, for: session, now: now).births ?? []
                    var endings: [Settlement] = births.compactMap { birth in
                        birth.isLeased ? birth.id.map { Settlement(delivery: $0, epoch: 1, ending: .delivered) } : nil
                    }
                    for claimed in try ledger.claim(for: session, room: Room(total: 20, perLane: 20), now: now)
                        .deliveries
                    {
                        let ending: Settlement.Ending = round % 4 == 0 ? .released : .delivered
                        endings.append(Settlement(delivery: claimed.delivery, epoch: claimed.epoch, ending: ending))
                    }
                    try ledger.settle(endings, for: session, now: now)
                }
                try ledger.end(session, now: now)
            }
        }
        for thread in threads { try thread.join() }
        #expect(try bed.residue() == [])
        let last = try bed.worker("last")
        while case let claims = try bed.claim(last).deliveries, !claims.isEmpty {
            for one in claims { try bed.settle(last, one.delivery, epoch: one.epoch, .delivered) }
        }
        #expect(try Set(bed.states()) == (supersedes ? [.delivered, .expired] : [.delivered]), "some wait for ever")
        let law = try bed.open().verify(now: bed.now)
        #expect(law.residue == [])
        #expect(law.read == Int64(workers * 15 * 8) && law.notified == law.deliveries.values.reduce(0, +))
    }

    @Test("a pause that comes while workers claim lets nothing through once it is said")
    func pauseBesideClaims() throws {
        let bed = try Backend.postgres.make()
        let (url, now) = (bed.path, bed.now)
        let worker = try bed.worker(lease: .seconds(3600))
        for index in 0..<200 {
            try bed.decide(worker, Draft("e\(index)", subject: "s\(index)", wanted: false))
        }
        let threads = (0..<3).map { number in
            OwnThread {
                let ledger = try PostgresLedger.open(at: url)
                let session = try ledger.begin(session: "w\(number)", until: now + .seconds(3600), now: now)
                var revision: Revision
                repeat {
                    revision = try ledger.revision()
                    let claimed = try ledger.claim(for: session, room: Room(total: 5, perLane: 500), now: now)
                        .deliveries
                    if revision == 1 { return claimed.count }
                } while true
            }
        }
        #expect(try bed.open().pause("hook", of: "vision", reason: "by hand", now: now))
        for thread in threads { #expect(try thread.join() == 0) }
        #expect(try bed.residue() == [])
    }

    @Test("a ledger of the first version is brought up to date by a worker, and nothing in it is lost")
    func firstVersion() throws {
        let bed = try Backend.postgres.make()
        let worker = try bed.worker(lease: .seconds(3600))
        try bed.decide(worker, Draft("a", wanted: false), Draft("b", subject: "2", suppressed: .stale))
        try bed.tamper(
            """
            ALTER TABLE delivery DROP COLUMN started; ALTER TABLE delivery DROP COLUMN supersedes;
            ALTER TABLE suppressed DROP COLUMN by; ALTER TABLE suppressed DROP COLUMN target;
            ALTER TABLE parked DROP COLUMN retried;
            DROP TABLE endpoint_state; DROP TABLE silence; DROP TABLE inbox;
            DROP TABLE quota; DROP TABLE quota_notice; DROP TABLE grp; DROP TABLE member; DROP TABLE notice;
            DROP TABLE digest; ALTER TABLE delivery DROP COLUMN digest;
            DROP TABLE threshold; ALTER TABLE delivery DROP COLUMN via;
            DROP TABLE lookup; DROP TABLE lookup_run; DROP TABLE lookup_mark; DROP TABLE replay; DROP TABLE resend;
            ALTER TABLE batch DROP COLUMN holes;
            UPDATE carillon_ledger SET version = 1, usable_from = 1
            """)
        let error = #expect(throws: LedgerError.self) { try bed.open() }
        guard case .schema(found: 1, known: 2...)? = error?.kind else {
            Issue.record("told \(String(describing: error))")
            return
        }
        _ = try PostgresLedger.create(at: bed.path)
        #expect(try bed.open().suppressed(DeliveryFilter()).map(\.reason) == ["stale"])
        #expect(try bed.claim(bed.worker()).deliveries.count == 1)
        #expect(try bed.residue() == [])
    }

    @Test("a ledger with additive steps of the next version is used by this one; one that needs the next is refused")
    func nextVersion() throws {
        let bed = try Backend.postgres.make()
        try bed.tamper("UPDATE carillon_ledger SET version = version + 1")
        #expect(try bed.open().revision() == 0)
        _ = try PostgresLedger.create(at: bed.path)
        try bed.tamper("UPDATE carillon_ledger SET usable_from = version")
        let error = #expect(throws: LedgerError.self) { try bed.open() }
        guard case .schema(let found, let known)? = error?.kind else {
            Issue.record("told \(String(describing: error))")
            return
        }
        #expect(found == known + 1)
    }

    @Test("a schema without a ledger is missing, and looking for it makes none")
    func missing() throws {
        let url = try PostgresServer.shared.get().freshURL()
        for _ in 0..<2 {
            let error = #expect(throws: LedgerError.self) { try PostgresLedger.open(at: url) }
            #expect(error?.kind == .missing)
        }
    }

    @Test(
        "no error tells a password",
        arguments: [
            "postgresql://u:hunter2@127.0.0.1:1/db", "postgresql://u:hunter2@[bad/db?x=%zz",
            "host=127.0.0.1 password=hunter2 port=1 nonsense",
        ])
    func secrets(url: String) throws {
        let error = #expect(throws: LedgerError.self) { try PostgresLedger.open(at: url) }
        #expect(error?.description.contains("hunter2") == false)
        #expect(error?.isTransient == url.hasSuffix("1/db"))
    }

    @Test(
        "an event is known within the dedup horizon over segments that begin and are dropped, and no longer than it must be"
    )
    func segments() throws {
        let bed = try Backend.postgres.make(
            keeping: .init(retention: .seconds(30 * 86_400), dedupHorizon: .seconds(7 * 86_400)))
        let worker = try bed.worker(lease: .seconds(365 * 86_400))
        func duplicates(_ id: String) throws -> Int {
            while try worker.live.tend(now: bed.now) {}
            let from = try worker.live.position("s", 0) ?? 0
            let batch = Decisions([Draft(id, suppressed: .stale)], from: from, now: bed.now)
            return try worker.live.decide(batch, for: worker.session, now: bed.now).duplicates ?? -1
        }
        #expect(try duplicates("first") == 0)
        for day in 1...6 {
            #expect(try duplicates("day \(day)") == 0)
            bed.clock.advance(by: .seconds(86_400))
            #expect(try duplicates("first") == 1, "day \(day)")
            #expect(try bed.residue() == [])
        }
        bed.clock.advance(by: .seconds(10 * 86_400))
        #expect(try duplicates("first") == 0)
        bed.clock.advance(by: .seconds(60 * 86_400))
        _ = try duplicates("later")
        #expect(try bed.residue() == [], "events were dropped by the day")
    }
}
