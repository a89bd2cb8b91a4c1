-- The first schema. Names of people's configuration are interned, so that hot rows are small; what may be personal
-- is sealed; payloads are out of the tables that claims and settlements touch.

CREATE TABLE name (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- Keys. A data key's id is the record it is for, or drawn at random for a day of raw messages.
CREATE TABLE canary (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE tenant_key (
    tenant       INTEGER PRIMARY KEY,
    id           BLOB NOT NULL,
    wrapped      BLOB NOT NULL,
    hash_id      BLOB NOT NULL,
    hash_wrapped BLOB NOT NULL
) STRICT;
CREATE TABLE data_key (
    id      BLOB PRIMARY KEY,
    tenant  INTEGER NOT NULL,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE day_key (
    tenant INTEGER NOT NULL,
    day    INTEGER NOT NULL,
    id     BLOB NOT NULL,
    PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;

-- Intake.
CREATE TABLE seen (
    tenant   INTEGER NOT NULL,
    source   INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    hash     BLOB NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (tenant, source, event_id)
) STRICT, WITHOUT ROWID;

-- state: 0 accepted, 1 quarantined, 2 parked, 3 ready, 4 discarded
-- read: 1 as the hub wrote it, 2 taken in but for its late references
-- sealed: empty once what it said is past its time; the row stays with its hash
CREATE TABLE message (
    seq          INTEGER PRIMARY KEY,
    id           BLOB NOT NULL UNIQUE,
    tenant       INTEGER NOT NULL,
    source       INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    read         INTEGER NOT NULL,
    event_id     TEXT,
    about_system INTEGER,
    about_object INTEGER,
    about_id     TEXT,
    wait_system  INTEGER,
    wait_object  INTEGER,
    wait_id      TEXT,
    deadline     INTEGER,
    received_at  INTEGER NOT NULL,
    as_of        INTEGER NOT NULL,
    trace        ANY NOT NULL,
    reason       TEXT,
    sealed       BLOB NOT NULL
) STRICT;
CREATE INDEX message_rest ON message (tenant, state, seq) WHERE state > 0;
CREATE INDEX message_late ON message (tenant, deadline, seq) WHERE state = 2 AND deadline IS NOT NULL;
CREATE INDEX message_wait ON message (tenant, wait_system, wait_object, wait_id) WHERE state IN (1, 2, 3) AND wait_id IS NOT NULL;

CREATE TABLE record (
    seq         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    tenant      INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    entity      INTEGER NOT NULL,
    schema      INTEGER NOT NULL,
    merged_into BLOB,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    sealed      BLOB NOT NULL
) STRICT;
CREATE INDEX record_entity ON record (tenant, entity);
-- Records that were merged into another: few, and asked about at every new send.
CREATE INDEX record_alias ON record (id, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX record_merged ON record (merged_into, id) WHERE merged_into IS NOT NULL;

CREATE TABLE link (
    tenant      INTEGER NOT NULL,
    system      INTEGER NOT NULL,
    external_id TEXT NOT NULL,
    object      INTEGER NOT NULL,
    instance    TEXT NOT NULL,
    entity      INTEGER NOT NULL,
    record      BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, system, external_id, object, instance)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX link_record ON link (record, system, object);

-- hash: of entity, key and value, under the tenant's hashing key
CREATE TABLE match_key (
    tenant INTEGER NOT NULL,
    hash   BLOB NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (tenant, hash, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE fact (
    seq        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    tenant     INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    entity     INTEGER NOT NULL,
    record     BLOB NOT NULL,
    version    INTEGER NOT NULL,
    source     INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    occurrence TEXT,
    trace      ANY NOT NULL,
    sealed     BLOB NOT NULL,
    schema     INTEGER NOT NULL,
    -- by which version of its mapping each route tells it; NULL: no route does
    mappings   TEXT
) STRICT;
CREATE INDEX fact_record ON fact (record, seq);

-- number: counts up by record
CREATE TABLE decision (
    seq    INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    system INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    record BLOB NOT NULL,
    number INTEGER NOT NULL,
    body   TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX decision_record ON decision (record, number);
-- A rare kind is found without a walk over the others.
CREATE INDEX decision_line ON decision (tenant, system, kind);

-- Obligations.
-- kind: 0 a record's newest state, 1 one event
-- state: 0 pending, 1 retrying, 2 parked, 3 uncertain, 4 dead, 5 delivered, 6 superseded, 7 skipped, 8 discarded,
-- 9 erased; up to 2 is open
-- held: 1 by an operator, 2 behind an earlier open one of its route and record; 0 can be claimed
CREATE TABLE obligation (
    seq                INTEGER PRIMARY KEY,
    tenant             INTEGER NOT NULL,
    route              INTEGER NOT NULL,
    kind               INTEGER NOT NULL,
    subject            BLOB NOT NULL,
    system             INTEGER NOT NULL,
    object             INTEGER NOT NULL,
    entity             INTEGER NOT NULL,
    record             BLOB NOT NULL,
    lane               INTEGER NOT NULL,
    wanted_version     INTEGER NOT NULL,
    wanted_generation  INTEGER NOT NULL,
    reached_version    INTEGER NOT NULL,
    reached_generation INTEGER NOT NULL,
    state              INTEGER NOT NULL,
    held               INTEGER NOT NULL,
    attempts           INTEGER NOT NULL,
    due                INTEGER NOT NULL,
    raised_at          INTEGER NOT NULL,
    folded             INTEGER NOT NULL,
    wait_record        BLOB,
    wait_object        INTEGER,
    wait_until         INTEGER,
    fingerprint        TEXT,
    reason             TEXT,
    trace              ANY NOT NULL,
    aside              TEXT
) STRICT;
CREATE UNIQUE INDEX obligation_key ON obligation (subject, route, tenant, kind);
CREATE INDEX obligation_claim ON obligation (tenant, system, lane, due, seq) WHERE state <= 2 AND held = 0;
-- Of the others what is due and when it was raised are the same, and the claims know it.
CREATE INDEX obligation_late ON obligation (tenant, system, raised_at)
    WHERE state <= 2 AND (held <> 0 OR due <> raised_at);
CREATE INDEX obligation_held ON obligation (tenant, system, seq) WHERE state = 2 AND held & 1 <> 0;
CREATE INDEX obligation_wait ON obligation (wait_record, wait_object, system, tenant) WHERE state IN (2, 4) AND wait_record IS NOT NULL;
CREATE INDEX obligation_line ON obligation (record, route, tenant, seq) WHERE state <= 2 AND kind = 1;
CREATE INDEX obligation_event ON obligation (record, seq) WHERE kind = 1;
CREATE INDEX obligation_trouble ON obligation (tenant, state, seq) WHERE state BETWEEN 1 AND 4;
CREATE INDEX obligation_group ON obligation (tenant, fingerprint, seq) WHERE fingerprint IS NOT NULL;

-- How many obligations of a system are in a state.
CREATE TABLE tally (
    tenant INTEGER NOT NULL,
    system INTEGER NOT NULL,
    state  INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (tenant, system, state)
) STRICT, WITHOUT ROWID;

-- Groups of failures, kept up with the rows they count. body: JSON, without values of records.
-- kind: 0 deliveries, 1 messages; something: whether something is left in it
CREATE TABLE failure_group (
    seq         INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    system      INTEGER NOT NULL,
    something   INTEGER NOT NULL,
    body        TEXT NOT NULL,
    UNIQUE (tenant, kind, fingerprint)
) STRICT;
CREATE INDEX failure_group_left ON failure_group (tenant, something, seq);

-- Plans and jobs. body: JSON; live: 1 for plans and for jobs with something left to do
CREATE TABLE job (
    seq      INTEGER PRIMARY KEY,
    id       BLOB NOT NULL UNIQUE,
    tenant   INTEGER NOT NULL,
    live     INTEGER NOT NULL,
    planned  INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    body     TEXT NOT NULL
) STRICT;
CREATE INDEX job_live ON job (tenant, seq) WHERE live = 1;
-- What became of the deliveries that a job set going.
CREATE TABLE job_tally (
    job       BLOB PRIMARY KEY,
    delivered INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    other     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Closed intents, beside each other by record.
CREATE TABLE intent (
    record           BLOB NOT NULL,
    id               BLOB NOT NULL,
    tenant           INTEGER NOT NULL,
    route            INTEGER NOT NULL,
    kind             INTEGER NOT NULL,
    subject          BLOB NOT NULL,
    system           INTEGER NOT NULL,
    object           INTEGER NOT NULL,
    level_version    INTEGER NOT NULL,
    level_generation INTEGER NOT NULL,
    operation        INTEGER NOT NULL,
    class            INTEGER NOT NULL,
    class_value      INTEGER NOT NULL,
    whole            INTEGER NOT NULL,
    external_id      TEXT,
    scope            TEXT NOT NULL,
    sends            INTEGER NOT NULL,
    probes           INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    arrives_until    INTEGER NOT NULL,
    processing_ns    INTEGER NOT NULL,
    due              INTEGER NOT NULL,
    outcome          INTEGER,
    reason           TEXT,
    closed_at        INTEGER,
    token            INTEGER,
    trace            ANY NOT NULL,
    batch            BLOB,
    PRIMARY KEY (record, id)
) STRICT, WITHOUT ROWID;
-- Intents on their way or in doubt, many in a block. An intent stands in the last block that has it, unless it is
-- closed: a closed one may be forgotten only when no block has it any more.
CREATE TABLE intent_open (
    seq     INTEGER PRIMARY KEY,
    intents BLOB NOT NULL
) STRICT;
CREATE TABLE attempt (
    seq    INTEGER PRIMARY KEY,
    record BLOB,
    body   TEXT NOT NULL
) STRICT;
CREATE INDEX attempt_record ON attempt (record, seq) WHERE record IS NOT NULL;

-- By position, so that several of these long rows share a page.
CREATE TABLE shadow (
    seq              INTEGER PRIMARY KEY,
    record           BLOB NOT NULL,
    system           INTEGER NOT NULL,
    object           INTEGER NOT NULL,
    tenant           INTEGER NOT NULL,
    revision         INTEGER NOT NULL,
    level_version    INTEGER NOT NULL,
    level_generation INTEGER NOT NULL,
    sealed           BLOB NOT NULL,
    UNIQUE (record, system, object)
) STRICT;

-- A system's own work.
CREATE TABLE fetch (
    seq         INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL,
    system      INTEGER NOT NULL,
    object      INTEGER NOT NULL,
    external_id TEXT NOT NULL,
    hinted_at   INTEGER NOT NULL,
    due         INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    trace       ANY NOT NULL,
    UNIQUE (tenant, system, object, external_id)
) STRICT;
CREATE INDEX fetch_due ON fetch (tenant, system, due, seq);
CREATE TABLE cursor (
    tenant INTEGER NOT NULL,
    system INTEGER NOT NULL,
    object INTEGER NOT NULL,
    cursor TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (tenant, system, object)
) STRICT, WITHOUT ROWID;
CREATE TABLE system_state (
    tenant                INTEGER NOT NULL,
    system                INTEGER NOT NULL,
    instance              TEXT,
    paused                TEXT,
    credential            BLOB,
    credential_generation INTEGER NOT NULL,
    closed                TEXT NOT NULL DEFAULT '[]',
    standing              TEXT NOT NULL DEFAULT '{}',
    jobs                  TEXT NOT NULL DEFAULT '[]',
    first_listings        TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant, system)
) STRICT, WITHOUT ROWID;
-- What changed about systems, newest last; of each the newest few thousand stay.
CREATE TABLE change (
    seq    INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    system INTEGER NOT NULL,
    body   TEXT NOT NULL
) STRICT;
CREATE INDEX change_system ON change (tenant, system, seq);

-- How far retention has come. body: JSON
CREATE TABLE retention (
    tenant INTEGER PRIMARY KEY,
    body   TEXT NOT NULL
) STRICT;

-- Configurations that were applied.
CREATE TABLE applied (
    seq    INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    body   TEXT NOT NULL
) STRICT;

-- Versions of schemas and mappings that count, or once did: written once.
CREATE TABLE version (
    tenant  INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    number  INTEGER NOT NULL,
    digest  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    meaning TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, name, number)
) STRICT;

-- Restores from backups, and how far each system is with reading again after one.
CREATE TABLE epoch (
    number      INTEGER PRIMARY KEY,
    taken_at    INTEGER NOT NULL,
    restored_at INTEGER NOT NULL
) STRICT;
CREATE TABLE reread (
    tenant  INTEGER NOT NULL,
    system  INTEGER NOT NULL,
    epoch   INTEGER NOT NULL,
    read_at INTEGER,
    open_at INTEGER,
    PRIMARY KEY (tenant, system, epoch)
) STRICT, WITHOUT ROWID;
