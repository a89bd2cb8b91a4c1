//! Whose breaker holds which call back, what is a second object, and who was told to leave a target alone.

use std::collections::BTreeMap;
use std::time::Duration;

use connector::Request;
use serde_json::json;
use store::{Op, Store as _, Unit};

use super::breakers;
use crate::estate::{self, files};
use crate::vendor::Effect;

fn of(method: &str, path: &str) -> Vec<String> {
    breakers(&Request { method: method.to_owned(), path: path.to_owned(), ..Request::default() })
}

#[test]
fn i12_a_look_goes_with_its_write_or_by_itself() {
    assert_eq!(of("PATCH", "/items/7"), ["write items"]);
    assert_eq!(of("POST", "/items/batch"), ["write items"]);
    assert_eq!(of("GET", "/items/7"), ["read"]);
    assert_eq!(of("GET", "/things?since=1&page=20"), ["read"]);
    assert_eq!(of("GET", "/groups?key=group-1"), ["write groups", "read"]);
    assert_eq!(of("GET", "/items?mark=rec_1"), ["write items", "read"]);
}

/// An estate with two objects at one target that have the same key, the second just made, and the record that the first one is
/// linked to by then, if any, with its key.
fn two_of_one_key(linked: Option<&str>, were_one: bool) -> Vec<&'static str> {
    use store::conformance::make;
    let mut run = estate::build(1, estate::Mode::Merging, Duration::from_secs(60), false);
    run.let_people_merge();
    let blind = estate::system(files::BLIND);
    let key = |key: &str| BTreeMap::from([("key".to_owned(), json!(key))]);
    let vendor = run.targets.get_mut(&blind).unwrap();
    let made: Vec<u64> = (0..2).map(|_| vendor.insert("items", "a thing".to_owned(), 1)).collect();
    made.iter().for_each(|id| vendor.change(*id, &key("thing-1"), 1));
    if let Some(linked) = linked {
        let tenant = run.config.tenant.clone();
        let record = canonical::Record {
            tenant: tenant.clone(),
            fields: key(linked).into_iter().collect(),
            absorbed: BTreeMap::new(),
            ..make::record(7, 1)
        };
        let link = intake::Link {
            tenant,
            system: blind.clone(),
            object: make::object("items"),
            ..make::link(7, "blind", &made[0].to_string())
        };
        let unit = Unit { require: Vec::new(), ops: vec![Op::PutRecord(record), Op::PutLink(link)] };
        run.store.commit(vec![unit], Box::new(drop));
        run.store.sync();
    }
    if were_one {
        run.now_one(["thing-1", "thing-2"]);
    }
    let (kind, name, fields) = ("items".to_owned(), "a thing".to_owned(), key("thing-1"));
    run.watch_created(&blind, &Effect { id: made[1], kind, name, created: true, fields, at: 1 });
    let estate = run.estate.take().unwrap();
    estate.violations.iter().map(|violation| violation.invariant).collect()
}

/// I3: of two records that were one and are two again, the object goes back to the one, and the other gets one of its own, which
/// may be made before the first is told what it is. Any other second object of a key is one too many.
#[test]
fn i3_an_object_that_went_back_to_its_record_is_no_second_one_of_the_other() {
    assert!(two_of_one_key(Some("thing-2"), true).is_empty());
    assert_eq!(two_of_one_key(Some("thing-1"), true), ["I3"], "it is the same record's");
    assert_eq!(two_of_one_key(None, true), ["I3"], "it is nobody's");
    assert_eq!(two_of_one_key(Some("thing-2"), false), ["I3"], "they never were one");
}

/// I12: what a target said to a hub that had a full disk, and died before it had room, nobody knows; what it said before that, or
/// was heard and written, everybody does.
#[test]
fn i12_who_dies_with_a_full_disk_forgets_what_it_heard_since_it_was_full() {
    let impatient = |said_at: u64, dies_at: u64| {
        let mut run = estate::build(1, estate::Mode::Restore, Duration::from_secs(60), false);
        run.now = 10_000_000;
        run.fill_disk();
        run.now = 20_000_000;
        if dies_at > run.now {
            run.room();
        }
        run.now = dies_at;
        run.was_down();
        run.now = dies_at + 400_000;
        let blind = estate::system(files::BLIND);
        let vendor = run.targets.get_mut(&blind).unwrap();
        (vendor.impatient, vendor.ignored) = (1, said_at);
        run.watch_effects(&blind);
        !run.estate.take().unwrap().violations.is_empty()
    };
    assert!(!impatient(15_000_000, 20_000_000), "it was full when the hub died");
    assert!(!impatient(15_000_000, 22_000_000), "nobody had tried again yet");
    assert!(impatient(15_000_000, 24_000_000), "it was written by then");
    assert!(impatient(9_000_000, 20_000_000), "it was written before");
}
