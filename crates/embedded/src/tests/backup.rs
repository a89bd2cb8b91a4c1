//! Copies, and putting them back.

use std::fs;
use std::path::Path;

use guard::seal::RootKeyError;
use store::conformance::make::*;
use store::{Epoch, Op, Require};

use super::*;
use crate::backup::{BackupError, PutBack, copy_store, hash, inspect, put_back};

fn stands(folder: &Path, number: u64, version: i64) -> bool {
    handle(&open_in(folder)).holds(Require::RecordAt { record: rec(number), version })
}

fn put<'a>(copy: &'a Path, folder: &'a Path, root_key: &'a RootKey) -> PutBack<'a> {
    PutBack { copy, folder, root_key, taken_at: at(5), now: at(9), aside: None }
}

/// A folder with one record, a copy of it beside a running store, and a second record that the copy does not have.
fn backed_up() -> (tempfile::TempDir, std::path::PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let copy = home.path().join("copy.sqlite");
    let store = open_in(&home.path().join("store"));
    handle(&store).apply(vec![Op::PutRecord(record(1, 1)), Op::Raise(raise("r", 1, 1))]);
    copy_store(&home.path().join("store"), &copy).unwrap();
    handle(&store).apply(vec![Op::PutRecord(record(2, 1))]);
    store.close();
    (home, copy)
}

#[test]
fn a_copy_says_what_is_in_it() {
    let (home, copy) = backed_up();
    let copied = inspect(&copy).unwrap();
    assert_eq!((copied.rows["record"], copied.rows["obligation"], copied.rows["message"]), (1, 1, 0));
    assert_eq!(copied.tenants, ["acme"]);
    assert_eq!((copied.root_key, copied.epoch), (root_key(7).id(), 0));
    assert_eq!((copied.bytes, copied.blake3), hash(&copy).unwrap());
    let none = copy_store(&home.path().join("nothing"), &home.path().join("x")).unwrap_err();
    assert!(matches!(none, BackupError::NoStore { .. }), "{none}");
    let again = copy_store(&home.path().join("store"), &copy).unwrap_err().to_string();
    assert!(again.contains("exists already"), "{again}");
}

#[test]
fn what_is_put_back_is_of_a_new_epoch() {
    let (home, copy) = backed_up();
    let folder = home.path().join("new");
    let epoch = put_back(put(&copy, &folder, &root_key(7))).unwrap();
    assert_eq!(epoch, Epoch { number: 1, taken_at: at(5), restored_at: at(9) });
    assert!(stands(&folder, 1, 1) && stands(&folder, 2, 0));
    let view = handle(&open_in(&folder)).find(Query::Intake { tenant: acme(), asks: vec![] });
    assert!(matches!(view, Rows::Intake(view) if view.restored_at == Some(at(9))));
    assert_eq!(inspect(&copy).unwrap().epoch, 0, "the copy stays as it is");
    // A backup of a restored store, put back in its place.
    let second = home.path().join("second.sqlite");
    copy_store(&folder, &second).unwrap();
    assert_eq!(
        put_back(PutBack { aside: Some("old"), ..put(&second, &folder, &root_key(7)) }).unwrap().number,
        2
    );
    // Of an older backup: the epoch still counts up.
    let key = root_key(7);
    let older = PutBack { aside: Some("older"), ..put(&copy, &folder, &key) };
    assert_eq!(put_back(older).unwrap().number, 3);
}

#[test]
fn a_store_that_is_there_stays_unless_it_is_told_to_go() {
    let (home, copy) = backed_up();
    let folder = home.path().join("store");
    let refused = put_back(put(&copy, &folder, &root_key(7))).unwrap_err();
    assert!(matches!(refused, BackupError::Occupied { .. }), "{refused}");
    assert!(stands(&folder, 2, 1));
    let (running, key) = (open_in(&folder), root_key(7));
    let aside = PutBack { aside: Some("before"), ..put(&copy, &folder, &key) };
    let refused = put_back(aside).unwrap_err();
    assert!(matches!(refused, BackupError::Open(OpenError::Locked { .. })), "{refused}");
    running.close();
    drop(running);
    put_back(aside).unwrap();
    assert!(stands(&folder, 2, 0), "the copy's state");
    assert!(stands(&folder.join("before"), 2, 1), "the old one is kept whole");
}

#[test]
fn another_key_or_a_damaged_copy_changes_nothing() {
    let (home, copy) = backed_up();
    let folder = home.path().join("store");
    let key = root_key(8);
    let aside = PutBack { aside: Some("before"), ..put(&copy, &folder, &key) };
    let refused = put_back(aside).unwrap_err();
    let wrong = |error: &BackupError| {
        matches!(error, BackupError::Open(OpenError::Key { source: RootKeyError::Wrong { .. }, .. }))
    };
    assert!(wrong(&refused), "{refused}");
    fs::write(&copy, b"not a store at all").unwrap();
    let key = root_key(7);
    let refused = put_back(PutBack { root_key: &key, ..aside }).unwrap_err();
    assert!(matches!(refused, BackupError::NotWhole { .. }), "{refused}");
    assert!(stands(&folder, 2, 1));
    assert!(!folder.join("before").exists());
}

/// I3: an interrupted restore does not begin an empty store.
#[test]
fn an_interrupted_restore_refuses_to_start() {
    let (home, copy) = backed_up();
    let folder = home.path().join("store");
    fs::copy(&copy, folder.join("store.sqlite.restoring")).unwrap();
    assert!(stands(&folder, 2, 1), "the old store is still whole");
    fs::remove_file(folder.join("store.sqlite")).unwrap();
    let refused = Embedded::open(&folder, root_key(7), options()).err();
    assert!(matches!(refused, Some(OpenError::Unrestored { .. })), "{refused:?}");
    // A second try that fails leaves it so.
    fs::write(folder.join("store.sqlite.restoring-journal"), b"of the first try").unwrap();
    let wrong = root_key(8);
    put_back(put(&copy, &folder, &wrong)).unwrap_err();
    let refused = Embedded::open(&folder, root_key(7), options()).err();
    assert!(matches!(refused, Some(OpenError::Unrestored { .. })), "{refused:?}");
    put_back(put(&copy, &folder, &root_key(7))).unwrap();
    assert!(stands(&folder, 1, 1));
    assert!(!folder.join("store.sqlite.restoring-journal").exists());
}

/// What was stored after the time that the clock says would count as seen since the restore.
#[test]
fn a_clock_that_is_behind_the_backup_is_refused() {
    let (home, copy) = backed_up();
    let folder = home.path().join("new");
    let key = root_key(7);
    let early = PutBack { now: at(5), ..put(&copy, &folder, &key) };
    let refused = put_back(early).unwrap_err();
    assert!(matches!(refused, BackupError::Clock { .. }), "{refused}");
    assert!(!folder.join("store.sqlite").exists());
}
