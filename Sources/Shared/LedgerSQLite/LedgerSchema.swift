import CarillonSQLite

// The tables, and why they are cut this way:
//
// - `event` is fat and append-only: what was published, once for all its deliveries.
// - `delivery` is narrow and changes: two dozen rows to a page, so a settled batch dirties few pages.
// - A delivery's open life costs one small partial index: `delivery_open` finds the head of a (target, subject) pair. It
//   shrinks to nothing when all is settled. What a dead session held is found by a scan from its `lowest` lease on.
// - `due` is the due-time table. Only what may be claimed stands in it: a delivery behind an unsettled one of its pair has
//   no row. Keyed by lane first, so a claim takes turns among receivers and never wades through a dead one's backlog.
// - `fresh` and `seen_N` (made as they are needed, listed in `segment`) hold the keys that make an event unique; see
//   `SeenKeys`.
// - `inbox` holds the pages of the channel `inbox`; a page goes with its delivery.
// - `dedup` and `dedup_clock` hold the dedup windows; see `Windows`.
// - `lookup` finds decided events by their names; `lookup_run` says up to which event its runs go; see `Lookup`.
// - `replay` has a row for each replay; `resend` names what is sent again although it was delivered; see `Replays`.
// - `endpoint_state` is usually empty: endpoints that are paused, disabled, or down in the eyes of a session.
// - `quota` and `quota_notice`: see `Quota`.
// - `grp` holds groups of events, `member` who joined which, `notice` what each of their notifications counted; see
//   `Groups`. The notifications stand in `event` too, in partition -1.
// - `digest` has a row for each group that is a digest, and `delivery.digest` says which one tells a delivery; see `Digests`.
// - `threshold` has a row for each key of a rule with `after`: `Sightings` as bytes, and until when they may matter.
// - `tally` keeps running counts by name, so that status and metrics need no scan; `verify` compares them with the rows.
//
// Times are milliseconds since the epoch. Keys are 16 bytes. `state` is `DeliveryState`'s place in `StateCode`.

enum LedgerSchema {
    /// "CarL".
    private static let application: Int32 = 0x4361_724c
    static let schema = Schema(
        application: application,
        steps: [
            first, fresh, dedup, lowest, changes, inbox, people, endpoints, answers, behind, quotas, groups, notices,
            thresholds, holes, digests, unindexed,
        ])

    private static let first = """
        CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO meta VALUES ('revision', 0);
        CREATE TABLE tally (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE position (
            stream TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
            PRIMARY KEY (stream, partition)) WITHOUT ROWID;
        CREATE TABLE batch (
            id INTEGER PRIMARY KEY, stream TEXT NOT NULL, partition INTEGER NOT NULL, first INTEGER NOT NULL,
            next INTEGER NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL, read INTEGER NOT NULL,
            gap INTEGER NOT NULL, unmatched INTEGER NOT NULL, matched INTEGER NOT NULL, duplicate INTEGER NOT NULL,
            parked INTEGER NOT NULL, selected INTEGER NOT NULL);
        CREATE INDEX batch_place ON batch (stream, partition, first);
        CREATE TABLE segment (id INTEGER PRIMARY KEY, keys INTEGER NOT NULL, newest INTEGER NOT NULL);
        CREATE TABLE rule (id INTEGER PRIMARY KEY, workspace TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (workspace, name));
        CREATE TABLE lane (id INTEGER PRIMARY KEY, workspace TEXT NOT NULL, target TEXT NOT NULL, UNIQUE (workspace, target));
        CREATE TABLE event (
            seq INTEGER PRIMARY KEY, key BLOB NOT NULL, workspace TEXT NOT NULL, type TEXT NOT NULL, subject TEXT,
            time INTEGER NOT NULL, appended INTEGER NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
            bytes BLOB NOT NULL);
        CREATE TABLE delivery (
            id INTEGER PRIMARY KEY, event INTEGER NOT NULL, rule INTEGER NOT NULL, lane INTEGER NOT NULL,
            part INTEGER NOT NULL, revision INTEGER NOT NULL, key BLOB NOT NULL, pair INTEGER, decided INTEGER NOT NULL,
            expires INTEGER NOT NULL, round INTEGER NOT NULL, state INTEGER NOT NULL, epoch INTEGER NOT NULL,
            session INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due INTEGER, not_before INTEGER,
            settled INTEGER, status INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '');
        CREATE INDEX delivery_open ON delivery (pair, id) WHERE state < 2;
        CREATE INDEX delivery_leased ON delivery (session) WHERE state = 1;
        CREATE TABLE due (
            lane INTEGER NOT NULL, at INTEGER NOT NULL, delivery INTEGER NOT NULL,
            PRIMARY KEY (lane, at, delivery)) WITHOUT ROWID;
        CREATE TABLE attempt (
            delivery INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL,
            status INTEGER NOT NULL, words TEXT NOT NULL, PRIMARY KEY (delivery, number)) WITHOUT ROWID;
        CREATE TABLE suppressed (
            id INTEGER PRIMARY KEY, event INTEGER NOT NULL, rule INTEGER NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL);
        CREATE TABLE parked (
            id INTEGER PRIMARY KEY, stream TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
            reason TEXT NOT NULL, at INTEGER NOT NULL, bytes BLOB NOT NULL);
        CREATE TABLE session (
            id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, lock TEXT NOT NULL, until INTEGER NOT NULL);
        CREATE TABLE ruleset (
            workspace TEXT NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL, sources TEXT NOT NULL,
            PRIMARY KEY (workspace, revision)) WITHOUT ROWID;
        CREATE TABLE secret (
            workspace TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (workspace, name)) WITHOUT ROWID;
        """

