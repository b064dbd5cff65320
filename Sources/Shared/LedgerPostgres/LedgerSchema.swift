import CarillonLedger
import CarillonPostgres

// The tables, and why they are cut this way; what is like the SQLite ledger is said there.
//
// - A *segment* is a span of time, a day at most. `event` (fat, append-only) and `seen` (the keys that make an event unique)
//   have a partition for each, so retention drops tables instead of rows. New keys go to the newest segment only, and each is
//   looked for in all elder ones, which change no more: a partition is never part of the uniqueness.
// - `delivery` is narrow and changes. Three small partial indexes follow its open life: the head of a pair, what is due by
//   lane. It is not partitioned, as a pair would have to be looked for in every day; housekeeping removes old rows from the
//   low end of its key, where pages empty whole.
// - `lane` is more than a name: whoever inserts, reopens, settles or frees deliveries holds the rows of their lanes locked, in
//   order of number. That is what keeps a pair in order among many workers; claims take no such lock and wait for nobody.
// - `tally` has a row for each name and *slot*, and a connection writes its own slot, so that counting makes nobody wait.
// - `endpoint_state` is usually empty: endpoints that are paused or disabled (`session` 0), or down in the eyes of a session.
//   The first two change under `Gate.rules`, as silences do.
// - `quota` and `quota_notice`: see `Quota`.
// - `grp` holds groups of events, `member` who joined which, `notice` what each of their notifications counted. The
//   notifications stand in `event` too, in partition -1.
// - `digest` has a row for each group that is a digest, and `delivery.digest` says which one tells a delivery; see `Digests`.
// - `threshold` has a row for each key of a rule with `after`: `Sightings` as bytes, and until when they may matter.
// - `inbox` holds the pages of the channel `inbox`; a page goes with its delivery.
// - `lookup` finds decided events by their names; `lookup_run` says up to which event its runs go, and where the rows of
//   their events stand; `lookup_mark` is where the next ends; see `Lookup`.
// - `replay` has a row for each replay; `resend` names what is sent again although it was delivered; see `Replays`.
// - `seen` and `segment` change under the lock `Gate.segments`, the rules under `Gate.rules`.
//
// Workers of the version before work on beside those of this one: a step only adds, and says from which version on a worker
// can live with it.

/// The steps that make a ledger of this version.
enum LedgerSchema {
    /// Each with the oldest version that can work on a ledger which has it.
    static let steps: [(usableFrom: Int, sql: String)] = [
        (1, first), (2, troubles), (2, answers), (2, quotas), (2, notices), (2, groups), (2, thresholds), (2, holes),
        (2, digests), (10, unindexed),
    ]
    static var known: Int { steps.count }

    /// What stands in the schema the connection looks into.
    enum Standing: Equatable {
        case nothing
        case version(Int, usableFrom: Int)
    }

    static func standing(_ connection: Connection) throws(PostgresFailure) -> Standing {
        guard try !connection.run("SELECT to_regclass('carillon_ledger')::text").isNull(0, 0) else { return .nothing }
        let rows = try connection.run("SELECT version, usable_from FROM carillon_ledger")
        guard rows.count == 1 else { throw PostgresFailure(.corrupt, cause: "carillon_ledger has \(rows.count) rows") }
        return .version(Int(rows.int(0, 0)), usableFrom: Int(rows.int(0, 1)))
    }

    /// Takes the steps that are missing, in one transaction; of many workers that start together one does.
    static func migrate(_ connection: Connection, space: Int64) throws(PostgresFailure) {
        if case .version(let found, _) = try standing(connection), found >= known { return }
        try connection.run("BEGIN")
        try connection.run(Gate.exclusive, Parameters(space, Gate.schema))
        let encoding = try connection.run("SHOW server_encoding").text(0, 0)
        guard encoding == "UTF8" else {
            throw PostgresFailure(.other, cause: "the database's encoding is \(encoding), and has to be UTF8")
        }
        var from = 0
        if case .version(let found, _) = try standing(connection) { from = found }
        for (index, step) in steps.enumerated() where index >= from {
            try connection.execute(step.sql)
            try connection.execute(
                "UPDATE carillon_ledger SET version = \(index + 1), usable_from = greatest(usable_from, \(step.usableFrom))"
            )
        }
        try connection.run("COMMIT")
    }

