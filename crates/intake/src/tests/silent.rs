//! States of an export: they carry state and fire no facts, and what is newer here stays.

use super::*;

fn exported(from: &str, id: &str, order: i64, values: Value) -> Incoming {
    Incoming { read: false, complete: false, silent: true, ..said(from, id, order, values) }
}

/// What only a system knows has no order of its own: of an older state only what is missing counts.
#[test]
fn i4_older_extensions_change_nothing() {
    let mut world = World::new();
    let extended = |incoming: Incoming, values: Value| Incoming { extensions: fields(values), ..incoming };
    world.accept(&extended(said("crm", "1", 10, json!({"name": "New"})), json!({"tier": "gold"})));
    let older = exported("crm", "1", 5, json!({"name": "New"}));
    world.accept(&extended(older, json!({"tier": "tin", "since": 1999})));
    assert_eq!(world.only().extensions[&system("crm")], fields(json!({"tier": "gold", "since": 1999})));
    let newer = exported("crm", "1", 20, json!({"name": "New"}));
    world.accept(&extended(newer, json!({"tier": "tin"})));
    assert_eq!(world.only().extensions[&system("crm")]["tier"], "tin");
}

/// Each source's order places only its own values: where nobody owns the field, who said it later counts.
#[test]
fn what_another_system_said_later_stays() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"email": "a@x.org", "note": "first"})));
    world.accept(&said("erp", "9", 50, json!({"email": "a@x.org", "note": "later"})));
    let older = world.accept(&exported("crm", "1", 20, json!({"email": "a@x.org", "note": "exported"})));
    assert_eq!(world.only().fields["note"], "later");
    assert!(older.decisions.iter().any(|decision| decision.kind == DecisionKind::Stale));
    world.accept(&exported("crm", "1", 60, json!({"email": "a@x.org", "note": "newest"})));
    assert_eq!(world.only().fields["note"], "newest");
    // What an export said was said then, not when it was imported: a later export of another system counts.
    world.accept(&exported("erp", "9", 70, json!({"email": "a@x.org", "note": "of erp"})));
    assert_eq!(world.only().fields["note"], "of erp");
}

/// A domain event that happened before the export does not happen once more when its value flaps.
#[test]
fn i16_what_has_happened_happens_no_more() {
    let mut world = World::new();
    world.accept(&exported("crm", "1", 1, json!({"email": "a@x.org", "closed_at": "2026-01-01T00:00:00Z"})));
    let back = world.accept(&exported("marketing", "m", 1, json!({"email": "a@x.org", "consent": "yes"})));
    assert!(back.facts.is_empty());
    for (order, consent) in [(2, "no"), (3, "yes")] {
        let accepted =
            world.accept(&said("marketing", "m", order, json!({"email": "a@x.org", "consent": consent})));
        assert!(accepted.facts.iter().all(|fact| fact.kind != "ConsentGiven"), "{:?}", accepted.facts);
    }
}
