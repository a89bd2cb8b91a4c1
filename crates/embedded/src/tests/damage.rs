//! Damaged rows, failing disks: what is hit says so, and nothing else is harmed.

use rusqlite::{Connection, ffi};
use std::sync::mpsc;
use store::conformance::make::*;
use store::{Op, Require};

use super::*;
use crate::fault::Fault;

/// Closes, changes the file, and opens again.
fn damaged(rows: Vec<Op>, damage: &str) -> (tempfile::TempDir, Arc<Embedded>) {
    let folder = tempfile::tempdir().unwrap();
    handle(&open_in(folder.path())).apply(rows);
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    connection.execute_batch(damage).unwrap();
    drop(connection);
    let store = open_in(folder.path());
    (folder, store)
}

fn spoke(number: u64) -> Query {
    Query::Spoke { tenant: acme(), system: system("erp"), asks: vec![spoke_ask("r", number)] }
}

fn two_records() -> Vec<Op> {
    vec![Op::PutRecord(record(1, 1)), Op::PutRecord(record(2, 1)), Op::Raise(raise("r", 1, 1))]
}

fn assert_corrupt<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    match answer {
        Err(StoreError::Corrupt { detail }) => {
            assert!(!detail.contains("@example.com"), "a value in an error (I15): {detail}");
        }
        other => panic!("expected a corrupt row, found {other:?}"),
    }
}

#[test]
fn a_damaged_row_harms_no_other() {
    let flips = [
        "UPDATE record SET sealed = CAST(substr(sealed, 1, 60) || x'0000000000' || substr(sealed, 66) AS BLOB) WHERE seq = 1",
        "UPDATE record SET sealed = x'01' WHERE seq = 1",
        "UPDATE record SET sealed = x'' WHERE seq = 1",
        "UPDATE record SET entity = 999 WHERE seq = 1",
        "DELETE FROM data_key WHERE id = (SELECT id FROM record WHERE seq = 1)",
        "UPDATE data_key SET wrapped = CAST(substr(wrapped, 1, 60) || x'0000000000' || substr(wrapped, 66) AS BLOB) \
         WHERE id = (SELECT id FROM record WHERE seq = 1)",
    ];
    for damage in flips {
        let (_folder, store) = damaged(two_records(), damage);
        let store = handle(&store);
        assert_corrupt(store.try_find(spoke(1)));
        assert!(
            matches!(store.find(spoke(2)), Rows::Spoke(rows) if rows[0].record.as_deref() == Some(&record(2, 1)))
        );
        assert!(store.holds(Require::RecordAt { record: rec(1), version: 1 }), "{damage}");
        let Rows::Claim(claimed) = store.find(claim(100, 9)) else { panic!("not a claim") };
        assert_eq!(claimed.heads.len(), 1);
        store.apply(vec![Op::PutRecord(record(2, 2))]);
    }
}

/// A sealed value opens only where it was put.
#[test]
fn a_moved_value_does_not_open() {
    let swap = "UPDATE record SET sealed = (SELECT sealed FROM record WHERE seq = 2) WHERE seq = 1";
    let (_folder, store) = damaged(two_records(), swap);
    assert_corrupt(handle(&store).try_find(spoke(1)));
    let moved = "UPDATE shadow SET object = (SELECT id FROM name WHERE text = 'contacts')";
    let rows = vec![Op::PutShadow(shadow(1, "erp", "customer")), Op::PutLink(link(9, "crm", "a"))];
    let (_folder, store) = damaged(rows, moved);
    let ask = store::SpokeAsk { object: object("contacts"), ..spoke_ask("r", 1) };
    let query = Query::Spoke { tenant: acme(), system: system("erp"), asks: vec![ask] };
    assert_corrupt(handle(&store).try_find(query));
}

/// A commit that can't be applied fails alone, whoever shares its transaction.
#[test]
fn a_bad_commit_fails_alone_in_its_group() {
    let damage = "UPDATE data_key SET wrapped = x'00' WHERE id = (SELECT id FROM record WHERE seq = 1)";
    let (folder, store) = damaged(two_records(), damage);
    drop(store);
    // The first group waits before its sync until everything else waits behind it.
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let gate: Arc<dyn Fn(Point) + Send + Sync> = Arc::new(move |point| {
        if point == Point::BeforeSync {
            wait.lock().unwrap().recv().unwrap_or_default();
        }
    });
    let options = Options { on_point: Some(gate), ..options() };
    let store = Embedded::open(folder.path(), root_key(7), options).unwrap();
    let (send, receive) = mpsc::channel();
    for number in [5_u64, 2, 1, 3, 1, 4] {
        let send = send.clone();
        let ops = vec![Op::Raise(raise("r", number, 9)), Op::PutRecord(record(number, 9))];
        let reply = move |answer: Result<Vec<Receipt>, StoreError>| drop(send.send((number, answer)));
        store.commit(vec![Unit { require: vec![], ops }], Box::new(reply));
    }
    drop(go);
    for _ in 0..6 {
        let (number, answer) = receive.recv().unwrap();
        match answer {
            Err(StoreError::Corrupt { .. }) if number == 1 => {}
            Ok(receipts) if number != 1 => {
                assert!(matches!(&receipts[..], [Receipt::Done(heads)] if heads.len() == 1))
            }
            other => panic!("{number}: {other:?}"),
        }
    }
    assert!(store.stats().disk.unwrap().groups <= 3, "{:?}", store.stats());
    let backend = handle(&store);
    let Page::Systems(systems) = backend.look(&acme(), Look::Systems) else { panic!("not systems") };
    assert_eq!(systems[0].1.open, 5, "the failed unit's raise was not counted");
    assert!(backend.holds(Require::RecordAt { record: rec(1), version: 1 }));
    assert!(backend.holds(Require::RecordAt { record: rec(4), version: 9 }));
}

