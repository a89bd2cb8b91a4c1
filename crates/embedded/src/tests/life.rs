//! Opening, closing, crashing, copying.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use ledger::{Intent, IntentState};
use rusqlite::Connection;
use store::conformance::make::*;
use store::{Op, Require, SpokeAsk};

use super::*;
use crate::schema::{MIGRATIONS, migrate, version};
use crate::sql::TEXTS;

fn stands(store: &Backend, number: u64, version: i64) -> bool {
    store.holds(Require::RecordAt { record: rec(number), version })
}

#[test]
fn everything_is_there_after_a_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let ask = SpokeAsk { references: vec![], ..spoke_ask("r", 1) };
    let query = || Query::Spoke { tenant: acme(), system: system("erp"), asks: vec![ask.clone()] };
    let before = {
        let store = open_in(folder.path());
        let store = handle(&store);
        store.apply(vec![
            Op::PutRecord(record(1, 1)),
            Op::PutMessage(message(1)),
            Op::Raise(raise("r", 1, 1)),
            Op::PutIntent(intent(1, "r", 1)),
            Op::PutShadow(shadow(1, "erp", "customer")),
        ]);
        store.find(query())
    };
    let store = open_in(folder.path());
    let store = handle(&store);
    assert_eq!(store.find(query()), before);
    assert!(stands(&store, 1, 1));
    store.apply(vec![Op::PutRecord(record(1, 2)), Op::PutMessage(message(2))]);
    assert!(stands(&store, 1, 2));
}

#[test]
fn a_second_user_of_the_folder_is_refused_with_the_first_ones_name() {
    let folder = tempfile::tempdir().unwrap();
    let first = open_in(folder.path());
    let error = Embedded::open(folder.path(), root_key(7), options()).err().unwrap().to_string();
    let (place, process) = (folder.path().display().to_string(), format!("process {}", std::process::id()));
    assert!(error.contains(&place) && error.contains(&process) && error.contains("stop"), "{error}");
    drop(first);
    drop(open_in(folder.path()));
}

#[test]
fn a_wrong_root_key_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    handle(&open_in(folder.path())).apply(vec![Op::PutRecord(record(1, 1))]);
    let error = Embedded::open(folder.path(), root_key(8), options()).err().unwrap();
    assert!(matches!(error, OpenError::Key { source: RootKeyError::Wrong { .. }, .. }), "{error}");
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
    assert!(stands(&handle(&open_in(folder.path())), 1, 1));
}

#[test]
fn a_foreign_file_and_a_newer_store_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.sqlite");
    Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (a); PRAGMA user_version = 0;")
        .unwrap();
    let error = Embedded::open(folder.path(), root_key(7), options()).err().unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");

    let folder = tempfile::tempdir().unwrap();
    drop(open_in(folder.path()));
    let file = folder.path().join("store.sqlite");
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 99;").unwrap();
    let error = Embedded::open(folder.path(), root_key(7), options()).err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 99, known: 1, .. }), "{error}");
}

