//! The shelf's indexes against a walk over everything, under random writes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Action, Actor, Shelf, Stamp, Values};
use crate::entropy::Entropy;

const KIND: &str = "things";

fn stamp(now_ms: u64) -> Stamp {
    Stamp { actor: Actor::Integration, now_ms, key: None }
}

fn code(value: u64) -> Values {
    [("code".to_owned(), if value == 0 { Value::Null } else { json!(format!("C{value}")) })].into()
}

fn check(shelf: &Shelf, now_ms: u64) {
    let mut seen = BTreeSet::new();
    for object in shelf.all(KIND) {
        if let Some(code) = object.values.get("code").and_then(Value::as_str).filter(|_| object.live()) {
            assert!(seen.insert(code.to_owned()), "two live objects hold {code}");
            // Case and surrounding space make no difference.
            assert_eq!(
                shelf.holder(KIND, "code", &format!(" {} ", code.to_lowercase())),
                Some(object.id.as_str())
            );
        }
        assert_eq!(object.live(), object.history.last().unwrap().action != Action::Archive);
    }
    for code in (1..6).map(|value| format!("C{value}")).filter(|code| !seen.contains(code)) {
        assert_eq!(shelf.holder(KIND, "code", &code), None, "nobody live holds {code}");
    }
    for since in [0, now_ms / 2, now_ms] {
        let walked: BTreeSet<&str> = shelf
            .all(KIND)
            .filter(|object| object.updated_ms >= since)
            .map(|object| object.id.as_str())
            .collect();
        let indexed: Vec<&str> = shelf.changed_since(KIND, since).map(|object| object.id.as_str()).collect();
        assert_eq!(indexed.len(), walked.len());
        assert_eq!(indexed.into_iter().collect::<BTreeSet<_>>(), walked);
    }
}

#[test]
fn indexes_agree_with_the_objects_after_any_writes() {
    for seed in 0..30 {
        let mut entropy = Entropy::new(seed);
        let mut shelf = Shelf::new("version".to_owned(), 0);
        shelf.declare_unique(KIND, "code").unwrap();
        for step in 1..120 {
            let now_ms = step * 7;
            let id = format!("{}", entropy.below(8));
            let values = code(entropy.below(6));
            // Refusals are part of the play: `check` sees that they left nothing behind.
            match entropy.below(5) {
                0 => drop(shelf.archive(KIND, &id, &stamp(now_ms))),
                1 if shelf.get(KIND, &format!("{id}x")).is_none() => {
                    shelf.rename(KIND, &id, &format!("{id}x"))
                }
                _ if shelf.get(KIND, &id).is_none() => {
                    let values = values.into_iter().filter(|(_, value)| !value.is_null()).collect();
                    drop(shelf.create(KIND, &id, values, &stamp(now_ms)));
                }
                _ => drop(shelf.change(KIND, &id, values, &stamp(now_ms))),
            }
            check(&shelf, now_ms);
        }
    }
}

#[test]
fn a_refused_write_changes_nothing() {
    let mut shelf = Shelf::new("version".to_owned(), 0);
    shelf.declare_unique(KIND, "code").unwrap();
    shelf.create(KIND, "1", code(1), &stamp(1)).unwrap();
    shelf.create(KIND, "2", code(2), &stamp(1)).unwrap();
    let clash = shelf.change(KIND, "2", code(1), &stamp(2)).unwrap_err();
    assert_eq!((clash.holder.as_str(), clash.value.as_str()), ("1", "C1"));
    assert_eq!(shelf.get(KIND, "2").unwrap().history.len(), 1);
    assert!(shelf.create(KIND, "3", code(2), &stamp(2)).is_err());
    assert!(shelf.get(KIND, "3").is_none());
    // An archived object comes back only while its value is free.
    shelf.archive(KIND, "1", &stamp(3));
    shelf.change(KIND, "2", code(1), &stamp(4)).unwrap();
    assert!(shelf.change(KIND, "1", Values::new(), &stamp(5)).is_err());
    check(&shelf, 5);
}

#[test]
fn what_the_index_remembers_stays_small() {
    let mut shelf = Shelf::new("version".to_owned(), 100);
    shelf.create(KIND, "1", code(1), &stamp(0)).unwrap();
    for step in 1..500 {
        let values = [("n".to_owned(), json!(step))].into();
        shelf.change(KIND, "1", values, &stamp(step * 10)).unwrap();
    }
    let object = shelf.get(KIND, "1").unwrap();
    assert!(object.past.len() <= 12, "{} versions for a lag of ten writes", object.past.len());
    let shown = shelf.indexed(object, 4_990).unwrap();
    assert_eq!(shown.values["n"], 489);
    assert_eq!(shown.updated_ms, 4_890);
}
