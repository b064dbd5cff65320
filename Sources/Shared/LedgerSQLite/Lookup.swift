import CarillonEvents
import CarillonLedger
import CarillonSQLite

// Finding a decided event by its key, its subject or a delivery's key. Three indexes over random hashes would dirty three
// pages an event on the path, for a question asked now and then. So housekeeping sums up events, thousands at a time, as
// one sorted run of (hash, event), in blocks of some hundred that are a row each of `lookup`: a row an entry would cost more
// than the path has for it. A question probes every run, one block in each, and looks through the events behind the last
// one. Rows of `delivery` and `suppressed` follow
// their events' order, so those of an event are found by halving.

extension SQLiteLedger {
    /// Events in a run.
    static let runLength: Int64 = 16_384

    /// So many events wait for their summing up while there is better to do; a question looks through them in some 25 ms.
    private static let longestTail: Int64 = 32_768
    /// More new events than this since the last look are better to do.
    private static let crowd: Int64 = 256

    /// How many events were decided since this was asked last.
    func eventsSinceLastLook() throws(LedgerError) -> Int64 {
        let newest = try attempting("look for new events") { () throws(SQLiteFailure) in
            try database.int("SELECT max(seq) FROM event") ?? 0
        }
        defer { newestTended = newest }
        return newest - newestTended
    }

    /// Sums up the next events, under load only when many wait; false when there is nothing to do.
    func sumUpInTime(news: Int64) throws(LedgerError) -> Bool {
        try sumUp(atLeast: news > Self.crowd ? Self.longestTail : Self.runLength)
    }

    /// Sums up the next events; false when there are not enough of them yet.
    func sumUp(atLeast least: Int64 = SQLiteLedger.runLength) throws(LedgerError) -> Bool {
        let covered = try attempting("look for events to sum up") { () throws(SQLiteFailure) in
            let covered = try lastCovered()
            let newest = try database.int("SELECT max(seq) FROM event") ?? 0
            return newest - covered >= least && newest > covered ? covered : nil
        }
        guard let covered else { return false }
        return try transaction(.process, "sum up events") { () throws(SQLiteFailure) in
            guard try lastCovered() == covered else { return true }
            let run = try database.int("SELECT max(id) FROM lookup_run") ?? 0
            var found: [(hash: Int64, event: Int64)] = []
            let last = try collectEvents(after: covered, into: &found)
            try collectDeliveries(of: covered + 1...last, into: &found)
            found.sort { ($0.hash, $0.event) < ($1.hash, $1.event) }
            let insert = try database.statement("INSERT INTO lookup VALUES (?, ?, ?)")
            for block in LookupBlock.blocks(of: found, last: last) {
                insert.bind(1, run + 1)
                insert.bind(2, block.first)
                insert.bind(3, blob: block.bytes.span)
                try insert.run()
            }
            try database.execute("INSERT INTO lookup_run VALUES (\(run + 1), \(last))")
            return true
        }
    }

    /// Drops runs whose events retention took.
    ///
    /// Inside a write transaction.
    func dropRuns() throws(SQLiteFailure) {
        let gone = "last < ifnull((SELECT min(seq) FROM event), 9223372036854775807)"
        guard try database.int("SELECT 1 FROM lookup_run WHERE \(gone) LIMIT 1") != nil else { return }
        try database.execute(
            """
            DELETE FROM lookup WHERE run IN (SELECT id FROM lookup_run WHERE \(gone));
            DELETE FROM lookup_run WHERE \(gone);
            """)
    }

    private func lastCovered() throws(SQLiteFailure) -> Int64 {
        try database.int("SELECT last FROM lookup_run ORDER BY id DESC LIMIT 1") ?? 0
    }

    private func collectEvents(
        after covered: Int64, into found: inout [(hash: Int64, event: Int64)]
    ) throws(SQLiteFailure) -> Int64 {
        let query = try database.statement("SELECT seq, key, subject FROM event WHERE seq > ? ORDER BY seq LIMIT ?")
        query.bind(1, covered)
        query.bind(2, Self.runLength)
        defer { query.reset() }
        var last = covered
        while try query.step() {
            last = query.int(0)
            found.append((Int64(bitPattern: query.halves(1).low), last))
            if let subject = query.optionalText(2) { found.append((Self.hash(ofSubject: subject), last)) }
        }
        return last
    }

    private func collectDeliveries(
        of events: ClosedRange<Int64>, into found: inout [(hash: Int64, event: Int64)]
    ) throws(SQLiteFailure) {
        let query = try database.statement("SELECT key, event FROM delivery WHERE id >= ? AND id < ? ORDER BY id")
        query.bind(1, try first(of: "delivery", naming: events.lowerBound))
        query.bind(2, try first(of: "delivery", naming: events.upperBound + 1))
        defer { query.reset() }
        while try query.step() { found.append((Int64(bitPattern: query.halves(0).low), query.int(1))) }
    }

    private static func hash(ofSubject subject: String) -> Int64 {
        var hasher = KeyHasher("subject")
        hasher.add(subject)
        return hasher.key().number
    }