/// Each migration is done once, all or nothing, and named while it is under way.
#[test]
fn migrations_go_forward_once() {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let on_point: Arc<dyn Fn(Point) + Send + Sync> = Arc::new(move |point| noted.lock().unwrap().push(point));
    let options = Options { on_point: Some(on_point), ..options() };
    let steps = [MIGRATIONS[0], "CREATE TABLE second (a); INSERT INTO second VALUES (1);"];
    let run = |steps: &[&str]| migrate(&connection, folder.path(), steps, &options);
    run(&steps[..1]).unwrap();
    run(&steps[..1]).unwrap();
    assert_eq!(version(&connection).unwrap(), 1);
    run(&steps).unwrap();
    run(&steps).unwrap();
    assert_eq!(version(&connection).unwrap(), 2);
    let rows: i64 = connection.query_row("SELECT count(*) FROM second", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
    assert_eq!(*seen.lock().unwrap(), [Point::Migration(1), Point::Migration(2)]);

    let broken = [steps[0], steps[1], "CREATE TABLE third (a); CREATE TABLE second (a);"];
    assert!(matches!(run(&broken), Err(OpenError::Database { .. })));
    drop(connection);
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    assert_eq!(version(&connection).unwrap(), 2);
    let third: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'third'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(third, 0);
}

/// A crash image: the files as they are while the store runs.
fn image(folder: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    for name in ["store.sqlite", "store.sqlite-wal"] {
        fs::copy(folder.join(name), image.path().join(name)).unwrap();
    }
    image
}

/// I2: what was answered is in the files; a torn tail of the log loses only what was not.
#[test]
fn a_torn_log_loses_only_its_tail() {
    let folder = tempfile::tempdir().unwrap();
    // So large that no checkpoint comes meanwhile, after which the log would begin anew in the same file.
    let options = Options { reserve_bytes: 16 << 20, ..options() };
    let store = handle(&Embedded::open(folder.path(), root_key(7), options).unwrap());
    for version in 1..=5 {
        store.apply(vec![Op::PutRecord(record(1, version)), Op::Raise(raise("r", 1, version))]);
    }
    // All at once: a log that rests is moved.
    let [whole, torn @ ..] = std::array::from_fn::<_, 5, _>(|_| image(folder.path()));
    assert!(stands(&handle(&open_in(whole.path())), 1, 5));
    for (cut, torn) in [1, 100, 4096, 5000].into_iter().zip(torn) {
        let log = torn.path().join("store.sqlite-wal");
        let length = fs::metadata(&log).unwrap().len();
        fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(length - cut).unwrap();
        let reopened = handle(&open_in(torn.path()));
        assert!(stands(&reopened, 1, 4), "cut by {cut}");
        reopened.apply(vec![Op::PutRecord(record(1, 5)), Op::Raise(raise("r", 1, 5))]);
        assert!(stands(&reopened, 1, 5));
    }
}

#[test]
fn closing_does_what_waits_and_answers_what_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    let (send, receive) = mpsc::channel();
    for number in 0..200 {
        let send = send.clone();
        let units = vec![Unit { require: vec![], ops: vec![Op::PutRecord(record(number, 1))] }];
        store.commit(units, Box::new(move |answer| drop(send.send(answer))));
    }
    store.close();
    let done: Result<_, StoreError> = Ok(vec![Receipt::Done(vec![])]);
    for _ in 0..200 {
        assert_eq!(receive.recv().unwrap(), done);
    }
    let closed = handle(&store);
    assert_eq!(closed.try_commit(vec![]), Err(StoreError::Closed));
    assert_eq!(closed.try_find(claim(1, 1)), Err(StoreError::Closed));
    store.close();
    let log = fs::metadata(folder.path().join("store.sqlite-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "the log is moved into the file");
}

/// Commits that wait while one is synced share the next sync.
#[test]
fn commits_are_grouped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    let (send, receive) = mpsc::channel();
    let before = store.stats();
    for number in 0..500 {
        let send = send.clone();
        let units = vec![Unit { require: vec![], ops: vec![Op::PutRecord(record(number, 1))] }];
        store.commit(units, Box::new(move |answer| drop(send.send(answer))));
    }
    for _ in 0..500 {
        receive.recv().unwrap().unwrap();
    }
    let after = store.stats();
    assert_eq!((after.commits - before.commits, after.units - before.units), (500, 500));
    let (disk, was) = (after.disk.unwrap(), before.disk.unwrap());
    assert!(disk.groups < 400, "{disk:?}");
    // One more for the tenant's keys, which are durable before anything is sealed under them.
    assert!(disk.syncs - was.syncs <= disk.groups + 1 + 2 * disk.checkpoints, "{disk:?}");
}

/// The last handle may be dropped by a reply, on the store's own thread, while the writer waits for that thread.
#[test]
fn a_reply_may_drop_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    let (send, receive) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let held = Arc::clone(&store);
    store.commit(
        vec![],
        Box::new(move |_| {
            wait.recv().unwrap_or_default();
            drop(held);
            send.send(()).unwrap_or_default();
        }),
    );
    let written = (1..=4).map(|number| {
        let groups = || store.stats().disk.unwrap().groups;
        let before = groups();
        let (done, told) = mpsc::channel();
        let units = vec![Unit { require: vec![], ops: vec![Op::PutRecord(record(number, 1))] }];
        store.commit(units, Box::new(move |answer| drop(done.send(answer))));
        // Each in a group of its own, as far as the writer gets.
        for _ in 0..50 {
            if groups() > before {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        told
    });
    let written: Vec<_> = written.collect();
    drop(store);
    go.send(()).unwrap();
    receive.recv_timeout(Duration::from_secs(20)).unwrap();
    for told in written {
        told.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
    }
    assert_free(folder.path());
}

/// All is done soon, and then the folder is free.
fn assert_free(folder: &Path) {
    let free = (0..1000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        Embedded::open(folder, root_key(7), options()).ok()
    });
    assert!(free.is_some(), "the folder is in use");
}

#[test]
fn a_copy_is_whole_and_opens() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open_in(folder.path());
    let backend = handle(&store);
    backend.apply(vec![Op::PutRecord(record(1, 1)), Op::PutMessage(message(1))]);
    let to = other.path().join("store.sqlite");
    store.copy_to(&to).unwrap();
    let again = store.copy_to(&to).unwrap_err();
    assert!(matches!(&again, StoreError::Refused { detail } if detail.contains("exists")), "{again}");
    backend.apply(vec![Op::PutRecord(record(1, 2))]);
    let copy = handle(&open_in(other.path()));
    assert!(stands(&copy, 1, 1));
    let missing = store.copy_to(&other.path().join("no/such/folder")).unwrap_err();
    assert!(matches!(missing, StoreError::Refused { .. }), "{missing}");
}