    private static let first = """
        CREATE TABLE carillon_ledger (version int NOT NULL, usable_from int NOT NULL);
        INSERT INTO carillon_ledger VALUES (1, 1);
        CREATE TABLE meta (name text COLLATE "C" PRIMARY KEY, value bigint NOT NULL);
        INSERT INTO meta VALUES ('revision', 0);
        CREATE TABLE tally (
            name text COLLATE "C" NOT NULL, slot bigint NOT NULL, n bigint NOT NULL, PRIMARY KEY (name, slot))
            WITH (fillfactor = 50);
        CREATE TABLE position (
            stream text COLLATE "C" NOT NULL, partition bigint NOT NULL, next bigint NOT NULL,
            PRIMARY KEY (stream, partition)) WITH (fillfactor = 50);
        CREATE TABLE batch (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text COLLATE "C" NOT NULL, partition bigint NOT NULL,
            first bigint NOT NULL, next bigint NOT NULL, revision bigint NOT NULL, at bigint NOT NULL,
            read bigint NOT NULL, gap bigint NOT NULL, unmatched bigint NOT NULL, matched bigint NOT NULL,
            duplicate bigint NOT NULL, parked bigint NOT NULL, selected bigint NOT NULL);
        CREATE INDEX batch_place ON batch (stream, partition, first);
        CREATE TABLE segment (id bigint PRIMARY KEY, born bigint, sealed bigint);
        INSERT INTO segment VALUES (0, NULL, NULL);
        CREATE SEQUENCE event_number;
        CREATE TABLE seen (segment bigint NOT NULL, key uuid NOT NULL, PRIMARY KEY (key, segment)) PARTITION BY LIST (segment);
        CREATE TABLE event (
            seq bigint PRIMARY KEY, key uuid NOT NULL, workspace text COLLATE "C" NOT NULL, type text COLLATE "C" NOT NULL,
            subject text COLLATE "C", time bigint NOT NULL, appended bigint NOT NULL, partition bigint NOT NULL,
            place bigint NOT NULL, bytes bytea NOT NULL) PARTITION BY RANGE (seq);
        CREATE TABLE seen_0 PARTITION OF seen FOR VALUES IN (0);
        CREATE TABLE event_0 PARTITION OF event FOR VALUES FROM (0) TO (1099511627776);
        CREATE TABLE rule (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace text COLLATE "C" NOT NULL,
            name text COLLATE "C" NOT NULL, UNIQUE (workspace, name)) WITH (fillfactor = 50);
        CREATE TABLE lane (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace text COLLATE "C" NOT NULL,
            target text COLLATE "C" NOT NULL, UNIQUE (workspace, target)) WITH (fillfactor = 50);
        CREATE TABLE delivery (
            id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, event bigint NOT NULL, rule bigint NOT NULL,
            lane bigint NOT NULL, revision bigint NOT NULL, key uuid NOT NULL, pair bigint, decided bigint NOT NULL,
            expires bigint NOT NULL, round bigint NOT NULL, epoch bigint NOT NULL, session bigint NOT NULL, due bigint,
            not_before bigint, settled bigint, part int NOT NULL, state int NOT NULL, attempts int NOT NULL DEFAULT 0,
            status int NOT NULL DEFAULT 0, reason text COLLATE "C" NOT NULL DEFAULT '');
        CREATE INDEX delivery_open ON delivery (pair, id) WHERE state < 2 AND pair IS NOT NULL;
        CREATE INDEX delivery_due ON delivery (lane, due, id) WHERE due IS NOT NULL;
        CREATE TABLE attempt (
            delivery bigint NOT NULL, number bigint NOT NULL, at bigint NOT NULL, reason text COLLATE "C" NOT NULL,
            status bigint NOT NULL, words text COLLATE "C" NOT NULL, PRIMARY KEY (delivery, number));
        CREATE TABLE suppressed (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event bigint NOT NULL, rule bigint NOT NULL,
            reason text COLLATE "C" NOT NULL, at bigint NOT NULL, earlier uuid);
        CREATE TABLE parked (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text COLLATE "C" NOT NULL, partition bigint NOT NULL,
            place bigint NOT NULL, reason text COLLATE "C" NOT NULL, at bigint NOT NULL, bytes bytea NOT NULL);
        CREATE TABLE session (
            id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL, until bigint NOT NULL,
            lowest bigint NOT NULL, server text NOT NULL) WITH (fillfactor = 50);
        CREATE TABLE ruleset (
            workspace text COLLATE "C" NOT NULL, revision bigint NOT NULL, at bigint NOT NULL, sources text NOT NULL,
            PRIMARY KEY (workspace, revision));
        CREATE INDEX ruleset_change ON ruleset (revision);
        CREATE TABLE secret (
            workspace text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, value bytea NOT NULL, at bigint NOT NULL,
            PRIMARY KEY (workspace, name));
        CREATE TABLE dedup_clock (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text COLLATE "C" NOT NULL, partition bigint NOT NULL,
            reached bigint NOT NULL, UNIQUE (stream, partition)) WITH (fillfactor = 50);
        CREATE TABLE dedup (
            key uuid NOT NULL, opened bigint NOT NULL, ends bigint NOT NULL, clock bigint NOT NULL, earlier uuid NOT NULL,
            PRIMARY KEY (key, opened));
        CREATE INDEX dedup_over ON dedup (clock, ends);
        """

