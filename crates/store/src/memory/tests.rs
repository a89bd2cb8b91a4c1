//! The in-memory backend passes the suite, and loses what was not synced.

use std::sync::{Arc, Mutex, PoisonError};

use super::*;
use crate::conformance::make::*;
use crate::conformance::{Backend, random};
use crate::{Op, Require};

fn backend() -> Backend {
    Backend::new(Memory::new())
}

crate::conformance_suite!(backend);

#[test]
fn the_same_seed_gives_the_same_answers() {
    random::agree(&backend(), &backend(), 7, 300);
}

/// A new operation must be generated too, or the comparison of backends does not cover it.
#[test]
fn every_operation_comes_up_at_random() {
    let counts = random::coverage(1, 2000);
    assert_eq!(counts.len(), 39, "{counts:?}");
}

fn put(number: u64) -> Vec<Unit> {
    let require = vec![Require::RecordAt { record: rec(number), version: 0 }];
    vec![Unit { require, ops: vec![Op::PutRecord(record(number, 1))] }]
}

type Answers = Arc<Mutex<Vec<Result<Vec<Receipt>, StoreError>>>>;

fn commit(memory: &Memory, units: Vec<Unit>, answers: &Answers) {
    let answers = Arc::clone(answers);
    let push = move |answer| answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    memory.commit(units, Box::new(push));
}

fn stands(memory: &Memory, number: u64) -> bool {
    memory.lock().tables.records.contains_key(&rec(number))
}

/// I2: nothing is answered, nor seen, before it is synced; a crash loses exactly that.
#[test]
fn a_crash_loses_what_was_not_synced() {
    let memory = Memory::holding();
    let answers = Answers::default();
    commit(&memory, put(1), &answers);
    commit(&memory, put(1), &answers);
    assert!(!stands(&memory, 1));
    assert_eq!(memory.held(), 2);
    assert!(answers.lock().unwrap().is_empty());
    assert_eq!(memory.sync(), 2);
    let conflict: Result<_, StoreError> = Ok(vec![Receipt::Conflict]);
    assert_eq!(*answers.lock().unwrap(), [Ok(vec![Receipt::Done(vec![])]), conflict]);
    commit(&memory, put(2), &answers);
    assert_eq!(memory.crash(), 1);
    assert_eq!((memory.sync(), memory.syncs()), (0, 1));
    assert!(stands(&memory, 1) && !stands(&memory, 2));
    assert_eq!(answers.lock().unwrap().len(), 2, "nobody is answered after a crash");
}

/// I2: what a crash or a failing disk had written already stands, and nobody hears of it as done.
#[test]
fn a_torn_sync_keeps_the_first_and_promises_nothing() {
    let memory = Memory::holding();
    let answers = Answers::default();
    (1..=3).for_each(|number| commit(&memory, put(number), &answers));
    assert_eq!(memory.tear(1), 2);
    assert!(stands(&memory, 1) && !stands(&memory, 2) && !stands(&memory, 3));
    assert!(answers.lock().unwrap().is_empty());
    (4..=5).for_each(|number| commit(&memory, put(number), &answers));
    let broken = StoreError::Broken { detail: "test".to_owned() };
    memory.fail(1, &broken);
    commit(&memory, put(6), &answers);
    assert!(stands(&memory, 4) && !stands(&memory, 5) && !stands(&memory, 6));
    assert_eq!(*answers.lock().unwrap(), vec![Err(broken); 3]);
}

/// I2: a full disk stops intake; outcomes are still taken.
#[test]
fn a_full_disk_stops_intake_only() {
    let memory = Memory::new();
    let answers = Answers::default();
    let full = StoreError::Full { detail: "test".to_owned() };
    memory.refuse(Some(full.clone()));
    let unit = |op| vec![Unit { require: vec![], ops: vec![op] }];
    commit(&memory, unit(Op::PutMessage(message(1))), &answers);
    commit(&memory, unit(Op::PutShadow(shadow(1, "erp", "customer"))), &answers);
    memory.refuse(None);
    commit(&memory, unit(Op::PutMessage(message(1))), &answers);
    let done: Result<_, StoreError> = Ok(vec![Receipt::Done(vec![])]);
    assert_eq!(*answers.lock().unwrap(), [Err(full), done.clone(), done]);
}

/// A reply may ask again: it runs outside the lock.
#[test]
fn a_reply_may_use_the_store() {
    let memory = Arc::new(Memory::new());
    let again = Arc::clone(&memory);
    let answers = Answers::default();
    let inner = Arc::clone(&answers);
    memory.commit(put(1), Box::new(move |_| commit(&again, put(2), &inner)));
    assert_eq!(answers.lock().unwrap().len(), 1);
    assert!(stands(&memory, 2));
}

#[test]
fn a_copy_is_refused_with_the_reason() {
    let refused = Memory::new().copy_to(std::path::Path::new("/backup")).unwrap_err().to_string();
    assert!(refused.contains("no files") && refused.contains("/backup"), "{refused}");
}