/// I2: an error of the disk ends everything; a full disk does not.
#[test]
fn errors_are_told_apart() {
    let sqlite = |code| Fault::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
    for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_CORRUPT] {
        assert!(matches!(sqlite(code).of_write(), StoreError::Broken { .. }), "{code}");
        assert!(!sqlite(code).is_local() && !sqlite(code).is_full());
    }
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE] {
        assert!(matches!(sqlite(code).of_write(), StoreError::Full { .. }), "{code}");
    }
    assert!(matches!(sqlite(ffi::SQLITE_TOOBIG).of_write(), StoreError::Refused { .. }));
    assert!(matches!(sqlite(ffi::SQLITE_CORRUPT).of_read(), StoreError::Corrupt { .. }));
    assert!(matches!(sqlite(ffi::SQLITE_IOERR_READ).of_read(), StoreError::Broken { .. }));
}

/// I2: once a sync failed, nothing is answered with success any more.
#[test]
fn after_a_failed_sync_everything_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    let backend = handle(&store);
    backend.apply(vec![Op::PutRecord(record(1, 1))]);
    store.shared.break_down("fsync failed");
    let broken = StoreError::Broken { detail: "fsync failed".to_owned() };
    assert_eq!(backend.try_commit(vec![Unit::default()]), Err(broken.clone()));
    assert_eq!(backend.try_find(claim(1, 1)), Err(broken));
}

/// A row that can't be read is passed over, and keeps nothing behind it from being found.
#[test]
fn retention_goes_on_behind_a_damaged_row() {
    let decision = |record| Op::PutDecision(decision(record, intake::DecisionKind::Rejected));
    let mut rows = vec![Op::PutRecord(record(1, 1)), Op::PutRecord(record(2, 1)), decision(1), decision(2)];
    rows.extend((1..=3).map(|number| Op::PutAttempt(attempt(number, "r", 9))));
    let damage = "UPDATE decision SET body = '{' WHERE record = (SELECT min(record) FROM decision); \
                  UPDATE attempt SET body = '{' WHERE seq = 1";
    let (_folder, store) = damaged(rows, damage);
    let horizon = at(500);
    for (part, left) in [(store::retention::Part::Records, 1), (store::retention::Part::Attempts, 1)] {
        let horizons = store::retention::Horizons {
            messages: horizon,
            seen: horizon,
            events: horizon,
            deliveries: horizon,
            groups: horizon,
            jobs: horizon,
        };
        let ask = store::retention::OldAsk {
            tenant: acme(),
            part,
            after: store::retention::Place::Start,
            horizons,
            limit: 10,
            bytes: 1 << 20,
            lines: true,
        };
        let Rows::Old(found) = handle(&store).find(Query::Old(ask)) else { panic!("not what is old") };
        assert_eq!((found.rows.len(), found.unreadable.len()), (left, 1), "{found:?}");
    }
}

/// An old request that ended and can't be read goes like any other: nothing behind it is kept because of it.
#[test]
fn a_damaged_request_goes_when_its_time_is_over() {
    let state = ledger::IntentState::Closed;
    let closed = |number| ledger::Intent { state, closed_at: Some(at(10)), ..intent(number, "r", 1) };
    let rows = vec![Op::PutRecord(record(1, 1)), Op::PutIntent(closed(1)), Op::PutIntent(closed(2))];
    let damage = "UPDATE intent SET class = 99 WHERE id = (SELECT min(id) FROM intent)";
    let (_folder, store) = damaged(rows, damage);
    let forget = |number| {
        let row = store::retention::OldRow::Intent(rec(1), int(number));
        Op::Forget { tenant: acme(), row, before: at(500) }
    };
    handle(&store).apply(vec![forget(1), forget(2)]);
    let connection = Connection::open(store.folder().join("store.sqlite")).unwrap();
    let left: i64 = connection.query_row("SELECT count(*) FROM intent", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}