    /// How many offsets of a batch never had a record.
    ///
    /// Batches of before, and of a worker of the version before, say nothing of it.
    private static let holes = "ALTER TABLE batch ADD COLUMN holes bigint;"

    /// The sends of each scope (its name tells channel and address), what inboxes are told of it, and the target that a
    /// delivery is sent to instead of its own.
    ///
    /// A worker of the version before works on, and charges nothing: limits hold once it is gone.
    private static let quotas = """
        ALTER TABLE delivery ADD COLUMN via text COLLATE "C";
        CREATE TABLE quota (
            scope text COLLATE "C" PRIMARY KEY, log bytea NOT NULL, open int NOT NULL, ends bigint NOT NULL,
            label text COLLATE "C" NOT NULL, reset_at bigint, reset_by text COLLATE "C") WITH (fillfactor = 50);
        CREATE INDEX quota_open ON quota (scope) WHERE open > 0;
        CREATE TABLE quota_notice (
            workspace text COLLATE "C" NOT NULL, target text COLLATE "C" NOT NULL, spent text COLLATE "C" NOT NULL,
            since bigint NOT NULL, until bigint NOT NULL, count bigint NOT NULL,
            PRIMARY KEY (workspace, target, spent, since)) WITH (fillfactor = 50);
        """

    /// When a message about what was withheld is due, until it is decided.
    private static let notices = """
        ALTER TABLE quota_notice ADD COLUMN message_at bigint;
        CREATE INDEX quota_notice_untold ON quota_notice (message_at) WHERE message_at IS NOT NULL;
        """

    /// A group is open as long as it has a `due`; `lanes` are its targets, in order.
    ///
    /// A worker of the version before works on, but for rules with groups, which it cannot read.
    private static let groups = """
        CREATE TABLE grp (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key uuid NOT NULL, opener uuid NOT NULL, rule bigint NOT NULL,
            lanes text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, ordered int NOT NULL, opened bigint NOT NULL,
            due bigint, closed bigint, every bigint NOT NULL, life bigint NOT NULL, revision bigint NOT NULL,
            notices bigint NOT NULL DEFAULT 0, told bigint NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0,
            size bigint NOT NULL DEFAULT 0, failed bigint NOT NULL DEFAULT 0, suppressed bigint NOT NULL DEFAULT 0,
            since bigint NOT NULL) WITH (fillfactor = 50);
        CREATE UNIQUE INDEX grp_open ON grp (key) WHERE due IS NOT NULL;
        CREATE INDEX grp_due ON grp (due, id) WHERE due IS NOT NULL;
        CREATE INDEX grp_closed ON grp (closed) WHERE closed IS NOT NULL;
        CREATE TABLE member (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event bigint NOT NULL, grp bigint NOT NULL,
            at bigint NOT NULL);
        CREATE INDEX member_grp ON member (grp, id);
        CREATE INDEX member_event ON member (event);
        CREATE TABLE notice (
            event bigint PRIMARY KEY, grp bigint NOT NULL, number bigint NOT NULL, first bigint NOT NULL,
            last bigint NOT NULL, size bigint NOT NULL, failed bigint NOT NULL, suppressed bigint NOT NULL,
            total bigint NOT NULL, since bigint NOT NULL, events bytea NOT NULL);
        CREATE INDEX notice_grp ON notice (grp, number);
        """

    private static let thresholds = """
        CREATE TABLE threshold (key uuid PRIMARY KEY, ends bigint NOT NULL, log bytea NOT NULL) WITH (fillfactor = 50);
        CREATE INDEX threshold_over ON threshold (ends);
        """

