//! A store that was filled elsewhere takes the place of an empty one, in one step or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use store::conformance::make::*;
use store::{Op, Require};

use super::*;
use crate::adopt::{adopt, rows_in};
use crate::backup::{BackupError, copy_store};

fn stands(folder: &Path, number: u64, version: i64) -> bool {
    handle(&open_in(folder)).holds(Require::RecordAt { record: rec(number), version })
}

/// A store with one record, as one file.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let copy = home.path().join("copy.sqlite");
    let store = open_in(&home.path().join("scratch"));
    handle(&store).apply(vec![Op::PutRecord(record(1, 1)), Op::Raise(raise("r", 1, 1))]);
    store.close();
    copy_store(&home.path().join("scratch"), &copy).unwrap();
    (home, copy)
}

#[test]
fn it_takes_the_place_of_none_and_of_an_empty_one() {
    let (home, copy) = filled();
    for began in [false, true] {
        let folder = home.path().join(format!("store-{began}"));
        if began {
            let empty = open_in(&folder);
            handle(&empty).apply(vec![Op::PutSystem(system_state("crm"))]);
            empty.close();
        }
        assert_eq!(rows_in(&folder).unwrap(), 0);
        adopt(&copy, &folder, &root_key(7)).unwrap();
        assert!(stands(&folder, 1, 1), "{began}");
        assert_eq!(rows_in(&folder).unwrap(), 2);
        assert!(copy.exists() && !folder.join("store.sqlite.adopting").exists());
        let again = adopt(&copy, &folder, &root_key(7)).unwrap_err();
        assert!(matches!(again, BackupError::Occupied { .. }), "{again}");
    }
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let (home, copy) = filled();
    let folder = home.path().join("store");
    let store = open_in(&folder);
    let refused = adopt(&copy, &folder, &root_key(7)).unwrap_err();
    assert!(matches!(refused, BackupError::Open(OpenError::Locked { .. })), "{refused}");
    handle(&store).apply(vec![Op::PutMessage(message(1))]);
    store.close();
    drop(store);
    let refused = adopt(&copy, &folder, &root_key(7)).unwrap_err();
    assert!(matches!(refused, BackupError::Occupied { .. }), "{refused}");
    assert!(stands(&folder, 1, 0));
    let empty = home.path().join("empty");
    let refused = adopt(&copy, &empty, &root_key(8)).unwrap_err();
    assert!(matches!(refused, BackupError::Open(OpenError::Key { .. })), "{refused}");
    let bytes = fs::read(&copy).unwrap();
    fs::write(&copy, &bytes[..bytes.len() / 2]).unwrap();
    let refused = adopt(&copy, &empty, &root_key(7)).unwrap_err();
    assert!(matches!(refused, BackupError::NotWhole { .. }), "{refused}");
    assert!(!empty.join("store.sqlite").exists());
    fs::write(&copy, &bytes).unwrap();
    // What an earlier try left is no hindrance, and neither is it taken for a store.
    fs::write(empty.join("store.sqlite.adopting"), b"half of it").unwrap();
    assert!(stands(&empty, 1, 0), "an empty store begins");
    adopt(&copy, &empty, &root_key(7)).unwrap();
    assert!(stands(&empty, 1, 1));
}