    /// New keys are appended here; a segment that was being filled until now counts as full.
    private static let fresh = """
        CREATE TABLE fresh (n INTEGER PRIMARY KEY, key BLOB NOT NULL);
        INSERT INTO meta SELECT 'segments', ifnull(max(id), 0) FROM segment;
        """

    /// Finds what changed since a revision without a look at the rest.
    private static let changes = "CREATE INDEX ruleset_change ON ruleset (revision);"

    /// What the channel `inbox` delivered, by the lane of its reader: the newest first.
    private static let inbox = """
        CREATE TABLE inbox (
            delivery INTEGER PRIMARY KEY, lane INTEGER NOT NULL, at INTEGER NOT NULL, title TEXT NOT NULL,
            message TEXT NOT NULL, severity TEXT NOT NULL, url TEXT);
        CREATE INDEX inbox_reader ON inbox (lane, delivery);
        """

    /// What suppressed a selection and which target of it, in words; and silences.
    private static let people = """
        ALTER TABLE suppressed ADD COLUMN by TEXT;
        ALTER TABLE suppressed ADD COLUMN target TEXT;
        CREATE TABLE silence (
            id INTEGER PRIMARY KEY AUTOINCREMENT, workspace TEXT NOT NULL, pattern TEXT NOT NULL,
            comment TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL);
        """

    /// What keeps endpoints from getting messages (`session` 0: until a person ends it), which try of a delivery may be
    /// the only one (the epoch it began under), and which deliveries take the place of older ones.
    private static let endpoints = """
        ALTER TABLE delivery ADD COLUMN started INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE delivery ADD COLUMN supersedes INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE endpoint_state (
            lane INTEGER NOT NULL, session INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
            at INTEGER NOT NULL, PRIMARY KEY (lane, session)) WITHOUT ROWID;
        """

    private static let dedup = """
        ALTER TABLE suppressed ADD COLUMN earlier BLOB;
        CREATE TABLE dedup_clock (
            id INTEGER PRIMARY KEY, stream TEXT NOT NULL, partition INTEGER NOT NULL, reached INTEGER NOT NULL,
            UNIQUE (stream, partition));
        CREATE TABLE dedup (
            key BLOB NOT NULL, opened INTEGER NOT NULL, ends INTEGER NOT NULL, clock INTEGER NOT NULL,
            earlier BLOB NOT NULL, PRIMARY KEY (key, opened)) WITHOUT ROWID;
        CREATE INDEX dedup_over ON dedup (clock, ends);
        """

    private static let answers = """
        CREATE TABLE lookup_run (id INTEGER PRIMARY KEY, last INTEGER NOT NULL);
        CREATE TABLE lookup (
            run INTEGER NOT NULL, first INTEGER NOT NULL, entries BLOB NOT NULL, PRIMARY KEY (run, first));
        CREATE TABLE replay (
            id INTEGER PRIMARY KEY, question TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
            cursor INTEGER NOT NULL DEFAULT 0, last INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER,
            reopened INTEGER NOT NULL DEFAULT 0, decided INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE resend (delivery INTEGER PRIMARY KEY);
        ALTER TABLE parked ADD COLUMN retried INTEGER;
        """

