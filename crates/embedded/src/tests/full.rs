//! A full disk (I2): intake stops first, then sends; outcomes still find room; it heals by itself.

use std::process::Command;

use ledger::{Intent, IntentState};
use store::Op;
use store::conformance::make::*;

use super::*;

fn big_intent(number: u64) -> Intent {
    Intent { request: vec![7; 30_000].into(), ..intent(number, "r", number) }
}

fn big_message(number: u64) -> Vec<Unit> {
    let message = intake::Message { raw: vec![9; 100_000], ..message(number) };
    vec![Unit { require: vec![], ops: vec![Op::PutMessage(message)] }]
}

fn put(intent: Intent) -> Vec<Unit> {
    vec![Unit { require: vec![], ops: vec![Op::PutIntent(intent)] }]
}

/// Commits until the store says that it is full; gives how many were taken.
fn fill(backend: &Backend, unit: impl Fn(u64) -> Vec<Unit>) -> u64 {
    for number in 0..20_000 {
        match backend.try_commit(unit(number)) {
            Ok(_) => {}
            Err(StoreError::Full { detail }) => {
                assert!(!detail.is_empty());
                return number;
            }
            Err(other) => panic!("expected a full store, found {other}"),
        }
    }
    panic!("it never filled up")
}

/// Against a limit in pages: room comes back as requests of closed intents go.
#[test]
fn a_store_at_its_limit_still_takes_outcomes_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { max_pages: Some(600), reserve_bytes: 1 << 20, ..options() };
    let store = Embedded::open(folder.path(), root_key(7), options).unwrap();
    let backend = handle(&store);
    let raises = (0..200).map(|number| Op::Raise(raise("r", number, 1))).collect();
    backend.apply(raises);
    let sends = fill(&backend, |number| put(big_intent(number)));
    assert!(sends > 50, "{sends}");
    assert!(store.stats().full.is_some());
    assert!(matches!(backend.try_commit(big_message(1)), Err(StoreError::Full { .. })), "intake stops");
    // Outcomes: each sent intent ends, its obligation is settled, its shadow is kept.
    for number in 0..sends.min(60) {
        let closed = Intent { state: IntentState::Closed, ..big_intent(number) };
        let ops = vec![
            Op::PutIntent(closed),
            settle(sync_key("r", number), 1, ledger::State::Delivered),
            Op::PutShadow(shadow(number, "erp", "customer")),
        ];
        backend.try_commit(vec![Unit { require: vec![], ops }]).unwrap();
    }
    backend.try_commit(big_message(2)).unwrap();
    assert_eq!(store.stats().full, None);
    backend.try_commit(put(big_intent(999))).unwrap();
}

/// A small file system of its own, where the user may mount one.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .status();
        if mounted.is_ok_and(|status| status.success()) { Some(Self(folder)) } else { None }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).status());
    }
}

/// Against a disk that is really full: refused, not lost, not broken; freed space is found by itself.
#[test]
fn a_full_disk_stops_intake_and_heals() {
    let Some(mount) = Mount::new("28m") else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    let folder = mount.0.path().join("store");
    let options = Options { reserve_bytes: 6 << 20, ..options() };
    let store = Embedded::open(&folder, root_key(7), options.clone()).unwrap();
    let backend = handle(&store);
    backend.apply((0..50).map(|number| Op::Raise(raise("r", number, 1))).collect());
    for number in 0..50 {
        backend.apply(vec![Op::PutIntent(intent(number, "r", number))]);
    }
    let filler = mount.0.path().join("filler");
    std::fs::write(&filler, vec![1; 8 << 20]).unwrap();
    let taken = fill(&backend, big_message);
    assert!(taken > 20, "{taken}");
    for number in 0..50 {
        let closed = Intent { state: IntentState::Closed, ..intent(number, "r", number) };
        let ops = vec![
            Op::PutIntent(closed),
            settle(sync_key("r", number), 1, ledger::State::Delivered),
            Op::PutShadow(shadow(number, "erp", "customer")),
        ];
        backend.try_commit(vec![Unit { require: vec![], ops }]).unwrap();
    }
    // Moving the log may have freed some room; without more, it is full again.
    fill(&backend, |number| big_message(50_000 + number));
    std::fs::remove_file(&filler).unwrap();
    // Nobody asks: it looks for room itself.
    let waited = (0..100).find(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        store.stats().full.is_none()
    });
    assert!(waited.is_some(), "{:?}", store.stats());
    backend.try_commit(big_message(90_001)).unwrap();
    drop((backend, store));
    let reopened = handle(&Embedded::open(&folder, root_key(7), options).unwrap());
    let Page::Messages(found) =
        reopened.look(&acme(), Look::Messages(store::browse::MessageFilter { limit: 1, ..<_>::default() }))
    else {
        panic!("not messages")
    };
    assert_eq!(found[0].1.id, msg(90_001));
}