    /// The first row of a table whose event is this one or a later one.
    func first(of table: StaticString, naming event: Int64) throws(SQLiteFailure) -> Int64 {
        var low = try database.int("SELECT min(id) FROM \(table)") ?? 1
        var high = (try database.int("SELECT max(id) FROM \(table)") ?? 0) + 1
        let probe = try database.statement("SELECT id, event FROM \(table) WHERE id >= ? ORDER BY id LIMIT 1")
        while low < high {
            let middle = low + (high - low) / 2
            probe.bind(1, middle)
            defer { probe.reset() }
            if try probe.step(), probe.int(1) < event { low = probe.int(0) + 1 } else { high = middle }
        }
        return low
    }

    /// So many hashes are looked for one by one; for more, a run is read as a whole.
    private static let probed = 100

    /// The numbers of events of a name, the newest first.
    func numbers(of name: EventName, limit: Int) throws(SQLiteFailure) -> [Int64] {
        let covered = try lastCovered()
        var numbers = try numbersBehind(covered, name, limit)
        let hashes: Set<Int64> =
            switch name {
            case .keys(let keys): Set(keys.map(\.number))
            case .delivery(let key): [key.number]
            case .subject(let subject): [Self.hash(ofSubject: subject)]
            }
        let runs = try database.prepare("SELECT id, last FROM lookup_run ORDER BY id DESC")
        while numbers.count < limit, try runs.step() {
            for event in try events(of: hashes, inRun: runs.int(0), last: runs.int(1)) where numbers.count < limit {
                if try isNamed(name, event) { numbers.append(event) }
            }
        }
        return numbers
    }

    /// The events of a run that have one of these hashes, the newest first.
    private func events(of hashes: Set<Int64>, inRun run: Int64, last: Int64) throws(SQLiteFailure) -> [Int64] {
        var found: Set<Int64> = []
        guard hashes.count <= Self.probed else {
            let whole = try database.statement("SELECT first, entries FROM lookup WHERE run = ?")
            whole.bind(1, run)
            defer { whole.reset() }
            while try whole.step() {
                found.formUnion(LookupBlock(first: whole.int(0), bytes: whole.blob(1)).events(of: hashes, last: last))
            }
            return found.sorted(by: >)
        }
        let probe = try database.statement(
            "SELECT first, entries FROM lookup WHERE run = ? AND first <= ? ORDER BY first DESC LIMIT 1")
        for hash in hashes.sorted() {
            probe.bind(1, run)
            probe.bind(2, hash)
            defer { probe.reset() }
            guard try probe.step() else { continue }
            found.formUnion(LookupBlock(first: probe.int(0), bytes: probe.blob(1)).events(of: hash, last: last))
        }
        return found.sorted(by: >)
    }

    /// Looks through the events that no run sums up yet.
    private func numbersBehind(_ covered: Int64, _ name: EventName, _ limit: Int) throws(SQLiteFailure) -> [Int64] {
        let query: Statement
        switch name {
        case .keys(let keys): return try numbersBehind(covered, keys, limit)
        case .subject(let subject):
            query = try database.statement(
                "SELECT seq FROM event WHERE seq > ?1 AND subject = ?2 ORDER BY seq DESC LIMIT ?3")
            query.bind(2, subject)
        case .delivery(let key):
            query = try database.statement(
                "SELECT event FROM delivery WHERE id >= ?4 AND event > ?1 AND key = ?2 ORDER BY id DESC LIMIT ?3")
            query.bind(2, high: key.high, low: key.low)
            query.bind(4, try first(of: "delivery", naming: covered + 1))
        }
        query.bind(1, covered)
        query.bind(3, Int64(clamping: limit))
        defer { query.reset() }
        var numbers: [Int64] = []
        while try query.step() { numbers.append(query.int(0)) }
        return numbers
    }

    private func numbersBehind(_ covered: Int64, _ keys: Set<Key>, _ limit: Int) throws(SQLiteFailure) -> [Int64] {
        let query = try database.statement("SELECT seq, key FROM event WHERE seq > ? ORDER BY seq DESC")
        query.bind(1, covered)
        defer { query.reset() }
        var numbers: [Int64] = []
        while numbers.count < limit, try query.step() {
            let key = query.halves(1)
            if keys.contains(Key(high: key.high, low: key.low)) { numbers.append(query.int(0)) }
        }
        return numbers
    }

    /// Whether an event that has the hash of a name has the name.
    private func isNamed(_ name: EventName, _ event: Int64) throws(SQLiteFailure) -> Bool {
        let query: Statement
        switch name {
        case .keys(let keys):
            query = try database.statement("SELECT key FROM event WHERE seq = ?")
            query.bind(1, event)
            defer { query.reset() }
            guard try query.step() else { return false }
            let key = query.halves(0)
            return keys.contains(Key(high: key.high, low: key.low))
        case .subject(let subject):
            query = try database.statement("SELECT 1 FROM event WHERE seq = ? AND subject = ?")
            query.bind(2, subject)
        case .delivery(let key):
            query = try database.statement(
                "SELECT 1 FROM delivery WHERE event = ?1 AND id >= ?3 AND id < ?4 AND key = ?2")
            query.bind(2, high: key.high, low: key.low)
            query.bind(3, try first(of: "delivery", naming: event))
            query.bind(4, try first(of: "delivery", naming: event + 1))
        }
        query.bind(1, event)
        defer { query.reset() }
        return try query.step()
    }
}