/// I15: what may be personal is nowhere in the files in plain form.
#[test]
fn nothing_personal_is_readable_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    let backend = handle(&store);
    let secret = "ada.lovelace@example.org";
    let mut person = record(1, 1);
    person.fields.insert("email".to_owned(), secret.into());
    let mut shown = shadow(1, "erp", "customer");
    shown.fields.insert("mail".to_owned(), secret.into());
    let mut happened = fact(1, 1);
    happened.data.insert("email".to_owned(), secret.into());
    let mut sent = intent(1, "r", 1);
    sent.call = format!("call {secret}").into_bytes().into();
    sent.request = format!("request {secret}").into_bytes().into();
    let raw = intake::Message { raw: secret.as_bytes().to_vec(), ..message(1) };
    let (tenant, entity, key, value) = (acme(), entity("Contact"), "email".to_owned(), secret.to_owned());
    backend.apply(vec![
        Op::PutRecord(person.clone()),
        Op::PutShadow(shown),
        Op::PutFact(happened),
        Op::PutIntent(sent),
        Op::PutMessage(raw),
        Op::PutMatch { tenant, entity, key, value, record: rec(1) },
    ]);
    let holds = |name: &str| {
        let bytes = fs::read(folder.path().join(name)).unwrap_or_default();
        bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
    };
    let files = ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "lock", "reserve"];
    assert_eq!(files.map(holds), [false; 5]);
    store.close();
    assert_eq!(files.map(holds), [false; 5]);
    drop((backend, store));
    let Page::Record(Some(sheet)) = handle(&open_in(folder.path())).look(&acme(), Look::Record(rec(1)))
    else {
        panic!("no sheet")
    };
    assert_eq!(sheet.record, person);
}

