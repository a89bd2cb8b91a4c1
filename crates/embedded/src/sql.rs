//! Every statement of the hot paths, in one table. A statement is prepared once per connection.

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $($text:expr),+;)*) => {
        /// A statement's number.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Sql { $($(#[$doc])* $name),* }

        /// Their texts, by number.
        pub(crate) const TEXTS: &[&str] = &[$(concat!($($text),+)),*];
    };
}

macro_rules! obligation {
    () => {
        "seq, tenant, route, kind, subject, system, object, entity, record, lane, due, state, attempts, raised_at, \
         wanted_version, wanted_generation, reached_version, reached_generation, held, folded, \
         wait_record, wait_object, wait_until, reason, trace, aside"
    };
}
macro_rules! head {
    () => {
        "seq, tenant, route, kind, subject, system, object, entity, record, lane, due, state, attempts, raised_at"
    };
}
macro_rules! intent {
    () => {
        "SELECT record, id, tenant, route, kind, subject, system, object, level_version, level_generation, operation, \
         class, class_value, whole, external_id, scope, sends, probes, created_at, arrives_until, processing_ns, due, \
         outcome, reason, closed_at, token, trace, batch FROM intent "
    };
}
macro_rules! message {
    () => {
        "SELECT seq, id, tenant, source, state, read, event_id, about_system, about_object, about_id, wait_system, \
         wait_object, wait_id, deadline, received_at, as_of, trace, reason, sealed FROM message "
    };
}
macro_rules! fact {
    () => {
        "SELECT seq, id, tenant, kind, entity, record, version, source, at, occurrence, trace, sealed, schema, mappings FROM fact "
    };
}
macro_rules! record {
    () => {
        "SELECT id, tenant, version, entity, schema, created_at, updated_at, sealed FROM record "
    };
}
macro_rules! link {
    () => {
        "SELECT tenant, system, external_id, object, instance, entity, record, created_at FROM link "
    };
}
macro_rules! shadow {
    () => {
        "SELECT record, system, object, tenant, revision, level_version, level_generation, sealed FROM shadow "
    };
}
macro_rules! fetch {
    () => {
        "SELECT seq, tenant, system, object, external_id, hinted_at, due, attempts, trace FROM fetch "
    };
}
pub(crate) use {fact, message, obligation};