    /// The sends of each scope (its name tells channel and address), what inboxes are told of it, and the target that a
    /// delivery is sent to instead of its own.
    private static let quotas = """
        ALTER TABLE delivery ADD COLUMN via TEXT;
        CREATE TABLE quota (
            scope TEXT PRIMARY KEY, log BLOB NOT NULL, open INTEGER NOT NULL, ends INTEGER NOT NULL, label TEXT NOT NULL,
            reset_at INTEGER, reset_by TEXT) WITHOUT ROWID;
        CREATE INDEX quota_open ON quota (scope) WHERE open > 0;
        CREATE TABLE quota_notice (
            workspace TEXT NOT NULL, target TEXT NOT NULL, spent TEXT NOT NULL, since INTEGER NOT NULL,
            until INTEGER NOT NULL, count INTEGER NOT NULL,
            PRIMARY KEY (workspace, target, spent, since)) WITHOUT ROWID;
        """

    /// A group is open as long as it has a `due`.
    ///
    /// `told` is the last member that a notification counts, `size` and what follows are what came since.
    /// Numbers of members are never used again, as `told` compares them.
    private static let groups = """
        CREATE TABLE grp (
            id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, opener BLOB NOT NULL, rule INTEGER NOT NULL,
            lanes TEXT NOT NULL, name TEXT NOT NULL, ordered INTEGER NOT NULL, opened INTEGER NOT NULL, due INTEGER,
            closed INTEGER, every INTEGER NOT NULL, life INTEGER NOT NULL, revision INTEGER NOT NULL,
            notices INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,
            size INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
            suppressed INTEGER NOT NULL DEFAULT 0, since INTEGER NOT NULL);
        CREATE UNIQUE INDEX grp_open ON grp (key) WHERE due IS NOT NULL;
        CREATE TABLE member (
            id INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL, grp INTEGER NOT NULL, at INTEGER NOT NULL);
        CREATE INDEX member_grp ON member (grp, id);
        CREATE TABLE notice (
            event INTEGER PRIMARY KEY, grp INTEGER NOT NULL, number INTEGER NOT NULL, first INTEGER NOT NULL,
            last INTEGER NOT NULL, size INTEGER NOT NULL, failed INTEGER NOT NULL, suppressed INTEGER NOT NULL,
            total INTEGER NOT NULL, since INTEGER NOT NULL, events BLOB NOT NULL);
        CREATE INDEX notice_grp ON notice (grp, number);
        """

    /// A digest is open as long as it has a `due`.
    ///
    /// Its row of `grp` has none. `first` is the eldest delivery it tells.
    private static let digests = """
        ALTER TABLE delivery ADD COLUMN digest INTEGER;
        CREATE INDEX delivery_digest ON delivery (digest) WHERE digest IS NOT NULL;
        CREATE TABLE digest (
            id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, rule INTEGER NOT NULL, due INTEGER, size INTEGER NOT NULL,
            failed INTEGER NOT NULL, first INTEGER NOT NULL);
        CREATE UNIQUE INDEX digest_open ON digest (lane, rule) WHERE due IS NOT NULL;
        """

    /// How many offsets of a batch never had a record.
    ///
    /// Batches of before say nothing of it.
    private static let holes = "ALTER TABLE batch ADD COLUMN holes INTEGER;"

    /// When a message about what was withheld is due, until it is decided.
    private static let notices = """
        ALTER TABLE quota_notice ADD COLUMN message_at INTEGER;
        CREATE INDEX quota_notice_untold ON quota_notice (message_at) WHERE message_at IS NOT NULL;
        """

    private static let thresholds = """
        CREATE TABLE threshold (key BLOB PRIMARY KEY, ends INTEGER NOT NULL, log BLOB NOT NULL) WITHOUT ROWID;
        CREATE INDEX threshold_over ON threshold (ends);
        """

    /// Holds nothing as long as all goes well, which a look tells, once a settlement instead of once a delivery.
    private static let behind = "CREATE INDEX delivery_behind ON delivery (pair) WHERE state = 0 AND due IS NULL;"

    /// An index of what is leased cost every delivery two writes, to be read only after a death.
    private static let lowest = """
        DROP INDEX delivery_leased;
        ALTER TABLE session ADD COLUMN lowest INTEGER NOT NULL DEFAULT 0;
        """

    /// An index of the scopes with open sends cost every charge and every settlement a write, to be read only after a death.
    private static let unindexed = "DROP INDEX quota_open;"
}