/// More subjects than keys fit in memory.
#[test]
fn keys_are_read_again_when_memory_is_short() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { data_keys_max: 4, ..options() };
    let store = Embedded::open(folder.path(), root_key(7), options).unwrap();
    let backend = handle(&store);
    for version in 1..=2 {
        for number in 0..30 {
            backend.apply(vec![Op::PutRecord(record(number, version))]);
        }
    }
    for number in 0..30 {
        let Page::Record(Some(sheet)) = backend.look(&acme(), Look::Record(rec(number))) else {
            panic!("no sheet")
        };
        assert_eq!(sheet.record, record(number, 2));
    }
    assert!(store.shared.vault.ring().data_keys() <= 4);
}

/// What is open stands in blocks; they go with the last of them, and what has ended does not come back.
#[test]
fn open_intents_outlive_a_restart_and_ended_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = || {
        let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
        connection.query_row("SELECT count(*) FROM intent_open", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let ended = |number| Op::PutIntent(Intent { state: IntentState::Closed, ..intent(number, "r", number) });
    let open = |backend: &Backend| {
        let Rows::Intents(found) = backend.find(Query::Intents { tenant: acme(), system: system("erp") })
        else {
            panic!("no intents")
        };
        found
    };
    let doubtful = |number| Intent { state: IntentState::Doubtful, probes: 1, ..intent(number, "r", number) };
    let all: Vec<Intent> = (1..=8).map(|number| intent(number, "r", number)).collect();
    {
        let backend = handle(&open_in(folder.path()));
        backend.apply(all.iter().cloned().map(Op::PutIntent).collect());
        assert_eq!((open(&backend), blocks()), (all.clone(), 1));
        // One moves to a block of its own; three of the first block end: the rest stands where it stood.
        backend.apply(vec![Op::PutIntent(doubtful(8)), ended(1), ended(2), ended(3)]);
        assert_eq!(blocks(), 2);
    }
    {
        let backend = handle(&open_in(folder.path()));
        let left: Vec<Intent> = all[3..7].iter().cloned().chain([doubtful(8)]).collect();
        assert_eq!((open(&backend), blocks()), (left, 2));
        // Few are left of the first block: they move on, and it goes.
        backend.apply(vec![ended(4), ended(5)]);
        assert_eq!((open(&backend), blocks()), (vec![all[5].clone(), all[6].clone(), doubtful(8)], 2));
    }
    let backend = handle(&open_in(folder.path()));
    backend.apply(vec![ended(6), ended(7), ended(8)]);
    assert_eq!((open(&backend), blocks()), (vec![], 0));
}

/// I19: no statement of the hot paths walks a table.
#[test]
fn hot_statements_use_indexes() {
    let folder = tempfile::tempdir().unwrap();
    drop(open_in(folder.path()));
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    for text in TEXTS.iter().filter(|text| !text.starts_with(['B', 'C', 'R', 'P'])) {
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
        let steps: Vec<String> = plan.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().unwrap();
        for step in steps {
            // Of what waits for a link, the first is enough; a plan counts up to a bound.
            let bounded = text.contains("LIMIT ?") && step.contains("subquery");
            let allowed = bounded || ["_wait", "CONSTANT ROW"].iter().any(|part| step.contains(part));
            assert!(allowed || !step.starts_with("SCAN"), "{text}\n{step}");
            // A search by what all rows of a tenant or system share walks them all.
            // A start with other match keys drops them all.
            let all_keys = *text == "DELETE FROM match_key WHERE tenant = ?1";
            let broad =
                !all_keys && (step.contains("(tenant=?)") || step.contains("(tenant=? AND system=?)"));
            // Few are plans, or at work; of a system's changes few thousand are kept.
            let small =
                ["tally", "system_state", "cursor", "obligation_late", "change_system", "job_live", " o "];
            assert!(!broad || small.iter().any(|part| step.contains(part)), "{text}\n{step}");
            let sorted = step.contains("TEMP B-TREE");
            assert!(!sorted || step_may_sort(text), "{text}\n{step}");
        }
    }
}

/// Few rows, told apart by a key that no index keeps in order.
fn step_may_sort(text: &str) -> bool {
    ["wait_record = ?1", "UNION ALL", "GROUP BY route"].iter().any(|part| text.contains(part))
}

/// I2: neither a commit is answered before its sync is through, nor a question that saw it.
#[test]
fn i2_nobody_hears_of_what_is_not_synced() {
    let folder = tempfile::tempdir().unwrap();
    // The second sync, of the group after the tenant's first, is through when the test says so.
    let (go, wait) = mpsc::channel::<()>();
    let (wait, armed) = (Mutex::new(wait), Arc::new(AtomicBool::new(false)));
    let (here, reached) = mpsc::channel::<()>();
    let held = Arc::clone(&armed);
    let on_point: Arc<dyn Fn(Point) + Send + Sync> = Arc::new(move |point| {
        if point == Point::AfterSync && held.load(Ordering::SeqCst) {
            here.send(()).unwrap_or_default();
            wait.lock().unwrap().recv().unwrap_or_default();
        }
    });
    let store = Embedded::open(folder.path(), root_key(7), Options { on_point: Some(on_point), ..options() })
        .unwrap();
    handle(&store).apply(vec![Op::PutRecord(record(1, 1))]);
    armed.store(true, Ordering::SeqCst);
    let (told, answers) = mpsc::channel();
    let committed = told.clone();
    let units = vec![Unit { require: vec![], ops: vec![Op::PutRecord(record(1, 2))] }];
    store.commit(units, Box::new(move |done| drop(committed.send(done.map(|_| "committed")))));
    reached.recv_timeout(Duration::from_secs(20)).unwrap();
    // It is in the log: whoever asks now sees it.
    let query = Query::Spoke { tenant: acme(), system: system("erp"), asks: vec![spoke_ask("r", 1)] };
    store.find(query, Box::new(move |rows| drop(told.send(rows.map(|_| "found")))));
    assert_eq!(answers.recv_timeout(Duration::from_millis(500)), Err(mpsc::RecvTimeoutError::Timeout));
    armed.store(false, Ordering::SeqCst);
    go.send(()).unwrap();
    let heard: Vec<_> = (0..2).map(|_| answers.recv_timeout(Duration::from_secs(20)).unwrap()).collect();
    assert_eq!(heard, [Ok("committed"), Ok("found")]);
}

/// The same where the writer answers by itself, because the store is broken.
#[test]
fn a_refusal_may_drop_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    store.shared.break_down("a test");
    let (send, receive) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let held = Arc::clone(&store);
    store.commit(
        vec![],
        Box::new(move |answer| {
            wait.recv().unwrap_or_default();
            drop(held);
            send.send(answer).unwrap_or_default();
        }),
    );
    drop(store);
    go.send(()).unwrap();
    let answer = receive.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(matches!(answer, Err(StoreError::Broken { .. })), "{answer:?}");
    assert_free(folder.path());
}

/// What a former process left in the log is as it was after it was written once more.
#[test]
fn i2_a_log_that_is_found_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    handle(&store).apply(vec![Op::PutRecord(record(1, 3)), Op::Raise(raise("r", 1, 3))]);
    let left = image(folder.path());
    let log = left.path().join("store.sqlite-wal");
    let before = fs::read(&log).unwrap();
    assert!(!before.is_empty());
    crate::syncer::Log::renew(&left.path().join("store.sqlite")).unwrap();
    assert_eq!(fs::read(&log).unwrap(), before);
    assert!(stands(&handle(&open_in(left.path())), 1, 3));
    crate::syncer::Log::renew(&left.path().join("none.sqlite")).unwrap();
}

/// A named point is called before and after the sync of each group.
#[test]
fn points_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let synced = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&synced);
    let on_point: Arc<dyn Fn(Point) + Send + Sync> = Arc::new(move |point| {
        if point == Point::AfterSync {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let options = Options { on_point: Some(on_point), ..options() };
    let store = Embedded::open(folder.path(), root_key(7), options).unwrap();
    handle(&store).apply(vec![Op::PutRecord(record(1, 1))]);
    assert!(synced.load(Ordering::SeqCst) >= 1);
}