statements! {
    Begin = "BEGIN IMMEDIATE";
    BeginRead = "BEGIN";
    Commit = "COMMIT";
    Rollback = "ROLLBACK";
    /// Moves nothing; tells how long the log is.
    LogPages = "PRAGMA wal_checkpoint(NOOP)";
    MoveLog = "PRAGMA wal_checkpoint(PASSIVE)";

    PutDataKey = "INSERT INTO data_key (id, tenant, wrapped) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    DayKey = "SELECT id FROM day_key WHERE tenant = ?1 AND day = ?2";
    PutDayKey = "INSERT INTO day_key (tenant, day, id) VALUES (?1, ?2, ?3)";

    SeenHash = "SELECT hash FROM seen WHERE tenant = ?1 AND source = ?2 AND event_id = ?3";
    PutSeen = "INSERT INTO seen (tenant, source, event_id, hash, at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";

    PutGrave = "INSERT INTO seen (tenant, source, event_id, hash, at) VALUES (?1, ?2, ?3, ?4, ?5) \
        ON CONFLICT DO UPDATE SET hash = excluded.hash, at = excluded.at WHERE excluded.hash > hash";

    PutMessage = "INSERT INTO message (id, tenant, source, state, read, event_id, about_system, about_object, about_id, \
        wait_system, wait_object, wait_id, deadline, received_at, as_of, trace, reason, sealed) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) \
        ON CONFLICT (id) DO UPDATE SET (tenant, source, state, read, event_id, about_system, about_object, about_id, \
        wait_system, wait_object, wait_id, deadline, received_at, as_of, trace, reason, sealed) = (excluded.tenant, \
        excluded.source, excluded.state, excluded.read, excluded.event_id, excluded.about_system, \
        excluded.about_object, excluded.about_id, excluded.wait_system, excluded.wait_object, excluded.wait_id, \
        excluded.deadline, excluded.received_at, excluded.as_of, excluded.trace, excluded.reason, excluded.sealed)";
    MessageState = "UPDATE message SET state = ?2, reason = ?3 WHERE id = ?1";
    /// A message without what it said.
    MessageCard = "SELECT tenant, source, state, reason, about_system, about_object, about_id, received_at FROM message \
        WHERE id = ?1";
    /// Those that need a person for want of that link.
    WaitingQuarantined = "SELECT id FROM message WHERE tenant = ?1 AND wait_system = ?2 AND wait_object = ?3 \
        AND wait_id = ?4 AND state = 1 AND state IN (1, 2, 3) AND wait_id IS NOT NULL ORDER BY seq";
    /// Those among them that are duplicates beside the object.
    Duplicates = "SELECT id FROM message WHERE tenant = ?1 AND wait_system = ?2 AND wait_object = ?3 \
        AND wait_id = ?4 AND state = 1 AND state IN (1, 2, 3) AND wait_id IS NOT NULL AND deadline IS NULL \
        AND about_system = ?2 AND about_object = ?3 AND about_id <> ?4 ORDER BY seq";
    /// What waits, as a duplicate beside it, for an object to be gone that is no record's any more.
    NextObject = "SELECT about_id FROM message WHERE tenant = ?1 AND wait_system = ?2 AND wait_object = ?3 AND wait_id = ?4 \
        AND state IN (1, 3) AND state IN (1, 2, 3) AND wait_id IS NOT NULL AND deadline IS NULL \
        AND about_system = ?2 AND about_object = ?3 AND about_id <> ?4 \
        AND NOT EXISTS (SELECT 1 FROM link WHERE tenant = ?1 AND system = ?2 AND external_id = ?4 AND object = ?3) \
        ORDER BY seq LIMIT 1";
    /// Whether anything waits so for an object.
    AnyBeside = "SELECT 1 FROM message WHERE tenant = ?1 AND wait_system = ?2 AND wait_object = ?3 AND wait_id = ?4 \
        AND state IN (1, 3) AND state IN (1, 2, 3) AND wait_id IS NOT NULL AND deadline IS NULL \
        AND about_system = ?2 AND about_object = ?3 AND about_id <> ?4 LIMIT 1";
    WakeMessages = "UPDATE message SET state = 3 \
        WHERE tenant = ?1 AND wait_system = ?2 AND wait_object = ?3 AND wait_id = ?4 AND state = 2 \
        AND state IN (1, 2, 3) AND wait_id IS NOT NULL";
    Message = message!(), "WHERE id = ?1 AND tenant = ?2";
    ReadyMessages = message!(), "WHERE tenant = ?1 AND state = 3 AND state > 0 ORDER BY seq LIMIT ?2";
    LateMessages = message!(), "WHERE tenant = ?1 AND state = 2 AND deadline IS NOT NULL AND deadline <= ?2 \
        ORDER BY deadline, seq LIMIT ?3";
    NextDeadline = "SELECT deadline FROM message WHERE tenant = ?1 AND state = 2 AND deadline IS NOT NULL \
        AND deadline > ?2 ORDER BY deadline LIMIT 1";

    RecordVersion = "SELECT version FROM record WHERE id = ?1";
    RecordAlias = "SELECT merged_into FROM record WHERE id = ?1 AND tenant = ?2";
    MergedInto = "SELECT merged_into FROM record INDEXED BY record_alias WHERE id = ?1 AND merged_into IS NOT NULL";
    MergedRecords = "SELECT id FROM record INDEXED BY record_merged WHERE merged_into = ?1 ORDER BY id";
    Record = record!(), "WHERE id = ?1 AND tenant = ?2";
    PutRecord = "INSERT INTO record (id, tenant, version, entity, schema, merged_into, created_at, updated_at, sealed) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
        ON CONFLICT (id) DO UPDATE SET (tenant, version, entity, schema, merged_into, created_at, updated_at, sealed) = \
        (excluded.tenant, excluded.version, excluded.entity, excluded.schema, excluded.merged_into, \
        excluded.created_at, excluded.updated_at, excluded.sealed)";

    LinksOfObject = link!(), "WHERE tenant = ?1 AND system = ?2 AND external_id = ?3 AND object = ?4";
    LinksById = link!(), "WHERE tenant = ?1 AND system = ?2 AND external_id = ?3";
    LinksOfRecord = link!(), "INDEXED BY link_record WHERE record = ?1 AND tenant = ?2";
    LinkOfRecord = "SELECT external_id FROM link WHERE record = ?1 AND system = ?2 AND object = ?3 AND tenant = ?4";
    AnyLinkOfRecord = "SELECT 1 FROM link WHERE record = ?1 AND system = ?2 AND object = ?3";
    ThatLinkOfRecord = "SELECT 1 FROM link WHERE record = ?1 AND system = ?2 AND object = ?3 AND external_id = ?4";
    AnyLinkOfObject = "SELECT 1 FROM link WHERE tenant = ?1 AND system = ?2 AND external_id = ?3 AND object = ?4 LIMIT 1";
    PutLink = "INSERT OR REPLACE INTO link (tenant, system, external_id, object, instance, entity, record, created_at) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    DropLink = "DELETE FROM link WHERE tenant = ?1 AND system = ?2 AND external_id = ?3 AND object = ?4 \
        AND instance = ?5 AND record = ?6";

    MatchRecords = "SELECT record FROM match_key WHERE tenant = ?1 AND hash = ?2 ORDER BY record";
    PutMatch = "INSERT INTO match_key (tenant, hash, record) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    DropMatches = "DELETE FROM match_key WHERE tenant = ?1";
    DropMatch = "DELETE FROM match_key WHERE tenant = ?1 AND hash = ?2 AND record = ?3";

    Fact = fact!(), "WHERE id = ?1 AND tenant = ?2";
    FactsOfRecord = fact!(), "WHERE record = ?1 ORDER BY seq DESC LIMIT ?2";
    PutFact = "INSERT INTO fact (id, tenant, kind, entity, record, version, source, at, occurrence, trace, sealed, schema, \
        mappings) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT (id) DO NOTHING";

    PutDecision = "INSERT INTO decision (tenant, system, kind, record, number, body) \
        VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(number), 0) + 1 FROM decision WHERE record = ?4), ?5)";
    /// The next system of which anything was decided.
    NextDecider = "SELECT system FROM decision INDEXED BY decision_line WHERE tenant = ?1 AND system > ?2 \
        ORDER BY system LIMIT 1";
    DecisionLine = "SELECT seq FROM decision INDEXED BY decision_line WHERE tenant = ?1 AND system = ?2 AND kind = ?3 \
        AND seq < ?4 ORDER BY seq DESC LIMIT ?5";
    DecisionBody = "SELECT body FROM decision WHERE seq = ?1";
    DecisionsOfRecord = "SELECT body FROM decision WHERE record = ?1 ORDER BY number DESC LIMIT ?2";

    Obligation = "SELECT ", obligation!(), " FROM obligation WHERE subject = ?1 AND route = ?2 AND tenant = ?3 AND kind = ?4";
    Bringers = "SELECT ", obligation!(), " FROM obligation WHERE subject = ?1 AND kind = 0 AND tenant = ?2 \
        AND system = ?3 AND object = ?4";
    ObligationAt = "SELECT ", obligation!(), " FROM obligation WHERE seq = ?1";
    ObligationsOfRecord = "SELECT ", obligation!(), " FROM obligation WHERE seq IN ( \
        SELECT seq FROM obligation WHERE subject = ?1 AND kind = 0 \
        UNION ALL SELECT seq FROM obligation WHERE record = ?1 AND kind = 1) ORDER BY seq";
    PutObligation = "INSERT INTO obligation (tenant, route, kind, subject, system, object, entity, record, lane, \
        wanted_version, wanted_generation, reached_version, reached_generation, state, held, attempts, due, raised_at, \
        folded, trace) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, 0, ?12, 0, ?13, ?14, 1, ?15) \
        ON CONFLICT DO NOTHING";
    /// A level folded in: nothing that an index holds.
    FoldObligation = "UPDATE obligation SET wanted_version = ?2, wanted_generation = ?3, folded = ?4, trace = ?5 WHERE seq = ?1";
    MoveObligation = "UPDATE obligation SET lane = ?2, wanted_version = ?3, wanted_generation = ?4, reached_version = ?5, \
        reached_generation = ?6, state = ?7, held = ?8, attempts = ?9, due = ?10, raised_at = ?11, folded = ?12, \
        wait_record = ?13, wait_object = ?14, wait_until = ?15, fingerprint = ?16, reason = ?17, trace = ?18, \
        aside = ?19 WHERE seq = ?1";
    HoldObligation = "UPDATE obligation SET held = ?2 WHERE seq = ?1";
    FirstInLine = "SELECT seq, held FROM obligation WHERE record = ?1 AND route = ?2 AND tenant = ?3 \
        AND state <= 2 AND kind = 1 AND seq <> ?4 ORDER BY seq LIMIT 1";
    /// Whether anything waits for a link at all.
    AnyWaiting = "SELECT EXISTS (SELECT 1 FROM obligation INDEXED BY obligation_wait \
        WHERE state IN (2, 4) AND wait_record IS NOT NULL), \
        EXISTS (SELECT 1 FROM message INDEXED BY message_wait WHERE state IN (1, 2, 3) AND wait_id IS NOT NULL)";
    WaitingObligations = "SELECT ", obligation!(), " FROM obligation WHERE wait_record = ?1 AND wait_object = ?2 \
        AND system = ?3 AND tenant = ?4 AND state IN (2, 4) AND wait_record IS NOT NULL ORDER BY seq";
    Claim = "SELECT ", head!(), " FROM obligation INDEXED BY obligation_claim \
        WHERE tenant = ?1 AND system = ?2 AND lane = ?3 AND state <= 2 AND held = 0 \
        AND due <= ?4 AND (due, seq) > (?5, ?6) ORDER BY due, seq LIMIT ?7";
    NextDue = "SELECT due FROM obligation INDEXED BY obligation_claim \
        WHERE tenant = ?1 AND system = ?2 AND lane = ?3 AND state <= 2 AND held = 0 \
        AND due > ?4 AND (due, seq) > (?5, ?6) ORDER BY due, seq LIMIT 1";
    /// The first of a lane's line.
    FirstDue = "SELECT due FROM obligation INDEXED BY obligation_claim \
        WHERE tenant = ?1 AND system = ?2 AND lane = ?3 AND state <= 2 AND held = 0 ORDER BY due LIMIT 1";
    /// The oldest of those that wait for something else than their turn.
    OldestLate = "SELECT raised_at FROM obligation INDEXED BY obligation_late WHERE tenant = ?1 AND system = ?2 \
        AND state <= 2 AND (held <> 0 OR due <> raised_at) ORDER BY raised_at LIMIT 1";
    /// The oldest of a lane that waits for its turn, if it is older than that.
    OldestInLane = "SELECT raised_at FROM obligation INDEXED BY obligation_claim WHERE tenant = ?1 AND system = ?2 \
        AND lane = ?3 AND state <= 2 AND held = 0 AND due < ?4 AND due = raised_at ORDER BY due LIMIT 1";
    Held = "SELECT ", head!(), " FROM obligation INDEXED BY obligation_held \
        WHERE tenant = ?1 AND system = ?2 AND state = 2 AND held & 1 <> 0 AND seq > ?3 ORDER BY seq LIMIT ?4";
    AddTally = "INSERT INTO tally (tenant, system, state, n) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT DO UPDATE SET n = n + excluded.n";
    Tallies = "SELECT system, state, n FROM tally WHERE tenant = ?1";

    Group = "SELECT seq, body FROM failure_group WHERE tenant = ?1 AND kind = ?2 AND fingerprint = ?3";
    PutGroup = "INSERT INTO failure_group (tenant, kind, fingerprint, system, something, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    MoveGroup = "UPDATE failure_group SET something = ?2, body = ?3 WHERE seq = ?1";

    JobRevision = "SELECT revision FROM job WHERE id = ?1";
    PutJob = "INSERT INTO job (id, tenant, live, planned, revision, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
        ON CONFLICT (id) DO UPDATE SET live = excluded.live, planned = excluded.planned, \
        revision = excluded.revision, body = excluded.body";
    DropPlan = "DELETE FROM job WHERE id = ?1 AND planned = 1";
    LiveJobs = "SELECT body FROM job INDEXED BY job_live WHERE tenant = ?1 AND live = 1 ORDER BY seq";
    Jobs = "SELECT seq, body, coalesce(delivered, 0), coalesce(failed, 0), coalesce(other, 0) \
        FROM job LEFT JOIN job_tally ON job = id WHERE tenant = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3";
    JobById = "SELECT seq, body, coalesce(delivered, 0), coalesce(failed, 0), coalesce(other, 0) \
        FROM job LEFT JOIN job_tally ON job = id WHERE id = ?1 AND tenant = ?2";
    AddJobTally = "INSERT INTO job_tally (job, delivered, failed, other) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE \
        SET delivered = delivered + excluded.delivered, failed = failed + excluded.failed, other = other + excluded.other";
    LastObligation = "SELECT coalesce(max(seq), 0) FROM obligation";
    QuarantinedOnWalk = "SELECT seq, id, source, reason, received_at FROM message INDEXED BY message_rest \
        WHERE tenant = ?1 AND state = 1 AND state > 0 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4";

    PutBlock = "INSERT INTO intent_open (seq, intents) VALUES (?1, ?2)";
    DropBlock = "DELETE FROM intent_open WHERE seq = ?1";
    PutIntent = "INSERT INTO intent (record, id, tenant, route, kind, subject, system, object, level_version, \
        level_generation, operation, class, class_value, whole, external_id, scope, sends, probes, created_at, \
        arrives_until, processing_ns, due, outcome, reason, closed_at, token, trace, batch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
        ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, \
        ?28) ON CONFLICT DO NOTHING";
    EndedIntent = "SELECT 1 FROM intent WHERE record = ?1 AND id = ?2";
    IntentsOfRecord = intent!(), "WHERE record = ?1 AND tenant = ?2 ORDER BY id DESC LIMIT ?3";
    IntentsOfDelivery = intent!(), "WHERE record = ?1 AND tenant = ?2 AND route = ?3 AND kind = ?4 \
        AND subject = ?5 ORDER BY id DESC LIMIT ?6";
    EntityOfObligation = "SELECT entity FROM obligation WHERE subject = ?1 AND route = ?2 AND tenant = ?3 AND kind = ?4";

    PutAttempt = "INSERT INTO attempt (record, body) VALUES (?1, ?2)";
    AttemptsOfRecord = "SELECT body FROM attempt WHERE record = ?1 ORDER BY seq DESC";

    ShadowRevision = "SELECT revision FROM shadow WHERE record = ?1 AND system = ?2 AND object = ?3";
    PutShadow = "INSERT INTO shadow (record, system, object, tenant, revision, level_version, level_generation, sealed) \
        VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7) ON CONFLICT (record, system, object) DO UPDATE SET tenant = excluded.tenant, revision = revision + 1, \
        level_version = excluded.level_version, level_generation = excluded.level_generation, sealed = excluded.sealed";
    Shadow = shadow!(), "WHERE record = ?1 AND system = ?2 AND object = ?3 AND tenant = ?4";
    ShadowsInSystem = shadow!(), "WHERE record = ?1 AND system = ?2 AND tenant = ?3";
    ShadowsOfRecord = shadow!(), "WHERE record = ?1 AND tenant = ?2";

    Fetch = fetch!(), "WHERE tenant = ?1 AND system = ?2 AND object = ?3 AND external_id = ?4";
    PutFetch = "INSERT INTO fetch (tenant, system, object, external_id, hinted_at, due, attempts, trace) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    MoveFetch = "UPDATE fetch SET hinted_at = ?2, due = ?3, attempts = ?4, trace = ?5 WHERE seq = ?1";
    DropFetch = "DELETE FROM fetch WHERE seq = ?1";
    DueFetches = fetch!(), "WHERE tenant = ?1 AND system = ?2 AND due <= ?3 ORDER BY due, seq LIMIT ?4";
    NextFetch = "SELECT due FROM fetch WHERE tenant = ?1 AND system = ?2 AND due > ?3 ORDER BY due LIMIT 1";

    PutCursor = "INSERT INTO cursor (tenant, system, object, cursor, at) VALUES (?1, ?2, ?3, ?4, ?5) \
        ON CONFLICT DO UPDATE SET cursor = excluded.cursor, at = excluded.at";
    Cursors = "SELECT object, cursor FROM cursor WHERE tenant = ?1 AND system = ?2";
    /// The credential of a row that is there is another hand's.
    PutSystem = "INSERT INTO system_state (tenant, system, instance, paused, credential, credential_generation, closed, \
        standing, jobs, first_listings) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO UPDATE SET \
        instance = excluded.instance, paused = excluded.paused, closed = excluded.closed, \
        standing = excluded.standing, jobs = excluded.jobs, first_listings = excluded.first_listings";
    PutCredential = "INSERT INTO system_state (tenant, system, credential, credential_generation) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT DO UPDATE SET credential = coalesce(excluded.credential, credential), \
        credential_generation = excluded.credential_generation";
    System = "SELECT tenant, system, instance, paused, credential, credential_generation, closed, standing, jobs, \
        first_listings FROM system_state WHERE tenant = ?1 AND system = ?2";
    PutApplied = "INSERT INTO applied (tenant, body) VALUES (?1, ?2)";
    Applied = "SELECT seq, body FROM applied WHERE tenant = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3";
    PutVersion = "INSERT INTO version (tenant, kind, name, number, digest, at, meaning) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
        ON CONFLICT DO NOTHING";
    Versions = "SELECT kind, name, number, digest, at, meaning FROM version \
        WHERE tenant = ?1 AND (kind, name, number) > (?2, ?3, ?4) ORDER BY kind, name, number LIMIT ?5";
    /// Whether there may be rows of other tenants.
    OtherTenants = "SELECT EXISTS (SELECT 1 FROM tenant_key WHERE tenant > ?1) \
        OR EXISTS (SELECT 1 FROM tenant_key WHERE tenant < ?1)";
    CountRecords = "SELECT count(*) FROM (SELECT 1 FROM record INDEXED BY record_entity \
        WHERE tenant = ?1 AND entity = ?2 LIMIT ?3)";
    /// Open ones of a system by route: those that can be claimed, and those that are held.
    CountOpen = "SELECT route, count(*) FROM (SELECT route FROM obligation INDEXED BY obligation_claim \
        WHERE tenant = ?1 AND system = ?2 AND lane = ?3 AND state <= 2 AND held = 0 LIMIT ?4) GROUP BY route";
    CountHeld = "SELECT route, count(*) FROM (SELECT route FROM obligation INDEXED BY obligation_late \
        WHERE tenant = ?1 AND system = ?2 AND state <= 2 AND (held <> 0 OR due <> raised_at) AND held <> 0 \
        LIMIT ?3) GROUP BY route";
    Systems = "SELECT tenant, system, instance, paused, credential, credential_generation, closed, standing, jobs, \
        first_listings FROM system_state WHERE tenant = ?1";
    PutChange = "INSERT INTO change (tenant, system, body) VALUES (?1, ?2, ?3)";
    /// All but the newest of a system.
    DropChanges = "DELETE FROM change WHERE tenant = ?1 AND system = ?2 AND seq <= (SELECT seq FROM change \
        WHERE tenant = ?1 AND system = ?2 ORDER BY seq DESC LIMIT 1 OFFSET ?3)";

    PutEpoch = "INSERT INTO epoch (number, taken_at, restored_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    RestoredAt = "SELECT restored_at FROM epoch WHERE number >= 0 ORDER BY number DESC LIMIT 1";
    Epochs = "SELECT e.number, e.taken_at, e.restored_at, r.epoch, r.read_at, r.open_at, EXISTS (SELECT 1 FROM reread o \
        WHERE o.tenant = ?1 AND o.system <> ?2 AND o.epoch = e.number AND o.open_at IS NOT NULL) FROM epoch e \
        LEFT JOIN reread r ON r.tenant = ?1 AND r.system = ?2 AND r.epoch = e.number WHERE e.number >= 0";
    PutReread = "INSERT INTO reread (tenant, system, epoch, read_at, open_at) VALUES (?1, ?2, ?3, ?4, ?5) \
        ON CONFLICT DO UPDATE SET read_at = excluded.read_at, open_at = excluded.open_at";

    Retained = "SELECT body FROM retention WHERE tenant = ?1";
    PutRetained = "INSERT INTO retention (tenant, body) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET body = excluded.body";
    /// Positions of tables whose newest row stays.
    LastMessage = "SELECT max(seq) FROM message";
    LastFact = "SELECT max(seq) FROM fact";
    LastAttempt = "SELECT max(seq) FROM attempt";
    LastGroup = "SELECT max(seq) FROM failure_group";
    LastJob = "SELECT max(seq) FROM job";
    OldMessages = "SELECT seq, tenant, id, state, received_at, event_id IS NOT NULL, length(sealed) FROM message \
        WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    MessageAt = message!(), "WHERE seq = ?1";
    MessageAge = "SELECT seq, tenant, state, received_at, source, event_id, length(sealed) FROM message WHERE id = ?1";
    EmptyMessage = "UPDATE message SET sealed = x'' WHERE seq = ?1";
    DropMessage = "DELETE FROM message WHERE seq = ?1";
    DropSeen = "DELETE FROM seen WHERE tenant = ?1 AND source = ?2 AND event_id = ?3";
    OldAttempts = "SELECT seq, body FROM attempt WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    AttemptAt = "SELECT body FROM attempt WHERE seq = ?1";
    DropAttempt = "DELETE FROM attempt WHERE seq = ?1";
    StateOfObligation = "SELECT state FROM obligation WHERE subject = ?1 AND route = ?2 AND tenant = ?3 AND kind = ?4";
    /// In the order of ids: by tenant, all of them would be sorted first.
    RecordsPage = record!(), "WHERE id > ?1 AND +tenant = ?2 ORDER BY id LIMIT ?3";
    RecordsAfter = "SELECT id FROM record WHERE id > ?1 ORDER BY id LIMIT ?2";
    OldDeliveries = "SELECT ", obligation!(), " FROM obligation INDEXED BY obligation_event \
        WHERE record = ?1 AND kind = 1 ORDER BY seq LIMIT ?2";
    DropObligation = "DELETE FROM obligation WHERE seq = ?1";
    OldFacts = "SELECT seq, id, tenant, EXISTS (SELECT 1 FROM obligation o WHERE o.subject = fact.id AND o.kind = 1) \
        FROM fact WHERE record = ?1 ORDER BY seq LIMIT ?2";
    FactAt = fact!(), "WHERE seq = ?1";
    FactAge = "SELECT seq, tenant, EXISTS (SELECT 1 FROM obligation o WHERE o.subject = fact.id AND o.kind = 1) \
        FROM fact WHERE id = ?1";
    DropFact = "DELETE FROM fact WHERE seq = ?1";
    OldIntents = "SELECT id, tenant, coalesce(closed_at, created_at), (SELECT state FROM obligation o \
        WHERE o.subject = intent.subject AND o.route = intent.route AND o.tenant = intent.tenant AND o.kind = intent.kind) \
        FROM intent WHERE record = ?1 ORDER BY id LIMIT ?2";
    IntentOfRecord = intent!(), "WHERE record = ?1 AND id = ?2";
    IntentAge = "SELECT tenant, coalesce(closed_at, created_at), (SELECT state FROM obligation o \
        WHERE o.subject = intent.subject AND o.route = intent.route AND o.tenant = intent.tenant AND o.kind = intent.kind) \
        FROM intent WHERE record = ?1 AND id = ?2";
    DropIntent = "DELETE FROM intent WHERE record = ?1 AND id = ?2";
    OldDecisions = "SELECT number, body FROM decision WHERE record = ?1 ORDER BY number LIMIT ?2";
    DecisionAt = "SELECT body FROM decision WHERE record = ?1 AND number = ?2";
    DropDecision = "DELETE FROM decision WHERE record = ?1 AND number = ?2";
    OldGroups = "SELECT seq, body FROM failure_group INDEXED BY failure_group_left \
        WHERE tenant = ?1 AND something = 0 AND seq > ?2 ORDER BY seq LIMIT ?3";
    DropGroup = "DELETE FROM failure_group WHERE seq = ?1";
    OldJobs = "SELECT seq, body FROM job NOT INDEXED WHERE tenant = ?1 AND live = 0 AND seq > ?2 ORDER BY seq LIMIT ?3";
    JobAt = "SELECT seq, body FROM job WHERE id = ?1";
    DropJob = "DELETE FROM job WHERE seq = ?1";
    DropJobTally = "DELETE FROM job_tally WHERE job = ?1";
    MessageEnds = "SELECT (SELECT min(seq) FROM message), (SELECT max(seq) FROM message)";
    MessageTime = "SELECT received_at FROM message WHERE seq >= ?1 ORDER BY seq LIMIT 1";
    FactEnds = "SELECT (SELECT min(seq) FROM fact), (SELECT max(seq) FROM fact)";
    FactTime = "SELECT id FROM fact WHERE seq >= ?1 ORDER BY seq LIMIT 1";
    AttemptEnds = "SELECT (SELECT min(seq) FROM attempt), (SELECT max(seq) FROM attempt)";
    AttemptTime = "SELECT body FROM attempt WHERE seq >= ?1 ORDER BY seq LIMIT 1";
}