    /// A digest is open as long as it has a `due`.
    ///
    /// Its row of `grp` has none, so that workers of the version before leave it alone. `first` is the eldest delivery it
    /// tells.
    private static let digests = """
        ALTER TABLE delivery ADD COLUMN digest bigint;
        CREATE INDEX delivery_digest ON delivery (digest, id) WHERE digest IS NOT NULL;
        CREATE TABLE digest (
            id bigint PRIMARY KEY, lane bigint NOT NULL, rule bigint NOT NULL, due bigint, size bigint NOT NULL,
            failed bigint NOT NULL, first bigint NOT NULL);
        CREATE UNIQUE INDEX digest_open ON digest (lane, rule) WHERE due IS NOT NULL;
        CREATE INDEX digest_due ON digest (due) WHERE due IS NOT NULL;
        """

    /// Endpoints that get nothing for a while, deliveries that are sent once or take the place of older ones, what
    /// suppressed a selection in words, silences, and the inbox.
    private static let troubles = """
        ALTER TABLE delivery ADD COLUMN started bigint NOT NULL DEFAULT 0;
        ALTER TABLE delivery ADD COLUMN supersedes int NOT NULL DEFAULT 0;
        ALTER TABLE suppressed ADD COLUMN by text COLLATE "C";
        ALTER TABLE suppressed ADD COLUMN target text COLLATE "C";
        ALTER TABLE parked ADD COLUMN retried bigint;
        CREATE TABLE endpoint_state (
            lane bigint NOT NULL, session bigint NOT NULL, state text COLLATE "C" NOT NULL,
            reason text COLLATE "C" NOT NULL, at bigint NOT NULL, PRIMARY KEY (lane, session));
        CREATE TABLE silence (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace text COLLATE "C" NOT NULL,
            pattern text COLLATE "C" NOT NULL, comment text COLLATE "C" NOT NULL, since bigint NOT NULL,
            until bigint NOT NULL);
        CREATE TABLE inbox (
            delivery bigint PRIMARY KEY, lane bigint NOT NULL, at bigint NOT NULL, title text COLLATE "C" NOT NULL,
            message text COLLATE "C" NOT NULL, severity text COLLATE "C" NOT NULL, url text COLLATE "C");
        CREATE INDEX inbox_reader ON inbox (lane, delivery);
        """

    /// Finding events by their names, and replays.
    ///
    /// A worker of the version before knows nothing of `resend`: what is sent again while one is there ends as the new try.
    private static let answers = """
        CREATE TABLE lookup_run (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, last bigint NOT NULL UNIQUE, first_delivery bigint,
            last_delivery bigint, first_suppressed bigint, last_suppressed bigint, next_delivery bigint NOT NULL,
            next_suppressed bigint NOT NULL);
        CREATE TABLE lookup (
            block int NOT NULL, run bigint NOT NULL, hashes bigint[] NOT NULL, events bigint[] NOT NULL,
            PRIMARY KEY (block, run));
        ALTER TABLE lookup ALTER COLUMN hashes SET STORAGE EXTERNAL, ALTER COLUMN events SET STORAGE EXTERNAL;
        CREATE TABLE lookup_mark (
            event bigint NOT NULL, delivery bigint NOT NULL, suppressed bigint NOT NULL, before bigint NOT NULL);
        CREATE TABLE replay (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, question text COLLATE "C" NOT NULL, since bigint NOT NULL,
            until bigint NOT NULL, cursor bigint NOT NULL DEFAULT 0, last bigint NOT NULL, began bigint NOT NULL,
            ended bigint, reopened bigint NOT NULL DEFAULT 0, decided bigint NOT NULL DEFAULT 0);
        CREATE INDEX replay_open ON replay (question) WHERE ended IS NULL;
        CREATE TABLE resend (delivery bigint PRIMARY KEY);
        """

    /// An index of the scopes with open sends made each charge and each settlement a new row in every index.
    ///
    /// It was read only after a death. Without it a row is changed where it stands, given room on its page. Versions before
    /// cannot read the logs of this one.
    private static let unindexed = """
        DROP INDEX quota_open;
        ALTER TABLE quota SET (fillfactor = 50);
        """
}

/// Locks that are no rows: PostgreSQL's advisory ones, numbered within the ledger's schema.
///
/// Sessions of workers have the numbers from 1 on.
enum Gate {
    /// Held by who changes the tables.
    static let schema: Int64 = -1
    /// Held by who changes the rules; shared by who decides.
    static let rules: Int64 = -2
    /// Held by who begins or drops a segment; shared by who decides.
    static let segments: Int64 = -3
    /// Held by who removes old rows.
    static let housekeeping: Int64 = -4
    /// Held by who begins a replay.
    static let replays: Int64 = -5

    static let exclusive = "SELECT pg_advisory_xact_lock($1::int4, $2::int4)"
    static let shared = "SELECT pg_advisory_xact_lock_shared($1::int4, $2::int4)"
}
